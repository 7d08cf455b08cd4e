/** The way of a node that may not connect now: its services run, and nobody is asked. */
import type { Way } from './way.ts';

export const noWay = (reason: string): Way => ({
  open(on) {
    // Never from inside the call.
    const soon = setImmediate(() => on.failed(reason));
    return () => {
      clearImmediate(soon);
      setImmediate(() => on.failed(reason));
    };
  },
});
