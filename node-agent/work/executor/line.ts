/**
 * The executor's core: who is next, in the order given; which lanes are open and what they hold; time, share and
 * timeouts. It knows no process, socket or disk. Lanes and their runners: runner.ts.
 */
import type { End, Recipe } from '../../../shared/schemas/work.ts';
import type { ExecutorTask } from '../executor.ts';
import { type Entry, heldOf, type LineParts, type OpenLane } from './line-parts.ts';
import { Pace } from './pace.ts';
import type { Lane } from './runner.ts';
import { late, TaskTime } from './task-time.ts';
import { WaitingLine } from './waiting-line.ts';
import type { HeldTuple } from './wire.ts';

/** More than these wait nowhere: the agent asks for what it can use, in credits. */
const mostHeld = 200_000;
/** A worker that never gets to a task is no worker. */
const mostReturns = 5;

export class Line {
  readonly #parts: LineParts;
  readonly #entries = new Map<number, Entry>();
  readonly #recipes = new Map<number, Recipe>();
  readonly #pace = new Pace();
  readonly time: TaskTime;
  readonly #waiting = new WaitingLine();
  readonly #lanes = new Set<OpenLane>();
  /** Oldest first. */
  readonly #idle = new Set<OpenLane>();
  #slots = 1;
  #busySlots = 0;
  readonly #forgotten = new Set<number>();

