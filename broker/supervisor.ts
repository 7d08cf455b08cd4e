/**
 * The supervisor: wires the cores of presence, desired state and orders to a bus and a store. Decides nothing itself,
 * and everything in it is callbacks, so that the simulator can run it in virtual time.
 */
import type { BusMessage } from '../shared/bus.ts';
import { limits } from '../shared/limits.ts';
import { nodeOfClientId } from '../shared/topics.ts';
import type { ArtifactUse } from './artifacts/uses.ts';
import { Authority } from './authority.ts';
import { Standing } from './authority-standing.ts';
import { Following } from './desired/following.ts';
import { Journal } from './desired/journal.ts';
import { Sets } from './desired/sets.ts';
import { usedArtifacts } from './desired/used-artifacts.ts';
import { Wants } from './desired/wants.ts';
import { Fabric } from './fabric.ts';
import { Attendance } from './fleet/attendance.ts';
import type { Events } from './fleet/events.ts';
import type { FleetReader } from './fleet/fleet.ts';
import { createPresence, presenceTimes, speaksFor } from './fleet/presence-state.ts';
import { Reports } from './fleet/reports.ts';
import { createShownFleet } from './fleet/shown-fleet.ts';
import type { FleetView } from './fleet/view.ts';
import { Inbox, subscriptions } from './inbox.ts';
import { firstSeq } from './jobs/beginning.ts';
import { Labour } from './labour.ts';
import { createNodeOrders } from './node-orders.ts';
import { Answers, type Asked } from './orders/answers.ts';
import type { Orders } from './orders/orders.ts';
import { RetainedCommands } from './orders/retained-commands.ts';
import { Projection } from './projection.ts';
import { Rollouts } from './rollout/rollouts.ts';
import { Rounds } from './rounds.ts';
import type { SupervisorParts } from './supervisor-parts.ts';
import { type SyncedParts, tellSynced } from './synced.ts';
import type { UplinkEnd } from './uplink/uplink-part.ts';

export type { SupervisorParts } from './supervisor-parts.ts';

const infoEveryMs = 10_000;
const tellEveryMs = 1000;
/** Longest wait of `stop` for a broker that does not answer. */
const farewellMs = 2000;

export class Supervisor {
  readonly #parts: SupervisorParts;
  readonly #view: FleetView;
  readonly #events: Events;
  readonly #attendance: Attendance;
  readonly #reports: Reports;
  readonly #journal: Journal;
  readonly #wants: Wants;
  readonly #telling: SyncedParts;
  readonly #rollouts: Rollouts;
  #following: Following | undefined;
  readonly #projection: Projection;
  readonly #answers: Answers;
  readonly #orders: Orders;
  readonly #retained: RetainedCommands;
  readonly #inbox: Inbox;
  readonly #standing: Standing;
  readonly #rounds: Rounds;
  readonly #labour: Labour;
  readonly #fabric: Fabric;
  #ready: ((error?: string) => void) | undefined;
  #stopped = false;

