/** The agent's process, as bundled, on a real Mosquitto with the test in the supervisor's part. */
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { join } from 'node:path';
import { suite, type Test } from 'uvu';
import * as assert from 'uvu/assert';
import { seal } from '../../shared/authority.ts';
import { signerFromPem } from '../../shared/ed25519.ts';
import { isPayload } from '../../shared/schemas/observed.ts';
import { lwtPayload } from '../../shared/schemas/presence.ts';
import { infoPayload, loadPayload } from '../../shared/schemas/telemetry.ts';
import { agentBundle, agentNode, startAgent } from '../fixture/cluster.ts';
import { startMosquitto } from '../fixture/mosquitto.ts';
import { connectClient, type Heard } from '../fixture/mqtt-client.ts';
import { folder, freePort, start, until } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';
import { relay } from '../fixture/test-host.ts';

const agents: Test = suite('agent process');
const part = (name: string) => (message: Heard) => message.topic.endsWith(`/${name}`);
const json = (message: Heard) => JSON.parse(message.text) as Record<string, unknown>;
const signer = signerFromPem(
  generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
);

/** Who holds a folder; empty while nobody does. */
const lockOf = (data: string): string => {
  try {
    return readFileSync(join(data, 'agent.lock'), 'utf8');
  } catch {
    return '';
  }
};

const want = (node: string, rev: number, services: object) =>
  seal(signer, 'want', node, { cluster: signer.cluster, key: signer.key, gen: 0, rev, node, services });

testWith(
  agents,
  ['mosquitto'],
  'birth, info, is and load fit their schemas; the epoch rises with every CONNECT',
  async () => {
    const mosquitto = await startMosquitto();
    const watcher = await connectClient(mosquitto.url, ['hearth/#']);
    const agent = startAgent({ broker: mosquitto.url, node: 'a1', flags: ['--period', '500'] });
    const birth = lwtPayload.parse(json(await watcher.wait('birth', part('lwt'))));
    assert.equal([birth.epoch, birth.online, birth.period_ms], [1, true, 500]);
    infoPayload.parse(json(await watcher.wait('info', part('info'))));
    const is = isPayload.parse(json(await watcher.wait('is', part('is'))));
    assert.equal([is.node, is.epoch, is.state, is.err], ['a1', 1, 'init', '']);
    const load = loadPayload.parse(json(await watcher.wait('load', part('load'))));
    assert.ok(Number(load.mem_mb) > 0 && Number(load.up_s) > 0);
    assert.not(/null/.test(watcher.heard.map(message => message.text).join()));
    watcher.forget();
    agent.child.kill('SIGKILL');
    const will = lwtPayload.parse(json(await watcher.wait('will', part('lwt'))));
    assert.equal(will, { ...birth, online: false });
    const again = startAgent({ broker: mosquitto.url, node: 'a1', data: agent.data });
    const next = await watcher.wait('birth', message => part('lwt')(message) && json(message).online === true);
    assert.ok(Number(json(next).epoch) > birth.epoch);
    assert.is(json(next).inst, birth.inst);
    watcher.forget();
    assert.is(await again.stop('SIGTERM'), 0);
    await watcher.wait('farewell', message => part('lwt')(message) && json(message).online === false);
    assert.is(watcher.heard.filter(part('lwt')).length, 1, 'a farewell, and no will after it');
    assert.is(statSync(join(agent.data, 'identity.json')).mode & 0o777, 0o600);
    assert.is(statSync(agent.data).mode & 0o777, 0o700);
    await watcher.close();
    await mosquitto.process.stop();
  },
);

