/** A document's word on a service, as a part of the core: what it changes, and what it leaves as it is. */
import type { Service } from '../../../shared/schemas/service.ts';
import { afterEnd, startsAgain } from './ending.ts';
import { type At, adjust, begin, type Draft, leave, type ServiceEffect, settle } from './moves.ts';
import { sameProcess } from './spec.ts';

export function onWant(state: Draft, spec: Service | undefined, at: At, effects: ServiceEffect[]): void {
  const wasHeld = state.held;
  state.target = spec;
  state.settled = false;
  state.held = false;
  delete state.waiting;
  if (wasHeld) confirm(state, effects);
  // A start under way is let finish: what came of it is compared then.
  if (state.phase === 'starting') return;
  const unit = state.current ?? state.last;
  if (spec === undefined || !unit || !sameProcess(unit.spec, spec)) {
    begin(state, effects, 0);
    return;
  }
  if (state.current) adjust(state, effects, state.current, spec);
  if (state.last) state.last = { ...state.last, spec };
  if (state.phase === 'ended') afterEnd(state, state.exit ?? {}, at, 0);
  else if (state.phase === 'waiting' && !startsAgain(state, state.exit ?? {})) afterEnd(state, state.exit ?? {}, at);
  // With a schedule: when it is known when it runs.
  if (spec.schedule !== undefined && (state.phase === 'ended' || state.phase === 'scheduled')) return;
  if (state.phase === 'scheduled') return;
  if (state.phase !== 'ready' && !(state.phase === 'waiting' && state.due <= at.now)) settle(state, effects);
}

/** The first word of a document on what was adopted: one unit is kept, its fellows and its leavings go. */
function confirm(state: Draft, effects: ServiceEffect[]): void {
  const { target, current } = state;
  if (target && current && !sameProcess(current.spec, target)) {
    const fitting = state.strays.find(stray => !stray.ended && sameProcess(stray.spec, target));
    if (fitting) {
      const { ended: _ended, ...kept } = fitting;
      state.strays = [...state.strays.filter(stray => stray !== fitting), { ...current, ended: false }];
      state.current = kept;
    }
  }
  for (const stray of state.strays) leave(state, effects, stray);
  state.strays = [];
  if (!state.current && state.last) leave(state, effects, state.last);
}
