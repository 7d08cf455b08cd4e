/**
 * The core of a node's jobs: what it holds, what it says, and when it takes more. Pure: events in, effects out; work.ts
 * runs them in order and feeds their outcome back.
 *
 *   work ──▶ waiting ──started──▶ running ──ended──▶ outbox ──ack──▶ gone
 *               │ take, executor lost: returned          ▲
 *               └ revoke: killed, and nothing is said    └ executor lost: ended with `lost`
 *
 * Only `work` of the present session counts (inst, epoch, a rising seq): what is late, doubled or another's is ignored. The
 * first report of a session says everything that is held, so that nothing has to be known of what was lost before it.
 */
import type { Held, Recipe, Work } from '../../shared/schemas/work.ts';
import type { WorkEffect, WorkEvent } from './events.ts';
import type { AdoptedTask, Ended, ExecutorTask } from './executor.ts';
import { Holding } from './holding.ts';
import { Outbox } from './outbox.ts';
import { Recipes, Revoked } from './remembered.ts';
import { Reporting, type Standing } from './reporting.ts';
import { Saved } from './saved.ts';
import type { HeatTasks } from './side.ts';
import { tasksIn, tokensIn } from './token-spans.ts';
import { workLimits } from './work-limits.ts';

export class WorkCore {
  readonly #holding = new Holding();
  readonly #outbox = new Outbox();
  readonly #recipes = new Recipes();
  readonly #saved = new Saved();
  readonly #revoked = new Revoked();
  #frozen: readonly number[] = [];
  #reporting: Reporting | undefined;
  #lastSeq = -1;
  /** The executor has said what it holds. */
  #ready = false;
  #slots = 0;
  #closed = true;
  /** A write failed, and these are in memory alone. */
  #retryAt = Number.POSITIVE_INFINITY;

  /** @param kept what the outbox on disk has. */
  constructor(kept: readonly Ended[]) {
    for (const ended of kept) this.#outbox.add(ended, true);
  }

  /** Tasks that run; of class `heat`, all. */
  get running(): number {
    return this.#holding.running;
  }
  get heat(): HeatTasks {
    return this.#holding.heat;
  }

