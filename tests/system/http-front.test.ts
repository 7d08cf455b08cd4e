/** The one port: plain and TLS by the first byte, the limits of one address, and connections that take their time. */
import * as assert from 'node:assert/strict';
import { connect as connectPlain, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { suite as describe } from 'uvu';
import { serverName } from '../../shared/schemas/trust.ts';
import { patienceMs, until } from '../fixture/processes.ts';
import { networkAddress, type WebRig, webRig } from '../fixture/web-rig.ts';

const suite = describe('HTTP: the one port');
const lan = networkAddress('IPv4');
const lan6 = networkAddress('IPv6');
const open: WebRig[] = [];
const sockets: Socket[] = [];

async function rigWith(options: Parameters<typeof webRig>[0] = {}): Promise<WebRig> {
  const rig = await webRig(options);
  open.push(rig);
  return rig;
}
suite.after.each(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const rig of open.splice(0)) await rig.close();
});

interface Line {
  readonly socket: Socket;
  text(): string;
  over(): boolean;
}

function listen<S extends Socket>(socket: S): Line & { socket: S } {
  sockets.push(socket);
  let text = '';
  let over = false;
  socket.on('data', chunk => {
    text += chunk;
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    over = true;
  });
  return { socket, text: () => text, over: () => over };
}

const plain = (rig: WebRig, host = '127.0.0.1') => listen(connectPlain({ port: rig.http.port, host }));
const secure = (rig: WebRig, more: ConnectionOptions = {}) =>
  listen<TLSSocket>(
    connectTls({ port: rig.http.port, host: '127.0.0.1', ca: rig.ca, servername: serverName(rig.cluster), ...more }),
  );
const askHealth = (rig: WebRig) => `GET /healthz HTTP/1.1\r\nhost: 127.0.0.1:${rig.http.port}\r\n\r\n`;

suite('one port speaks both, whole requests in one packet or byte by byte', async () => {
  const rig = await rigWith();
  for (const scheme of ['http', 'https'] as const) {
    for (let round = 0; round < 20; round += 1) {
      assert.deepEqual((await rig.ask('/healthz', { scheme })).json(), { ok: true });
    }
  }
  const slow = plain(rig);
  slow.socket.setNoDelay(true);
  for (const byte of askHealth(rig)) {
    slow.socket.write(byte);
    await new Promise(resolve => setImmediate(resolve));
  }
  await until('an answer', () => slow.text().includes('{"ok":true}'));
  // Several requests on one connection, and pipelined.
  slow.socket.write(askHealth(rig) + askHealth(rig));
  await until('three answers', () => slow.text().match(/\{"ok":true\}/g)?.length === 3);
  const tls = secure(rig);
  tls.socket.write(askHealth(rig) + askHealth(rig));
  await until('two answers', () => tls.text().match(/\{"ok":true\}/g)?.length === 2);
  const noise = plain(rig);
  noise.socket.write('\u0000\u0001garbage\r\n\r\n');
  await until('noise is answered or ended', () => noise.over());
  assert.equal((await rig.ask('/healthz')).status, 200);
});

suite('TLS: 1.2 and 1.3 and nothing older, under the name of the cluster', async () => {
  const rig = await rigWith();
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const line = secure(rig, { minVersion: version, maxVersion: version });
    await until(version, () => line.socket.authorized);
    assert.equal(line.socket.getProtocol(), version);
  }
  const old = secure(rig, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' });
  await until('refused', () => old.over());
  assert.equal(old.socket.getProtocol() === 'TLSv1.1', false);
});

suite('a new certificate of the server is used from the next connection on; open ones stay', async () => {
  const rig = await rigWith();
  const before = secure(rig);
  await until('connected', () => before.socket.authorized);
  const first = before.socket.getPeerCertificate().fingerprint256;
  await rig.authority.renewServer();
  const after = secure(rig);
  await until('connected', () => after.socket.authorized);
  assert.notEqual(after.socket.getPeerCertificate().fingerprint256, first);
  before.socket.write(askHealth(rig));
  await until('the old one still answers', () => before.text().includes('{"ok":true}'));
});

