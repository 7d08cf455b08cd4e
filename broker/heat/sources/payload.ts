/** What a thing sent, ready to be looked at: its text, and its JSON where it is some. */
import { decodeText, parseJson } from '../../../shared/codec.ts';
import { isObject } from '../../../shared/merge-patch.ts';
import { printable } from '../../../shared/names.ts';
import { mostPayload, numberIn } from '../../../shared/readings/number.ts';

export type Fields = Readonly<Record<string, unknown>>;

export interface Read {
  readonly value: number;
  /** Where in the payload it stood, for people. */
  readonly what: string;
  /** Of a plug: its energy counter, Wh. It may start over. */
  readonly energyWh?: number;
  /** When it was measured by its own word, epoch ms. */
  readonly atMs?: number;
}

/** A reading; or one sentence why there is none; or undefined: this payload is about something else, and nothing is wrong. */
export type Recognised = Read | string | undefined;

const mostDepth = 12;

/** What firmware says instead of a number while it has none. */
const nothing = /^(|nan|null|none|unknown|unavailable|undefined|n\/a)$/i;

export type Payload =
  | { readonly kind: 'number'; readonly value: number; readonly unit: string }
  | { readonly kind: 'object'; readonly fields: Fields }
  | { readonly kind: 'wrong'; readonly why: string };

const wrong = (why: string): Payload => ({ kind: 'wrong', why });

export function readPayload(payload: Uint8Array): Payload {
  const text = decodeText(payload, mostPayload);
  if (!text.ok) return wrong(text.error.message);
  const word = text.value.trim();
  if (nothing.test(word)) return wrong(`it says ${word === '' ? 'nothing' : `"${word}"`}: it has no reading now`);
  const bare = withUnit(word);
  if (bare) return bare;
  if (!/^[{["]/.test(word)) return wrong(`"${printable(word, 40)}" is no number`);
  const json = parseJson(word, mostDepth);
  if (!json.ok) return wrong(json.error.message);
  if (isObject(json.value)) return { kind: 'object', fields: json.value };
  const quoted = typeof json.value === 'string' ? withUnit(json.value.trim()) : undefined;
  return quoted ?? wrong('it is neither a number nor a JSON object: say by a "template" where the number stands');
}

/** `21.3`, `21.3 °C`, `70F`, `1.2 kW`. */
function withUnit(text: string): Payload | undefined {
  if (text.length > 80) return undefined;
  const found = /^([+\-.\d][\d.eE+-]*)\s*([°º]?\s?[A-Za-z]{0,3})$/.exec(text);
  const value = found ? numberIn(found[1] ?? '') : undefined;
  return value === undefined ? undefined : { kind: 'number', value, unit: found?.[2] ?? '' };
}

/** A field as a number; also one that is written as a text, as old firmware does. */
export function numberAt(fields: Fields, key: string): number | undefined {
  if (!Object.hasOwn(fields, key)) return undefined;
  const value = fields[key];
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  return typeof value === 'string' ? numberIn(value) : undefined;
}

export function objectAt(fields: Fields, key: string): Fields | undefined {
  const value = Object.hasOwn(fields, key) ? fields[key] : undefined;
  return isObject(value) ? value : undefined;
}

export const textAt = (fields: Fields, key: string): string =>
  Object.hasOwn(fields, key) && typeof fields[key] === 'string' ? (fields[key] as string) : '';

/** Own fields that are objects, by names that `name` takes. At most 200 are looked at. */
export function objectsIn(fields: Fields, name: RegExp): (readonly [key: string, fields: Fields])[] {
  const keys = Object.keys(fields).slice(0, 200);
  return keys.flatMap(key => {
    const inner = name.test(key) ? objectAt(fields, key) : undefined;
    return inner ? [[key, inner] as const] : [];
  });
}

/** Only a sane time of day: an epoch of seconds or milliseconds between 2001 and 2100, or ISO 8601 with its zone. */
function epochMs(value: unknown): number | undefined {
  if (typeof value === 'number') {
    if (value > 1e9 && value < 4.2e9) return Math.round(value * 1000);
    return value > 1e12 && value < 4.2e12 ? Math.round(value) : undefined;
  }
  if (typeof value !== 'string' || value.length > 40) return undefined;
  if (!/^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:?\d\d)$/.test(value)) return undefined;
  const at = Date.parse(value);
  return Number.isFinite(at) ? epochMs(at) : undefined;
}

/**
 * When it was measured, by its own word: `last_seen` of zigbee2mqtt (ISO 8601 or epoch ms, by its setting `advanced.last_seen`),
 * `at_ms`, `params.ts` of a Shelly's notification, `gwts`/`ts` of a Ruuvi Gateway. Tasmota's `Time` has no zone and says nothing.
 */
export function timeOf(fields: Fields): number | undefined {
  const params = objectAt(fields, 'params');
  const said = [
    ...['last_seen', 'at_ms', 'last_updated', 'gwts', 'ts'].map(key =>
      Object.hasOwn(fields, key) ? fields[key] : undefined,
    ),
    params && Object.hasOwn(params, 'ts') ? params.ts : undefined,
  ];
  for (const one of said) {
    // Ruuvi writes epoch seconds as a text.
    const at = epochMs(typeof one === 'string' && /^\d{10}$/.test(one) ? Number(one) : one);
    if (at !== undefined) return at;
  }
  return undefined;
}

/**
 * A node's `load` or `power` is no source: its `temp_c` is the processor's, its `watts` are no plug's. A sentence where it is one.
 * Told by its keys, since any broker may carry it under any base.
 */
export function whyOwn(fields: Fields): string | undefined {
  const has = (key: string) => Object.hasOwn(fields, key);
  const own = has('node') && ((has('epoch') && has('seq')) || has('watts_source') || has('heat_cores'));
  return own
    ? 'a node says this of itself: how warm its processor is, and no plug: use its "sensors", or another topic'
    : undefined;
}

/** Several things of one payload that could be meant: nobody guesses. */
export const several = (what: string, found: readonly string[], example: string): string =>
  `it has several ${what} (${printable(found.slice(0, 6).join(', '), 120)}): say which by a "template" such as ${printable(example, 80)}`;
