/** The agent's way to files: from a real server on loopback into a cache on a real disk. */
import * as assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite as describe } from 'uvu';
import {
  big,
  fetcher,
  get,
  got,
  hash,
  names,
  refused,
  serve,
  server,
  small,
  tidyUp,
  write,
} from '../fixture/fetcher-rig.ts';
import type { Served } from '../fixture/file-server.ts';
import { until } from '../fixture/processes.ts';

const suite = describe('artifact fetching');
tidyUp(suite);

suite('a file comes once, whoever asks and how often, and is what its hash says', async () => {
  const url = await serve({ '/big': { body: big }, '/chunked': { body: small, chunked: true } });
  const one = fetcher();
  const all = await Promise.all(Array.from({ length: 12 }, () => got(one, { url: `${url}/big`, sha256: hash(big) })));
  assert.equal(server?.requests.length, 1);
  for (const copy of all) assert.deepEqual(readFileSync(copy.file), big);
  assert.equal(statSync(all[0]?.file ?? '').mode & 0o077, 0);
  // Another source of the same bytes asks no network, nor does the next process.
  await got(one, { url: 'http://127.0.0.1:1/elsewhere', sha256: hash(big) });
  await got(fetcher(join(one.folder, '..')), { url: 'http://127.0.0.1:1/elsewhere', sha256: hash(big) });
  assert.equal(server?.requests.length, 1);
  const chunked = await got(one, { url: `${url}/chunked` });
  assert.equal(chunked.sha256, hash(small));
  assert.deepEqual(names(one.folder), [hash(big), hash(small)].sort());
});

suite('a download that is cut goes on where it stopped', async () => {
  const cuts = [100_000, 200_000, undefined];
  const url = await serve({
    '/big': (_request, count) => ({ body: big, ...(cuts[count] !== undefined && { cutAfter: cuts[count] }) }),
  });
  const one = fetcher();
  const copy = await got(one, { url: `${url}/big`, sha256: hash(big) });
  assert.deepEqual(readFileSync(copy.file), big);
  const ranges = server?.requests.map(({ headers }) => headers.range) ?? [];
  assert.equal(ranges.length, 3);
  assert.equal(ranges[0], undefined);
  for (const range of ranges.slice(1)) assert.match(range ?? '', /^bytes=[1-9]\d*-$/);
  assert.ok((server?.sent() ?? 0) <= big.length + 300_000);
});

suite('the next agent goes on where one that was killed stopped, or that was cancelled', async () => {
  const half: Served = { body: big, stallAfter: 400_000 };
  const url = await serve({ '/big': (_request, count) => (count === 0 ? half : { body: big }) });
  const first = fetcher();
  const source = { url: `${url}/big`, sha256: hash(big) };
  const part = join(first.folder, `${hash(big)}.part`);
  const waiting = first.fetch(source, { done: () => assert.fail('it was cancelled') });
  await until('half of it is here', () => existsSync(part) && statSync(part).size === 400_000);
  // As a kill leaves it: the files as they are, and nobody says anything.
  waiting.cancel();
  first.close();
  await got(fetcher(join(first.folder, '..')), source);
  assert.equal(server?.requests[1]?.headers.range, 'bytes=400000-');
  assert.deepEqual(names(first.folder), [hash(big)]);
});

suite('half a file that is damaged, or longer than the whole, is not the beginning of anything', async () => {
  const url = await serve({ '/big': { body: big }, '/plain': { body: big, noRange: true } });
  for (const left of [randomBytes(300_000), Buffer.concat([big, small]), randomBytes(big.length), big]) {
    for (const path of ['/big', '/plain']) {
      const one = fetcher();
      mkdirSync(one.folder);
      writeFileSync(join(one.folder, `${hash(big)}.part`), left);
      const copy = await got(one, { url: url + path, sha256: hash(big) });
      assert.deepEqual(readFileSync(copy.file), big);
    }
  }
});

