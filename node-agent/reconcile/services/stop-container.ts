/**
 * Ending a container: the signal goes to what runs in it, by way of its engine, and not to the engine's own processes,
 * which would let go of it. When it has ended, or the grace period is over, the rest of the unit on this side (the client)
 * ends as that of any other unit. The container is removed last: a client may be about to make it.
 */
import type { Containers } from './containers.ts';
import type { Ending, Live } from './live.ts';

/** For a client to notice that its container is gone. */
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
    let ending = false;
    const remove = async () => {
      const error = await containers.remove(live.unit);
      if (!over) done(error);
    };
    const end = async () => {
      if (ending || over) return;
      ending = true;
      clearTimeout(timer);
      // Then its client ends by itself, and says how: CONT is no more than a look at it.
      const gone = live.ended || (await containers.signal(live.unit, 'KILL'));
      if (over) return;
      rest = stop(gone ? 'CONT' : 'TERM', clientMs, error => (error === undefined ? void remove() : done(error)));
    };
    const begin = async () => {
      timer = setTimeout(end, graceMs);
      // An image that is being fetched has no container yet.
      if (!(await containers.signal(live.unit, signal))) await end();
    };
    void (live.ended ? end() : begin());
    return {
      // It has ended.
      poke: () => (rest ? rest.poke() : void end()),
      abandon() {
        over = true;
        clearTimeout(timer);
        rest?.abandon();
      },
    };
  };
}
