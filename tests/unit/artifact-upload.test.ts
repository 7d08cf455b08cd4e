/** Uploads that go on, what is in use and so stays, and how people see it: the store on a real folder, and the pure parts. */
import * as assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { suite as describe } from 'uvu';
import type { ArtifactError, ArtifactStore } from '../../broker/artifacts/artifact-store.ts';
import { openArtifactStore, type StoreLimits } from '../../broker/artifacts/file-store.ts';
import { type ArtifactUse, inWords, placesOf, usesIn } from '../../broker/artifacts/uses.ts';
import { inBytes, progressLine } from '../../cli/progress-bar.ts';
import { silentLog } from '../../shared/log.ts';
import { folder, until } from '../fixture/processes.ts';

const suite = describe('artifact uploads');
const hash = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest('hex');
const stream = (bytes: Buffer) => Readable.from([bytes]);
const bytes = randomBytes(100_000);
const whole = { sha256: hash(bytes), size: bytes.length };

const open = (path: string, limits: Partial<StoreLimits> = {}): Promise<ArtifactStore> =>
  openArtifactStore({ folder: path, log: silentLog, limits });
const add = (store: ArtifactStore, text: string, more: object = {}) =>
  store.put(stream(Buffer.from(text)), { sha256: hash(text), size: text.length, ...more });
async function refused(status: number, doing: Promise<unknown>, text = /./): Promise<ArtifactError> {
  let found: ArtifactError | undefined;
  await assert.rejects(doing, (error: ArtifactError) => {
    found = error;
    assert.equal(error.status, status, error.message);
    assert.match(error.message, text);
    return true;
  });
  return found as ArtifactError;
}
const partOf = (path: string) => join(path, 'partial', whole.sha256);

suite('what was cut off goes on, in the next process too, and is an artifact only when it is whole', async () => {
  const path = folder();
  const store = await open(path);
  assert.deepEqual(store.offset(whole.sha256), { offset: 0, complete: false });
  const body = new PassThrough();
  const cut = store.append(body, { ...whole, offset: 0 });
  body.write(bytes.subarray(0, 40_000));
  await until('it is on the disk', () => existsSync(partOf(path)) && statSync(partOf(path)).size === 40_000);
  assert.deepEqual(store.offset(whole.sha256), { offset: 40_000, complete: false });
  body.destroy(Object.assign(new Error('cut'), { code: 'ECONNRESET' }));
  await refused(400, cut);
  assert.equal(store.find(whole.sha256), undefined);
  const next = await open(path);
  assert.deepEqual(next.offset(whole.sha256), { offset: 40_000, complete: false });
  const early = await next.append(stream(bytes.subarray(40_000, 70_000)), { ...whole, offset: 40_000 });
  assert.deepEqual(early, { offset: 70_000 });
  const wrong = await refused(409, next.append(stream(bytes), { ...whole, offset: 0 }), /goes on at byte 70000, not 0/);
  assert.equal(wrong.offset, 70_000);
  const done = await next.append(stream(bytes.subarray(70_000)), { ...whole, offset: 70_000, name: 'a.tgz' });
  assert.deepEqual(done, { offset: 100_000, stored: { ...whole, open: false, name: 'a.tgz', fresh: true } });
  const found = next.find(whole.sha256);
  assert.ok(found);
  assert.deepEqual(await buffer(await next.read(found)), bytes);
  assert.deepEqual(next.offset(whole.sha256), { offset: 100_000, complete: true });
  assert.equal(readdirSync(join(path, 'partial')).length, 0);
  const again = await next.append(stream(bytes), { ...whole, offset: 0 });
  assert.equal(again.stored?.fresh, false);
  assert.equal((await open(path)).list()[0]?.name, 'a.tgz');
});

suite('bytes that are not what was promised are given up whole', async () => {
  const path = folder();
  const store = await open(path, { one: 200_000 });
  const other = randomBytes(bytes.length);
  await refused(400, store.append(stream(other), { ...whole, offset: 0 }), /nothing was kept/);
  assert.deepEqual(store.offset(whole.sha256), { offset: 0, complete: false });
  await refused(400, store.append(stream(Buffer.concat([bytes, bytes])), { ...whole, offset: 0 }), /has 100000 bytes/);
  assert.equal(readdirSync(join(path, 'partial')).length, 0);
  await refused(413, store.append(stream(bytes), { ...whole, size: 200_001, offset: 0 }));
  await refused(400, store.append(stream(bytes), { sha256: '../x', size: 1, offset: 0 }));
  // A beginning that is longer than the whole is none: the next one starts anew.
  mkdirSync(join(path, 'partial'), { recursive: true });
  writeFileSync(partOf(path), Buffer.concat([bytes, bytes]));
  const next = await open(path);
  const error = await refused(409, next.append(stream(bytes), { ...whole, offset: 200_000 }));
  assert.equal(error.offset, 0);
  assert.ok((await next.append(stream(bytes), { ...whole, offset: 0 })).stored);
});

