/** The mirror over the real HTTP port, with an upstream of the test's own that cuts, stalls, lies and goes away. */
import * as assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { suite as describe } from 'uvu';
import { readUpstreams } from '../../broker/mirror/upstreams.ts';
import type { Served } from '../fixture/file-server.ts';
import { body, get, kept, open, pool, rig, tidyUp } from '../fixture/mirror-rig.ts';
import { until } from '../fixture/processes.ts';

const suite = describe('mirror');
tidyUp(suite);

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
  // The last byte is given away before all of it is on the disk.
  await until('it is kept', () => mirror.status().files === 1);
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

suite.run();
