/** Telemetry of a machine that does not exist: steady per node, plausible together, and the same again from the same seed. */
import type { Clock, Random } from '../../shared/clock.ts';
import { rounded } from './machine-files.ts';
import type { Telemetry } from './telemetry.ts';

const machines = [
  {
    cpu: 'Cortex-A72',
    cores: 4,
    mem_mb: 3794,
    mhz: 1500,
    idleW: 2.7,
    fullW: 6.4,
    arch: 'arm64',
    os: 'Debian GNU/Linux 12 (bookworm)',
  },
  {
    cpu: 'Intel Core i5-4590 CPU @ 3.30GHz',
    cores: 4,
    mem_mb: 7868,
    mhz: 3300,
    idleW: 22,
    fullW: 84,
    arch: 'x64',
    os: 'Debian GNU/Linux 12 (bookworm)',
  },
  {
    cpu: 'AMD Ryzen 7 2700X Eight-Core Processor',
    cores: 16,
    mem_mb: 32_039,
    mhz: 3700,
    idleW: 34,
    fullW: 141,
    arch: 'x64',
    os: 'Ubuntu 24.04.1 LTS',
  },
  {
    cpu: 'Intel Pentium Dual-Core T4400 @ 2.20GHz',
    cores: 2,
    mem_mb: 1982,
    mhz: 2200,
    idleW: 0,
    fullW: 0,
    arch: 'x64',
    os: 'Debian GNU/Linux 12 (bookworm)',
  },
] as const;

export interface SyntheticOptions {
  readonly clock: Clock;
  readonly random: Random;
}

export interface SyntheticTelemetry extends Telemetry {
  readonly cores: number;
  /** What its heat is dimmed by: cores busy with other things, and its temperature. */
  machine(): { readonly busyCores: number; readonly tempC: number };
  /** So many cores are busy for heat from now on, beside what wanders. */
  heats(cores: number): void;
}

/** A machine of a kind drawn at random, whose load wanders. */
export function createSyntheticTelemetry({ clock, random }: SyntheticOptions): SyntheticTelemetry {
  const machine = machines[Math.floor(random.next() * machines.length)] ?? machines[0];
  const mac = (random.hex(5).match(/../g) ?? []).join(':');
  const born = clock.now();
  const upAtBirth = Math.floor(random.next() * 5_000_000);
  let busy = random.next() * 40;
  let temperature = 38 + busy / 3;
  let heat = 0;
  let warmedAt = born;
  const all = () => Math.min(100, busy + (heat / machine.cores) * 100);
  // A heat sink takes its time: half of the way in some 20 s.
  const warm = () => {
    const seconds = Math.max(0, clock.now() - warmedAt) / 1000;
    warmedAt = clock.now();
    temperature += (34 + all() * 0.42 - temperature) * (1 - Math.exp(-seconds / 30));
  };

  return {
    cores: machine.cores,
    machine() {
      warm();
      return { busyCores: (busy / 100) * machine.cores, tempC: temperature };
    },
    heats(cores) {
      warm();
      heat = Math.max(0, cores);
    },
    sample() {
      busy = Math.min(100, Math.max(0, busy + (random.next() - 0.5) * 12));
      warm();
      const share = all();
      const cores = Array.from({ length: machine.cores }, () =>
        rounded(Math.min(100, Math.max(0, share + (random.next() - 0.5) * 20))),
      );
      const memPct = 22 + share / 4;
      const watts = machine.idleW + ((machine.fullW - machine.idleW) * share) / 100;
      return {
        load: {
          cpu_pct: rounded(share),
          load1: rounded((share / 100) * machine.cores, 2),
          mem_pct: rounded(memPct),
          mem_mb: Math.round((machine.mem_mb * memPct) / 100),
          disk_pct: 41.7,
          temp_c: rounded(temperature),
          cpu_mhz: machine.mhz,
          rx_kbps: rounded(random.next() * 90),
          tx_kbps: rounded(random.next() * 40),
          up_s: upAtBirth + Math.floor((clock.now() - born) / 1000),
          ...(machine.fullW > 0 ? { watts: rounded(watts) } : {}),
        },
        cores,
      };
    },
    facts(done) {
      const { os, arch, cpu, cores, mem_mb } = machine;
      done({ os, arch, cpu, cores, mem_mb, macs: `02:${mac}`, caps: 'simulated' });
    },
  };
}
