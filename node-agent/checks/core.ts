/**
 * When which check is looked at, and what is told of it. Pure.
 *
 * A new check is first looked at within {@link firstLookMs}, spread by chance so that a fleet with a new role does not
 * look all at once; then every `every_s`, give or take a tenth. At most {@link mostAtOnce} looks at a time, of those that
 * keep a thread of the process ({@link mostInThreads}) fewer, and never two of one check. At `timeout_s` a look is told to
 * end; {@link graceMs} later the check is `unknown`, and the look, which no longer counts, is waited for all the same
 * before the check is looked at again.
 */
import { severityOf } from '../../shared/check-sets/index.ts';
import type { Random } from '../../shared/clock.ts';
import { type Check, checkDefaults, kindOf } from '../../shared/schemas/check.ts';
import type { ItemStatus } from '../../shared/schemas/observed.ts';
import type { Finding } from './finding.ts';
import { type History, judged, neverSeen, statusOf } from './history.ts';

export const mostAtOnce = 4;
/** Node has 4 threads for files and names (libuv): two are left to the rest of the agent, whatever hangs. */
export const mostInThreads = 2;
export const firstLookMs = 10_000;
export const graceMs = 2000;

interface Row {
  readonly check: Check;
  readonly due: number;
  readonly history: History;
}

interface Look {
  readonly name: string;
  readonly startedAt: number;
  /** When it is told to end. */
  readonly endAt: number;
  readonly told: boolean;
  /** What it finds is of no interest any more: it came too late, or another assertion took its place. */
  readonly over: boolean;
  readonly inThread: boolean;
}

export interface ChecksState {
  readonly rows: ReadonlyMap<string, Row>;
  readonly looks: ReadonlyMap<number, Look>;
  readonly serial: number;
}
export const nothing: ChecksState = { rows: new Map(), looks: new Map(), serial: 0 };

export type ChecksEvent =
  | { readonly type: 'set'; readonly checks: ReadonlyMap<string, Check> }
  | { readonly type: 'time' }
  | { readonly type: 'found'; readonly look: number; readonly finding: Finding }
  /** Somebody wants to know now. */
  | { readonly type: 'asked'; readonly name: string };

export type ChecksEffect =
  | { readonly do: 'look'; readonly look: number; readonly name: string; readonly check: Check }
  | { readonly do: 'end'; readonly look: number }
  /** A look at it has led to a result, the same or another. */
  | { readonly do: 'judged'; readonly name: string }
  /** `soon`: only the words changed, which is told seldom. */
  | { readonly do: 'changed'; readonly soon: boolean }
  | {
      readonly do: 'notice';
      readonly level: 'info' | 'warn' | 'error';
      readonly kind: string;
      readonly text: string;
    };

/** `now` in monotonic milliseconds, `wall` in epoch milliseconds. */
export interface At {
  readonly now: number;
  readonly wall: number;
  readonly random: Random;
}

const everyMs = ({ every_s = checkDefaults.every_s }: Check): number => every_s * 1000;
const timeoutMs = ({ timeout_s = checkDefaults.timeout_s }: Check): number => timeout_s * 1000;
const literalAddress = /^([0-9.]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)$/;

/** File systems and names of hosts are asked in threads, where a dead server's file system or a resolver may hang. */
function keepsThread(check: Check): boolean {
  if (check.disk || check.file) return true;
  if (check.port) return !literalAddress.test(check.port.host ?? '127.0.0.1');
  return check.http !== undefined && !literalAddress.test(new URL(check.http.url).hostname.replace(/^\[|\]$/g, ''));
}

/** The same assertion: other words about it change nothing of what was found. */
const assertionOf = (check: Check): string => {
  const kind = kindOf(check);
  return JSON.stringify([kind, kind && check[kind]]);
};

const isStuck = (look: Look, now: number): boolean => now >= look.endAt + graceMs;

