/**
 * How an agent becomes another version of itself, as a pure state machine. In prose:
 *
 * - The cluster names a release by its hash. One that runs already is nothing to do. Another one is fetched, unpacked
 *   beside this one, and run once to look at this node's own files (`--check`), while this one goes on.
 * - It is then put on trial, and the agent ends to be started again: from here on the launcher of the *old* version runs
 *   the new one, counts its starts, and goes back to itself after the third that did not become well, or when it hangs.
 * - The new one is well when it was connected and had attempted its document for a minute without interruption. Then it is
 *   the installed version, and the old one is removed after ten more minutes. Not well within five minutes of its start:
 *   it gives itself up, and the old one is started again.
 * - What was put back is tried again after 1, 6 and 24 hours and then every day, or at once when another release is named.
 *
 * Services are not touched by any of it: they outlive their agent, and the next one adopts them.
 */

/** An agent's archive. */
export interface Release {
  readonly ver: string;
  readonly sha256: string;
}

/** A release that did not become well, from the launcher's notes; the newest last. */
export interface PutBack {
  readonly sha16: string;
  readonly ver: string;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly why: string;
}

export type UpdateState =
  | { readonly kind: 'idle' }
  | { readonly kind: 'fetching' | 'staging'; readonly release: Release }
  /** It failed; `at` is wall clock. */
  | {
      readonly kind: 'waiting';
      readonly release: Release;
      readonly why: string;
      readonly at: number;
      readonly tries: number;
    }
  | { readonly kind: 'ending'; readonly release: Release }
  | { readonly kind: 'trial'; readonly until: number; readonly wellSince: number | undefined }
  | { readonly kind: 'settling'; readonly dropAt: number };

export type UpdateEvent =
  | { readonly type: 'want'; readonly release: Release | undefined }
  | { readonly type: 'fetched' | 'staged' }
  /** `later`: a network that is away, a disk that is full; else it is the release's own fault. */
  | { readonly type: 'failed'; readonly why: string; readonly later: boolean }
  | { readonly type: 'well'; readonly well: boolean }
  | { readonly type: 'time' };

export type UpdateEffect =
  | { readonly do: 'fetch'; readonly release: Release }
  | { readonly do: 'cancel' }
  | { readonly do: 'stage'; readonly release: Release }
  /** On trial, and end to be started again. */
  | { readonly do: 'switch'; readonly release: Release }
  | { readonly do: 'commit' }
  /** Back to the old one, and end. */
  | { readonly do: 'give-up'; readonly why: string }
  | { readonly do: 'drop-old' };

export interface At {
  /** Monotonic milliseconds. */
  readonly now: number;
  /** Epoch milliseconds. */
  readonly wall: number;
  /** First 16 characters of the running release's hash. */
  readonly own: string;
  readonly putBack: readonly PutBack[];
}

export const updateTimes = {
  wellMs: 60_000,
  trialMs: 5 * 60_000,
  keepOldMs: 10 * 60_000,
  /** After the first, second, third failure; the last one again and again. */
  againMs: [3_600_000, 6 * 3_600_000, 24 * 3_600_000],
  networkMs: 60_000,
} as const;

const idle: UpdateState = { kind: 'idle' };

/** How an agent begins. @param onTrial the launcher of the version before runs it. */
export const begin = (onTrial: boolean, now: number): UpdateState =>
  onTrial
    ? { kind: 'trial', until: now + updateTimes.trialMs, wellSince: undefined }
    : { kind: 'settling', dropAt: now + updateTimes.keepOldMs };

export interface Stepped {
  readonly state: UpdateState;
  readonly effects: readonly UpdateEffect[];
}

const stay = (state: UpdateState): Stepped => ({ state, effects: [] });

