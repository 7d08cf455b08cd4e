/** MQTT over WebSocket as somebody: whom the HTTP request names is whom the broker serves, for as long as that holds. */
import * as assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { connect as connectPlain } from 'node:net';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { suite as describe } from 'uvu';
import { WebSocket } from 'ws';
import { createSocketOwners } from '../../broker/access/socket-owner.ts';
import { createEmbeddedBroker, type EmbeddedBroker } from '../../broker/mqtt/embedded.ts';
import type { Peer } from '../../broker/trust/types.ts';
import { silentLog } from '../../shared/log.ts';
import { until } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';
import { login, networkAddress, passwordOf, type WebRig, webRig } from '../fixture/web-rig.ts';

const suite = describe('MQTT over WebSocket, and who speaks');
const lan = networkAddress('IPv4');
const topic = 'hearth/node/n1/set/services/x';
let rig: WebRig;
let broker: EmbeddedBroker;
let peers: Peer[] = [];
const heard: string[] = [];
const clients: MqttClient[] = [];

suite.before(async () => {
  rig = await webRig({
    attach(stream, peer) {
      peers.push(peer);
      broker.attach(stream, peer);
    },
  });
  broker = await createEmbeddedBroker({ base: 'hearth', log: silentLog, authenticator: rig.accounts.authenticator });
  broker.bus.start(['hearth/#'], {
    message: message => void heard.push(`${message.topic} ${Buffer.from(message.payload)}`),
    up() {},
    down() {},
  });
  for (const role of ['operator', 'viewer'] as const) await rig.user(role, role);
});
suite.before.each(() => {
  rig.owner = false;
  peers = [];
  heard.length = 0;
});
suite.after.each(() => {
  for (const client of clients.splice(0)) client.end(true);
});
suite.after(async () => {
  await rig?.close();
  await broker?.close();
});

type Headers = Readonly<Record<string, string>>;

/** Resolves once the broker has taken it in or the line is over; then it says why. */
function connect(headers: Headers, options: IClientOptions = {}, scheme: 'ws' | 'wss' = 'wss', host = '127.0.0.1') {
  const client = mqtt.connect(`${scheme}://${host}:${rig.http.port}/mqtt`, {
    ...{
      reconnectPeriod: 0,
      rejectUnauthorized: false,
      wsOptions: { headers },
      clientId: `c${clients.length}-${Math.random()}`,
    },
    ...options,
  });
  clients.push(client);
  let over = false;
  client.on('close', () => {
    over = true;
  });
  const opened = new Promise<string>(resolve => {
    client.once('connect', () => resolve('connected'));
    client.once('error', error => resolve(error.message));
    client.once('close', () => resolve('closed'));
  });
  return { client, opened, over: () => over };
}

/** What the upgrade itself is answered. */
function upgrade(headers: Headers, scheme: 'ws' | 'wss' = 'wss', host = '127.0.0.1'): Promise<string> {
  const socket = new WebSocket(`${scheme}://${host}:${rig.http.port}/mqtt`, 'mqtt', {
    rejectUnauthorized: false,
    headers,
  });
  return new Promise(resolve => {
    socket.once('error', error => resolve(error.message));
    socket.once('open', () => {
      resolve('open');
      socket.terminate();
    });
  });
}

/** Whether a `set` of this one reaches the supervisor; a word that everybody may say comes after it. */
async function maySet(client: MqttClient, mark: string): Promise<boolean> {
  await client.publishAsync(topic, mark, { qos: 1 }).catch(() => {});
  return heard.includes(`${topic} ${mark}`);
}

suite('a session, a token, a password in CONNECT: each is who it is, with that role', async () => {
  const { cookie } = await login(rig, 'operator');
  const token = await rig.token('ws-viewer', 'viewer');
  const password = { username: 'operator', password: passwordOf('operator') };
  for (const [name, may, headers, options] of [
    ['operator', true, { cookie }, {}],
    ['ws-viewer', false, { authorization: `Bearer ${token}` }, {}],
    ['', true, {}, password],
  ] as const) {
    peers = [];
    const { client, opened } = connect(headers, options);
    assert.equal(await opened, 'connected', name);
    assert.deepEqual([peers[0]?.transport, peers[0]?.session?.name ?? '', peers[0]?.owner], ['wss', name, false]);
    assert.equal(await maySet(client, `from ${name}`), may, name);
  }
});

suite('nobody in particular gets no further than CONNECT; a bad token not even there', async () => {
  assert.notEqual(await connect({}).opened, 'connected');
  assert.equal(peers.length, 1);
  peers = [];
  assert.match(await upgrade({ authorization: 'Bearer hearth_00000000_nonsense' }), /401/);
  assert.match(await upgrade({ cookie: 'x=y', origin: 'https://evil.example' }), /403/);
  const { cookie } = await login(rig, 'operator');
  // A page of another site on the same machine: the cookie would come along, the Origin tells.
  assert.match(await upgrade({ cookie, origin: 'https://127.0.0.1:1' }), /403/);
  assert.deepEqual(peers, []);
});

suite('the owner on loopback needs nothing, but not through a proxy', async () => {
  rig.owner = true;
  const { client, opened } = connect({}, {}, 'ws');
  assert.equal(await opened, 'connected');
  assert.equal(await maySet(client, 'as the owner'), true);
  assert.deepEqual(peers, [{ transport: 'ws', address: '127.0.0.1', owner: true }]);
  assert.notEqual(await connect({ 'x-forwarded-for': '10.0.0.9' }, {}, 'ws').opened, 'connected');
});

