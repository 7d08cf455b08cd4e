/**
 * The network cards of nodes, for when they sleep: what each said last in its `info`, kept over restarts, and what it said
 * when it joined.
 *
 * Keys: `wake/<node>`.
 */
import type { Log } from '../../shared/log.ts';
import type { Info } from '../../shared/schemas/telemetry.ts';
import type { Store, StoreOp } from '../../shared/store.ts';
import { readMacs, wakeable } from '../../shared/wake/magic-packet.ts';
import { readNets } from '../../shared/wake/subnets.ts';
import type { Cards } from './sleepers.ts';

const prefix = 'wake/';
/** Of a node's claims. */
const most = 14;

interface Kept extends Cards {
  /** A container, or simulated. */
  readonly virtual: boolean;
}

export interface CardsParts {
  readonly store: Store;
  readonly log: Log;
  /** MAC addresses that the node told when it joined, comma-joined. */
  enrolled(node: string): string | undefined;
}

export class CardMemory {
  readonly #parts: CardsParts;
  readonly #kept = new Map<string, Kept>();
  /** To be written. */
  readonly #news = new Set<string>();
  #writing = false;

  constructor(parts: CardsParts) {
    this.#parts = parts;
  }

  load(done: (error?: string) => void): void {
    this.#parts.store.read(prefix, (error, entries) => {
      if (error) return done(`what is known of network cards cannot be read: ${error.message}`);
      for (const [key, text] of entries) {
        const kept = parsed(text);
        if (kept) this.#kept.set(key.slice(prefix.length), kept);
      }
      done();
    });
  }

  /** What a node says of itself now. */
  heard(node: string, { macs, nets, caps }: Info): void {
    const said = {
      macs: readMacs(macs ?? '').slice(0, most),
      nets: readNets(nets ?? '').slice(0, most),
      virtual: (caps ?? '').split(',').some(cap => cap === 'container' || cap === 'simulated'),
    };
    // One that cannot tell just now is what it was.
    if (said.macs.length === 0 || JSON.stringify(said) === JSON.stringify(this.#kept.get(node))) return;
    this.#kept.set(node, said);
    this.#news.add(node);
  }

  /** Those that are worth a packet; none where nothing is known. */
  of(node: string): Cards {
    const { macs = [], nets = [], virtual = false } = this.#kept.get(node) ?? {};
    const joined = readMacs(this.#parts.enrolled(node) ?? '').slice(0, most);
    return { macs: wakeable([...macs, ...joined], virtual), nets };
  }

  forget(node: string): void {
    if (this.#kept.delete(node)) this.#news.add(node);
  }

  /** Writes what is new, where something is. @param again called where something is left to be written. */
  write(again: () => void = () => {}): void {
    if (this.#writing || this.#news.size === 0) return;
    const { store, log } = this.#parts;
    const nodes = [...this.#news];
    this.#news.clear();
    const ops = nodes.map((node): StoreOp => {
      const kept = this.#kept.get(node);
      return kept ? { put: prefix + node, value: JSON.stringify(kept) } : { del: prefix + node };
    });
    this.#writing = true;
    store.write(ops, error => {
      this.#writing = false;
      if (error) {
        for (const node of nodes) this.#news.add(node);
        log.warn({ error: error.message }, 'network cards of nodes cannot be written: it is tried again');
      }
      if (this.#news.size > 0) again();
    });
  }
}

function parsed(text: string): Kept | undefined {
  try {
    const { macs, nets, virtual } = JSON.parse(text) as Record<string, unknown>;
    const texts = (list: unknown): string => (Array.isArray(list) ? list.join() : '');
    return { macs: readMacs(texts(macs)), nets: readNets(texts(nets)), virtual: virtual === true };
  } catch {
    return undefined;
  }
}
