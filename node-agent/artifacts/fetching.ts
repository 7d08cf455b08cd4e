/** The one way by which files, archives and updates come to this machine: into a bounded cache, known by their hash. */

export interface Source {
  /** `http://…`, `https://…`, `file:///…`, or `artifact:<sha256>` of the supervisor's own store. */
  readonly url: string;
  /** What the bytes must be. Known: a copy in the cache does, and no network is asked. */
  readonly sha256?: string | undefined;
  /** More than this is refused. Default: the size that the cache allows to one file. */
  readonly maxBytes?: number;
}

/** A copy in the cache. It stays there, unchanged, until it is released. */
export interface Fetched {
  /** Path of a regular file that is read, never written or renamed. */
  readonly file: string;
  readonly sha256: string;
  readonly bytes: number;
  release(): void;
}

export interface Fetching {
  /**
   * `done` is called exactly once, later, unless cancelled: with the copy, or with one sentence why there is none.
   * `later` says that another try may go better (a network that is away, a server that is busy).
   */
  fetch(
    source: Source,
    handlers: {
      progress?(bytes: number, of: number | undefined): void;
      done(error: { readonly sentence: string; readonly later: boolean } | undefined, copy?: Fetched): void;
    },
  ): { cancel(): void };
}
