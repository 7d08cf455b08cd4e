/**
 * Starting units: one that can be told to a shim that waits for it starts in half the time, the others as spawning.ts
 * does it. At most one shim waits; the next is started when nothing else is, as that blocks for a millisecond or two.
 */
import type { Unit } from '../host.ts';
import { Becoming } from './becoming.ts';
import { askedLaunch, type Launch, type LaunchParts, needsAsking, plainLaunch, systemShell } from './launch.ts';
import { PrimedShim } from './primed.ts';
import { hasSecrets, type Opened, type Secrets } from './secrets.ts';
import { cannotStart, type ShimHandlers, type SpawnedShim, spawnShim } from './spawning.ts';
import type { StartedAt, UnitFolder } from './unit-folder.ts';

export interface StarterOptions {
  /** Milliseconds without a start after which a shim is started ahead. Infinity: none ever is. */
  readonly primeAfterMs?: number;
  /** The same for the first one: an agent that has just started has other things to do. */
  readonly firstPrimeAfterMs?: number;
  /** A POSIX shell; the system's where absent. */
  readonly shell?: string;
  /** Absent: a unit with a sealed value in its environment cannot be started. */
  readonly secrets?: Secrets;
  /** See {@link Becoming}. */
  readonly becomesLongestMs?: number;
}

/** Where a unit is to be: of {@link StartedAt} what is known before it starts. */
export type Place = Omit<StartedAt, 'started_ms' | 'boot'>;

interface Waiting {
  readonly unit: Unit;
  readonly place: Place;
  readonly handlers: ShimHandlers;
  readonly launch: () => Launch;
  readonly spawned: (shim: SpawnedShim) => void;
}

export class Starter {
  readonly #folder: UnitFolder;
  readonly #boot: string;
  readonly #primeAfterMs: number;
  readonly #firstPrimeAfterMs: number;
  readonly #shell: string;
  readonly #secrets: Secrets | undefined;
  readonly #becomesLongestMs: number | undefined;
  readonly #asked: LaunchParts;
  readonly #queue: Waiting[] = [];
  #busy = false;
  #closed = false;
  #primed: PrimedShim | undefined;
  /** The machine has refused a process, or ended the one that waited: not again before one could be started. */
  #refused = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(folder: UnitFolder, boot: string, asked: LaunchParts, options: StarterOptions) {
    this.#folder = folder;
    this.#asked = asked;
    this.#boot = boot;
    this.#primeAfterMs = options.primeAfterMs ?? 25;
    this.#firstPrimeAfterMs = options.firstPrimeAfterMs ?? options.primeAfterMs ?? 500;
    this.#shell = options.shell ?? systemShell;
    this.#secrets = options.secrets;
    this.#becomesLongestMs = options.becomesLongestMs;
  }

  /** Whether a shim waits to be told. */
  get primed(): boolean {
    return this.#primed?.ready ?? false;
  }

  /** Everything that an earlier agent left is known: from now on a shim may wait. */
  begin(): void {
    this.#folder.spares.sweep();
    this.#primeIn(this.#firstPrimeAfterMs);
  }

  /** Calls `tell` once the shim has become what it was started for. */
  becoming(pid: number, tell: () => void): Becoming {
    return new Becoming(pid, this.#folder, tell, this.#becomesLongestMs);
  }

  /** `spawned`, or `handlers.failed`; the handlers hear of nothing before. */
  start(unit: Unit, place: Place, handlers: ShimHandlers, spawned: (shim: SpawnedShim) => void): void {
    const queue = (launch: () => Launch) => {
      if (this.#closed) return;
      this.#queue.push({ unit, place, handlers, launch, spawned });
      if (!this.#busy) this.#next();
    };
    const failed = (error: unknown) => {
      if (!this.#closed) handlers.failed(cannotStart(error));
    };
    const enqueue = (opened: Opened) => {
      if (!needsAsking(unit.spec)) queue(() => plainLaunch(unit, opened, this.#shell));
      else askedLaunch(unit, opened, this.#shell, this.#asked).then(launch => queue(() => launch), failed);
    };
    if (!this.#secrets || !hasSecrets(unit)) {
      enqueue({});
      return;
    }
    this.#secrets.open(unit, (error, opened) => {
      if (this.#closed) return;
      if (error === undefined) enqueue(opened);
      else failed(new Error(error));
    });
  }

  close(): void {
    this.#closed = true;
    this.#queue.length = 0;
    clearTimeout(this.#timer);
    this.#drop();
  }

  /** One process start blocks for a millisecond or three: at most one per turn of the event loop. */
  #next(): void {
    const next = this.#queue.shift();
    this.#busy = next !== undefined;
    if (!next) return;
    const { unit, place, handlers, launch, spawned } = next;
    const at = { started_ms: Date.now(), boot: this.#boot, ...place };
    const shim = this.#run(unit, at, handlers, launch);
    if (shim) spawned(shim);
    this.#primeIn(this.#primeAfterMs);
    setImmediate(() => this.#next());
  }

  #run(unit: Unit, at: StartedAt, handlers: ShimHandlers, launch: () => Launch): SpawnedShim | undefined {
    const primed = this.#primed;
    const told = primed?.ready ? primed.become(unit, at, handlers) : 'unusable';
    if (told !== 'unusable') {
      this.#primed = undefined;
      return told;
    }
    // A unit that cannot be told leaves it waiting for the next one.
    if (primed?.ready && !primed.there) this.#drop();
    const shim = spawnShim(this.#folder, unit, at, handlers, this.#shell, launch);
    this.#refused = shim === undefined;
    return shim;
  }

  #drop(): void {
    this.#primed?.close();
    this.#primed = undefined;
  }

  #primeIn(ms: number): void {
    clearTimeout(this.#timer);
    if (this.#closed || this.#primed || ms === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(() => this.#prime(), ms);
    this.#timer.unref();
  }

  #prime(): void {
    if (this.#closed || this.#primed || this.#refused) return;
    const gone = () => {
      this.#refused = true;
      this.#drop();
    };
    try {
      this.#primed = new PrimedShim(this.#folder, this.#boot, this.#shell, gone);
    } catch {
      this.#refused = true;
    }
  }
}
