/** Which processes are a service's: those that hide are found, strangers that look alike are not. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { Cgroups } from '../../node-agent/reconcile/services/cgroup.ts';
import { findMembers } from '../../node-agent/reconcile/services/members.ts';
import { isAlive, readProcess, unitOf } from '../../node-agent/reconcile/services/processes.ts';
import { createRealHost } from '../../node-agent/reconcile/services/real-host.ts';
import { silentLog } from '../../shared/log.ts';
import { HostWatch } from '../fixture/host-conformance.ts';
import { until } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';
import { hosted, open, printedPid, servicesSuite } from '../fixture/services-rig.ts';

const services = servicesSuite('who belongs to a service');

testWith(
  services,
  ['setsid'],
  'whatever way a child hides, it is ended: no group, one trace each',
  async ({ home }) => {
    const watch = await hosted(home, new Cgroups(undefined));
    const stay = (name: string) => `/bin/sh -c 'echo "${name} $$"; exec sleep 4321'`;
    const ways = {
      environment: `(setsid ${stay('environment')} &)`,
      session: `(env -i ${stay('session')} &)`,
      parent: `env -i setsid ${stay('parent')} &`,
    };
    const { unit } = await watch.start({ run: `${Object.values(ways).join('\n')}\nsleep 4321\n:` });
    const hidden = await Promise.all(
      Object.keys(ways).map(async name => {
        const pid = await printedPid(watch, unit, name);
        // For a moment, while it becomes what it is, it has neither arguments nor environment.
        await until(`${name} sleeps`, () => readFileSync(`/proc/${pid}/cmdline`, 'latin1').startsWith('sleep'));
        if (name === 'environment') await until('it carries its unit', () => unitOf(pid) === unit);
        return { name, found: readProcess(pid) };
      }),
    );
    for (const { name, found } of hidden) assert.ok(found, `${name} runs`);
    assert.is(await watch.stop(unit, 5000), undefined);
    const left = hidden.filter(({ found }) => found && isAlive(found));
    for (const { found } of left) if (found) process.kill(found.pid, 'SIGKILL');
    assert.equal(
      left.map(({ name }) => name),
      [],
    );
    watch.host.close();
  },
);

services(
  'nobody else is touched: not a stranger with the same command, nor one with nearly the same unit',
  async context => {
    const { home, strangers } = context;
    const watch = await hosted(home);
    const { unit, pid = 0 } = await watch.start({ run: 'exec sleep 4321' }, 'sleeper');
    const near = [`${unit}0`, unit.slice(0, -1), `x${unit}`];
    strangers.push(
      ...near.map(name => spawn('sleep', ['4321'], { env: { ...process.env, HEARTH_UNIT: name }, stdio: 'ignore' })),
      spawn('sleep', ['4321'], { env: { ...process.env, HEARTH_SERVICE: 'sleeper' }, stdio: 'ignore' }),
      spawn('sleep', ['4321'], { env: { ...process.env, X: `HEARTH_UNIT=${unit}` }, detached: true, stdio: 'ignore' }),
      // Its parent carries the unit's name in an argument.
      spawn('sh', ['-c', 'sleep 4321; :', `HEARTH_UNIT=${unit}`], { detached: true, stdio: 'ignore' }),
    );
    assert.is(await watch.stop(unit, 1000), undefined);
    assert.is(readProcess(pid), undefined);
    for (const stranger of strangers) {
      assert.ok(stranger.pid !== undefined && readProcess(stranger.pid), 'a stranger lives');
      assert.is(stranger.signalCode, null);
    }
    watch.host.close();
  },
);

services('a process number that was given to somebody else is nobody of ours', async ({ home, strangers }) => {
  const watch = await hosted(home);
  const { unit, pid = 0 } = await watch.start({ run: 'exec sleep 4321' });
  const main = readProcess(pid);
  assert.ok(main);
  await watch.stop(unit, 0);
  watch.host.close();
  // Start times are counted in hundredths of a second.
  const ended = performance.now();
  await until('another start time', () => performance.now() - ended > 20);
  const stranger = spawn('sleep', ['4321'], { detached: true, stdio: 'ignore' });
  strangers.push(stranger);
  const other = await until('the stranger runs', () => readProcess(stranger.pid ?? 0));
  // The record as it would be had the stranger's number been the service's: same pid, another start.
  const runFile = join(home, 'runs', `${unit}.run`);
  const record = readFileSync(runFile, 'utf8');
  const stat = record.slice(record.indexOf(' ') + 1).replace(/^\d+/, String(other.pid));
  writeFileSync(runFile, `${record.slice(0, record.indexOf(' '))} ${stat}`);
  writeFileSync(join(home, 'runs', `${unit}.end`), '');
  const second = new HostWatch(createRealHost({ folder: home, log: silentLog }));
  open.hosts.push(second);
  const [found] = await second.adopt();
  assert.is(found?.unit, unit);
  assert.ok(found?.exit, 'it is not taken for the service');
  assert.is(await second.stop(unit, 0), undefined);
  assert.ok(isAlive(other), 'and not ended');
  second.host.close();
  const run = { boot: '', main: { ...main, pid: other.pid, parent: other.pid } };
  assert.equal(findMembers({ unit, run, grouped: new Set() }), [], 'neither as the main process nor as the shim');
  const itself = { boot: '', main: other };
  assert.is(findMembers({ unit, run: itself, grouped: new Set() }).length, 1, 'while its own record would name it');
});

services('units of an earlier boot are not running, whatever their numbers', async ({ home }) => {
  const watch = await hosted(home);
  const { unit } = await watch.start({ run: 'sleep 4321' });
  watch.host.close();
  const description = join(home, 'units', unit, 'unit.json');
  const stored = JSON.parse(readFileSync(description, 'utf8'));
  writeFileSync(description, JSON.stringify({ ...stored, boot: 'earlier' }));
  const second = new HostWatch(createRealHost({ folder: home, log: silentLog }));
  open.hosts.push(second);
  assert.equal((await second.adopt())[0]?.exit, { unknown: 'the machine was restarted while it ran' });
  second.host.close();
  writeFileSync(description, JSON.stringify(stored));
});

services('the shim survives a TERM for the whole session and tells the exit code', async ({ home }) => {
  const watch = await hosted(home);
  const { unit, pid = 0 } = await watch.start({ run: "trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done" });
  await watch.says(unit, 'ready');
  const session = readProcess(pid)?.session ?? 0;
  assert.ok(session > 1 && session !== pid);
  process.kill(-session, 'SIGTERM');
  assert.equal(await watch.exit(unit), { code: 5 });
  watch.host.close();
});

services('a shim that was killed: the service runs on, and how it ended is nobody knows', async ({ home }) => {
  const watch = await hosted(home);
  const { unit, pid = 0 } = await watch.start({ run: 'exec sleep 4321' });
  const shim = readProcess(pid)?.parent ?? 0;
  process.kill(shim, 'SIGKILL');
  // Asked about, too: from then on the host knows.
  await until('the shim is gone', () => !existsSync(`/proc/${shim}`));
  assert.ok(readProcess(pid));
  assert.equal(watch.exits, []);
  assert.is(await watch.stop(unit, 1000), undefined);
  assert.is(readProcess(pid), undefined);
  assert.match((await watch.exit(unit)).unknown ?? '', /nobody saw how/);
  watch.host.close();
});

services('a unit is told by its environment, whole name only, last word counting', async ({ home }) => {
  const watch = await hosted(home);
  const { unit, pid = 0 } = await watch.start({ run: 'exec sleep 4321' });
  // For a moment, while it becomes the service, it has no environment at all.
  await until('it carries its unit', () => unitOf(pid) === unit);
  assert.is(unitOf(process.pid), process.env.HEARTH_UNIT);
  watch.host.close();
});

if (Cgroups.find().pathFor('x') === undefined) {
  console.log('skipped: a process that hides completely is held by its cgroup (needs a cgroup v2 it may write)');
} else {
  services('a process that left session, parent and environment behind is held by its cgroup', async ({ home }) => {
    const gate = join(home, 'gate');
    const watch = await hosted(home);
    const { unit, pid = 0 } = await watch.start({
      run: `until [ -e ${gate} ]; do sleep 0.05; done
        (env -i setsid /bin/sh -c 'echo "hidden $$"; exec sleep 4321' &)
        exec sleep 4321`,
    });
    await until('it is in its group', () => readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(unit));
    writeFileSync(gate, '');
    const hidden = readProcess(await printedPid(watch, unit, 'hidden'));
    assert.ok(hidden);
    await until('nothing but the group tells', () => readProcess(hidden.pid)?.parent === 1);
    assert.is(unitOf(hidden.pid), undefined);
    assert.is(await watch.stop(unit, 5000), undefined);
    const left = isAlive(hidden);
    if (left) process.kill(hidden.pid, 'SIGKILL');
    assert.not.ok(left);
    watch.host.discard(unit);
    assert.not.ok(existsSync(Cgroups.find().pathFor(unit) ?? ''), 'the group is gone with it');
    watch.host.close();
  });
}

services.run();
