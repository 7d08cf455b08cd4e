/** The HTTP port over real sockets. */
import * as assert from 'node:assert/strict';
import { type ClientRequest, type IncomingHttpHeaders, request } from 'node:http';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { suite as describe } from 'uvu';
import WebSocket from 'ws';
import { type HttpOptions, type RunningHttp, startHttp } from '../../broker/http/server.ts';
import { silentLog } from '../../shared/log.ts';
import { until } from '../fixture/processes.ts';
import { handFleet } from './dashboard/hand-fleet.ts';
import { sampleFleet } from './dashboard/sample-fleet.ts';

const suite = describe('HTTP port');
const dashboardFolder = join(import.meta.dirname, '../../dashboard');
const opened: RunningHttp[] = [];

async function serve(options: Partial<HttpOptions> = {}): Promise<RunningHttp> {
  const fleet = options.fleet ?? handFleet(sampleFleet(1e12));
  const http = await startHttp({ host: '127.0.0.1', port: 0, log: silentLog, dashboardFolder, ...options, fleet });
  opened.push(http);
  return http;
}
suite.after.each(async () => {
  for (const http of opened.splice(0)) await http.close();
});

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

function ask(port: number, path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asking = request({
      host: '127.0.0.1',
      port,
      path,
      method,
      headers: { host: `localhost:${port}`, ...headers },
    });
    asking.once('error', reject);
    asking.once('response', response => {
      let body = '';
      response.setEncoding('utf8').on('data', chunk => {
        body += chunk;
      });
      response.once('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    asking.end();
  });
}

interface Listening {
  readonly asking: ClientRequest;
  text(): string;
  status(): number;
  over(): boolean;
}

/** Opens the stream; `read: false` never takes anything from the socket. */
function listen(port: number, read = true): Listening {
  let text = '';
  let status = 0;
  let over = false;
  const asking = request({ host: '127.0.0.1', port, path: '/api/fleet/stream', agent: false });
  asking.setHeader('host', `localhost:${port}`);
  asking.once('response', response => {
    status = response.statusCode ?? 0;
    if (read)
      response.setEncoding('utf8').on('data', chunk => {
        text += chunk;
      });
    response.once('close', () => {
      over = true;
    });
    response.once('error', () => {});
  });
  asking.once('error', () => {
    over = true;
  });
  asking.end();
  return { asking, text: () => text, status: () => status, over: () => over };
}

suite('the dashboard, its parts and nothing else', async () => {
  const { port } = await serve();
  const page = await ask(port, '/');
  const policy = String(page.headers['content-security-policy']);
  assert.equal(page.status, 200);
  assert.equal(page.headers['content-type'], 'text/html; charset=utf-8');
  assert.match(policy, /default-src 'none'.*frame-ancestors 'none'/);
  assert.doesNotMatch(policy, /unsafe/);
  assert.equal(page.headers['x-content-type-options'], 'nosniff');
  assert.equal(page.headers['referrer-policy'], 'no-referrer');
  for (const [, path = ''] of page.body.matchAll(/(?:src|href)="(\/[a-z-]+\.[a-z]+)"/g)) {
    const part = await ask(port, path);
    assert.equal(part.status, 200, path);
    const again = await ask(port, path, { 'if-none-match': String(part.headers.etag) });
    assert.deepEqual([again.status, again.body], [304, '']);
  }
  assert.equal((await ask(port, '/app.js')).headers['content-type'], 'text/javascript; charset=utf-8');
  for (const path of ['/../package.json', '/%2e%2e/package.json', '/fleet-state.d.ts', '/nothing', '/%', '/mqtt']) {
    const answer = await ask(port, path);
    assert.ok(answer.status === 404 || answer.status === 400, `${path}: ${answer.status}`);
  }
  assert.equal((await ask(port, '/api/fleet', {}, 'POST')).status, 404);
  assert.deepEqual(JSON.parse((await ask(port, '/healthz')).body), { ok: true });
  assert.equal(JSON.parse((await ask(port, '/api/fleet')).body).nodes.length, 6);
});

suite('a foreign Host or Origin is refused on every path, and nothing is told', async () => {
  const fleet = handFleet(sampleFleet(1e12));
  let attached = 0;
  const { port } = await serve({ fleet, attach: () => (attached += 1) });
  for (const path of ['/', '/app.js', '/api/fleet', '/api/fleet/stream', '/healthz', '/mqtt', '/nothing', '/%']) {
    for (const headers of [{ host: `evil.example:${port}` }, { origin: 'http://evil.example' }] as const) {
      const answer = await ask(port, path, headers as unknown as Record<string, string>);
      assert.equal(answer.status, 403, path);
      assert.doesNotMatch(answer.body, /attic-pi/);
    }
  }
  assert.equal(fleet.watchers, 0);
  for (const options of [{ origin: 'http://evil.example' }, { headers: { host: `evil.example:${port}` } }]) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/mqtt`, 'mqtt', options);
    const error = await new Promise<Error>(resolve => socket.once('error', resolve));
    assert.match(error.message, /403/);
  }
  assert.equal(attached, 0);
});

suite('a taken port is one sentence that names the way out', async () => {
  const other = createServer();
  await new Promise<void>(resolve => other.listen(0, '127.0.0.1', () => resolve()));
  const { port } = other.address() as { port: number };
  await assert.rejects(serve({ port }), (error: Error) => {
    assert.match(error.message, new RegExp(`^[^\\n]*port ${port} [^\\n]*--http-port[^\\n]*$`));
    return true;
  });
  other.close();
});

suite('a folder without a dashboard says so', async () => {
  await assert.rejects(serve({ dashboardFolder: join(dashboardFolder, '../docs') }), /no index\.html/);
  await assert.rejects(serve({ dashboardFolder: '/nowhere/at/all' }), /cannot be read/);
});

suite('snapshot, then changes, each once and in order', async () => {
  const fleet = handFleet(sampleFleet(1e12), 7);
  // No beat but the first of each.
  const { port } = await serve({ fleet, limits: { beatMs: 3_600_000 } });
  const stream = listen(port);
  await until('the snapshot', () => stream.text().includes('event: beat'));
  fleet.change({ 'attic-pi': { online: false } });
  const second = listen(port);
  await until('the second snapshot', () => second.text().includes('event: beat'));
  fleet.change({ 'attic-pi': null });
  await until('both changes', () => /id: 9\n/.test(stream.text()) && /id: 9\n/.test(second.text()));
  assert.deepEqual(stream.text().match(/^(id|event): .*$/gm), [
    ...['id: 7', 'event: snapshot', 'event: beat', 'id: 8', 'event: change', 'id: 9', 'event: change'],
  ]);
  assert.deepEqual(second.text().match(/^(id|event): .*$/gm), [
    ...['id: 8', 'event: snapshot', 'event: beat', 'id: 9', 'event: change'],
  ]);
  stream.asking.destroy();
  second.asking.destroy();
  await until('nobody watches any more', () => fleet.watchers === 0);
});

suite('a client that does not read is cut off; the others lose nothing', async () => {
  const fleet = handFleet([]);
  const { port } = await serve({ fleet, limits: { backlog: 256 * 1024 } });
  const good = listen(port);
  const frozen = connect(port, '127.0.0.1');
  frozen.on('error', () => {});
  frozen.pause();
  frozen.write(`GET /api/fleet/stream HTTP/1.1\r\nhost: localhost:${port}\r\n\r\n`);
  await until('both watch', () => fleet.watchers === 2);
  let rounds = 0;
  const text = 'x'.repeat(400);
  // The kernel's own buffers take some megabytes first.
  await until('the frozen one is cut off', async () => {
    for (let round = 0; round < 20; round += 1) {
      const news = Array.from({ length: 100 }, () => ({ at_ms: 1, level: 'info' as const, kind: 'k', text }));
      fleet.change({}, news);
      rounds += 1;
      await new Promise(resolve => setImmediate(resolve));
    }
    return fleet.watchers < 2;
  });
  await until('the good one has everything', () => good.text().includes(`id: ${rounds}\n`));
  assert.equal(good.over(), false);
  assert.equal(fleet.watchers, 1);
  frozen.destroy();
  good.asking.destroy();
});

suite('the number of open dashboards is bounded', async () => {
  const fleet = handFleet([]);
  const { port } = await serve({ fleet, limits: { clients: 3 } });
  const streams = [listen(port), listen(port), listen(port)];
  await until('three watch', () => fleet.watchers === 3);
  assert.equal((await ask(port, '/api/fleet/stream')).status, 503);
  streams[0]?.asking.destroy();
  await until('one left', () => fleet.watchers === 2);
  const late = listen(port);
  await until('a place is free again', () => late.status() === 200);
  for (const stream of [...streams, late]) stream.asking.destroy();
});

suite('beats come by themselves', async () => {
  const { port } = await serve({ limits: { beatMs: 30 }, mqttPort: 1999 });
  const stream = listen(port);
  await until('three beats', () => (stream.text().match(/^event: beat$/gm) ?? []).length >= 3);
  assert.match(stream.text(), /"at_ms":\d{13},"mqtt_port":1999/);
  stream.asking.destroy();
});

suite('closing ends streams and WebSockets at once', async () => {
  const fleet = handFleet([]);
  const http = await serve({ fleet, attach: stream => void stream.resume() });
  const stream = listen(http.port);
  const socket = new WebSocket(`ws://127.0.0.1:${http.port}/mqtt`, 'mqtt');
  await new Promise(resolve => socket.once('open', resolve));
  const closed = new Promise(resolve => socket.once('close', resolve));
  await until('it watches', () => fleet.watchers === 1);
  let over = false;
  void http.close().then(() => {
    over = true;
  });
  // Left to themselves, a kept connection goes after 20 s, a WebSocket after 30 s, and a stream never.
  await until('it is closed', () => over, 10_000);
  await closed;
  await until('the stream is over', () => stream.over());
  assert.equal(fleet.watchers, 0);
});

suite('MQTT over WebSocket: bytes both ways, subprotocol, size, path', async () => {
  const streams: Duplex[] = [];
  const { port } = await serve({
    attach: stream => void streams.push(stream.on('data', chunk => stream.write(chunk))),
  });
  const open = (path: string, protocol?: string) =>
    new Promise<WebSocket>((resolve, reject) => {
      const socket = new WebSocket(`ws://localhost:${port}${path}`, protocol, { origin: `http://localhost:${port}` });
      socket.once('open', () => resolve(socket));
      socket.once('error', reject);
    });
  for (const protocol of ['mqtt', 'mqttv3.1']) {
    const socket = await open('/mqtt', protocol);
    assert.equal(socket.protocol, protocol);
    const back = new Promise(resolve => socket.once('message', resolve));
    socket.send(Buffer.from([0xc0, 0]));
    assert.deepEqual(await back, Buffer.from([0xc0, 0]));
    socket.terminate();
  }
  await assert.rejects(open('/mqtt'), /400/);
  await assert.rejects(open('/mqtt', 'chat'), /400/);
  await assert.rejects(open('/elsewhere', 'mqtt'), /404/);
  assert.equal((await ask(port, '/mqtt')).status, 426);
  const code = async (send: Buffer | string) => {
    const socket = await open('/mqtt', 'mqtt');
    const closed = new Promise<number>(resolve => socket.once('close', resolve));
    socket.send(send);
    return closed;
  };
  assert.equal(await code(Buffer.alloc(2 * 1024 * 1024)), 1009, 'too big');
  assert.equal(await code('text'), 1003, 'text frame');
  await until('every stream was ended', () => streams.every(stream => stream.destroyed));
});

suite('on an outside broker /mqtt says where to go', async () => {
  const { port } = await serve();
  assert.match((await ask(port, '/mqtt')).body, /outside broker/);
  const socket = new WebSocket(`ws://127.0.0.1:${port}/mqtt`, 'mqtt');
  const error = await new Promise<Error>(resolve => socket.once('error', resolve));
  assert.match(error.message, /404/);
});

suite.run();
