/** One lane: its tasks go to one worker at a time, the short ones several at once. */
import type { Recipe } from '../../../../shared/schemas/work.ts';
import type { ExecutorTask } from '../../executor.ts';
import type { Lane, LaneHandlers, RunnerParts } from '../runner.ts';
import type { Pool } from './pool.ts';
import { heated, isReady, type NotReady, type Ready, type Source } from './source.ts';
import type { TaskLine } from './wire.ts';
import type { Worker, WorkerHandlers } from './worker.ts';

/** Tasks that one lane may hold. */
export const mostAhead = 512;
/** Work that a worker has in hand: long enough that it never waits, short enough that little waits behind a slow one. */
const handMs = 10;
/** Who runs for so long lets those behind it go elsewhere. */
const slowMs = 100;
/** A task that was behind slow ones so often stays where it is: the executor takes more for workers that never begin. */
const mostSentAway = 3;
const sentAway = new WeakMap<ExecutorTask, number>();
/** Between being told to end, and being ended. */
export const graceMs = 2_000;
/** Below, the worker's answers are read in bunches. */
const fastMs = 0.5;

interface Held {
  readonly task: ExecutorTask;
  stopped: boolean;
}

export interface LaneParts {
  readonly pool: Pool;
  readonly source: Source;
  readonly recipe: Recipe;
  readonly handlers: LaneHandlers;
  /** What a task gets as `data`. */
  value(task: ExecutorTask): unknown;
  now(): number;
  readonly heat: RunnerParts['heat'];
}

/** Positions are the process's own, so they rise for as long as it lives; the lanes that have it follow one another. */
let positions = 0;

export class ModuleLane implements Lane {
  readonly #parts: LaneParts;
  #queue: ExecutorTask[] = [];
  /** What the worker has, by position. */
  readonly #held = new Map<number, Held>();
  #worker: Worker | undefined;
  #ready: Ready | undefined;
  #isFinding = false;
  #isClosed = false;
  #isFrozen = false;
  /** Its worker is in the groups of heat no more: it serves neither others of heat nor any else. */
  #hasLeft = false;
  /** Of the last tasks, ms. */
  #mean: number | undefined;
  #slow: NodeJS.Timeout | undefined;

  constructor(parts: LaneParts) {
    this.#parts = parts;
  }

  run(tasks: readonly ExecutorTask[]): void {
    this.#queue.push(...tasks);
    this.#feed();
  }

