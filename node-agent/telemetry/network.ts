/** Traffic of the machine's own interfaces from /proc/net/dev. */
import { type MachineFiles, rounded } from './machine-files.ts';

interface Counters {
  readonly rx: number;
  readonly tx: number;
}

export interface Traffic {
  readonly rxKbps: number;
  readonly txKbps: number;
}

/** Names of interfaces that only carry what another one carries too, for machines where none has a device. */
const virtual =
  /^(lo|veth|docker|br-|virbr|vnet|tap|tun|wg|dummy|ifb|sit|ip6tnl|gre|teql|erspan|bond|team|cni|flannel|cali|lxc|lxd)/;

/** Interfaces with a device behind them; where there is none (a container), all that do not look virtual. */
export function realInterfaces(files: MachineFiles, names: readonly string[]): readonly string[] {
  const physical = names.filter(name => files.exists(`sys/class/net/${name}/device`));
  return physical.length > 0 ? physical : names.filter(name => !virtual.test(name));
}

/** Counters of 32-bit kernels start over at 2^32; one that fell from below the middle was reset. */
function difference(before: number, now: number): number {
  if (now >= before) return now - before;
  return before >= 2 ** 31 && before < 2 ** 32 && now < 2 ** 31 ? now + 2 ** 32 - before : 0;
}

export class NetworkMeter {
  readonly #files: MachineFiles;
  #before = new Map<string, Counters>();
  #names = '';
  #real = new Set<string>();

  constructor(files: MachineFiles) {
    this.#files = files;
  }

  /** @param elapsedMs since the last look. */
  look(elapsedMs: number): Traffic | undefined {
    const text = this.#files.text('proc/net/dev');
    if (text === undefined) return undefined;
    const now = new Map<string, Counters>();
    for (const line of text.split('\n', 1000).slice(2)) {
      const colon = line.indexOf(':');
      if (colon < 0) continue;
      const fields = line
        .slice(colon + 1)
        .trim()
        .split(/\s+/);
      now.set(line.slice(0, colon).trim(), { rx: Number(fields[0]), tx: Number(fields[8]) });
    }
    const names = [...now.keys()].join(' ');
    if (names !== this.#names) {
      this.#names = names;
      this.#real = new Set(realInterfaces(this.#files, [...now.keys()]));
    }
    if (this.#real.size === 0) return undefined;
    let rx = 0;
    let tx = 0;
    const first = this.#before.size === 0;
    for (const name of this.#real) {
      const before = this.#before.get(name);
      const after = now.get(name);
      if (!before || !after) continue;
      rx += difference(before.rx, after.rx);
      tx += difference(before.tx, after.tx);
    }
    this.#before = now;
    if (first || elapsedMs <= 0) return undefined;
    // Bytes in milliseconds times 8 are kilobits in seconds.
    return { rxKbps: rounded((rx * 8) / elapsedMs), txKbps: rounded((tx * 8) / elapsedMs) };
  }
}
