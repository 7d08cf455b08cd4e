/** All checks of a node: what the document says becomes events of the core, and its effects become looks. */
import { expandChecks } from '../../shared/check-sets/index.ts';
import type { Clock, Random, Timer } from '../../shared/clock.ts';
import { type Check, type CheckSeverity, checkSeverities } from '../../shared/schemas/check.ts';
import type { ItemStatus } from '../../shared/schemas/observed.ts';
import { type ChecksEffect, type ChecksEvent, type ChecksState, nothing, statusesOf, step, wakeAt } from './core.ts';
import type { Prober } from './finding.ts';

/** What checks saw, where their states stay, is told at most so often. */
const wordsMs = 60_000;
/** Who wait at once to hear of a look at one check. */
const mostWaiters = 64;

export interface CheckHandlers {
  /** `items()` is other than before; at most once a minute where no state changed. Called within `set`, too. */
  changed(): void;
  /** Worth a line in the agent's log and on `event`: `check-fail`, `check-pass`, `check-unknown`. */
  notice(level: 'info' | 'warn' | 'error', kind: string, text: string): void;
}

export interface CheckParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly prober: Prober;
}

type Done = (error?: string, status?: ItemStatus) => void;

/** Without checks it has no timer, and has asked nothing of its prober. */
export class CheckTable {
  readonly #parts: CheckParts;
  readonly #handlers: CheckHandlers;
  readonly #aborts = new Map<number, AbortController>();
  readonly #waiting = new Map<string, Done[]>();
  readonly #queue: ChecksEvent[] = [];
  #state: ChecksState = nothing;
  #odd: ReadonlyMap<string, string> = new Map();
  #oddSince = 0;
  #wanted = '';
  #timer: Timer | undefined;
  #words: Timer | undefined;
  #toldAt = Number.NEGATIVE_INFINITY;
  #stepping = false;
  #closed = false;

  constructor(parts: CheckParts, handlers: CheckHandlers) {
    this.#parts = parts;
    this.#handlers = handlers;
  }

  /** The checks of the document, all of them, as accepted. The same again changes nothing. */
  set(wanted: Readonly<Record<string, Check>>): void {
    const text = JSON.stringify(Object.entries(wanted).sort(([a], [b]) => (a < b ? -1 : 1)));
    if (this.#closed || text === (this.#wanted || '[]')) return;
    this.#wanted = text;
    const { checks, odd } = expandChecks(wanted);
    this.#odd = odd;
    this.#oddSince = this.#parts.clock.wall();
    this.#event({ type: 'set', checks });
    for (const [name, waiting] of this.#waiting) {
      if (checks.has(name)) continue;
      this.#waiting.delete(name);
      for (const done of waiting) done(`the check "${name}" was taken away`);
    }
  }

  /** Keyed by path: `checks/disk`, `checks/health:disk` for one of the set that `health` names. */
  items(): Record<string, ItemStatus> {
    const odd = [...this.#odd].map(([name, err]): [string, ItemStatus] => [
      `checks/${name}`,
      { state: 'unknown', severity: 'warning', saw: err, err, since_ms: this.#oddSince },
    ]);
    const all = Object.entries(statusesOf(this.#state)).map(([name, one]): [string, ItemStatus] => [
      `checks/${name}`,
      one,
    ]);
    return Object.fromEntries([...odd, ...all].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** Paths of the checks that fail and are at least that severe. `unknown` is no failure. */
  failing(severity: CheckSeverity): string[] {
    const least = checkSeverities.indexOf(severity);
    return Object.entries(this.items()).flatMap(([path, item]) =>
      item.state === 'fail' && checkSeverities.indexOf(item.severity ?? 'warning') >= least ? [path] : [],
    );
  }

  /**
   * Looks now: at one check, or at all of the set that an item names. `done` is called once, with the check's status, or
   * with a sentence where there is no such check; of a set with the first that fails, else the first of all.
   */
  run(name: string, done: Done): void {
    const names = [...this.#state.rows.keys()].filter(key => key === name || key.startsWith(`${name}:`)).sort();
    if (this.#closed || names.length === 0) {
      done(`there is no check "${name}" on this node`);
      return;
    }
    if (names.some(each => (this.#waiting.get(each)?.length ?? 0) >= mostWaiters)) {
      done(`too many wait for the check "${name}" already`);
      return;
    }
    let left = names.length;
    let error: string | undefined;
    const heard: Done = said => {
      error ??= said;
      if (--left > 0) return;
      const found = names.flatMap(each => this.items()[`checks/${each}`] ?? []);
      if (error === undefined) done(undefined, found.find(({ state }) => state === 'fail') ?? found[0]);
      else done(error);
    };
    for (const each of names) {
      this.#waiting.set(each, [...(this.#waiting.get(each) ?? []), heard]);
      this.#event({ type: 'asked', name: each });
    }
  }

  /** Ends what looks, and looks no more. Who waits is told. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#words?.cancel();
    for (const abort of this.#aborts.values()) abort.abort();
    for (const waiting of this.#waiting.values()) for (const done of waiting) done('the agent ends');
    this.#waiting.clear();
  }

  /** A prober may answer while it is asked, and a handler may ask: no step runs inside another. */
  #event(event: ChecksEvent): void {
    this.#queue.push(event);
    if (this.#stepping) return;
    this.#stepping = true;
    for (let next = this.#queue.shift(); next && !this.#closed; next = this.#queue.shift()) {
      const { clock, random } = this.#parts;
      const { state, effects } = step(this.#state, next, { now: clock.now(), wall: clock.wall(), random });
      this.#state = state;
      for (const effect of effects) this.#do(effect);
    }
    this.#stepping = false;
    this.#wake();
  }

  #do(effect: ChecksEffect): void {
    switch (effect.do) {
      case 'look': {
        const { look, check } = effect;
        const abort = new AbortController();
        this.#aborts.set(look, abort);
        this.#parts.prober.probe(check, abort.signal, finding => {
          if (this.#aborts.delete(look)) this.#event({ type: 'found', look, finding });
        });
        return;
      }
      case 'end':
        this.#aborts.get(effect.look)?.abort();
        return;
      case 'judged': {
        const waiting = this.#waiting.get(effect.name) ?? [];
        this.#waiting.delete(effect.name);
        for (const done of waiting) done();
        return;
      }
      case 'changed':
        this.#tell(effect.soon);
        return;
      case 'notice':
        this.#handlers.notice(effect.level, effect.kind, effect.text);
    }
  }

  #tell(soon: boolean): void {
    const { clock } = this.#parts;
    const wait = soon ? this.#toldAt + wordsMs - clock.now() : 0;
    if (wait > 0) {
      this.#words ??= clock.after(wait, () => {
        this.#words = undefined;
        this.#tell(false);
      });
      return;
    }
    this.#words?.cancel();
    this.#words = undefined;
    this.#toldAt = clock.now();
    this.#handlers.changed();
  }

  #wake(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#closed) return;
    const { clock } = this.#parts;
    const at = wakeAt(this.#state, clock.now());
    if (at === undefined) return;
    this.#timer = clock.after(Math.max(0, at - clock.now()), () => this.#event({ type: 'time' }));
  }
}