  constructor(parts: SupervisorParts) {
    const { base, ver, bus, clock, random, log, signer, store, release } = parts;
    const boot = random.hex(8);
    const authority = new Authority(signer, ver, boot, parts.bundle);
    this.#parts = parts;
    this.#rounds = new Rounds(clock);
    const { view, events } = createShownFleet({
      ...{ base, ver, bus, clock },
      changed: node => this.#labour.nodeChanged(node),
    });
    this.#view = view;
    this.#events = events;
    this.#journal = new Journal({
      store,
      log,
      writing: touched => this.#projection.prepare(touched),
      synced: touched => tellSynced(this.#telling, touched),
    });
    const journal = this.#journal;
    this.#wants = new Wants(journal);
    const wants = this.#wants;
    this.#projection = new Projection({ base, bus, log, clock, authority, journal, wants });
    const projection = this.#projection;
    const changed = (nodes: readonly string[]) => {
      this.#following?.look();
      this.#labour.changed(nodes);
    };
    const maySpeak = () => this.#standing.leads;
    const rollouts = new Rollouts({ clock, journal, wants, events, fleet: view, mayAct: () => this.#standing.speaks });
    this.#rollouts = rollouts;
    this.#telling = { journal, wants, projection, view, rollouts, gone: node => this.#gone(node), changed };
    this.#answers = new Answers(base, bus, clock, parts.told);
    const answers = this.#answers;
    const state = createPresence(bus.kind, limits.nodes, clock.now());
    const session = (node: string) => this.#attendance.session(node);
    this.#attendance = new Attendance({
      ...{ clock, state, view, events, journal, projection },
      given: node => parts.given?.(node),
      maySpeak,
      orders: () => this.#orders,
      turned: node => this.#labour.session(node, session(node)),
    });
    const { notice } = this.#attendance;
    const common = { base, bus, store, clock, random, log, events, answers, journal, view };
    this.#labour = new Labour({
      jobs: {
        ...{ ...common, maySpeak, options: parts.jobs ?? {} },
        seal: (node, work, signed) => authority.work(node, work, journal.gen, journal.rev, signed),
      },
      heating: {
        ...{ ...common, ver, session, maySpeak, cluster: signer.cluster, options: parts.heating ?? {} },
        order: (node, to, args) => this.#orders.command(node, to, 'heat', args),
      },
      waking: {
        ...{ ...common, session, maySpeak, options: parts.waking ?? {} },
        order: (node, to, args, id) => this.#orders.command(node, to, 'wake', args, id),
      },
    });
    const speaks = (node: string, serial: number | undefined) => speaksFor(state, node, serial);
    const sign = (node: string, epoch: number, serial: number | undefined) =>
      notice({ type: 'sign', node, epoch, serial });
    this.#reports = new Reports({ clock, view, events, sign, speaksFor: speaks });
    const sets = new Sets({ journal, wants, answers, rollouts, clock });
    const set = (asked: Asked) => (asked.topic.noun === 'role' ? sets.role(asked) : sets.node(asked));
    this.#following = release && new Following({ journal, clock, log, release, set });
    this.#orders = createNodeOrders({
      ...{ base, bus, clock, random, answers, session, authority, journal, wants, sets, labour: this.#labour },
    });
    this.#retained = new RetainedCommands(bus, clock);
    this.#inbox = new Inbox({
      ...{ base, log, answers, notice, sets, speaksFor: speaks },
      ...{ retained: this.#retained, orders: this.#orders, reports: this.#reports, ...this.#labour.parts },
      answered: node => {
        // What a forgotten node said last is retained again.
        if (!this.#attendance.isOnline(node)) this.#projection.clear(node);
      },
    });
    this.#fabric = new Fabric({ base, bus, clock, authority, journal, view, labour: this.#labour });
    this.#standing = new Standing({
      ...{ kind: bus.kind, boot, base, clock },
      hello: standing => this.#fabric.hello(standing),
      alone: first => this.#project(first),
      fatal: text => this.#gaveWay(text),
      unsettled: text => events.emit('error', 'second-supervisor', text),
    });
  }

  /** The read model for dashboards. */
  get fleet(): FleetReader {
    return this.#view;
  }

  /** What comes over the uplink. */
  get uplinkEnd(): UplinkEnd {
    return this.#labour.uplinkEnd(this.take);
  }

  get events(): Pick<Events, 'emit'> {
    return this.#events;
  }

  /** Whether it may speak now. */
  speaks = (): boolean => this.#standing.speaks;

  /** What somebody published, or asked by another way. */
  take = (message: BusMessage): void => this.#standing.receive(message, () => this.#inbox.take(message));

  /** Artifacts that may not be thrown out. */
  usedArtifacts = (): Iterable<ArtifactUse> => [...usedArtifacts(this.#journal), ...this.#labour.usedArtifacts()];

  /** Calls the fleet: births come, and who knows an older trust bundle fetches the new one. */
  call(): void {
    if (this.#standing.leads) this.#standing.call();
  }

  /**
   * Loads the journal and takes up work. `ready` runs once: without an error when everything retained is right and
   * agents may come (outside: when the broker is reached and no other supervisor is there), or with one sentence.
   */
  start(ready: (error?: string) => void): void {
    this.#ready = ready;
    const load = (done: (error: string | undefined, boot: number) => void) =>
      this.#journal.load(error => (error === undefined ? this.#labour.load(done) : done(error, 0)));
    load((error, boot) => {
      if (this.#stopped) return;
      this.#orders.begin(firstSeq(boot));
      if (error !== undefined) return this.#isReady(error);
      const { notice } = this.#attendance;
      for (const [node, entry] of this.#journal.durable) {
        notice({ type: 'known', node });
        this.#view.put(node, { want_rev: this.#wants.rev(node, entry) });
      }
      this.#following?.look();
      this.#rounds.every('presence', presenceTimes.sweepMs, () => notice({ type: 'tick' }));
      this.#rounds.every('tell', tellEveryMs, () => {
        this.#orders.tick();
        this.#rollouts.tick();
        this.#answers.tellDropped();
        this.#events.tellDropped();
      });
      const { bus, base, log } = this.#parts;
      bus.start(subscriptions(base, bus.kind), {
        message: this.take,
        up: () => {
          notice({ type: 'up' });
          this.#standing.up();
        },
        down: reason => {
          log.warn({ reason }, 'the broker is gone');
          notice({ type: 'down' });
          this.#retained.down();
          this.#labour.down();
          this.#standing.down();
        },
        disconnected: ({ clientId, serial }) => {
          const node = nodeOfClientId(base, clientId);
          if (node !== undefined) notice({ type: 'lost', node, serial });
        },
        unheard: this.#labour.unheard,
        refused: (message, reason) => this.#standing.receive(message, () => this.#inbox.refused(message, reason)),
      });
    });
  }

  /** Says farewell (`<base>/status` offline), closes journal and bus. `done` runs once, within a few seconds. */
  stop(done: () => void): void {
    if (this.#stopped) {
      done();
      return;
    }
    this.#stopped = true;
    this.#rounds.stop();
    this.#following?.stop();
    this.#view.stop();
    let left = false;
    const leave = () => {
      if (left) return;
      left = true;
      late.cancel();
      this.#parts.bus.stop(done);
    };
    const late = this.#parts.clock.after(farewellMs, leave);
    const speaks = this.#standing.leads;
    this.#standing.stop();
    const closed = () => {
      if (speaks) this.#fabric.status('offline', leave);
      else leave();
    };
    this.#labour.stop(() => this.#journal.close(closed));
  }

  /** Alone on this base: the retained topics become what the journal says, then the fleet is called. */
  #project(first: boolean): void {
    const statusOf = (node: string) => this.#attendance.standing(node, first);
    for (const node of this.#attendance.unjournalled()) this.#projection.status(node, statusOf(node));
    this.#projection.everything(statusOf, () => this.#labour.everything(() => this.#projected()));
  }

  #projected(): void {
    // The broker is gone, or this one is at its end, or gave way.
    if (!this.#standing.speaks) return;
    for (const node of this.#journal.durable.keys()) this.#labour.session(node, this.#attendance.session(node));
    this.#labour.again();
    this.#fabric.status('online', () => this.#isReady());
    this.#standing.call();
    if (this.#rounds.has('info')) return;
    this.#rounds.every('info', infoEveryMs, () => {
      this.#fabric.info();
      this.#attendance.retry();
    });
  }

  #isReady(error?: string): void {
    const ready = this.#ready;
    this.#ready = undefined;
    ready?.(error);
  }

  #gaveWay(text: string): void {
    this.#rounds.stop();
    if (this.#ready) this.#isReady(text);
    else this.#parts.onFatal?.(text);
  }

  #gone(node: string): void {
    this.#attendance.notice({ type: 'forgotten', node });
    this.#labour.nodeGone(node);
    this.#view.remove(node);
    this.#reports.forget(node);
    this.#projection.clear(node);
    this.#parts.forgotten?.(node);
  }
}
