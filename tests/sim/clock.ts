/**
 * Virtual time: one heap of happenings, and processes that own timers. A process can be killed (its timers never fire)
 * or stalled (what happens to it waits, and its clock has jumped when it wakes).
 */
import type { Clock, Timer } from '../../shared/clock.ts';
import type { Dice } from './random.ts';

interface Happening {
  readonly at: number;
  readonly order: number;
  run: (() => void) | undefined;
}

const before = (a: Happening, b: Happening): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

/** What is yet to happen, earliest first; equal times in the order they were asked for. */
export class Timeline {
  now = 0;
  /** Happenings run so far: a runaway loop shows here. */
  steps = 0;
  #heap: Happening[] = [];
  #order = 0;

  at(time: number, run: () => void): Timer {
    const happening: Happening = { at: Math.max(time, this.now), order: this.#order++, run };
    const heap = this.#heap;
    let index = heap.length;
    heap.push(happening);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent] as Happening;
      if (!before(happening, above)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = happening;
    return {
      cancel() {
        happening.run = undefined;
      },
    };
  }

  after(ms: number, run: () => void): Timer {
    return this.at(this.now + ms, run);
  }

  /** Runs the next happening that is due at `until` or before. False when there is none. */
  step(until: number): boolean {
    for (;;) {
      const next = this.#heap[0];
      if (next === undefined || next.at > until) {
        this.now = Math.max(this.now, until);
        return false;
      }
      this.#removeFirst();
      if (next.run === undefined) continue;
      this.now = next.at;
      this.steps++;
      next.run();
      return true;
    }
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop() as Happening;
    if (heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = index * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as Happening, heap[child] as Happening)) child++;
      if (!before(heap[child] as Happening, last)) break;
      heap[index] = heap[child] as Happening;
      index = child;
    }
    heap[index] = last;
  }
}

/** Milliseconds from the start of a run to the wall clock of a machine that is set right. */
export const wallStart = 1_800_000_000_000;

/**
 * One operating-system process. Timers and arrivals run at their time; while stalled they wait, and on waking due timers
 * run first (as libuv's loop does: timers, then poll), then the arrivals, in order per stream but not between streams.
 */
export class Process {
  readonly name: string;
  readonly clock: Clock;
  alive = true;
  /** Timers set and neither fired nor cancelled. */
  timers = 0;
  #timeline: Timeline;
  #dice: Dice;
  #stalledUntil = -1;
  #late: Happening[] = [];
  #arrivals: { stream: object; run: () => void }[] = [];
  #onWake: () => void;
  /** Wall clock less that of a machine that is set right. */
  wallOffsetMs: number;

  constructor(name: string, timeline: Timeline, dice: Dice, wallOffsetMs: number, onWake: () => void = () => {}) {
    this.name = name;
    this.#timeline = timeline;
    this.#dice = dice;
    this.#onWake = onWake;
    this.wallOffsetMs = wallOffsetMs;
    this.clock = {
      now: () => timeline.now,
      wall: () => Math.floor(wallStart + this.wallOffsetMs + timeline.now),
      after: (ms, fn) => this.#timer(ms, fn),
    };
  }

  get stalled(): boolean {
    return this.#stalledUntil > this.#timeline.now;
  }

  #timer(ms: number, fn: () => void): Timer {
    this.timers++;
    let open = true;
    const close = () => {
      if (open) this.timers--;
      open = false;
    };
    const fire = () => {
      if (!open || !this.alive) return;
      close();
      fn();
    };
    const timer = this.#timeline.after(Math.max(0, ms), () => {
      if (!this.alive) return;
      if (this.#stalledUntil >= 0) this.#late.push({ at: this.#timeline.now, order: this.#late.length, run: fire });
      else fire();
    });
    return {
      cancel() {
        close();
        timer.cancel();
      },
    };
  }

  /** Something arrives from outside on `stream` (a connection, a file operation). Lost when the process is dead. */
  arrive(stream: object, run: () => void): void {
    if (!this.alive) return;
    if (this.#stalledUntil >= 0) this.#arrivals.push({ stream, run });
    else run();
  }

  /** Stops for `ms`: a suspended machine, a swapped-out process, a debugger. */
  stall(ms: number): void {
    if (!this.alive || this.#stalledUntil >= 0) return;
    this.#stalledUntil = this.#timeline.now + ms;
    this.#timeline.after(ms, () => this.#wake());
  }

  kill(): void {
    this.alive = false;
    this.#late = [];
    this.#arrivals = [];
  }

  #wake(): void {
    if (!this.alive) return;
    this.#stalledUntil = -1;
    const late = this.#late;
    this.#late = [];
    this.#onWake();
    for (const timer of late) timer.run?.();
    const waiting = new Map<object, (() => void)[]>();
    for (const arrival of this.#arrivals) {
      const queue = waiting.get(arrival.stream);
      if (queue) queue.push(arrival.run);
      else waiting.set(arrival.stream, [arrival.run]);
    }
    this.#arrivals = [];
    const queues = [...waiting.values()];
    while (queues.length > 0) {
      const index = this.#dice.below(queues.length);
      const run = queues[index]?.shift();
      if (queues[index]?.length === 0) queues.splice(index, 1);
      if (this.alive) run?.();
    }
  }
}

/** Timers ring far too early. */
export const hasty = (clock: Clock): Clock => ({
  ...clock,
  after: (ms, fn) => clock.after(ms / 2000, fn),
});
