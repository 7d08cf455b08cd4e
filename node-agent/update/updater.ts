/** Carries out what the core of an update decides, and tells about it as an item, `agent`. */
import type { Clock, Timer } from '../../shared/clock.ts';
import type { Log } from '../../shared/log.ts';
import type { ItemStatus } from '../../shared/schemas/observed.ts';
import type { Fetched, Fetching } from '../artifacts/fetching.ts';
import type { Document } from '../reconcile/reconciler.ts';
import type { Side } from '../reconcile/side.ts';
import {
  type At,
  begin,
  type Release,
  step,
  type UpdateEffect,
  type UpdateEvent,
  type UpdateState,
  wakeAt,
} from './core.ts';
import type { Installation } from './installation.ts';

export interface UpdaterParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly ver: string;
  /** Undefined: somebody else put this agent here, and updates it. */
  readonly installation: Installation | undefined;
  readonly fetching: Fetching;
  /** Ends this process so that it is started again; services go on. */
  restart(): void;
}

export class Updater implements Side {
  readonly #parts: UpdaterParts;
  #state: UpdateState;
  #release: Release | undefined;
  #progress = '';
  readonly #health = { connected: false, attempted: false };
  #copy: Fetched | undefined;
  #job: { cancel(): void } | undefined;
  #timer: Timer | undefined;
  #changed: () => void = () => {};
  #closed = false;

  constructor(parts: UpdaterParts) {
    this.#parts = parts;
    this.#state = begin(parts.installation?.onTrial ?? false, parts.clock.now());
    this.#arm();
  }

  start({ changed }: Parameters<Side['start']>[0]): void {
    this.#changed = changed;
  }

  apply({ agent }: Document): void {
    this.#release = agent;
    this.#event({ type: 'want', release: agent });
  }

  attempted(yes: boolean): void {
    this.#tell('attempted', yes);
  }

  /** Whether the node has its connection. */
  connected(yes: boolean): void {
    this.#tell('connected', yes);
  }

  /** Connected, and its document attempted: both together are what makes it well. */
  #tell(part: 'connected' | 'attempted', yes: boolean): void {
    if (this.#health[part] === yes) return;
    this.#health[part] = yes;
    const { connected, attempted } = this.#health;
    if (this.#state.kind === 'trial') this.#event({ type: 'well', well: connected && attempted });
  }

  items(): Readonly<Record<string, ItemStatus>> {
    const { installation, ver } = this.#parts;
    if (!installation) return {};
    const about = { ver };
    switch (this.#state.kind) {
      case 'fetching':
      case 'staging':
      case 'ending':
        return { agent: { ...about, state: 'changing', doing: this.#doing(this.#state) } };
      case 'waiting':
        return { agent: { ...about, state: 'failed', err: this.#state.why, next_ms: this.#state.at } };
      case 'trial':
        return { agent: { ...about, state: 'changing', doing: `${ver} is on trial` } };
      default:
        return this.#release ? { agent: { ...about, state: 'ok' } } : {};
    }
  }

  error(): string {
    return this.#state.kind === 'waiting' ? `agent: ${this.#state.why}` : '';
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#job?.cancel();
    this.#copy?.release();
  }

  #doing({ kind, release }: { readonly kind: string; readonly release: Release }): string {
    if (kind === 'fetching') return `fetching ${release.ver}${this.#progress}`.slice(0, 160);
    return kind === 'staging' ? `looking whether ${release.ver} runs here` : `changing to ${release.ver}`;
  }

  #event(event: UpdateEvent): void {
    const { installation, clock } = this.#parts;
    if (this.#closed || !installation) return;
    const at: At = { now: clock.now(), wall: clock.wall(), own: installation.own, putBack: installation.putBack() };
    const { state, effects } = step(this.#state, event, at);
    const changed = state !== this.#state;
    this.#state = state;
    for (const effect of effects) this.#do(effect, installation);
    this.#arm();
    if (changed) this.#changed();
  }

  #do(effect: UpdateEffect, installation: Installation): void {
    const { log, clock, restart } = this.#parts;
    switch (effect.do) {
      case 'fetch':
        this.#fetch(effect.release);
        break;
      case 'cancel':
        this.#job?.cancel();
        this.#job = undefined;
        break;
      case 'stage':
        this.#stage(effect.release, installation);
        break;
      case 'switch':
        log.info({ ver: effect.release.ver }, 'ending, to be started again as another version');
        this.#write(
          () => installation.tryNext(effect.release),
          restart,
          why => this.#event({ type: 'failed', why, later: true }),
        );
        break;
      case 'commit':
        log.info({ ver: this.#parts.ver }, 'this version is well: it is the installed one now');
        this.#write(() => installation.commit());
        break;
      case 'give-up':
        log.error({ ver: this.#parts.ver }, `this version is put back: ${effect.why}`);
        this.#write(() => installation.giveUp(effect.why, clock.wall()), restart);
        break;
      case 'drop-old':
        this.#write(() => installation.dropOld());
    }
  }

  #fetch({ sha256 }: Release): void {
    this.#progress = '';
    this.#job = this.#parts.fetching.fetch(
      { url: `artifact:${sha256}`, sha256 },
      {
        progress: (bytes, of) => {
          this.#progress = of === undefined ? '' : ` (${Math.floor((100 * bytes) / of)} %)`;
          this.#changed();
        },
        done: (error, copy) => {
          this.#job = undefined;
          if (this.#closed) return copy?.release();
          if (error || !copy) {
            const why = error?.sentence ?? 'it could not be fetched';
            return this.#event({ type: 'failed', why, later: error?.later ?? true });
          }
          this.#copy = copy;
          this.#event({ type: 'fetched' });
        },
      },
    );
  }

  #stage(release: Release, installation: Installation): void {
    const copy = this.#copy;
    this.#copy = undefined;
    if (!copy) return;
    installation.stage(copy.file, release, error => {
      copy.release();
      if (error) this.#event({ type: 'failed', why: `${release.ver}: ${error.sentence}`, later: error.later });
      else this.#event({ type: 'staged' });
    });
  }

  /** What cannot be written is told, and everything stays as it is until the next try. */
  #write(write: () => void, then?: () => void, otherwise?: (why: string) => void): void {
    try {
      write();
    } catch (error) {
      const why = `the agent's installation cannot be written: ${(error as Error).message}`;
      this.#parts.log.error({}, why);
      otherwise?.(why);
      return;
    }
    then?.();
  }

  #arm(): void {
    const { clock } = this.#parts;
    this.#timer?.cancel();
    this.#timer = undefined;
    const at = wakeAt(this.#state, { now: clock.now(), wall: clock.wall() });
    if (at === undefined || this.#closed) return;
    // Long waits are looked at again now and then: the wall clock may be set meanwhile.
    const ms = Math.min(600_000, Math.max(0, at - clock.now()));
    this.#timer = clock.after(ms, () => this.#event({ type: 'time' }));
  }
}
