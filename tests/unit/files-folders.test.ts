/** Folders that come from archives, and folders of other users in which files are made. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { FileItem } from '../../shared/schemas/file.ts';
import { type TarEntry, tar } from '../fixture/files/archives.ts';
import { FilesRig } from '../fixture/files/rig.ts';

const folders = suite('files folders');
const rigs: FilesRig[] = [];
const begin = async (options = {}) => {
  const rig = new FilesRig(options);
  rigs.push(rig);
  return rig.start();
};
folders.after.each(() => {
  for (const rig of rigs.splice(0)) rig.table.close();
});
const read = (path: string) => fs.readFileSync(path, 'utf8');
const isRoot = process.geteuid?.() === 0;
const asRoot = (name: string, test: () => Promise<void>) =>
  isRoot ? folders(name, test) : console.log(`skipped: ${name} (needs root)`);

function archive(rig: FilesRig, name: string, entries: readonly TarEntry[]): FileItem {
  const path = join(rig.root, name);
  fs.writeFileSync(path, tar(entries));
  return { path: rig.path('app'), source: `file://${path}`, unpack: true };
}
const one: readonly TarEntry[] = [
  { name: 'bin/run', mode: 0o755, body: 'run 1' },
  { name: 'conf', body: 'default' },
  { name: 'link', type: '2', target: 'bin/run' },
];
const two: readonly TarEntry[] = [{ name: 'bin/run', mode: 0o755, body: 'run 2' }];

folders(
  'an archive becomes a folder; another one takes its place whole; what was there before comes back',
  async () => {
    const rig = await begin();
    fs.mkdirSync(rig.path('app'), { mode: 0o700 });
    fs.writeFileSync(rig.path('app/theirs'), 'theirs');
    const app = archive(rig, 'one.tar', one);
    assert.equal(await rig.make({ app }), ['folder.unpack app']);
    assert.equal(rig.all(), ['app', 'app/bin', 'app/bin/run', 'app/conf', 'app/link']);
    assert.is(read(rig.path('app/link')), 'run 1');
    assert.equal(await rig.make({ app }), []);
    assert.equal(rig.effects, []);
    await rig.restart();
    assert.equal(await rig.make({ app }), []);
    assert.equal(rig.effects, []);
    await rig.make({ app: archive(rig, 'two.tar', two) });
    assert.equal(rig.all(), ['app', 'app/bin', 'app/bin/run']);
    await rig.make({});
    assert.equal([rig.all(), read(rig.path('app/theirs'))], [['app', 'app/theirs'], 'theirs']);
    assert.is((fs.statSync(rig.path('app')).mode & 0o777).toString(8), '700');
    assert.equal([rig.kept(), fs.readdirSync(join(rig.data, 'items/manifests')), rig.copies.held], [[], [], 0]);
  },
);

folders('what differs in a folder is put right alone: what else came to be in it stays', async () => {
  const rig = await begin();
  const app = archive(rig, 'one.tar', one);
  await rig.make({ app });
  fs.writeFileSync(rig.path('app/data'), 'of the program');
  const { ino } = fs.statSync(rig.path('app/conf'));
  fs.writeFileSync(rig.path('app/bin/run'), 'edited');
  fs.rmSync(rig.path('app/link'));
  fs.symlinkSync('/etc', rig.path('app/link'));
  assert.equal(await rig.make({ app }), ['folder.repair app']);
  assert.equal([read(rig.path('app/bin/run')), fs.readlinkSync(rig.path('app/link'))], ['run 1', 'bin/run']);
  assert.equal([fs.statSync(rig.path('app/conf')).ino, read(rig.path('app/data'))], [ino, 'of the program']);
  assert.equal(await rig.make({ app }), []);
  // Whole folders that went or changed, and things of another kind.
  fs.rmSync(rig.path('app/bin'), { recursive: true });
  fs.rmSync(rig.path('app/conf'));
  fs.mkdirSync(rig.path('app/conf'));
  assert.equal(await rig.make({ app }), ['folder.repair app']);
  assert.equal([read(rig.path('app/bin/run')), read(rig.path('app/conf'))], ['run 1', 'default']);
  assert.equal(await rig.make({ app }), []);
});

folders('a folder that holds what is not from its archive is kept beside when it goes', async () => {
  const rig = await begin();
  await rig.make({ app: archive(rig, 'one.tar', one) });
  fs.writeFileSync(rig.path('app/data'), 'precious');
  await rig.make({ app: archive(rig, 'two.tar', two) });
  assert.is(read(rig.path('app.hearth-edited/data')), 'precious');
  fs.writeFileSync(rig.path('app/bin/run'), 'edited');
  await rig.make({});
  assert.is(read(rig.path('app.hearth-edited.2/bin/run')), 'edited');
  assert.not.ok(fs.existsSync(rig.path('app')));
});

folders(
  'a file of another item in the folder is no drift of it, survives another archive, and is put back with it',
  async () => {
    const rig = await begin();
    const conf: FileItem = { path: rig.path('app/conf'), content: 'configured' };
    const deep: FileItem = { path: rig.path('app/etc/deep/x'), content: 'x' };
    const app = archive(rig, 'one.tar', one);
    await rig.make({ app, conf, deep });
    assert.is(read(rig.path('app/conf')), 'configured');
    assert.equal(await rig.make({ app, conf, deep }), []);
    await rig.make({ app: archive(rig, 'two.tar', two), conf, deep });
    assert.equal(
      rig.all().filter(name => name.includes('edited')),
      [],
    );
    assert.is(read(rig.path('app/conf')), 'configured');
    await rig.make({ app, conf, deep });
    await rig.make({ app });
    assert.is(read(rig.path('app/conf')), 'default');
    assert.not.ok(fs.existsSync(rig.path('app/etc')));
    await rig.make({});
    assert.equal(rig.all(), []);
  },
);

folders('an archive that is refused changes nothing, and leaves nothing', async () => {
  const rig = await begin();
  fs.mkdirSync(rig.path('app'));
  fs.writeFileSync(rig.path('app/theirs'), 'theirs');
  const { errors } = await rig.apply({ app: archive(rig, 'bad.tar', [...one, { name: '../evil', body: 'x' }]) });
  assert.match(errors[0] ?? '', /files\/app: the archive holds "..\/evil", a name that leads out of its folder/);
  assert.equal(rig.all(), ['app', 'app/theirs']);
  assert.equal([rig.kept(), rig.copies.held], [[], 0]);
  await rig.restart();
  assert.equal(rig.all(), ['app', 'app/theirs']);
});

folders('what is too large to be kept, or cannot be, is not replaced', async () => {
  const rig = await begin();
  fs.writeFileSync(rig.path('app'), 'a file');
  await rig.make({ app: archive(rig, 'one.tar', one) });
  await rig.make({});
  assert.is(read(rig.path('app')), 'a file');
});

asRoot('a folder that everybody may write is refused; a sticky one is not', async () => {
  const rig = await begin();
  fs.mkdirSync(rig.path('open'));
  fs.chmodSync(rig.path('open'), 0o777);
  const wanted = { a: { path: rig.path('open/a'), content: 'x' } };
  const { errors } = await rig.apply(wanted);
  assert.match(errors[0] ?? '', /may be written by everybody: take that away \(chmod o-w\), or name another path/);
  fs.chmodSync(rig.path('open'), 0o1777);
  await rig.restart();
  await rig.make(wanted);
  assert.is(read(rig.path('open/a')), 'x');
});

asRoot(
  "another user's folder is entered only for that user's files, and new folders there are that user's",
  async () => {
    const rig = await begin();
    fs.chmodSync(rig.root, 0o755);
    fs.mkdirSync(rig.path('home'));
    fs.chownSync(rig.path('home'), 4242, 4242);
    const path = rig.path('home/.config/app/conf');
    const { errors } = await rig.apply({ a: { path, content: 'x' } });
    assert.match(errors[0] ?? '', /belongs to user 4242: say whose the file is with "owner"/);
    assert.equal(rig.all(), ['home']);
    await rig.make({ a: { path, content: 'x', owner: '4242:4242', mode: '0600' } });
    for (const each of [path, rig.path('home/.config'), rig.path('home/.config/app')]) {
      assert.equal([fs.statSync(each).uid, fs.statSync(each).gid], [4242, 4242], each);
    }
    assert.equal(await rig.make({ a: { path, content: 'x', owner: '4242:4242', mode: '0600' } }), []);
    await rig.make({});
    assert.equal(rig.all(), ['home']);
  },
);

asRoot("symlinks in another user's folder, and symlinks of another user, are not followed", async () => {
  const rig = await begin();
  fs.mkdirSync(rig.path('victim'));
  fs.mkdirSync(rig.path('home'));
  fs.symlinkSync(rig.path('victim'), rig.path('home/.config'));
  fs.chownSync(rig.path('home'), 4242, 4242);
  fs.lchownSync(rig.path('home/.config'), 4242, 4242);
  const { errors } = await rig.apply({ a: { path: rig.path('home/.config/a'), content: 'x', owner: '4242:4242' } });
  assert.match(errors[0] ?? '', /a symlink in another user's folder: not followed/);
  fs.mkdirSync(rig.path('tmp'));
  fs.chmodSync(rig.path('tmp'), 0o1777);
  fs.symlinkSync(rig.path('victim'), rig.path('tmp/theirs'));
  fs.lchownSync(rig.path('tmp/theirs'), 4242, 4242);
  const other = await rig.apply({ a: { path: rig.path('tmp/theirs/a'), content: 'x', owner: '4242:4242' } });
  assert.match(other.errors[0] ?? '', /is a symlink of user 4242: only those of root/);
  assert.equal(fs.readdirSync(rig.path('victim')), []);
  // The admin's own symlinks are followed.
  fs.symlinkSync('victim', rig.path('mine'));
  await rig.make({ a: { path: rig.path('mine/a'), content: 'x' } });
  assert.is(read(rig.path('victim/a')), 'x');
});

asRoot('a folder that its owner swaps for a symlink while a file is being written leads nowhere else', async () => {
  const rig = await begin();
  fs.mkdirSync(rig.path('victim'));
  fs.mkdirSync(rig.path('home/dir'), { recursive: true });
  fs.chownSync(rig.path('home'), 4242, 4242);
  fs.chownSync(rig.path('home/dir'), 4242, 4242);
  let swapped = 0;
  rig.before = kind => {
    // Between the look at the folder and each effect in it, the owner puts a symlink in its place.
    if (kind !== 'create' && kind !== 'rename') return;
    if (swapped++ > 0 || !rig.effects.at(-1)?.[1].startsWith('/proc/self/fd/')) return void swapped--;
    fs.renameSync(rig.path('home/dir'), rig.path('home/away'));
    fs.symlinkSync(rig.path('victim'), rig.path('home/dir'));
  };
  await rig.apply({ a: { path: rig.path('home/dir/a'), content: 'x', owner: '4242:4242' } });
  assert.is(swapped, 1);
  assert.equal([fs.readdirSync(rig.path('victim')), fs.readdirSync(rig.path('home/away'))], [[], ['a']]);
});

asRoot("an archive in a user's folder is unpacked for that user, and removed without following symlinks", async () => {
  const rig = await begin();
  fs.mkdirSync(rig.path('victim'));
  fs.writeFileSync(rig.path('victim/precious'), 'x');
  fs.mkdirSync(rig.path('home'));
  fs.chownSync(rig.path('home'), 4242, 4242);
  const app = { ...archive(rig, 'one.tar', one), path: rig.path('home/app'), owner: '4242:4242' };
  await rig.make({ app });
  assert.is(fs.statSync(rig.path('home/app/bin/run')).uid, 4242);
  assert.equal(await rig.make({ app }), []);
  fs.renameSync(rig.path('home/app/bin'), rig.path('home/app/moved'));
  fs.symlinkSync(rig.path('victim'), rig.path('home/app/bin'));
  fs.writeFileSync(rig.path('victim/run'), 'theirs');
  await rig.make({ app });
  assert.is(read(rig.path('victim/run')), 'theirs');
  assert.is(read(rig.path('home/app/bin/run')), 'run 1');
  await rig.make({});
  assert.equal(fs.readdirSync(rig.path('victim')).sort(), ['precious', 'run']);
});

folders.run();
