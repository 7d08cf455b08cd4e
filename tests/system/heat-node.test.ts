/**
 * Heat on this machine, with real processes: the level, who stands by the lease, and what is left behind. Runs alone:
 * it measures how much of the cores is used.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type BootClock, bootClock } from '../../node-agent/heat/boot-clock.ts';
import type { HeatGroups } from '../../node-agent/heat/groups.ts';
import { readProcess } from '../../node-agent/reconcile/services/processes.ts';
import { type HeatContext, heatFolders } from '../fixture/heat-folders.ts';
import { middleOf } from '../fixture/kernel-times.ts';
import { heatRig, runningOf } from '../fixture/node-heat-rig.ts';
import { folder, until } from '../fixture/processes.ts';

const heat = suite<HeatContext>('heat on this machine');
const { rigged } = heatFolders(heat);

/** What the kernel counts of the whole group, by files that the agent does not read. */
interface Counted {
  readonly usedMs: number;
  readonly throttled: number;
  readonly at: number;
}
function counted(groups: HeatGroups): Counted {
  const folders = groups.folders('burner').map(dirname);
  const stats = folders.map(each => join(each, 'cpu.stat')).filter(existsSync);
  const all = stats.map(path => readFileSync(path, 'utf8')).join('\n');
  const usage = Number(/^usage_usec (\d+)$/m.exec(all)?.[1]) / 1000;
  return { usedMs: usage, throttled: Number(/^nr_throttled (\d+)$/m.exec(all)?.[1]), at: performance.now() };
}
const wait = (ms: number) => {
  const from = performance.now();
  return until('the time of the measurement is over', () => performance.now() - from >= ms, ms + 60_000);
};

const probe = heatRig(folder('hearth-heat-probe-'));
const quota = probe.groups.quota;
await new Promise<void>(done => probe.heat.forget(done));

if (!quota) console.log('skipped: the level by quota (no control group here hands on cpu)');
else {
  heat('the level, measured from outside, within 5 %', async ({ data }) => {
    const rig = rigged(data);
    assert.equal(rig.heat.can, ['heat', 'heat-quota']);
    rig.order(0.5);
    await until('it burns at its level', () => counted(rig.groups).throttled > 10);
    const windows: { level: number; full: number }[] = [];
    const measure = async (ms: number) => {
      rig.order(0.5); // As often as a lease needs it.
      const before = counted(rig.groups);
      await wait(ms);
      const now = counted(rig.groups);
      const tookMs = now.at - before.at;
      const fullMs = (now.throttled - before.throttled) * 100 * 0.5;
      return { level: (now.usedMs - before.usedMs) / tookMs, full: fullMs / tookMs };
    };
    while (windows.length < 3) windows.push(await measure(8000));
    const said = windows.map(({ level, full }) => `${level.toFixed(3)} (quota used up: ${full.toFixed(3)})`).join(', ');
    console.log(`asked for 0.5 cores, used ${said}`);
    assert.ok(middleOf(windows.map(({ level }) => level)) <= 0.525, `more than 0.5: ${said}`);
    // A machine whose cores others want gives less; where the quota was used up, it was all of it.
    assert.ok(middleOf(windows.map(({ level, full }) => level / full)) >= 0.95, `less than its quota: ${said}`);
    await until('the node counts it', async () => Math.abs((await measure(5000)).level - (rig.heat.cores ?? 0)) < 0.1);
    const [pid = 0] = runningOf(rig.folder, 'burner');
    assert.ok(Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) < 4096);
    const at = performance.now();
    rig.order(0);
    await until('it has ended', () => runningOf(rig.folder, 'burner').length === 0);
    assert.ok(performance.now() - at < 60_000);
    assert.is(rig.heat.cores, undefined);
  });

  heat('a task in its group is dimmed, frozen where there is no heat, and goes on', async ({ data }) => {
    const rig = rigged(data);
    const procs = rig.groups.procs('tasks');
    const task = spawn('/bin/sh', ['-c', 'for g; do echo 0 >"$g"; done; while :; do :; done', 'sh', ...procs]);
    try {
      rig.order(0.3);
      rig.heat.tasksThere(1, 0);
      await until('tasks may run', () => rig.tasks.at(-1)?.most === 1);
      assert.equal(rig.tasks.at(-1)?.groups, rig.groups.folders('tasks'));
      await until('it runs in its group', () => (rig.groups.usedMs('tasks') ?? 0) > 100);
      rig.order(0);
      await until('tasks may not run', () => rig.tasks.at(-1)?.most === 0);
      let frozen = -1;
      // The kernel freezes when it comes to it.
      while (frozen !== rig.groups.usedMs('tasks')) {
        frozen = rig.groups.usedMs('tasks') ?? 0;
        await wait(300);
      }
      assert.ok(readProcess(task.pid ?? 0));
      rig.order(0.3);
      await until('it goes on', () => (rig.groups.usedMs('tasks') ?? 0) > frozen + 200);
    } finally {
      task.kill('SIGKILL');
      await until('it has gone', () => !readProcess(task.pid ?? 0));
    }
  });
}

