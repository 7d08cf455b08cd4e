/**
 * The session core: when to connect, with which epoch, and when to give up on a connection. Pure; the agent feeds it
 * events, runs its effects in order, and calls `tick` at `deadline()`.
 *
 *   idle ──start──▶ waiting ──due──▶ connecting ──up──▶ up ──down──▶ waiting …
 *                      ▲                 │ no answer in 15 s: abort; no `down` 5 s later: taken as down
 *                      └──── full jitter, cap 10 s; after `backoff` as long as told
 *   any ──stop──▶ closing ──down, or 2 s──▶ ended
 *
 * The epoch rises at every CONNECT, since the broker keeps the will of a CONNECT and two wills of one epoch could not be
 * told apart. Epochs are reserved on disk in blocks before they are used, so that one is never used twice, even after a
 * power cut. Where the disk refuses, the session goes on: a repeated epoch is repaired by the supervisor's `rebirth`,
 * a node that vanishes because its disk is full is not.
 */
import { fullJitter, type Random } from '../../shared/clock.ts';

const sessionTimes = {
  /** Reconnecting: full jitter within `firstMs × 2^attempt`, at most `capMs`. */
  firstMs: 1000,
  capMs: 10_000,
  /** A connection that held this long was a good one: the next attempt is again the first. */
  stableMs: 10_000,
  /** CONNACK and SUBACK must be there by then. */
  upWithinMs: 15_000,
  /** After an abort the link has this long to say `down`. */
  downWithinMs: 5000,
  /** A farewell has this long to reach the broker. */
  closeWithinMs: 2000,
  /** `hello` is answered within this, uniformly. */
  helloMs: 1000,
} as const;

/** Epochs reserved at a time. */
export const epochBlock = 64;
/** Epochs above this are refused: what is left above is enough for a million years of reconnecting. */
export const highestEpoch = Number.MAX_SAFE_INTEGER - 2 ** 48;

export type SessionEvent =
  | { readonly type: 'start' }
  | { readonly type: 'tick' }
  /** From the link, with the epoch of the connection it belongs to. */
  | { readonly type: 'up'; readonly epoch: number }
  | { readonly type: 'down'; readonly epoch: number }
  | { readonly type: 'hello' }
  /** The supervisor has seen a higher epoch of this installation (a restored disk image). */
  | { readonly type: 'rebirth'; readonly above: number }
  /** Another host lives under this id: stay away. */
  | { readonly type: 'backoff'; readonly ms: number }
  /** Connect again soon, for another reason, such as a new id. */
  | { readonly type: 'reconnect' }
  | { readonly type: 'stop' };

export type SessionEffect =
  /** Save, synced, that epochs up to `ceiling` are used up; before anything that follows. */
  | { readonly type: 'reserve'; readonly ceiling: number }
  | { readonly type: 'connect'; readonly epoch: number }
  /** Birth, `info` and `is`. */
  | { readonly type: 'announce' }
  /** The first announcement of this connection is out. */
  | { readonly type: 'born' }
  | { readonly type: 'farewell' }
  | { readonly type: 'close'; readonly graceful: boolean }
  /** The connection is gone: nothing may be sent. */
  | { readonly type: 'lost' }
  | { readonly type: 'ended' };

type Phase = 'idle' | 'waiting' | 'connecting' | 'aborting' | 'up' | 'leaving' | 'closing' | 'ended';

export class Session {
  #phase: Phase = 'idle';
  #epoch: number;
  #ceiling: number;
  #attempt = 0;
  #upAt: number | undefined;
  /** The next epoch is above this one too. */
  #floor = 0;
  /** When the phase has to move on by itself. */
  #due = Number.POSITIVE_INFINITY;
  /** When a hello is to be answered. */
  #answerAt = Number.POSITIVE_INFINITY;
  /** How long to wait after the connection that is being left; undefined: the usual jitter. */
  #stayAway: number | undefined;
  readonly #random: Random;

  constructor(epochCeiling: number, random: Random) {
    this.#epoch = epochCeiling;
    this.#ceiling = epochCeiling;
    this.#random = random;
  }

  /** Epoch of the current connection, or of the last one. */
  get epoch(): number {
    return this.#epoch;
  }