testWith(
  agents,
  ['mosquitto'],
  'obeys a signed want, keeps its services over a stop, a crash and an outage',
  async () => {
    const mosquitto = await startMosquitto();
    const watcher = await connectClient(mosquitto.url, ['hearth/#']);
    const mark = join(folder(), 'starts');
    const services = { mark: { run: `echo x >> ${mark}; exec sleep 600`, from: 'node/a2' } };
    const flags = ['--period', '500'];
    const one = startAgent({ broker: mosquitto.url, node: 'a2', flags });
    await watcher.wait('birth', part('lwt'));
    await watcher.publish('hearth/node/a2/want', want('a2', 7, services), { retain: true });
    const isRunning = (message: Heard) => part('is')(message) && /"running"/.test(message.text);
    const done = await watcher.wait('running', message => isRunning(message) && json(message).rev === 7);
    assert.is(json(done).state, 'ready');
    const { pid } = (json(done).items as Record<string, { pid: number }>)['services/mark'] ?? { pid: 0 };
    await one.stop('SIGKILL');
    process.kill(pid, 0);
    // No broker at all: it adopts from its own disk. Then one comes.
    await watcher.close();
    await mosquitto.process.stop();
    const two = startAgent({ broker: mosquitto.url, node: 'a2', data: one.data, flags });
    await until('it runs', () => lockOf(one.data).includes(`"pid":${two.pid},`));
    const later = await startMosquitto([], Number(new URL(mosquitto.url).port));
    const watch = await connectClient(later.url, ['hearth/#']);
    const back = await watch.wait('back', isRunning);
    assert.is((json(back).items as Record<string, { pid: number }>)['services/mark']?.pid, pid, 'the same process');
    assert.is(readFileSync(mark, 'utf8'), 'x\n');
    assert.is(await two.stop('SIGTERM'), 0);
    await watch.wait('its last word', message => part('lwt')(message) && json(message).online === false);
    watch.forget();
    process.kill(pid, 0);
    const three = startAgent({ broker: later.url, node: 'a2', data: one.data, flags: [...flags, '--stop-services'] });
    await watch.wait('third', isRunning);
    await three.stop('SIGTERM');
    await until('the service is gone', () => {
      try {
        process.kill(pid, 0);
        return false;
      } catch {
        return true;
      }
    });
    await watch.close();
    await later.process.stop();
  },
);

testWith(agents, ['mosquitto'], 'no telemetry of an outage is sent after it', async () => {
  const mosquitto = await startMosquitto();
  const port = await freePort();
  const way = await relay('127.0.0.1', mosquitto.port, port);
  const watcher = await connectClient(mosquitto.url, ['hearth/node/a3/load']);
  const agent = startAgent({ broker: `mqtt://127.0.0.1:${port}`, node: 'a3', flags: ['--period', '500'] });
  const before = json(await watcher.wait('load', part('load')));
  await watcher.close();
  way.close();
  await mosquitto.process.stop('SIGKILL');
  await new Promise(resolve => setTimeout(resolve, 4000));
  const later = await startMosquitto();
  const watch = await connectClient(later.url, ['hearth/node/a3/#']);
  // Only now can it come back: nothing that it says is missed.
  const since = Math.round(uptime());
  const wayBack = await relay('127.0.0.1', later.port, port);
  const birth = await watch.wait('birth', part('lwt'));
  await watch.wait('six loads', () => watch.heard.filter(part('load')).length >= 6);
  const loads = watch.heard.filter(part('load'));
  assert.ok(loads.every(load => load.at >= birth.at));
  assert.ok(loads.every(load => Number(json(load).epoch) > Number(before.epoch)));
  // Eight would have been kept over the outage, and six take 2 s at least, by the times that they say themselves: who hears
  // them may be busy, and hear all of them at once.
  const times = loads.map(load => Number(json(load).up_s));
  assert.ok(
    times.every(time => time >= since),
    `${times}, none before ${since}`,
  );
  assert.ok((times[5] ?? 0) - (times[0] ?? 0) >= 1, `at its own pace, not in a burst: ${times}`);
  await agent.stop();
  wayBack.close();
  await watch.close();
  await later.process.stop();
});

