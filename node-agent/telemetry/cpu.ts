/** Busy shares from /proc/stat (proc(5)): since the last look, for the machine and for every core. */
import { rounded } from './machine-files.ts';

interface Ticks {
  readonly busy: number;
  readonly total: number;
}

export interface CpuShare {
  readonly pct?: number;
  /** In the kernel's order; as many as are switched on at this moment. */
  readonly cores?: readonly number[];
}

/** `guest` and `guest_nice` are in `user` and `nice` already; waiting for a disk is idle time. */
function ticksOf(line: string): Ticks {
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0] = line
    .trim()
    .split(/\s+/)
    .slice(1)
    .map(Number);
  const busy = user + nice + system + irq + softirq + steal;
  return { busy, total: busy + idle + iowait };
}

export class CpuMeter {
  #all: Ticks | undefined;
  #cores = new Map<string, Ticks>();
  #last = new Map<string, number>();

  /** @param stat the text of /proc/stat. */
  look(stat: string | undefined): CpuShare {
    if (stat === undefined) return {};
    const cores = new Map<string, Ticks>();
    let all: Ticks | undefined;
    for (const line of stat.split('\n', 4200)) {
      if (!line.startsWith('cpu')) break;
      const name = line.slice(0, line.indexOf(' '));
      if (name === 'cpu') all = ticksOf(line);
      else cores.set(name, ticksOf(line));
    }
    const pct = all && this.#share('cpu', this.#all, all);
    const shares = [...cores].map(([name, ticks]) => this.#share(name, this.#cores.get(name), ticks));
    this.#all = all;
    // A core that was switched off counts anew when it comes back.
    this.#cores = cores;
    return {
      ...(pct === undefined ? {} : { pct }),
      ...(shares.length > 0 && shares.every(share => share !== undefined) ? { cores: shares as number[] } : {}),
    };
  }

  /** The kernel's idle counters may step back by a tick (proc(5)); a look too soon after the last one repeats it. */
  #share(name: string, before: Ticks | undefined, now: Ticks): number | undefined {
    if (!before) return this.#all ? 0 : undefined;
    const total = now.total - before.total;
    if (total <= 0) return this.#last.get(name) ?? 0;
    const share = rounded(Math.min(100, Math.max(0, ((now.busy - before.busy) / total) * 100)));
    this.#last.set(name, share);
    return share;
  }
}
