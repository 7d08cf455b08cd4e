/**
 * What others have to do with a service's start, as a pure part of the core. It is started only while everything that it
 * needs is there, and after what is named in `after` was attempted. For an order alone nobody waits longer than a minute;
 * what is needed is waited for as long as it takes, and is an error when it failed, is not there at all, or a minute is
 * over. Where a needed package or file becomes another one than the unit was started with, it is restarted, or reloaded.
 */
import { waitingSentence } from './around.ts';
import { type At, begin, type Draft, type ServiceEffect, settle } from './moves.ts';
import { cut } from './spec.ts';

export const patienceMs = 60_000;

/** Whether what is to start now may; what keeps it is noted otherwise. */
export function mayStart(state: Draft, at: At, effects: ServiceEffect[]): boolean {
  const { around } = state;
  const missing = around?.needs ?? around?.after;
  const since = state.waiting?.since ?? at.now;
  const late = at.now >= since + patienceMs;
  if (!missing || (!around?.needs && late)) {
    delete state.waiting;
    return true;
  }
  state.waiting = { for: missing, since, late, needed: around?.needs !== undefined };
  if (late || missing.why !== 'pending') settle(state, effects, waitingSentence(missing));
  return false;
}

/** Restarts or reloads what was started with other files and packages than there are now. */
export function catchUp(state: Draft, effects: ServiceEffect[]): void {
  const { around, target, phase } = state;
  if (!around || !target || around.needs) return;
  const unit = phase === 'running' ? state.current : phase === 'waiting' || phase === 'ended' ? state.last : undefined;
  if (!unit) return;
  const isNew = Object.keys(around.marks).some(path => unit.marks?.[path] === undefined);
  const changed = Object.entries(around.marks).flatMap(([path, mark]) => {
    const before = unit.marks?.[path];
    return before === undefined || before === mark ? [] : [path];
  });
  if (!isNew && changed.length === 0) return;
  const mayReload = target.reload !== undefined && changed.every(path => path.startsWith('files/'));
  // A run of a schedule goes on with what it began with; the next one has the new.
  const isKept = changed.length === 0 || target.schedule !== undefined || (phase === 'running' && mayReload);
  if (!isKept) {
    say(state, `restarted, as ${named(changed)} changed`, effects);
    begin(state, effects, state.restarts + 1);
    return;
  }
  const marks = { ...unit.marks, ...around.marks };
  if (phase !== 'running' || !state.current) {
    state.last = { ...unit, marks };
    return;
  }
  state.current = { ...state.current, marks };
  effects.push({ do: 'remember', unit: state.current });
  if (changed.length === 0 || target.reload === undefined || target.schedule !== undefined) return;
  say(state, `reloaded, as ${named(changed)} changed`, effects);
  effects.push({ do: 'reload', unit: state.current, how: target.reload });
}

const named = (paths: readonly string[]): string =>
  paths.length > 1 ? `${paths[0]} and ${paths.length - 1} more` : String(paths[0]);

const say = (state: Draft, text: string, effects: ServiceEffect[]) =>
  effects.push({ do: 'notice', level: 'info', kind: 'changed', text: cut(`services/${state.service}: ${text}`) });
