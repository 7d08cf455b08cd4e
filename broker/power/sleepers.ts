/**
 * Nodes that are to wake: when packets are sent for which, and when it is over. Pure; the adapter is waking.ts.
 *
 * A node that somebody wants awake gets packets at once and every ten seconds, until it is online or nobody's time is left.
 * Who asks for it meanwhile waits along and causes no packet; nor does who asks right after it was given up, before the ten
 * seconds are over. However many nodes are asked for, only so many get packets in one tick: the others are late.
 */
import { mostCards, mostRelayed } from '../../shared/wake/magic-packet.ts';
import type { Relays } from './relays.ts';

export const sleeperLimits = {
  /** Between two rounds of one node. */
  everyMs: 10_000,
  tickMs: 250,
  /** Nodes that get packets in one tick, as many as fit an order to a relay: 32 a second. */
  perTick: mostRelayed / mostCards,
  /** Orders that wait for one node. */
  waiters: 4,
} as const;

export type Told = (error?: string) => void;

interface Waiter {
  readonly until: number;
  readonly withinMs: number;
  readonly done: Told;
}

interface Sleeper {
  readonly macs: readonly string[];
  readonly nets: readonly string[];
  waiters: Waiter[];
  nextAt: number;
  rounds: number;
  /** Addresses of the supervisor, and nodes, that sent. */
  readonly from: Set<string>;
  readonly by: Set<string>;
  trouble: string | undefined;
}

export type SleeperEffect =
  /** From here, to the cards of these nodes. */
  | { readonly type: 'send'; readonly nodes: readonly string[]; readonly macs: readonly string[] }
  | {
      readonly type: 'relay';
      readonly relay: string;
      readonly nodes: readonly string[];
      readonly macs: readonly string[];
    }
  | { readonly type: 'told'; readonly done: Told; readonly error?: string }
  | { readonly type: 'gave-up'; readonly node: string; readonly text: string };

export interface Cards {
  readonly macs: readonly string[];
  /** Networks that it is in, as far as it has told. */
  readonly nets: readonly string[];
}

export class Sleepers {
  readonly #asleep = new Map<string, Sleeper>();
  /** Nodes that are not waited for any more, and until when they get no packet. */
  readonly #resting = new Map<string, number>();

  get any(): boolean {
    return this.#asleep.size > 0;
  }

