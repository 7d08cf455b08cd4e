import type { Timer } from '../shared/clock.ts';
import { decode } from '../shared/codec.ts';
import type { Is } from '../shared/schemas/observed.ts';
import { helloPayload } from '../shared/schemas/presence.ts';
import { clientIdOf, topicsOf } from '../shared/topics.ts';
import type { AgentParts } from './agent-parts.ts';
import type { ReconcilerApi } from './reconcile/reconciler.ts';
import { Reporter, type Speaker } from './reporter.ts';
import { SafeMode, safeModeTimes } from './safe-mode.ts';
import { Self } from './self.ts';
import { type Obedient, obey } from './session/obey.ts';
import { judgeCmd } from './session/orders.ts';
import { Session, type SessionEffect, type SessionEvent } from './session/session.ts';
import { WantKeeper } from './want-keeper.ts';

export type { AgentParts, AgentState } from './agent-parts.ts';

const keepaliveS = 3;

export class Agent implements Speaker, Obedient {
  readonly reconciler: ReconcilerApi;
  readonly #parts: AgentParts;
  readonly #self: Self;
  readonly #topics;
  readonly #reporter: Reporter;
  readonly #want: WantKeeper;
  readonly #safeMode: SafeMode;
  #well: Timer | undefined;
  #session: Session;
  /** Of the last order obeyed on this connection. */
  #lastSeq = -1;
  #left = false;
  #stopped: (() => void)[] = [];
  #timer: { readonly at: number; readonly timer: Timer } | undefined;
  #queue: SessionEvent[] = [];
  #running = false;

  constructor(parts: AgentParts) {
    const { base, ver, link, clock, random, reconciler, telemetry, periodMs, disk, log } = parts;
    this.#parts = parts;
    this.reconciler = reconciler;
    this.#topics = topicsOf(base);
    this.#self = new Self(parts);
    this.#safeMode = new SafeMode(disk, parts.safe ?? false);
    this.#session = new Session(0, random);
    this.#want = new WantKeeper({
      ...{ disk, reconciler, log, safeMode: this.#safeMode },
      allegiance: () => this.#self.allegiance(),
      pin: pin => this.#self.join(pin),
      changed: () => this.#touch(),
    });
    const reports = { base, ver, link, clock, random, reconciler, telemetry, periodMs, log };
    this.#reporter = new Reporter({ ...reports, speaker: this });
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
    return [this.#want.error, this.#self.error];
  }

  /** Starts the services from disk, then looks for the supervisor. `onState` hears of a refusal. */
  start(): void {
    const { log, onState, reconciler, random } = this.#parts;
    const refusal = this.#self.remember();
    if (refusal !== undefined) {
      log.error({}, refusal);
      onState?.('refused', refusal);
      return;
    }
    this.#session = new Session(this.#self.epochCeiling, random);
    this.#safeMode.start();
    if (this.#safeMode.reason !== '') log.warn({}, this.#safeMode.reason);
    this.#well = this.#parts.clock.after(safeModeTimes.wellMs, () => this.#safeMode.well());
    this.#reporter.start();
    reconciler.start(this.#want.load(), {
      changed: () => this.#touch(),
      output: (service, lines) => {
        this.#reporter.output(service, lines);
        this.#arm();
      },
      notice: (level, kind, text) => log[level]({ kind }, text),
    });
    this.step({ type: 'start' });
  }

  /** Farewell, then the end; services keep running unless `stopServices`. */
  stop(options: { readonly stopServices: boolean }, done: () => void): void {
    if (this.#session.phase === 'ended') {
      done();
      return;
    }
    this.#stopped.push(done);
    this.#safeMode.well();
    if (options.stopServices) this.#parts.reconciler.stopAll(() => this.step({ type: 'stop' }));
    else this.step({ type: 'stop' });
  }

