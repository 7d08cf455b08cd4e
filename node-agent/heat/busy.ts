/** How many cores of the machine are busy, from /proc/stat (proc(5)). */
import type { MachineFiles } from '../telemetry/machine-files.ts';

interface Ticks {
  readonly busy: number;
  readonly total: number;
  readonly cores: number;
}

/** What a hypervisor gives to others (steal) makes no heat here; time of guests is in `user` and `nice` already. */
export function ticksOf(stat: string): Ticks | undefined {
  const line = /^cpu +([\d ]+)$/m.exec(stat)?.[1];
  if (line === undefined) return undefined;
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0] = line
    .trim()
    .split(/ +/)
    .map(Number);
  const busy = user + nice + system + irq + softirq;
  const cores = stat.match(/^cpu\d+ /gm)?.length ?? 0;
  return cores === 0 ? undefined : { busy, total: busy + idle + iowait + steal, cores };
}

export class BusyMeter {
  readonly #files: MachineFiles;
  #last: Ticks | undefined;

  constructor(files: MachineFiles) {
    this.#files = files;
  }

  /** Cores since the last look; undefined the first time, and where the kernel does not tell. */
  look(): number | undefined {
    const now = ticksOf(this.#files.text('proc/stat') ?? '');
    const last = this.#last;
    this.#last = now;
    if (!now || !last || now.total <= last.total) return undefined;
    const share = (now.busy - last.busy) / (now.total - last.total);
    return Math.min(now.cores, Math.max(0, share * now.cores));
  }
}
