/** The agent's cache of files: who hangs, what is kept and what goes, cancelling, and a full disk. */
import * as assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite as describe } from 'uvu';
import { systemRandom } from '../../shared/system-clock.ts';
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
import { manualClock } from '../fixture/manual-clock.ts';
import { until } from '../fixture/processes.ts';
import { smallDisk } from '../fixture/small-disk.ts';

const suite = describe('artifact fetching: what goes wrong, and what is kept');
tidyUp(suite);

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
