/**
 * An {@link Executor} whose tasks run in the program that the thread belongs to. They cannot be killed there: one that goes
 * on after its signal has ended for everybody else, and its result is not taken.
 */

import { valuesOf } from '../../node-agent/work/executor/modules/task-value.ts';
import type { Executor, ExecutorHandlers, ExecutorTask } from '../../node-agent/work/executor.ts';
import type { Clock, Timer } from '../../shared/clock.ts';
import type { End, Recipe } from '../../shared/schemas/work.ts';
import type { ToProgram, ToThread } from './messages.ts';

/** After its signal. */
const graceMs = 2000;

export interface ProgramExecutorParts {
  readonly clock: Clock;
  readonly jobs: readonly string[];
  send(message: ToProgram): void;
}

interface Running {
  readonly task: ExecutorTask;
  readonly slots: number;
  readonly shareAt: number;
  at: number;
  began: boolean;
  timer: Timer;
}

export class ProgramExecutor implements Executor {
  readonly #parts: ProgramExecutorParts;
  #handlers: ExecutorHandlers | undefined;
  readonly #recipes = new Map<number, { readonly recipe: Recipe; readonly valueOf: (task: ExecutorTask) => unknown }>();
  readonly #waiting = new Map<number, ExecutorTask>();
  readonly #running = new Map<number, Running>();
  #slots = 0;
  #used = 0;
  /** The integral of 1 / running tasks up to `shareFrom`. */
  #share = 0;
  #shareFrom = 0;

  constructor(parts: ProgramExecutorParts) {
    this.#parts = parts;
  }

  attach(handlers: ExecutorHandlers): void {
    this.#handlers = handlers;
    handlers.ready([]);
  }

  configure({ slots }: { readonly slots: number }): void {
    this.#slots = slots;
    this.#fill();
  }

  run(recipes: readonly Recipe[], tasks: readonly ExecutorTask[]): void {
    for (const recipe of recipes) {
      if (!this.#recipes.has(recipe.r)) this.#recipes.set(recipe.r, { recipe, valueOf: valuesOf(recipe) });
    }
    for (const task of tasks) this.#waiting.set(task.token, task);
    this.#fill();
  }

  /** No heat is asked of a program: what is of class `heat` comes once it is urgent. */
  heat(): void {}
  urgent(): void {}

  forget(recipes: readonly number[]): void {
    for (const r of recipes) this.#recipes.delete(r);
  }

  /** They are on the agent's disk in the same turn: nothing was kept. */
  taken(): void {}

  takeBack(tokens: readonly number[]): void {
    const dropped = tokens.filter(token => this.#waiting.delete(token));
    if (dropped.length > 0) this.#parts.clock.after(0, () => this.#handlers?.dropped(dropped));
  }

  kill(tokens: readonly number[]): void {
    for (const token of tokens) {
      this.#waiting.delete(token);
      if (this.#stop(token)) this.#parts.send({ type: 'abort', token, reason: 'the task was canceled' });
    }
    this.#fill();
  }

  plugins(done: (names: readonly string[]) => void): void {
    done(this.#parts.jobs);
  }

  close(_keep: boolean, done: () => void): void {
    this.#handlers = undefined;
    this.#waiting.clear();
    this.kill([...this.#running.keys()]);
    done();
  }

  /** What the program says of its tasks; of those that are nobody's any more it says nothing new. */
  hear(message: Exclude<ToThread, { readonly type: 'stop' }>): void {
    const running = this.#running.get(message.token);
    if (!running) return;
    if (message.type === 'began') this.#begin(running);
    else if (message.type === 'checkpoint') this.#handlers?.checkpoint(message.token, message.base64);
    else this.#end(running, endOf(message));
  }

  #begin(running: Running): void {
    if (running.began) return;
    running.began = true;
    const { token, r } = running.task;
    running.at = this.#parts.clock.now();
    const seconds = this.#recipes.get(r)?.recipe.timeout_s ?? 3600;
    running.timer = this.#parts.clock.after(seconds * 1000, () => this.#timeout(running, seconds));
    this.#handlers?.started([token]);
  }

  #timeout(running: Running, seconds: number): void {
    const { token } = running.task;
    this.#parts.send({ type: 'abort', token, reason: `it took longer than ${seconds} s` });
    running.timer = this.#parts.clock.after(graceMs, () =>
      this.#end(running, { why: 'timeout', err: `it took longer than ${seconds} s` }),
    );
  }

  #end(running: Running, end: End | undefined): void {
    const { task, shareAt } = running;
    const { token, r, index, attempt } = task;
    this.#begin(running);
    if (!this.#stop(token)) return;
    const ms = this.#parts.clock.now() - running.at;
    this.#handlers?.ended([{ token, r, index, attempt, ms, shareMs: this.#share - shareAt, ...(end ? { end } : {}) }]);
    this.#fill();
  }

  #stop(token: number): boolean {
    const running = this.#running.get(token);
    if (!running) return false;
    this.#advance();
    running.timer.cancel();
    this.#running.delete(token);
    this.#used -= running.slots;
    return true;
  }

  #advance(): void {
    const now = this.#parts.clock.now();
    if (this.#running.size > 0) this.#share += (now - this.#shareFrom) / this.#running.size;
    this.#shareFrom = now;
  }

  /** The next ones in order, as long as they fit; one that needs more than there is runs alone. */
  #fill(): void {
    for (const [token, task] of this.#waiting) {
      const known = this.#recipes.get(task.r);
      const slots = Math.min(known?.recipe.cpus ?? 1, this.#slots);
      if (this.#slots === 0 || this.#used + slots > this.#slots) break;
      this.#waiting.delete(token);
      this.#advance();
      const at = this.#parts.clock.now();
      const timer = { cancel() {} } as Timer;
      const running: Running = { task, slots, at, shareAt: this.#share, began: false, timer };
      this.#running.set(token, running);
      this.#used += slots;
      const name = known?.recipe.plugin;
      if (!known || name === undefined || !this.#parts.jobs.includes(name)) {
        const err = `this node is a program that runs ${this.#parts.jobs.join(', ')} and nothing else`;
        this.#parts.clock.after(0, () => this.#end(running, { why: 'setup', err }));
      } else {
        const { job, common } = known.recipe;
        const { index, attempt, checkpoint } = task;
        const value = known.valueOf(task);
        this.#parts.send({ type: 'run', token, name, job, index, attempt, value, common, checkpoint });
      }
    }
  }
}

function endOf({ value, error, log }: Extract<ToThread, { readonly type: 'ended' }>): End | undefined {
  const errout = log === undefined ? {} : { errout: log };
  if (error !== undefined) return { why: 'error', err: error.slice(0, 2000), ...errout };
  if (value !== undefined) return { value, ...errout };
  return log === undefined ? undefined : errout;
}
