/** Carries out what the core of a node's jobs decides: on the executor, the outbox on disk and the connection. */
import type { Clock, Timer } from '../../shared/clock.ts';
import type { Log } from '../../shared/log.ts';
import type { Work } from '../../shared/schemas/work.ts';
import { WorkCore } from './core.ts';
import type { WorkEffect, WorkEvent } from './events.ts';
import type { Ended, Executor } from './executor.ts';
import { judgeWork } from './judge.ts';
import type { OutboxDisk } from './outbox.ts';
import {
  canOf,
  type HeatTasks,
  settingsOf,
  type WantedJobs,
  type WorkHandlers,
  type WorkSession,
  type WorkSettings,
  type WorkSide,
  type WorkTrust,
} from './side.ts';

export interface WorkParts {
  readonly executor: Executor;
  readonly outbox: OutboxDisk;
  readonly cores: number;
  readonly clock: Clock;
  readonly log: Log;
  /** When what has arrived by now was handled: what it brings is said together. Default: 0 ms by the clock. */
  readonly soon?: (run: () => void) => void;
}

export class WorkRunner implements WorkSide {
  readonly #parts: WorkParts;
  #core = new WorkCore([]);
  #handlers: WorkHandlers = { publish: () => false, changed() {} };
  #session: WorkSession | undefined;
  /** The supervisor has said in this session that its messages are not signed. */
  #plain = false;
  #settings: WorkSettings;
  #configured = false;
  #plugins: readonly string[] = [];
  #diskError = '';
  #said = '';
  #heat: HeatTasks = { running: 0, waiting: 0 };
  #queue: WorkEvent[] = [];
  #stepping = false;
  #soon = false;
  #timer: { readonly at: number; readonly timer: Timer } | undefined;
  #closed = false;

  constructor(parts: WorkParts) {
    this.#parts = parts;
    this.#settings = settingsOf(undefined, parts.cores);
  }

  get running(): number {
    return this.#core.running;
  }

  get heatTasks(): HeatTasks {
    return this.#core.heat;
  }

  get plugins(): readonly string[] {
    return this.#plugins;
  }

