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
import type { Info } from '../shared/schemas/telemetry.ts';
import { clientIdOf, topicsOf } from '../shared/topics.ts';
import type { AgentDisk, AgentMemory } from './disk.ts';
import { decideIdentity, renamed } from './identity.ts';
import type { ReconcilerApi } from './reconcile/reconciler.ts';
import { Beat, beatMs } from './session/beat.ts';
import { LogGate } from './session/log-gate.ts';
import { Observed } from './session/observed.ts';
import { type Allegiance, judgeCmd } from './session/orders.ts';
import { coresText, doneText, heartbeatText, infoText, isText, loadText, lwtText } from './session/reports.ts';
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
const longestBackoffMs = 10 * 60_000;

export class Agent {
  readonly #parts: AgentParts;
  readonly #topics;
  readonly #beat: Beat;
  readonly #observed = new Observed();
  readonly #logs = new LogGate();
  readonly #want: WantKeeper;
  #memory: AgentMemory = { node: 'node', inst: '00000000', epochCeiling: 0 };
  #session: Session;
  #facts: Omit<Info, 'node' | 'ver'> | undefined;
  #clockOff: number | undefined;
  #diskError = '';
  #seq = 0;
  #lastSeq = -1;
  #leaving = false;
  #ended: (() => void)[] = [];
  #timer: { readonly at: number; readonly timer: Timer } | undefined;
  #queue: SessionEvent[] = [];
  #running = false;

