import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { FileItem } from '../../shared/schemas/file.ts';
import { FilesRig } from '../fixture/files/rig.ts';

const files = suite('files');
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

files(
  'content, mode and folders are made; the same again has no steps, no effects, and stays so after a restart',
  async () => {
    const rig = await begin();
    const wanted = {
      a: file(rig.path('one/two/a'), 'text\n'),
      b: file(rig.path('b'), 'secret', { mode: '0600' }),
    };
    assert.equal(await rig.make(wanted), ['file.write a', 'file.write b']);
    assert.is(read(rig.path('one/two/a')), 'text\n');
    assert.is(modeOf(rig.path('one/two/a')), '644');
    assert.is(modeOf(rig.path('one')), '755');
    assert.is(modeOf(rig.path('b')), '600');
    assert.equal(rig.changes.sort(), ['a', 'b']);
    assert.equal([rig.state('a'), rig.state('b'), rig.table.error()], ['ok', 'ok', '']);
    for (const restarted of [false, true]) {
      if (restarted) await rig.restart();
      assert.equal(await rig.make(wanted), []);
      assert.equal(rig.effects, []);
      assert.is(rig.state('a'), 'ok');
    }
    assert.equal(rig.all(), ['b', 'one', 'one/two', 'one/two/a']);
  },
);

files('what was there before is kept once, and comes back whole with its permissions and times', async () => {
  const rig = await begin();
  const path = rig.path('config');
  fs.writeFileSync(path, 'before');
  fs.chmodSync(path, 0o640);
  fs.utimesSync(path, 1e9, 1e9);
  await rig.make({ a: file(path, 'first') });
  await rig.make({ a: file(path, 'second') });
  assert.is(read(path), 'second');
  assert.is(rig.kept().length, 1);
  await rig.restart();
  assert.equal(await rig.make({}), ['file.restore a']);
  assert.equal([read(path), modeOf(path), fs.statSync(path).mtimeMs], ['before', '640', 1e12]);
  assert.equal([rig.kept(), rig.table.items()], [[], {}]);
});

files(
  'a file that moves leaves what was there before at its old path, and folders that were made for it go',
  async () => {
    const rig = await begin();
    await rig.make({ a: file(rig.path('made/here/a'), 'x') });
    assert.equal((await rig.make({ a: file(rig.path('there'), 'x') })).sort(), ['file.restore a', 'file.write a']);
    assert.equal(rig.all(), ['there']);
  },
);

files('a folder that two files share stays until the last of them goes', async () => {
  const rig = await begin();
  const a = file(rig.path('d/a'), 'a');
  const b = file(rig.path('d/b'), 'b');
  await rig.make({ a });
  await rig.make({ a, b });
  await rig.make({ b });
  assert.equal(rig.all(), ['d', 'd/b']);
  await rig.make({});
  assert.equal(rig.all(), []);
});

files('a symlink in the place of a file is replaced, never written through, and comes back', async () => {
  const rig = await begin();
  fs.writeFileSync(rig.path('victim'), 'untouched');
  fs.symlinkSync('victim', rig.path('link'));
  await rig.make({ a: file(rig.path('link'), 'mine') });
  assert.is(read(rig.path('victim')), 'untouched');
  assert.ok(fs.lstatSync(rig.path('link')).isFile());
  await rig.make({});
  assert.is(fs.readlinkSync(rig.path('link')), 'victim');
});

files('a folder or a pipe in the place of a file is refused with a sentence, and tried again later', async () => {
  const rig = await begin();
  fs.mkdirSync(rig.path('taken'));
  const { errors } = await rig.apply({ a: file(rig.path('taken'), 'x') });
  assert.match(errors[0] ?? '', /^files\/a: .*taken is a folder: move it away, or name another path$/);
  assert.is(rig.state('a'), 'failed');
  assert.ok((rig.table.items()['files/a']?.next_ms ?? 0) > Date.now());
  // While it waits, nothing is tried; something else wanted is tried at once.
  assert.equal(await rig.make({ a: file(rig.path('taken'), 'x') }), []);
  assert.match(rig.table.error(), /taken is a folder/);
  assert.equal(await rig.make({ a: file(rig.path('free'), 'x') }), ['file.write a']);
});

files('two items with one path: the second says whose it is', async () => {
  const rig = await begin();
  const wanted = { b: file(rig.path('x'), 'b'), a: file(`${rig.machine}//x`, 'a') };
  assert.equal(await rig.make(wanted), ['file.write a']);
  assert.is(read(rig.path('x')), 'a');
  assert.match(rig.table.items()['files/b']?.err ?? '', /x is already that of files\/a: name another path/);
});

files('absent: what is there is kept and comes back; what comes again goes', async () => {
  const rig = await begin();
  const path = rig.path('old');
  fs.writeFileSync(path, 'old');
  const wanted: Record<string, FileItem> = {
    a: { path, state: 'absent' },
    b: { path: rig.path('never'), state: 'absent' },
  };
  assert.equal(await rig.make(wanted), ['file.remove a']);
  assert.equal(rig.all(), []);
  fs.writeFileSync(path, 'again');
  assert.equal(await rig.make(wanted), ['file.remove a']);
  assert.equal(await rig.make(wanted), []);
  assert.equal([rig.state('a'), rig.state('b')], ['ok', 'ok']);
  await rig.make({});
  assert.equal([rig.all(), read(path)], [['old'], 'old']);
});

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

