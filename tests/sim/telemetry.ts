/** The least an agent can measure. */
import type { Telemetry } from '../../node-agent/telemetry/telemetry.ts';
import type { Process } from './clock.ts';

export const simTelemetry = (process: Process): Telemetry => ({
  sample: () => ({ load: { cpu_pct: 1, up_s: Math.floor(process.clock.now() / 1000) } }),
  facts: done => {
    process.clock.after(50, () => done({ os: 'simulated', cores: 4 }));
  },
});