suite('a new connection takes an upload over from one that is dead and does not know it', async () => {
  const path = folder();
  const store = await open(path, { atOnce: 1 });
  const dead = new PassThrough();
  const first = store.append(dead, { ...whole, offset: 0 });
  dead.write(bytes.subarray(0, 10_000));
  await until('it is on the disk', () => existsSync(partOf(path)) && statSync(partOf(path)).size === 10_000);
  await refused(429, store.append(stream(Buffer.from('x')), { sha256: hash('x'), size: 1, offset: 0 }));
  const second = store.append(stream(bytes.subarray(10_000)), { ...whole, offset: 10_000 });
  await refused(409, first, /another connection/);
  assert.equal((await second).stored?.fresh, true);
});

suite('an upload that stands still ends, keeps what came, and its room goes to others when they need it', async () => {
  const path = folder();
  const store = await open(path, { idleMs: 1000, total: 120_000 });
  const slow = new PassThrough();
  const still = store.append(slow, { ...whole, offset: 0 });
  slow.write(bytes.subarray(0, 50_000));
  await refused(400, still, /stood still/);
  assert.equal(store.offset(whole.sha256).offset, 50_000);
  const other = randomBytes(90_000);
  await store.put(stream(other), { sha256: hash(other), size: other.length });
  assert.equal(store.offset(whole.sha256).offset, 0);
  assert.equal(existsSync(partOf(path)), false);
});

suite('beginnings are few, and go after a day', async () => {
  const path = folder();
  const store = await open(path);
  for (let index = 0; index < 18; index++) {
    await store.append(stream(Buffer.from([index])), { sha256: hash(`many ${index}`), size: 9, offset: 0 });
  }
  const names = readdirSync(join(path, 'partial'));
  assert.equal(names.length, 16);
  assert.ok(!names.includes(hash('many 0')) && names.includes(hash('many 17')));
  for (const name of names.slice(1)) utimesSync(join(path, 'partial', name), 1, 1);
  writeFileSync(join(path, 'partial', 'stray'), '');
  await open(path);
  assert.deepEqual(readdirSync(join(path, 'partial')), names.slice(0, 1));
});

suite('what a document names is neither removed nor thrown out for room, and everybody is told where it is used', async () => {
  const path = folder();
  const store = await open(path, { total: 25 });
  for (const text of ['0123456789', 'abcdefghij']) await add(store, text);
  const used = hash('0123456789');
  let uses: ArtifactUse[] = [...usesIn({ files: { web: { source: `artifact:${used}` } } }, 'node n1')];
  store.keepUsed(() => uses);
  await refused(409, store.remove(used), /is in use \(node n1: files\.web\.source\)/);
  utimesSync(join(path, used), 1, 1);
  await add(store, 'something');
  assert.ok(store.find(used) && !store.find(hash('abcdefghij')));
  assert.deepEqual(store.list().find(({ sha256 }) => sha256 === used)?.uses, ['node n1: files.web.source']);
  uses.push({ sha256: hash('something'), where: 'role all: files.x' });
  await refused(507, add(store, 'klmnopqrst'), /in use/);
  uses = [];
  await store.remove(used);
  assert.deepEqual(
    readdirSync(path).filter(name => name.startsWith(used)),
    [],
  );
  await refused(404, store.remove(used));
  await add(store, 'installer', { pinned: true });
  await refused(409, store.remove(hash('installer')), /it stays/);
});

suite('uses are found however deep, and told once each', () => {
  const [a, b] = [hash('a'), hash('b')];
  const document = {
    files: { x: { source: `artifact:${a}` }, y: [`artifact:${b}`, `artifact:${a}`] },
    note: `artifact:${a} `,
  };
  const found = [...usesIn(document, 'role web')];
  assert.deepEqual(placesOf(found, a), ['role web: files.x.source', 'role web: files.y.1']);
  assert.deepEqual(placesOf([...found, ...found], b), ['role web: files.y.0']);
  assert.deepEqual([...usesIn(`artifact:${a}`, 'x')], [{ sha256: a, where: 'x' }]);
  assert.equal(inWords(['1', '2', '3', '4', '5', '6', '7']), '1, 2, 3, 4, 5 and 2 more');
});

suite('progress is one line that fits', () => {
  assert.equal(inBytes(0), '0 B');
  assert.equal(inBytes(999_999), '1000 kB');
  assert.equal(inBytes(12_345_678), '12.3 MB');
  assert.equal(
    progressLine('a.tgz', 5_000_000, 10_000_000, 2_000_000, 80),
    'a.tgz [############------------]  50 %  5.0 MB of 10.0 MB  2.0 MB/s',
  );
  for (const columns of [0, 1, 20, 40, 80, 200]) {
    assert.ok(progressLine('x\x1b[2J'.repeat(30), 7, 9, 1, columns).length <= Math.max(0, columns - 1));
  }
  assert.ok(!progressLine('x\x1b[2J', 0, 0, 0, 80).includes('\x1b'));
});

suite.run();