files('a template is filled in, and written anew when a fact changes', async () => {
  const rig = await begin();
  const wanted = { a: file(rig.path('t'), 'id={{ node.id }} {{{{ kept }}', { template: true }) };
  await rig.make(wanted);
  assert.is(read(rig.path('t')), 'id=n1 {{ kept }}');
  rig.facts = { 'node.id': 'n2' };
  assert.equal(await rig.make(wanted), ['file.write a']);
  assert.is(read(rig.path('t')), 'id=n2 {{ kept }}');
  rig.facts = { 'node.ib': 'n2' };
  assert.equal(await rig.make(wanted), []);
  assert.match(
    rig.table.items()['files/a']?.err ?? '',
    /line 1 of the template: this node has no fact "node.id": is it "node.ib"\?/,
  );
  assert.is(read(rig.path('t')), 'id=n2 {{ kept }}');
});

files(
  'a source is fetched once, checked, and fetched again when it changed; permissions alone need no fetching',
  async () => {
    const rig = await begin();
    const from = `${rig.root}/source`;
    fs.writeFileSync(from, 'v1');
    const item: FileItem = { path: rig.path('bin'), source: `file://${from}`, mode: '0755' };
    await rig.make({ a: item });
    assert.equal([read(rig.path('bin')), modeOf(rig.path('bin')), rig.copies.held], ['v1', '755', 0]);
    assert.equal(await rig.make({ a: item }), []);
    fs.writeFileSync(from, 'version 2');
    assert.equal(await rig.make({ a: item }), ['file.write a']);
    assert.is(read(rig.path('bin')), 'version 2');
    const sha256 = createHash('sha256').update('version 2').digest('hex');
    await rig.make({ a: { ...item, sha256 } });
    rig.copies.asked.length = 0;
    await rig.make({ a: { ...item, sha256, mode: '0700' } });
    assert.equal([read(rig.path('bin')), modeOf(rig.path('bin')), rig.copies.asked], ['version 2', '700', []]);
  },
);

files('a source that is away is waited for, and the file that is there stays', async () => {
  const rig = await begin();
  const from = `${rig.root}/source`;
  fs.writeFileSync(from, 'v1');
  const item: FileItem = { path: rig.path('x'), source: `file://${from}` };
  await rig.make({ a: item });
  rig.copies.failure = { sentence: 'the network is away', later: true };
  fs.writeFileSync(from, 'v2!');
  const { errors } = await rig.apply({ a: item });
  assert.equal(errors, ['files/a: the network is away']);
  assert.is(read(rig.path('x')), 'v1');
  const next = (rig.table.items()['files/a']?.next_ms ?? 0) - Date.now();
  assert.ok(next > 10_000 && next < 31_000, String(next));
});

files(
  'another document while a source is being fetched: the fetch is cancelled, and only the new one is done',
  async () => {
    const rig = await begin();
    rig.copies.stalled = [12e6, 80e6];
    const source = { path: rig.path('big'), source: `file://${rig.root}/big` };
    const first = rig.apply({ a: source, b: file(rig.path('b'), 'b') });
    await rig.news.when(
      () => rig.table.items()['files/a']?.doing === 'fetching 12 of 80 MB' || undefined,
      'progress',
      10_000,
      () => [JSON.stringify(rig.table.items())],
    );
    assert.is(rig.state('a'), 'changing');
    assert.equal((await rig.make({ a: file(rig.path('small'), 'x') })).sort(), ['file.restore b', 'file.write a']);
    assert.match((await first).errors.join(), /given up/);
    assert.equal([rig.copies.cancelled, rig.state('a'), rig.table.error()], [1, 'ok', '']);
    assert.equal(rig.all(), ['small']);
  },
);

files('who depends on a file hears of changed content, and of nothing else', async () => {
  const rig = await begin();
  fs.writeFileSync(rig.path('same'), 'text');
  const item = file(rig.path('same'), 'text');
  const heard = async (wanted: Record<string, FileItem>) => {
    await rig.make(wanted);
    return [...rig.changes];
  };
  assert.equal(await heard({ a: item }), []);
  assert.equal(await heard({ a: { ...item, mode: '0600' } }), []);
  assert.equal(await heard({ a: { ...item, content: 'other' } }), ['a']);
  fs.writeFileSync(item.path, 'edited');
  assert.equal(await heard({ a: { ...item, content: 'other' } }), ['a']);
  assert.equal(await heard({}), ['a']);
});

files('nothing wanted and nothing held is answered at once', async () => {
  const rig = await begin();
  let isDone = false;
  rig.table.look({}, () => {
    isDone = true;
  });
  assert.ok(isDone);
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

files("the agent's own folder is no place for items", async () => {
  const rig = await begin();
  await rig.apply({ a: file(`${rig.data}/items/files.json`, 'x') });
  assert.match(rig.table.error(), /is in the agent's own folder/);
});

files.run();
