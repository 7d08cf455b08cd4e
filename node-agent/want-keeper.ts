/**
 * The document a node obeys: judged, kept on disk, handed to the reconciler. A node that has joined nobody yet waits a
 * second with the first document it hears: it may be the document of another host that lives under the same id, and the
 * supervisor says so (`backoff`) as soon as it has seen this one's birth.
 */
import { sentence } from '../shared/errors.ts';
import type { Log } from '../shared/log.ts';
import type { Is } from '../shared/schemas/observed.ts';
import type { Want } from '../shared/schemas/want.ts';
import type { AgentDisk } from './disk.ts';
import { type Document, documentOf, type ReconcilerApi } from './reconcile/reconciler.ts';
import type { SafeMode } from './safe-mode.ts';
import { diskRetryMs } from './self.ts';
import { type Allegiance, judgeWant, type Pin, readKeptWant, type Version } from './session/orders.ts';

const firstWantHoldMs = 1000;
/** Labels that have a key of their own in `info`. */
const place = new Set(['room', 'zone']);

export interface WantKeeperParts {
  readonly disk: AgentDisk;
  readonly reconciler: ReconcilerApi;
  readonly log: Log;
  readonly allegiance: () => Allegiance;
  /** Joins a cluster for good: true when it is on stable storage. */
  readonly pin: (pin: Pin) => boolean;
  /** `state` or `error` may be other than before. */
  readonly changed: () => void;
  readonly safeMode: SafeMode;
}

export class WantKeeper {
  readonly #parts: WantKeeperParts;
  #version: Version | undefined;
  #said: Want | undefined;
  #error = '';
  #diskError = '';
  #failed = false;
  #held: Uint8Array | undefined;
  /** Obeyed, and not on disk yet. */
  #unsaved: string | undefined;
  #retryAt = Number.POSITIVE_INFINITY;
  #holdUntil = Number.POSITIVE_INFINITY;

  constructor(parts: WantKeeperParts) {
    this.#parts = parts;
  }

  /** Why the last `want` was not taken, or what is wrong with the copy on disk; empty for nothing. */
  get error(): string {
    return this.#error || this.#parts.safeMode.reason || this.#diskError;
  }

  get state(): Is['state'] {
    if (this.#failed || this.#parts.safeMode.reason !== '') return 'failed';
    if (!this.#version) return 'init';
    return this.#said?.drain ? 'draining' : 'ready';
  }

  /** What the cluster says about this machine, as it stands in `info`; nothing before the first document. */
  get place(): Readonly<Record<string, string>> {
    const { labels = {}, roles = [] } = this.#said ?? {};
    const named = Object.entries(labels).map(([label, text]) => [place.has(label) ? label : `label_${label}`, text]);
    return { ...Object.fromEntries(named), ...(roles.length === 0 ? {} : { roles: roles.join() }) };
  }

  /** What the document says of jobs. */
  get jobs(): Want['jobs'] {
    return this.#said?.jobs;
  }

  /** Generation obeyed. */
  get gen(): number {
    return this.#version?.gen ?? 0;
  }

  /** The document from disk. One that cannot be read is reported, and the broker's is waited for. */
  load(): Document | undefined {
    const { disk, log } = this.#parts;
    const { node, pin } = this.#parts.allegiance();
    try {
      const text = disk.loadWant();
      if (text === undefined || text === '') return undefined;
      const want = readKeptWant(text, node, pin);
      if (!want.ok) throw new Error(`the kept document cannot be used: ${sentence(want.error)}`);
      this.#version = { gen: want.value.gen, rev: want.value.rev };
      this.#said = want.value;
      return this.#parts.safeMode.reason === '' ? documentOf(want.value) : undefined;
    } catch (error) {
      this.#diskError = `${(error as Error).message}; waiting for the supervisor's`.slice(0, 500);
      log.error({}, this.#diskError);
      return undefined;
    }
  }

  take(payload: Uint8Array, now: number): void {
    const { allegiance, reconciler, log, pin, changed } = this.#parts;
    const verdict = judgeWant(allegiance(), this.#version, payload);
    switch (verdict.kind) {
      case 'same':
        this.#error = '';
        break;
      case 'older':
        log.debug(verdict.version, 'an older document was ignored');
        break;
      case 'refused':
        if (verdict.why !== this.#error) log.warn({}, verdict.why);
        this.#error = verdict.why;
        break;
      case 'obey': {
        if (verdict.pin) {
          if (this.#holdUntil !== Number.NEGATIVE_INFINITY) {
            this.#held = payload;
            return;
          }
          this.#failed = !pin(verdict.pin);
          if (this.#failed) {
            this.#held = payload;
            this.#holdUntil = now + diskRetryMs;
            break;
          }
          log.info({ cluster: verdict.pin.fingerprint }, 'joined the cluster');
        }
        const { gen, rev } = verdict.want;
        this.#said = verdict.want;
        this.#error = '';
        this.#version = { gen, rev };
        if (this.#parts.safeMode.reason === '') reconciler.apply(documentOf(verdict.want));
        // Obeyed even when it cannot be kept: what runs now matters more than what would run after a reboot. Kept in the
        // same turn as obeyed; an agent that dies between the two gets the document again, and finds what it started.
        this.#keep(verdict.text, now);
      }
    }
    changed();
  }

  /** A disk that refuses is said on `is` and asked again. */
  #keep(text: string, now: number): void {
    try {
      this.#parts.disk.saveWant(text);
      this.#unsaved = undefined;
      this.#diskError = '';
      this.#retryAt = Number.POSITIVE_INFINITY;
    } catch (error) {
      this.#unsaved = text;
      this.#diskError = (error as Error).message;
      this.#retryAt = now + diskRetryMs;
      this.#parts.log.error({}, this.#diskError);
    }
  }

  /** Somebody said so: safe mode is over, and what was said meanwhile is applied. */
  goOn(): void {
    const { safeMode, reconciler, changed } = this.#parts;
    if (safeMode.reason === '') return;
    safeMode.end();
    if (this.#said) reconciler.apply(documentOf(this.#said));
    changed();
  }

  /** The birth is out: from now on the supervisor can object. */
  born(now: number): void {
    if (this.#parts.allegiance().pin) this.#holdUntil = Number.NEGATIVE_INFINITY;
    else this.#holdUntil = now + firstWantHoldMs;
  }

  deadline(): number {
    const holdUntil = this.#holdUntil === Number.NEGATIVE_INFINITY ? Number.POSITIVE_INFINITY : this.#holdUntil;
    return Math.min(holdUntil, this.#retryAt);
  }

  tick(now: number): void {
    if (this.#unsaved !== undefined && now >= this.#retryAt) {
      this.#keep(this.#unsaved, now);
      this.#parts.changed();
    }
    if (this.#holdUntil === Number.NEGATIVE_INFINITY || now < this.#holdUntil) return;
    this.#holdUntil = Number.NEGATIVE_INFINITY;
    const held = this.#held;
    this.#held = undefined;
    if (held) this.take(held, now);
  }

  /** The connection is gone, or its id is another host's: what it brought and was not obeyed yet is void. */
  lost(): void {
    this.#held = undefined;
    this.#holdUntil = Number.POSITIVE_INFINITY;
  }

  forget(): void {
    this.lost();
    this.#version = undefined;
    this.#unsaved = undefined;
    this.#retryAt = Number.POSITIVE_INFINITY;
    try {
      this.#parts.disk.saveWant('');
    } catch (error) {
      this.#parts.log.error({}, (error as Error).message);
    }
  }
}
