/** The agent's way to files: from a real server on loopback into a cache on a real disk. */
import * as assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { suite as describe } from 'uvu';
import { createFetcher, type Fetcher, type FetcherOptions } from '../../node-agent/artifacts/fetcher.ts';
import type { Fetched, Source } from '../../node-agent/artifacts/fetching.ts';
import { silentLog } from '../../shared/log.ts';
import { systemClock, systemRandom } from '../../shared/system-clock.ts';
import { type FileServer, fileServer, type Served } from '../fixture/file-server.ts';
import { manualClock } from '../fixture/manual-clock.ts';
import { folder, until } from '../fixture/processes.ts';
import { smallDisk } from '../fixture/small-disk.ts';

const suite = describe('artifact fetching');
const hash = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const big = randomBytes(700_000);
const small = Buffer.from('hello');

let server: FileServer | undefined;
const fetchers = new Set<Fetcher>();
suite.after.each(async () => {
  for (const one of fetchers) one.close();
  fetchers.clear();
  await server?.close();
  server = undefined;
});

async function serve(files: Parameters<typeof fileServer>[0]): Promise<string> {
  server = await fileServer(files);
  return server.url;
}

function fetcher(path = folder(), more: Partial<FetcherOptions> = {}): Fetcher & { readonly folder: string } {
  const parts = { clock: systemClock(), random: systemRandom(), log: silentLog, supervisor: () => undefined };
  const made = createFetcher({ folder: join(path, 'cache'), ...parts, ...more });
  fetchers.add(made);
  return Object.assign(made, { folder: join(path, 'cache') });
}

type Outcome = { copy: Fetched; error?: undefined } | { copy?: undefined; error: { sentence: string; later: boolean } };

function get(
  from: Fetcher,
  source: Source,
  progress?: (bytes: number, of: number | undefined) => void,
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    let told = false;
    from.fetch(source, {
      ...(progress && { progress }),
      done(error, copy) {
        if (told) reject(new Error('told twice'));
        told = true;
        resolve(error ? { error } : { copy: copy as Fetched });
      },
    });
  });
}
const got = async (from: Fetcher, source: Source): Promise<Fetched> => {
  const { copy, error } = await get(from, source);
  assert.ok(copy, error?.sentence);
  return copy;
};
const refused = async (from: Fetcher, source: Source, text: RegExp, later: boolean): Promise<void> => {
  const { error } = await get(from, source);
  assert.match(error?.sentence ?? 'no error', text);
  assert.equal(error?.later, later, error?.sentence);
};
const names = (path: string) => (existsSync(path) ? readdirSync(path).sort() : []);

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

function write(text: string): string {
  const path = join(folder(), 'file');
  writeFileSync(path, text);
  return path;
}

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

suite('who says nothing for 30 s is given up, however often it said a byte before; what came is kept', async () => {
  const url = await serve({
    '/': { body: big, until: new Promise(() => {}) },
    '/half': { body: big, stallAfter: 1000 },
  });
  const clock = manualClock();
  const one = fetcher(undefined, { clock, random: { next: () => 0, hex: systemRandom().hex } });
  const never = get(one, { url: `${url}/`, sha256: hash(big) });
  await server?.asked(({ path }) => path === '/');
  let told = false;
  const telling = never.then(outcome => {
    told = true;
    return outcome;
  });
  clock.advance(29_900);
  await new Promise(resolve => setImmediate(resolve));
  assert.equal(told, false);
  clock.advance(100);
  const { error } = await telling;
  assert.match(error?.sentence ?? '', /no byte came for 30 s/);
  assert.equal(error?.later, true);
  const half = get(one, { url: `${url}/half`, sha256: hash(big) });
  const part = join(one.folder, `${hash(big)}.part`);
  // It goes on at once, with a thousand bytes more each time; after ten times the rest is for the next try.
  for (let times = 1; times <= 10; times++) {
    await until(`${times} times a thousand bytes are here`, () => {
      clock.advance(0);
      return existsSync(part) && statSync(part).size === times * 1000;
    });
    clock.advance(31_000);
  }
  assert.match((await half).error?.sentence ?? '', /no byte came/);
  assert.equal((await half).error?.later, true);
  assert.equal(statSync(part).size, 10_000);
});

