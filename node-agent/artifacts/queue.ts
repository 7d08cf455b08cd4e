/** Who waits for what: one download per hash whoever asks for it, two at once, and everybody is told exactly once. */
import type { Clock } from '../../shared/clock.ts';
import { Cache, type CacheOptions, type Held } from './cache.ts';
import { type DownloadParts, download } from './download.ts';
import { FetchError } from './fetch-error.ts';
import type { Fetching, Source } from './fetching.ts';
import { type Meant, meantBy } from './source.ts';

export type QueueParts = CacheOptions & DownloadParts;

type Handlers = Parameters<Fetching['fetch']>[1];

interface Waiter {
  readonly source: Source;
  readonly meant: Meant;
  readonly handlers: Handlers;
  /** It was told, or it cancelled. */
  over: boolean;
}

/** All who wait for the same bytes. */
interface Group {
  readonly waiters: Set<Waiter>;
  /** Ends what is under way for them. */
  stop: AbortController;
}

const atOnce = 2;
const progressMs = 250;
/** Nobody waits any more. */
const unwanted = new FetchError('nobody waits for it any more', true);

export class FetchQueue {
  readonly #parts: QueueParts;
  readonly #groups = new Map<string, Group>();
  readonly #lanes = new Lanes(atOnce);
  /** What is here is read through once, which hundreds at a time would need much memory for. */
  readonly #looks = new Lanes(atOnce);
  #cache: Promise<Cache> | undefined;
  #closed = false;

  constructor(parts: QueueParts) {
    this.#parts = parts;
  }

  fetch(source: Source, handlers: Handlers): { cancel(): void } {
    let meant: Meant;
    try {
      meant = meantBy(source);
    } catch (error) {
      if (!(error instanceof FetchError)) throw error;
      let over = false;
      setImmediate(() => {
        if (!over) handlers.done({ sentence: error.message, later: error.later });
      });
      return {
        cancel() {
          over = true;
        },
      };
    }
    const waiter: Waiter = { source, meant, handlers, over: this.#closed };
    const key = meant.sha256 ?? source.url;
    const found = this.#groups.get(key);
    const group = found ?? { waiters: new Set(), stop: new AbortController() };
    if (!this.#closed) group.waiters.add(waiter);
    if (!found && !this.#closed) {
      this.#groups.set(key, group);
      void this.#serve(key, group);
    }
    return {
      cancel: () => {
        waiter.over = true;
        group.waiters.delete(waiter);
        if (group.waiters.size === 0) group.stop.abort(unwanted);
      },
    };
  }

  /** Nobody is told anything any more; what came so far is kept for the next process. */
  close(): void {
    this.#closed = true;
    for (const { waiters, stop } of this.#groups.values()) {
      for (const waiter of waiters) waiter.over = true;
      waiters.clear();
      stop.abort(unwanted);
    }
  }

  /** Until nobody waits: whoever came while something ended is served, too. */
  async #serve(key: string, group: Group): Promise<void> {
    for (;;) {
      const [first] = group.waiters;
      if (!first) break;
      if (group.stop.signal.aborted) group.stop = new AbortController();
      try {
        this.#settle(group, await this.#get(first, group));
      } catch (error) {
        this.#fail(group, first, error);
      }
    }
    this.#groups.delete(key);
  }

  async #get({ meant, source }: Waiter, group: Group): Promise<Held> {
    const { signal } = group.stop;
    this.#cache ??= Cache.open(this.#parts);
    const cache = await this.#cache.catch(error => {
      this.#cache = undefined;
      throw error;
    });
    if (meant.sha256 !== undefined) {
      const done = await this.#looks.enter();
      const here = await cache.find(meant.sha256).finally(done);
      if (here) return here;
    }
    const leave = await this.#lanes.enter();
    try {
      signal.throwIfAborted();
      const maxBytes = Math.min(source.maxBytes ?? cache.most, cache.most);
      const progress = sometimes(this.#parts.clock, (bytes, of) => {
        for (const { handlers } of group.waiters) handlers.progress?.(bytes, of);
      });
      return await download({ ...meant, maxBytes, signal, progress }, cache, this.#parts);
    } finally {
      leave();
    }
  }

  #settle({ waiters }: Group, copy: Held): void {
    for (const waiter of waiters) {
      const { source, meant } = waiter;
      if (copy.bytes <= (source.maxBytes ?? copy.bytes)) this.#tell(waiter, undefined, copy);
      else {
        const sentence = `${meant.name} is larger than ${source.maxBytes} bytes, the most that is taken here`;
        this.#tell(waiter, { sentence, later: false });
      }
    }
    waiters.clear();
    // After those who hold it now were told, and hold it themselves.
    setImmediate(() => copy.release());
  }

  /** Who wanted the same from the same place; others try theirs. */
  #fail({ waiters, stop }: Group, first: Waiter, error: unknown): void {
    if (stop.signal.aborted) return;
    const known = error instanceof FetchError;
    const sentence = known ? error.message : `${first.meant.name}: ${(error as Error).message}`;
    if (!known) this.#parts.log.error({ err: (error as Error).stack }, 'a fetch failed in a way nobody thought of');
    for (const waiter of waiters) {
      const { url, maxBytes } = waiter.source;
      if (url !== first.source.url || maxBytes !== first.source.maxBytes) continue;
      waiters.delete(waiter);
      this.#tell(waiter, { sentence, later: known ? error.later : true });
    }
  }

  /** In a turn of its own: a handler that throws is a defect of its own, too. */
  #tell(waiter: Waiter, error: { readonly sentence: string; readonly later: boolean } | undefined, copy?: Held): void {
    const own = copy?.again();
    setImmediate(() => {
      if (waiter.over) return own?.release();
      waiter.over = true;
      if (own) waiter.handlers.done(undefined, own);
      else waiter.handlers.done(error);
    });
  }
}

/** Never more often than {@link progressMs}. */
function sometimes(clock: Clock, tell: (bytes: number, of: number | undefined) => void) {
  let at = Number.NEGATIVE_INFINITY;
  return (bytes: number, of: number | undefined) => {
    const now = clock.now();
    if (now - at < progressMs) return;
    at = now;
    tell(bytes, of);
  };
}

/** A few at once, the others in turn. */
class Lanes {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(lanes: number) {
    this.#free = lanes;
  }

  /** @returns how to leave. */
  async enter(): Promise<() => void> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>(resolve => this.#waiting.push(resolve));
    return () => {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free += 1;
    };
  }
}
