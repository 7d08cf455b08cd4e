/**
 * What is measured in rooms, as it comes on `in/<reading>`: a bare number, or `{"value": 21.3, "at_ms": 1800000000000}` where
 * the sender knows when it was measured. Nothing of it is kept on disk, and everything gets too old to be used. Pure.
 */
import { check, decodeText, parseJson } from '../../../shared/codec.ts';
import { fail, ok, type Result } from '../../../shared/errors.ts';
import { nearest, printable } from '../../../shared/names.ts';
import { type RoomReading, roomReadingPayload, roomReadings } from '../../../shared/schemas/room.ts';
import { readValue } from '../../../shared/values.ts';

const minuteMs = 60_000;

/** For how long each says something. What `temp_c` is good for, the room's `stale_min` says besides. */
export const readingLifeMs: Readonly<Record<RoomReading, number>> = {
  temp_c: 90 * minuteMs,
  outdoor_c: 180 * minuteMs,
  demand_w: 10 * minuteMs,
  price: 180 * minuteMs,
  surplus_w: 10 * minuteMs,
};

/** Bytes of a reading. */
const mostBytes = 1024;
/** How far the sender's clock may be ahead. */
const aheadMs = 30_000;

/** What a reading can be at all; whether a thermometer is to be believed is judged where its readings meet. */
const bounds: Readonly<Record<RoomReading, readonly [least: number, most: number]>> = {
  temp_c: [-273.15, 1000],
  outdoor_c: [-273.15, 1000],
  demand_w: [0, 100_000],
  price: [-1_000_000, 1_000_000],
  surplus_w: [-1_000_000, 1_000_000],
};

/** A reading as somebody sent it; undefined: there is none any more. */
export interface Sent {
  readonly value: number;
  /** When it was measured, epoch ms, where that is said. */
  readonly atMs?: number | undefined;
}

export interface Reading {
  readonly value: number;
  readonly ageMs: number;
}

export function readingNamed(name: string): Result<RoomReading> {
  const known = roomReadings.find(one => one === name);
  if (known !== undefined) return ok(known);
  const near = nearest(name, roomReadings);
  const hint = near === undefined ? `known are ${roomReadings.join(', ')}` : `did you mean "${near}"?`;
  return fail('unknown-key', `there is no reading "${printable(name)}": ${hint}`);
}

/** An empty payload takes the reading away. */
export function readReading(reading: RoomReading, payload: Uint8Array): Result<Sent | undefined> {
  const text = decodeText(payload, mostBytes);
  if (!text.ok) return text;
  const word = text.value.trim();
  if (word === '') return ok(undefined);
  const sent = word.startsWith('{') ? readTimed(word) : readBare(word);
  if (!sent.ok) return sent;
  const [least, most] = bounds[reading];
  const { value } = sent.value;
  if (value >= least && value <= most) return sent;
  return fail('schema', `${value} cannot be: ${reading} is from ${least} to ${most}`);
}

function readBare(word: string): Result<Sent> {
  const value = readValue('number', new TextEncoder().encode(word));
  if (value.ok) return ok({ value: value.value as number });
  return fail(
    'schema',
    `"${printable(word)}" is no reading: send a number, or {"value": 21.3, "at_ms": 1800000000000}`,
  );
}

function readTimed(word: string): Result<Sent> {
  const json = parseJson(word, 2);
  if (!json.ok) return json;
  const read = check(roomReadingPayload, json.value);
  return read.ok ? ok({ value: read.value.value, atMs: read.value.at_ms }) : read;
}

/** Of one room. */
export class Readings {
  readonly #last = new Map<RoomReading, { readonly value: number; readonly at: number }>();

  /**
   * @param now monotonic ms. @param wall epoch ms.
   * @param old a copy that the broker kept: of what age, only its own time can say.
   * @returns whether it counts. An older one than is known does not, and a copy of unknown age.
   */
  take(reading: RoomReading, sent: Sent | undefined, now: number, wall: number, old: boolean): Result<boolean> {
    if (!sent) return ok(this.#last.delete(reading));
    const { value, atMs } = sent;
    if (atMs === undefined && old) return ok(false);
    const age = atMs === undefined ? 0 : wall - atMs;
    if (age < -aheadMs) {
      const ahead = Math.min(Math.round(-age / 1000), Number.MAX_SAFE_INTEGER);
      return fail('schema', `it is from the future by ${ahead} s: look at the clocks of both machines`, 'at_ms');
    }
    const at = now - Math.max(0, age);
    const last = this.#last.get(reading);
    if (last && last.at > at) return ok(false);
    this.#last.set(reading, { value, at });
    return ok(true);
  }

  /** The last one, while it says something. */
  latest(reading: RoomReading, now: number): Reading | undefined {
    const last = this.#last.get(reading);
    if (!last) return undefined;
    const ageMs = Math.max(0, now - last.at);
    return ageMs < readingLifeMs[reading] ? { value: last.value, ageMs } : undefined;
  }
}