  constructor(parts: LineParts) {
    this.#parts = parts;
    this.time = new TaskTime({ ...parts, late: entry => this.#stop(entry, 'timeout') });
  }

  /** Tasks that wait or run. */
  get size(): number {
    return this.#entries.size;
  }

  /** Lanes that hold something. */
  get busy(): OpenLane[] {
    return [...this.#lanes].filter(({ holds }) => holds.length > 0);
  }

  has = (token: number): boolean => this.#entries.has(token);

  held(): HeldTuple[] {
    return [...this.#entries.values()].flatMap(heldOf);
  }

  slots(slots: number): void {
    this.#slots = slots;
    this.pump();
  }

  add(recipes: readonly Recipe[], tasks: readonly ExecutorTask[]): void {
    for (const recipe of recipes) {
      this.#recipes.set(recipe.r, this.#recipes.get(recipe.r) ?? recipe);
      this.#forgotten.delete(recipe.r);
    }
    const refused: number[] = [];
    for (const task of tasks) {
      const recipe = this.#recipes.get(task.r);
      if (this.#entries.has(task.token)) continue;
      if (this.#entries.size >= mostHeld) refused.push(task.token);
      else if (recipe) {
        const entry = { task, recipe };
        this.#entries.set(task.token, entry);
        this.#waiting.push(entry);
      } else {
        this.#refuse(task, { why: 'lost', err: `recipe ${task.r} is not known to this node any more` });
      }
    }
    if (refused.length > 0) this.#parts.dropped(refused);
    this.pump();
  }

  /** What waits in line is dropped; what a lane holds goes on. */
  takeBack(tokens: readonly number[]): void {
    const dropped = tokens.filter(token => {
      const entry = this.#entries.get(token);
      // Frozen before it began: its lane gives it back.
      if (entry?.lane?.frozen !== undefined && entry.began === undefined) {
        entry.stopping = 'kill';
        entry.lane.lane.stop(token);
      }
      return entry !== undefined && entry.lane === undefined && this.#entries.delete(token);
    });
    if (dropped.length > 0) this.#parts.dropped(dropped);
    this.pump();
  }

  /** Each of them is dropped, once it is gone. */
  kill(tokens: readonly number[]): void {
    const dropped: number[] = [];
    for (const token of tokens) {
      const entry = this.#entries.get(token);
      if (entry?.lane) this.#stop(entry, 'kill');
      else {
        this.#entries.delete(token);
        dropped.push(token);
      }
    }
    if (dropped.length > 0) this.#parts.dropped(dropped);
    this.pump();
  }

  /** What waits of a recipe leaves the line. */
  leave(r: number): ExecutorTask[] {
    const left = [...this.#entries.values()].filter(({ recipe, lane }) => recipe.r === r && !lane);
    for (const { task } of left) this.#entries.delete(task.token);
    return left.map(({ task }) => task);
  }

  forget(recipes: readonly number[]): void {
    for (const r of recipes) this.#forgotten.add(r);
    this.#reallyForget();
  }

  /** Nothing has run for a while. */
  closeIdle(): void {
    for (const lane of [...this.#idle]) this.#close(lane);
  }

  /** Starts what can start. */
  pump(): void {
    const given = new Map<OpenLane, ExecutorTask[]>();
    for (;;) {
      const entry = this.#waiting.peek(this.#gone);
      if (!entry || this.#slots === 0 || this.#parts.full()) break;
      const lane = this.#laneFor(entry);
      if (lane === undefined) break;
      this.#waiting.next();
      if (lane === 'failed') continue;
      this.#hold(lane, entry);
      const tasks = given.get(lane);
      if (tasks) tasks.push(entry.task);
      else given.set(lane, [entry.task]);
    }
    this.#waiting.trim();
    for (const [lane, tasks] of given) lane.lane.run(tasks);
  }

  #gone = (entry: Entry): boolean => this.#entries.get(entry.task.token) !== entry || entry.lane !== undefined;

  #laneFor(entry: Entry): OpenLane | 'failed' | undefined {
    const { recipe } = entry;
    const cpus = this.#cpus(recipe);
    if (this.#busySlots + cpus <= this.#slots) {
      for (const lane of this.#idle) if (lane.recipe === recipe) return lane;
      const [oldest] = this.#idle;
      if (oldest && this.#lanes.size >= this.#slots) this.#close(oldest);
      return this.#open(entry);
    }
    let best: OpenLane | undefined;
    for (const lane of this.#lanes) {
      if (lane.recipe !== recipe || lane.holds.length === 0) continue;
      if (lane.holds.length < (best?.holds.length ?? this.#ahead(lane))) best = lane;
    }
    return best;
  }

  /** Of what may be frozen nothing waits behind another. */
  #ahead = ({ recipe, runner }: OpenLane): number => (recipe.heat ? 1 : this.#pace.ahead(recipe.r, runner.ahead));

  #open(entry: Entry): OpenLane | 'failed' {
    const { recipe, task } = entry;
    const runner = this.#parts.runner(recipe);
    if (typeof runner === 'string') {
      this.#refuse(task, { why: 'denied', err: runner });
      return 'failed';
    }
    const open: OpenLane = { recipe, runner, holds: [], cpus: 0, lane: undefined as unknown as Lane };
    open.lane = runner.open(recipe, {
      began: token => this.#began(open, token),
      ended: (token, end, ms) => this.#ended(open, token, end, ms),
      returned: (tokens, lost) => this.#returned(open, tokens, lost === true),
      checkpoint: (token, base64) => {
        const known = this.#entries.get(token);
        if (known?.lane === open && !known.stopping) this.#parts.checkpoint(token, base64);
      },
    });
    this.#lanes.add(open);
    this.#idle.add(open);
    return open;
  }

  #hold(lane: OpenLane, entry: Entry): void {
    if (lane.holds.length === 0) {
      this.#idle.delete(lane);
      lane.cpus = this.#cpus(lane.recipe);
      this.#busySlots += lane.cpus;
    }
    entry.lane = lane;
    lane.holds.push(entry);
  }

  #release(lane: OpenLane, entry: Entry): void {
    const at = lane.holds.indexOf(entry);
    if (at >= 0) lane.holds.splice(at, 1);
    if (lane.holds.length > 0) return;
    if (lane.frozen !== undefined) this.freeze(lane, false);
    this.#busySlots -= lane.cpus;
    this.#idle.add(lane);
    this.#reallyForget();
  }

  /** One that asks for more than there is gets all. */
  #cpus = ({ cpus }: Recipe): number => Math.min(cpus, Math.max(1, this.#slots));

  #began(lane: OpenLane, token: number): void {
    const entry = this.#entries.get(token);
    if (entry?.lane !== lane || entry.began !== undefined) return;
    this.time.began(lane, entry);
    if (!entry.stopping) this.#parts.started(token);
  }

  /** What runs in it is frozen, and its time does not count; or goes on. It has its slots all the while. */
  freeze(lane: OpenLane, on: boolean): void {
    if (on === (lane.frozen !== undefined)) return;
    if (on) this.time.freeze(lane);
    else this.time.thaw(lane);
    lane.lane.freeze(on);
  }

  #stop(entry: Entry, why: 'timeout' | 'kill'): void {
    const again = entry.stopping !== undefined;
    if (entry.stopping !== 'kill') entry.stopping = why;
    if (entry.lane?.frozen !== undefined) this.freeze(entry.lane, false);
    if (!again) entry.lane?.lane.stop(entry.task.token);
  }

  #ended(lane: OpenLane, token: number, end: End | undefined, known: number | undefined): void {
    const entry = this.#entries.get(token);
    if (entry?.lane !== lane) return;
    if (entry.began === undefined) this.#began(lane, token);
    this.#entries.delete(token);
    const { ms, share } = this.time.ended(lane, entry, known);
    this.#pace.learn(lane.recipe.r, ms);
    this.#release(lane, entry);
    if (entry.stopping === 'kill') this.#parts.dropped([token]);
    else this.#tell(entry.task, ms, share, entry.stopping === 'timeout' ? late(end, lane) : end);
    if (lane.holds.length <= this.#ahead(lane) / 2) this.pump();
  }

  #returned(lane: OpenLane, tokens: readonly number[], lost: boolean): void {
    const back: Entry[] = [];
    for (const token of tokens) {
      const entry = this.#entries.get(token);
      if (entry?.lane !== lane || entry.began !== undefined) continue;
      this.#release(lane, entry);
      delete entry.lane;
      if (entry.stopping === 'kill') {
        this.#entries.delete(token);
        this.#parts.dropped([token]);
        continue;
      }
      if (lost) entry.returns = (entry.returns ?? 0) + 1;
      if ((entry.returns ?? 0) < mostReturns) back.push(entry);
      else this.#refuse(entry.task, { why: 'lost', err: `its worker ended before it began, ${mostReturns} times` });
    }
    this.#waiting.again(back);
    this.pump();
  }

  /** It ends before it began. */
  #refuse(task: ExecutorTask, end: End): void {
    this.#entries.delete(task.token);
    this.#parts.started(task.token);
    this.#tell(task, 0, 0, end);
  }

  #tell({ token, r, index, attempt }: ExecutorTask, ms: number, shareMs: number, end: End | undefined): void {
    this.#parts.ended({ token, r, index, attempt, ms, shareMs, ...(end ? { end } : {}) });
  }

  #close(lane: OpenLane): void {
    this.#idle.delete(lane);
    this.#lanes.delete(lane);
    this.time.forget(lane);
    lane.lane.close();
  }

  /** Once none of its tasks is there. */
  #reallyForget(): void {
    if (this.#forgotten.size === 0) return;
    const used = new Set([...this.#entries.values()].map(({ recipe }) => recipe.r));
    for (const r of this.#forgotten) {
      if (used.has(r)) continue;
      this.#forgotten.delete(r);
      for (const lane of [...this.#idle]) if (lane.recipe.r === r) this.#close(lane);
      this.#recipes.delete(r);
      this.#pace.forget(r);
      this.#parts.forget(r);
    }
  }
}
