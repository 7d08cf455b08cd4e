/** What people are told of an item: from its verdict, and from what is being done about it. Pure. */
import type { ItemStatus } from '../../../shared/schemas/observed.ts';
import { plain } from './failures.ts';
import type { Verdict } from './plan.ts';
import { type Change, managerId, type Progress } from './provider.ts';

/** All that a transaction told so far. */
export interface Told extends Progress {}

/** The newest of each kind; what works no longer waits. */
export function toldMore(before: Told, progress: Progress): Told {
  const { waiting, pct, phase, ...rest } = { ...before, ...progress };
  const moved = progress.phase !== undefined;
  const now = moved ? undefined : waiting === '' ? undefined : waiting;
  const percent = moved && progress.phase !== before.phase ? progress.pct : (progress.pct ?? before.pct);
  return {
    ...rest,
    ...(phase === undefined ? {} : { phase }),
    ...(percent === undefined ? {} : { pct: percent }),
    ...(now === undefined ? {} : { waiting: now }),
  };
}

/** `installing chuffed 0.10.4 (40 %)` */
export function doingOf({ name, action, version, from, hold, release }: Change, told: Told): string {
  const percent = told.pct === undefined ? '' : ` (${told.pct} %)`;
  if (action === 'remove') return `removing ${name}${from === undefined ? '' : ` ${from}`}${percent}`;
  if (action === 'keep') return hold ? `holding ${name}` : release ? `letting ${name} go` : `keeping ${name}`;
  const to = version ?? told.versions?.get(name);
  const verb = told.phase === 'downloading' ? 'downloading' : 'installing';
  return `${verb} ${name}${to === undefined ? '' : ` ${to}`}${percent}`;
}

/** @param under what is being done about this very item, or `after` something else that its manager is busy with. */
export function statusOf(verdict: Verdict, under: { change: Change; told: Told } | 'after' | undefined): ItemStatus {
  const ver = verdict.ver === undefined ? {} : { ver: verdict.ver.slice(0, 128) };
  if (under === 'after') return { state: 'waiting', doing: 'waits for what its package manager does first', ...ver };
  if (under) {
    const { waiting } = under.told;
    if (waiting !== undefined)
      return { state: 'waiting', doing: plain(`waiting for ${waiting}`).slice(0, 160), ...ver };
    return { state: 'changing', doing: plain(doingOf(under.change, under.told)).slice(0, 160), ...ver };
  }
  const { state, err, next_ms } = verdict;
  return {
    state: state === 'change' ? 'waiting' : state,
    ...ver,
    ...(err === undefined ? {} : { err: err.slice(0, 300) }),
    ...(next_ms === undefined ? {} : { next_ms }),
  };
}

/** All items, by path. @param running transactions, by manager; @param before as last told; @param wall epoch milliseconds. */
export function itemsOf(
  verdicts: readonly Verdict[],
  running: ReadonlyMap<string, { readonly changes: readonly Change[]; readonly told: Told }>,
  before: Readonly<Record<string, ItemStatus>>,
  wall: number,
): Record<string, ItemStatus> {
  const items: Record<string, ItemStatus> = {};
  for (const verdict of verdicts) {
    const work = verdict.manager && running.get(managerId(verdict.manager));
    const change = work?.changes.find(({ item }) => item === verdict.item);
    const under = work && change ? { change, told: work.told } : work && verdict.change ? 'after' : undefined;
    const status = statusOf(verdict, under);
    const path = `packages/${verdict.item}`;
    const was = before[path];
    items[path] = { ...status, since_ms: was?.state === status.state ? (was.since_ms ?? wall) : wall };
  }
  return items;
}
