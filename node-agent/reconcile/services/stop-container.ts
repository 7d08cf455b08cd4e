/**
 * Ending a container: the signal goes to what runs in it, by way of its engine, and not to the engine's own processes,
 * which would let go of it. When it has ended, or the grace period is over, it is removed; then whatever is left of the
 * unit on this side (the client) ends as that of any other unit.
 */
import type { Containers } from './containers.ts';
import type { Ending, Live } from './live.ts';

/** The client notices by itself that its container is gone. */
const clientMs = 2000;

export type Stop = (signal: string, graceMs: number, done: (error?: string) => void) => Ending;

/** As `stop`, which ends the processes of a unit. */
export function stopContainer(
  live: Pick<Live, 'unit' | 'ended'>,
  containers: Pick<Containers, 'signal' | 'remove'>,
  stop: Stop,
): Stop {
  return (signal, graceMs, done) => {
    let rest: Ending | undefined;
    let timer: NodeJS.Timeout | undefined;
    let over = false;
    let removing = false;
    const remove = () => {
      if (removing || over) return;
      removing = true;
      clearTimeout(timer);
      containers.remove(live.unit).then(error => {
        if (over) return;
        if (error === undefined) rest = stop('TERM', clientMs, done);
        else done(error);
      });
    };
    if (live.ended) remove();
    else {
      timer = setTimeout(remove, graceMs);
      void containers.signal(live.unit, signal);
    }
    return {
      // It has ended.
      poke: () => (rest ? rest.poke() : remove()),
      abandon() {
        over = true;
        clearTimeout(timer);
        rest?.abandon();
      },
    };
  };
}
