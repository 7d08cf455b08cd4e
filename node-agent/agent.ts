import type { Timer } from '../shared/clock.ts';
import type { Is } from '../shared/schemas/observed.ts';
import { clientIdOf, topicsOf } from '../shared/topics.ts';
import type { AgentParts } from './agent-parts.ts';
import { Inbox } from './inbox.ts';
import { OrderDesk } from './order-desk.ts';
import { Reporter, type Speaker } from './reporter.ts';
import { SafeMode, safeModeTimes } from './safe-mode.ts';
import { Self } from './self.ts';
import type { Obedient } from './session/obey.ts';
import { Session, type SessionEffect, type SessionEvent } from './session/session.ts';
import { WantKeeper } from './want-keeper.ts';

export type { AgentParts, AgentState } from './agent-parts.ts';

const keepaliveS = 3;

export class Agent implements Speaker, Obedient {
  readonly parts: AgentParts;
  readonly #self: Self;
  readonly #topics;
  readonly #reporter: Reporter;
  readonly #want: WantKeeper;
  readonly #safeMode: SafeMode;
  #well: Timer | undefined;
  #session: Session;
  readonly #orders: OrderDesk;
  #left = false;
  #stopped: (() => void)[] = [];
  #timer: { readonly at: number; readonly timer: Timer } | undefined;
  #queue: SessionEvent[] = [];
  #running = false;

  constructor(parts: AgentParts) {
    const { base, random, reconciler, disk, log } = parts;
    this.parts = parts;
    this.#topics = topicsOf(base);
    this.#self = new Self(parts);
    this.#safeMode = new SafeMode(disk, parts.safe ?? false);
    this.#session = new Session(0, random);
    this.#want = new WantKeeper({
      ...{ disk, reconciler, log, safeMode: this.#safeMode },
      allegiance: () => this.#self.allegiance(),
      pin: pin => this.#self.join(pin) && this.#workUp(),
      changed: () => this.#wanted(),
    });
    this.#reporter = new Reporter({ ...parts, speaker: this });
    this.#orders = new OrderDesk({
      ...{ reporter: this.#reporter, node: this, log },
      allegiance: () => this.#self.allegiance(),
      session: () => ({ inst: this.inst, epoch: this.epoch, gen: this.#want.gen }),
    });
  }

  /** The node's id; it may change once, before any cluster knows it. */
  get node(): string {
    return this.#self.node;
  }

  get inst(): string {
    return this.#self.inst;
  }

  get epoch(): number {
    return this.#session.epoch;
  }

  get up(): boolean {
    return this.#session.up;
  }

  get state(): Is['state'] {
    return this.#want.state;
  }

  get place(): Readonly<Record<string, string>> {
    return this.#want.place;
  }

