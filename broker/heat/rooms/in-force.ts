/**
 * What counts in a room at a moment: what its schedule and its people said, the later word over the earlier. A word of a
 * person holds until the schedule says something on the same: `mode` for itself, `target_c` and `preset` together, since
 * both say how warm. `boost` ends by itself, and what was before it counts again. Pure.
 */
import { type PresetName, roomDefaults } from '../../../shared/schemas/room.ts';
import type { RoomEntry } from './entry.ts';
import type { Days, Span } from './timetable.ts';

export interface InForce {
  readonly mode: 'off' | 'heat';
  readonly preset: PresetName;
  /** What the preset comes to; without one, what was said last. */
  readonly targetC: number;
  /** The moments for which this is so. */
  readonly while: Span;
}

type Says = { readonly mode: 'off' | 'heat' } | { readonly target_c: number } | { readonly preset: PresetName };

interface Word {
  readonly at: number;
  readonly says: Says;
}

/** What a clock may be put right by, without a word losing its time. */
const rightedMs = 5 * 60_000;

/**
 * People's words as they stand. One from the future was said under a clock that was wrong: nobody knows when, and it counts as
 * said before everything. Else it would hold, and a boost last, until that future comes.
 */
function spoken({ document, said, before }: RoomEntry, wall: number): Word[] {
  const words: Word[] = [];
  const add = (stamp: number | undefined, says: Says) => {
    const at = stamp ?? 0;
    words.push({ at: at <= wall ? at : at - wall <= rightedMs ? wall : 0, says });
  };
  // In this order where all were said at once: a preset names a temperature of its own.
  if (document.mode !== undefined) add(said?.mode, { mode: document.mode });
  if (document.target_c !== undefined) add(said?.target_c, { target_c: document.target_c });
  if (before) add(before.at, { preset: before.preset });
  if (document.preset !== undefined) add(said?.preset, { preset: document.preset });
  return words;
}

export function inForce(entry: RoomEntry, days: Days, wall: number): InForce {
  const { document } = entry;
  const boostMs = (document.boost_min ?? roomDefaults.boost_min) * 60_000;
  let mode: 'off' | 'heat' = roomDefaults.mode;
  let target: number = roomDefaults.target_c;
  let preset: PresetName = 'none';
  let boost: { readonly until: number; readonly before: PresetName } | undefined;
  let since = days.known[0];
  const passed = (now: number) => {
    if (!boost || boost.until > now) return;
    since = Math.max(since, boost.until);
    preset = boost.before;
    boost = undefined;
  };
  const hear = ({ at, says }: Word) => {
    passed(at);
    since = Math.max(since, at);
    if ('mode' in says) mode = says.mode;
    else if ('target_c' in says) {
      target = says.target_c;
      preset = 'none';
      boost = undefined;
    } else if (says.preset === 'boost') {
      boost = { until: at + boostMs, before: boost?.before ?? preset };
      preset = 'boost';
    } else {
      preset = says.preset;
      boost = undefined;
    }
  };
  const words = spoken(entry, wall).sort((a, b) => a.at - b.at);
  let until = days.known[1];
  for (const stamp of Object.values(entry.said ?? {})) {
    if (stamp !== undefined && stamp - rightedMs > wall) until = Math.min(until, stamp - rightedMs);
  }
  for (const { at, says } of days.changes) {
    if (at > wall) {
      until = Math.min(until, at);
      break;
    }
    for (let first = words[0]; first && first.at < at; first = words[0]) hear(words.shift() as Word);
    hear({ at, says: asSays(says) });
  }
  for (const word of words) hear(word);
  passed(wall);
  if (boost) until = Math.min(until, (boost as { readonly until: number }).until);
  const degrees = { ...roomDefaults.presets, ...document.presets };
  return { mode, preset, targetC: preset === 'none' ? target : degrees[preset], while: [since, until] };
}

/** Exactly one of the three is there: the schema sees to it. */
const asSays = ({ mode, target_c, preset }: Days['changes'][number]['says']): Says =>
  mode !== undefined ? { mode } : target_c !== undefined ? { target_c } : { preset: preset ?? 'none' };

/** Whether it is quiet, and the moments for which that is so. */
export function quietAt({ quiet, known }: Days, wall: number): { readonly quiet: boolean; readonly while: Span } {
  let [since, until] = known;
  let isQuiet = false;
  for (const [from, to] of quiet) {
    if (from <= wall && wall < to) isQuiet = true;
    // Every edge is one, also of windows that lie over each other: to look again does no harm.
    for (const edge of [from, to]) {
      if (edge <= wall) since = Math.max(since, edge);
      else until = Math.min(until, edge);
    }
  }
  return { quiet: isQuiet, while: [since, until] };
}
