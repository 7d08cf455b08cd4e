/** Tasks that a node has and that have not ended: in what state, and how many more it would take. Pure. */
import type { Held } from '../../shared/schemas/work.ts';
import type { AdoptedTask } from './executor.ts';
import type { HeatTasks } from './side.ts';

export const holdingLimits = {
  /** Slots of tasks beyond those that can run at once. */
  ahead: 2000,
  /** Of messages that brought what waits. */
  bytes: 4 * 1024 * 1024,
  /** More than these is given back at once, whatever was promised. */
  mostTasks: 50_000,
  mostBytes: 32 * 1024 * 1024,
} as const;

export interface Task {
  readonly r: number;
  readonly index: number;
  readonly attempt: number;
  /** That it takes. */
  readonly slots: number;
  /** Its share of the message that it came with. */
  readonly bytes: number;
  /** Of class `heat`. */
  readonly heat?: boolean | undefined;
}

const noHeat: HeatTasks = { running: 0, waiting: 0 };

export class Holding {
  readonly #tasks = new Map<number, Task & { running: boolean; heat?: boolean | undefined }>();
  #running = 0;
  #slots = 0;
  /** Of what waits. */
  #bytes = 0;
  /** Of class `heat`: all, and those that run. */
  #heat = 0;
  #heatRunning = 0;

  get heat(): HeatTasks {
    if (this.#heat === 0) return noHeat;
    return { running: this.#heatRunning, waiting: this.#heat - this.#heatRunning };
  }

  get running(): number {
    return this.#running;
  }

  has(token: number): boolean {
    return this.#tasks.has(token);
  }

  waits(token: number): boolean {
    return this.#tasks.get(token)?.running === false;
  }

  /** No more, not even what was sent before the last credits arrived. */
  get full(): boolean {
    return this.#tasks.size >= holdingLimits.mostTasks || this.#bytes >= holdingLimits.mostBytes;
  }

  add(token: number, task: Task): void {
    this.#tasks.set(token, { ...task, running: false });
    this.#slots += task.slots;
    this.#bytes += task.bytes;
    if (task.heat) this.#heat++;
  }

  /** Of an executor that another agent started. */
  adopt({ token, r, index, attempt, state, heat }: AdoptedTask): void {
    if (!this.#tasks.has(token)) this.add(token, { r, index, attempt, slots: 1, bytes: 0, heat });
    if (state === 'running') this.start(token);
  }

  /** @returns whether it waited. */
  start(token: number): boolean {
    const task = this.#tasks.get(token);
    if (task?.running !== false) return false;
    task.running = true;
    this.#running++;
    this.#bytes -= task.bytes;
    if (task.heat) this.#heatRunning++;
    return true;
  }

  /** @returns whether it was there. */
  end(token: number): boolean {
    const task = this.#tasks.get(token);
    if (!task) return false;
    this.#tasks.delete(token);
    this.#slots -= task.slots;
    if (task.running) this.#running--;
    else this.#bytes -= task.bytes;
    if (task.heat) this.#cool(task);
    return true;
  }

  /** Tasks of these recipes wait for no heat any more. */
  urgent(recipes: ReadonlySet<number>): void {
    for (const task of this.#tasks.values()) {
      if (!task.heat || !recipes.has(task.r)) continue;
      this.#cool(task);
      task.heat = false;
    }
  }

  #cool({ running }: { readonly running: boolean }): void {
    this.#heat--;
    if (running) this.#heatRunning--;
  }

  *all(): Generator<Held> {
    for (const [token, { r, index, attempt, running }] of this.#tasks) {
      yield [token, r, index, attempt, running ? 1 : 0];
    }
  }

  /** That something here is of. */
  recipes(): Set<number> {
    return new Set([...this.#tasks.values()].map(({ r }) => r));
  }

  /** @returns what ran, and the tokens of what waited. */
  clear(): [readonly { token: number; r: number; index: number; attempt: number }[], readonly number[]] {
    const running = [];
    const waiting = [];
    for (const [token, { r, index, attempt, running: runs }] of this.#tasks) {
      if (runs) running.push({ token, r, index, attempt });
      else waiting.push(token);
    }
    this.#tasks.clear();
    this.#running = 0;
    this.#slots = 0;
    this.#bytes = 0;
    this.#heat = 0;
    this.#heatRunning = 0;
    return [running, waiting];
  }

  /** @param room results that fit beside those that wait: each task here brings one. */
  credits(slots: number, room: number): number {
    if (slots === 0 || this.#bytes >= holdingLimits.bytes) return 0;
    return Math.max(0, Math.min(slots + holdingLimits.ahead - this.#slots, room - this.#tasks.size));
  }
}
