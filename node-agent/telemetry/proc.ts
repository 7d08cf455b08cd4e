/**
 * What a Linux machine measures about itself, read straight from /proc and /sys: a tenth of a millisecond and no child
 * process per sample. In a container the figures are the machine's: limits of its cgroup are not looked at. Where there
 * is no /proc (macOS) or it is closed (Termux), keys are absent.
 */
import { statfs } from 'node:fs';
import type { Clock } from '../../shared/clock.ts';
import { CpuMeter } from './cpu.ts';
import { gatherFacts } from './facts.ts';
import { Hold } from './hold.ts';
import { MachineFiles, rounded } from './machine-files.ts';
import { memoryOf } from './memory.ts';
import { NetworkMeter } from './network.ts';
import { Sensors } from './sensors.ts';
import { Surroundings } from './surroundings.ts';
import type { LoadSample, Telemetry } from './telemetry.ts';

export interface ProcOptions {
  readonly clock: Clock;
  /** Whose file system `disk_pct` is about. */
  readonly dataFolder: string;
  /** `/`, but in tests a folder with a machine's files. */
  readonly root?: string;
  /** Goes among the facts. */
  readonly sealKey?: string | undefined;
}

/** As df(1) counts: what root alone may use is neither used nor free. */
function watchDisk(folder: string): { pct(): number | undefined } {
  let last: number | undefined;
  let asking = false;
  return {
    // Asked in the background: a network file system that hangs must not take the agent along.
    pct() {
      if (!asking) {
        asking = true;
        statfs(folder, (error, stats) => {
          asking = false;
          const used = stats ? stats.blocks - stats.bfree : 0;
          const whole = stats ? used + stats.bavail : 0;
          last = error || whole <= 0 ? undefined : rounded((used / whole) * 100);
        });
      }
      return last;
    },
  };
}

export function createProcTelemetry({ clock, dataFolder, root = '/', sealKey }: ProcOptions): Telemetry {
  const files = new MachineFiles(root);
  const cpu = new CpuMeter();
  const network = new NetworkMeter(files);
  const sensors = new Sensors(files);
  const surroundings = new Surroundings(files);
  const disk = watchDisk(dataFolder);
  const hold = new Hold();
  let lookedAt = clock.now();
  // Rates need a first look.
  cpu.look(files.text('proc/stat'));
  network.look(0);
  sensors.look(lookedAt);
  disk.pct();

  return {
    sample() {
      const now = clock.now();
      const share = cpu.look(files.text('proc/stat'));
      const memory = memoryOf(files.text('proc/meminfo'));
      const traffic = network.look(now - lookedAt);
      const sensed = sensors.look(now);
      const load1 = Number.parseFloat(files.text('proc/loadavg', 64) ?? '');
      const up = Number.parseFloat(files.text('proc/uptime', 64) ?? '');
      lookedAt = now;
      const fresh = {
        cpu_pct: share.pct,
        load1: Number.isNaN(load1) ? undefined : load1,
        mem_pct: memory.pct,
        mem_mb: memory.mb,
        disk_pct: disk.pct(),
        temp_c: sensed.tempC,
        cpu_mhz: sensed.mhz,
        rx_kbps: traffic?.rxKbps,
        tx_kbps: traffic?.txKbps,
        watts: sensed.watts,
        up_s: Number.isNaN(up) ? undefined : Math.round(up),
      };
      const load: LoadSample = hold.complete(fresh, now);
      return {
        load: load.watts === undefined ? load : { ...load, watts_source: 'rapl' },
        ...(share.cores ? { cores: share.cores } : {}),
      };
    },
    surroundings: done => surroundings.look(done),
    facts: done => gatherFacts(files, facts => done(sealKey === undefined ? facts : { ...facts, seal_key: sealKey })),
  };
}
