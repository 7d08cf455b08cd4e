/**
 * An {@link Executor} whose tasks take time and do nothing: of `hearth simulate`, and of simulated fabrics. A task takes
 * `ms` of the job's `common`, else HEARTH_SIM_MS of its environment, else 10 ms, by this node's speed; it gives back its
 * value, or fails by chance where `common.fail` says how often. Like the real one it outlives its agent: the next one
 * attaches to the same.
 */
import type { Clock, Random, Timer } from '../../shared/clock.ts';
import type { Recipe } from '../../shared/schemas/work.ts';
import type { AdoptedTask, Ended, Executor, ExecutorHandlers, ExecutorTask } from './executor.ts';

export interface SimulatedExecutorParts {
  readonly clock: Clock;
  readonly random: Random;
  /** 2: twice as fast. Default 1. */
  readonly speed?: number;
  readonly plugins?: readonly string[];
}

interface Running {
  readonly task: ExecutorTask;
  /** When it began, later by all the time that it was frozen. */
  at: number;
  readonly ms: number;
  shareAt: number;
  readonly slots: number;
  readonly heat: boolean;
  timer: Timer;
  /** Since when. */
  frozen: number | undefined;
}

const usualMs = 10;
const numberOf = (value: unknown): number | undefined => {
  const number = typeof value === 'string' ? Number.parseFloat(value) : value;
  return typeof number === 'number' && Number.isFinite(number) && number >= 0 ? number : undefined;
};
const ofCommon = (recipe: Recipe | undefined, key: string): number | undefined => {
  const common = recipe?.common;
  return typeof common === 'object' && common !== null
    ? numberOf((common as Readonly<Record<string, unknown>>)[key])
    : undefined;
};

export class SimulatedExecutor implements Executor {
  readonly #parts: SimulatedExecutorParts;
  #handlers: ExecutorHandlers | undefined;
  readonly #recipes = new Map<number, Recipe>();
  readonly #waiting = new Map<number, ExecutorTask>();
  readonly #running = new Map<number, Running>();
  /** Ended, and not taken yet. */
  readonly #ended = new Map<number, Ended>();
  #slots = 0;
  #used = 0;
  /** Of class `heat`, beside those: slots that may be used, and that are; frozen ones not. */
  #heatMost = 0;
  #heatUsed = 0;
  /** Recipes of class `heat` that wait for none any more. */
  readonly #urgent = new Set<number>();
  /** The integral of 1 / running tasks up to `shareFrom`. */
  #share = 0;
  #shareFrom = 0;
  #gone = false;
  #turn = false;
  #started: number[] = [];
  #news: Ended[] = [];

  constructor(parts: SimulatedExecutorParts) {
    this.#parts = parts;
  }

