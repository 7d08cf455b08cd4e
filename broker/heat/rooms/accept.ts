/**
 * A `set` of a room: what the document becomes, and when its people said what they said. Pure. The rules for all
 * documents are those of `desired`; what only rooms have is that the same word again is news, where the schedule said
 * something else meanwhile, and that a target ends a preset.
 */
import { parseJson } from '../../../shared/codec.ts';
import { type ContractError, fail, ok, type Result } from '../../../shared/errors.ts';
import { isObject } from '../../../shared/merge-patch.ts';
import { sameJson } from '../../../shared/same-json.ts';
import type { RoomDocument } from '../../../shared/schemas/room.ts';
import { readSet } from '../../desired/desired.ts';
import { type RoomEntry, type SpokenKey, spokenKeys } from './entry.ts';
import { compileRules } from './rules.ts';

/** Characters of JSON: a filler goes to nodes in an order. Everything else in a document has bounds of its own. */
const mostFiller = 20_000;

export interface SetOfRoom {
  readonly tx?: string | undefined;
  /** The entry as it will be; undefined where nothing is news. */
  readonly entry: Result<Omit<RoomEntry, 'rev'> | undefined>;
}

/** @param wall when it is said, epoch ms. */
export function acceptSet(before: RoomEntry, path: readonly string[], payload: Uint8Array, wall: number): SetOfRoom {
  const { tx, document } = readSet('room', before, path, payload);
  if (!document.ok) return { tx, entry: document };
  const said = path[0] === undefined ? keysOf(payload) : [path[0]];
  const next = withoutPreset(document.value ?? before.document, said);
  const problem = next === before.document ? undefined : wrongWith(next);
  return { tx, entry: problem ? { ok: false, error: problem } : ok(entryAfter(before, next, said, wall)) };
}

/** Of a patch that was understood before. */
function keysOf(payload: Uint8Array): readonly string[] {
  const json = parseJson(new TextDecoder().decode(payload));
  return json.ok && isObject(json.value) ? Object.keys(json.value) : [];
}

/** A target said without a preset is meant to count. */
function withoutPreset(document: RoomDocument, said: readonly string[]): RoomDocument {
  if (document.preset === undefined || document.target_c === undefined) return document;
  if (!said.includes('target_c') || said.includes('preset')) return document;
  const { preset: _, ...rest } = document;
  return rest;
}

/** What no schema says: rules that mean nothing, and a filler that fits into no order. */
export function wrongWith(document: RoomDocument): ContractError | undefined {
  const rules = compileRules(document.rules ?? []);
  if (!rules.ok) return rules.error;
  if (JSON.stringify(document.filler ?? '').length <= mostFiller) return undefined;
  return fail('too-large', `it would have more than ${mostFiller} characters of JSON`, 'filler').error;
}

function entryAfter(
  entry: RoomEntry,
  document: RoomDocument,
  keys: readonly string[],
  wall: number,
): Omit<RoomEntry, 'rev'> | undefined {
  const spoken = spokenKeys.filter(key => keys.includes(key));
  const counts = document.schedule !== undefined || document.preset === 'boost';
  if (sameJson(document, entry.document) && !(spoken.length > 0 && counts)) return undefined;
  const said: { [K in SpokenKey]?: number } = {};
  for (const key of spokenKeys) {
    const at = spoken.includes(key) ? wall : entry.said?.[key];
    if (document[key] !== undefined) said[key] = at ?? wall;
  }
  const before = beforeBoost(entry, document, spoken.includes('preset'));
  return { document, said, ...(before ? { before } : {}) };
}

/** What comes back when a boost ends. */
function beforeBoost(entry: RoomEntry, { preset }: RoomDocument, isNew: boolean): RoomEntry['before'] {
  if (preset !== 'boost') return undefined;
  const { document, before, said } = entry;
  if (!isNew || document.preset === 'boost') return before;
  return document.preset === undefined ? undefined : { preset: document.preset, at: said?.preset ?? 0 };
}
