/** The uplink on a real Mosquitto: restarts, a cut cable, a login that is wrong, and a broker that only speaks 3.1.1. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import { Uplink, type UplinkOptions } from '../../broker/uplink/uplink.ts';
import type { BusMessage } from '../../shared/bus.ts';
import type { Log } from '../../shared/log.ts';
import { systemClock, systemRandom } from '../../shared/system-clock.ts';
import { hearthCommand } from '../fixture/cluster.ts';
import { manualClock } from '../fixture/manual-clock.ts';
import { startMosquitto } from '../fixture/mosquitto.ts';
import { connectClient } from '../fixture/mqtt-client.ts';
import { folder, freePort, start, until } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';
import { startProxy } from './bus/proxy.ts';

const test = suite('uplink on mosquitto');

interface Linked {
  readonly uplink: Uplink;
  readonly commands: BusMessage[];
  readonly heard: [string, string, boolean][];
  readonly said: string[];
  readonly logged: string[];
  readonly up: (times: number) => Promise<unknown>;
  readonly stop: () => Promise<void>;
}

function linked(url: string, more: Partial<UplinkOptions> = {}): Linked {
  const commands: BusMessage[] = [];
  const heard: [string, string, boolean][] = [];
  const said: string[] = [];
  const logged: string[] = [];
  const note = (fields: object, text: string) => void logged.push(`${JSON.stringify(fields)} ${text}`);
  const log: Log = { debug: note, info: note, warn: note, error: note };
  const uplink = new Uplink({
    url,
    base: 'hearth',
    ver: '1.2.3',
    cluster: 'a'.repeat(32),
    clock: systemClock(),
    random: systemRandom(),
    log,
    command: message => commands.push(message),
    heard: (topic, payload, retain) => heard.push([topic, Buffer.from(payload).toString(), retain]),
    up: () => said.push('up'),
    down: reason => said.push(reason),
    looped: sentence => said.push(sentence),
    ...more,
  });
  uplink.start();
  const ups = () => said.filter(one => one === 'up').length;
  const up = (times: number) =>
    until(
      () => `up ${times} times: ${said.join(', ')}`,
      () => ups() >= times,
    );
  return { uplink, commands, heard, said, logged, up, stop: () => new Promise(done => uplink.stop(done)) };
}

const everything = ['hearth/#', 'homeassistant/#'];

testWith(test, ['mosquitto'], 'a broker that restarts and forgets everything is told everything again', async () => {
  const port = await freePort();
  let broker = await startMosquitto([], port);
  const { uplink, up, stop, commands } = linked(broker.url);
  await up(1);
  uplink.mirror('hearth/room/study/is', '{"target_c":20}', { retain: true });
  await broker.process.stop();
  uplink.mirror('hearth/room/study/is', '{"target_c":21}', { retain: true });
  broker = await startMosquitto([], port);
  await up(2);
  const client = await connectClient(broker.url, everything);
  await client.wait(
    'the room',
    ({ topic, text, retain }) => topic.endsWith('study/is') && text === '{"target_c":21}' && retain,
  );
  await client.wait('the status', ({ topic, text }) => topic === 'hearth/status' && text === 'online');
  await client.publish('hearth/room/study/set/target_c', '22');
  await until('the command arrives', () => commands.length === 1);
  await stop();
  await client.wait(
    'the farewell',
    ({ topic, text, retain }) => topic === 'hearth/status' && text === 'offline' && !retain,
  );
  await client.close();
  await broker.process.stop();
});

testWith(test, ['mosquitto'], 'a cut cable: the will says offline, and the return online', async () => {
  const broker = await startMosquitto();
  const proxy = await startProxy(broker.port);
  const client = await connectClient(broker.url, ['hearth/status']);
  const { up, stop } = linked(proxy.url);
  await up(1);
  await client.wait('online', ({ text }) => text === 'online');
  client.forget();
  proxy.cut();
  await client.wait('the will', ({ text }) => text === 'offline');
  await up(2);
  await client.wait('online again', ({ text }) => text === 'online');
  await stop();
  await client.close();
  await proxy.close();
  await broker.process.stop();
});

testWith(
  test,
  ['mosquitto', 'mosquitto_passwd'],
  'a wrong password is said in one sentence without it, and tried again',
  async () => {
    const path = folder();
    const passwords = join(path, 'passwords');
    writeFileSync(passwords, '', { mode: 0o644 });
    execFileSync('mosquitto_passwd', ['-b', passwords, 'hearth', 'right'], { stdio: 'ignore' });
    // Started as root it becomes another user before it reads them.
    chmodSync(path, 0o755);
    chmodSync(passwords, 0o644);
    const broker = await startMosquitto(['allow_anonymous false', `password_file ${passwords}`]);
    const wrong = linked(`mqtt://hearth:wr0ng-secret@127.0.0.1:${broker.port}`);
    await until('it is said', () => wrong.said.length > 0);
    assert.match(wrong.said[0] ?? '', /^broker mqtt:\/\/127\.0\.0\.1:\d+: .*(not authorised|password)/);
    await wrong.stop();
    assert.ok(![...wrong.said, ...wrong.logged].some(text => text.includes('wr0ng-secret')));
    const right = linked(`mqtt://hearth:right@127.0.0.1:${broker.port}`);
    await right.up(1);
    await right.stop();
    await broker.process.stop();
  },
);

testWith(
  test,
  ['mosquitto'],
  'a broker that only speaks 3.1.1: what it says itself is no command and no reading',
  async () => {
    const broker = await startMosquitto();
    const proxy = await startProxy(broker.port, 'refused');
    const { uplink, up, stop, commands, heard } = linked(proxy.url);
    uplink.also(['homeassistant/status', 'homeassistant/device/+/config']);
    await up(1);
    const client = await connectClient(broker.url, everything);
    uplink.outlet.publish('homeassistant/device/x/config', '{"o":1}', { retain: true, qos: 1 });
    uplink.mirror('hearth/room/study/result', '{"ok":true}');
    await client.wait('discovery', ({ topic }) => topic === 'homeassistant/device/x/config');
    await client.wait('the answer', ({ topic }) => topic === 'hearth/room/study/result');
    await client.publish('hearth/room/study/do/calibrate', '');
    await client.publish('homeassistant/status', 'online');
    await until('both arrive', () => commands.length === 1 && heard.length > 0);
    assert.deepEqual(heard, [['homeassistant/status', 'online', false]]);
    await stop();
    await client.close();
    await proxy.close();
    await broker.process.stop();
  },
);

testWith(test, ['mosquitto'], 'a retained command is removed from the broker and not run', async () => {
  const broker = await startMosquitto();
  const client = await connectClient(broker.url, ['hearth/room/+/result', 'hearth/room/+/set/#']);
  await client.publish('hearth/room/study/set/target_c', '28', { retain: true });
  const { up, stop, commands } = linked(broker.url);
  await up(1);
  const answer = await client.wait('the answer', ({ topic }) => topic === 'hearth/room/study/result');
  assert.match(answer.text, /"ok":false.*retained: not run/);
  await client.wait('the removal', ({ text }) => text === '');
  const late = await connectClient(broker.url, ['hearth/room/+/set/#']);
  await client.publish('hearth/room/study/set/target_c', '20');
  await until('the next one is run', () => commands.length > 0);
  assert.deepEqual(
    commands.map(({ payload }) => Buffer.from(payload).toString()),
    ['20'],
  );
  assert.ok(!late.heard.some(({ retain }) => retain));
  await stop();
  await late.close();
  await client.close();
  await broker.process.stop();
});

testWith(
  test,
  ['mosquitto'],
  'the broker of --broker by another name ends the supervisor with one sentence',
  async () => {
    const broker = await startMosquitto();
    const elsewhere = await startProxy(broker.port);
    const flags = ['--no-agent', '--data', folder(), '--http-port', '0', '--broker', broker.url];
    const looped = start(process.execPath, [hearthCommand, 'up', ...flags, '--uplink', elsewhere.url]);
    assert.equal(await looped.ended, 1);
    assert.match(looped.output(), /The uplink's broker mqtt:\S+ is the one that Hearth itself runs on/);
    assert.doesNotMatch(looped.output(), /another (Hearth|supervisor)/);
    await elsewhere.close();
    await broker.process.stop();
  },
);

testWith(test, ['mosquitto'], 'two Hearths on one base: the second says so and stays silent', async () => {
  const broker = await startMosquitto();
  const first = linked(broker.url);
  await first.up(1);
  // For it no time passes: however late the answer of the first one is, it is heard before the second would speak.
  const second = linked(broker.url, { cluster: 'b'.repeat(32), clock: manualClock() });
  await until('it is said', () => second.said.length > 0);
  assert.match(second.said[0] ?? '', /^another Hearth \(its cluster is a{32}\)/);
  second.uplink.mirror('hearth/room/study/is', 'of the second', { retain: true });
  first.uplink.mirror('hearth/room/study/is', 'of the first', { retain: true });
  const client = await connectClient(broker.url, ['hearth/room/study/is']);
  await client.wait('the room of the first', ({ text }) => text === 'of the first');
  await client.close();
  await second.stop();
  await first.stop();
  await broker.process.stop();
});

test.run();
