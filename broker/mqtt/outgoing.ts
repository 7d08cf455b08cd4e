/**
 * What waits to be sent on one connection. Everything of one turn of the event loop leaves in one write, and while a
 * write is under way the next is gathered: a broker that writes packet by packet spends half its time in system calls.
 * Bounded by the caller, who looks at `pending` first.
 */
import type { Duplex } from 'node:stream';

/** Most bytes of one write, so that `lastProgress` moves while a slow reader takes a long queue. */
const writeBytes = 256 * 1024;
/** Above this a copy costs more than a further entry of a gathered write. */
const copyBytes = 2048;

/** The queues of all connections: flushed once per turn, counted together. */
export class Flusher {
  /** Unsent bytes of all connections. */
  pending = 0;
  private dirty: Outgoing[] = [];
  private readonly flush = () => {
    const { dirty } = this;
    this.dirty = [];
    for (const outgoing of dirty) outgoing.flush();
  };
  /** What was gathered last: with many subscribers of one topic the next one wants the same bytes. */
  private gatheredFrom: readonly Buffer[] = [];
  private gathered: Buffer = Buffer.alloc(0);

  mark(outgoing: Outgoing): void {
    if (this.dirty.length === 0) setImmediate(this.flush);
    this.dirty.push(outgoing);
  }

  gather(frames: readonly Buffer[], bytes: number): Buffer {
    const { gatheredFrom } = this;
    let equal = gatheredFrom.length === frames.length;
    for (let i = 0; equal && i < frames.length; i++) equal = gatheredFrom[i] === frames[i];
    if (!equal) {
      this.gathered = Buffer.concat(frames as Buffer[], bytes);
      this.gatheredFrom = frames;
    }
    return this.gathered;
  }
}

export class Outgoing {
  /** Bytes handed in and not yet taken by the operating system, waiting ones of the QoS 1 window included. */
  pending = 0;
  /** When the operating system last took something, or there was nothing to take. Monotonic milliseconds. */
  lastProgress: number;
  /** Nothing is sent before CONNACK. */
  private held = true;
  private progressed: (() => void)[] = [];
  private queue: Buffer[] = [];
  private queued = 0;
  private marked = false;
  private flying = 0;
  private closed = false;
  private readonly stream: Duplex;
  private readonly flusher: Flusher;
  private readonly now: () => number;
  private readonly written = () => {
    this.count(-this.flying);
    this.flying = 0;
    this.lastProgress = this.now();
    if (this.closed) return;
    if (this.queue.length > 0) this.flush();
    if (this.progressed.length > 0) for (const tell of this.progressed.splice(0)) tell();
  };

  constructor(stream: Duplex, flusher: Flusher, now: () => number) {
    this.stream = stream;
    this.flusher = flusher;
    this.now = now;
    this.lastProgress = now();
  }

  push(frame: Buffer): void {
    if (this.closed) return;
    if (this.unsent === 0) this.lastProgress = this.now();
    this.queue.push(frame);
    this.queued += frame.length;
    this.count(frame.length);
    if (!this.marked && this.flying === 0) {
      this.marked = true;
      this.flusher.mark(this);
    }
  }

  /** CONNACK is on its way: what waits follows it. */
  open(): void {
    this.held = false;
    this.lastProgress = this.now();
    this.flush();
  }

  /** Bytes for the operating system to take; `pending` also counts what waits for an acknowledgement of the client. */
  get unsent(): number {
    return this.queued + this.flying;
  }

  /** Runs `tell` when the operating system has taken something again; never, if the connection ends before. */
  onceProgressed(tell: () => void): void {
    this.progressed.push(tell);
  }

  /** Bytes that wait elsewhere for this connection, or no longer do. */
  count(bytes: number): void {
    this.pending += bytes;
    this.flusher.pending += bytes;
  }

  flush(): void {
    this.marked = false;
    if (this.closed || this.held || this.flying > 0 || this.queue.length === 0) return;
    let frames = this.queue;
    let bytes = this.queued;
    if (bytes > writeBytes && frames.length > 1) {
      let many = 0;
      bytes = 0;
      while (many < frames.length && bytes < writeBytes) bytes += (frames[many++] as Buffer).length;
      this.queue = frames.slice(many);
      frames = frames.slice(0, many);
    } else this.queue = [];
    this.queued -= bytes;
    this.flying = bytes;
    const { stream } = this;
    if (frames.length === 1) stream.write(frames[0] as Buffer, this.written);
    else if (bytes / frames.length <= copyBytes) stream.write(this.flusher.gather(frames, bytes), this.written);
    else {
      stream.cork();
      for (let i = 0; i < frames.length - 1; i++) stream.write(frames[i] as Buffer);
      stream.write(frames[frames.length - 1] as Buffer, this.written);
      stream.uncork();
    }
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.count(-this.pending);
    this.queue = [];
    this.queued = 0;
    this.flying = 0;
    this.progressed = [];
  }
}