  get can(): readonly string[] {
    return canOf(this.#settings);
  }

  get error(): string {
    return this.#core.trouble === '' ? '' : this.#diskError || this.#core.trouble;
  }

  start(handlers: WorkHandlers): void {
    const { outbox, executor, log } = this.#parts;
    this.#handlers = handlers;
    let kept: readonly Ended[] = [];
    try {
      kept = outbox.load();
    } catch (error) {
      log.error({}, (error as Error).message);
    }
    this.#core = new WorkCore(kept);
    executor.attach({
      ready: tasks => this.#event({ type: 'ready', tasks }),
      started: tokens => this.#event({ type: 'started', tokens }),
      ended: results => this.#event({ type: 'ended', results }),
      checkpoint: (token, base64) => this.#event({ type: 'checkpoint', token, base64 }),
      dropped: tokens => this.#event({ type: 'dropped', tokens }),
      frozen: tokens => this.#event({ type: 'frozen', tokens }),
      lost: reason => {
        log.warn({}, `the executor of jobs is gone: ${reason}`);
        this.#event({ type: 'lost', reason });
      },
    });
  }

  configure(jobs: WantedJobs, closed: boolean): void {
    const { executor, cores } = this.#parts;
    const settings = settingsOf(jobs, cores);
    const same = this.#configured && JSON.stringify(settings) === JSON.stringify(this.#settings);
    this.#configured = true;
    this.#settings = settings;
    if (!same) executor.configure(settings);
    this.#event({ type: 'settings', slots: settings.slots, closed });
    if (same) return;
    this.#askPlugins();
    this.#handlers.changed();
  }

  heat(most: number, groups: readonly string[]): void {
    this.#parts.executor.heat(most, groups);
  }

  /** @param said reports that are out in this session already. */
  up(session: WorkSession, said = 0): void {
    const { inst, epoch } = session;
    if (this.#session?.inst === inst && this.#session.epoch === epoch) this.#event({ type: 'again' });
    else {
      this.#session = session;
      this.#plain = false;
      this.#event({ type: 'up', inst, epoch, said });
    }
    this.#askPlugins();
  }

  down(): void {
    this.#session = undefined;
    this.#event({ type: 'down' });
  }

  take(payload: Uint8Array, trust: WorkTrust): void {
    if (!this.#session) return;
    const verdict = judgeWork(trust, this.#session, this.#plain, payload);
    if (verdict.kind === 'ignored') this.#parts.log.debug({}, verdict.why);
    else this.obey(verdict.work, verdict.bytes);
  }

  /** Of this node's cluster, as {@link judgeWork} found. */
  obey(work: Work, bytes: number): void {
    if (work.plain) this.#plain = true;
    this.#event({ type: 'work', work, bytes });
  }

  forget(done: () => void): void {
    this.#event({ type: 'forget' });
    this.close(false, done);
  }

  close(keep: boolean, done: () => void): void {
    if (this.#closed) {
      done();
      return;
    }
    this.#closed = true;
    this.#timer?.timer.cancel();
    this.#parts.executor.close(keep, () => {
      this.#parts.outbox.close();
      done();
    });
  }

  #askPlugins(): void {
    this.#parts.executor.plugins(names => {
      const sorted = [...new Set([...names, ...Object.keys(this.#settings.plugins)])].sort();
      if (sorted.join() === this.#plugins.join()) return;
      this.#plugins = sorted;
      this.#handlers.changed();
    });
  }

  /** Effects that cause events find them queued behind. */
  #event(event: WorkEvent): void {
    if (this.#closed) return;
    this.#queue.push(event);
    if (this.#stepping) return;
    this.#stepping = true;
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
      for (const effect of this.#core.step(next, this.#parts.clock.now())) this.#run(effect);
    }
    this.#stepping = false;
    this.#arm();
    this.#tellHeat();
    if (this.error === this.#said) return;
    this.#said = this.error;
    this.#handlers.changed();
  }

  #tellHeat(): void {
    const { heat } = this.#core;
    if (heat.running === this.#heat.running && heat.waiting === this.#heat.waiting) return;
    this.#heat = heat;
    this.#handlers.heat?.(heat);
  }

  #run(effect: WorkEffect): void {
    const { executor, outbox } = this.#parts;
    switch (effect.type) {
      case 'report': {
        const { epoch, seq } = effect.report;
        const said = this.#handlers.publish(JSON.stringify(effect.report));
        this.#event({ type: 'reported', epoch, seq, said });
        break;
      }
      case 'run':
        executor.run(effect.recipes, effect.tasks);
        break;
      case 'keep':
        this.#keep(effect.results, effect.sync);
        break;
      case 'drop':
        outbox.remove(effect.tokens);
        break;
      case 'forget':
      case 'urgent':
        executor[effect.type](effect.recipes);
        break;
      default:
        executor[effect.type](effect.tokens);
    }
  }

  #keep(results: readonly Ended[], sync: boolean): void {
    try {
      this.#parts.outbox.append(results, sync);
      this.#diskError = '';
      this.#event({ type: 'kept', tokens: results.map(({ token }) => token) });
    } catch (error) {
      const why = (error as Error).message;
      if (why !== this.#diskError) this.#parts.log.error({}, why);
      this.#diskError = why;
      this.#event({ type: 'unkept' });
    }
  }

  /** One timer for everything that is due at a time. */
  #arm(): void {
    const { clock, soon = run => void clock.after(0, run) } = this.#parts;
    const now = clock.now();
    const at = this.#core.deadline();
    if (at <= now) {
      if (this.#soon) return;
      this.#soon = true;
      soon(() => {
        this.#soon = false;
        this.#event({ type: 'tick' });
      });
      return;
    }
    if (this.#timer?.at === at) return;
    this.#timer?.timer.cancel();
    this.#timer = undefined;
    if (at === Number.POSITIVE_INFINITY) return;
    const ring = () => {
      this.#timer = undefined;
      this.#event({ type: 'tick' });
    };
    this.#timer = { at, timer: clock.after(at - now, ring) };
  }
}
