// What a person turns at a room, from the first press until the room goes by it; and what the page says of a room.
// Pure: no DOM, no clock, no network.
import { span } from './describe.js';

/** What − and + change, °C. */
const stepC = 0.5;
/** A reading older than this is told with its age, seconds. */
const oldS = 120;
/** So long a room may take to go by what was accepted; then it is shown as it is, milliseconds. */
const mostWaitMs = 20_000;

/**
 * A wish goes through three hands: `said` is still being turned, `asking` is on the way, `waiting` is accepted as revision
 * `rev` and not seen yet. `fault`: the last refusal, until something else is turned.
 */
export const noWish = Object.freeze({ said: {}, asking: undefined, waiting: undefined, fault: '' });

/** The later word counts: a target ends a preset, and a preset the target. */
const instead = { target_c: 'preset', preset: 'target_c' };

/** The wish with one more turn: `target_c`, `mode` or `preset`. */
export function turned(wish, key, value) {
  const { [instead[key]]: _, ...others } = wish.said;
  return { ...wish, said: { ...others, [key]: value }, fault: '' };
}

/** What was said is on the way; the same wish where nothing was, or an answer is still awaited. */
export function sending(wish) {
  if (wish.asking || Object.keys(wish.said).length === 0) return wish;
  return { ...wish, said: {}, asking: wish.said };
}

/** Accepted as a revision of the room's document. */
export function accepted(wish, rev, nowMs) {
  const patch = over(wish.waiting?.patch ?? {}, wish.asking ?? {});
  return { ...wish, asking: undefined, waiting: { patch, rev, sinceMs: nowMs }, fault: '' };
}

/**
 * Refused with a sentence: the room is shown as it was, and what was wished is in the fault.
 * @param isSure false where no answer came, and it may have been set all the same.
 */
export function refused(wish, sentence, isSure = true) {
  const verdict = isSure ? 'was not set' : 'may not have been set';
  return { ...wish, asking: undefined, fault: `${wordsFor(wish.asking ?? {})} ${verdict}: ${sentence}` };
}

/** After news of the room, or some time. */
export function settled(wish, room, nowMs) {
  const { waiting } = wish;
  if (!waiting || (room.is_rev < waiting.rev && nowMs - waiting.sinceMs < mostWaitMs)) return wish;
  return { ...wish, waiting: undefined };
}

/** One patch over another. */
function over(below, patch) {
  const left = { ...below };
  for (const key of Object.keys(patch)) delete left[instead[key]];
  return { ...left, ...patch };
}

const pendingIn = ({ said, asking, waiting }) => over(over(waiting?.patch ?? {}, asking ?? {}), said);

/** `21.5 °C, preset eco, heat`. */
function wordsFor({ target_c, preset, mode }) {
  return [target_c !== undefined && degrees(target_c), preset !== undefined && `preset ${preset}`, mode]
    .filter(Boolean)
    .join(', ');
}

/** The dials as the person means them: the room's own, and over them what is not seen yet. Undefined before it has any. */
export function dialsOf(room, wish) {
  if (!room.is) return undefined;
  const { target_c, mode, preset } = room.is;
  const pending = pendingIn(wish);
  const dials = { target_c, mode, preset, ...pending };
  if (pending.target_c !== undefined) dials.preset = 'none';
  else if (pending.preset !== undefined) dials.target_c = room.presets[pending.preset] ?? target_c;
  const words = wordsFor(pending);
  return { ...dials, pending: words && `setting ${words} …` };
}

/** The target one step on, on the grid of half degrees, within what the room may have. */
export function stepped(targetC, direction, { min_c, max_c }) {
  const steps = targetC / stepC;
  // 0.1 + 0.2 is not 0.3.
  const next = direction > 0 ? Math.floor(steps + 1 + 1e-9) : Math.ceil(steps - 1 - 1e-9);
  return Math.min(max_c, Math.max(min_c, next * stepC));
}

/** What somebody typed as a target, °C; undefined where it is no number. */
export function typedTarget(text) {
  const plain = text
    .replace(/°\s*C?$/i, '')
    .replace(',', '.')
    .trim();
  return /^-?\d{1,6}(\.\d{0,6})?$/.test(plain) ? Number(plain) : undefined;
}

const isNumber = value => typeof value === 'number' && Number.isFinite(value);
const degrees = value => (isNumber(value) ? `${value.toFixed(1)} °C` : '–');
const watts = value => (isNumber(value) ? `${Math.round(value)} W` : '–');

/** `21.0`, as the field of the target shows it. */
export const targetText = value => (isNumber(value) ? value.toFixed(1) : '');
export { degrees };

/** One word for the badge, and its tone. */
export function roomState({ is, online }) {
  if (!is) return { word: 'not looked at yet', tone: 'idle' };
  if (is.mode === 'off') return { word: 'off', tone: 'idle' };
  if (!online) return { word: 'offline', tone: 'bad' };
  return is.action === 'heating' ? { word: 'heating', tone: 'busy' } : { word: 'idle', tone: 'good' };
}

/** The thermometer: its reading, and a note on its age where that matters. */
export function temperatureOf({ is, is_at_ms: saidMs }, nowMs) {
  const age = isNumber(is?.temp_age_s) ? is.temp_age_s + Math.max(0, nowMs - (saidMs ?? nowMs)) / 1000 : undefined;
  if (!isNumber(is?.temp_c)) {
    return { text: '–', note: age === undefined ? 'no reading' : `no reading for ${span(age)}` };
  }
  return { text: degrees(is.temp_c), note: age !== undefined && age > oldS ? `${span(age)} old` : '' };
}

/** Label and figure. */
export function figuresOf({ is }) {
  return [
    ['Wanted', watts(is?.demand_w)],
    ['Heat', watts(is?.heat_w)],
    ['Energy', isNumber(is?.energy_kwh) ? `${is.energy_kwh.toFixed(is.energy_kwh < 100 ? 1 : 0)} kWh` : '–'],
  ];
}

/** What else there is to know, in a line. */
export function roomFacts({ is }) {
  if (!is) return '';
  const count = (number, word) => `${number} ${word}${number === 1 ? '' : 's'}`;
  const facts = [
    is.aim_c !== undefined && `by its rules ${degrees(is.aim_c)}`,
    is.outdoor_c !== undefined && `outdoors ${degrees(is.outdoor_c)}`,
    is.max_w !== undefined && `at most ${watts(is.max_w)}`,
    is.nodes === 0 ? 'no node online' : count(is.nodes, 'node'),
    is.jobs > 0 && count(is.jobs, 'task'),
  ];
  return facts.filter(Boolean).join(' · ');
}