heat('without control groups the burner dims itself', async ({ data }) => {
  const rig = rigged(data, { bare: true });
  assert.ok(['heat-affinity', 'heat-stop'].includes(rig.heat.can[1] ?? ''));
  rig.order(0.2);
  await until('it burns', () => runningOf(rig.folder, 'burner').length === 1);
  const [pid = 0] = runningOf(rig.folder, 'burner');
  await until('it goes first where memory ends', () =>
    /^1000$/m.test(readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8')),
  );
  const level = () => readFileSync(join(rig.folder, 'level'), 'utf8').split(' ').map(Number);
  await until('it has learned what a loop costs', () => (level()[0] ?? 0) !== 1000);
  assert.ok((level()[1] ?? 0) >= 0.05 && (level()[1] ?? 0) <= 0.1, `${level()}`);
  rig.order(0);
  await until('it has ended', () => runningOf(rig.folder, 'burner').length === 0);
});

heat(
  'without control groups a service is kept to some cores, and to none when it is the filler no more',
  async ({ data }) => {
    const child = spawn('sleep', ['4321']);
    const pid = child.pid ?? 0;
    try {
      const processes = [{ pid, start: readProcess(pid)?.start ?? 0 }];
      const allowed = () => /^Cpus_allowed_list:\s+(\S+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
      const everywhere = allowed();
      const rig = rigged(data, { bare: true, service: () => ({ processes }) });
      if (!rig.heat.can.includes('heat-affinity') || everywhere === '0') return;
      rig.order(0.2, { filler: JSON.stringify({ service: 'fold' }) });
      await until('it is kept to some', () => allowed() !== everywhere);
      rig.order(0.2);
      await until('it is kept to none', () => allowed() === everywhere);
    } finally {
      child.kill('SIGKILL');
    }
  },
);

heat('nothing burns above the temperature', async ({ data }) => {
  let tempC = 60;
  const rig = rigged(data, { tempC: () => tempC });
  rig.order(0.2);
  await until('it burns', () => runningOf(rig.folder, 'burner').length > 0);
  tempC = 90;
  await until('it is too hot', () => runningOf(rig.folder, 'burner').length === 0);
  tempC = 70;
  await until('it burns again', () => runningOf(rig.folder, 'burner').length > 0);
});

/** Behind or ahead of the machine's. */
function movedClock(byMs: () => number): BootClock {
  const real = bootClock();
  return { ...real, now: () => real.now() + byMs() };
}

heat('a lease that ended while the machine slept ends it at once', async ({ data }) => {
  let slept = 0;
  const rig = rigged(data, { boot: movedClock(() => slept) });
  rig.order(0.2);
  await until('it burns', () => runningOf(rig.folder, 'burner').length > 0);
  slept = 3_600_000;
  await until('it has ended', () => runningOf(rig.folder, 'burner').length === 0);
  assert.not.ok(existsSync(join(rig.folder, 'lease')));
});

heat('an agent that comes back within the lease goes on', async ({ data }) => {
  const before = heatRig(data);
  before.order(0.2);
  await until('it burns', () => runningOf(before.folder, 'burner').length > 0);
  await new Promise<void>(done => before.heat.close(done));
  const rig = rigged(data);
  assert.is.not(rig.heat.cores, undefined);
  await until('it burns again', () => runningOf(rig.folder, 'burner').length > 0);
  // One that is about to begin another program looks like a second one for a moment.
  await until('there is one watchdog', () => runningOf(rig.folder, 'watchdog').length === 1);
});

heat('nothing is left of it', async ({ data }) => {
  const rig = heatRig(data);
  rig.order(0.2, { filler: JSON.stringify({ run: 'exec sleep 4322' }) });
  await until('it burns', () => runningOf(rig.folder, 'burner').length > 0);
  const groups = rig.groups.folders('burner').map(dirname);
  await new Promise<void>(done => rig.heat.forget(done));
  assert.not.ok(existsSync(rig.folder));
  await until('no process of it is left', () =>
    ['burner', 'watchdog'].every(name => runningOf(rig.folder, name).length === 0),
  );
  assert.equal(groups.filter(existsSync), []);
});

heat.run();
