/** A supervisor that starts again shows what its nodes said last, those that are away too. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { FleetSnapshot } from '../../shared/fleet-view.ts';
import { startAgent, up } from '../fixture/cluster.ts';
import { connectClient } from '../fixture/mqtt-client.ts';
import { folder, freePort, until } from '../fixture/processes.ts';

const view = suite('view after a restart');

for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
  view(`a node that is offline keeps its facts and services through ${signal}`, async () => {
    const [mqttPort, httpPort] = [await freePort(), await freePort()];
    const options = { data: folder('hearth-data-'), mqttPort, httpPort, flags: ['--no-agent'] };
    let cluster = await up(options);
    const agent = startAgent({ broker: cluster.url, node: 'n1' });
    const client = await connectClient(cluster.url, ['hearth/node/n1/is', 'hearth/node/n1/status']);
    await client.wait('online', message => message.topic.endsWith('/status') && message.text === 'online');
    await client.publish('hearth/node/n1/set/services/done', JSON.stringify({ run: 'exit 0', restart: 'never' }));
    await client.wait('it is done', message => message.topic.endsWith('/is') && message.text.includes('"exit":0'));
    await agent.stop();
    await client.wait('offline', message => message.topic.endsWith('/status') && message.text === 'offline');
    await client.close();
    const shown = async () => {
      const answer = await fetch(`http://127.0.0.1:${httpPort}/api/fleet`);
      const { nodes } = (await answer.json()) as FleetSnapshot;
      return nodes.find(({ id }) => id === 'n1');
    };
    const before = await shown();
    assert.is(before?.is?.items['services/done']?.exit, 0);
    if (signal === 'SIGTERM') await cluster.process.stop();
    else {
      cluster.process.child.kill(signal);
      await cluster.process.ended;
    }
    cluster = await up(options);
    const after = await until('it is shown again', async () => {
      const node = await shown();
      return node?.info && node.is ? node : undefined;
    });
    assert.is(after.online, false);
    assert.is(after.info?.host, before?.info?.host);
    assert.is(after.is?.items['services/done']?.exit, 0);
    await cluster.process.stop();
  });
}

view.run();
