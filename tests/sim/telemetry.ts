/** The least an agent can measure. */
import type { Telemetry } from '../../node-agent/telemetry/telemetry.ts';
import type { Process } from './clock.ts';
import { idleCores, type KernelHeat, simCores } from './heating.ts';

export const simTelemetry = (process: Process, heat: KernelHeat): Telemetry => ({
  sample: () => ({
    load: {
      cpu_pct: ((idleCores + heat.cores) / simCores) * 100,
      temp_c: 50,
      up_s: Math.floor(process.clock.now() / 1000),
    },
  }),
  facts: done => {
    process.clock.after(50, () => done({ os: 'simulated', cores: simCores }));
  },
});
