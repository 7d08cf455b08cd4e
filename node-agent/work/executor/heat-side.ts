/**
 * What the executor's server does about class `heat`: which tasks go into which line, and whose word on heat counts. Without
 * an agent it holds for a while only: whatever keeps it from coming back, nothing is heated on and on.
 */
import type { Clock, Timer } from '../../../shared/clock.ts';
import type { Recipe } from '../../../shared/schemas/work.ts';
import type { ExecutorTask } from '../executor.ts';
import type { HeatGroups } from './heat-groups.ts';
import { HeatLine } from './heat-line.ts';
import type { Line } from './line.ts';
import type { LineParts } from './line-parts.ts';

/** An agent that went comes back, or another in its place; one that came says how much heat there is to be. */
const awayMs = 45_000;
const silentMs = 10_000;

export interface HeatSideParts {
  readonly clock: Clock;
  readonly groups: HeatGroups;
  readonly line: Line;
  frozen(tokens: readonly number[]): void;
  /** The lease of heat is over. */
  isOver(): boolean;
}

export class HeatSide {
  readonly #parts: HeatSideParts;
  readonly #heat: HeatLine;
  /** Recipes that are here, and are of class `heat`. */
  readonly #recipes = new Map<number, Recipe>();
  #folders: readonly string[] = [];
  #timer: Timer | undefined;

  constructor(parts: HeatSideParts, ofLine: LineParts) {
    this.#parts = parts;
    const { groups, frozen, isOver } = parts;
    this.#heat = new HeatLine({
      ...{ ...ofLine, groups, frozen, isOver },
      forget: r => {
        this.#recipes.delete(r);
        ofLine.forget(r);
      },
    });
  }

  get size(): number {
    return this.#heat.line.size;
  }

  get frozen(): readonly number[] {
    return this.#heat.frozen;
  }

  held(): ReturnType<Line['held']> {
    return this.size === 0 ? [] : this.#heat.line.held();
  }

  /** @returns tasks that are of no heat. */
  add(recipes: readonly Recipe[], tasks: readonly ExecutorTask[]): readonly ExecutorTask[] {
    if (this.#recipes.size === 0 && !recipes.some(({ heat }) => heat)) return tasks;
    for (const recipe of recipes) {
      if (recipe.heat) this.#recipes.set(recipe.r, recipe);
      else if (this.#recipes.has(recipe.r)) this.urgent([recipe.r]);
    }
    const ofHeat = tasks.filter(({ r }) => this.#recipes.has(r));
    if (ofHeat.length > 0) this.#heat.add([...this.#recipes.values()], ofHeat);
    return tasks.filter(({ r }) => !this.#recipes.has(r));
  }

  /** Told to the line of heat. @returns the others. */
  split(tokens: readonly number[], tell: (line: Line, tokens: readonly number[]) => void): readonly number[] {
    if (this.size === 0) return tokens;
    const { line } = this.#heat;
    const own = tokens.filter(token => line.has(token));
    if (own.length === 0) return tokens;
    tell(line, own);
    return tokens.filter(token => !own.includes(token));
  }

  forget(recipes: readonly number[]): void {
    if (this.#recipes.size > 0 || this.size > 0) this.#heat.line.forget(recipes);
  }

  urgent(recipes: readonly number[]): void {
    for (const r of recipes) {
      const { heat: _, ...recipe } = this.#recipes.get(r) ?? {};
      if (!this.#recipes.delete(r)) continue;
      this.#parts.line.add([recipe as Recipe], this.#heat.urgent(r));
    }
  }

  closeIdle(): void {
    this.#heat.line.closeIdle();
  }

  pump(): void {
    this.#heat.line.pump();
  }

  /** As the present agent says. */
  limit(most: unknown, folders: unknown): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#folders = Array.isArray(folders) ? folders : [];
    this.#heat.limit(typeof most === 'number' ? most : 0, this.#folders);
  }

  agentCame(): void {
    this.#unless(silentMs);
  }

  agentLeft(): void {
    this.#unless(awayMs);
  }

  /** The process ends, and all of its own: nobody may be kept from that by a group that is frozen. */
  end(): void {
    for (const { lane } of this.#heat.line.busy) lane.heat(false);
  }

  #unless(ms: number): void {
    this.#timer?.cancel();
    this.#timer = this.#parts.clock.after(ms, () => this.limit(0, this.#folders));
  }
}