agents('two agents on one folder: the second says so; after kill -9 the folder is free', async () => {
  const data = folder('hearth-agent-');
  const options = { broker: 'mqtt://127.0.0.1:1', node: 'a4', data };
  const first = startAgent(options);
  await until('locked', () => existsSync(join(data, 'agent.lock')));
  const second = startAgent(options);
  assert.is(await second.ended, 1);
  assert.match(second.output(), new RegExp(`hearth: another agent \\(process ${first.pid}\\) uses the data folder`));
  await first.stop('SIGKILL');
  const third = startAgent(options);
  await until('taken over', () => lockOf(data).includes(`"pid":${third.pid},`));
  assert.is(await third.stop('SIGTERM'), 0);
  assert.not(existsSync(join(data, 'agent.lock')));
});

agents('a damaged identity is one sentence, and no new identity is made', async () => {
  const data = folder('hearth-agent-');
  writeFileSync(join(data, 'identity.json'), '{"format":1,"node":"a5"');
  const agent = startAgent({ broker: 'mqtt://127.0.0.1:1', node: 'a5', data });
  assert.is(await agent.ended, 1);
  assert.match(agent.output(), /hearth: cannot read this node's identity in .*identity\.json \(it is damaged\)/);
  assert.is(readFileSync(join(data, 'identity.json'), 'utf8'), '{"format":1,"node":"a5"');
});

const refusals: readonly [string, readonly string[], RegExp, number][] = [
  [
    'a broker elsewhere without a cluster',
    ['--broker', 'mqtt://192.0.2.1'],
    /joined no cluster.*--cluster FINGERPRINT/,
    1,
  ],
  ['an unknown flag', ['--brokr', 'x'], /brokr/, 2],
  ['a wrong id', ['--node', 'A B'], /--node: "A B"/, 2],
  ['a wrong fingerprint', ['--cluster', 'xyz'], /--cluster: "xyz" is no fingerprint/, 2],
  ['a folder that cannot be made', ['--data', '/proc/nope'], /cannot use the data folder \/proc\/nope/, 1],
];
for (const [name, flags, sentence, code] of refusals) {
  agents(`refused in one sentence: ${name}`, async () => {
    const home = folder();
    const args = [agentBundle, ...(flags.includes('--data') ? [] : ['--data', join(home, 'data')]), ...flags];
    const agent = start(agentNode, args, { env: { PATH: process.env.PATH ?? '', HOME: home } });
    assert.is(await agent.ended, code);
    assert.match(agent.output(), sentence);
    assert.is(
      agent
        .output()
        .trim()
        .split('\n')
        .filter(line => line.startsWith('hearth:')).length,
      1,
    );
  });
}

agents('with its parent gone it ends by itself', async () => {
  const data = folder();
  mkdirSync(data, { recursive: true });
  const args = [agentBundle, '--data', data, '--broker', 'mqtt://127.0.0.1:1', '--with-parent'];
  const agent = start(agentNode, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH ?? '', HOME: data },
  });
  await until('it runs', () => existsSync(join(data, 'agent.lock')));
  agent.child.stdin?.end();
  assert.is(await agent.ended, 0);
});

testWith(
  agents,
  ['mosquitto'],
  'the ready file names process and node, and says when it is away; a default id is the host name',
  async () => {
    const mosquitto = await startMosquitto();
    const home = folder();
    const ready = join(home, 'ready.json');
    const args = [agentBundle, '--data', join(home, 'd'), '--broker', mosquitto.url, '--ready-file', ready];
    const agent = start(agentNode, args, { env: { PATH: process.env.PATH ?? '', HOME: home } });
    await until('ready', () => existsSync(ready));
    const told = JSON.parse(readFileSync(ready, 'utf8')) as { pid: number; node: string };
    assert.is(told.pid, agent.pid);
    assert.match(told.node, /^[a-z0-9-]{1,20}$/);
    const away = () => JSON.parse(readFileSync(ready, 'utf8')).away;
    assert.is(away(), undefined);
    await mosquitto.process.stop();
    await until('it says that it is away', () => away() === true);
    const again = await startMosquitto([], mosquitto.port);
    await until('it says that it is back', () => away() === undefined);
    await agent.stop();
    await again.process.stop();
  },
);

agents.run();
