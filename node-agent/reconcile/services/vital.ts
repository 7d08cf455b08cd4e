/**
 * Whether a running unit is ready and well, as a pure part of the core. In prose:
 *
 * A check (command, http, tcp) is done again and again, never two of one unit at a time. Until it has passed once the
 * unit is `starting`: looked at after half a second, then ever less often up to `every_s`, and a failure in the first
 * `start_s` does not count. Then `fails` failures in a row make it `unhealthy`. A text in its output makes it healthy
 * (`log`) or unhealthy (`no_log`) when the line comes; `log` not seen `within_s` after its start makes it unhealthy.
 *
 * Unhealthy is as good as crashed: it is ended, counted and started again like a unit that ended by itself, only that
 * a unit has not run well before its check has passed. With `restart: never` it stays as it is, and is looked at on.
 *
 * What an earlier agent started, or ran before there was a check, has said its lines already, maybe in output that is
 * gone: later than it had time for them, it is taken as having said them.
 */
import { printable } from '../../../shared/names.ts';
import type { Service } from '../../../shared/schemas/service.ts';
import type { Health, Ready } from '../../../shared/schemas/service-life.ts';
import { type At, again, type Draft, leave, retire, type ServiceEffect } from './moves.ts';
import { cut, restartPolicy } from './spec.ts';
import { ranWellMs, type ServiceState, type Vital } from './state.ts';

const firstCheckMs = 500;
/** Of a unit that runs longer than this, a text that says it is ready was said. */
const saidByNowMs = 60_000;

const everyMs = (health: Health): number => (health.every_s ?? 10) * 1000;
const startMs = (health: Health): number => (health.start_s ?? 30) * 1000;
const withinMs = (health: Health): number => (health.within_s ?? 30) * 1000;
/** Whether somebody has to go and look. */
const isChecked = (health: Health | undefined): health is Health =>
  health !== undefined && health.log === undefined && health.no_log === undefined;
const readyText = (ready: Ready | undefined): string | undefined => (typeof ready === 'object' ? ready.log : undefined);

/** Texts that are looked for in its output. */
const textsOf = ({ health, ready }: Service): readonly string[] =>
  [health?.log, health?.no_log, readyText(ready)].filter(text => text !== undefined);

function freshVital(spec: Service, unit: string, ofWhat: string, startedAt: number, at: At): Vital {
  const { health, ready } = spec;
  const age = at.now - startedAt;
  const said = [
    ...(health?.log !== undefined && age > withinMs(health) ? [health.log] : []),
    ...(age > saidByNowMs ? [readyText(ready)] : []),
  ].filter(text => text !== undefined);
  return { unit, of: ofWhat, ready: false, seen: said, fails: 0, checking: false, checkAt: 0, waitMs: firstCheckMs };
}

function drop(state: Draft, effects: ServiceEffect[]): void {
  const { vital } = state;
  if (!vital) return;
  effects.push({ do: 'watch', unit: vital.unit, texts: [] });
  if (vital.checking) effects.push({ do: 'cancel-check', unit: vital.unit });
  delete state.vital;
}

/** Whatever is to be done about it now. Runs after every event. */
export function tend(state: Draft, at: At, effects: ServiceEffect[]): void {
  const { target, current } = state;
  if (!target || !current || (target.health === undefined && target.ready === undefined)) {
    drop(state, effects);
    return;
  }
  const ofWhat = JSON.stringify([target.health, target.ready]);
  if (state.vital?.unit !== current.unit || state.vital.of !== ofWhat) {
    drop(state, effects);
    state.vital = freshVital(target, current.unit, ofWhat, current.startedAt, at);
    const texts = textsOf(target);
    if (texts.length > 0) effects.push({ do: 'watch', unit: current.unit, texts });
  }
  if (state.phase !== 'running') return;
  lookAtLines(state, target, current.startedAt, at, effects);
  lookAtReadiness(state, target, current.startedAt, at);
  const { vital } = state;
  if (!vital || !isChecked(target.health)) return;
  if (vital.health === undefined) {
    const soon = Math.min(firstCheckMs, everyMs(target.health));
    state.vital = { ...vital, health: 'starting', checkAt: at.now + soon, waitMs: soon };
  } else if (!vital.checking && at.now >= vital.checkAt) {
    state.vital = { ...vital, checking: true };
    effects.push({ do: 'check', unit: current, health: target.health });
  }
}

