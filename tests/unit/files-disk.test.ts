/** The disk is full, or fails, at any moment: it is said, nothing is cut off or left over, and it goes on by itself. */
import * as fs from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { EffectKind } from '../../node-agent/reconcile/files/host.ts';
import { scenarios, treeOf } from '../fixture/files/kill-scenarios.ts';
import { FilesRig, quickFolder } from '../fixture/files/rig.ts';
import { manualClock } from '../fixture/manual-clock.ts';
import { smallDisk } from '../fixture/small-disk.ts';

const disk = suite('files disk');
/** Effects that need room. */
const needRoom: readonly EffectKind[] = ['create', 'write', 'mkdir', 'symlink', 'link'];
const full = () => Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });

for (const scenario of scenarios.filter(({ isFar }) => !isFar)) {
  for (const stays of [false, true]) {
    disk(`the disk is full from an effect on${stays ? '' : ', for a moment'}: ${scenario.name}`, async () => {
      const plain = new FilesRig({ lanes: 1 }, quickFolder());
      await plain.start();
      await scenario.before(plain);
      const before = treeOf(plain);
      await plain.make(scenario.to(plain));
      const room = plain.effects.filter(([kind]) => needRoom.includes(kind)).length;
      const after = treeOf(plain);
      await plain.make({});
      const restored = treeOf(plain);
      plain.table.close();
      for (let at = 1; at <= room; at++) {
        const clock = manualClock();
        const rig = new FilesRig({ lanes: 1, clock }, quickFolder());
        await rig.start();
        await scenario.before(rig);
        let count = 0;
        rig.before = kind => {
          if (needRoom.includes(kind) && ++count >= at && (stays || count === at)) throw full();
        };
        const { errors } = await rig.apply(scenario.to(rig));
        assert.ok(errors.length > 0, `at ${at}: nothing failed`);
        for (const error of errors) assert.match(error, /the disk is full: make room|has not come back yet/);
        const now = treeOf(rig);
        for (const [path, text] of Object.entries(now)) {
          const isWhole = text === before[path] || text === after[path] || text === restored[path];
          // An archive that is unpacked whole, before what other items put into it.
          const isUnpacked = /^644 (run [12] 5|one 3)$/.test(text);
          assert.ok(isWhole || isUnpacked || path.endsWith('.hearth-edited'), `at ${at}: ${path} is ${text}`);
        }
        assert.not.equal(rig.table.error(), '');
        rig.before = () => {};
        clock.advance(7_200_000);
        await rig.make(scenario.to(rig));
        assert.equal([treeOf(rig), rig.table.error()], [after, ''], `at ${at}`);
        await rig.make({});
        assert.equal([treeOf(rig), rig.kept()], [restored, []], `at ${at}, restored`);
        rig.table.close();
        fs.rmSync(rig.root, { recursive: true });
      }
    });
  }
}

if (process.geteuid?.() === 0) {
  disk('a disk that is really full: the old file stays whole, and the new one comes when there is room', async () => {
    const small = smallDisk('size=1m');
    try {
      const clock = manualClock();
      const rig = await new FilesRig({ clock }).start();
      const path = `${small.path}/conf`;
      fs.writeFileSync(path, 'before');
      fs.writeFileSync(`${rig.root}/big`, 'b'.repeat(400_000));
      small.fill();
      const wanted = { a: { path, source: `file://${rig.root}/big` } };
      const { errors } = await rig.apply(wanted);
      assert.match(errors[0] ?? '', /conf: the disk is full: make room, it is tried again by itself/);
      assert.is(fs.readFileSync(path, 'utf8'), 'before');
      assert.equal(
        fs.readdirSync(small.path).filter(name => !name.startsWith('filler')),
        ['conf'],
      );
      assert.equal(rig.agains, 0);
      small.empty();
      clock.advance(31_000);
      assert.is(rig.agains, 1);
      await rig.make(wanted);
      assert.is(fs.statSync(path).size, 400_000);
      await rig.make({});
      assert.is(fs.readFileSync(path, 'utf8'), 'before');
      rig.table.close();
    } finally {
      small.unmount();
    }
  });
} else console.log('skipped: a disk that is really full (needs root)');

disk.run();
