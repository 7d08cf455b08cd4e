/** Stopping where the machine has no cgroups for it: who was seen once is not lost with what he was found by. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Cgroups } from '../../node-agent/reconcile/services/cgroup.ts';
import { isAlive, listProcesses, readProcess, unitOf } from '../../node-agent/reconcile/services/processes.ts';
import { createRealHost } from '../../node-agent/reconcile/services/real-host.ts';
import { silentLog } from '../../shared/log.ts';
import { HostWatch } from '../fixture/host-conformance.ts';
import { folder, until } from '../fixture/processes.ts';

const stopping = suite('stopping without cgroups');

stopping(
  'a child known by its session alone, deaf to the signal, is killed after everybody else has gone',
  async () => {
    const home = folder('hearth-units-');
    const watch = new HostWatch(createRealHost({ folder: home, log: silentLog, cgroups: new Cgroups(undefined) }));
    await watch.adopt();
    // Its parent is gone, and its environment is empty.
    const deaf = `trap "" TERM; echo "deaf $$"; while :; do sleep 1; done`;
    const { unit } = await watch.start({ run: `(env -i /bin/sh -c '${deaf}' &)\nsleep 4321\n:` });
    const pid = await until('it says its number', () => {
      const line = watch.host.tail(unit, 10).find(text => text.startsWith('deaf '));
      return line === undefined ? undefined : Number(line.slice(5));
    });
    const child = readProcess(pid);
    assert.ok(child);
    assert.is(await watch.stop(unit, 500), undefined);
    const left = isAlive(child);
    if (left) process.kill(pid, 'SIGKILL');
    assert.not.ok(left, 'it was ended');
    assert.equal(await watch.exit(unit), { signal: 'TERM' });
    watch.host.close();
  },
);

stopping('a service that goes on forking while it is stopped leaves nobody behind', async () => {
  const home = folder('hearth-units-');
  const watch = new HostWatch(createRealHost({ folder: home, log: silentLog, cgroups: new Cgroups(undefined) }));
  await watch.adopt();
  const left: string[] = [];
  for (let round = 0; round < 80; round++) {
    // Two daemons, one after the other: for moments each is in no list of processes, or has no environment.
    const { unit } = await watch.start({ run: '(setsid sh -c "exec setsid -f sleep 4321" &); exit 0' });
    for (const at = performance.now() + (round % 40) / 8; performance.now() < at; );
    assert.is(await watch.stop(unit, 0), undefined);
    const more = performance.now() + 10;
    await until('whoever was on its way is there', () => performance.now() > more);
    for (const { pid, name } of listProcesses()) {
      if (unitOf(pid) !== unit) continue;
      left.push(name);
      process.kill(pid, 'SIGKILL');
    }
    watch.host.discard(unit);
  }
  watch.host.close();
  assert.equal(left, []);
});

stopping.run();
