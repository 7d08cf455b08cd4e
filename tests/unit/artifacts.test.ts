/** The artifact store on a real folder, its answers in terms of HTTP, and what goes when there is no room. */
import * as assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { suite as describe } from 'uvu';
import { answerArtifact, parseRange } from '../../broker/artifacts/answer.ts';
import type { ArtifactError, ArtifactStore } from '../../broker/artifacts/artifact-store.ts';
import { openArtifactStore, type StoreLimits } from '../../broker/artifacts/file-store.ts';
import { makeRoom } from '../../broker/artifacts/room.ts';
import { silentLog } from '../../shared/log.ts';
import { folder } from '../fixture/processes.ts';

const suite = describe('artifacts');
const hash = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest('hex');
const stream = (text: string) => Readable.from([Buffer.from(text)]);

function open(path: string, limits: Partial<StoreLimits> = {}): Promise<ArtifactStore> {
  return openArtifactStore({ folder: path, log: silentLog, limits });
}
const add = (store: ArtifactStore, text: string, more: object = {}) =>
  store.put(stream(text), { sha256: hash(text), size: text.length, ...more });
const text = async (store: ArtifactStore, sha256: string) => {
  const found = store.find(sha256);
  return found && (await buffer(await store.read(found))).toString();
};
const refused = async (status: number, doing: Promise<unknown>): Promise<void> => {
  await assert.rejects(doing, (error: ArtifactError) => {
    assert.equal(error.status, status, error.message);
    return true;
  });
};
const entries = (path: string) => readdirSync(path, { recursive: true }).sort();

suite('what was put is read back, by the next process too, with its marks', async () => {
  const path = folder();
  const store = await open(path);
  const put = await add(store, 'hello', { open: true, pinned: true });
  assert.deepEqual(put, { sha256: hash('hello'), size: 5, open: true, fresh: true });
  assert.equal((await add(store, 'hello')).fresh, false);
  assert.equal((await add(store, 'hello')).open, true);
  const next = await open(path);
  assert.equal(await text(next, hash('hello')), 'hello');
  assert.equal(next.find(hash('hello'))?.open, true);
  assert.equal(next.find(hash('other')), undefined);
  assert.equal(next.find('../../etc/passwd'), undefined);
  assert.equal(statSync(join(path, hash('hello'))).mode & 0o077, 0);
});

suite('bytes that are not what was promised leave nothing behind', async () => {
  const path = folder();
  const store = await open(path, { one: 10 });
  const before = entries(path);
  const wrong = { sha256: hash('other') };
  await refused(400, store.put(stream('hello'), wrong));
  await refused(400, store.put(stream('hello'), { sha256: hash('hello'), size: 4 }));
  await refused(400, store.put(stream('hello'), { sha256: hash('hello'), size: 6 }));
  await refused(400, store.put(stream('hello'), { sha256: `../${hash('hello').slice(3)}` }));
  await refused(413, store.put(stream('hello'), { sha256: hash('hello'), size: 11 }));
  await refused(413, store.put(stream('hello world'), { sha256: hash('hello world') }));
  const broken = new PassThrough();
  const put = store.put(broken, { sha256: hash('hello'), size: 5 });
  broken.write('hel');
  broken.destroy();
  await refused(400, put);
  assert.deepEqual(entries(path), before);
  assert.equal(store.find(hash('hello')), undefined);
});

suite('an upload that stands still ends, and so do those of a store that closes', async () => {
  const store = await open(folder(), { idleMs: 30 });
  await refused(400, store.put(new PassThrough(), { sha256: hash('hello') }));
  const patient = await open(folder());
  const body = new PassThrough();
  const put = patient.put(body, { sha256: hash('hello') });
  await patient.close();
  await refused(507, put);
});

suite('no more than so many are taken in at the same time', async () => {
  const store = await open(folder(), { atOnce: 1 });
  const body = new PassThrough();
  const first = store.put(body, { sha256: hash('hello') });
  await refused(429, add(store, 'other'));
  body.end('hello');
  assert.equal((await first).fresh, true);
  assert.equal((await add(store, 'other')).fresh, true);
});

suite('what was used longest ago goes for room; what is pinned stays', async () => {
  const path = folder();
  const old = await open(path);
  for (const [name, ageS] of [
    ['aaaa', 500],
    ['bbbb', 400],
    ['cccc', 300],
  ] as const) {
    await add(old, name, { pinned: name === 'aaaa' });
    const used = Date.now() / 1000 - ageS;
    utimesSync(join(path, hash(name)), used, used);
  }
  const store = await open(path, { total: 12 });
  assert.equal(await text(store, hash('bbbb')), 'bbbb');
  await add(store, 'dddd');
  const here = () => ['aaaa', 'bbbb', 'cccc', 'dddd'].filter(name => store.find(hash(name)));
  assert.deepEqual(here(), ['aaaa', 'bbbb', 'dddd']);
  // Of unknown size, too.
  await store.put(stream('eeee'), { sha256: hash('eeee') }).catch(() => {});
  assert.ok(store.find(hash('aaaa')));
  await refused(507, add(await open(path, { total: 12, keepFree: 2 ** 60 }), 'ffff'));
  const full = await open(folder(), { total: 6 });
  await add(full, 'aaaa', { pinned: true });
  await refused(507, add(full, 'bbbb'));
  await full.pin(hash('aaaa'), false);
  assert.equal((await add(full, 'bbbb')).fresh, true);
});

