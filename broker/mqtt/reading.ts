/**
 * Whether a connection is read. There are several reasons not to, and it is read again when none is left. One is what
 * it sends: packets and bytes a second, counted per chunk, so that who sends too much is slowed and loses nothing.
 */
import type { Duplex } from 'node:stream';
import { Bucket } from '../access/bucket.ts';
import type { BrokerLimits } from './limits.ts';

/** One bit each. */
export const holds = {
  /** Between CONNECT and CONNACK. */
  connect: 1,
  /** A receiver of what it publishes is slow. */
  receiver: 2,
  /** It sends more than it may. */
  rate: 4,
} as const;

/** A slice is this part of what may be sent at once. */
const slices = 64;

export class Reading {
  /** Packets since they were settled. */
  packets = 0;
  private bytes = 0;
  private slicePackets = Number.POSITIVE_INFINITY;
  private sliceBytes = Number.POSITIVE_INFINITY;
  /** Times it was held for sending too much. */
  throttled = 0;
  private holding = 0;
  private rate: { readonly packets: Bucket; readonly bytes: Bucket } | undefined;
  private timer: NodeJS.Timeout | undefined;
  private closed = false;
  private readonly stream: Duplex;
  private readonly again: () => void;

  /** @param again is told when it is read again. */
  constructor(stream: Duplex, again: () => void) {
    this.stream = stream;
    this.again = again;
  }

  /** Whether it is the broker that does not read, so that silence means nothing. */
  get held(): boolean {
    return this.holding !== 0;
  }

  /** @param why one of {@link holds} */
  pause(why: number): void {
    this.holding |= why;
    this.stream.pause();
  }

  resume(why: number): void {
    if ((this.holding & why) === 0) return;
    this.holding &= ~why;
    if (this.holding !== 0) return;
    this.again();
    this.stream.resume();
  }

  /** From now on it is read no faster than the limits say. */
  limit(limits: BrokerLimits, now: number): void {
    this.rate = {
      packets: new Bucket(limits.packetsPerSecond, limits.packetsAtOnce, now),
      bytes: new Bucket(limits.bytesPerSecond, limits.bytesAtOnce, now),
    };
    this.slicePackets = limits.packetsAtOnce / slices;
    this.sliceBytes = limits.bytesAtOnce / slices;
  }

  /** A chunk has been read. */
  spent(bytes: number, now: number): void {
    this.bytes += bytes;
    if (this.packets >= this.slicePackets || this.bytes >= this.sliceBytes) this.settle(now);
  }

  private settle(now: number): void {
    const { rate, packets, bytes } = this;
    this.packets = 0;
    this.bytes = 0;
    if (!rate) return;
    const wait = Math.max(rate.packets.spend(packets, now), rate.bytes.spend(bytes, now));
    if (wait === 0 || this.closed || this.timer) return;
    this.throttled++;
    this.pause(holds.rate);
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.resume(holds.rate);
    }, wait);
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
  }
}
