import { constants } from 'node:os';

/** Resolves at Ctrl-C, TERM, HUP, or when nobody reads the output any more (`hearth watch | head`). */
export function untilEnded(): Promise<void> {
  return new Promise(resolve => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
    process.stdout.once('error', () => resolve());
  });
}

/** As {@link untilEnded}, with the exit code that a program ended so has: 128 and the signal's number; 0 for want of readers. */
export function untilEndedBy(): Promise<number> {
  return new Promise(resolve => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(signal, () => resolve(128 + constants.signals[signal]));
    }
    process.stdout.once('error', () => resolve(0));
  });
}
