/**
 * One node: wires the session, the orders and the reports to a link, a disk, a reconciler and a clock. Every decision is
 * in the pure parts; here events go in and effects come out, one at a time and in order. No promises: the simulator runs
 * thousands of these in virtual time and replays a run from its seed.
 */
import type { Verifier } from '../shared/authority.ts';
import type { Clock, Random, Timer } from '../shared/clock.ts';
import { decode } from '../shared/codec.ts';
import type { Link } from '../shared/link.ts';
import type { Log } from '../shared/log.ts';
import type { Cmd } from '../shared/schemas/node-document.ts';
import { helloPayload } from '../shared/schemas/presence.ts';
import { clientIdOf, topicsOf } from '../shared/topics.ts';
import type { AgentDisk, AgentMemory } from './disk.ts';
import { decideIdentity, renamed } from './identity.ts';
import type { ReconcilerApi } from './reconcile/reconciler.ts';
import { Reporter } from './reporter.ts';
import { type Allegiance, judgeCmd } from './session/orders.ts';
import { Session, type SessionEffect, type SessionEvent } from './session/session.ts';
import type { Telemetry } from './telemetry/telemetry.ts';
import { WantKeeper } from './want-keeper.ts';

/**
 * `connecting` and `waiting` take turns while there is no broker; `left` after `do/forget`: the process may end;
 * `refused`: it never started, and the error says why.
 */
export type AgentState = 'connecting' | 'online' | 'waiting' | 'stopped' | 'left' | 'refused';

export interface AgentParts {
  readonly base: string;
  /** `--node`; absent: the id on disk, or one made from the host name. */
  readonly node?: string;
  readonly hostname?: string;
  readonly ver: string;
  readonly link: Link;
  readonly clock: Clock;
  readonly random: Random;
  readonly verifier: Verifier;
  readonly disk: AgentDisk;
  readonly reconciler: ReconcilerApi;
  readonly telemetry: Telemetry;
  readonly periodMs: number;
  readonly log: Log;
  readonly trustFirst: boolean;
  /** `--cluster`. */
  readonly cluster?: string;
  readonly onState?: (state: AgentState, error?: string) => void;
}

const keepaliveS = 3;
const followMs = 5 * 60_000;
const backoffMs = { shortest: 1000, usual: 60_000, longest: 10 * 60_000 } as const;

export class Agent {
  readonly #parts: AgentParts;
  readonly #topics;
  readonly #reporter: Reporter;
  readonly #want: WantKeeper;
  #memory: AgentMemory = { node: 'node', inst: '00000000', epochCeiling: 0 };
  #session: Session;
  #diskError = '';
  /** Of the last order obeyed on this connection. */
  #lastSeq = -1;
  #left = false;
  #stopped: (() => void)[] = [];
  #timer: { readonly at: number; readonly timer: Timer } | undefined;
  #queue: SessionEvent[] = [];
  #running = false;

