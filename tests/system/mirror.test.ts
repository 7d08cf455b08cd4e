/** The mirror over the real HTTP port, with an upstream of the test's own that cuts, stalls, lies and goes away. */
import * as assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { request as plainRequest } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { suite as describe } from 'uvu';
import { isPrivate } from '../../broker/mirror/access.ts';
import { indexMs } from '../../broker/mirror/freshness.ts';
import { type Mirror, type MirrorOptions, openMirror } from '../../broker/mirror/mirror.ts';
import { headBytes } from '../../broker/mirror/store.ts';
import { readUpstreams } from '../../broker/mirror/upstreams.ts';
import { silentLog } from '../../shared/log.ts';
import { type FileServer, fileServer, type Served } from '../fixture/file-server.ts';
import { folder, until } from '../fixture/processes.ts';
import { networkAddress, type WebRig, webRig } from '../fixture/web-rig.ts';

const suite = describe('mirror');
const body = randomBytes(900_000);
const pool = '/pool/main/h/hello/hello_1_amd64.deb';
const release = '/dists/stable/InRelease';
const lan = networkAddress('IPv4');

interface Rig {
  readonly web: WebRig;
  readonly mirror: Mirror;
  readonly upstream: FileServer;
  readonly path: string;
  /** Wall clock of the mirror. */
  pass(ms: number): void;
}
const open = new Set<() => Promise<void>>();
suite.after.each(async () => {
  for (const close of open) await close();
  open.clear();
});

async function rig(files: Parameters<typeof fileServer>[0], more: Partial<MirrorOptions> = {}): Promise<Rig> {
  const upstream = await fileServer(files);
  const path = folder();
  let ahead = 0;
  const upstreams = readUpstreams(`debian=apt+${upstream.url} npm=npm+${upstream.url} files=${upstream.url}`);
  const mirror = await openMirror({ folder: path, upstreams, now: () => Date.now() + ahead, log: silentLog, ...more });
  const web = await webRig({ mirror });
  open.add(async () => {
    await web.close();
    await mirror.close();
    await upstream.close();
  });
  return {
    ...{ web, mirror, upstream, path },
    pass(ms) {
      ahead += ms;
    },
  };
}

interface Got {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly bytes: Buffer;
  /** All that was announced has come. */
  readonly complete: boolean;
}

function get(
  port: number,
  path: string,
  options: { method?: string; headers?: Record<string, string>; to?: string } = {},
): Promise<Got> {
  const { method = 'GET', headers = {}, to = '127.0.0.1' } = options;
  return new Promise((resolve, reject) => {
    const asked = plainRequest({ host: to, port, path: `/mirror${path}`, method, headers, agent: false }, answer => {
      const pieces: Buffer[] = [];
      answer.on('data', piece => pieces.push(piece));
      answer.on('error', () => {});
      answer.on('close', () =>
        resolve({
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          bytes: Buffer.concat(pieces),
          complete: answer.complete,
        }),
      );
    });
    asked.on('error', reject);
    asked.end();
  });
}

/** The whole files of the mirror. */
const kept = (path: string) => readdirSync(path).filter(name => !name.endsWith('.part'));
const parts = (path: string) => readdirSync(path).filter(name => name.endsWith('.part'));

suite('twenty who ask at once cause one download, and have the bytes while they arrive', async () => {
  let go = () => {};
  const gate = new Promise<void>(resolve => {
    go = resolve;
  });
  const { web, upstream, mirror } = await rig({ [pool]: { body, until: gate } });
  const all = Array.from({ length: 20 }, (_, index) =>
    get(web.http.port, `/debian${pool}`, index % 4 === 3 ? { headers: { range: 'bytes=500000-' } } : {}),
  );
  await upstream.asked(({ path }) => path === pool);
  go();
  for (const [index, got] of (await Promise.all(all)).entries()) {
    const part = index % 4 === 3;
    assert.equal(got.status, part ? 206 : 200);
    assert.ok(got.complete && got.bytes.equals(part ? body.subarray(500_000) : body), `${index}`);
  }
  assert.equal(upstream.requests.length, 1);
  const again = await get(web.http.port, `/debian${pool}`);
  assert.ok(again.bytes.equals(body));
  assert.equal(again.headers['x-hearth-mirror'], 'hit');
  assert.equal(upstream.requests.length, 1);
  assert.equal(upstream.requests[0]?.headers.cookie, undefined);
  assert.deepEqual(mirror.status().upstreams.debian?.bytes_fetched, body.length);
});