if (lan) {
  suite('from the network only with TLS', async () => {
    const token = await rig.token('ws-far', 'operator');
    const headers = { authorization: `Bearer ${token}` };
    assert.match(await upgrade(headers, 'ws', lan), /403/);
    assert.deepEqual(peers, []);
    assert.equal(await connect(headers, {}, 'wss', lan).opened, 'connected');
  });
}

/** A dashboard's stream, open until somebody ends it. */
function stream(headers: Headers): { over(): boolean; live(): boolean } {
  let over = false;
  let live = false;
  const abort = new AbortController();
  const { port } = rig.http;
  void (async () => {
    const { request } = await import('node:https');
    const asked = request({
      host: '127.0.0.1',
      port,
      path: '/api/fleet/stream',
      rejectUnauthorized: false,
      headers,
      signal: abort.signal,
    });
    asked.on('error', () => {
      over = true;
    });
    asked.on('response', response => {
      response.on('data', () => {
        live = true;
      });
      response.on('error', () => {});
      response.on('close', () => {
        over = true;
      });
    });
    asked.end();
  })();
  return { over: () => over, live: () => live };
}

suite('logging out, a new password, a revoked token: what was open ends at once, and nobody else with it', async () => {
  await rig.user('leaving', 'operator');
  const leaving = await login(rig, 'leaving');
  const other = await login(rig, 'leaving');
  const token = await rig.token('ws-short', 'operator');
  const byToken = { authorization: `Bearer ${token}` };
  const lines = {
    mine: connect({ cookie: leaving.cookie }),
    others: connect({ cookie: other.cookie }),
    token: connect(byToken),
  };
  for (const line of Object.values(lines)) assert.equal(await line.opened, 'connected');
  const watching = {
    mine: stream({ cookie: leaving.cookie }),
    others: stream({ cookie: other.cookie }),
    token: stream(byToken),
  };
  await until('all watch', () => Object.values(watching).every(one => one.live()));
  await rig.ask('/api/logout', { cookie: leaving.cookie, csrf: leaving.csrf, body: {} });
  await until('mine are over', () => lines.mine.over() && watching.mine.over());
  assert.deepEqual([lines.others.over(), watching.others.over()], [false, false]);
  await rig.verb('user.password', { name: 'leaving', password: 'another long password' });
  await until("the other session's are over", () => lines.others.over() && watching.others.over());
  assert.deepEqual([lines.token.over(), watching.token.over()], [false, false]);
  await rig.verb('api.revoke', { name: 'ws-short' });
  await until("the token's are over", () => lines.token.over() && watching.token.over());
  assert.equal(rig.fleet.watchers, 0);
});

testWith(
  suite,
  ['root', 'curl'],
  "the kernel says whose a connection is: another local user's is not the owner's",
  async () => {
    const real = await webRig({ owners: createSocketOwners() });
    const url = `127.0.0.1:${real.http.port}/api/me`;
    const as = (uid: number, scheme: string) =>
      new Promise<string>(resolve => {
        const child = spawn('curl', ['-sk', `${scheme}://${url}`], {
          uid,
          gid: uid,
          cwd: '/',
          stdio: ['ignore', 'pipe', 'ignore'],
        });
        let said = '';
        child.stdout.on('data', chunk => {
          said += chunk;
        });
        child.on('close', () => resolve(said));
      });
    try {
      for (const scheme of ['http', 'https']) {
        assert.match(await as(0, scheme), /"name":"owner"/, scheme);
        assert.match(await as(65534, scheme), /Log in/, scheme);
      }
    } finally {
      await real.close();
    }
  },
);

/** A connection that says half a request, as long as that one is cut off for it, and twice. */
async function twiceTheIdleTime(port: number): Promise<void> {
  for (let round = 0; round < 2; round += 1) {
    const half = connectPlain(port, '127.0.0.1');
    half.on('error', () => {});
    half.write(`GET /healthz HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n`);
    half.resume();
    await new Promise(resolve => half.once('close', resolve));
  }
}

suite('a WebSocket that is quiet stays; half a request does not', async () => {
  const quiet = await webRig({ limits: { idleMs: 200 }, attach: stream => void stream.resume() });
  try {
    const socket = new WebSocket(`wss://127.0.0.1:${quiet.http.port}/mqtt`, 'mqtt', { rejectUnauthorized: false });
    await new Promise(resolve => socket.once('open', resolve));
    await twiceTheIdleTime(quiet.http.port);
    assert.equal(socket.readyState, WebSocket.OPEN);
    socket.terminate();
  } finally {
    await quiet.close();
  }
});

suite('a stranger cannot hold many lines half open', async () => {
  // Every upgrade is a request of its address; nothing of it stays when the line goes.
  const sockets = Array.from(
    { length: 20 },
    () => new WebSocket(`wss://127.0.0.1:${rig.http.port}/mqtt`, 'mqtt', { rejectUnauthorized: false }),
  );
  await Promise.all(sockets.map(socket => new Promise(resolve => socket.once('open', resolve))));
  for (const socket of sockets) socket.terminate();
  await until('the broker holds none', () => broker.gauges().connections === 0);
});

suite('who asks for the install script while Node is still fetched is not cut off for being quiet', async () => {
  let fetched: (value?: unknown) => void = () => {};
  const scriptReady = new Promise(resolve => {
    fetched = resolve;
  });
  const slow = await webRig({ limits: { idleMs: 200 }, scriptReady });
  try {
    const answer = slow.ask('/install.sh', { scheme: 'http' });
    await twiceTheIdleTime(slow.http.port);
    fetched();
    assert.equal((await answer).body, slow.script);
  } finally {
    await slow.close();
  }
});

suite.run();
