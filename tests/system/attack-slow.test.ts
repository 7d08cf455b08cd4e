/**
 * Connections that take their time, or say too much at once, on every port. They are cut off; everybody else is served
 * meanwhile. Runs alone: it measures how long others wait meanwhile.
 */
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import mqttPacket from 'mqtt-packet';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ask, asStranger, greet, secureSocket, tlsPortOf, wireTls, wireWeb } from '../fixture/attacker.ts';
import { type LanCluster, lanCluster } from '../fixture/lan-cluster.ts';
import { until } from '../fixture/processes.ts';
import { endAll, Wire } from './mqtt/wire.ts';

const attack = suite('attack: slow and large');
let cluster: LanCluster;

attack.before(async () => {
  cluster = await lanCluster();
});
attack.after(async () => {
  endAll();
  await cluster?.stop();
});

async function plainSocket(port: number): Promise<Socket> {
  const socket = connectTcp({ host: '127.0.0.1', port });
  socket.on('error', () => {});
  socket.resume();
  await once(socket, 'connect');
  return socket;
}

/** One byte now and then. @returns how to stop. */
function drip(socket: Socket, bytes: Buffer): void {
  let at = 0;
  const timer = setInterval(() => {
    if (socket.destroyed || !socket.writable || at >= bytes.length) clearInterval(timer);
    else socket.write(bytes.subarray(at, ++at));
  }, 700);
}

const hello = mqttPacket.generate({
  ...{ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clean: true, keepalive: 0, clientId: 'slow'.repeat(30) },
});
const headers = Buffer.from(`GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n${'x-a: b\r\n'.repeat(200)}`);
/** The first bytes of a ClientHello that never comes whole. */
const clientHello = Buffer.concat([Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]), Buffer.alloc(500)]);
const slowBody = (port: number, length: number) =>
  `POST /join HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n{`;

attack('slow or silent, on every port and in every phase: cut off, while others are served', async () => {
  const { mqtt, http } = cluster.ready;
  const tls = tlsPortOf(cluster);
  const slow: Record<string, Socket> = {};
  const many = async (what: string, open: () => Promise<Socket>, bytes?: Buffer) => {
    for (let index = 0; index < 8; index++) {
      const socket = await open();
      socket.resume();
      slow[`${what} ${index}`] = socket;
      if (bytes) drip(socket, bytes);
    }
  };
  for (const [name, port] of [
    ['MQTT', mqtt],
    ['MQTT over TLS', tls],
    ['HTTP', http],
  ] as const) {
    await many(`${name}: silence`, () => plainSocket(port));
    await many(`${name}: a handshake byte by byte`, () => plainSocket(port), clientHello);
  }
  await many('MQTT: CONNECT byte by byte', () => plainSocket(mqtt), hello);
  await many('MQTT over TLS: silence after the handshake', () => secureSocket(tls));
  await many('MQTT over TLS: CONNECT byte by byte', () => secureSocket(tls), hello);
  await many('HTTP: headers byte by byte', () => plainSocket(http), headers);
  await many('HTTPS: headers byte by byte', () => secureSocket(http), headers);
  await many('HTTPS: a body byte by byte', async () => {
    const socket = await secureSocket(http);
    socket.write(slowBody(http, 1000));
    drip(socket, Buffer.alloc(900, 'x'));
    return socket;
  });
  await many('WebSocket: silence instead of CONNECT', async () => {
    const web = await wireWeb(cluster);
    if (typeof web === 'number') throw new Error(`refused with ${web}`);
    return web.socket;
  });
  const wire = await Wire.connect(mqtt, { clientId: 'in-time' });
  const left = () => Object.keys(slow).filter(what => slow[what]?.closed === false);
  let [rounds, slowest] = [0, 0];
  await until(
    () => `all of them are cut off, still there: ${left()}`,
    async () => {
      const began = performance.now();
      assert.is((await ask(cluster, '/healthz')).status, 200);
      assert.is(await wire.publish('elsewhere/x', 'x'), 0);
      const secure = await wireTls(tls);
      assert.is.not(await greet(secure, { clientId: 'nobody' }), 0);
      secure.end();
      slowest = Math.max(slowest, performance.now() - began);
      rounds++;
      return left().length === 0;
    },
    40_000,
  );
  assert.ok(rounds > 3 && slowest < 3000, `${rounds} rounds, the slowest ${slowest} ms`);
  wire.end();
});