  /** @returns why it is not waited for. `done` runs once, where it is. */
  ask(node: string, { macs, nets }: Cards, withinMs: number, done: Told, now: number): string | undefined {
    const waiter = { until: now + withinMs, withinMs, done };
    const known = this.#asleep.get(node);
    if (known && known.waiters.length >= sleeperLimits.waiters)
      return `${sleeperLimits.waiters} orders wait for it to wake already`;
    if (known) known.waiters.push(waiter);
    else {
      const nextAt = Math.max(now, this.#resting.get(node) ?? now);
      const sent = { rounds: 0, from: new Set<string>(), by: new Set<string>(), trouble: undefined };
      this.#asleep.set(node, { macs, nets, waiters: [waiter], nextAt, ...sent });
    }
    return undefined;
  }

  online(node: string, now: number): SleeperEffect[] {
    return this.#end(node, now).map(({ done }) => ({ type: 'told', done }));
  }

  forgotten(node: string, now: number): SleeperEffect[] {
    return this.#end(node, now).map(({ done }) => ({ type: 'told', done, error: 'it was forgotten meanwhile' }));
  }

  /** Called every {@link sleeperLimits.tickMs} while there are {@link any}. @param relays asked for once, where packets are due. */
  tick(now: number, relays: () => Relays): SleeperEffect[] {
    const effects: SleeperEffect[] = [];
    for (const [node, at] of this.#resting) if (now >= at) this.#resting.delete(node);
    for (const [node, sleeper] of this.#asleep) {
      const late = sleeper.waiters.filter(({ until }) => now >= until);
      if (late.length === 0) continue;
      sleeper.waiters = sleeper.waiters.filter(({ until }) => now < until);
      for (const { done, withinMs } of late) {
        effects.push({ type: 'told', done, error: whyAsleep(sleeper, withinMs) });
      }
      if (sleeper.waiters.length > 0) continue;
      this.#end(node, now);
      const text = `${node} was not woken: ${whyAsleep(sleeper, late[0]?.withinMs ?? 0)}`;
      effects.push({ type: 'gave-up', node, text });
    }
    const due = [...this.#asleep].filter(([, { nextAt }]) => now >= nextAt);
    // Who has waited longest comes first.
    due.sort(([, a], [, b]) => a.nextAt - b.nextAt);
    const round = due.slice(0, sleeperLimits.perTick);
    if (round.length > 0) effects.push(...this.#round(round, relays(), now));
    return effects;
  }

  /** Packets for these nodes left from these addresses of the supervisor. */
  sent(nodes: readonly string[], addresses: readonly string[], trouble: string | undefined): void {
    for (const sleeper of this.#named(nodes)) {
      for (const address of addresses) sleeper.from.add(address);
      sleeper.trouble = trouble ?? sleeper.trouble;
    }
  }

  /** A relay's answer. */
  relayed(relay: string, nodes: readonly string[], error: string | undefined): void {
    for (const sleeper of this.#named(nodes)) {
      if (error === undefined) sleeper.by.add(relay);
      else sleeper.trouble = `${relay}: ${error}`;
    }
  }

  #round(round: readonly (readonly [string, Sleeper])[], relays: Relays, now: number): SleeperEffect[] {
    const errands = new Map<string, { nodes: string[]; macs: string[] }>();
    for (const [node, sleeper] of round) {
      for (const relay of relays.choose(node, sleeper.nets, sleeper.rounds)) {
        const errand = errands.get(relay) ?? { nodes: [], macs: [] };
        errands.set(relay, errand);
        errand.nodes.push(node);
        errand.macs.push(...sleeper.macs);
      }
      sleeper.rounds++;
      sleeper.nextAt = now + sleeperLimits.everyMs;
    }
    const nodes = round.map(([node]) => node);
    const macs = [...new Set(round.flatMap(([, sleeper]) => sleeper.macs))];
    return [
      { type: 'send', nodes, macs },
      ...[...errands].map(
        ([relay, errand]): SleeperEffect => ({
          ...{ type: 'relay', relay, nodes: errand.nodes },
          macs: [...new Set(errand.macs)],
        }),
      ),
    ];
  }

  #end(node: string, now: number): readonly Waiter[] {
    const sleeper = this.#asleep.get(node);
    this.#asleep.delete(node);
    if (sleeper && sleeper.nextAt > now) this.#resting.set(node, sleeper.nextAt);
    return sleeper?.waiters ?? [];
  }

  #named = (nodes: readonly string[]): Sleeper[] =>
    nodes.map(node => this.#asleep.get(node)).filter(sleeper => sleeper !== undefined);
}

/** What was sent, from where, and what to look at: below the 500 characters of an answer. */
function whyAsleep({ macs, rounds, from, by, trouble }: Sleeper, withinMs: number): string {
  const senders = [
    ...(from.size > 0 ? [`the supervisor (${some(from)})`] : []),
    ...(by.size > 0 ? [`${by.size === 1 ? 'node' : 'nodes'} ${some(by)}`] : []),
  ];
  const sent =
    senders.length > 0
      ? `magic packets for ${some(macs)} were sent ${rounds === 1 ? 'once' : `${rounds} times`} by ${senders.join(' and ')}`
      : `no magic packet for ${some(macs)} could be sent`;
  const but = trouble === undefined ? '' : ` (${trouble.slice(0, 80)})`;
  const check =
    'check Wake-on-LAN in its BIOS, "Wake-on: g" in its "ethtool" (root), its power and cable (few Wi-Fi cards wake), and that a node that is on is in its network';
  return `it did not come online within ${Math.round(withinMs / 1000)} s: ${sent}${but}; ${check}`;
}

/** The first two, and how many more. */
function some(all: Iterable<string>): string {
  const [first, second, ...more] = all;
  const shown = [first, second].filter(Boolean).join(', ');
  return more.length === 0 ? shown : `${shown} and ${more.length} more`;
}
