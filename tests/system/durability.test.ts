/** What `result` called accepted is there after `kill -9`, whenever it comes; telemetry never touches the disk. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startAgent, up } from '../fixture/cluster.ts';
import { connectClient } from '../fixture/mqtt-client.ts';
import { folder, freePort, until } from '../fixture/processes.ts';

const durability = suite('durability');

durability('kill -9 in the middle of a stream of sets, ten times over: nothing accepted is lost', async () => {
  const [mqttPort, httpPort] = [await freePort(), await freePort()];
  const data = folder('hearth-data-');
  /** The last accepted value per service; one whose answer never came may be either. */
  const accepted = new Map<string, string>();
  const unanswered = new Map<string, string[]>();
  let counter = 0;
  let cluster = await up({ data, mqttPort, httpPort, flags: ['--no-agent'] });
  const seen = startAgent({ broker: cluster.url, node: 'n1' });
  const first = await connectClient(cluster.url, ['hearth/node/n1/want']);
  await first.wait('a want', () => true);
  await first.close();
  await seen.stop();

  for (let round = 0; round < 10; round++) {
    const client = await connectClient(cluster.url, ['hearth/node/n1/result']);
    client.client.on('close', () => {});
    const sent = new Map<string, { key: string; run: string }>();
    const killAfter = 20 + ((round * 37) % 160);
    for (let index = 0; index < 400; index++) {
      const key = `s${counter % 40}`;
      const tx = `t${counter}`;
      const run = `exec sleep ${counter++}`;
      sent.set(tx, { key, run });
      client.client.publish('hearth/node/n1/set', JSON.stringify({ services: { [key]: { run } }, tx }), { qos: 1 });
      if (index % 10 === 9) await new Promise(resolve => setImmediate(resolve));
    }
    await client.wait('some answers', () => client.heard.length >= killAfter);
    cluster.process.child.kill('SIGKILL');
    await cluster.process.ended;
    for (const message of client.heard) {
      const answer = JSON.parse(message.text) as { ok: boolean; tx: string };
      const what = sent.get(answer.tx);
      if (!what) continue;
      assert.ok(answer.ok, message.text);
      accepted.set(what.key, what.run);
      unanswered.delete(what.key);
      sent.delete(answer.tx);
    }
    for (const { key, run } of sent.values()) unanswered.set(key, [...(unanswered.get(key) ?? []), run]);
    await client.close();

    cluster = await up({ data, mqttPort, httpPort, flags: ['--no-agent'] });
    const reader = await connectClient(cluster.url, ['hearth/node/n1/own', 'hearth/node/n1/want']);
    const own = await reader.wait('own', message => message.topic.endsWith('/own'));
    const want = await reader.wait('want', message => message.topic.endsWith('/want'));
    const services = (JSON.parse(own.text) as { services: Record<string, { run: string }> }).services;
    const wanted = (JSON.parse(want.text) as { services: Record<string, { run: string }> }).services;
    for (const [key, run] of accepted) {
      const is = services[key]?.run;
      const may = [run, ...(unanswered.get(key) ?? [])];
      assert.ok(is !== undefined && may.includes(is), `${key} is ${is}, accepted was ${run}`);
      assert.is(wanted[key]?.run, is, 'want follows own');
    }
    for (const [key, service] of Object.entries(services)) accepted.set(key, service.run);
    unanswered.clear();
    await reader.close();
  }
  await cluster.process.stop();
});

/** Every regular file below a folder. */
const filesBelow = (place: string): string[] =>
  readdirSync(place, { recursive: true, encoding: 'utf8' })
    .map(name => join(place, name))
    .filter(name => statSync(name, { throwIfNoEntry: false })?.isFile());

durability('telemetry is never written to disk', async () => {
  const cluster = await up({ flags: ['--period', '500'] });
  const watcher = await connectClient(cluster.url, ['hearth/node/+/load']);
  const marks: string[] = [];
  for (let seen = 0; seen < 6; seen++) {
    const load = await watcher.wait('load', message => !marks.some(mark => message.text.includes(mark)));
    const { seq, epoch } = JSON.parse(load.text) as { seq: number; epoch: number };
    marks.push(`"epoch":${epoch},"seq":${seq}`);
    watcher.forget();
  }
  await watcher.close();
  await cluster.process.stop();
  for (const file of filesBelow(cluster.data)) {
    const text = readFileSync(file, 'latin1');
    // With its value: what Home Assistant is told names the keys, and is retained.
    assert.not(/"(cpu_pct|mem_pct)":\d/.test(text), `${file} holds telemetry`);
  }
});

durability(
  'an agent starts from its own disk without a supervisor, and its services outlive every outage',
  async () => {
    const [mqttPort, httpPort] = [await freePort(), await freePort()];
    const file = join(folder(), 'pid');
    const cluster = await up({ mqttPort, httpPort, flags: ['--no-agent'] });
    const agent = startAgent({ broker: cluster.url, node: 'lonely' });
    const client = await connectClient(cluster.url, ['hearth/node/lonely/+']);
    await client.wait('want', message => message.topic.endsWith('/want'));
    await client.publish('hearth/node/lonely/set/services/keep', `echo $$ > ${file}; exec sleep 1000`);
    const pidOf = () => existsSync(file) && Number(readFileSync(file, 'utf8'));
    const pid = await until('it runs', pidOf);
    await client.close();
    cluster.process.child.kill('SIGKILL');
    await cluster.process.ended;
    // Nobody to talk to: the agent dies, and a new one has only its disk. The service goes on under the same pid.
    await agent.stop('SIGKILL');
    const second = startAgent({ broker: cluster.url, node: 'lonely', data: agent.data });
    process.kill(pid, 'SIGKILL');
    const again = await until('restarted by the second agent, with no supervisor', () => {
      const now = pidOf();
      return now && now !== pid && now;
    });
    const back = await up({ mqttPort, httpPort, data: cluster.data, flags: ['--no-agent'] });
    const reader = await connectClient(back.url, ['hearth/node/lonely/is']);
    await reader.wait('it tells what it runs', message => message.text.includes(`"pid":${again}`));
    // What it told before it had the service is no answer.
    reader.forget();
    await reader.publish('hearth/node/lonely/set/services/keep', '');
    await reader.wait('cleared', message => /"items":\{\}/.test(message.text));
    await reader.close();
    await second.stop();
    await back.process.stop();
  },
);

durability.run();
