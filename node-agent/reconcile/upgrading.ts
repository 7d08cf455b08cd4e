/** `do/upgrade`: begun at once, told as the item `upgrade`; what it needs is loaded with the first one. */
import type { Clock } from '../../shared/clock.ts';
import type { Log } from '../../shared/log.ts';
import type { ItemStatus } from '../../shared/schemas/observed.ts';
import type { Failure, Progress } from './packages/provider.ts';
import type { Side } from './side.ts';

/** Runs one upgrade of everything. `done` once. */
export type RunUpgrade = (
  tell: (progress: Progress) => void,
  done: (failure: Failure | undefined) => void,
) => { readonly refused: string } | { abandon(): void };

export class Upgrading implements Side {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #load: () => Promise<RunUpgrade>;
  #status: ItemStatus | undefined;
  #running: { abandon(): void } | undefined;
  #changed: () => void = () => {};
  #closed = false;

  constructor(parts: { readonly clock: Clock; readonly log: Log; readonly load: () => Promise<RunUpgrade> }) {
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#load = parts.load;
  }

  start({ changed }: Parameters<Side['start']>[0]): void {
    this.#changed = changed;
  }

  apply(): void {}

  /** `done` when it has begun, or with one sentence why not. */
  upgrade(done: (error?: string) => void): void {
    if (this.#status?.state === 'changing') {
      done();
      return;
    }
    this.#tell({ state: 'changing', doing: 'looking what there is' });
    this.#load().then(
      run => {
        if (this.#closed) return;
        const begun = run(
          progress => this.#progress(progress),
          failure => this.#ended(failure),
        );
        if ('refused' in begun) {
          this.#tell({ state: 'failed', err: begun.refused });
          done(begun.refused);
        } else {
          // It may have ended already.
          if (this.#status?.state === 'changing') this.#running = begun;
          done();
        }
      },
      (error: Error) => {
        const why = `a part of the agent cannot be loaded (${error.message}): restart it`;
        this.#tell({ state: 'failed', err: why });
        done(why);
      },
    );
  }

  items(): Readonly<Record<string, ItemStatus>> {
    return this.#status ? { upgrade: this.#status } : {};
  }

  /** An upgrade that failed is nobody's document. */
  error(): string {
    return '';
  }

  close(): void {
    this.#closed = true;
    // A change that is under way ends by itself.
    this.#running?.abandon();
  }

  #progress({ phase, name, pct, waiting }: Progress): void {
    if (this.#status?.state !== 'changing') return;
    const what = phase === 'downloading' ? 'downloading' : 'upgrading';
    const doing = waiting
      ? `waiting for ${waiting}`
      : `${what}${name === undefined ? '' : ` ${name}`}${pct === undefined ? '' : ` (${Math.floor(pct)} %)`}`;
    if (doing !== this.#status.doing) this.#tell({ ...this.#status, doing: doing.slice(0, 160) }, false);
  }

  #ended(failure: Failure | undefined): void {
    this.#running = undefined;
    if (failure) this.#log.warn({}, `the upgrade failed: ${failure.sentence}`);
    this.#tell(failure ? { state: 'failed', err: failure.sentence.slice(0, 300) } : { state: 'ok' });
  }

  #tell(status: ItemStatus, isNew = true): void {
    this.#status = isNew ? { ...status, since_ms: this.#clock.wall() } : status;
    if (!this.#closed) this.#changed();
  }
}
