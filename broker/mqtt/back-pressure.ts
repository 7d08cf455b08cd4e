/**
 * Publishers that wait for a slow receiver: their connections are not read until it has caught up, or has shown that it
 * does not read at all.
 */
import type { Connection } from './connection.ts';
import { isFrozen } from './delivery.ts';
import { holds } from './reading.ts';

const lookMs = 50;

export class BackPressure {
  /** Publisher to receiver. */
  private readonly waiting = new Map<Connection, Connection>();
  private readonly watched = new Set<Connection>();
  private readonly softBytes: number;
  private readonly now: () => number;
  private timer: NodeJS.Timeout | undefined;

  constructor(softBytes: number, now: () => number) {
    this.softBytes = softBytes;
    this.now = now;
  }

  get size(): number {
    return this.waiting.size;
  }

  wait(publisher: Connection, receiver: Connection): void {
    if (this.waiting.has(publisher) || publisher === receiver) return;
    this.waiting.set(publisher, receiver);
    publisher.reading.pause(holds.receiver);
    this.timer ??= setInterval(() => this.look(), lookMs);
    this.watch(receiver);
  }

  /** Looks each time the receiver has taken something, as long as somebody waits for it. */
  private watch(receiver: Connection): void {
    if (this.watched.has(receiver)) return;
    this.watched.add(receiver);
    receiver.outgoing.onceProgressed(() => {
      this.watched.delete(receiver);
      this.look();
      for (const other of this.waiting.values()) if (other === receiver) return this.watch(receiver);
    });
  }

  /** A connection is gone: nobody waits for it, and it waits for nobody. */
  forget(connection: Connection): void {
    this.waiting.delete(connection);
    this.watched.delete(connection);
    for (const [publisher, receiver] of this.waiting) if (receiver === connection) this.release(publisher);
  }

  close(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.waiting.clear();
  }

  private look(): void {
    const now = this.now();
    for (const [publisher, receiver] of this.waiting) {
      if (receiver.outgoing.pending < this.softBytes / 2 || isFrozen(receiver, now)) this.release(publisher);
    }
    if (this.waiting.size === 0) {
      clearInterval(this.timer);
      this.timer = undefined;
    }
  }

  private release(publisher: Connection): void {
    this.waiting.delete(publisher);
    publisher.reading.resume(holds.receiver);
  }
}
