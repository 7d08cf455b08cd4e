/** Who has no login: guesses at one from many sides, and other users of the supervisor's own machine. */
import { randomBytes } from 'node:crypto';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import mqttPacket from 'mqtt-packet';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ask, asStranger, greet, tlsPortOf, wireTls, wireWeb } from '../fixture/attacker.ts';
import { type LanCluster, lanCluster } from '../fixture/lan-cluster.ts';
import { connectClient } from '../fixture/mqtt-client.ts';
import { folder, start, until } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';
import { networkAddress } from '../fixture/web-rig.ts';
import { endAll } from './mqtt/wire.ts';

const attack = suite('attack: logins');
const password = 'correct horse battery staple';
/** Reason codes of CONNACK (MQTT 5). */
const [wrong, slowDown] = [0x86, 0x9f];
let cluster: LanCluster;

attack.before(async () => {
  cluster = await lanCluster();
  for (const name of ['anna', 'ben']) {
    await ask(cluster, '/api/trust/user.add', { body: { name, role: 'admin', password } });
  }
});
attack.after(async () => {
  endAll();
  await cluster?.stop();
});

const overMqtt = async (username: string, guess: string) => {
  const wire = await wireTls(tlsPortOf(cluster));
  const code = await greet(wire, {
    clientId: `x${randomBytes(4).toString('hex')}`,
    username,
    password: Buffer.from(guess),
  });
  wire.end();
  return code;
};
const overWeb = async (name: string, guess: string, to = '127.0.0.1') =>
  (await ask(cluster, '/api/login', { to, body: { name, password: guess }, headers: asStranger })).status;
const overWebSocket = async (username: string, guess: string) => {
  const web = await wireWeb(cluster);
  if (typeof web === 'number') return web;
  const code = await greet(web, { clientId: 'x', username, password: Buffer.from(guess) });
  web.end();
  return code;
};

const lan = networkAddress('IPv4');
attack(
  'guessing is slowed whichever way it comes, and neither locks the owner out nor who logged in before',
  async () => {
    // Ben has logged in from the network's side; his display stays there.
    if (lan) assert.is(await overWeb('ben', password, lan), 200);
    const seen: (number | string)[] = [];
    const isSlowed = (code: number | string) => code === 429 || code === slowDown;
    const begun = performance.now();
    for (let round = 0; round < 12; round++) {
      seen.push(await overMqtt('anna', `guess ${round}`), await overWeb('anna', `guess m${round}`));
      seen.push(await overWebSocket('anna', `guess w${round}`));
    }
    const free = seen.findIndex(isSlowed);
    assert.ok(free >= 0 && free <= 24, `after ${free} guesses: ${seen}`);
    // The waits double from 1 s on: so many were over by now.
    const over = Math.max(2, Math.floor(Math.log2(1 + (performance.now() - begun) / 1000)));
    const looked = seen.slice(free).filter(code => !isSlowed(code)).length;
    assert.ok(looked <= over, `${looked} instead of ${over}: ${seen}`);
    /** Guesses on until so many are looked at: each begins a longer wait, and the last one's is not over before what follows. */
    const guessOn = async (many: number, guess: (round: number) => Promise<number | string>) => {
      let [round, rest] = [0, many];
      await until('enough guesses are looked at', async () => {
        if (!isSlowed(await guess(round++))) rest--;
        return rest <= 0;
      });
    };
    const more = Math.max(1, 13 - seen.filter(code => !isSlowed(code)).length);
    await guessOn(more, round => overWeb('anna', `guess n${round}`));
    // From now on not even the right one is looked at, so that no answer tells it.
    assert.is(await overMqtt('anna', password), slowDown);
    assert.is(await overWeb('anna', password), 429);
    assert.is.not(seen.indexOf(wrong), -1);
    // Other names from that address wait, too; who was known at another does not.
    await guessOn(10, round => overWeb(`nobody${round}`, 'x'));
    assert.is(await overWeb('carol', 'x'), 429);
    if (lan) assert.is(await overWeb('ben', password, lan), 200);
    // The owner needs no password on this machine.
    const owner = await connectClient(cluster.url);
    await owner.publish('elsewhere/x', 'x');
    await owner.close();
    assert.is((await ask(cluster, '/api/fleet')).status, 200);
    assert.match(await cluster.hearth('user', 'list', '--data', cluster.data), /anna/);
  },
);

attack('a hundred guesses at once are no more than one after the other', async () => {
  await ask(cluster, '/api/trust/user.add', { body: { name: 'dora', role: 'viewer', password } });
  const to = lan ?? '127.0.0.1';
  const codes = await Promise.all(Array.from({ length: 100 }, (_, index) => overWeb('dora', `guess ${index}`, to)));
  const looked = codes.filter(code => code === 401).length;
  assert.ok(looked <= 20, `${looked} of 100 were looked at`);
});

/** Runs as nobody, without files of the project: connects, says its bytes, and prints what it hears until the end. */
const probe = `
const net = require('node:net');
const [port, hex, how] = process.argv.slice(2);
const socket = net.connect(Number(port), '127.0.0.1', () => {
  socket.write(Buffer.from(hex, 'hex'), () => {
    if (how === 'leave') process.exit(0);
    if (how === 'half') socket.end();
  });
});
let heard = '';
socket.on('data', data => { heard += data.toString('latin1'); if (how !== 'half') setTimeout(() => socket.destroy(), 300); });
socket.on('error', () => {});
socket.on('close', () => { process.stdout.write('heard ' + Buffer.from(heard, 'latin1').toString('hex') + '\\n'); process.exit(0); });
setTimeout(() => process.exit(3), 15000);
`;

