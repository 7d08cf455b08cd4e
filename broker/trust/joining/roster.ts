/**
 * Which node a key or a machine is, as far as one can know: found by key, machine-id and hardware addresses without going
 * through all of them, since whoever connects can make us ask.
 */
import type { JoinFacts } from '../../../shared/schemas/trust.ts';
import type { Ledger } from './ledger.ts';
import type { NodeRecord } from './records.ts';
import { macsOf } from './rules.ts';

class Index {
  readonly #sets = new Map<string, Set<string>>();

  add(key: string, node: string): void {
    const set = this.#sets.get(key);
    if (set) set.add(node);
    else this.#sets.set(key, new Set([node]));
  }

  remove(key: string, node: string): void {
    const set = this.#sets.get(key);
    set?.delete(node);
    if (set?.size === 0) this.#sets.delete(key);
  }

  of(key: string): Iterable<string> {
    return this.#sets.get(key) ?? [];
  }
}

export class Roster {
  readonly #nodes: ReadonlyMap<string, NodeRecord>;
  readonly #keys = new Index();
  readonly #machines = new Index();
  readonly #macs = new Index();

  constructor(ledger: Ledger) {
    this.#nodes = ledger.nodes;
    for (const record of ledger.nodes.values()) this.#each(record, (index, key) => index.add(key, record.node));
    ledger.onChange((change, before) => {
      if (change.kind !== 'node') return;
      if (before) this.#each(before as NodeRecord, (index, key) => index.remove(key, change.id));
      if (change.record) this.#each(change.record, (index, key) => index.add(key, change.id));
    });
  }

  /** The node whose certificate, one of the last, is for this key. */
  byKey(key: string): NodeRecord | undefined {
    return this.#first(this.#keys.of(key));
  }

  /** The active node that runs, or ran, on this very machine: its machine-id, and one of its network cards. */
  sameMachine(facts: JoinFacts): NodeRecord | undefined {
    return this.#withMachine(facts).find(record => record.state === 'active' && sameMachine(record.facts, facts));
  }

  /** A node with the same machine-id on other hardware: one of the two was copied. */
  otherMachine(facts: JoinFacts): NodeRecord | undefined {
    const records = this.#withMachine(facts);
    return records.some(record => sameMachine(record.facts, facts)) ? undefined : records[0];
  }

  /** An active node with one of these hardware addresses and another machine-id: set up anew, perhaps. */
  sameHardware(facts: JoinFacts): NodeRecord | undefined {
    return this.#withMac(facts).find(record => record.state === 'active' && record.facts.machine !== facts.machine);
  }

  /** A revoked node that this may be. Whoever lies about both is not found, but he needs a token for that. */
  revoked(facts: JoinFacts): NodeRecord | undefined {
    return [...this.#withMachine(facts), ...this.#withMac(facts)].find(record => record.state === 'revoked');
  }

  #withMachine = ({ machine }: JoinFacts): NodeRecord[] =>
    machine === undefined ? [] : this.#records(this.#machines.of(machine));

  #withMac = (facts: JoinFacts): NodeRecord[] => macsOf(facts).flatMap(mac => this.#records(this.#macs.of(mac)));

  #records = (nodes: Iterable<string>): NodeRecord[] =>
    [...nodes].map(node => this.#nodes.get(node)).filter(record => record !== undefined);

  #first = (nodes: Iterable<string>): NodeRecord | undefined => this.#records(nodes)[0];

  #each(record: NodeRecord, use: (index: Index, key: string) => void): void {
    for (const { key } of record.certs) use(this.#keys, key);
    if (record.facts.machine !== undefined) use(this.#machines, record.facts.machine);
    for (const mac of macsOf(record.facts)) use(this.#macs, mac);
  }
}

/** One machine-id alone may have been copied with a disk image. */
const sameMachine = (a: JoinFacts, b: JoinFacts): boolean =>
  a.machine !== undefined && a.machine === b.machine && sharesCard(a, b);

export function sharesCard(a: JoinFacts, b: JoinFacts): boolean {
  const macs = macsOf(a);
  return macsOf(b).some(mac => macs.includes(mac));
}