  constructor(parts: AgentParts) {
    this.#parts = parts;
    this.#topics = topicsOf(parts.base);
    this.#beat = new Beat(parts.periodMs, parts.random);
    this.#session = new Session(0, parts.random);
    this.#want = new WantKeeper({
      disk: parts.disk,
      reconciler: parts.reconciler,
      log: parts.log,
      allegiance: () => this.#allegiance(),
      pin: pin => this.#save({ ...this.#memory, cluster: pin }),
      changed: () => this.#touch(),
    });
  }

  /** The node's id; it may change once, before any cluster knows it. */
  get node(): string {
    return this.#memory.node;
  }

  get epoch(): number {
    return this.#session.epoch;
  }

  start(): void {
    const { parts, error } = { parts: this.#parts, error: this.#remember() };
    if (error !== undefined) {
      parts.log.error({}, error);
      parts.onState?.('refused', error);
      return;
    }
    this.#session = new Session(this.#memory.epochCeiling, parts.random);
    parts.telemetry.facts(facts => {
      this.#facts = facts;
      if (this.#session.up) this.#publishInfo(false);
    });
    parts.reconciler.start(this.#want.load(), {
      changed: () => this.#touch(),
      output: (service, lines) => {
        if (!this.#session.up) return;
        this.#logs.offer(service, lines);
        this.#arm();
      },
      notice: (level, kind, text) => parts.log[level]({ kind }, text),
    });
    this.#step({ type: 'start' });
  }

  /** Farewell, then the end; services keep running unless `stopServices`. */
  stop(options: { readonly stopServices: boolean }, done: () => void): void {
    if (this.#session.phase === 'ended') return done();
    this.#ended.push(done);
    if (options.stopServices) this.#parts.reconciler.stopAll(() => this.#step({ type: 'stop' }));
    else this.#step({ type: 'stop' });
  }

  #remember(): string | undefined {
    const { disk, node, hostname, cluster, trustFirst, random } = this.#parts;
    try {
      const kept = disk.load();
      const choice = {
        hostname: hostname ?? 'node',
        trustFirst,
        ...(node ? { node } : {}),
        ...(cluster ? { cluster } : {}),
      };
      const decided = decideIdentity(kept, choice, random);
      if ('error' in decided) return decided.error;
      if (decided.memory !== kept) disk.save(decided.memory);
      this.#memory = decided.memory;
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
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
    const { link, onState, reconciler } = this.#parts;
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
        this.#announce();
        break;
      case 'farewell':
        this.#publish('lwt', this.#lwt(this.#session.epoch, false));
        break;
      case 'close':
        link.close(effect.graceful);
        break;
      case 'lost':
        this.#beat.stop();
        this.#logs.clear();
        this.#want.lost();
        if (this.#session.phase !== 'ended') onState?.('waiting');
        break;
      case 'ended':
        this.#timer?.timer.cancel();
        reconciler.close();
        onState?.(this.#leaving ? 'left' : 'stopped');
        for (const done of this.#ended.splice(0)) done();
        break;
    }
  }

  #connect(epoch: number): void {
    const node = this.#memory.node;
    const { base, link } = this.#parts;
    const options = {
      clientId: clientIdOf(base, node),
      keepaliveS,
      will: { topic: this.#topics.node(node, 'lwt'), payload: this.#lwt(epoch, false) },
      subscriptions: [this.#topics.node(node, 'want'), this.#topics.node(node, 'cmd'), this.#topics.fabric('hello')],
    };
    link.connect(options, {
      up: () => this.#step({ type: 'up', epoch }),
      down: reason => {
        this.#parts.log.debug({ epoch, reason }, 'no connection');
        this.#step({ type: 'down', epoch });
      },
      message: (topic, payload) => {
        if (epoch === this.#session.epoch) this.#message(topic, payload);
      },
    });
  }

  #announce(): void {
    const now = this.#parts.clock.now();
    this.#publish('lwt', this.#lwt(this.#session.epoch, true));
    this.#publishInfo(true);
    const text = this.#is();
    if (this.#observed.takeIs(text, now, true)) this.#publish('is', text, 1, true);
    if (this.#beat.deadline() === Number.POSITIVE_INFINITY) {
      this.#beat.start(now);
      this.#want.announced(now);
      this.#parts.onState?.('online');
    }
  }

  #message(topic: string, payload: Uint8Array): void {
    const node = this.#memory.node;
    if (topic === this.#topics.node(node, 'want')) this.#want.take(payload);
    else if (topic === this.#topics.node(node, 'cmd')) this.#order(payload);
    else if (topic === this.#topics.fabric('hello')) {
      const hello = decode(helloPayload, payload, { maxBytes: 4096 });
      if (!hello.ok) return;
      this.#clockOff = Math.round(this.#parts.clock.wall() - hello.value.at_ms);
      this.#step({ type: 'hello' });
    }
    this.#arm();
  }

  #order(payload: Uint8Array): void {
    const session = {
      inst: this.#memory.inst,
      epoch: this.#session.epoch,
      lastSeq: this.#lastSeq,
      gen: this.#want.gen,
    };
    const verdict = judgeCmd(this.#allegiance(), session, payload);
    if (verdict.kind === 'ignored') return this.#parts.log.debug({}, verdict.why);
    if (verdict.kind === 'answer') {
      this.#lastSeq = verdict.seq;
      return this.#done(verdict.id, verdict.error);
    }
    this.#lastSeq = verdict.cmd.seq;
    this.#obey(verdict.cmd);
  }

  #obey({ id, verb, args }: Cmd): void {
    const { reconciler, random, log } = this.#parts;
    const answer = (error?: string) => this.#done(id, error);
    const service = typeof args.service === 'string' ? args.service : undefined;
    const number = (value: unknown, fallback: number) =>
      typeof value === 'number' && Number.isFinite(value) ? Math.max(0, value) : fallback;
    switch (verb) {
      case 'restart':
      case 'follow':
        if (service === undefined) return answer(`${verb} which service? send its name as the payload`);
        if (verb === 'restart') return reconciler.restart(service, answer);
        return reconciler.follow(service, Math.min(followMs, number(args.ms, followMs)), answer);
      case 'rebirth':
        answer();
        return this.#step({ type: 'rebirth', above: number(args.epoch, 0) });
      case 'backoff': {
        answer();
        this.#want.lost();
        const other = renamed(this.#memory, random);
        log.warn(
          {},
          `another host has the id "${this.#memory.node}"${other ? `: this one is "${other.node}" from now on` : ''}`,
        );
        if (other && this.#save(other)) return this.#step({ type: 'reconnect' });
        return this.#step({ type: 'backoff', ms: Math.min(longestBackoffMs, number(args.ms, 60_000)) });
      }
      case 'forget':
        return this.#forget(answer);
    }
  }

  /** Stops what the cluster started, forgets the cluster, and ends: whoever starts the agent again joins again. */
  #forget(answer: () => void): void {
    this.#leaving = true;
    this.#parts.reconciler.stopAll(() => {
      this.#want.forget();
      const { cluster: _, ...rest } = this.#memory;
      this.#save(rest);
      for (const part of ['is', 'info'] as const) this.#publish(part, '', 1, true);
      answer();
      this.#step({ type: 'stop' });
    });
  }

  #lwt(epoch: number, online: boolean): string {
    return lwtText(epoch, this.#memory.inst, online, beatMs(this.#parts.periodMs));
  }

  #is(): string {
    const { reconciler, ver } = this.#parts;
    const { rev, err } = reconciler.attempted();
    const errors = [this.#want.error, this.#diskError, err];
    const parts = { node: this.#memory.node, epoch: this.#session.epoch, ver, rev, errors, items: reconciler.items() };
    return isText({ ...parts, state: this.#want.state });
  }

  #done(id: string, error?: string): void {
    this.#publish('done', doneText(id, error));
  }

  #publish(
    part: 'lwt' | 'is' | 'info' | 'load' | 'cores' | 'heartbeat' | 'done',
    text: string,
    qos: 0 | 1 = 1,
    retain = false,
  ) {
    this.#parts.link.publish(this.#topics.node(this.#memory.node, part), text, { qos, retain });
  }

  /** Facts may take a second at the first start: no `info` without them, since it is retained and would be a step back. */
  #publishInfo(always: boolean): void {
    if (!this.#facts) return;
    const off = this.#clockOff === undefined ? {} : { clock_off_ms: this.#clockOff };
    const text = infoText(this.#memory.node, this.#parts.ver, { ...this.#facts, ...off });
    if (this.#observed.takeInfo(text, always)) this.#publish('info', text, 1, true);
  }

  #touch(): void {
    this.#observed.touch();
    this.#arm();
  }

  #report(now: number): void {
    const { node } = this.#memory;
    const due = this.#beat.take(now);
    if (due) {
      const { epoch } = this.#session;
      if (due === 'load') {
        const { load, cores } = this.#parts.telemetry.sample();
        this.#publish('load', loadText(node, epoch, this.#seq++, load), 0);
        if (cores) this.#publish('cores', coresText(node, cores), 0);
      } else this.#publish('heartbeat', heartbeatText(node, epoch, this.#seq++));
    }
    if (now >= this.#observed.deadline()) {
      const text = this.#is();
      if (this.#observed.takeIs(text, now, false)) this.#publish('is', text, 1, true);
    }
    for (const { service, text } of this.#logs.take(now)) {
      this.#parts.link.publish(this.#topics.node(node, 'log', service), text, { qos: 1 });
    }
  }

  /** One timer for everything that is due at a time. */
  #arm(): void {
    if (this.#running || this.#session.phase === 'ended' || this.#session.phase === 'idle') return;
    const { clock } = this.#parts;
    const now = clock.now();
    const reports = this.#session.up
      ? Math.min(this.#beat.deadline(), this.#observed.deadline(), this.#logs.deadline(now))
      : Number.POSITIVE_INFINITY;
    const at = Math.min(this.#session.deadline(), this.#want.deadline(), reports);
    if (this.#timer && this.#timer.at <= at) return;
    this.#timer?.timer.cancel();
    this.#timer = undefined;
    if (at === Number.POSITIVE_INFINITY) return;
    const ring = () => {
      this.#timer = undefined;
      const then = clock.now();
      if (this.#session.up) this.#report(then);
      this.#want.tick(then);
      if (then >= this.#session.deadline()) this.#step({ type: 'tick' });
      this.#arm();
    };
    this.#timer = { at, timer: clock.after(Math.max(0, at - now), ring) };
  }
}
