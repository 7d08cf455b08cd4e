/** A backup is whole or refused, and what is restored from it stands above everything that a node may have obeyed. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { packBackup, unpackBackup } from '../../broker/backup/archive.ts';
import { restoreBackup } from '../../broker/backup/restore.ts';
import { takeBackup } from '../../broker/backup/take.ts';
import {
  clusterKey,
  type DataFolder,
  openDataFolder,
  refuseLostJournal,
  writeFormat,
} from '../../broker/data-folder.ts';
import { upgradeFormat } from '../../broker/data-format.ts';
import { Journal } from '../../broker/desired/journal.ts';
import { openLevelStore } from '../../broker/store/level.ts';
import { format } from '../../shared/limits.ts';
import type { Log } from '../../shared/log.ts';
import type { Store } from '../../shared/store.ts';
import { folder } from '../fixture/processes.ts';

const backup = suite('backup and format');
const quiet: Log = { debug() {}, info() {}, warn() {}, error() {} };
const now = 1_800_000_000_000;

const put = (store: Store, entries: Readonly<Record<string, string>>): Promise<void> =>
  new Promise((resolve, reject) =>
    store.write(
      Object.entries(entries).map(([key, value]) => ({ put: key, value })),
      error => (error ? reject(error) : resolve()),
    ),
  );
const all = (store: Store): Promise<Record<string, string>> =>
  new Promise((resolve, reject) =>
    store.read('', (error, found) => (error ? reject(error) : resolve(Object.fromEntries(found)))),
  );
const closed = (store: Store): Promise<void> => new Promise(resolve => store.close(resolve));

interface Used {
  readonly data: DataFolder;
  readonly cluster: string;
  readonly bytes: Buffer;
}

/** A data folder that was in use, and its backup. */
async function used(entries: Readonly<Record<string, string>> = {}): Promise<Used> {
  const data = openDataFolder(join(folder(), 'data'));
  const store = await openLevelStore(data.journal);
  const { cluster } = clusterKey(data);
  fs.writeFileSync(join(data.trust, 'ca-key.pem'), 'a key\n', { mode: 0o600 });
  fs.writeFileSync(join(data.trust, 'ca.pem.new'), 'half', { mode: 0o600 });
  fs.writeFileSync(join(data.path, 'hearth.yaml'), 'version: 1\n');
  const doc = JSON.stringify({ services: { web: { run: 'sleep 1' } }, rev: 7 });
  await put(store, { 'meta/format': String(format), 'meta/gen': '4', 'meta/rev': '7', 'doc/node/n1': doc, ...entries });
  writeFormat(data);
  const bytes = await takeBackup({ folder: data, store, cluster, base: 'hearth', ver: '0.1.0', now: () => now });
  await closed(store);
  return { data, cluster, bytes };
}

backup('restored: the same key, documents and users, in a folder that starts; the generation is above', async () => {
  const { cluster, bytes } = await used({ 'trust/user/anna': '{"role":"admin"}' });
  const path = join(folder(), 'restored');
  const said = await restoreBackup(bytes, 'x.gz', path, now);
  assert.equal(said, { cluster, gen: now / 1000, rev: 7, nodes: 1, atMs: now });
  const data = openDataFolder(path);
  assert.not(data.fresh);
  assert.is(clusterKey(data).cluster, cluster);
  assert.is(fs.readFileSync(join(data.trust, 'ca-key.pem'), 'utf8'), 'a key\n');
  assert.is(fs.statSync(join(data.trust, 'ca-key.pem')).mode & 0o777, 0o600);
  assert.not(fs.existsSync(join(data.trust, 'ca.pem.new')));
  assert.is(fs.readFileSync(join(path, 'hearth.yaml'), 'utf8'), 'version: 1\n');
  const store = await openLevelStore(data.journal);
  await refuseLostJournal(data, store);
  const found = await all(store);
  await closed(store);
  assert.is(found['meta/gen'], String(now / 1000));
  assert.is(found['meta/rev'], '7');
  assert.is(found['trust/user/anna'], '{"role":"admin"}');
});

backup('of jobs it has the ids, and starts are numbered above those before', async () => {
  const jobs = { 'jobs/boot': '7', 'jobs/doc/a': '{}', 'jobout/a/0': 'x', 'jobart/a/b': '', 'jobvalue/1/0': 'x' };
  const { bytes } = await used({ ...jobs, 'jobid/old': '{}', 'jobday/20000/old': '', zzz: 'last' });
  const path = join(folder(), 'restored');
  await restoreBackup(bytes, 'x.gz', path, now);
  const store = await openLevelStore(openDataFolder(path).journal);
  const found = await all(store);
  await closed(store);
  assert.equal(
    Object.keys(found).filter(key => key.startsWith('job')),
    ['jobday/20000/old', 'jobid/old', 'jobs/boot'],
  );
  assert.ok(Number(found['jobs/boot']) >= 107 && Number(found['jobs/boot']) < 2 ** 23, found['jobs/boot']);
  assert.is(found.zzz, 'last');
});

