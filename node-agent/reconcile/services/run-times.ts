/** When a schedule's times are: the only place that knows the library for it, which is read when it is first needed. */
import type { Schedule } from '../../../shared/schemas/service-life.ts';

export interface RunTimes {
  /**
   * The first time after `after`, epoch milliseconds, undefined for none at all; and whether one since `since` and up to
   * `after` was missed, where that is asked: nobody ran it ever (`since` undefined) is a yes. `done` once.
   */
  next(asked: AskedTime, done: (error: string | undefined, next?: number, missed?: boolean) => void): void;
}

export interface AskedTime {
  readonly schedule: Schedule;
  readonly after: number;
  readonly missed?: { readonly since: number | undefined };
}

type Library = typeof import('croner');

/** The answer, once the library is there. Throws what the library throws. */
export function timeAfter(
  { Cron }: Library,
  { schedule, after, missed }: AskedTime,
): { next?: number; missed: boolean } {
  const { cron, timezone } = typeof schedule === 'string' ? { cron: schedule, timezone: undefined } : schedule;
  const times = new Cron(cron, { paused: true, ...(timezone === undefined ? {} : { timezone }) });
  const next = times.nextRun(new Date(after))?.getTime();
  const first = missed?.since === undefined ? undefined : times.nextRun(new Date(missed.since))?.getTime();
  const wasMissed = missed !== undefined && (missed.since === undefined || (first !== undefined && first <= after));
  return { ...(next === undefined ? {} : { next }), missed: wasMissed };
}

export const createRunTimes = (load: () => Promise<Library> = () => import('croner')): RunTimes => ({
  next(asked, done) {
    load().then(
      library => {
        try {
          const { next, missed } = timeAfter(library, asked);
          done(undefined, next, missed);
        } catch (error) {
          done(`its schedule cannot be read: ${(error as Error).message}`);
        }
      },
      error => done(`schedules cannot be read on this node: ${(error as Error).message}`),
    );
  },
});