export function step(state: UpdateState, event: UpdateEvent, at: At): Stepped {
  switch (event.type) {
    case 'want':
      return wanted(state, event.release, at);
    case 'fetched':
      if (state.kind !== 'fetching') return stay(state);
      return { state: { kind: 'staging', release: state.release }, effects: [{ do: 'stage', release: state.release }] };
    case 'staged':
      if (state.kind !== 'staging') return stay(state);
      return { state: { kind: 'ending', release: state.release }, effects: [{ do: 'switch', release: state.release }] };
    case 'failed':
      return failed(state, event.why, event.later, at);
    case 'well':
      if (state.kind !== 'trial') return stay(state);
      return onTrial({ ...state, wellSince: event.well ? (state.wellSince ?? at.now) : undefined }, at);
    case 'time':
      return timed(state, at);
  }
}

/** When `time` is due, monotonic; undefined: never. `at.wall` is told to turn a wall-clock time into one. */
export function wakeAt(state: UpdateState, { now, wall }: Pick<At, 'now' | 'wall'>): number | undefined {
  switch (state.kind) {
    case 'waiting':
      return now + Math.max(0, state.at - wall);
    case 'trial':
      return state.wellSince === undefined ? state.until : state.wellSince + updateTimes.wellMs;
    case 'settling':
      return state.dropAt;
    default:
      return undefined;
  }
}

const isOwn = (release: Release, { own }: At) => release.sha256.startsWith(own);

function wanted(state: UpdateState, release: Release | undefined, at: At): Stepped {
  // What is on trial is judged first; what the document says then is heard from the one that stays.
  if (state.kind === 'trial' || state.kind === 'ending') return stay(state);
  const under = 'release' in state ? state.release : undefined;
  if (release && under?.sha256 === release.sha256) return stay(state);
  const effects: UpdateEffect[] = under && state.kind !== 'waiting' ? [{ do: 'cancel' }] : [];
  if (release === undefined || isOwn(release, at)) return { state: state.kind === 'settling' ? state : idle, effects };
  const failures = at.putBack.filter(({ sha16 }) => release.sha256.startsWith(sha16));
  const last = failures.at(-1);
  if (!last) return { state: { kind: 'fetching', release }, effects: [...effects, { do: 'fetch', release }] };
  const why = `${last.ver} was tried and put back: ${last.why}`;
  const next = last.at + pauseAfter(failures.length);
  // A clock that went back does not keep it waiting for years.
  const bounded = Math.min(next, at.wall + pauseAfter(failures.length));
  return { state: { kind: 'waiting', release, why, at: bounded, tries: failures.length }, effects };
}

const pauseAfter = (failures: number): number =>
  updateTimes.againMs[Math.min(failures, updateTimes.againMs.length) - 1] ?? updateTimes.againMs[0];

function failed(state: UpdateState, why: string, later: boolean, at: At): Stepped {
  if (state.kind !== 'fetching' && state.kind !== 'staging' && state.kind !== 'ending') return stay(state);
  const pause = later ? updateTimes.networkMs : updateTimes.againMs[0];
  return stay({ kind: 'waiting', release: state.release, why, at: at.wall + pause, tries: 0 });
}

function timed(state: UpdateState, at: At): Stepped {
  if (state.kind === 'trial') return onTrial(state, at);
  if (state.kind === 'settling' && at.now >= state.dropAt) return { state: idle, effects: [{ do: 'drop-old' }] };
  if (state.kind !== 'waiting' || at.wall < state.at) return stay(state);
  const { release } = state;
  return { state: { kind: 'fetching', release }, effects: [{ do: 'fetch', release }] };
}

function onTrial(state: Extract<UpdateState, { kind: 'trial' }>, at: At): Stepped {
  if (state.wellSince !== undefined && at.now - state.wellSince >= updateTimes.wellMs) {
    return { state: { kind: 'settling', dropAt: at.now + updateTimes.keepOldMs }, effects: [{ do: 'commit' }] };
  }
  if (state.wellSince !== undefined || at.now < state.until) return stay(state);
  const why = `it did not reach its cluster within ${updateTimes.trialMs / 60_000} minutes`;
  return { state: idle, effects: [{ do: 'give-up', why }] };
}