  stop(token: number): void {
    const waits = this.#queue.findIndex(task => task.token === token);
    if (waits >= 0) {
      this.#queue.splice(waits, 1);
      setImmediate(() => this.#parts.handlers.returned([token]));
      return;
    }
    for (const [at, held] of this.#held) {
      if (held.task.token !== token || held.stopped) continue;
      held.stopped = true;
      // A group that somebody has frozen lets nobody end (version 1).
      if (this.#parts.recipe.heat) this.heat(false);
      if (this.#worker?.running === at) this.#abort(at);
      else this.#worker?.giveBack(at);
    }
  }

  get stopped(): boolean {
    return this.#worker?.stopped ?? false;
  }

  freeze(on: boolean): void {
    this.#isFrozen = on;
    this.#worker?.freeze(on);
    if (!on) this.#feed();
  }

  heat(on: boolean): void {
    if (this.#worker) this.#parts.heat[on ? 'take' : 'leave'](this.#worker.pids);
    if (!on) this.#hasLeft = true;
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#slow);
    const [worker, ready] = [this.#worker, this.#ready];
    this.#worker = undefined;
    if (worker && ready) this.#parts.pool.giveBack(ready.key, worker);
    if (this.#hasLeft) worker?.kill();
  }

  #feed(): void {
    if (this.#isFrozen || this.#queue.length === 0 || this.#isFinding || this.#isClosed || this.#parts.pool.isClosed)
      return;
    const worker = this.#workerNow();
    if (!worker) return;
    const room = this.#window() - worker.held;
    if (room <= 0) return;
    const lines = this.#queue.splice(0, room).map((task): TaskLine => {
      const at = ++positions;
      this.#held.set(at, { task, stopped: false });
      const value = this.#parts.value(task);
      return [at, task.r, task.index, task.attempt, task.token, value ?? null, task.checkpoint ?? null];
    });
    const { r, job, common } = this.#parts.recipe;
    worker.isFast = this.#mean !== undefined && this.#mean < fastMs;
    worker.run(r, { job, common }, lines);
  }

  /** The worker that may have the next task, or none yet. */
  #workerNow(): Worker | undefined {
    const { pool, source, recipe } = this.#parts;
    const worker = this.#worker;
    const isOld = this.#ready !== undefined && source.isOld?.(recipe, this.#ready) === true;
    if (worker?.isAlive && !isOld) return worker;
    // What it has comes to its end first; then this is called again.
    if (worker && (worker.held > 0 || !worker.isAlive)) return undefined;
    if (worker) {
      pool.giveBack('', worker);
      worker.kill();
    }
    this.#worker = undefined;
    this.#isFinding = true;
    source.find(recipe, found => {
      this.#isFinding = false;
      if (this.#isClosed || pool.isClosed) return;
      if (!isReady(found)) {
        this.#fail(found);
        return;
      }
      this.#ready = recipe.heat ? heated(found, this.#parts.heat) : found;
      this.#worker = pool.take(this.#ready);
      this.#hasLeft = false;
      // A warm one may be in groups that were given up.
      if (recipe.heat) this.#parts.heat.take(this.#worker.pids);
      if (this.#isFrozen) this.#worker.freeze(true);
      this.#worker.handlers = this.#hear(this.#worker);
      this.#feed();
    });
    return undefined;
  }

  #fail(end: NotReady): void {
    const tasks = this.#queue;
    this.#queue = [];
    for (const { token } of tasks) {
      this.#parts.handlers.began(token);
      this.#parts.handlers.ended(token, end, 0);
    }
  }

  /** Tasks that the worker may have at once. */
  #window(): number {
    if (this.#mean === undefined) return 1;
    return Math.max(1, Math.min(mostAhead, Math.ceil(handMs / Math.max(this.#mean, 0.001))));
  }

  #hear(worker: Worker): WorkerHandlers {
    const { handlers } = this.#parts;
    const orphans: ExecutorTask[] = [];
    return {
      began: at => {
        const held = this.#held.get(at);
        if (!held) return;
        handlers.began(held.task.token);
        if (held.stopped) this.#abort(at);
        else if (this.#held.size + this.#queue.length > 1 && this.#slow === undefined) this.#watch(at);
      },
      ended: (at, ms, end) => {
        const held = this.#held.get(at);
        if (!held) return;
        this.#held.delete(at);
        this.#mean = this.#mean === undefined ? ms : this.#mean * 0.8 + ms * 0.2;
        handlers.ended(held.task.token, end, ms);
        // One look for a bunch of answers.
        if (worker.held <= this.#window() / 2) this.#feed();
      },
      checkpoint: (at, base64) => {
        const held = this.#held.get(at);
        if (held) handlers.checkpoint(held.task.token, base64);
      },
      returned: at => {
        const held = this.#held.get(at);
        this.#held.delete(at);
        if (!held) return;
        // What only was with a worker that died goes to the next one, without anybody's counting it.
        if (worker.isAlive || held.stopped || this.#parts.pool.isClosed)
          handlers.returned([held.task.token], !worker.isAlive);
        else orphans.push(held.task);
        // Nobody ends any more who would ask for what waits here.
        if (worker.held === 0) this.#feed();
      },
      gone: () => {
        if (this.#worker === worker) this.#worker = undefined;
        this.#queue.unshift(...orphans);
        this.#feed();
      },
    };
  }

  #abort(at: number): void {
    const worker = this.#worker;
    worker?.abort(at);
    setTimeout(() => {
      if (worker?.running === at)
        worker.kill({ why: 'error', err: 'it did not end when it was told to, and was ended' });
    }, graceMs);
  }

  /** If the task still runs after a while, nothing waits behind it. */
  #watch(at: number): void {
    this.#slow = setTimeout(() => {
      this.#slow = undefined;
      const running = this.#worker?.running;
      if (running !== at) {
        if (running !== undefined) this.#watch(running);
        return;
      }
      const goes = (task: ExecutorTask): boolean => {
        const times = (sentAway.get(task) ?? 0) + 1;
        sentAway.set(task, times);
        return times <= mostSentAway;
      };
      for (const [other, { task }] of this.#held) if (other !== at && goes(task)) this.#worker?.giveBack(other);
      const going: ExecutorTask[] = [];
      const staying: ExecutorTask[] = [];
      for (const task of this.#queue) (goes(task) ? going : staying).push(task);
      this.#queue = staying;
      const tokens = going.map(({ token }) => token);
      if (tokens.length > 0) this.#parts.handlers.returned(tokens);
    }, slowMs);
  }
}