  /** Why nothing more is taken though somebody may send it; empty where there is nothing wrong. */
  get trouble(): string {
    if (this.#retryAt !== Number.POSITIVE_INFINITY) return 'jobs: results cannot be written to the disk';
    return this.#outbox.room === 0 ? `jobs: ${this.#outbox.size} results wait for the supervisor, and no more fit` : '';
  }

  standing(): Standing {
    const open = !this.#closed && this.#ready && this.#retryAt === Number.POSITIVE_INFINITY;
    return { slots: this.#slots, credits: open ? this.#holding.credits(this.#slots, this.#outbox.room) : 0 };
  }

  /** When `tick` is due, in the clock's time; in the past: as soon as this turn is over. Infinite for never. */
  deadline(): number {
    const reports = this.#ready ? (this.#reporting?.due(this.standing()) ?? Number.POSITIVE_INFINITY) : undefined;
    return Math.min(this.#retryAt, reports ?? Number.POSITIVE_INFINITY);
  }

  step(event: WorkEvent, now: number): readonly WorkEffect[] {
    const effects = this.#step(event, now);
    const due = event.type === 'tick' && now >= this.deadline() && now < this.#retryAt;
    if (this.#ready && this.#reporting && (due || this.#reporting.pressing(now))) effects.push(this.#report());
    return effects;
  }

  #step(event: WorkEvent, now: number): WorkEffect[] {
    switch (event.type) {
      case 'up':
        return this.#up(event);
      case 'again':
        this.#reporting?.anyhow();
        return [];
      case 'down':
        this.#reporting = undefined;
        return [];
      case 'work':
        return this.#work(event.work, event.bytes);
      case 'settings':
        this.#slots = event.slots;
        this.#closed = event.closed;
        return [];
      case 'ready':
        this.#adopt(event.tasks);
        return [];
      case 'started': {
        const started = event.tokens.filter(token => this.#holding.start(token));
        this.#reporting?.started(started);
        return [];
      }
      case 'ended':
        return this.#ended(event.results);
      case 'checkpoint':
        if (!this.#holding.has(event.token)) return [];
        this.#saved.set(event.token, event.base64);
        this.#reporting?.checkpoint(event.token, event.base64);
        return [];
      case 'dropped': {
        const dropped = event.tokens.filter(token => this.#holding.end(token));
        this.#reporting?.returned(dropped);
        return [];
      }
      case 'frozen':
        this.#frozen = event.tokens;
        this.#reporting?.frozen(event.tokens);
        return [];
      case 'lost':
        return this.#lost(event.reason);
      case 'kept':
        return this.#kept(event.tokens, now);
      case 'unkept':
        this.#retryAt = now + workLimits.diskRetryMs;
        return [];
      case 'reported':
        if (event.epoch === this.#reporting?.session.epoch) this.#reporting.outcome(event.seq, event.said, now);
        return [];
      case 'forget':
        return this.#forget();
      case 'tick':
        return now >= this.#retryAt ? [this.#keepAgain()] : [];
    }
  }

  #up({ inst, epoch, said }: Extract<WorkEvent, { readonly type: 'up' }>): WorkEffect[] {
    this.#reporting = new Reporting({ inst, epoch }, said);
    this.#lastSeq = -1;
    if (said === 0) this.#sayEverything(0);
    // Each recipe comes again in this session before it is needed again.
    const over = this.#recipes.keepOnly(this.#holding.recipes());
    return over.length === 0 ? [] : [{ type: 'forget', recipes: over }];
  }

  #adopt(tasks: readonly AdoptedTask[]): void {
    const unknown = tasks.filter(({ token }) => !this.#outbox.has(token) && !this.#revoked.has(token));
    for (const task of unknown) this.#holding.adopt(task);
    if (this.#ready) return;
    this.#ready = true;
    this.#sayEverything(0);
  }

  #sayEverything(answers: number | undefined): void {
    if (!this.#reporting) return;
    const ended = ({ ended: { token, r, index, attempt } }: { ended: Ended }): Held => [token, r, index, attempt, 2];
    const have = [...this.#holding.all()].concat([...this.#outbox.entries].map(ended));
    this.#reporting.everything(have, this.#outbox.tokens, this.#outbox, answers);
    for (const [token, base64] of this.#saved) this.#reporting.checkpoint(token, base64);
    if (this.#frozen.length > 0) this.#reporting.frozen(this.#frozen);
  }

  #report(): WorkEffect {
    const live = (token: number) => this.#holding.has(token);
    return { type: 'report', report: (this.#reporting as Reporting).next(this.standing(), this.#outbox, live) };
  }

  #work(work: Work, bytes: number): WorkEffect[] {
    const session = this.#reporting?.session;
    if (work.inst !== session?.inst || work.epoch !== session.epoch || work.seq <= this.#lastSeq) return [];
    this.#lastSeq = work.seq;
    const effects: WorkEffect[] = [];
    this.#remove([...tokensIn(work.ack)], effects);
    this.#revoke([...tokensIn(work.revoke)], effects);
    const back = [...tokensIn(work.take)].filter(token => this.#holding.waits(token));
    if (back.length > 0) effects.push({ type: 'takeBack', tokens: back });
    const over = (work.forget ?? []).filter(r => this.#recipes.delete(r));
    if (over.length > 0) effects.push({ type: 'forget', recipes: over });
    for (const recipe of work.recipes ?? []) this.#recipes.set(recipe.r, recipe);
    if (work.urgent) {
      this.#recipes.urgent(work.urgent);
      this.#holding.urgent(new Set(work.urgent));
      effects.push({ type: 'urgent', recipes: work.urgent });
    }
    this.#take(work, bytes, effects);
    if (work.inventory) this.#sayEverything(work.question);
    return effects;
  }

  #take({ spans = [] }: Work, bytes: number, effects: WorkEffect[]): void {
    const count = spans.reduce((sum, span) => sum + span.n, 0);
    const tasks: ExecutorTask[] = [];
    const recipes = new Map<number, Recipe>();
    const back: number[] = [];
    for (const task of tasksIn(spans)) {
      const { token, r, index, attempt } = task;
      if (this.#holding.has(token) || this.#outbox.has(token) || this.#revoked.has(token)) continue;
      const recipe = this.#recipes.get(r);
      // Where the message with the recipe was lost, who gets its tasks back sends it again.
      if (!recipe || this.#holding.full) back.push(token);
      else {
        const { cpus: slots, heat } = recipe;
        this.#holding.add(token, { ...{ r, index, attempt, slots }, bytes: bytes / count, heat });
        recipes.set(r, recipe);
        tasks.push(task);
      }
    }
    if (tasks.length > 0) effects.push({ type: 'run', recipes: [...recipes.values()], tasks });
    this.#reporting?.returned(back);
  }

  /** From the outbox. The executor is told of those that it alone had on the safe side. */
  #remove(tokens: readonly number[], effects: WorkEffect[]): void {
    const { kept, unkept } = this.#outbox.remove(tokens);
    for (const token of [...kept, ...unkept]) this.#saved.delete(token);
    if (kept.length > 0) effects.push({ type: 'drop', tokens: kept });
    if (unkept.length > 0) effects.push({ type: 'taken', tokens: unkept });
  }

  #revoke(tokens: readonly number[], effects: WorkEffect[]): void {
    this.#remove(tokens, effects);
    const held = tokens.filter(token => this.#holding.end(token));
    for (const token of held) {
      this.#saved.delete(token);
      this.#revoked.add(token);
    }
    if (held.length > 0) effects.push({ type: 'kill', tokens: held });
  }

  #ended(results: readonly Ended[]): WorkEffect[] {
    const fresh: Ended[] = [];
    const taken: number[] = [];
    for (const ended of results) {
      const { token } = ended;
      // Its end was on its way when it was killed; or it was kept before the last agent could say so.
      if (this.#revoked.delete(token) || this.#outbox.get(token)?.kept) taken.push(token);
      else if (!this.#outbox.has(token)) fresh.push(ended);
    }
    return [...(taken.length > 0 ? [{ type: 'taken' as const, tokens: taken }] : []), ...this.#into(fresh)];
  }

  /** Into the outbox. */
  #into(results: readonly Ended[]): WorkEffect[] {
    if (results.length === 0) return [];
    const kept: Ended[] = [];
    for (const result of results) {
      this.#holding.end(result.token);
      const entry = this.#outbox.add(result, false);
      // What it saved serves a further attempt, which a success has not.
      if (entry.ended.end?.why === undefined) this.#saved.delete(result.token);
      this.#reporting?.result(result.token, entry.bytes);
      kept.push(entry.ended);
    }
    return [{ type: 'keep', results: kept, sync: kept.some(({ ms }) => ms > workLimits.syncAboveMs) }];
  }

  #kept(tokens: readonly number[], now: number): WorkEffect[] {
    const { here, gone } = this.#outbox.kept(tokens);
    if (this.#retryAt !== Number.POSITIVE_INFINITY) {
      // The disk takes it again: what it refused before is next.
      this.#retryAt = this.#outbox.unkept().length > 0 ? now : Number.POSITIVE_INFINITY;
    }
    return [
      ...(here.length > 0 ? [{ type: 'taken' as const, tokens: here }] : []),
      // Acknowledged while it was written.
      ...(gone.length > 0 ? [{ type: 'drop' as const, tokens: gone }] : []),
    ];
  }

  #keepAgain(): WorkEffect {
    this.#retryAt = Number.POSITIVE_INFINITY;
    return { type: 'keep', results: this.#outbox.unkept(), sync: true };
  }

  /** What ran ended with the executor, what waited is for others. */
  #lost(reason: string): WorkEffect[] {
    this.#ready = true;
    const [running, waiting] = this.#holding.clear();
    this.#reporting?.returned(waiting);
    const end = { why: 'lost', err: reason.slice(0, 2000) } as const;
    return this.#into(running.map(task => ({ ...task, ms: 0, shareMs: 0, end })));
  }

  #forget(): WorkEffect[] {
    const tokens = [...this.#outbox.tokens];
    const held = [...this.#holding.all()].map(([token]) => token);
    const recipes = [...this.#recipes.keys()];
    this.#holding.clear();
    this.#outbox.clear();
    this.#recipes.clear();
    this.#saved.clear();
    this.#closed = true;
    this.#reporting = undefined;
    this.#retryAt = Number.POSITIVE_INFINITY;
    return [
      { type: 'kill', tokens: held },
      { type: 'taken', tokens },
      { type: 'drop', tokens },
      { type: 'forget', recipes },
    ];
  }
}
