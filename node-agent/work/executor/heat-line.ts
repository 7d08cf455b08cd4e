/**
 * Tasks of class `heat`: a line of their own, whose slots are those of heat, and change. What runs above them is frozen,
 * what began last first, and goes on before anything new begins. Their time is what they had of a processor: none while
 * they are frozen, by whomever, and less where their group is dimmed.
 */
import type { Timer } from '../../../shared/clock.ts';
import type { Recipe } from '../../../shared/schemas/work.ts';
import type { ExecutorTask } from '../executor.ts';
import type { HeatGroups } from './heat-groups.ts';
import { Line } from './line.ts';
import type { LineParts, OpenLane } from './line-parts.ts';

export interface HeatLineParts extends LineParts {
  readonly groups: Pick<HeatGroups, 'set' | 'pace'>;
  /** All that are frozen; these are others than before. */
  frozen(tokens: readonly number[]): void;
  /** The lease that heat was allowed under is over, and nobody said so: an agent hangs, and all that it said holds no more. */
  isOver(): boolean;
}

const lookEveryMs = 1000;
const mostSlots = 4096;

export class HeatLine {
  readonly line: Line;
  readonly #parts: HeatLineParts;
  #most = 0;
  #over = false;
  #timer: Timer | undefined;
  #lookedAt = 0;
  #said = '';
  /** Recipes that wait for no heat any more, of which something is here still. */
  readonly #urgent = new Set<number>();

  constructor(parts: HeatLineParts) {
    this.#parts = parts;
    this.line = new Line({
      ...parts,
      started(token) {
        parts.started(token);
      },
      // Whoever is over leaves room for one that is frozen.
      ended: result => {
        parts.ended(result);
        this.#balance();
      },
      dropped: tokens => {
        parts.dropped(tokens);
        this.#balance();
      },
      forget: r => {
        this.#urgent.delete(r);
        parts.forget(r);
      },
    });
    this.line.slots(0);
  }

  /** Tokens that are frozen. */
  get frozen(): number[] {
    return this.line.busy.flatMap(({ frozen, holds: [entry] }) =>
      frozen === undefined || entry?.began === undefined ? [] : [entry.task.token],
    );
  }

  add(recipes: readonly Recipe[], tasks: readonly ExecutorTask[]): void {
    this.line.add(recipes, tasks);
    if (!this.#timer && this.line.size > 0) this.#look();
  }

  /** @param groups cgroup folders; what runs is put into them. */
  limit(most: number, groups: readonly string[]): void {
    this.#most = Number.isFinite(most) ? Math.max(0, Math.min(mostSlots, Math.floor(most))) : 0;
    const moved = this.#parts.groups.set(groups);
    for (const lane of this.line.busy) {
      if (moved && !this.#urgent.has(lane.recipe.r)) lane.lane.heat(true);
      // Frozen by somebody who did not know that it may run again.
      if (lane.frozen === undefined && lane.lane.stopped) lane.lane.freeze(false);
    }
    this.#allow();
  }

  /** So many slots as were said, while the lease runs. */
  #allow(): void {
    this.#over = this.#most > 0 && this.#parts.isOver();
    this.#balance();
    this.line.slots(this.#slots);
    this.#balance();
  }

  get #slots(): number {
    return this.#over ? 0 : this.#most;
  }

  /** What runs of it goes on, outside of the groups. @returns what waits of it, for the other line. */
  urgent(r: number): ExecutorTask[] {
    const waiting = this.line.leave(r);
    const lanes = this.line.busy.filter(({ recipe }) => recipe.r === r);
    if (lanes.length > 0) this.#urgent.add(r);
    for (const { lane } of lanes) lane.heat(false);
    this.#balance();
    return waiting;
  }

  /** Who began first may run, as far as there are slots. */
  #balance(): void {
    const lanes = this.line.busy.sort((a, b) => beganAt(a) - beganAt(b));
    let used = 0;
    for (const lane of lanes) {
      const cpus = Math.min(lane.cpus, Math.max(1, this.#slots));
      const free = this.#urgent.has(lane.recipe.r) || lane.holds[0]?.stopping !== undefined;
      const runs = free || used + cpus <= this.#slots;
      if (runs && !free) used += cpus;
      this.line.freeze(lane, !runs);
    }
    const frozen = this.frozen;
    if (frozen.join() === this.#said) return;
    this.#said = frozen.join();
    this.#parts.frozen(frozen);
  }

  /** Once a second, as long as there is something: what others did to it. */
  #look(): void {
    const { after, now, groups } = this.#parts;
    this.#lookedAt = now();
    this.#timer = after(lookEveryMs, () => {
      this.#timer = undefined;
      const since = this.#lookedAt;
      const running = this.line.busy.filter(({ frozen }) => frozen === undefined);
      const pace = groups.pace(running.reduce((sum, { cpus }) => sum + cpus, 0));
      for (const lane of running) {
        const [entry] = lane.holds;
        if (entry?.began === undefined || this.#urgent.has(lane.recipe.r)) continue;
        const had = lane.lane.stopped ? 0 : pace;
        if (had < 1) this.line.time.slow(entry, (now() - Math.max(since, entry.began)) * (1 - had));
      }
      if (this.#over !== (this.#most > 0 && this.#parts.isOver())) this.#allow();
      this.#balance();
      if (this.line.size > 0) this.#look();
    });
  }
}

const beganAt = ({ holds: [entry] }: OpenLane): number => entry?.began ?? Number.POSITIVE_INFINITY;
