/** What an earlier agent left of one unit, by its folder and by who runs. */
import type { Log } from '../../../shared/log.ts';
import type { FoundUnit } from '../host.ts';
import { idle, type Live, runs, shimLost } from './live.ts';
import { listProcesses, unitOf } from './processes.ts';
import type { StoredUnit, UnitFolder } from './unit-folder.ts';

export interface Found {
  readonly stored: StoredUnit;
  readonly unit: FoundUnit;
  readonly live: Live;
}

/** @param now this boot of the machine. */
export function findUnits(folder: UnitFolder, now: string, log: Log): Found[] {
  const { units, broken } = folder.list();
  for (const name of broken) log.warn({ unit: name }, 'a unit without a readable description is left alone');
  const unseen = unseenUnits(folder, units);
  return units.map(stored => ({ stored, ...findUnit(folder, stored, now, unseen.has(stored.unit)) }));
}

/** Units without a record of their start and without a process. */
function unseenUnits(folder: UnitFolder, units: readonly StoredUnit[]): ReadonlySet<string> {
  const unseen = new Set(units.filter(({ unit }) => !folder.run(unit)).map(({ unit }) => unit));
  const alive = unseen.size === 0 ? [] : listProcesses().map(({ pid }) => unitOf(pid));
  for (const unit of alive) if (unit !== undefined) unseen.delete(unit);
  return unseen;
}

/** @param neverSeen no record of its start, and no process of it either. */
function findUnit(folder: UnitFolder, stored: StoredUnit, now: string, neverSeen: boolean): Omit<Found, 'stored'> {
  const { unit, service, spec, restarts, marks, started_ms, boot, cgroup } = stored;
  const live = idle(unit, spec, boot === now ? cgroup : undefined);
  const more = { ...(restarts === undefined ? {} : { restarts }), ...(marks === undefined ? {} : { marks }) };
  const found = { unit, service, spec, started_ms, ...more };
  live.run = boot === now ? folder.run(unit) : undefined;
  if (boot === now && !neverSeen && folder.end(unit) === undefined && runs(live)) {
    return { live, unit: live.run ? { ...found, pid: live.run.main.pid } : found };
  }
  live.ended = true;
  const unknown =
    boot !== now
      ? 'the machine was restarted while it ran'
      : neverSeen
        ? 'the agent ended while it was being started'
        : shimLost;
  return { live, unit: { ...found, exit: folder.end(unit) ?? { unknown } } };
}
