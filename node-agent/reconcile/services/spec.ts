/** Comparing services, and the sentences about how they ended. */
import { printable } from '../../../shared/names.ts';
import { type Service, serviceSchema } from '../../../shared/schemas/service.ts';
import type { UnitExit } from '../host.ts';

/** Only the fields of a service: a `want` says more about each, such as whose word it is. */
export function serviceOf(wanted: Service): Service {
  const fields = Object.keys(serviceSchema.shape) as (keyof Service)[];
  return Object.fromEntries(fields.flatMap(key => (wanted[key] === undefined ? [] : [[key, wanted[key]]])));
}

const sorted = (values: object | undefined) =>
  Object.entries(values ?? {}).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));

/** A container's limits are given to its engine once, when it is made. */
const ofProcess = ({ run, cwd, env, user, image, volumes, ports, limits }: Service): string =>
  JSON.stringify([run, cwd, sorted(env), user, image, volumes, ports, image === undefined ? [] : sorted(limits)]);

/**
 * Whether a process started for `a` is what `b` asks for. How to restart and to stop is not part of a process, nor is
 * what a host can adjust (host.ts).
 */
export const sameProcess = (a: Service, b: Service): boolean => a === b || ofProcess(a) === ofProcess(b);

/** Whether nothing differs that a host changes on a running process. */
export const sameAdjustment = (a: Service, b: Service): boolean =>
  a === b || JSON.stringify([sorted(a.limits), a.log_mb]) === JSON.stringify([sorted(b.limits), b.log_mb]);

/** What becomes of it when it has ended: with a schedule its time starts it again, else the default is `always`. */
export const restartPolicy = ({ restart, schedule }: Service): NonNullable<Service['restart']> =>
  restart ?? (schedule === undefined ? 'always' : 'never');

const lifeOf = ({ after, needs, reload, health, ready, schedule }: Service): string =>
  JSON.stringify([after, needs, reload, health, ready, schedule]);

/** Whether nothing at all differs, `restart` and `stop` included. */
export const sameService = (a: Service, b: Service): boolean =>
  sameProcess(a, b) &&
  sameAdjustment(a, b) &&
  lifeOf(a) === lifeOf(b) &&
  restartPolicy(a) === restartPolicy(b) &&
  stopSignal(a) === stopSignal(b) &&
  graceMs(a) === graceMs(b);

export const stopSignal = (spec: Service): string => spec.stop?.signal ?? 'TERM';

/** Milliseconds between the stop signal and KILL; 10 s where nobody said. */
export const graceMs = (spec: Service): number => (spec.stop?.grace_s ?? 10) * 1000;

/** `exit 3`, `killed by KILL`, or why nobody knows. */
const describeExit = (exit: UnitExit): string => {
  if (exit.why !== undefined) return exit.why;
  if (exit.signal !== undefined) return `killed by ${exit.signal}`;
  if (exit.code !== undefined) return `exit ${exit.code}`;
  return exit.unknown ?? 'ended, and nobody saw how';
};

/** The sentence on `err`, bounded to what `is` carries. Output is hostile: control characters are escaped. */
export function describeEnd(exit: UnitExit, ranMs: number | undefined, times: number, lastLine?: string): string {
  const after = ranMs === undefined ? '' : ` after ${(Math.max(0, ranMs) / 1000).toFixed(1)} s`;
  const row = times > 1 ? `, ${times} times in a row` : '';
  const line = lastLine === undefined || lastLine === '' ? '' : `; last line: ${printable(lastLine, 160)}`;
  return cut(`${describeExit(exit)}${after}${row}${line}`);
}

/** `ItemStatus.err` holds 300 characters; and `is` must hold that of every service, whatever script it is written in. */
export function cut(text: string): string {
  const short = printable(text, 300);
  const bytes = Buffer.from(short);
  return bytes.length <= 450
    ? short
    : `${bytes
        .subarray(0, 447)
        .toString()
        .replace(/\ufffd$/, '')}…`;
}
