/** What people do to files that Hearth looks after. */
import * as fs from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { FileItem } from '../../shared/schemas/file.ts';
import { FilesRig } from '../fixture/files/rig.ts';

const files = suite('files edited');
const rigs: FilesRig[] = [];
const begin = async (options = {}) => {
  const rig = new FilesRig(options);
  rigs.push(rig);
  return rig.start();
};
files.after.each(() => {
  for (const rig of rigs.splice(0)) rig.table.close();
});
const read = (path: string) => fs.readFileSync(path, 'utf8');
const modeOf = (path: string) => (fs.lstatSync(path).mode & 0o7777).toString(8);
const file = (path: string, content: string, more: Partial<FileItem> = {}): FileItem => ({ path, content, ...more });

files('an edit is drift: put right with a diff, a notice and a word to who depends on it', async () => {
  const rig = await begin();
  const path = rig.path('motd');
  const wanted = { a: file(path, 'one\ntwo\nthree\n') };
  await rig.make(wanted);
  fs.writeFileSync(path, 'one\n2\nthree\n');
  assert.equal(await rig.make(wanted), ['file.write a']);
  assert.is(read(path), 'one\ntwo\nthree\n');
  assert.is(rig.table.items()['files/a']?.diff, '@@ -1,3 +1,3 @@\n one\n-two\n+2\n three');
  assert.is(rig.state('a'), 'ok');
  assert.equal(rig.changes, ['a']);
  assert.ok(rig.notices.some(notice => /^warn drift files\/a: .*motd was put right: edited$/.test(notice)));
  for (const change of [() => fs.chmodSync(path, 0o777), () => fs.rmSync(path), () => fs.truncateSync(path)]) {
    change();
    assert.equal(await rig.make(wanted), ['file.write a']);
    assert.equal([read(path), modeOf(path)], ['one\ntwo\nthree\n', '644']);
  }
  // Touched and rewritten with the same content is no drift, and nothing is written for it.
  fs.writeFileSync(path, 'one\ntwo\nthree\n');
  assert.equal(await rig.make(wanted), []);
  assert.equal(rig.effects, []);
});

files('drift that is only to be reported is left alone', async () => {
  const rig = await begin();
  const path = rig.path('motd');
  const wanted = { a: file(path, 'one\n', { drift: 'report' }) };
  await rig.make(wanted);
  fs.writeFileSync(path, 'two\n');
  assert.equal(await rig.make(wanted), []);
  assert.equal([rig.state('a'), read(path), rig.table.error()], ['drifted', 'two\n', '']);
  assert.is(rig.table.items()['files/a']?.err, `${path}: edited`);
  assert.is(rig.table.items()['files/a']?.diff, '@@ -1,1 +1,1 @@\n-one\n+two');
  // A new document is not drift.
  assert.equal(await rig.make({ a: file(path, 'three\n', { drift: 'report' }) }), ['file.write a']);
  assert.equal([rig.state('a'), read(path)], ['ok', 'three\n']);
});

files('no diff is shown of what may be a secret, or is not for everybody to read', async () => {
  const rig = await begin();
  const cases: readonly (readonly [FileItem, string])[] = [
    [file(rig.path('a'), 'key=sealed:v1:abc\n'), 'key=hand\n'],
    [file(rig.path('b'), 'key=1\n'), 'key=sealed:v1:abc\n'],
    [file(rig.path('c'), 'key=1\n', { mode: '0640' }), 'key=hunter2\n'],
    [file(rig.path('d'), 'key=1\n'), 'key=\0\n'],
    [file(rig.path('e'), 'key=1\n'), `key=${'x'.repeat(70_000)}\n`],
  ];
  for (const [item, edit] of cases) {
    await rig.make({ x: item });
    fs.writeFileSync(item.path, edit);
    await rig.make({ x: { ...item, drift: 'report' } });
    assert.equal([rig.state('x'), rig.table.items()['files/x']?.diff], ['drifted', undefined], item.path);
    await rig.make({ x: item });
    assert.is(rig.table.items()['files/x']?.diff, undefined, item.path);
    await rig.make({});
  }
});

files('an edit is not lost when the item goes: it stands beside, and the original is back', async () => {
  const rig = await begin();
  const path = rig.path('conf');
  fs.writeFileSync(path, 'before');
  const wanted = { a: file(path, 'ours', { drift: 'report' }) };
  for (const [edit, name] of [
    ['edit', 'conf.hearth-edited'],
    ['more', 'conf.hearth-edited.2'],
  ] as const) {
    await rig.make(wanted);
    fs.writeFileSync(path, edit);
    await rig.make({});
    assert.equal([read(path), read(rig.path(name))], ['before', edit]);
  }
  assert.equal(rig.all(), ['conf', 'conf.hearth-edited', 'conf.hearth-edited.2']);
  assert.ok(rig.notices.some(notice => notice.includes('was edited by hand')));
});

files('a ledger that is damaged is put aside, and the originals are not lost with it', async () => {
  const rig = await begin();
  fs.writeFileSync(rig.path('a'), 'before');
  await rig.make({ a: file(rig.path('a'), 'ours') });
  fs.writeFileSync(`${rig.data}/items/files.json`, '{"version":1,"entr');
  await rig.restart();
  assert.ok(rig.notices.some(notice => notice.includes('files.json.damaged')));
  await rig.make({ a: file(rig.path('a'), 'ours') });
  await rig.make({});
  assert.is(read(rig.path('a')), 'before');
});

files.run();