suite('what is cut in the middle is gone on with, and nobody notices', async () => {
  const headers = { etag: '"one"' };
  const { web, upstream } = await rig({
    [pool]: (_request, count) => ({ body, headers, ...(count < 3 && { cutAfter: 200_000 }) }),
  });
  const got = await get(web.http.port, `/debian${pool}`);
  assert.ok(got.complete && got.bytes.equals(body));
  const ranges = upstream.requests.map(request => [request.headers.range !== undefined, request.headers['if-range']]);
  assert.deepEqual(ranges, [
    [false, undefined],
    [true, '"one"'],
    [true, '"one"'],
    [true, '"one"'],
  ]);
});

suite('half a file is never kept, and never served as a whole one', async () => {
  const cases: readonly (readonly [string, Served])[] = [
    ['cut, with nothing to know it by', { body, cutAfter: 300_000 }],
    ['cut, in chunks', { body, cutAfter: 300_000, chunked: true, headers: { etag: '"x"' } }],
    ['cut again and again at the same byte', { body, headers: { etag: '"x"' }, cutAfter: 0 }],
    [
      'another file the second time',
      { body, headers: { etag: `"${Math.random()}"` }, cutAfter: 300_000, noRange: true },
    ],
  ];
  for (const [what, served] of cases) {
    const { web, path, upstream } = await rig({ [pool]: served });
    const all = await Promise.all(
      Array.from({ length: 3 }, () => get(web.http.port, `/debian${pool}`).catch(() => undefined)),
    );
    for (const got of all) assert.ok(!got || got.status >= 500 || !got.complete, what);
    await until(`nothing is left of it: ${what}`, () => readdirSync(path).length === 0);
    const before = upstream.requests.length;
    await get(web.http.port, `/debian${pool}`).catch(() => undefined);
    assert.ok(upstream.requests.length > before, what);
  }
});

suite('half an index is neither, though its links are turned on the way; a whole one leads here', async () => {
  let cut = true;
  const text = (url: string) => Buffer.from(`{"tarball":"${url}/x/-/x-1.0.0.tgz","padding":"${'x'.repeat(500_000)}"}`);
  const files: Record<string, () => Served> = {};
  const { web, upstream, path } = await rig(files);
  const body = text(upstream.url);
  files['/x'] = () => ({ body, headers: { 'content-type': 'application/json' }, ...(cut && { cutAfter: 300_000 }) });
  const half = await get(web.http.port, '/npm/x').catch(() => undefined);
  assert.ok(!half || half.status >= 500 || !half.complete);
  await until('nothing is left of it', () => readdirSync(path).length === 0);
  cut = false;
  const whole = await get(web.http.port, '/npm/x');
  assert.ok(whole.complete);
  assert.equal(whole.bytes.toString(), text(`http://127.0.0.1:${web.http.port}/mirror/npm`).toString());
  assert.equal(whole.headers['content-type'], 'application/json');
});

