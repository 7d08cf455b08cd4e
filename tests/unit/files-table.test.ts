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
  const before = Date.now();
  const { errors } = await rig.apply({ a: item });
  assert.equal(errors, ['files/a: the network is away']);
  assert.is(read(rig.path('x')), 'v1');
  const next = rig.table.items()['files/a']?.next_ms ?? 0;
  const [least, most] = [next - before, next - Date.now()];
  assert.ok(least > 10_000 && most < 31_000, `${least} ${most}`);
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

files("the agent's own folder is no place for items", async () => {
  const rig = await begin();
  await rig.apply({ a: file(`${rig.data}/items/files.json`, 'x') });
  assert.match(rig.table.error(), /is in the agent's own folder/);
});

files.run();