suite('who says nothing, too little, or too slowly is cut off; others are served meanwhile', async () => {
  // Long enough for those who are served: their handshakes have it, too, on a machine that is busy.
  const rig = await rigWith({ limits: { patienceMs: 5000, bodyMs: 5000 } });
  const silent = plain(rig);
  const half = plain(rig);
  half.socket.write('GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n');
  const hello = plain(rig);
  hello.socket.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00]));
  const tls = secure(rig);
  await until('connected', () => tls.socket.authorized);
  tls.socket.write('GET /healthz HTTP/1.1\r\nx-a: ');
  const body = plain(rig);
  body.socket.write(
    `POST /api/login HTTP/1.1\r\nhost: 127.0.0.1:${rig.http.port}\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n{`,
  );
  const drip = setInterval(() => {
    half.socket.write('x: y\r\n');
    tls.socket.write('x');
    body.socket.write(' ');
  }, 50);
  const lines = { silent, half, hello, tls, body };
  try {
    for (const [name, line] of Object.entries(lines)) {
      assert.equal((await rig.ask('/healthz')).status, 200);
      // Less than what cuts off a line on which nothing is said at all.
      await until(`${name} is cut off`, () => line.over(), 40_000);
    }
  } finally {
    clearInterval(drip);
  }
});

suite('headers without end are refused', async () => {
  const rig = await rigWith();
  const line = plain(rig);
  line.socket.write(`GET /healthz HTTP/1.1\r\nhost: 127.0.0.1:${rig.http.port}\r\nx: ${'x'.repeat(64 * 1024)}`);
  await until('ended', () => line.over());
  assert.match(line.text(), /^HTTP\/1\.1 431 /);
});

if (!lan) console.log('skipped: limits of an address (no address but loopback)');
else {
  suite('one address has so many connections and no more; the others, and this machine, have theirs', async () => {
    const rig = await rigWith({ limits: { perAddress: 5, connections: 40, reserved: 10, patienceMs } });
    const mine: Line[] = [];
    for (let index = 0; index < 5; index += 1) mine.push(plain(rig, lan));
    await until('connected', () => mine.every(({ socket }) => socket.readyState === 'open'));
    for (let index = 0; index < 3; index += 1) {
      const more = plain(rig, lan);
      await until('turned away', () => more.over());
    }
    assert.equal(
      mine.some(line => line.over()),
      false,
    );
    assert.equal((await rig.ask('/healthz')).status, 200);
    if (lan6) assert.equal((await rig.ask('/healthz', { to: lan6 })).status, 200);
    // A place that is given back, over TLS as well, is there for the next.
    mine[0]?.socket.destroy();
    const tls = await until('a place', async () => {
      const line = secure(rig, { host: lan });
      await until('open or over', () => line.socket.authorized || line.over());
      return line.over() ? undefined : line;
    });
    tls.socket.destroy();
    await until(
      'and again',
      async () => (await rig.ask('/healthz', { to: lan }).catch(() => undefined))?.status === 200,
    );
    // Loopback has no limit of its own, and what is reserved for it.
    const local: Line[] = [];
    for (let index = 0; index < 30; index += 1) local.push(plain(rig));
    // Who is turned away is connected first.
    for (const { socket } of local) socket.write(askHealth(rig));
    await until('served', () => local.every(line => line.text().includes('{"ok":true}')));
  });

  suite('one address has so many requests in a second', async () => {
    // So few that none is given back while this runs.
    const rig = await rigWith({ limits: { requests: { perSecond: 0.001, burst: 10 } } });
    const line = plain(rig, lan);
    line.socket.write(askHealth(rig).repeat(50));
    await until('refused', () => line.over());
    assert.equal(line.text().match(/\{"ok":true\}/g)?.length, 10);
    assert.match(line.text(), /HTTP\/1\.1 429 [\s\S]*retry-after: 5/);
    assert.equal((await rig.ask('/healthz')).status, 200, 'this machine is another address');
    // Handshakes count as well.
    const refused = secure(rig, { host: lan });
    await until('refused', () => refused.over());
    assert.equal(refused.socket.authorized, false);
  });
}

suite('without trust it is for loopback alone', async () => {
  const { startHttp } = await import('../../broker/http/server.ts');
  const rig = await rigWith();
  const options = { port: 0, fleet: rig.fleet, log: { debug() {}, info() {}, warn() {}, error() {} } };
  const dashboardFolder = new URL('../../dashboard', import.meta.url).pathname;
  for (const host of ['::', '0.0.0.0', lan ?? '::']) {
    await assert.rejects(startHttp({ ...options, host, dashboardFolder }), /loopback alone/);
  }
});

suite.run();