backup('rooms are in it, with what their people said when, and the restored journal reads them', async () => {
  const entry = {
    document: { mode: 'heat', target_c: 21.5, schedule: [{ days: 'mon-fri', at: '06:00', preset: 'comfort' }] },
    ...{ said: { mode: 5, target_c: 6 }, rev: 7 },
  };
  const node = JSON.stringify({ document: {}, rev: 1 });
  const { bytes } = await used({
    'doc/node/n1': node,
    'meta/format': String(format),
    'room/attic': JSON.stringify(entry),
  });
  const path = join(folder(), 'restored');
  await restoreBackup(bytes, 'x.gz', path, now);
  const store = await openLevelStore(openDataFolder(path).journal);
  const journal = new Journal({ store, log: quiet, writing() {}, synced() {} });
  const error = await new Promise<string | undefined>(resolve => journal.load(resolve));
  await closed(store);
  assert.is(error, undefined);
  assert.equal(journal.durableRooms.get('attic'), entry);
});

backup('restored twice from one backup, or with a clock of 1970: still above what was before', async () => {
  const { bytes } = await used();
  const first = await restoreBackup(bytes, 'x', join(folder(), 'a'), now);
  const second = await restoreBackup(bytes, 'x', join(folder(), 'b'), now + 5000);
  assert.ok(second.gen > first.gen);
  assert.is((await restoreBackup(bytes, 'x', join(folder(), 'c'), 0)).gen, 5);
});

backup('cut off, changed, foreign, newer: refused with the reason, and the folder stays as it was', async () => {
  const { bytes } = await used();
  const text = gunzipSync(bytes).toString();
  const refused = async (bad: Uint8Array, why: RegExp) => {
    const path = join(folder(), 'new');
    try {
      await restoreBackup(bad, 'x.gz', path, now);
      assert.unreachable('it was taken');
    } catch (error) {
      assert.match((error as Error).message, why);
    }
    assert.not(fs.existsSync(path));
    assert.not(fs.existsSync(`${path}.restoring`));
  };
  await refused(bytes.subarray(0, bytes.length - 20), /x\.gz is no whole backup of Hearth: it cannot be unpacked/);
  await refused(gzipSync(text.slice(0, text.lastIndexOf('\n', text.length - 2) + 1)), /its end is missing/);
  await refused(gzipSync(text.replace('"rev":7', '"rev":8')), /it was changed after it was written/);
  await refused(gzipSync('hello\nworld\n'), /its first line does not say so/);
  await refused(
    gzipSync(text.replace('"hearth_backup":1', '"hearth_backup":2')),
    /backup version 2, this Hearth reads up to 1/,
  );
  const { head, entries, files } = unpackBackup(bytes, 'x');
  await refused(
    packBackup({ head: { ...head, format: format + 1 }, entries, files }),
    /has data format 4, this Hearth knows/,
  );
  await refused(packBackup({ head, entries, files: [] }), /does not hold the key of its cluster/);
  const climbing = { file: '../../climbed', in: 'trust' as const, mode: 0o600, text: 'x' };
  await refused(packBackup({ head, entries, files: [...files, climbing] }), /line \d+ is damaged/);
});

backup('a bomb is not unpacked', () => {
  const bomb = gzipSync(Buffer.alloc(16 * 1024 * 1024 + 1));
  assert.throws(() => unpackBackup(bomb, 'x.gz', 16 * 1024 * 1024), /unpacks to more than 16 MB/);
});

backup('a folder with something in it is not restored into', async () => {
  const { bytes } = await used();
  const path = folder();
  fs.writeFileSync(join(path, 'photo.jpg'), '');
  try {
    await restoreBackup(bytes, 'x', path, now);
    assert.unreachable('it was taken');
  } catch (error) {
    assert.match((error as Error).message, /is not empty: give a new folder/);
  }
  assert.equal(fs.readdirSync(path), ['photo.jpg']);
});

backup('a folder of format 1 becomes one of this format, and what it held is there', async () => {
  const { data } = await used();
  fs.writeFileSync(join(data.path, 'format'), '1\n');
  const before = await openLevelStore(data.journal);
  await put(before, { 'meta/format': '1' });
  const opened = openDataFolder(data.path);
  await upgradeFormat(opened, before, quiet);
  const found = await all(before);
  await closed(before);
  assert.is(found['meta/format'], String(format));
  const converted = { document: { services: { web: { run: 'sleep 1' } } }, rev: 7 };
  assert.equal(JSON.parse(found['doc/node/n1'] ?? ''), converted);
  assert.is(fs.readFileSync(join(data.path, 'format'), 'utf8'), `${format}\n`);
});

backup('a start that was cut off between formats is done again, and converts nothing twice', async () => {
  const { data } = await used({ 'doc/node/n2': JSON.stringify({ document: { services: {} }, rev: 3 }) });
  const store = await openLevelStore(data.journal);
  await put(store, { 'meta/format': '2' });
  await upgradeFormat(openDataFolder(data.path), store, quiet);
  const found = await all(store);
  await closed(store);
  assert.is(found['meta/format'], String(format));
  assert.equal(JSON.parse(found['doc/node/n1'] ?? '').document, { services: { web: { run: 'sleep 1' } } });
  assert.equal(JSON.parse(found['doc/node/n2'] ?? ''), { document: { services: {} }, rev: 3 });
});

backup.run();