  get errors(): readonly string[] {
    return [this.#want.error, this.#self.error, this.parts.work?.error ?? '', this.parts.heat?.error ?? ''];
  }

  /** Starts the services from disk, then looks for the supervisor. `onState` hears of a refusal. */
  start(): void {
    const { log, onState, reconciler, random, work, heat } = this.parts;
    const refusal = this.#self.remember();
    if (refusal !== undefined) {
      log.error({}, refusal);
      onState?.('refused', refusal);
      return;
    }
    this.#session = new Session(this.#self.epochCeiling, random);
    this.#safeMode.start();
    if (this.#safeMode.reason !== '') log.warn({}, this.#safeMode.reason);
    this.#well = this.parts.clock.after(safeModeTimes.wellMs, () => this.#safeMode.well());
    this.#reporter.start();
    const touch = () => this.#touch();
    reconciler.start(this.#want.load(), {
      changed: touch,
      output: (service, lines) => {
        this.#reporter.output(service, lines);
        this.#arm();
      },
      notice: (level, kind, text) => log[level]({ kind }, text),
    });
    work?.start(this.#reporter.forWork(touch));
    heat?.start(this.#reporter.forHeat(touch, (most, groups) => work?.heat(most, groups)));
    this.#wanted();
    this.step({ type: 'start' });
  }

  /** Farewell, then the end; services keep running unless `stopServices`, and heat to the end of its lease. */
  stop(options: { readonly stopServices: boolean }, done: () => void): void {
    if (this.#session.phase === 'ended') {
      done();
      return;
    }
    this.#stopped.push(done);
    this.#safeMode.well();
    const end = () => this.step({ type: 'stop' });
    const { reconciler, work, heat } = this.parts;
    const stopWork = () => (work ? work.close(false, end) : end());
    if (options.stopServices) reconciler.stopAll(() => (heat ? heat.forget(stopWork) : stopWork()));
    else end();
  }

  /** Feeds the session; effects that cause events find them queued behind. */
  step(event: SessionEvent): void {
    this.#queue.push(event);
    if (this.#running) return;
    this.#running = true;
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
      for (const effect of this.#session.step(next, this.parts.clock.now())) this.#run(effect);
    }
    this.#running = false;
    this.#arm();
  }

  #run(effect: SessionEffect): void {
    const { link, onState, reconciler, clock, work, heat } = this.parts;
    switch (effect.type) {
      case 'reserve':
        if (this.#self.reserve(effect.ceiling)) this.#session.reserved(effect.ceiling);
        this.#touch();
        break;
      case 'connect':
        this.#orders.begin();
        onState?.('connecting');
        this.#connect(effect.epoch);
        break;
      case 'announce':
        this.#reporter.announce();
        this.#workUp();
        break;
      case 'born':
        this.#want.born(clock.now());
        onState?.('online');
        break;
      case 'farewell':
        this.#reporter.farewell();
        break;
      case 'close':
        link.close(effect.graceful);
        break;
      case 'lost':
        this.#reporter.lost();
        work?.down();
        this.#want.lost();
        if (this.#session.phase !== 'ended') onState?.('waiting');
        break;
      case 'ended':
        this.#timer?.timer.cancel();
        this.#well?.cancel();
        reconciler.close();
        work?.close(true, () => {});
        heat?.close(() => {});
        onState?.(this.#left ? 'left' : 'stopped');
        for (const done of this.#stopped.splice(0)) done();
        break;
    }
  }

  /** Only who has joined can judge `work`, and the first of a session says how the others are to be judged. */
  #workUp(): true {
    if (this.up && this.#self.allegiance().pin) this.parts.work?.up({ inst: this.inst, epoch: this.epoch });
    return true;
  }

  #connect(epoch: number): void {
    const [{ base, link, log, work }, { node }] = [this.parts, this.#self];
    const inbox = new Inbox(this.#topics, node, {
      want: payload => {
        this.#want.take(payload, this.parts.clock.now());
        this.#reporter.placed();
      },
      cmd: payload => this.#orders.take(payload),
      work: work && (payload => work.take(payload, { allegiance: this.#self.allegiance(), gen: this.#want.gen })),
      hello: hello => {
        this.clockOff(this.parts.clock.wall() - hello.at_ms);
        this.parts.onHello?.(hello);
        this.step({ type: 'hello' });
      },
    });
    const options = {
      clientId: clientIdOf(base, node),
      keepaliveS,
      will: { topic: this.#topics.node(node, 'lwt'), payload: this.#reporter.lwt(epoch, false) },
      subscriptions: inbox.topics,
    };
    link.connect(options, {
      up: () => this.step({ type: 'up', epoch }),
      down: reason => {
        log.debug({ epoch, reason }, 'no connection');
        this.step({ type: 'down', epoch });
      },
      message: (topic, payload) => {
        if (epoch !== this.#session.epoch) return;
        inbox.take(topic, payload);
        this.#arm();
      },
    });
  }

  clockOff = (ms: number): void => this.#reporter.clockOff(ms);

  /** The supervisor refuses this node: it does not connect again before that. */
  stayAway(ms: number): void {
    this.step({ type: 'backoff', ms });
  }

  goOn(): void {
    this.#want.goOn();
    this.#arm();
  }

  giveWay(ms: number): void {
    const { node } = this;
    this.#want.lost();
    const renamed = this.#self.rename();
    const next = renamed
      ? `this one is "${this.node}" from now on`
      : `trying again in ${Math.round(ms / 1000)} s; give one of them another --node`;
    this.parts.log.warn({}, `another host has the id "${node}": ${next}`);
    this.step(renamed ? { type: 'reconnect' } : { type: 'backoff', ms });
  }

  /** Stops what the cluster started, forgets the cluster, and ends: whoever starts the agent again joins again. */
  forget(done: () => void): void {
    this.#left = true;
    const leave = () => {
      this.#want.forget();
      this.#self.leave();
      this.#reporter.clearRetained();
      done();
      this.step({ type: 'stop' });
    };
    const { work, heat, reconciler } = this.parts;
    const cold = () => (heat ? heat.forget(leave) : leave());
    reconciler.stopAll(() => (work ? work.forget(cold) : cold()));
  }

  /** Another document, or another word on whether it is applied. */
  #wanted(): void {
    this.parts.work?.configure(this.#want.jobs, this.state !== 'ready');
    this.#touch();
  }

  #touch(): void {
    this.#reporter.touch();
    this.#arm();
  }

  /** One timer for everything that is due at a time. */
  #arm(): void {
    if (this.#running || this.#session.phase === 'ended' || this.#session.phase === 'idle') return;
    const { clock } = this.parts;
    const now = clock.now();
    const reports = this.#session.up ? this.#reporter.deadline(now) : Number.POSITIVE_INFINITY;
    const at = Math.min(this.#session.deadline(), this.#want.deadline(), this.#self.deadline(), reports);
    if (this.#timer && this.#timer.at <= at) return;
    this.#timer?.timer.cancel();
    this.#timer = undefined;
    if (at === Number.POSITIVE_INFINITY) return;
    this.#timer = { at, timer: clock.after(Math.max(0, at - now), () => this.#ring()) };
  }

  #ring(): void {
    const now = this.parts.clock.now();
    this.#timer = undefined;
    if (this.#session.up) this.#reporter.tick(now);
    this.#want.tick(now);
    if (now >= this.#self.deadline() && this.#self.tick(now)) {
      this.#session.reserved(this.#self.epochCeiling);
      this.#touch();
    }
    if (now >= this.#session.deadline()) this.step({ type: 'tick' });
    this.#arm();
  }
}