function lookAtLines(state: Draft, spec: Service, startedAt: number, at: At, effects: ServiceEffect[]): void {
  const { vital } = state;
  const { health } = spec;
  if (!vital || !health || isChecked(health)) return;
  const { log, no_log: bad } = health;
  if (bad !== undefined) {
    if (vital.seen.includes(bad)) condemn(state, `its output has "${printable(bad, 100)}"`, at, effects);
    else state.vital = { ...vital, health: 'healthy' };
  } else if (log !== undefined && vital.seen.includes(log)) {
    if (vital.health === 'unhealthy') state.err = '';
    state.vital = { ...vital, health: 'healthy' };
  } else if (at.now >= startedAt + withinMs(health)) {
    const seconds = withinMs(health) / 1000;
    condemn(state, `no line of its output has "${printable(log ?? '', 100)}" after ${seconds} s`, at, effects);
  } else state.vital = { ...vital, health: 'starting' };
}

function lookAtReadiness(state: Draft, { ready }: Service, startedAt: number, at: At): void {
  const { vital } = state;
  if (!vital || vital.ready) return;
  const isReady =
    ready === undefined ||
    (ready === 'health' && vital.health === 'healthy') ||
    (typeof ready === 'object' && ready.log !== undefined && vital.seen.includes(ready.log)) ||
    (typeof ready === 'object' && ready.delay_s !== undefined && at.now >= startedAt + ready.delay_s * 1000);
  if (isReady) state.vital = { ...vital, ready: true };
}

/** A line with a text that was looked for. */
export function onSaw(state: Draft, event: { unit: string; text: string }): void {
  const { vital } = state;
  if (vital?.unit !== event.unit || vital.seen.includes(event.text)) return;
  state.vital = { ...vital, seen: [...vital.seen, event.text] };
}

/** A check is over: passed, or one sentence what is wrong. */
export function onChecked(
  state: Draft,
  event: { unit: string; error?: string },
  at: At,
  effects: ServiceEffect[],
): void {
  const { vital, current } = state;
  const health = state.target?.health;
  if (vital?.unit !== event.unit || !vital.checking || !current || !isChecked(health)) return;
  if (event.error === undefined) {
    if (vital.health === 'unhealthy') state.err = '';
    state.vital = { ...vital, checking: false, health: 'healthy', fails: 0, checkAt: at.now + everyMs(health) };
    return;
  }
  if (vital.health === 'starting' && at.now < current.startedAt + startMs(health)) {
    const waitMs = Math.min(everyMs(health), vital.waitMs * 2);
    state.vital = { ...vital, checking: false, waitMs, checkAt: at.now + waitMs };
    return;
  }
  const fails = vital.fails + 1;
  state.vital = { ...vital, checking: false, fails, checkAt: at.now + everyMs(health) };
  if (fails >= (health.fails ?? 3)) condemn(state, event.error, at, effects);
}

/** It is unhealthy. */
function condemn(state: Draft, reason: string, at: At, effects: ServiceEffect[]): void {
  const { vital, current, target } = state;
  if (!vital || !current || !target) return;
  const say = (text: string) =>
    effects.push({ do: 'notice', level: 'warn', kind: 'unhealthy', text: `services/${state.service}: ${text}` });
  if (restartPolicy(target) === 'never') {
    const before = vital.health;
    state.vital = { ...vital, health: 'unhealthy' };
    state.err = cut(`unhealthy: ${reason}`);
    if (before !== 'unhealthy') say(state.err);
    return;
  }
  const ranMs = at.now - current.startedAt;
  state.failures = ranWell(state, at) ? 1 : state.failures + 1;
  const row = state.failures > 1 ? `, ${state.failures} times in a row` : '';
  state.err = cut(`unhealthy after ${(ranMs / 1000).toFixed(1)} s${row}: ${reason}`);
  say(state.err);
  leave(state, effects, current);
  retire(state, effects, current);
  drop(state, effects);
  again(state, at);
}

/** Whether the unit that runs, or has just ended, ran well: long enough, and its check, if it has one, has passed. */
export function ranWell(state: ServiceState, at: Pick<At, 'now'>): boolean {
  // The very sum that it is woken at: a difference may be a hair less (IEEE 754).
  if (!state.current || at.now < state.current.startedAt + ranWellMs) return false;
  return state.target?.health === undefined || state.vital?.health === 'healthy';
}

/** Monotonic times at which it wants to be looked at. */
export function vitalWakes(state: ServiceState): readonly number[] {
  const { vital, target, current } = state;
  if (!vital || !target || !current || state.phase !== 'running') return [];
  const { health, ready } = target;
  const times: number[] = [];
  if (isChecked(health) && !vital.checking && vital.health !== undefined) times.push(vital.checkAt);
  if (health?.log !== undefined && vital.health === 'starting') times.push(current.startedAt + withinMs(health));
  if (!vital.ready && typeof ready === 'object' && ready.delay_s !== undefined)
    times.push(current.startedAt + ready.delay_s * 1000);
  return times;
}
