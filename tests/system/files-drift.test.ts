/**
 * Drift on a real file system: seen by its events within two seconds, else by rounds; told once, and never of what is
 * our own. Runs alone: that drift is seen within two seconds is promised.
 */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { tar } from '../fixture/files/archives.ts';
import { FilesRig, type Items } from '../fixture/files/rig.ts';
import { manualClock } from '../fixture/manual-clock.ts';
import { until } from '../fixture/processes.ts';

const drift = suite('files drift');
const rigs: FilesRig[] = [];
const begin = async (options = {}) => {
  const rig = new FilesRig(options);
  rigs.push(rig);
  return rig.start();
};
drift.after.each(() => {
  for (const rig of rigs.splice(0)) rig.table.close();
});

/** Milliseconds until a new look is asked for. */
async function seen(rig: FilesRig, change: () => void): Promise<number> {
  const began = performance.now();
  const again = rig.again();
  change();
  await again;
  return performance.now() - began;
}

const read = (path: string) => fs.readFileSync(path, 'utf8');

drift('edits, replacements, removals and permissions are seen within two seconds, and put right', async () => {
  const rig = await begin();
  const path = rig.path('etc/conf');
  const wanted: Items = { a: { path, content: 'wanted\n' } };
  await rig.make(wanted);
  const changes: Readonly<Record<string, () => void>> = {
    edited: () => fs.writeFileSync(path, 'edited\n'),
    'edited with the same size and time': () => {
      const { atime, mtime } = fs.statSync(path);
      fs.writeFileSync(path, 'WANTED\n');
      fs.utimesSync(path, atime, mtime);
    },
    replaced: () => {
      fs.writeFileSync(`${path}~`, 'other');
      fs.renameSync(`${path}~`, path);
    },
    removed: () => fs.rmSync(path),
    'removed once more': () => fs.rmSync(path),
    'removed with its folder': () => fs.rmSync(rig.path('etc'), { recursive: true }),
    'made a symlink': () => {
      fs.rmSync(path);
      fs.symlinkSync('/etc/passwd', path);
    },
    chmod: () => fs.chmodSync(path, 0o666),
  };
  for (const [name, change] of Object.entries(changes)) {
    const ms = await seen(rig, change);
    assert.ok(ms < 2000, `${name}: ${ms} ms`);
    // The rig forgives a fight: each kind of change is a story of its own.
    const { steps, errors } = await rig.apply(wanted);
    if (steps.length === 0) {
      assert.match(rig.table.error(), /again and again/);
      await rig.restart();
      await rig.make(wanted);
    }
    assert.equal(errors, [], name);
    assert.equal([read(path), fs.lstatSync(path).isFile()], ['wanted\n', true], name);
  }
});

drift('what the agent does itself, and what happens beside, is no drift', async () => {
  const rig = await begin();
  const wanted: Items = { a: { path: rig.path('a'), content: 'a' }, z: { path: rig.path('z'), content: 'z' } };
  await rig.make(wanted);
  fs.writeFileSync(rig.path('other'), 'x');
  fs.utimesSync(rig.path('a'), 1e9, 1e9);
  await seen(rig, () => fs.writeFileSync(rig.path('z'), 'edited'));
  assert.is(rig.agains, 1);
  assert.equal(await rig.make(wanted), ['file.write z']);
});

drift('drift that is only reported is told once', async () => {
  const rig = await begin();
  const wanted: Items = {
    a: { path: rig.path('a'), content: 'a', drift: 'report' },
    z: { path: rig.path('z'), content: 'z' },
  };
  await rig.make(wanted);
  await seen(rig, () => fs.writeFileSync(rig.path('a'), 'edited'));
  assert.equal(await rig.make(wanted), []);
  assert.is(rig.state('a'), 'drifted');
  await seen(rig, () => fs.writeFileSync(rig.path('z'), 'edited'));
  assert.is(rig.agains, 2);
  await rig.make(wanted);
  await seen(rig, () => fs.writeFileSync(rig.path('a'), 'a'));
  await rig.make(wanted);
  assert.is(rig.state('a'), 'ok');
});

drift('files in a folder from an archive are watched, others in it are not; what is to be absent is, too', async () => {
  const rig = await begin();
  fs.writeFileSync(join(rig.root, 'one.tar'), tar([{ name: 'bin/run', body: 'run' }]));
  const wanted: Items = {
    app: { path: rig.path('app'), source: `file://${rig.root}/one.tar`, unpack: true },
    gone: { path: rig.path('gone'), state: 'absent' },
  };
  await rig.make(wanted);
  fs.writeFileSync(rig.path('app/bin/log'), 'x');
  assert.ok((await seen(rig, () => fs.writeFileSync(rig.path('app/bin/run'), 'edited'))) < 2000);
  assert.equal(await rig.make(wanted), ['folder.repair app']);
  assert.is(rig.agains, 1);
  assert.ok((await seen(rig, () => fs.writeFileSync(rig.path('gone'), 'x'))) < 2000);
  assert.equal(await rig.make(wanted), ['file.remove gone']);
});

drift(
  'without events a round of 30 s sees drift, new facts, new users and new sources; nothing is read for it',
  async () => {
    const clock = manualClock();
    const rig = await begin({ clock, hasEvents: false });
    fs.writeFileSync(join(rig.root, 'source'), 'v1');
    const wanted: Items = {
      a: { path: rig.path('a'), content: 'a' },
      s: { path: rig.path('s'), source: `file://${rig.root}/source` },
      t: { path: rig.path('t'), content: '{{ node.id }}', template: true },
    };
    await rig.make(wanted);
    const changes = [
      () => fs.writeFileSync(rig.path('a'), 'b'),
      () => fs.writeFileSync(join(rig.root, 'source'), 'v2'),
      () => {
        rig.facts = { 'node.id': 'n2' };
      },
    ];
    for (const [at, change] of changes.entries()) {
      clock.advance(29_000);
      change();
      assert.is(rig.agains, at);
      clock.advance(1000);
      await rig.news.when(
        () => (rig.agains > at ? true : undefined),
        'round',
        10_000,
        () => rig.notices,
      );
      assert.is((await rig.make(wanted)).length, 1);
    }
    assert.equal(await rig.make(wanted), []);
    assert.equal(rig.effects, []);
  },
);

drift('a file that another program keeps changing is left alone, with a sentence, and taken up again', async () => {
  const clock = manualClock();
  const rig = await begin({ clock, hasEvents: false });
  const wanted: Items = { a: { path: rig.path('a'), content: 'ours' } };
  await rig.make(wanted);
  for (let round = 0; round < 6; round++) {
    fs.writeFileSync(rig.path('a'), 'theirs');
    assert.equal(await rig.make(wanted), ['file.write a']);
  }
  fs.writeFileSync(rig.path('a'), 'theirs');
  assert.equal(await rig.make(wanted), []);
  assert.is(rig.state('a'), 'drifted');
  assert.match(
    rig.table.error(),
    /another program on this node writes it too; find that program, or say "drift": "report"/,
  );
  const before = rig.agains;
  clock.advance(601_000);
  await until('taken up again', () => rig.agains > before);
  assert.equal(await rig.make(wanted), ['file.write a']);
  assert.equal([rig.state('a'), rig.table.error()], ['ok', '']);
});

drift('a closed table leaves nothing behind that keeps the process alive', async () => {
  const rig = await begin();
  await rig.make({ a: { path: rig.path('a'), content: 'a' } });
  rig.table.close();
  fs.writeFileSync(rig.path('a'), 'edited');
  assert.is(rig.agains, 0);
});

drift.run();
