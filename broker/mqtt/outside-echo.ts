/**
 * No Local for brokers without MQTT 5: a client that publishes to a topic it subscribes to hears itself, and a message
 * that came from the supervisor must not look like one of a person's. Each publish is remembered until one equal
 * message comes back, and that one is swallowed. A person who publishes the very same at the same time is still heard:
 * two come, one is swallowed. Pure.
 */
import { FilterTree } from './filters.ts';

/** An echo comes at once or, where the broker's access rules dropped the message, never: then nothing may be swallowed later. */
const expectMs = 10_000;
/** Publishes whose echo is expected at one time; what is above is let through. */
const most = 10_000;

export class Echoes {
  private readonly filters = new FilterTree<true>();
  /** Topic and payload, to the times at which they were published. Oldest first. */
  private readonly expected = new Map<string, number[]>();

  constructor(filters: readonly string[]) {
    for (const filter of filters) this.hear(filter);
  }

  hear(filter: string): void {
    this.filters.add(filter, true);
  }

  hearNoMore(filter: string): void {
    this.filters.remove(filter, true);
  }

  private hears(topic: string): boolean {
    let found = false;
    this.filters.match(topic, () => {
      found = true;
    });
    return found;
  }

  /** Call before the message is written: the echo may be faster than the acknowledgement. */
  expect(topic: string, payload: string | Uint8Array, now: number): void {
    if (!this.hears(topic)) return;
    for (const [key, times] of this.expected) {
      if (now - (times.at(-1) ?? 0) <= expectMs) break;
      this.expected.delete(key);
    }
    if (this.expected.size >= most) return;
    const key = keyOf(topic, payload);
    const times = this.expected.get(key) ?? [];
    // Behind all others again, so that the map stays in the order of the newest time.
    this.expected.delete(key);
    this.expected.set(key, [...times.slice(-99), now]);
  }

  /** Whether this message is the supervisor's own and nothing new. */
  swallow(topic: string, payload: Uint8Array, now: number): boolean {
    if (this.expected.size === 0) return false;
    const key = keyOf(topic, payload);
    const times = this.expected.get(key)?.filter(at => now - at <= expectMs);
    if (!times || times.length === 0) return false;
    if (times.length === 1) this.expected.delete(key);
    else this.expected.set(key, times.slice(1));
    return true;
  }
}

const keyOf = (topic: string, payload: string | Uint8Array): string => {
  const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
  return `${topic}\0${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')}`;
};
