/** The watchdog of heat on this machine, with every shell of it: what it ends and freezes where nobody is left to do so. */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { bootClock } from '../../node-agent/heat/boot-clock.ts';
import { watchdogScript } from '../../node-agent/heat/scripts.ts';
import { bootId, readProcess } from '../../node-agent/reconcile/services/processes.ts';
import { type HeatContext, heatFolders } from '../fixture/heat-folders.ts';
import { runningOf, stateOf } from '../fixture/node-heat-rig.ts';
import { start, until } from '../fixture/processes.ts';
import { installedShells } from '../fixture/shells.ts';

const heat = suite<HeatContext>('the watchdog of heat');
const { newFolder, rigged } = heatFolders(heat);

/** With every shell of this machine, all at a time: most of it is waiting. */
function withShells(name: string, run: (shell: string, data: string) => Promise<void>): void {
  const shells = installedShells();
  heat(`${name} (${shells.map(shell => shell.name).join(', ')})`, async () => {
    const ends = await Promise.allSettled(shells.map(shell => run(shell.path, newFolder())));
    for (const [index, end] of ends.entries()) {
      // What caused an error is not printed: it stands in the message.
      if (end.status === 'rejected') throw new Error(`with ${shells[index]?.name}: ${end.reason?.stack ?? end.reason}`);
    }
  });
}

withShells(
  'the watchdog ends heat where the agent is killed, and a new lease thaws what it froze',
  async (path, data) => {
    const agent = start(process.execPath, [
      ...['--import', 'tsx', '--input-type=module', '-e'],
      `import { heatRig } from './tests/fixture/node-heat-rig.ts';
       const rig = heatRig(${JSON.stringify(data)}, ${JSON.stringify({ shell: path })});
       const order = () => rig.order(0.2, { lease_s: 12, filler: JSON.stringify({ run: 'exec sleep 4321' }) });
       order();
       console.log('ordered');
       setInterval(order, 2000);`,
    ]);
    await agent.line(/ordered/);
    const own = join(data, 'heat');
    await until('it burns', () => runningOf(own, 'burner').length > 0);
    const [dog = 0] = await until('there is one watchdog', () => {
      const dogs = runningOf(own, 'watchdog');
      return dogs.length === 1 && dogs;
    });
    const runs = join(own, 'filler', 'runs');
    // The record is there before there is a line in it.
    const pid = await until('the filler runs', () => {
      const record = existsSync(runs) && readdirSync(runs).find(each => each.endsWith('.run'));
      return record ? Number(readFileSync(join(runs, record), 'utf8').split(' ')[1]) : undefined;
    });
    await until('the watchdog knows of it', () =>
      /^(stop \d+ \d+|write 1 .*\/filler\/[0-9a-f]+\/cgroup\.freeze)$/m.test(readFileSync(join(own, 'held'), 'utf8')),
    );
    // By a signal where there is no group; in a group that is frozen first, the signal waits until it is thawed.
    const frozen = () => {
      if (stateOf(pid) === 'T') return true;
      const held = readFileSync(join(own, 'held'), 'utf8');
      const group = /^write 1 (\S+\/filler(?:\/\S+)?)\/cgroup\.freeze$/m.exec(held)?.[1];
      return group !== undefined && /^frozen 1$/m.test(readFileSync(join(group, 'cgroup.events'), 'utf8'));
    };
    assert.not.ok(frozen());
    await agent.stop('SIGKILL');
    await until('nothing burns', () => runningOf(own, 'burner').length === 0);
    await until('the filler is frozen', frozen);
    assert.ok(readProcess(pid));
    await until('the watchdog has ended itself', () => !readProcess(dog));
    // The next agent, without a lease: nothing begins.
    const rig = rigged(data, { shell: path });
    assert.is(rig.heat.cores, undefined);
    assert.ok(frozen());
    assert.is(rig.order(0.2, { filler: JSON.stringify({ run: 'exec sleep 4321' }) }), undefined);
    await until(
      () => `the same filler goes on: it is ${stateOf(pid)}, heat says "${rig.heat.error}"`,
      () => !frozen(),
    );
    assert.ok(readProcess(pid));
    await until('it burns again', () => runningOf(own, 'burner').length > 0);
    rig.order(0);
    await until('another order ends the filler', () => !readProcess(pid));
  },
);

withShells('the watchdog goes by this start of the machine and its clock', async (path, data) => {
  const victim = spawn('sleep', ['4321']);
  const began = readProcess(victim.pid ?? 0)?.start;
  writeFileSync(join(data, 'held'), `stop ${began} ${victim.pid}\nend 1 ${process.pid}\n`);
  const lease = (boot: string, end: number | string) => writeFileSync(join(data, 'lease'), `${boot} ${end} 1 6\n`);
  const watch = async () => {
    process.kill(victim.pid ?? 0, 'SIGCONT');
    const dog = spawn(path, ['-c', watchdogScript, 'sh', bootId()], { cwd: data });
    await new Promise(resolve => dog.once('exit', resolve));
  };
  const uptime = () => Math.floor(bootClock().now() / 1000);
  try {
    // As after a suspend: the clock that goes on in it is past the end.
    lease(bootId(), uptime() - 1);
    await watch();
    assert.is(stateOf(victim.pid ?? 0), 'T');
    lease('of-another-boot', uptime() + 40);
    await watch();
    assert.is(stateOf(victim.pid ?? 0), 'T');
    // Nobody else reads the same clock: it counts what it sleeps.
    lease(bootId(), '-');
    await watch();
    assert.is(stateOf(victim.pid ?? 0), 'T');
  } finally {
    victim.kill('SIGKILL');
  }
});

heat(
  'without a watchdog that can run there is no heat, and the filler that is a service stays frozen',
  async ({ data }) => {
    const [shell, broken] = [join(data, 'shell'), join(data, 'broken')];
    writeFileSync(broken, '');
    const text = `#!/bin/sh\ncase $1 in *watchdog-*) [ -e ${broken} ] && exit 7 ;; esac\nexec /bin/sh "$@"\n`;
    writeFileSync(shell, text, { mode: 0o755 });
    const said: (number | undefined)[] = [];
    const service = (_: string, cores: number | undefined) => {
      said.push(cores);
      return {};
    };
    const rig = rigged(data, { shell, service });
    const filler = JSON.stringify({ service: 'fold' });
    rig.order(0.2, { filler });
    await until('it says so', () => rig.heat.error === 'the watchdog of heat ends at once (7): no heat without it');
    await until('nothing burns', () => runningOf(rig.folder, 'burner').length === 0);
    assert.is(rig.heat.cores, undefined);
    assert.match(
      rig.order(0.2, { filler }) ?? '',
      /^the watchdog of heat ends at once/,
      'nor does another order begin',
    );
    assert.is(said.at(-1), 0);
    assert.not.ok(said.includes(undefined), 'it was not let go');
    rmSync(broken);
    // The one that the next order starts shows that it can.
    rig.order(0.2, { filler });
    const can = () => runningOf(rig.folder, 'watchdog').length === 1;
    await until('it runs again', () => can() || rig.order(0.2, { filler }) === undefined);
    await until('it burns', () => {
      if (rig.heat.cores === undefined) rig.order(0.2, { filler });
      return runningOf(rig.folder, 'burner').length > 0;
    });
    assert.is(rig.heat.error.includes('watchdog'), false);
  },
);

heat.run();