  /** Tokens that run, for those who look on. */
  get running(): readonly number[] {
    return [...this.#running.keys()];
  }

  /** Tokens that have ended and that no agent has taken yet. */
  get untaken(): readonly number[] {
    return [...this.#ended.keys()];
  }

  get frozen(): readonly number[] {
    return [...this.#running].flatMap(([token, { frozen }]) => (frozen === undefined ? [] : [token]));
  }

  /** Everything that waits or runs. */
  get held(): readonly number[] {
    return [...this.#running.keys(), ...this.#waiting.keys()];
  }

  attach(handlers: ExecutorHandlers): void {
    this.#handlers = handlers;
    this.#started = [];
    this.#news = [...this.#ended.values()];
    const held = ({ token, r, index, attempt }: ExecutorTask, state: AdoptedTask['state']): AdoptedTask => ({
      ...{ token, r, index, attempt, state },
      ...(this.#isHeat(r) ? { heat: true } : {}),
    });
    const running = [...this.#running.values()].map(({ task }) => held(task, 'running'));
    handlers.ready([...running, ...[...this.#waiting.values()].map(task => held(task, 'waiting'))]);
    if (this.#news.length > 0) this.#tellSoon();
    if (this.frozen.length > 0) handlers.frozen(this.frozen);
  }

  /** A task saves bytes. */
  save(token: number, base64: string): void {
    this.#handlers?.checkpoint(token, base64);
  }

  /** The agent is killed: nobody hears anything until the next one attaches. */
  detach(): void {
    this.#handlers = undefined;
  }

  /** It dies, and its tasks with it. */
  crash(reason: string): void {
    this.#clear();
    this.#gone = true;
    this.#handlers?.lost(reason);
  }

  configure({ slots }: Parameters<Executor['configure']>[0]): void {
    this.#slots = slots;
    this.#fill();
  }

  run(recipes: readonly Recipe[], tasks: readonly ExecutorTask[]): void {
    if (this.#gone) this.#handlers?.ready([]);
    this.#gone = false;
    for (const recipe of recipes) this.#recipes.set(recipe.r, recipe);
    for (const task of tasks) this.#waiting.set(task.token, task);
    this.#fill();
  }

  forget(recipes: readonly number[]): void {
    for (const r of recipes) {
      this.#recipes.delete(r);
      this.#urgent.delete(r);
    }
  }

  heat(most: number): void {
    this.#heatMost = most;
    this.#dim();
    this.#fill();
  }

  urgent(recipes: readonly number[]): void {
    for (const r of recipes) this.#urgent.add(r);
    this.#dim();
    this.#fill();
  }

  #isHeat(r: number): boolean {
    return this.#recipes.get(r)?.heat === true && !this.#urgent.has(r);
  }

  /** The first that began may run, as many as there are slots of heat; the others are frozen. */
  #dim(): void {
    const before = this.frozen.join();
    let used = 0;
    for (const [token, one] of this.#running) {
      if (!one.heat) continue;
      const urgent = this.#urgent.has(one.task.r);
      const runs = urgent || used + one.slots <= this.#heatMost;
      if (runs && !urgent) used += one.slots;
      if (runs === (one.frozen === undefined)) continue;
      this.#advance();
      const now = this.#parts.clock.now();
      if (!runs) {
        one.timer.cancel();
        one.frozen = now;
        one.shareAt = this.#share - one.shareAt;
        continue;
      }
      one.shareAt = this.#share - one.shareAt;
      one.at += now - (one.frozen ?? now);
      one.frozen = undefined;
      one.timer = this.#parts.clock.after(Math.max(0, one.ms - (now - one.at)), () => this.#end(token));
    }
    this.#heatUsed = used;
    if (this.frozen.join() !== before) this.#handlers?.frozen(this.frozen);
  }

  taken(tokens: readonly number[]): void {
    for (const token of tokens) this.#ended.delete(token);
  }

  takeBack(tokens: readonly number[]): void {
    const dropped = tokens.filter(token => this.#waiting.delete(token));
    const handlers = this.#handlers;
    if (dropped.length > 0) this.#parts.clock.after(0, () => this.#handlers === handlers && handlers?.dropped(dropped));
  }

  kill(tokens: readonly number[]): void {
    for (const token of tokens) {
      this.#waiting.delete(token);
      this.#ended.delete(token);
      const running = this.#running.get(token);
      if (running) this.#stop(token, running);
    }
    this.#news = this.#news.filter(({ token }) => this.#ended.has(token));
    this.#started = this.#started.filter(token => this.#running.has(token) || this.#ended.has(token));
    this.#fill();
  }

  plugins(done: (names: readonly string[]) => void): void {
    done(this.#parts.plugins ?? []);
  }

  close(keep: boolean, done: () => void): void {
    this.detach();
    if (!keep) this.#clear();
    done();
  }

  #clear(): void {
    for (const [token, running] of this.#running) this.#stop(token, running);
    this.#waiting.clear();
    this.#ended.clear();
    this.#urgent.clear();
    this.#recipes.clear();
    this.#started = [];
    this.#news = [];
  }

  #stop(token: number, { timer, slots, heat, frozen }: Running): void {
    this.#advance();
    timer.cancel();
    this.#running.delete(token);
    if (!heat) this.#used -= slots;
    else if (frozen === undefined) this.#dim();
    else this.#handlers?.frozen(this.frozen);
  }

  #advance(): void {
    const now = this.#parts.clock.now();
    let running = 0;
    for (const { frozen } of this.#running.values()) if (frozen === undefined) running++;
    if (running > 0) this.#share += (now - this.#shareFrom) / running;
    this.#shareFrom = now;
  }

  /** The next ones in order, as long as they fit; one that needs more than there is runs alone. */
  #fill(): void {
    const { clock, speed = 1 } = this.#parts;
    for (const [token, task] of this.#waiting) {
      const recipe = this.#recipes.get(task.r);
      const heat = this.#isHeat(task.r);
      const slots = Math.min(recipe?.cpus ?? 1, heat ? Math.max(1, this.#heatMost) : this.#slots);
      if (heat && this.#heatUsed + slots > this.#heatMost) continue;
      if (this.#slots === 0 || (!heat && this.#used + slots > this.#slots)) {
        if (heat) continue;
        break;
      }
      this.#waiting.delete(token);
      this.#advance();
      const ms = (ofCommon(recipe, 'ms') ?? numberOf(recipe?.env?.HEARTH_SIM_MS) ?? usualMs) / speed;
      const timer = clock.after(ms, () => this.#end(token));
      const [at, shareAt] = [clock.now(), this.#share];
      this.#running.set(token, { ...{ task, at, ms, shareAt, slots, heat, timer }, frozen: undefined });
      if (heat) this.#heatUsed += slots;
      else this.#used += slots;
      this.#started.push(token);
      this.#tellSoon();
    }
  }

  #end(token: number): void {
    const running = this.#running.get(token);
    if (!running) return;
    this.#stop(token, running);
    const { task, at, shareAt } = running;
    const { r, index, attempt, value } = task;
    const fails = this.#parts.random.next() < (ofCommon(this.#recipes.get(r), 'fail') ?? 0);
    const end = fails
      ? { why: 'error', err: 'failed by chance, as asked' }
      : value === undefined
        ? undefined
        : { value };
    const ended = {
      ...{ token, r, index, attempt, ms: this.#parts.clock.now() - at, shareMs: this.#share - shareAt },
      ...(end === undefined ? {} : { end }),
    } as Ended;
    this.#ended.set(token, ended);
    this.#news.push(ended);
    this.#fill();
    this.#tellSoon();
  }

  #tellSoon(): void {
    if (this.#turn) return;
    this.#turn = true;
    this.#parts.clock.after(0, () => {
      this.#turn = false;
      const [started, ended] = [this.#started.splice(0), this.#news.splice(0)];
      if (started.length > 0) this.#handlers?.started(started);
      if (ended.length > 0) this.#handlers?.ended(ended);
    });
  }
}
