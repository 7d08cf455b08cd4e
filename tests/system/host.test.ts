import { listProcesses, unitOf } from '../../node-agent/reconcile/services/processes.ts';
import { createRealHost } from '../../node-agent/reconcile/services/real-host.ts';
import { createSimulatedHost, SimulatedMachine } from '../../node-agent/reconcile/services/simulated-host.ts';
import { silentLog } from '../../shared/log.ts';
import { systemClock, systemRandom } from '../../shared/system-clock.ts';
import { hostConformance } from '../fixture/host-conformance.ts';
import { folder } from '../fixture/processes.ts';

const clock = systemClock();
const random = systemRandom();

const machine = new SimulatedMachine({ clock, random });
hostConformance('simulated', {
  host: () => createSimulatedHost({ clock, random, machine }),
  alive: unit => [...machine.alive().values()].some(units => units.includes(unit)),
});

const home = folder('hearth-host-');
hostConformance('real', {
  host: () => createRealHost({ folder: home, log: silentLog }),
  alive: unit => listProcesses().some(({ pid }) => unitOf(pid) === unit),
});
