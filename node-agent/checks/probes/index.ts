/** Who looks at which kind of check. */
import type { Probes } from '../real-prober.ts';
import { temperature, underVoltage } from './board.ts';
import { clock } from './clock.ts';
import { command } from './command.ts';
import { dns } from './dns.ts';
import { link, listens, route, sysctl } from './kernel.ts';
import { httpProbe, port } from './network.ts';
import { disk, file, mount } from './storage.ts';
import { processes, unitsFailed, user } from './system.ts';
import { updates } from './updates.ts';

export const probes: Probes = {
  command,
  port,
  listens,
  http: httpProbe,
  dns,
  file,
  disk,
  mount,
  units_failed: unitsFailed,
  processes,
  user,
  clock,
  temperature,
  under_voltage: underVoltage,
  sysctl,
  route,
  link,
  updates,
};
