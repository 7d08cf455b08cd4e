/** What each file item is doing, as the node tells it. */
import type { ItemStatus } from '../../../shared/schemas/observed.ts';

export type FileState = 'ok' | 'changing' | 'waiting' | 'drifted' | 'failed';
type Details = Partial<Pick<ItemStatus, 'doing' | 'diff' | 'err' | 'next_ms'>>;

/** How long it is still shown what was put right. */
const shownMs = 600_000;

export class Statuses {
  readonly #items = new Map<string, ItemStatus & { readonly shownSince?: number }>();
  readonly #wall: () => number;
  readonly #changed: () => void;

  /** @param changed told of each change. @param wall epoch milliseconds. */
  constructor(wall: () => number, changed: () => void) {
    this.#wall = wall;
    this.#changed = changed;
  }

  set(name: string, state: FileState, details: Details = {}): void {
    const before = this.#items.get(name);
    const since = before?.state === state ? before.since_ms : this.#wall();
    const next: ItemStatus = { state, ...cut(details), ...(since === undefined ? {} : { since_ms: since }) };
    // A file that is well again still shows what was put right for a while.
    const shown = before?.shownSince ?? this.#wall();
    const isRecent = before?.diff !== undefined && this.#wall() - shown < shownMs;
    const diff =
      next.diff ??
      (state === 'ok' || state === 'changing' || state === 'waiting'
        ? isRecent
          ? before.diff
          : undefined
        : undefined);
    const whole = {
      ...next,
      ...(diff === undefined ? {} : { diff, shownSince: next.diff === undefined ? shown : this.#wall() }),
    };
    if (before && same(before, whole)) return;
    this.#items.set(name, whole);
    this.#changed();
  }

  delete(name: string): void {
    if (this.#items.delete(name)) this.#changed();
  }

  names(): readonly string[] {
    return [...this.#items.keys()];
  }

  state(name: string): string | undefined {
    return this.#items.get(name)?.state;
  }

  items(): Record<string, ItemStatus> {
    const all: Record<string, ItemStatus> = {};
    for (const name of [...this.#items.keys()].sort()) {
      const { shownSince: _, ...status } = this.#items.get(name) ?? { state: 'ok' };
      all[`files/${name}`] = status;
    }
    return all;
  }

  /** The first that failed, by name. Drift that is only to be reported is as wanted; one that is fought over is not. */
  error(): string {
    for (const [name, { state, err, next_ms }] of Object.entries(this.items())) {
      if (err !== undefined && (state !== 'drifted' || next_ms !== undefined)) return `${name}: ${err}`.slice(0, 500);
    }
    return '';
  }
}

const same = (a: object, b: object): boolean => {
  const text = (value: object) => JSON.stringify({ ...value, shownSince: 0 }, Object.keys({ ...a, ...b }).sort());
  return text(a) === text(b);
};

function cut(details: Details): Details {
  const kept = Object.entries({
    ...details,
    doing: details.doing?.slice(0, 160),
    err: details.err?.slice(0, 300),
    diff: details.diff?.slice(0, 600),
  }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(kept);
}
