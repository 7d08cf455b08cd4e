/**
 * Which online nodes send the packets for a sleeper, since a broadcast ends at a router. Pure.
 *
 * Known networks of the sleeper: nodes that are in one of them, two for each, others in every round, for networks of two
 * houses may have the same number. Not known, or nobody is there: one node for each network, at most eight in a round, those
 * first in which the supervisor is not itself. Where the supervisor is in the sleeper's network, that is left for the fourth
 * round: the machine may have been moved.
 */
export const relayLimits = { perNet: 2, perRound: 8, aloneRounds: 3 } as const;

export interface RelayNode {
  readonly node: string;
  /** Networks that it is in, such as `192.168.1.0/24`. */
  readonly nets: readonly string[];
}

/** Online nodes that can send, by network. */
export class Relays {
  readonly #byNet = new Map<string, string[]>();
  /** Where the supervisor is not, first. */
  readonly #nets: readonly string[];
  readonly #own: readonly string[];

  /** @param own networks of the supervisor. */
  constructor(nodes: Iterable<RelayNode>, own: readonly string[]) {
    for (const { node, nets } of nodes) {
      for (const net of nets) {
        const list = this.#byNet.get(net);
        if (list) list.push(node);
        else this.#byNet.set(net, [node]);
      }
    }
    this.#own = own;
    const nets = [...this.#byNet.keys()].sort();
    this.#nets = [...nets.filter(net => !own.includes(net)), ...nets.filter(net => own.includes(net))];
  }

  /** @param round counts from 0. @param nets of the sleeper, as far as it has told. */
  choose(sleeper: string, nets: readonly string[], round: number): readonly string[] {
    const chosen = new Set<string>();
    for (const net of nets) for (const node of this.#of(net, sleeper, round, relayLimits.perNet)) chosen.add(node);
    const isHere = nets.some(net => this.#own.includes(net));
    if (chosen.size === 0 && !(isHere && round < relayLimits.aloneRounds)) {
      const start = this.#nets.length > relayLimits.perRound ? round * relayLimits.perRound : 0;
      const turn = Math.floor((round * relayLimits.perRound) / Math.max(relayLimits.perRound, this.#nets.length));
      for (let i = 0; i < Math.min(this.#nets.length, relayLimits.perRound); i++) {
        const net = this.#nets[(start + i) % this.#nets.length] ?? '';
        for (const node of this.#of(net, sleeper, turn, 1)) chosen.add(node);
      }
    }
    return [...chosen].slice(0, relayLimits.perRound);
  }

  /** `most` nodes of a network, the next ones with every turn. */
  #of(net: string, sleeper: string, turn: number, most: number): string[] {
    const all = (this.#byNet.get(net) ?? []).filter(node => node !== sleeper);
    const count = Math.min(most, all.length);
    return Array.from({ length: count }, (_, i) => all[(turn * most + i) % all.length] ?? '');
  }
}
