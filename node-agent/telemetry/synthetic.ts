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

/** A machine of a kind drawn at random, whose load wanders. */
export function createSyntheticTelemetry({ clock, random }: SyntheticOptions): Telemetry & { readonly cores: number } {
  const machine = machines[Math.floor(random.next() * machines.length)] ?? machines[0];
  const mac = (random.hex(5).match(/../g) ?? []).join(':');
  const born = clock.now();
  const upAtBirth = Math.floor(random.next() * 5_000_000);
  let busy = random.next() * 40;
  let temperature = 38 + busy / 3;

  return {
    cores: machine.cores,
    sample() {
      busy = Math.min(100, Math.max(0, busy + (random.next() - 0.5) * 12));
      temperature += (34 + busy * 0.42 - temperature) * 0.2;
      const cores = Array.from({ length: machine.cores }, () =>
        rounded(Math.min(100, Math.max(0, busy + (random.next() - 0.5) * 20))),
      );
      const memPct = 22 + busy / 4;
      const watts = machine.idleW + ((machine.fullW - machine.idleW) * busy) / 100;
      return {
        load: {
          cpu_pct: rounded(busy),
          load1: rounded((busy / 100) * machine.cores, 2),
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
