/**
 * `do/wake`: sends magic packets from here and has nodes of other networks send them, until the sleeper is online or its
 * time is over. What is decided is in sleepers.ts and relays.ts; here it is done.
 */
import type { Clock, Random, Timer } from '../../shared/clock.ts';
import type { Log } from '../../shared/log.ts';
import type { Info } from '../../shared/schemas/telemetry.ts';
import type { Cmd, Done } from '../../shared/schemas/want.ts';
import type { Store } from '../../shared/store.ts';
import { relayCap } from '../../shared/wake/magic-packet.ts';
import type { WakeSender } from '../../shared/wake/sender.ts';
import { readNets } from '../../shared/wake/subnets.ts';
import type { Journal } from '../desired/journal.ts';
import type { Events } from '../fleet/events.ts';
import type { FleetReader } from '../fleet/fleet.ts';
import type { Session } from '../orders/orders.ts';
import { CardMemory } from './cards.ts';
import { type RelayNode, Relays } from './relays.ts';
import { type SleeperEffect, Sleepers, sleeperLimits, type Told } from './sleepers.ts';

export interface WakingOptions {
  /** Absent: nothing is sent from here. */
  readonly sender?: WakeSender | undefined;
  /** MAC addresses that a node told when it joined, comma-joined. */
  enrolled?(node: string): string | undefined;
}

export interface WakingParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly events: Pick<Events, 'emit'>;
  readonly journal: Pick<Journal, 'durable'>;
  readonly view: Pick<FleetReader, 'get'>;
  readonly options: WakingOptions;
  session(node: string): Session | undefined;
  maySpeak(): boolean;
  /** An order to a node that is online. */
  order(node: string, session: Session, args: Cmd['args'], id: string): void;
}

/** News of cards are written that late: nodes may say what they like as often as they like. */
const writeMs = 2000;
/** … and that late again, where the disk did not take them. */
const writeAgainMs = 30_000;
/** Events of one moment, each about one node; those of an order to a whole fleet crowd out nobody else's. */
const mostTold = 5;

export class Waking {
  readonly #parts: WakingParts;
  readonly #cards: CardMemory;
  readonly #sleepers = new Sleepers();
  /** `info` as it was read last. */
  readonly #read = new Map<string, Info>();
  /** Orders to relays that are not answered yet: whom they are for. */
  readonly #errands = new Map<
    string,
    { readonly relay: string; readonly nodes: readonly string[]; readonly at: number }
  >();
  #ticking: Timer | undefined;
  #writing: Timer | undefined;

  constructor(parts: WakingParts) {
    this.#parts = parts;
    const { store, log, options } = parts;
    this.#cards = new CardMemory({ store, log, enrolled: node => options.enrolled?.(node) });
  }

  load(done: (error?: string) => void): void {
    this.#cards.load(done);
  }

  /** Whether the node has a network card that a packet can be sent to. */
  knows = (node: string): boolean => this.#cards.of(node).macs.length > 0;

  /** Why no packet can be sent to it; undefined where one can, or where it is online. */
  obstacle(node: string): string | undefined {
    if (this.#parts.session(node) || this.knows(node)) return undefined;
    return `no network card of ${node} is known that can be woken: it tells its own in "macs" of its info once it is online, where it is no container and not simulated`;
  }

  /** `done` runs once; at once where the node is online, or cannot be woken. */
  wake(node: string, withinMs: number, done: Told): void {
    const { clock, session } = this.#parts;
    if (session(node)) {
      done();
      return;
    }
    const why = this.obstacle(node) ?? this.#sleepers.ask(node, this.#cards.of(node), withinMs, done, clock.now());
    if (why !== undefined) done(why);
    else this.#ticking ??= clock.after(0, () => this.#tick());
  }

  /** What it says of itself may be another. */
  nodeChanged(node: string): void {
    const info = this.#parts.view.get(node)?.info;
    if (!info || this.#read.get(node) === info) return;
    this.#read.set(node, info);
    this.#cards.heard(node, info);
    this.#write();
  }

  session(node: string, session: Session | undefined): void {
    if (session) this.#act(this.#sleepers.online(node, this.#parts.clock.now()));
  }

  nodeGone(node: string): void {
    this.#read.delete(node);
    this.#cards.forget(node);
    this.#write();
    this.#act(this.#sleepers.forgotten(node, this.#parts.clock.now()));
  }

  /** A relay's answer; false where it is an answer to something else. */
  answered(node: string, { id, ok, error }: Done): boolean {
    const errand = this.#errands.get(id);
    if (errand?.relay !== node) return false;
    this.#errands.delete(id);
    this.#sleepers.relayed(node, errand.nodes, ok ? undefined : (error ?? 'it failed'));
    return true;
  }

  stop(): void {
    this.#ticking?.cancel();
    this.#writing?.cancel();
    this.#cards.write();
  }

  #write(ms: number = writeMs): void {
    this.#writing ??= this.#parts.clock.after(ms, () => {
      this.#writing = undefined;
      this.#cards.write(() => this.#write(writeAgainMs));
    });
  }

  #tick(): void {
    this.#ticking = undefined;
    const { clock, maySpeak } = this.#parts;
    const now = clock.now();
    for (const [id, { at }] of this.#errands) if (now - at > sleeperLimits.everyMs) this.#errands.delete(id);
    if (maySpeak()) this.#act(this.#sleepers.tick(now, () => this.#relays()));
    if (this.#sleepers.any) this.#ticking = clock.after(sleeperLimits.tickMs, () => this.#tick());
    else this.#errands.clear();
  }

  #relays(): Relays {
    const { journal, view, session, options } = this.#parts;
    const nodes: RelayNode[] = [];
    for (const node of journal.durable.keys()) {
      const { caps = '', nets = '' } = view.get(node)?.info ?? {};
      if (caps.split(',').includes(relayCap) && session(node)) nodes.push({ node, nets: readNets(nets) });
    }
    return new Relays(nodes, options.sender?.nets() ?? []);
  }

  #act(effects: readonly SleeperEffect[]): void {
    const lost = effects.filter(effect => effect.type === 'gave-up');
    for (const { node, text } of lost.slice(0, mostTold)) this.#parts.events.emit('warn', 'wake-failed', text, node);
    if (lost.length > mostTold) {
      const more = lost.slice(mostTold).map(({ node }) => node);
      this.#parts.events.emit('warn', 'wake-failed', `${more.length} more were not woken: ${more.join(', ')}`);
    }
    for (const effect of effects) {
      if (effect.type === 'gave-up') continue;
      if (effect.type === 'told') effect.done(effect.error);
      else if (effect.type === 'relay') this.#relay(effect.relay, effect.nodes, effect.macs);
      else this.#send(effect.nodes, effect.macs);
    }
  }

  #send(nodes: readonly string[], macs: readonly string[]): void {
    const { sender } = this.#parts.options;
    if (!sender) return;
    sender.send(macs, ({ sent, failed }) => {
      const none = sent.length === 0 ? 'the supervisor has no IPv4 network to send in' : undefined;
      this.#sleepers.sent(nodes, sent, failed[0] ?? none);
    });
  }

  #relay(relay: string, nodes: readonly string[], macs: readonly string[]): void {
    const { clock, random, session, order } = this.#parts;
    const to = session(relay);
    if (!to) return;
    const id = random.hex(8);
    this.#errands.set(id, { relay, nodes, at: clock.now() });
    order(relay, to, { macs: macs.join() }, id);
  }
}
