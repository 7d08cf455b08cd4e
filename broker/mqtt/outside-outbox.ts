/** What waits for the outside broker: a bounded queue in the order of publishing. Pure, no I/O. */
import type { PublishOptions } from '../../shared/bus.ts';

export interface Waiting {
  readonly topic: string;
  readonly payload: string | Uint8Array;
  readonly options: PublishOptions;
  readonly done: ((error?: Error) => void) | undefined;
  /** Monotonic milliseconds when it was published. */
  readonly at: number;
  /** Connections that broke while it was under way. */
  breaks: number;
}

export interface OutboxLimits {
  readonly messages: number;
  readonly bytes: number;
  /** What is not retained is an order or an answer, and late means lost: it waits at most this long. */
  readonly transientMs: number;
}

/** Room for the whole projection of a fleet of 10,000 nodes (a handful of retained topics each) while a broker restarts. */
export const outboxLimits: OutboxLimits = { messages: 65_536, bytes: 64 * 1024 * 1024, transientMs: 30_000 };

const sizeOf = (entry: Waiting): number => entry.topic.length + entry.payload.length;

/** First in, first out. Drops the oldest when full; the callers of what is dropped get an error through `done`. */
export class Outbox {
  private entries: Waiting[] = [];
  /** Index of the first entry: shifting a long array at every message would cost its length. */
  private head = 0;
  private bytes = 0;
  /** Messages dropped for want of room or for their age, ever. */
  dropped = 0;
  private readonly limits: OutboxLimits;

  constructor(limits: OutboxLimits = outboxLimits) {
    this.limits = limits;
  }

  get size(): number {
    return this.entries.length - this.head;
  }

  push(entry: Waiting): void {
    this.entries.push(entry);
    this.bytes += sizeOf(entry);
    this.trim();
  }

  /** Puts back, in front and in their old order, what was sent and not acknowledged. */
  unshift(entries: readonly Waiting[]): void {
    this.entries = [...entries, ...this.entries.slice(this.head)];
    this.head = 0;
    for (const entry of entries) this.bytes += sizeOf(entry);
    this.trim();
  }

  peek(): Waiting | undefined {
    return this.entries[this.head];
  }

  shift(): Waiting | undefined {
    const entry = this.entries[this.head];
    if (!entry) return undefined;
    this.head++;
    this.bytes -= sizeOf(entry);
    if (this.head === this.entries.length || this.head > 1024) {
      this.entries = this.entries.slice(this.head);
      this.head = 0;
    }
    return entry;
  }

  /** Drops what is not retained and waited too long. */
  expire(now: number): void {
    const late = (entry: Waiting) => !entry.options.retain && now - entry.at > this.limits.transientMs;
    const waiting = this.entries.slice(this.head);
    if (!waiting.some(late)) return;
    this.entries = waiting.filter(entry => !late(entry));
    this.head = 0;
    for (const entry of waiting) {
      if (!late(entry)) continue;
      this.bytes -= sizeOf(entry);
      this.drop(entry, `it waited ${this.limits.transientMs / 1000} s for the broker, and late means lost`);
    }
  }

  /** Empties it, for instance at the end of the process. */
  clear(reason: string): void {
    for (let entry = this.shift(); entry; entry = this.shift()) entry.done?.(notSent(entry.topic, reason));
  }

  private trim(): void {
    while (this.size > 0 && (this.size > this.limits.messages || this.bytes > this.limits.bytes)) {
      this.drop(this.shift(), 'the outbox is full: the broker is unreachable or too slow');
    }
  }

  private drop(entry: Waiting | undefined, reason: string): void {
    if (!entry) return;
    this.dropped++;
    entry.done?.(notSent(entry.topic, reason));
  }
}

export const notSent = (topic: string, reason: string): Error => new Error(`${topic} was not sent: ${reason}`);
