/**
 * Time that counts for tasks: their own, against their timeout, and their share of the node's. It stands still while a
 * task is frozen, and goes slower where its processor is dimmed: what began at some time is then taken to have begun later.
 */
import type { End } from '../../../shared/schemas/work.ts';
import type { Entry, LineParts, OpenLane } from './line-parts.ts';

export interface TaskTimeParts extends Pick<LineParts, 'now' | 'after' | 'share'> {
  /** Its time is over. */
  late(entry: Entry): void;
}

export class TaskTime {
  readonly #parts: TaskTimeParts;

  constructor(parts: TaskTimeParts) {
    this.#parts = parts;
  }

  began(lane: OpenLane, entry: Entry): void {
    entry.began = this.#parts.now();
    if (lane.frozen === undefined) {
      entry.share = this.#parts.share.begin(entry.began);
      if (!lane.timer) this.#watch(lane, entry);
    } else lane.frozen = entry.began;
  }

  /** @param known ms by the worker's own clock. */
  ended(lane: OpenLane, entry: Entry, known: number | undefined): { readonly ms: number; readonly share: number } {
    const { began = 0, share, shared = 0, slowed } = entry;
    const now = this.#parts.now();
    // That clock goes on while the worker is frozen.
    const ms = (slowed || lane.frozen !== undefined ? undefined : known) ?? (lane.frozen ?? now) - began;
    return { ms, share: shared + (share === undefined ? 0 : this.#parts.share.end(now, began, share, ms)) };
  }

  freeze(lane: OpenLane): void {
    const [now, [entry]] = [this.#parts.now(), lane.holds];
    lane.frozen = now;
    this.forget(lane);
    if (entry?.share === undefined) return;
    entry.shared = (entry.shared ?? 0) + this.#parts.share.pause(now, entry.share);
    entry.share = undefined;
  }

  thaw(lane: OpenLane): void {
    const [now, [entry], { frozen = now }] = [this.#parts.now(), lane.holds, lane];
    lane.frozen = undefined;
    if (entry?.began === undefined) return;
    entry.share = this.#parts.share.begin(now);
    this.slow(entry, now - frozen);
    this.#watch(lane, entry);
  }

  /** So many of the last ms do not count for it. */
  slow(entry: Entry, ms: number): void {
    if (entry.began === undefined || ms <= 0) return;
    entry.began = Math.min(entry.began + ms, this.#parts.now());
    entry.slowed = true;
  }

  forget(lane: OpenLane): void {
    lane.timer?.cancel();
    lane.timer = undefined;
  }

  /** One timer for a lane, and not one for each of its tasks: it looks who runs when the first could be late. */
  #watch(lane: OpenLane, entry: Entry): void {
    const { now, after } = this.#parts;
    const left = (entry.began ?? 0) + lane.recipe.timeout_s * 1000 - now();
    lane.timer = after(Math.min(Math.max(left, 0), 2 ** 30), () => {
      lane.timer = undefined;
      const current = lane.holds.find(({ began }) => began !== undefined);
      if (!current?.began) return;
      if (now() - current.began < lane.recipe.timeout_s * 1000) this.#watch(lane, current);
      else if (!current.stopping) this.#parts.late(current);
    });
  }
}

/** How a task ended that was stopped for its time. */
export const late = (end: End | undefined, { recipe: { timeout_s } }: OpenLane): End => ({
  ...end,
  why: 'timeout',
  err: `it ran longer than its ${timeout_s} s`,
});