attack('a CONNECT that is too large ends before it is read, on every way in', async () => {
  const ways: Record<string, () => Promise<Wire>> = {
    MQTT: () => Wire.open(cluster.ready.mqtt, 5),
    'MQTT over TLS': () => wireTls(tlsPortOf(cluster)),
    WebSocket: async () => {
      const web = await wireWeb(cluster);
      if (typeof web === 'number') throw new Error(`refused with ${web}`);
      return web;
    },
  };
  const will = { topic: 'x', payload: Buffer.alloc(200_000), qos: 0 as const, retain: false };
  for (const [what, open] of Object.entries(ways)) {
    for (const large of [
      { will },
      { clientId: 'x'.repeat(65_535) },
      { username: 'x'.repeat(60_000), password: Buffer.alloc(60_000) },
    ]) {
      const wire = await open();
      wire.sendConnect(large);
      await wire.ended(5000);
      assert.not(
        wire.packets.some(({ returnCode, reasonCode }) => returnCode === 0 || reasonCode === 0),
        what,
      );
    }
    // 256 MB are said to come: nobody waits for them, or makes room.
    const wire = await open();
    wire.socket.write(Buffer.from([0x10, 0xff, 0xff, 0xff, 0x7f, 0, 4, 0x4d, 0x51]));
    await wire.ended(5000);
  }
});

attack('what unpacks to gigabytes, or is larger than it may be, is refused as it is', async () => {
  const { http } = cluster.ready;
  const bomb = gzipSync(Buffer.alloc(50 * 1024 * 1024));
  const routes = [
    '/join',
    '/renew',
    '/api/login',
    '/api/trust/user.add',
    '/api/trust/no.such',
    '/api/logout',
    '/nothing',
  ];
  for (const path of routes) {
    const more = { 'content-encoding': 'gzip', 'content-type': 'application/json' };
    for (const plain of [false, true]) {
      const zipped = await ask(cluster, path, { plain, body: bomb.subarray(0, 900), headers: more });
      assert.ok(zipped.status >= 400 && zipped.status < 500, `${path}: ${zipped.status}`);
    }
    const socket = await secureSocket(http);
    let said = '';
    socket.on('data', data => (said += data));
    const head = `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1:${http}\r\ncontent-type: application/json\r\n`;
    socket.write(`${head}content-length: 99999999999\r\n\r\n`);
    await until(`an answer of ${path}`, () => said !== '' || socket.closed || undefined, 5000);
    assert.match(said, /^HTTP\/1\.1 (4\d\d)/, path);
    await until('and the end', () => socket.closed || undefined, 20_000);
  }
  const long = await ask(cluster, `/${'x'.repeat(15_000)}`, { headers: asStranger });
  assert.ok(long.status >= 400 && long.body.length < 1000);
  // A stranger's upload is not taken in, whatever it says of itself.
  const hash = 'ab'.repeat(32);
  const put = await ask(cluster, `/artifacts/${hash}`, { method: 'PUT', body: bomb, headers: asStranger }).catch(
    (error: NodeJS.ErrnoException) => ({ status: error.code }),
  );
  assert.ok([401, 'ECONNRESET', 'EPIPE'].includes(put.status as never), String(put.status));
});

attack('one address cannot take every place: the network’s share, and this machine’s, stay apart', async () => {
  // The loopback address counts as any other on the TLS port.
  const sockets: Socket[] = [];
  for (let index = 0; index < 400; index++) sockets.push(await plainSocket(tlsPortOf(cluster)));
  await until('the surplus is turned away', () => sockets.filter(socket => socket.closed).length >= 100 || undefined);
  const wire = await Wire.connect(cluster.ready.mqtt, { clientId: 'owner-still' });
  assert.is(await wire.publish('elsewhere/x', 'x'), 0);
  assert.is((await ask(cluster, '/healthz')).status, 200);
  for (const socket of sockets) socket.destroy();
  wire.end();
});

attack.run();
