/** Jobs on a real supervisor that is killed: what was accepted and committed is there, and no task is committed twice. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { JobIs } from '../../shared/schemas/job.ts';
import type { JobOut } from '../../shared/schemas/job-out.ts';
import type { Held } from '../../shared/schemas/work.ts';
import { type Cluster, up } from '../fixture/cluster.ts';
import { connectClient, type TestClient } from '../fixture/mqtt-client.ts';
import { folder, freePort, start, until } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';
import { type ScriptedWorker, scriptedWorker, tokensOf } from '../fixture/scripted-worker.ts';

const jobs = suite('jobs: a supervisor that is killed');

const isOf = (client: TestClient, job: string): JobIs | undefined => {
  const last = client.heard.filter(({ topic }) => topic === `hearth/job/${job}/is`).at(-1);
  return last && JSON.parse(last.text);
};
/** Index of each result, as often as it was said in different batches. */
const indexesOf = (client: TestClient, job: string): number[] => {
  const outs = client.heard
    .filter(({ topic }) => topic === `hearth/job/${job}/out`)
    .map(({ text }) => JSON.parse(text));
  const bySeq = new Map((outs as JobOut[]).map(out => [out.seq, out]));
  return [...bySeq.values()].flatMap(({ results }) => results.map(({ index }) => index)).sort((a, b) => a - b);
};
const upTo = (n: number) => Array.from({ length: n }, (_, index) => index);

async function submit({ ready }: Cluster, job: string, document: object): Promise<void> {
  const topic = `hearth/job/${job}/set`;
  const pub = start('mosquitto_pub', [
    '-p',
    String(ready.mqtt),
    '-q',
    '1',
    '-t',
    topic,
    '-m',
    JSON.stringify(document),
  ]);
  assert.is(await pub.ended, 0, pub.output());
}

const accepted = (client: TestClient, job: string) =>
  client.wait(
    `${job} is accepted`,
    ({ topic, text }) => topic === `hearth/job/${job}/result` && text.includes('"ok":true'),
  );

/** What an agent says after the supervisor's restart: it runs these still. */
const held = (worker: ScriptedWorker, tokens: ReadonlySet<number>): Held[] =>
  worker
    .spans()
    .flatMap(({ t, r, i, n, a }) => upTo(n).map((at): Held => [t + at, r, i + at, a, 1]))
    .filter(([token]) => tokens.has(token));

testWith(
  jobs,
  ['mosquitto_pub'],
  'kill -9: accepted jobs and committed results are there, what ran goes on',
  async () => {
    const [data, mqttPort, httpPort] = [folder('hearth-data-'), await freePort(), await freePort()];
    let cluster = await up({ data, mqttPort, httpPort, flags: ['--no-agent'] });
    let client = await connectClient(cluster.url, ['hearth/job/#']);
    let worker = await scriptedWorker(cluster.url, 'n1', { slots: 20 });
    await submit(cluster, 'frames', { run: './render {}', array: '1-40' });
    await accepted(client, 'frames');
    await until('half of it is with the node', () => tokensOf(worker.spans()).length >= 20);
    const first = tokensOf(worker.spans());
    const [done, running] = [first.slice(0, 10), first.slice(10)];
    worker.succeed(done);
    worker.report({ started: running.map(token => [token, 1]), credits: 0 });
    await until('they are acked', () => done.every(token => worker.acked().has(token)));
    await submit(cluster, 'later', { run: 'true', where: 'cores > 1000' });
    await accepted(client, 'later');
    const committed = indexesOf(client, 'frames');
    assert.is(committed.length, 10);
    cluster.process.child.kill('SIGKILL');
    await cluster.process.ended;
    const have = held(worker, new Set(running));
    await Promise.all([client.close(), worker.close()]);

    cluster = await up({ data, mqttPort, httpPort, flags: ['--no-agent'] });
    client = await connectClient(cluster.url, ['hearth/job/#']);
    await until('both are there', () => isOf(client, 'later') !== undefined && isOf(client, 'frames') !== undefined);
    assert.is(isOf(client, 'later')?.state, 'queued');
    assert.is(isOf(client, 'frames')?.succeeded, 10);
    await client.publish('hearth/job/frames/do/out', JSON.stringify({ from: 0, to: isOf(client, 'frames')?.outs }));
    await client.wait('they were sent again', ({ text }) => text.includes('"finished"'));
    assert.equal(indexesOf(client, 'frames'), committed);

    worker = await scriptedWorker(cluster.url, 'n1', { slots: 20, epoch: 2, have });
    worker.succeed(running);
    const answered = new Set<number>();
    await until('the job has succeeded', () => {
      const fresh = tokensOf(worker.spans()).filter(token => !answered.has(token));
      for (const token of fresh) answered.add(token);
      if (fresh.length > 0) worker.succeed(fresh);
      return isOf(client, 'frames')?.state === 'succeeded';
    });
    assert.is(answered.size, 20, 'what was committed or ran is not sent again');
    assert.ok(Math.min(...answered) > Math.max(...first), 'no token is used twice');
    await client.publish('hearth/job/frames/do/out', JSON.stringify({ from: 0, to: isOf(client, 'frames')?.outs }));
    await until('every result is there', () => indexesOf(client, 'frames').length >= 40);
    assert.equal(indexesOf(client, 'frames'), upTo(40), 'each once');
    await Promise.all([client.close(), worker.close()]);
    await cluster.process.stop();
  },
);

jobs('what is forgotten is gone after a restart, too', async () => {
  const [data, mqttPort, httpPort] = [folder('hearth-data-'), await freePort(), await freePort()];
  let cluster = await up({ data, mqttPort, httpPort, flags: ['--no-agent'] });
  const client = await connectClient(cluster.url, ['hearth/job/#']);
  for (const job of ['a', 'b']) {
    await client.publish(`hearth/job/${job}/set`, JSON.stringify({ run: 'true', where: 'cores > 1000' }));
    await accepted(client, job);
  }
  await client.publish('hearth/job/a/do/cancel', '{"tx":"1"}');
  await client.publish('hearth/job/a/do/forget', '{"tx":"2"}');
  await client.wait('it is forgotten', ({ text }) => text.includes('"tx":"2"') && text.includes('"ok":true'));
  await client.close();
  cluster.process.child.kill('SIGKILL');
  await cluster.process.ended;
  cluster = await up({ data, mqttPort, httpPort, flags: ['--no-agent'] });
  const reader = await connectClient(cluster.url, ['hearth/job/#']);
  await until('the other one is there', () => isOf(reader, 'b') !== undefined);
  assert.equal(
    reader.heard.filter(({ topic, text }) => topic.startsWith('hearth/job/a/') && text !== ''),
    [],
  );
  await reader.publish('hearth/job/a/set', '{"run":"false"}');
  const refused = await reader.wait('the id is remembered', ({ topic }) => topic === 'hearth/job/a/result');
  assert.match(refused.text, /take another id/);
  await reader.close();
  await cluster.process.stop();
});

jobs.run();