suite('other bytes than promised are refused for good, and nothing is kept of them', async () => {
  const url = await serve({ '/big': { body: big }, '/chunked': { body: big, chunked: true } });
  const one = fetcher();
  await refused(
    one,
    { url: `${url}/big`, sha256: hash(small) },
    new RegExp(`has the SHA-256 ${hash(big)}, not`),
    false,
  );
  await refused(one, { url: `${url}/big`, sha256: hash(big), maxBytes: 699_999 }, /larger than 699999 bytes/, false);
  await refused(
    one,
    { url: `${url}/chunked`, sha256: hash(big), maxBytes: 699_999 },
    /larger than 699999 bytes/,
    false,
  );
  assert.deepEqual(names(one.folder), []);
  await got(one, { url: `${url}/big`, sha256: hash(big) });
  await refused(one, { url: `${url}/big`, sha256: hash(big), maxBytes: 10 }, /larger than 10 bytes/, false);
});

suite('what a server says is told, and whether another try may go better', async () => {
  const url = await serve({
    '/busy': { body: small, status: 503 },
    '/around': { body: small, status: 302, headers: { location: '/around' } },
    '/moved': { body: small, status: 301, headers: { location: '/small' } },
    '/small': { body: small },
    '/lies': { body: small, status: 206, headers: { 'content-range': 'bytes 3-7/8' } },
  });
  const one = fetcher();
  await refused(one, { url: `${url}/missing`, sha256: hash(small) }, /\/missing: it is not there \(404\)/, false);
  await refused(one, { url: `${url}/busy`, sha256: hash(small) }, /503/, true);
  await refused(one, { url: `${url}/around`, sha256: hash(small) }, /without an end/, false);
  await refused(one, { url: `${url}/lies`, sha256: hash(small) }, /other bytes/, false);
  await refused(
    one,
    { url: 'http://127.0.0.1:1/x?secret', sha256: hash(small) },
    /127\.0\.0\.1:1\/x\?…: nobody listens/,
    true,
  );
  await refused(one, { url: `artifact:${hash(small)}` }, /knows none that it could ask/, true);
  assert.deepEqual(names(one.folder), []);
  await got(one, { url: `${url}/moved`, sha256: hash(small) });
});

suite('two come at once, the others in turn; where one source fails another one serves', async () => {
  let open = () => {};
  const gate = new Promise<void>(resolve => {
    open = resolve;
  });
  const bodies = Array.from({ length: 5 }, (_, index) => Buffer.from(`file ${index}`));
  const files = Object.fromEntries(bodies.map((body, index) => [`/${index}`, { body, until: gate }]));
  const url = await serve({ ...files, '/bad': { body: big, until: gate } });
  const one = fetcher();
  const wanted = bodies.map((body, index) => got(one, { url: `${url}/${index}`, sha256: hash(body) }));
  const other = get(one, { url: `${url}/bad`, sha256: hash(bodies[0] ?? big) });
  const queue = got(one, { url: `file://${join(one.folder, 'no')}`, sha256: hash(small) }).catch(() => 'failed');
  await until('two are asked for', () => server?.requests.length === 2);
  // Whatever could come now would have: a file of this machine is behind them in the queue, too.
  await new Promise(resolve => setImmediate(resolve));
  assert.equal(server?.requests.length, 2);
  open();
  await Promise.all(wanted);
  assert.ok((await other).copy);
  assert.equal(await queue, 'failed');
  const bad = get(one, { url: `${url}/bad`, sha256: hash(small) });
  const good = get(one, { url: `${url}/nowhere`, sha256: hash(small) });
  const right = get(one, { url: `file://${write('hello')}`, sha256: hash(small) });
  assert.equal((await bad).error?.later, false);
  assert.match((await good).error?.sentence ?? '', /404/);
  assert.ok((await right).copy);
});

suite('a file of this machine is copied; a folder, a pipe without a writer and a device are none', async () => {
  const one = fetcher();
  const path = write('hello');
  const copy = await got(one, { url: `file://${path}` });
  writeFileSync(path, 'other');
  assert.equal(readFileSync(copy.file, 'utf8'), 'hello');
  await refused(one, { url: `file://${path}`, sha256: hash(big) }, /has the SHA-256/, false);
  await refused(one, { url: 'file:///nowhere/at/all' }, /it is not there/, true);
  await refused(one, { url: 'file:///dev/zero' }, /is no file/, false);
  await refused(one, { url: 'file:///tmp' }, /is no file/, false);
});

suite.run();
