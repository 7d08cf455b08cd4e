/** A disk that was full for a while costs only what was refused: what is accepted after is there after `kill -9`. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startAgent, up } from '../fixture/cluster.ts';
import { connectClient } from '../fixture/mqtt-client.ts';
import { freePort, until } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';
import { type SmallDisk, smallDisk } from '../fixture/small-disk.ts';

const disk = suite<{ disk: SmallDisk | undefined }>('journal, disk');

disk.before.each(context => {
  context.disk = undefined;
});
disk.after.each(context => context.disk?.unmount());

interface Answer {
  readonly ok: boolean;
  readonly error?: string;
}

testWith(
  disk,
  ['root', 'mount'],
  'full, then not: refused with the reason, accepted again, and kept',
  async context => {
    const [mqttPort, httpPort] = [await freePort(), await freePort()];
    context.disk = smallDisk('size=2m');
    const { path } = context.disk;
    const options = { data: path, mqttPort, httpPort, flags: ['--no-agent'] };
    let cluster = await up(options);
    const agent = startAgent({ broker: cluster.url, node: 'n1' });
    const client = await connectClient(cluster.url, ['hearth/node/n1/want', 'hearth/node/n1/result']);
    await client.wait('a want', message => message.topic.endsWith('/want'));
    await agent.stop();
    let asked = 0;
    const set = async (key: string, run: string): Promise<Answer> => {
      const tx = `t${asked++}`;
      await client.publish(
        'hearth/node/n1/set',
        JSON.stringify({ services: { [key]: { run, restart: 'never' } }, tx }),
      );
      const heard = await client.wait(`the answer to ${key}`, ({ text }) => text.includes(`"tx":"${tx}"`));
      return JSON.parse(heard.text) as Answer;
    };
    const accepted: string[] = [];
    const refused: string[] = [];
    const note = async (key: string, run: string) => {
      const answer = await set(key, run);
      (answer.ok ? accepted : refused).push(key);
      return answer;
    };

    await note('before', 'true');
    context.disk.fill();
    for (let index = 0; index < 8; index++) {
      const answer = await note(`full-${index}`, `echo ${'x'.repeat(3000)}`);
      if (!answer.ok) assert.match(answer.error ?? '', /journal could not be written.*No space left/);
      await client.publish(`home/r/full_${index}`, 'x'.repeat(3000), { retain: true });
    }
    assert.ok(refused.length > 0, 'the disk was full');
    context.disk.empty();
    for (let index = 0; index < 5; index++) assert.ok((await note(`after-${index}`, 'true')).ok);
    assert.ok((await note('last', 'true')).ok);

    cluster.process.child.kill('SIGKILL');
    await cluster.process.ended;
    await client.close();
    cluster = await up(options);
    const reader = await connectClient(cluster.url, ['hearth/node/n1/own']);
    const own = await reader.wait('own', message => message.topic.endsWith('/own'));
    const { services } = JSON.parse(own.text) as { services: Record<string, unknown> };
    assert.equal(Object.keys(services).sort(), accepted.sort());
    await reader.close();
    await cluster.process.stop();
  },
);

testWith(disk, ['root', 'mount'], 'retained messages that it did not take are written when it does', async context => {
  const [mqttPort, httpPort] = [await freePort(), await freePort()];
  context.disk = smallDisk('size=2m');
  const options = { data: context.disk.path, mqttPort, httpPort, flags: ['--no-agent'] };
  let cluster = await up(options);
  const client = await connectClient(cluster.url, []);
  context.disk.fill();
  const topics = Array.from({ length: 20 }, (_, index) => `home/r/full_${index}`);
  for (const topic of topics) await client.publish(topic, 'x'.repeat(3000), { retain: true });
  await until('it is said', () => cluster.process.output().includes('retained messages cannot be written'));
  context.disk.empty();
  await client.publish('home/r/temp_c', '20.5', { retain: true });
  await client.close();
  await cluster.process.stop();
  cluster = await up(options);
  const reader = await connectClient(cluster.url, ['home/#']);
  for (const topic of [...topics, 'home/r/temp_c']) {
    await reader.wait(topic, message => message.topic === topic && message.retain);
  }
  await reader.close();
  await cluster.process.stop();
});

disk.run();
