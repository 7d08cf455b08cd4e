/** This machine's part in heating: what it can dim with, what it measures by, and where it is kept. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { bootClock } from './heat/boot-clock.ts';
import { BusyMeter } from './heat/busy.ts';
import { HeatGroups } from './heat/groups.ts';
import { NodeHeat } from './heat/node-heat.ts';
import type { HeatSide } from './heat/side.ts';
import { realGroupFiles } from './reconcile/services/group-files.ts';
import { hierarchiesOf } from './reconcile/services/hierarchies.ts';
import { inherited } from './reconcile/services/launch.ts';
import type { Surroundings } from './run-agent.ts';
import { MachineFiles } from './telemetry/machine-files.ts';
import { Sensors } from './telemetry/sensors.ts';

/** Undefined: a machine that does not tell how busy it is gives no heat, as it could not be kept at any level. */
export function createRealHeat({
  data,
  clock,
  log,
}: Pick<Surroundings, 'data' | 'clock' | 'log'>): HeatSide | undefined {
  const files = new MachineFiles('/');
  if (files.text('proc/stat', 64) === undefined) return undefined;
  const busy = new BusyMeter(files);
  const sensors = new Sensors(files);
  const boot = bootClock();
  return new NodeHeat({
    ...{ clock, log, bootClock: boot, path: inherited.PATH ?? '' },
    folder: join(data, 'heat'),
    cores: availableParallelism(),
    groups: groupsFor(data),
    machine() {
      const busyCores = busy.look();
      const { tempC } = sensors.look(clock.now());
      return busyCores === undefined ? undefined : { busyCores, ...(tempC === undefined ? {} : { tempC }) };
    },
  });
}

/** Of this agent alone: two may be on one machine. */
function groupsFor(data: string): HeatGroups {
  const name = `hearth-heat-${createHash('sha256').update(resolve(data)).digest('hex').slice(0, 8)}`;
  try {
    const [mounts, own] = ['/proc/self/mountinfo', '/proc/self/cgroup'].map(path => readFileSync(path, 'utf8'));
    const root = process.getuid?.() === 0;
    return HeatGroups.make(hierarchiesOf(mounts ?? '', own ?? ''), realGroupFiles, root, name);
  } catch {
    return new HeatGroups([], realGroupFiles);
  }
}
