/** A service that makes cgroups of its own below its unit's: nobody in them is overlooked, and nothing of them stays. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Cgroups } from '../../node-agent/reconcile/services/cgroup.ts';
import { isAlive, readProcess } from '../../node-agent/reconcile/services/processes.ts';
import { HostWatch } from '../fixture/host-conformance.ts';
import { hostThatIs } from '../fixture/primed-host.ts';
import { folder, until } from '../fixture/processes.ts';

const groups = suite('services, cgroups');
const cgroups = Cgroups.find();

if (cgroups.pathFor('x') === undefined) console.log('skipped: nested cgroups (needs a writable cgroup v2)');
else {
  groups(
    'who hides in a group below the unit’s, without its environment, session and parent, is ended too',
    async () => {
      const file = join(folder(), 'pid');
      const watch = new HostWatch(hostThatIs('spawned', { folder: folder('hearth-cgroup-'), cgroups }));
      await watch.adopt();
      const hide = `env -i setsid -f sh -c 'echo $$ >${file}; exec sleep 1000'`;
      const gate = join(folder(), 'gate');
      const { unit, pid = 0 } = await watch.start({
        run: `until [ -e ${gate} ]; do sleep 0.02; done; ${hide}; exec sleep 1000`,
      });
      const path = cgroups.pathFor(unit) ?? '';
      await until('the unit is in its group', () => cgroups.members(path).has(pid));
      // Groups move by what is written, whoever writes it: the test does what a container's runtime would.
      const below = join(path, 'inner', 'most');
      mkdirSync(below, { recursive: true });
      writeFileSync(gate, '');
      const hidden = Number(await until('it hides', () => existsSync(file) && readFileSync(file, 'utf8').trim()));
      writeFileSync(join(below, 'cgroup.procs'), String(hidden));
      assert.ok(cgroups.members(path).has(hidden));
      const process = readProcess(hidden);
      assert.ok(process);
      assert.is(await watch.stop(unit, 5000), undefined);
      assert.not(isAlive(process));
      watch.host.discard(unit);
      assert.not(existsSync(path));
      watch.host.close();
    },
  );
}

groups.run();