suite('what was cut off while it came in is gone at the next start; other files are let be', async () => {
  const path = folder();
  await open(path);
  writeFileSync(join(path, 'incoming', 'half'), 'hel');
  writeFileSync(join(path, 'note.txt'), 'mine');
  await open(path);
  assert.deepEqual(entries(path), ['incoming', 'note.txt']);
});

suite('one that is read to its end though it is thrown out meanwhile', async () => {
  const store = await open(folder(), { total: 8 });
  await add(store, 'aaaaaaaa');
  const found = store.find(hash('aaaaaaaa'));
  assert.ok(found);
  const body = await store.read(found);
  await add(store, 'bbbbbbbb');
  assert.equal(store.find(hash('aaaaaaaa')), undefined);
  assert.equal((await buffer(body)).toString(), 'aaaaaaaa');
  await refused(404, store.read(found));
});

suite('room: nothing where there is enough, the oldest where not, undefined where even that is too little', () => {
  const kept = [
    { sha256: 'new', size: 4, pinned: false, usedAt: 3 },
    { sha256: 'old', size: 4, pinned: false, usedAt: 1 },
    { sha256: 'pin', size: 4, pinned: true, usedAt: 0 },
  ];
  assert.deepEqual(makeRoom(kept, { total: 4, count: 1 }, { total: 16, count: 4 }), []);
  assert.deepEqual(makeRoom(kept, { total: 5, count: 1 }, { total: 16, count: 4 }), ['old']);
  assert.deepEqual(makeRoom(kept, { total: 1, count: 1 }, { total: 16, count: 3 }), ['old']);
  assert.deepEqual(makeRoom(kept, { total: 12, count: 1 }, { total: 16, count: 4 }), ['old', 'new']);
  assert.equal(makeRoom(kept, { total: 13, count: 1 }, { total: 16, count: 4 }), undefined);
});

suite('ranges as in RFC 9110', () => {
  const cases: [string | undefined, ReturnType<typeof parseRange>][] = [
    [undefined, undefined],
    ['bytes=0-', { first: 0, last: 9 }],
    ['bytes=3-5', { first: 3, last: 5 }],
    ['bytes=3-99', { first: 3, last: 9 }],
    ['bytes=-4', { first: 6, last: 9 }],
    ['bytes=-99', { first: 0, last: 9 }],
    ['bytes=10-', 'beyond'],
    ['bytes=-0', 'beyond'],
    ['bytes=5-3', undefined],
    ['bytes=0-1,3-4', undefined],
    ['bytes=-', undefined],
    ['lines=1-2', undefined],
    [`bytes=0-${'9'.repeat(40)}`, undefined],
  ];
  for (const [header, expected] of cases) assert.deepEqual(parseRange(header, 10), expected, String(header));
  assert.equal(parseRange('bytes=0-', 0), 'beyond');
});

suite('answers: whole, a part, not changed, not there for who may not', async () => {
  const store = await open(folder());
  const [sha256, secret] = [hash('0123456789'), hash('private')];
  await add(store, '0123456789', { open: true });
  await add(store, 'private');
  await add(store, '', {});
  const ask = async (more: object) => {
    const answer = await answerArtifact(store, { method: 'GET', sha256, openOnly: true, ...more });
    return { ...answer, body: answer.body && (await buffer(answer.body)).toString() };
  };
  const whole = await ask({});
  assert.deepEqual([whole.status, whole.body, whole.headers['content-length']], [200, '0123456789', '10']);
  assert.match(whole.headers['cache-control'] ?? '', /^public, .*immutable/);
  const part = await ask({ range: 'bytes=2-3' });
  assert.deepEqual([part.status, part.body, part.headers['content-range']], [206, '23', 'bytes 2-3/10']);
  assert.equal((await ask({ range: 'bytes=2-3', ifRange: '"other"' })).status, 200);
  assert.equal((await ask({ range: 'bytes=2-3', ifRange: `"${sha256}"` })).status, 206);
  assert.equal((await ask({ range: 'bytes=10-' })).headers['content-range'], 'bytes */10');
  assert.equal((await ask({ ifNoneMatch: `"x", "${sha256}"` })).status, 304);
  const head = await ask({ method: 'HEAD' });
  assert.deepEqual([head.status, head.body, head.headers['content-length']], [200, undefined, '10']);
  assert.equal((await ask({ sha256: secret })).status, 404);
  const mine = await ask({ sha256: secret, openOnly: false });
  assert.deepEqual([mine.status, mine.body], [200, 'private']);
  assert.match(mine.headers['cache-control'] ?? '', /^private/);
  assert.deepEqual((await ask({ sha256: hash(''), openOnly: false })).body, '');
  assert.equal((await ask({ sha256: '../../etc/passwd', openOnly: false })).status, 404);
});

suite.run();