export function step(
  state: ChecksState,
  event: ChecksEvent,
  at: At,
): { readonly state: ChecksState; readonly effects: readonly ChecksEffect[] } {
  const rows = new Map(state.rows);
  const looks = new Map(state.looks);
  const effects: ChecksEffect[] = [];
  let { serial } = state;

  const judge = (name: string, row: Row, finding: Finding, startedAt: number) => {
    const { history, changed, notice } = judged(row.history, name, row.check, finding, at);
    const due = startedAt + everyMs(row.check) * (0.9 + at.random.next() * 0.2);
    rows.set(name, { ...row, history, due: Math.max(due, at.now + 1000) });
    if (notice) effects.push({ do: 'notice', ...notice });
    if (changed) effects.push({ do: 'changed', soon: changed === 'words' });
    effects.push({ do: 'judged', name });
  };

  if (event.type === 'set') {
    for (const [name, row] of rows) {
      const check = event.checks.get(name);
      if (check && assertionOf(check) === assertionOf(row.check)) continue;
      rows.delete(name);
      for (const [id, look] of looks) {
        if (look.name !== name) continue;
        if (!look.told) effects.push({ do: 'end', look: id });
        looks.set(id, { ...look, told: true, over: true });
      }
    }
    for (const [name, check] of event.checks) {
      const known = rows.get(name);
      const due = at.now + at.random.next() * Math.min(firstLookMs, everyMs(check));
      if (known) rows.set(name, { ...known, check, due: Math.min(known.due, at.now + everyMs(check)) });
      else rows.set(name, { check, due, history: neverSeen(at.wall) });
    }
    effects.push({ do: 'changed', soon: false });
  }
  const asked = event.type === 'asked' ? rows.get(event.name) : undefined;
  if (event.type === 'asked' && asked) rows.set(event.name, { ...asked, due: Number.NEGATIVE_INFINITY });
  if (event.type === 'found') {
    const look = looks.get(event.look);
    looks.delete(event.look);
    const row = look && rows.get(look.name);
    if (look && row && !look.over) judge(look.name, row, event.finding, look.startedAt);
    // What came too late is not believed, but the way is free again.
    else if (look && row) rows.set(look.name, { ...row, due: Math.min(row.due, at.now) });
  }

  for (const [id, look] of looks) {
    if (!look.told && at.now >= look.endAt) {
      effects.push({ do: 'end', look: id });
      looks.set(id, { ...look, told: true });
    }
    const row = rows.get(look.name);
    if (look.over || !isStuck(look, at.now)) continue;
    looks.set(id, { ...look, told: true, over: true });
    const seconds = Math.round((look.endAt - look.startedAt) / 1000);
    if (row) judge(look.name, row, { state: 'unknown', saw: `no result in ${seconds} s` }, look.startedAt);
  }

  const due = [...rows]
    .filter(([, row]) => row.due <= at.now)
    .sort(([a, x], [b, y]) => x.due - y.due || (a < b ? -1 : 1));
  for (const [name, row] of due) {
    const all = [...looks.values()];
    const live = all.filter(look => !isStuck(look, at.now));
    if (all.some(look => look.name === name)) {
      const stuck = all.some(look => look.name === name && isStuck(look, at.now));
      if (stuck) judge(name, row, { state: 'unknown', saw: 'the last look has not come to an end yet' }, at.now);
      continue;
    }
    if (live.length >= mostAtOnce) break;
    const inThread = keepsThread(row.check);
    const threads = all.filter(look => look.inThread);
    if (inThread && threads.length >= mostInThreads) {
      // Nobody would ever come to look: what hangs may hang for ever.
      if (threads.every(look => isStuck(look, at.now)))
        judge(name, row, { state: 'unknown', saw: 'not looked at: other looks at file systems or names hang' }, at.now);
      continue;
    }
    const look = serial++;
    looks.set(look, {
      name,
      startedAt: at.now,
      endAt: at.now + timeoutMs(row.check),
      told: false,
      over: false,
      inThread,
    });
    rows.set(name, { ...row, due: at.now + everyMs(row.check) });
    effects.push({ do: 'look', look, name, check: row.check });
  }
  return { state: { rows, looks, serial }, effects };
}

/** When {@link step} wants to hear of the time again, in monotonic milliseconds. What is due already waits for a look to end. */
export function wakeAt(state: ChecksState, now: number): number | undefined {
  let first = Number.POSITIVE_INFINITY;
  for (const { due } of state.rows.values()) if (due > now) first = Math.min(first, due);
  for (const look of state.looks.values()) {
    for (const time of [look.endAt, look.endAt + graceMs]) if (time > now) first = Math.min(first, time);
  }
  return Number.isFinite(first) ? first : undefined;
}

/** By name, in order. */
export const statusesOf = (state: ChecksState): Record<string, ItemStatus> =>
  Object.fromEntries(
    [...state.rows.keys()].sort().flatMap(name => {
      const row = state.rows.get(name);
      return row ? [[name, statusOf(row.history, row.check, severityOf(row.check))]] : [];
    }),
  );