suite('the cache is bounded: what was used longest ago goes, what is held never', async () => {
  const bodies = Array.from({ length: 4 }, () => randomBytes(100_000));
  const url = await serve(Object.fromEntries(bodies.map((body, index) => [`/${index}`, { body }])));
  const source = (index: number) => ({ url: `${url}/${index}`, sha256: hash(bodies[index] ?? big) });
  const one = fetcher(undefined, { maxBytes: 250_000 });
  const first = await got(one, source(0));
  (await got(one, source(1))).release();
  (await got(one, source(2))).release();
  assert.deepEqual(names(one.folder), [source(0).sha256, source(2).sha256].sort());
  const second = await got(one, source(2));
  await refused(one, source(1), /there is no room/, true);
  assert.ok(existsSync(first.file) && existsSync(second.file));
  first.release();
  first.release();
  await got(one, source(1));
  assert.deepEqual(names(one.folder), [source(1).sha256, source(2).sha256].sort());
  await refused(fetcher(undefined, { maxBytes: 50_000 }), source(0), /larger than 50000 bytes/, false);
  // A smaller bound counts from the next start, with the times on the disk.
  utimesSync(second.file, 1, 1);
  const next = fetcher(join(one.folder, '..'), { maxBytes: 150_000 });
  (await got(next, source(1))).release();
  assert.deepEqual(names(one.folder), [source(1).sha256]);
});

suite('a copy that somebody changed is noticed and comes anew; a link is none of ours', async () => {
  const url = await serve({ '/small': { body: small } });
  const source = { url: `${url}/small`, sha256: hash(small) };
  const one = fetcher();
  const { file, release } = await got(one, source);
  release();
  writeFileSync(file, 'hallo');
  assert.equal(readFileSync((await got(one, source)).file, 'utf8'), 'hello');
  assert.equal(server?.requests.length, 2);
  writeFileSync(file, 'hallo');
  const next = fetcher(join(one.folder, '..'));
  assert.equal(readFileSync((await got(next, source)).file, 'utf8'), 'hello');
  rmSync(file);
  assert.equal(readFileSync((await got(next, source)).file, 'utf8'), 'hello');
  const [other, secret] = [fetcher(), write('secret')];
  mkdirSync(other.folder);
  symlinkSync(secret, join(other.folder, hash(small)));
  symlinkSync(secret, join(other.folder, `${hash(small)}.part`));
  assert.equal(readFileSync((await got(other, source)).file, 'utf8'), 'hello');
  assert.equal(readFileSync(secret, 'utf8'), 'secret');
});

suite('who cancels is told nothing, and what nobody waits for ends', async () => {
  const url = await serve({ '/slow': { body: big, until: new Promise(() => {}) }, '/small': { body: small } });
  const one = fetcher();
  const told: string[] = [];
  const source = { url: `${url}/slow`, sha256: hash(small) };
  const first = one.fetch(source, { done: () => told.push('first') });
  const second = one.fetch(source, { done: () => told.push('second') });
  await server?.asked(({ path }) => path === '/slow');
  first.cancel();
  second.cancel();
  second.cancel();
  // Who comes while it ends is served by a new one.
  const copy = await got(one, { url: `${url}/small`, sha256: hash(small) });
  assert.ok(copy);
  // All are told in one turn: who is cancelled by one that was told before is not told any more.
  await new Promise<void>(resolve => {
    const path = { url: `file://${write('at once')}` };
    one.fetch(path, {
      done() {
        also.cancel();
        setImmediate(() => setImmediate(resolve));
      },
    });
    const also = one.fetch(path, { done: () => told.push('also') });
  });
  const bad = one.fetch({ url: 'nonsense' }, { done: () => told.push('third') });
  bad.cancel();
  await got(one, { url: `${url}/small`, sha256: hash(small) });
  assert.deepEqual(told, []);
});

suite('a full disk is said, leaves no half file that fills it, and passes', async () => {
  if (process.getuid?.() !== 0) return console.log('skipped: a full disk: it needs root');
  let open = () => {};
  const gate = new Promise<void>(resolve => {
    open = resolve;
  });
  const url = await serve({
    '/big': { body: big },
    '/chunked': { body: big, chunked: true },
    '/half': (_request, count) => ({ body: big, ...(count === 0 ? { cutAfter: 400_000 } : { until: gate }) }),
  });
  const disk = smallDisk('size=4m');
  try {
    const one = fetcher(disk.path, { maxBytes: 3_000_000 });
    (await got(one, { url: `file://${write('x')}` })).release();
    disk.fill(64 * 1024);
    for (const path of ['/big', '/chunked']) {
      await refused(one, { url: url + path, sha256: hash(big) }, /no room|disk is full/, true);
    }
    assert.ok(!names(one.folder).some(name => name.endsWith('.part')));
    disk.empty();
    // What came before the disk was full gives its room back, too.
    const half = get(one, { url: `${url}/half`, sha256: hash(big) });
    await until('it is asked for again', () => server?.requests.filter(({ path }) => path === '/half').length === 2);
    disk.fill(64 * 1024);
    open();
    const { error } = await half;
    assert.match(error?.sentence ?? '', /no room|disk is full/);
    assert.ok(!names(one.folder).some(name => name.endsWith('.part')));
    disk.empty();
    assert.deepEqual(readFileSync((await got(one, { url: `${url}/chunked`, sha256: hash(big) })).file), big);
  } finally {
    disk.unmount();
  }
});

suite.run();