async function asNobody(port: number, bytes: Buffer, how = 'stay'): Promise<string> {
  const place = folder();
  const file = join(place, 'probe.cjs');
  writeFileSync(file, probe);
  chmodSync(place, 0o755);
  chmodSync(file, 0o644);
  const args = ['--reuid', '65534', '--regid', '65534', '--clear-groups', process.execPath, file];
  const run = start('setpriv', [...args, String(port), bytes.toString('hex'), how]);
  assert.is(await run.ended, 0, run.output());
  return Buffer.from(/heard ([0-9a-f]*)/.exec(run.output())?.[1] ?? '', 'hex').toString('latin1');
}

const letIn = Buffer.from('20020000', 'hex').toString('latin1');
const isRefused = (heard: string): boolean => heard.startsWith(letIn.slice(0, 3)) && !heard.startsWith(letIn);
const connectPacket = (clientId: string) =>
  mqttPacket.generate({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clean: true, keepalive: 0, clientId });
const publishPacket = (topic: string, payload: string) =>
  mqttPacket.generate({ cmd: 'publish', topic, payload, qos: 0, retain: false, dup: false });

testWith(
  attack,
  ['setpriv', 'root'],
  'another user of this machine is nobody on MQTT, HTTP and WebSocket',
  async () => {
    const { mqtt, http } = cluster.ready;
    for (const clientId of ['somebody', 'hearth-n1', 'hearth-supervisor', '']) {
      const heard = await asNobody(
        mqtt,
        Buffer.concat([connectPacket(clientId), publishPacket('elsewhere/a', 'by nobody')]),
      );
      assert.ok(isRefused(heard), `CONNACK with a refusal for ${clientId}: ${heard}`);
    }
    const request = (line: string, more = '') =>
      Buffer.from(`${line} HTTP/1.1\r\nhost: 127.0.0.1:${http}\r\n${more}\r\n`);
    const json = 'content-type: application/json\r\ncontent-length: 2\r\n';
    const upgrade =
      'connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-protocol: mqtt\r\n' +
      'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
    for (const path of ['/', '/api/fleet', '/api/fleet/stream', '/api/me']) {
      assert.match(await asNobody(http, request(`GET ${path}`)), /^HTTP\/1\.1 401 /, path);
    }
    for (const verb of ['token.create', 'user.add', 'backup.take', 'api.create', 'node.list']) {
      const ask = Buffer.concat([request(`POST /api/trust/${verb}`, json), Buffer.from('{}')]);
      assert.match(await asNobody(http, ask), /^HTTP\/1\.1 401 /, verb);
    }
    // A WebSocket comes to be, since its CONNECT may bring a password; without one it is nobody's.
    const frame = (bytes: Buffer) => Buffer.concat([Buffer.from([0x82, 0x80 | bytes.length, 0, 0, 0, 0]), bytes]);
    const said = Buffer.concat([
      request('GET /mqtt', upgrade),
      frame(connectPacket('ws')),
      frame(publishPacket('elsewhere/a', 'by nobody')),
    ]);
    assert.not((await asNobody(http, said, 'half')).includes(letIn), 'no CONNACK that lets it in');
    // The same bytes by root are the owner's: it is who asks that makes the difference.
    const owner = await connectClient(cluster.url, [], { clientId: 'somebody' });
    await owner.publish('elsewhere/a', 'by the owner');
    await owner.close();
    await cluster.watcher.publish('hearth/room/end/in/x', '1');
    await cluster.watcher.wait('the end', m => m.topic === 'hearth/room/end/in/x');
  },
);

testWith(attack, ['setpriv', 'root'], 'nor by being gone before anybody looks whose the connection was', async () => {
  const { mqtt, http } = cluster.ready;
  const watcher = await connectClient(cluster.url, ['elsewhere/#', 'hearth/+/+/result']);
  const json = 'content-type: application/json\r\n';
  const body = JSON.stringify({ name: 'mallory', role: 'admin', password: 'a long password' });
  const add = `POST /api/trust/user.add HTTP/1.1\r\nhost: 127.0.0.1:${http}\r\n${json}content-length: ${body.length}\r\n\r\n${body}`;
  const order = Buffer.concat([
    connectPacket('gone'),
    publishPacket('elsewhere/gone', 'by nobody'),
    publishPacket('hearth/node/n1/set/services/evil', 'touch /tmp/evil'),
  ]);
  for (let round = 0; round < 10; round++) {
    const how = round % 2 === 0 ? 'leave' : 'half';
    await Promise.all([asNobody(mqtt, order, how), asNobody(http, Buffer.from(add), how)]);
  }
  await watcher.publish('elsewhere/end', 'end');
  await watcher.wait('the end', ({ topic }) => topic === 'elsewhere/end');
  assert.equal([...new Set(watcher.heard.map(({ topic }) => topic))], ['elsewhere/end']);
  assert.not.match(await cluster.hearth('user', 'list', '--data', cluster.data), /mallory/);
  await watcher.close();
});

attack.run();
