/** Limits for real, by whichever control groups this machine has: what the kernel was told, and that it enforces it. */
import { existsSync, readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { Cgroups } from '../../node-agent/reconcile/services/cgroup.ts';
import { realGroupFiles } from '../../node-agent/reconcile/services/group-files.ts';
import { hierarchiesOf } from '../../node-agent/reconcile/services/hierarchies.ts';
import { LimitGroups } from '../../node-agent/reconcile/services/limit-groups.ts';
import { readProcess } from '../../node-agent/reconcile/services/processes.ts';
import type { Limits, Service } from '../../shared/schemas/service.ts';
import { until } from '../fixture/processes.ts';
import { Agent, hosted, running, servicesSuite } from '../fixture/services-rig.ts';

const limits = servicesSuite('limits of services');

const text = (path: string) => readFileSync(path, 'utf8');

/** The groups a process is in, as folders. */
const groupsOf = (pid: number): string[] =>
  hierarchiesOf(text('/proc/self/mountinfo'), text(`/proc/${pid}/cgroup`)).map(({ own }) => own);

/** What the kernel says of one limit of a process, by either version's file. */
function enforced(pid: number, ...files: readonly string[]): string | undefined {
  const path = groupsOf(pid)
    .flatMap(group => files.map(file => join(group, file)))
    .find(existsSync);
  return path && text(path).trim();
}
const memoryOf = (pid: number) => enforced(pid, 'memory.max', 'memory.limit_in_bytes');
const pidsOf = (pid: number) => enforced(pid, 'pids.max');
const cpuOf = (pid: number) => enforced(pid, 'cpu.max', 'cpu.cfs_quota_us');

const probe = new LimitGroups(
  hierarchiesOf(text('/proc/self/mountinfo'), text('/proc/self/cgroup')),
  realGroupFiles,
  process.getuid?.() === 0,
);
const { note, groups } = probe.make('f'.repeat(32), { memory_mb: 100, cpu_pct: 50, pids: 20 });
for (const group of groups) new Cgroups(undefined).remove(group);

if (note !== undefined) console.log(`skipped: limits for real (${note})`);
else {
  const all: Limits = { memory_mb: 200, cpu_pct: 50, pids: 20, nice: 3 };

  limits('hold from its first instruction on, and its groups go with it', async ({ home }) => {
    const watch = await hosted(home);
    const run = 'grep -E "memory|pids|cpu:|cpu,|^0:" /proc/self/cgroup; exec sleep 4321';
    const { unit, pid = 0 } = await watch.start({ run, limits: all });
    assert.is(watch.host.note(unit), undefined);
    assert.is(memoryOf(pid), String(200 * 1024 * 1024));
    assert.is(pidsOf(pid), '20');
    assert.match(cpuOf(pid) ?? '', /^50000\b/);
    assert.is(getPriority(pid), Math.min(19, getPriority() + 8));
    const said = await until(
      'it says its groups',
      () => watch.host.tail(unit, 9).length > 0 && watch.host.tail(unit, 9),
    );
    assert.ok(
      said.filter(line => line.endsWith(`/hearth-units/${unit}`)).length >= (groups.length > 1 ? 3 : 1),
      said.join('\n'),
    );
    const own = groupsOf(pid).filter(group => group.endsWith(unit));
    assert.ok(own.length >= groups.length);
    assert.is(await watch.stop(unit), undefined);
    watch.host.discard(unit);
    assert.equal(own.filter(existsSync), []);
  });

  const hungry = 'const all = []; for (;;) all.push(Buffer.alloc(10_000_000, 1));';
  limits('who uses more memory is killed, and the sentence says so', async ({ home }) => {
    const agent = new Agent(home).want(1, {
      hungry: { run: [process.execPath, '-e', hungry], limits: { memory_mb: 100 }, restart: 'never' },
    });
    const status = await agent.item('hungry', ({ state }) => state === 'failed');
    assert.match(status.err ?? '', /^killed: it used more than its 100 MB after \d/);
    assert.is(status.signal, 'KILL');
    await agent.process.stop();
  });

  limits('who is killed by somebody else is not said to have used too much', async ({ home }) => {
    const watch = await hosted(home);
    const { unit } = await watch.start({ run: 'kill -KILL $$', limits: { memory_mb: 20 } });
    assert.equal(await watch.exit(unit), { signal: 'KILL' });
  });

  const first = hierarchiesOf(text('/proc/self/mountinfo'), text('/proc/self/cgroup')).some(
    ({ version, controllers }) => version === 1 && controllers.includes('memory'),
  );
  // Version 2 ends all of the unit at once.
  if (first) {
    limits('version 1: who lost a child that way and ends by itself is told by its own end', async ({ home }) => {
      const watch = await hosted(home);
      const run = `"${process.execPath}" -e '${hungry}'; echo "child $?"; exit 3`;
      const { unit } = await watch.start({ run, limits: { memory_mb: 100 } });
      assert.equal(await watch.exit(unit), { code: 3 });
      assert.ok(watch.host.tail(unit, 5).includes('child 137'));
    });
  }

  limits('no more processes than allowed', async ({ home }) => {
    const watch = await hosted(home);
    const run = 'for i in 1 2 3 4 5 6 7 8 9; do sleep 4321 & done; wait';
    const { unit } = await watch.start({ run, limits: { pids: 4 } });
    await until('a fork is refused', () => watch.host.tail(unit, 9).some(line => /fork|temporarily/i.test(line)));
  });

  limits(
    'other limits reach the running process, which is not restarted; the next agent keeps them',
    async ({ home }) => {
      const run = ['sh', '-c', 'setsid sleep 4321 & wait'];
      const first = new Agent(home).want(1, { a: { run } });
      const { pid = 0 } = await first.item('a', running);
      const plain = groupsOf(pid);
      const child = await until('its child runs', () => childOf(pid));
      const at = async (agent: Agent, rev: number, limits: Service['limits']) => {
        agent.want(rev, { a: { run, ...(limits ? { limits } : {}) } });
        await agent.attempted(rev);
      };
      await at(first, 2, { memory_mb: 64, pids: 30, cpu_pct: 20, nice: 2 });
      for (const each of [pid, child]) {
        await until('it is limited', () => memoryOf(each) === String(64 * 1024 * 1024) && pidsOf(each) === '30');
        await until('it is nicer', () => getPriority(each) === Math.min(19, getPriority() + 7));
      }
      await at(first, 3, { memory_mb: 96, cpu_pct: 20 });
      await until('it may use more', () => memoryOf(pid) === String(96 * 1024 * 1024) && pidsOf(pid) === 'max');
      const limited = groupsOf(pid).filter(group => !plain.includes(group));
      assert.ok(limited.length > 0);
      await until('that is on disk', () =>
        text(join(home, 'units', unitIn(pid), 'unit.json')).includes('"memory_mb":96'),
      );
      await first.process.stop('SIGKILL');
      const second = new Agent(home).want(3, { a: { run, limits: { memory_mb: 96, cpu_pct: 20 } } });
      assert.is((await second.item('a', running)).pid, pid);
      await second.attempted(3);
      assert.is(memoryOf(pid), String(96 * 1024 * 1024));
      assert.match(cpuOf(pid) ?? '', /^20000\b/);
      second.want(4, {});
      await second.attempted(4);
      assert.is(readProcess(child), undefined);
      assert.equal(limited.filter(existsSync), [], 'its groups are gone with it');
      await second.process.stop();
    },
  );
}

const childOf = (pid: number): number => Number(text(`/proc/${pid}/task/${pid}/children`).trim().split(' ')[0] || 0);

const unitIn = (pid: number): string => /HEARTH_UNIT=([0-9a-f]{32})/.exec(text(`/proc/${pid}/environ`))?.[1] ?? '';

limits('where no group can be had it runs all the same, and the note says why', async ({ home }) => {
  const watch = await hosted(home, new Cgroups(undefined, new LimitGroups([], realGroupFiles, false)));
  const { unit, pid = 0 } = await watch.start({ run: 'exec sleep 4321', limits: { memory_mb: 200, nice: 2 } });
  assert.ok(readProcess(pid));
  assert.is(getPriority(pid), Math.min(19, getPriority() + 7));
  assert.match(watch.host.note(unit) ?? '', /^memory_mb not enforced: this kernel has no memory controller/);
  watch.host.close();
  const next = await hosted(home, new Cgroups(undefined));
  assert.match(next.host.note(unit) ?? '', /^memory_mb not enforced/, 'the next agent knows it too');
});

limits.run();
