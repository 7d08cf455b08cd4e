import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { listProcesses, unitOf } from '../../node-agent/reconcile/services/processes.ts';
import { createSimulatedHost, SimulatedMachine } from '../../node-agent/reconcile/services/simulated-host.ts';
import { UnitFolder } from '../../node-agent/reconcile/services/unit-folder.ts';
import { systemClock, systemRandom } from '../../shared/system-clock.ts';
import { hostConformance } from '../fixture/host-conformance.ts';
import { hostThatIs } from '../fixture/primed-host.ts';
import { folder } from '../fixture/processes.ts';

const clock = systemClock();
const random = systemRandom();

const machine = new SimulatedMachine({ clock, random });
hostConformance('simulated', {
  host: () => createSimulatedHost({ clock, random, machine }),
  alive: unit => [...machine.alive().values()].some(units => units.includes(unit)),
  ending: code => ({ run: 'sleep 1000', now: unit => machine.kill(unit, { code }) }),
});

for (const way of ['spawned', 'primed'] as const) {
  const home = folder('hearth-host-');
  hostConformance(`real, ${way}`, {
    host: () => hostThatIs(way, { folder: home }),
    // A shim that waited has the unit's name on no paper but the record.
    alive: unit => {
      const shim = new UnitFolder(home).run(unit)?.main.parent;
      return listProcesses().some(({ pid }) => pid === shim || unitOf(pid) === unit);
    },
    ending: code => {
      const gate = join(folder(), 'gate');
      return { run: `until [ -e ${gate} ]; do sleep 0.05; done; exit ${code}`, now: () => writeFileSync(gate, '') };
    },
  });
}
