/** How an agent's process ends when it is asked to. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startAgent, up } from '../fixture/cluster.ts';
import { connectClient } from '../fixture/mqtt-client.ts';

const ends = suite('agent ends');

ends('one press of Ctrl-C that npm passes on a second time still stops the services', async () => {
  const cluster = await up({ flags: ['--no-agent'] });
  const client = await connectClient(cluster.url, ['hearth/node/a1/#']);
  const agent = startAgent({ broker: cluster.url, node: 'a1', flags: ['--stop-services'] });
  await client.wait('a1 is online', ({ topic, text }) => topic.endsWith('/status') && text === 'online');
  // Deaf for a moment, so that the end takes longer than the second signal.
  const service = { run: 'trap "sleep 0.3; exit" TERM; while :; do sleep 0.05; done' };
  await client.publish('hearth/node/a1/set/services/slow', JSON.stringify(service));
  const is = await client.wait('it runs', ({ topic, text }) => topic.endsWith('/is') && /"running"/.test(text));
  const { pid } = JSON.parse(is.text).items['services/slow'] as { pid: number };
  agent.child.kill('SIGINT');
  agent.child.kill('SIGINT');
  await new Promise(resolve => setImmediate(resolve));
  agent.child.kill('SIGINT');
  assert.is(await agent.ended, 0);
  assert.throws(() => process.kill(pid, 0), /ESRCH/);
  await client.close();
  assert.is(await cluster.process.stop(), 0);
});

ends.run();
