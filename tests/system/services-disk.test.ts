/** Services on a disk that is full, read-only or otherwise in the way: the agent says so and lives on. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createRealHost } from '../../node-agent/reconcile/services/real-host.ts';
import { silentLog } from '../../shared/log.ts';
import { HostWatch } from '../fixture/host-conformance.ts';
import { hostThatIs } from '../fixture/primed-host.ts';
import { folder, until } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';
import { smallDisk } from '../fixture/small-disk.ts';

const disk = suite<{ watch: HostWatch | undefined; mount: string | undefined }>('services, disk');

disk.before.each(context => {
  context.watch = undefined;
  context.mount = undefined;
});
disk.after.each(({ watch, mount }) => {
  watch?.host.close();
  if (mount !== undefined) execFileSync('umount', ['--lazy', mount]);
});

for (const way of ['spawned', 'primed'] as const) {
  testWith(disk, ['root', 'mount'], `a full disk hides neither exit code nor end, ${way}`, async context => {
    const small = smallDisk('size=512k,nr_inodes=60');
    context.mount = small.path;
    const home = small.path;
    const watch = new HostWatch(hostThatIs(way, { folder: home }));
    context.watch = watch;
    await watch.adopt();
    const gate = join(folder(), 'gate');
    const { unit } = await watch.start({ run: `until [ -e ${gate} ]; do sleep 0.05; done; exit 3` });
    small.fill(0);
    writeFileSync(gate, '');
    assert.equal(await watch.exit(unit), { code: 3 });
  });

  testWith(
    disk,
    ['root', 'mount'],
    `a start that finds the disk full says so, and the next one works, ${way}`,
    async context => {
      const small = smallDisk('size=512k,nr_inodes=60');
      context.mount = small.path;
      const home = small.path;
      // None can be made to wait once the disk is full: then it is as without.
      const primeAfterMs = way === 'primed' ? 0 : Number.POSITIVE_INFINITY;
      const host = createRealHost({ folder: home, log: silentLog, starting: { primeAfterMs } });
      const watch = new HostWatch(host);
      context.watch = watch;
      await watch.adopt();
      await until('a shim waits, if one is to', () => way === 'spawned' || host.primed);
      const made = small.fill(0);
      for (let free = 0; free < 6; free++) {
        const error = await watch.start({ run: 'exec sleep 1000' }).then(
          ({ unit }) => watch.stop(unit, 0).then(() => 'started'),
          (reason: Error) => reason.message,
        );
        if (error !== 'started') assert.match(error, /the disk is full/, `${free} files could be made`);
        rmSync(made.pop() ?? '', { force: true });
      }
      small.empty();
      const { unit } = await watch.start({ run: 'exec sleep 1000' });
      assert.is(await watch.stop(unit, 0), undefined);
    },
  );
}

disk('files of an ended unit that cannot be removed stay, and nothing else comes of it', async context => {
  const home = folder('hearth-disk-');
  const warned: string[] = [];
  const log = { ...silentLog, warn: (_: object, text: string) => void warned.push(text) };
  const watch = new HostWatch(
    createRealHost({ folder: home, log, starting: { primeAfterMs: Number.POSITIVE_INFINITY } }),
  );
  context.watch = watch;
  await watch.adopt();
  const { unit } = await watch.start({ run: 'exec sleep 1000' });
  assert.is(await watch.stop(unit, 0), undefined);
  // What unlink(2) refuses to root as well.
  const record = join(home, 'runs', `${unit}.run`);
  rmSync(record);
  mkdirSync(join(record, 'in the way'), { recursive: true });
  watch.host.discard(unit);
  assert.is(warned.length, 1);
  assert.match(warned[0] ?? '', /stay/);
  const next = await watch.start({ run: 'exec sleep 1000' });
  assert.is(await watch.stop(next.unit, 0), undefined);
  watch.host.discard(next.unit);
  // The next agent finds it, and has it removed.
  assert.equal(readdirSync(join(home, 'units')), [unit]);
});

testWith(disk, ['root', 'mount', 'umount'], 'a folder of a unit to be that cannot be removed stays', async context => {
  const home = folder('hearth-disk-');
  const host = hostThatIs('primed', { folder: home });
  await new HostWatch(host).adopt();
  await until('a shim waits', () => host.primed);
  const [spare = ''] = readdirSync(join(home, 'spare'));
  const busy = join(home, 'spare', spare, 'busy');
  mkdirSync(busy);
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', busy]);
  context.mount = busy;
  host.close();
  assert.equal(readdirSync(join(home, 'spare')), [spare]);
});

disk.run();
