/**
 * A node's part in jobs whose code is loaded with the first work, or where an earlier agent left some: an agent that was
 * never sent any says that it holds nothing, and carries nothing of it.
 */
import type { Log } from '../../shared/log.ts';
import type { Report } from '../../shared/schemas/work.ts';
import { holdingLimits } from './holding.ts';
import type { WorkRunner } from './runner.ts';
import {
  canOf,
  type HeatTasks,
  settingsOf,
  type WantedJobs,
  type WorkHandlers,
  type WorkSession,
  type WorkSide,
  type WorkTrust,
} from './side.ts';

export interface LazyWorkParts {
  /** Whether there is something to look after, or to tell of. */
  readonly left: () => boolean;
  load(): Promise<WorkRunner>;
  readonly cores: number;
  readonly log: Log;
}

const noHeat: HeatTasks = { running: 0, waiting: 0 };
/** Messages while the code is read, which takes some ten milliseconds. */
const mostHeld = 1000;

export class LazyWork implements WorkSide {
  readonly #parts: LazyWorkParts;
  #loaded: WorkRunner | undefined;
  #loading: Promise<void> | undefined;
  #handlers: WorkHandlers = { publish: () => false, changed() {} };
  #jobs: WantedJobs;
  #shut = true;
  #session: WorkSession | undefined;
  /** Reports of this session. */
  #reports = 0;
  #held: [Uint8Array, WorkTrust][] = [];
  #heat: readonly [most: number, groups: readonly string[]] | undefined;
  #failure = '';
  #closed = false;

  constructor(parts: LazyWorkParts) {
    this.#parts = parts;
  }

  get running(): number {
    return this.#loaded?.running ?? 0;
  }

  get heatTasks(): HeatTasks {
    return this.#loaded?.heatTasks ?? noHeat;
  }

  get plugins(): readonly string[] {
    return this.#loaded?.plugins ?? [];
  }

  get can(): readonly string[] {
    return canOf(settingsOf(this.#jobs, this.#parts.cores));
  }

  get error(): string {
    return this.#loaded?.error ?? this.#failure;
  }

  start(handlers: WorkHandlers): void {
    this.#handlers = handlers;
    if (this.#parts.left()) this.#load();
  }

  configure(jobs: WantedJobs, closed: boolean): void {
    const same = JSON.stringify([jobs, closed]) === JSON.stringify([this.#jobs, this.#shut]);
    this.#jobs = jobs;
    this.#shut = closed;
    if (this.#loaded) this.#loaded.configure(jobs, closed);
    else if (Object.keys(jobs?.plugins ?? {}).length > 0) this.#load();
    else if (!same) {
      if (this.#session && !this.#loading) this.#say();
      this.#handlers.changed();
    }
  }

  heat(most: number, groups: readonly string[]): void {
    this.#heat = [most, groups];
    this.#loaded?.heat(most, groups);
  }

  up(session: WorkSession): void {
    const same = session.inst === this.#session?.inst && session.epoch === this.#session.epoch;
    this.#session = session;
    if (!same) this.#reports = 0;
    if (this.#loaded) this.#loaded.up(session);
    // A report's number tells a supervisor that is new that there were others before, and it asks.
    else if (!this.#loading) this.#say(same ? undefined : []);
  }

  down(): void {
    this.#session = undefined;
    this.#held = [];
    this.#loaded?.down();
  }

  take(payload: Uint8Array, trust: WorkTrust): void {
    if (this.#loaded) this.#loaded.take(payload, trust);
    else {
      if (this.#held.length < mostHeld) this.#held.push([payload, trust]);
      this.#load();
    }
  }

  forget(done: () => void): void {
    this.#whenLoaded(done, loaded => loaded.forget(done));
  }

  close(keep: boolean, done: () => void): void {
    if (keep && !this.#loaded) {
      this.#closed = true;
      done();
      return;
    }
    // Tasks of an earlier agent end only by somebody who knows how.
    this.#whenLoaded(done, loaded => loaded.close(keep, done));
  }

  #whenLoaded(otherwise: () => void, run: (loaded: WorkRunner) => void): void {
    const then = () => (this.#loaded ? run(this.#loaded) : otherwise());
    if (this.#loading && !this.#loaded) this.#loading.then(then);
    else then();
  }

  /** For as long as nothing was ever taken: nothing is held. */
  #say(have?: Report['have']): void {
    if (!this.#session) return;
    const { slots } = settingsOf(this.#jobs, this.#parts.cores);
    const credits = this.#shut || slots === 0 || this.#failure !== '' ? 0 : slots + holdingLimits.ahead;
    const report: Report = { ...this.#session, seq: this.#reports, slots, credits, ...(have ? { have } : {}) };
    if (this.#handlers.publish(JSON.stringify(report))) this.#reports++;
    // What is loaded tries again.
    else this.#load();
  }

  #load(): void {
    if (this.#loading || this.#loaded) return;
    this.#loading = this.#parts.load().then(
      loaded => {
        if (this.#closed) return;
        this.#loaded = loaded;
        this.#failure = '';
        loaded.start(this.#handlers);
        loaded.configure(this.#jobs, this.#shut);
        if (this.#heat) loaded.heat(...this.#heat);
        if (this.#session) loaded.up(this.#session, this.#reports);
        for (const [payload, trust] of this.#held.splice(0)) loaded.take(payload, trust);
      },
      (error: Error) => {
        this.#loading = undefined;
        // The agent's files were replaced under it, or the disk fails.
        this.#failure = `jobs: a part of the agent cannot be loaded (${error.message}): restart it`;
        this.#parts.log.error({}, this.#failure);
        this.#held = [];
        this.#say([]);
        this.#handlers.changed();
      },
    );
  }
}
