/** The agent's {@link Fetching}. What does it is loaded with the first fetch: an agent that fetches nothing carries none of it. */
import type { Clock, Random } from '../../shared/clock.ts';
import type { Log } from '../../shared/log.ts';
import type { Fetching } from './fetching.ts';
import type { SupervisorAt } from './supervisor-at.ts';

export interface FetcherOptions {
  /** The cache's own folder, such as `<data>/cache`; made when it is needed. One fetcher at a time uses it. */
  readonly folder: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Where `artifact:` comes from; asked anew for every fetch. Undefined: no supervisor is known that could be asked. */
  supervisor(): SupervisorAt | undefined;
  /** Bytes of the whole cache, and so of one file. Default: 2 GB, or a tenth of a smaller disk. */
  readonly maxBytes?: number;
  /** Bytes of the disk that are never taken. Default: 256 MB, or a twentieth of a smaller disk. */
  readonly keepFree?: number;
}

export interface Fetcher extends Fetching {
  /** Ends what is under way without a word. What came so far is gone on with by the next fetcher on the folder. */
  close(): void;
}

export function createFetcher(options: FetcherOptions): Fetcher {
  type Queue = import('./queue.ts').FetchQueue;
  let queue: Promise<Queue> | undefined;
  let closed = false;
  return {
    fetch(source, handlers) {
      let cancelled = false;
      let cancel = () => {};
      queue ??= import('./queue.ts').then(({ FetchQueue }) => new FetchQueue(options));
      queue.then(
        loaded => {
          if (!cancelled && !closed) ({ cancel } = loaded.fetch(source, handlers));
        },
        (error: Error) => {
          queue = undefined;
          // The agent's files were replaced under it, or the disk fails.
          const sentence = `a part of the agent cannot be loaded (${error.message}): restart it`;
          if (!cancelled && !closed) handlers.done({ sentence, later: true });
        },
      );
      return {
        cancel() {
          cancelled = true;
          cancel();
        },
      };
    },
    close() {
      closed = true;
      queue?.then(
        loaded => loaded.close(),
        () => {},
      );
    },
  };
}