  constructor(parts: AgentParts) {
    this.#parts = parts;
    this.#topics = topicsOf(parts.base);
    this.#session = new Session(0, parts.random);
    this.#want = new WantKeeper({
      disk: parts.disk,
      reconciler: parts.reconciler,
      log: parts.log,
      allegiance: () => this.#allegiance(),
      pin: pin => this.#save({ ...this.#memory, cluster: pin }),
      changed: () => this.#touch(),
    });
    const { base, ver, link, clock, random, reconciler, telemetry, periodMs } = parts;
    this.#reporter = new Reporter({
      ...{ base, ver, link, clock, random, reconciler, telemetry, periodMs },
      speaker: this.#speaker(),
    });
  }

  /** The node's id; it may change once, before any cluster knows it. */
  get node(): string {
    return this.#memory.node;
  }

  get epoch(): number {
    return this.#session.epoch;
  }

  /** Starts the services from disk, then looks for the supervisor. `onState` hears of a refusal. */
  start(): void {
    const { log, onState, reconciler, random } = this.#parts;
    const refusal = this.#remember();
    if (refusal !== undefined) {
      log.error({}, refusal);
      onState?.('refused', refusal);
      return;
    }
    this.#session = new Session(this.#memory.epochCeiling, random);
    this.#reporter.start();
    reconciler.start(this.#want.load(), {
      changed: () => this.#touch(),
      output: (service, lines) => {
        this.#reporter.output(service, lines);
        this.#arm();
      },
      notice: (level, kind, text) => log[level]({ kind }, text),
    });
    this.#step({ type: 'start' });
  }

  /** Farewell, then the end; services keep running unless `stopServices`. */
  stop(options: { readonly stopServices: boolean }, done: () => void): void {
    if (this.#session.phase === 'ended') {
      done();
      return;
    }
    this.#stopped.push(done);
    if (options.stopServices) this.#parts.reconciler.stopAll(() => this.#step({ type: 'stop' }));
    else this.#step({ type: 'stop' });
  }

  /** @returns why the agent cannot start. */
  #remember(): string | undefined {
    const { disk, node, hostname = 'node', cluster, trustFirst, random } = this.#parts;
    try {
      const kept = disk.load();
      const choice = { hostname, trustFirst, ...(node ? { node } : {}), ...(cluster ? { cluster } : {}) };
      const decided = decideIdentity(kept, choice, random);
      if ('error' in decided) return decided.error;
      if (decided.memory !== kept) disk.save(decided.memory);
      this.#memory = decided.memory;
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  }

  #speaker() {
    const agent = this;
    return {
      get node() {
        return agent.#memory.node;
      },
      get inst() {
        return agent.#memory.inst;
      },
      get epoch() {
        return agent.#session.epoch;
      },
      get up() {
        return agent.#session.up;
      },
      get state() {
        return agent.#want.state;
      },
      get errors() {
        return [agent.#want.error, agent.#diskError];
      },
    };
  }

  #allegiance(): Allegiance {
    const { verifier, cluster, trustFirst } = this.#parts;
    return { node: this.#memory.node, verifier, pin: this.#memory.cluster, expected: cluster, trustFirst };
  }

  /** @returns whether it is on disk. A disk that refuses is said on `is`, and the node goes on. */
  #save(memory: AgentMemory): boolean {
    try {
      this.#parts.disk.save(memory);
      this.#memory = memory;
      this.#diskError = '';
      return true;
    } catch (error) {
      this.#diskError = (error as Error).message;
      this.#parts.log.error({}, this.#diskError);
      this.#touch();
      return false;
    }
  }

  #step(event: SessionEvent): void {
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
        if (this.#save({ ...this.#memory, epochCeiling: effect.ceiling })) this.#session.reserved(effect.ceiling);
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
        reconciler.close();
        onState?.(this.#left ? 'left' : 'stopped');
        for (const done of this.#stopped.splice(0)) done();
        break;
    }
  }

  #connect(epoch: number): void {
    const { base, link, log } = this.#parts;
    const { node } = this.#memory;
    const [want, cmd, hello] = [
      this.#topics.node(node, 'want'),
      this.#topics.node(node, 'cmd'),
      this.#topics.fabric('hello'),
    ];
    const options = {
      clientId: clientIdOf(base, node),
      keepaliveS,
      will: { topic: this.#topics.node(node, 'lwt'), payload: this.#reporter.lwt(epoch, false) },
      subscriptions: [want, cmd, hello],
    };
    link.connect(options, {
      up: () => this.#step({ type: 'up', epoch }),
      down: reason => {
        log.debug({ epoch, reason }, 'no connection');
        this.#step({ type: 'down', epoch });
      },
      message: (topic, payload) => {
        if (epoch !== this.#session.epoch) return;
        if (topic === want) this.#want.take(payload);
        else if (topic === cmd) this.#order(payload);
        else if (topic === hello) this.#hello(payload);
        this.#arm();
      },
    });
  }

  #hello(payload: Uint8Array): void {
    const hello = decode(helloPayload, payload, { maxBytes: 4096 });
    if (!hello.ok) return;
    this.#reporter.clockOff(this.#parts.clock.wall() - hello.value.at_ms);
    this.#step({ type: 'hello' });
  }

  #order(payload: Uint8Array): void {
    const { inst } = this.#memory;
    const session = { inst, epoch: this.#session.epoch, lastSeq: this.#lastSeq, gen: this.#want.gen };
    const verdict = judgeCmd(this.#allegiance(), session, payload);
    if (verdict.kind === 'ignored') {
      this.#parts.log.debug({}, verdict.why);
    } else if (verdict.kind === 'answer') {
      this.#lastSeq = verdict.seq;
      this.#reporter.done(verdict.id, verdict.error);
    } else {
      this.#lastSeq = verdict.cmd.seq;
      this.#obey(verdict.cmd);
    }
  }

  #obey({ id, verb, args }: Cmd): void {
    const { reconciler } = this.#parts;
    const answer = (error?: string) => this.#reporter.done(id, error);
    const service = typeof args.service === 'string' ? args.service : undefined;
    switch (verb) {
      case 'restart':
      case 'follow':
        if (service === undefined) answer(`${verb} which service? send its name as the payload`);
        else if (verb === 'restart') reconciler.restart(service, answer);
        else reconciler.follow(service, within(args.ms, 1000, followMs, followMs), answer);
        break;
      case 'rebirth':
        answer();
        this.#step({ type: 'rebirth', above: within(args.epoch, 0, Number.MAX_SAFE_INTEGER, 0) });
        break;
      case 'backoff':
        answer();
        this.#giveWay(within(args.ms, backoffMs.shortest, backoffMs.longest, backoffMs.usual));
        break;
      case 'forget':
        this.#forget(answer);
    }
  }

  /** Another host lives under this id. */
  #giveWay(ms: number): void {
    const { log, random } = this.#parts;
    const { node } = this.#memory;
    this.#want.lost();
    const other = renamed(this.#memory, random);
    if (other && this.#save(other)) {
      log.warn({}, `another host has the id "${node}": this one is "${other.node}" from now on`);
      this.#step({ type: 'reconnect' });
    } else {
      log.warn(
        {},
        `another host has the id "${node}": trying again in ${Math.round(ms / 1000)} s; give one another --node`,
      );
      this.#step({ type: 'backoff', ms });
    }
  }

  /** Stops what the cluster started, forgets the cluster, and ends: whoever starts the agent again joins again. */
  #forget(answer: () => void): void {
    this.#left = true;
    this.#parts.reconciler.stopAll(() => {
      this.#want.forget();
      const { cluster: _, ...rest } = this.#memory;
      this.#save(rest);
      this.#reporter.clearRetained();
      answer();
      this.#step({ type: 'stop' });
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
    const at = Math.min(this.#session.deadline(), this.#want.deadline(), reports);
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
    if (now >= this.#session.deadline()) this.#step({ type: 'tick' });
    this.#arm();
  }
}

const within = (value: unknown, least: number, most: number, otherwise: number): number =>
  typeof value === 'number' && Number.isFinite(value) ? Math.min(most, Math.max(least, value)) : otherwise;
