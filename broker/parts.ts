/** How the parts of the supervisor's process start and end. */

/** Nothing listens on the network but with `--lan`, and then with a login. */
export const loopback = '127.0.0.1';
/** Every address of this machine, IPv4 too. */
export const everywhere = '::';

/** How long one part may take to end. */
export const partStopMs = 1500;

export type Undo = () => Promise<void> | void;

/** A step that must not hold up the others: over when it says so, or after `ms`. */
export function within(ms: number, run: (done: () => void) => void): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(resolve, ms);
    run(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