  /** Feeds the session; effects that cause events find them queued behind. */
  step(event: SessionEvent): void {
    this.#queue.push(event);
    if (this.#running) return;
    this.#running = true;
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
      for (const effect of this.#session.step(next, this.#parts.clock.now())) this.#run(effect);
    }
    this.#running = false;
    this.#arm();
  }

  #run(effect: SessionEffect): void {
    const { link, onState, reconciler, clock } = this.#parts;
    switch (effect.type) {
      case 'reserve':
        if (this.#self.reserve(effect.ceiling)) this.#session.reserved(effect.ceiling);
        this.#touch();
        break;
      case 'connect':
        this.#lastSeq = -1;
        onState?.('connecting');
        this.#connect(effect.epoch);
        break;
      case 'announce':
        this.#reporter.announce();
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
        this.#want.lost();
        if (this.#session.phase !== 'ended') onState?.('waiting');
        break;
      case 'ended':
        this.#timer?.timer.cancel();
        this.#well?.cancel();
        reconciler.close();
        onState?.(this.#left ? 'left' : 'stopped');
        for (const done of this.#stopped.splice(0)) done();
        break;
    }
  }

  #connect(epoch: number): void {
    const { base, link, log } = this.#parts;
    const { node } = this.#self;
    const [want, cmd] = [this.#topics.node(node, 'want'), this.#topics.node(node, 'cmd')];
    const hello = this.#topics.fabric('hello');
    const options = {
      clientId: clientIdOf(base, node),
      keepaliveS,
      will: { topic: this.#topics.node(node, 'lwt'), payload: this.#reporter.lwt(epoch, false) },
      subscriptions: [want, cmd, hello],
    };
    link.connect(options, {
      up: () => this.step({ type: 'up', epoch }),
      down: reason => {
        log.debug({ epoch, reason }, 'no connection');
        this.step({ type: 'down', epoch });
      },
      message: (topic, payload) => {
        if (epoch !== this.#session.epoch) return;
        if (topic === want) {
          this.#want.take(payload, this.#parts.clock.now());
          this.#reporter.placed();
        } else if (topic === cmd) this.#order(payload);
        else if (topic === hello) this.#hello(payload);
        this.#arm();
      },
    });
  }

  #hello(payload: Uint8Array): void {
    const hello = decode(helloPayload, payload, { maxBytes: 4096 });
    if (!hello.ok) return;
    this.clockOff(this.#parts.clock.wall() - hello.value.at_ms);
    this.#parts.onHello?.(hello.value);
    this.step({ type: 'hello' });
  }

  /** @param ms this machine's wall clock less the supervisor's. */
  clockOff(ms: number): void {
    this.#reporter.clockOff(ms);
  }

  /** The supervisor refuses this node: it does not connect again before that. */
  stayAway(ms: number): void {
    this.step({ type: 'backoff', ms });
  }

  #order(payload: Uint8Array): void {
    const session = { inst: this.inst, epoch: this.epoch, lastSeq: this.#lastSeq, gen: this.#want.gen };
    const verdict = judgeCmd(this.#self.allegiance(), session, payload);
    if (verdict.kind === 'ignored') {
      this.#parts.log.debug({}, verdict.why);
    } else if (verdict.kind === 'answer') {
      this.#lastSeq = verdict.seq;
      this.#reporter.done(verdict.id, verdict.error);
    } else {
      const { id, seq } = verdict.cmd;
      this.#lastSeq = seq;
      obey(verdict.cmd, this, this.#reporter, error => this.#reporter.done(id, error));
    }
  }

  goOn(): void {
    this.#want.goOn();
    this.#arm();
  }

  get machine(): AgentParts['machine'] {
    return this.#parts.machine;
  }

  giveWay(ms: number): void {
    const { node } = this;
    this.#want.lost();
    const renamed = this.#self.rename();
    const next = renamed
      ? `this one is "${this.node}" from now on`
      : `trying again in ${Math.round(ms / 1000)} s; give one of them another --node`;
    this.#parts.log.warn({}, `another host has the id "${node}": ${next}`);
    this.step(renamed ? { type: 'reconnect' } : { type: 'backoff', ms });
  }

  /** Stops what the cluster started, forgets the cluster, and ends: whoever starts the agent again joins again. */
  forget(done: () => void): void {
    this.#left = true;
    this.reconciler.stopAll(() => {
      this.#want.forget();
      this.#self.leave();
      this.#reporter.clearRetained();
      done();
      this.step({ type: 'stop' });
    });
  }

  #touch(): void {
    this.#reporter.touch();
    this.#arm();
  }

  /** One timer for everything that is due at a time. */
  #arm(): void {
    if (this.#running || this.#session.phase === 'ended' || this.#session.phase === 'idle') return;
    const { clock } = this.#parts;
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
    const now = this.#parts.clock.now();
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
