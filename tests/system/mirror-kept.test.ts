/** The mirror: indexes, ranges, what is kept and what goes, and who may have it. */
import * as assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite as describe } from 'uvu';
import { isPrivate } from '../../broker/mirror/access.ts';
import { indexMs } from '../../broker/mirror/freshness.ts';
import { type Mirror, openMirror } from '../../broker/mirror/mirror.ts';
import { headBytes } from '../../broker/mirror/store.ts';
import { readUpstreams } from '../../broker/mirror/upstreams.ts';
import { silentLog } from '../../shared/log.ts';
import { fileServer, type Served } from '../fixture/file-server.ts';
import { body, get, kept, lan, open, parts, pool, release, rig, tidyUp } from '../fixture/mirror-rig.ts';
import { folder, until } from '../fixture/processes.ts';

const suite = describe('mirror: what is kept, and who may have it');
tidyUp(suite);

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
  const { web, mirror, path, pass } = await rig({
    [release]: () => (there ? { body: Buffer.from('one') } : undefined),
  });
  assert.equal((await get(web.http.port, `/debian${release}`)).status, 200);
  // A file with its name may be a moment older than the mirror's knowledge of it.
  await until('it is kept', () => mirror.status().files === 1);
  assert.equal(kept(path).length, 1);
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
