/** What holds for a calibration as for all heat, though no room asks for it: the room's hard limit, and the fuse. Pure. */
import { type MachineNow, type Machines, roomOf } from './machines.ts';
import { wattsOf } from './power/model.ts';
import type { Round } from './round.ts';

/** Machines that are being calibrated in a room at its hard limit, and why that ends. */
export function* tooWarm({ rooms }: Round, machines: readonly MachineNow[]): Generator<readonly [string, string]> {
  for (const machine of machines) {
    if (machine.calibratingCores === undefined) continue;
    const room = roomOf(machine) ?? '';
    const { sensed, aim } = rooms.get(room) ?? {};
    if (!sensed?.ok || !aim || sensed.c < aim.limitC) continue;
    yield [machine.node, `the room ${room} is at ${sensed.c} °C, its limit of ${aim.limitC} °C`];
  }
}

/**
 * Whether the fuse bears this machine with every core busy beside what all others draw anyway, and others that are
 * calibrated at their most.
 * @returns one sentence where it does not
 */
export function aboveFuse(
  node: string,
  all: readonly MachineNow[],
  machines: Machines,
  fuseW: number | undefined,
): string | undefined {
  if (fuseW === undefined) return undefined;
  let watts = 0;
  for (const machine of all) {
    const cores = machine.info?.cores;
    if (!machine.online || cores === undefined) continue;
    const model = machines.model(machine);
    const full = machine.node === node || machine.calibratingCores !== undefined;
    watts += full ? model.peakW : wattsOf(model, machines.busy(machine.node) / cores);
  }
  if (watts <= fuseW) return undefined;
  return `the fuse of ${Math.round(fuseW)} W (max-w) does not bear it: with every core busy, and what all others draw anyway, it would be ${Math.round(watts)} W`;
}