suite('an answer that ends with its line, and one that is packed, are not taken', async () => {
  const lines = new Set<Socket>();
  const server = createServer(socket => {
    lines.add(socket.on('error', () => {}));
    socket.once('data', text => {
      const packed = text.includes('packed') ? 'content-length: 5\r\ncontent-encoding: gzip\r\n' : '';
      socket.end(`HTTP/1.1 200 OK\r\nconnection: close\r\n${packed}\r\nhello`);
    });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  open.add(async () => void server.close());
  const upstreams = readUpstreams(`debian=apt+http://127.0.0.1:${(server.address() as { port: number }).port}`);
  const { web, path } = await rig({}, { upstreams });
  for (const one of ['/pool/a.deb', '/pool/packed.deb']) {
    assert.equal((await get(web.http.port, `/debian${one}`)).status, 502, one);
  }
  assert.deepEqual(kept(path), []);
});

suite('bytes that are not what their address says are not kept', async () => {
  const right = createHash('sha256').update(body).digest('hex');
  const [good, bad] = [`/dists/x/by-hash/SHA256/${right}`, `/dists/x/by-hash/SHA256/${'ab'.repeat(32)}`];
  const { web, path } = await rig({ [good]: { body }, [bad]: { body } });
  await get(web.http.port, `/debian${bad}`).catch(() => undefined);
  await until('it is given up', () => readdirSync(path).length === 0);
  assert.equal((await get(web.http.port, `/debian${good}`)).status, 200);
  await until('it is kept', () => kept(path).length === 1);
});

suite('an index is asked about again, and served as it was while its upstream is away', async () => {
  let served: Served | undefined = {
    body: Buffer.from('one'),
    headers: { etag: '"1"', 'last-modified': 'Sat, 21 Nov 2026 10:00:00 GMT' },
  };
  const { web, upstream, mirror, pass } = await rig({
    [release]: ({ headers }) =>
      served?.headers?.etag !== undefined && headers['if-none-match'] === served.headers.etag
        ? { body: Buffer.alloc(0), status: 304 }
        : served,
  });
  const ask = async (headers = {}) => {
    const { bytes, status, headers: said } = await get(web.http.port, `/debian${release}`, { headers });
    return [status, bytes.toString(), said['x-hearth-mirror']];
  };
  const count = () => upstream.requests.length;
  assert.deepEqual(await ask(), [200, 'one', 'miss']);
  await until('it is kept', () => mirror.status().files === 1);
  assert.deepEqual(await ask(), [200, 'one', 'hit']);
  assert.equal(count(), 1);
  pass(indexMs);
  assert.deepEqual(await ask(), [200, 'one', 'revalidated']);
  assert.equal(upstream.requests[1]?.headers['if-modified-since'], 'Sat, 21 Nov 2026 10:00:00 GMT');
  assert.deepEqual(await ask(), [200, 'one', 'hit']);
  assert.deepEqual(await ask({ 'if-modified-since': 'Sat, 21 Nov 2026 10:00:00 GMT' }), [304, '', 'hit']);
  assert.equal(count(), 2);
  pass(indexMs);
  served = { body: Buffer.from('two'), headers: { etag: '"2"' } };
  assert.deepEqual(await ask(), [200, 'two', 'miss']);
  await until('the new one is kept', async () => (await ask())[2] === 'hit');
  pass(indexMs);
  served = { body: Buffer.from('broken'), status: 503 };
  assert.deepEqual(await ask(), [200, 'two', 'stale']);
  const before = count();
  assert.deepEqual(await ask(), [200, 'two', 'stale']);
  assert.equal(count(), before, 'it is not asked again at once');
  pass(60_000);
  await upstream.close();
  assert.deepEqual(await ask(), [200, 'two', 'stale']);
  assert.equal((await get(web.http.port, '/debian/dists/other')).status, 502);
});

suite('what is gone upstream is gone here', async () => {
  let there = true;
  const { web, path, pass } = await rig({ [release]: () => (there ? { body: Buffer.from('one') } : undefined) });
  assert.equal((await get(web.http.port, `/debian${release}`)).status, 200);
  await until('it is kept', () => kept(path).length === 1);
  there = false;
  pass(indexMs);
  assert.equal((await get(web.http.port, `/debian${release}`)).status, 404);
  assert.deepEqual(kept(path), []);
});

suite('ranges, heads and what is known already are answered from what is kept', async () => {
  const { web, upstream, mirror } = await rig({
    [pool]: { body, headers: { etag: '"1"', 'content-type': 'text/javascript' } },
  });
  const ask = (headers: Record<string, string>, method = 'GET') =>
    get(web.http.port, `/debian${pool}`, { headers, method });
  const first = await ask({}, 'HEAD');
  assert.deepEqual([first.status, first.headers['content-length'], first.bytes.length], [200, '900000', 0]);
  assert.equal(mirror.status().files, 0);
  await ask({});
  await until('it is kept', () => mirror.status().files === 1);
  const part = await ask({ range: 'bytes=10-19', 'if-range': '"1"' });
  assert.deepEqual([part.status, part.headers['content-range']], [206, 'bytes 10-19/900000']);
  assert.ok(part.bytes.equals(body.subarray(10, 20)));
  assert.equal((await ask({ range: 'bytes=10-19', 'if-range': '"2"' })).bytes.length, 900_000);
  assert.equal((await ask({ range: 'bytes=900000-' })).status, 416);
  assert.equal((await ask({ 'if-none-match': '"1"' })).status, 304);
  assert.equal((await ask({}, 'HEAD')).headers['content-length'], '900000');
  assert.equal(upstream.requests.length, 2);
  // A page of somebody else's never runs as one of ours.
  assert.equal(first.headers['content-type'], 'application/octet-stream');
  assert.match(String(first.headers['content-security-policy']), /^sandbox/);
});

suite('the store is bounded, outlives a restart, and what is damaged there is fetched anew', async () => {
  const names = ['/pool/a.deb', '/pool/b.deb', '/pool/c.deb'];
  const upstream = await fileServer(Object.fromEntries(names.map(name => [name, { body }])));
  open.add(() => upstream.close());
  const upstreams = readUpstreams(`debian=apt+${upstream.url}`);
  const path = folder();
  const limits = { total: 2_000_000, keepFree: 0, one: 1_000_000 };
  const start = () => openMirror({ folder: path, upstreams, now: () => Date.now(), log: silentLog, limits });
  const ask = async (mirror: Mirror, name: string) => {
    const question = { method: 'GET', name: 'debian', path: name, base: 'http://x/mirror' } as const;
    const answer = await mirror.answer(question);
    const pieces: Buffer[] = [];
    for await (const piece of answer.body ?? []) pieces.push(piece);
    return { found: answer.headers['x-hearth-mirror'], right: Buffer.concat(pieces).equals(body) };
  };
  const first = await start();
  for (const name of [...names.slice(0, 2), '/pool/a.deb', '/pool/c.deb']) {
    assert.ok((await ask(first, name)).right);
    await until('it is whole', () => parts(path).length === 0);
  }
  await until('both are known to be', () => first.status().files === 2);
  assert.equal(upstream.requests.length, 3);
  await first.close();
  writeFileSync(join(path, 'x.1.part'), 'left over');
  const next = await start();
  assert.deepEqual(await ask(next, '/pool/a.deb'), { found: 'hit', right: true });
  assert.deepEqual(await ask(next, '/pool/c.deb'), { found: 'hit', right: true });
  assert.equal(readdirSync(path).length, 2);
  await next.close();
  const [one = '', other = ''] = readdirSync(path);
  truncateSync(join(path, one), statSync(join(path, one)).size - 1);
  const bytes = readFileSync(join(path, other));
  writeFileSync(join(path, other), Buffer.concat([Buffer.alloc(headBytes, 'x'), bytes.subarray(headBytes)]));
  const last = await start();
  assert.deepEqual(await ask(last, '/pool/a.deb'), { found: 'miss', right: true });
  assert.deepEqual(await ask(last, '/pool/c.deb'), { found: 'miss', right: true });
  await until('both are whole', () => parts(path).length === 0);
  const large = await openMirror({
    folder: folder(),
    upstreams,
    now: () => Date.now(),
    log: silentLog,
    limits: { one: 100 },
  });
  await assert.rejects(ask(large, '/pool/a.deb'), /more than 100 bytes/);
  await Promise.all([last.close(), large.close()]);
});

suite('who may not have it is told why, and nothing but packages is served', async () => {
  const { web, upstream } = await rig({ [pool]: { body }, '/x': { body: Buffer.from('{}') } });
  if (lan !== undefined) {
    const bare = { to: lan, headers: { host: `whatever:${web.http.port}` } };
    // Whatever network this machine is in: the rule itself is tested with addresses of all kinds.
    const near = isPrivate(lan);
    const signed = await get(web.http.port, `/debian${pool}`, bare);
    assert.equal(signed.status, near ? 200 : 403);
    const npm = await get(web.http.port, '/npm/x', bare);
    assert.equal(npm.status, 403);
    assert.match(npm.bytes.toString(), near ? /over https alone/ : /private addresses alone/);
    if (!near) await get(web.http.port, `/debian${pool}`);
    assert.equal((await get(web.http.port, '', bare)).status, 403);
    assert.equal((await web.ask(`/mirror/npm/x`, { to: lan })).status, 401);
    const token = await web.token('fetches', 'viewer');
    assert.equal((await web.ask(`/mirror/npm/x`, { to: lan, token })).status, 200);
    const files = async () => (await web.ask('/mirror', { to: lan, token })).json<{ files: number }>().files;
    await until('both are kept', async () => (await files()) === 2);
  }
  const count = upstream.requests.length;
  for (const path of [
    '/nobody/x',
    '/npm/-/whoami',
    '/debian/../x',
    '/debian/%2e%2e/x',
    '/npm/x?y',
    '/debian/',
    `/debian/${'x/'.repeat(700)}`,
  ]) {
    assert.equal((await get(web.http.port, path)).status, 404, path);
  }
  assert.equal((await get(web.http.port, `/debian${pool}`, { headers: { host: 'evil.example' } })).status, 403);
  assert.equal(
    (await get(web.http.port, `/debian${pool}`, { headers: { 'sec-fetch-site': 'cross-site' } })).status,
    403,
  );
  assert.equal(upstream.requests.length, count);
  const post = await web.ask(`/mirror/debian${pool}`, { scheme: 'http', method: 'POST' });
  assert.ok([404, 405].includes(post.status), `${post.status}`);
});

suite.run();
