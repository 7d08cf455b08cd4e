/** The end of what comes by itself, where nothing marks it. */

export interface Silence {
  /** Something came: the time begins anew. */
  heard(): void;
  stop(): void;
}

/**
 * Calls `over` once nothing was heard for `ms`. A process that was held up so long has what came in its sockets still:
 * that is read first.
 */
export function afterSilence(ms: number, over: () => void): Silence {
  let news = false;
  let stopped = false;
  const timer = setTimeout(() => {
    news = false;
    setImmediate(() => setImmediate(() => news || stopped || over()));
  }, ms);
  return {
    heard() {
      news = true;
      timer.refresh();
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