  get up(): boolean {
    return this.#phase === 'up';
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** When to call with `tick` next, in the clock's time; infinite for never. */
  deadline(): number {
    return Math.min(this.#due, this.#answerAt);
  }

  step(event: SessionEvent, now: number): readonly SessionEffect[] {
    if (this.#phase === 'ended') return [];
    switch (event.type) {
      case 'start':
        return this.#phase === 'idle' ? this.#connect(now) : [];
      case 'tick':
        return this.#tick(now);
      case 'up':
        return this.#cameUp(event.epoch, now);
      case 'down':
        return event.epoch === this.#epoch ? this.#wentDown(now) : [];
      case 'hello':
        if (this.#phase === 'up' && this.#answerAt === Number.POSITIVE_INFINITY) {
          this.#answerAt = now + this.#random.next() * sessionTimes.helloMs;
        }
        return [];
      case 'rebirth':
        return this.#rebirth(event.above, now);
      case 'backoff':
        return this.#leave(event.ms, now);
      case 'reconnect':
        return this.#leave(this.#random.next() * sessionTimes.firstMs, now);
      case 'stop':
        return this.#stop(now);
    }
  }

  #connect(now: number): SessionEffect[] {
    const effects: SessionEffect[] = [];
    this.#epoch = Math.max(this.#epoch, this.#floor) + 1;
    if (this.#epoch > this.#ceiling) effects.push({ type: 'reserve', ceiling: this.#epoch + epochBlock - 1 });
    this.#phase = 'connecting';
    this.#due = now + sessionTimes.upWithinMs;
    effects.push({ type: 'connect', epoch: this.#epoch });
    return effects;
  }

  /** The reservation is on stable storage; without this call it is tried again at the next connect. */
  reserved(ceiling: number): void {
    this.#ceiling = ceiling;
  }

  #tick(now: number): SessionEffect[] {
    const effects: SessionEffect[] = [];
    if (now >= this.#answerAt) {
      this.#answerAt = Number.POSITIVE_INFINITY;
      if (this.#phase === 'up') effects.push({ type: 'announce' });
    }
    if (now < this.#due) return effects;
    switch (this.#phase) {
      case 'waiting':
        return [...effects, ...this.#connect(now)];
      case 'connecting':
      case 'leaving':
        this.#phase = 'aborting';
        this.#due = now + sessionTimes.downWithinMs;
        return [...effects, { type: 'close', graceful: false }];
      case 'closing':
        return [...effects, { type: 'close', graceful: false }, ...this.#end()];
      case 'aborting':
        return [...effects, ...this.#wentDown(now)];
      default:
        this.#due = Number.POSITIVE_INFINITY;
        return effects;
    }
  }

  #cameUp(epoch: number, now: number): SessionEffect[] {
    if (epoch !== this.#epoch || this.#phase !== 'connecting') return [];
    this.#phase = 'up';
    this.#upAt = now;
    this.#due = Number.POSITIVE_INFINITY;
    return [{ type: 'announce' }, { type: 'born' }];
  }

  #wentDown(now: number): SessionEffect[] {
    this.#answerAt = Number.POSITIVE_INFINITY;
    switch (this.#phase) {
      case 'closing':
        return this.#end();
      case 'connecting':
      case 'up':
      case 'leaving':
      case 'aborting': {
        const held = this.#upAt !== undefined && now - this.#upAt >= sessionTimes.stableMs;
        this.#attempt = held ? 0 : this.#attempt + 1;
        const { firstMs, capMs } = sessionTimes;
        const wait = this.#stayAway ?? fullJitter(Math.max(0, this.#attempt - 1), firstMs, capMs, this.#random);
        this.#stayAway = undefined;
        this.#upAt = undefined;
        this.#phase = 'waiting';
        this.#due = now + wait;
        return [{ type: 'lost' }];
      }
      default:
        return [];
    }
  }

  #rebirth(above: number, now: number): SessionEffect[] {
    if (above < this.#epoch) return this.#phase === 'up' ? [{ type: 'announce' }] : [];
    this.#floor = Math.min(above, highestEpoch);
    return this.#leave(this.#random.next() * sessionTimes.firstMs, now);
  }

  /** Ends the connection without a will and without a farewell, and stays away for a while. */
  #leave(ms: number, now: number): SessionEffect[] {
    if (this.#phase === 'waiting') {
      this.#due = Math.max(this.#due, now + ms);
      return [];
    }
    if (this.#phase !== 'up' && this.#phase !== 'connecting') return [];
    const graceful = this.#phase === 'up';
    this.#stayAway = ms;
    this.#answerAt = Number.POSITIVE_INFINITY;
    this.#phase = graceful ? 'leaving' : 'aborting';
    this.#due = now + sessionTimes.downWithinMs;
    return [{ type: 'close', graceful }];
  }

  #stop(now: number): SessionEffect[] {
    if (this.#phase === 'closing') return [];
    if (this.#phase === 'idle' || this.#phase === 'waiting') return this.#end();
    const wasUp = this.#phase === 'up';
    this.#phase = 'closing';
    this.#answerAt = Number.POSITIVE_INFINITY;
    this.#due = now + sessionTimes.closeWithinMs;
    return wasUp
      ? [{ type: 'farewell' }, { type: 'close', graceful: true }]
      : [{ type: 'close', graceful: this.#stayAway !== undefined }];
  }

  #end(): SessionEffect[] {
    this.#phase = 'ended';
    this.#due = Number.POSITIVE_INFINITY;
    this.#answerAt = Number.POSITIVE_INFINITY;
    return [{ type: 'lost' }, { type: 'ended' }];
  }
}
