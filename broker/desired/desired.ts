/**
 * What people want of a node, a role or a room. Pure: a payload against the document as it is gives the document as it will be,
 * or the reason why not; all of it or nothing. Keeping it is the journal's matter.
 */
import type { z } from 'zod';
import { check, decodeText, parseJson } from '../../shared/codec.ts';
import { type ContractError, fail, ok, type Result } from '../../shared/errors.ts';
import { limits } from '../../shared/limits.ts';
import { isObject, type Json, mergePatch, replaceAt } from '../../shared/merge-patch.ts';
import { printable } from '../../shared/names.ts';
import { sameJson } from '../../shared/same-json.ts';
import { itemKinds } from '../../shared/schemas/item.ts';
import { type NodeDocument, nodeInput, type RoleDocument, roleInput } from '../../shared/schemas/node-document.ts';
import { type RoomDocument, roomInput } from '../../shared/schemas/room.ts';
import { readValue } from '../../shared/values.ts';
import { checkPatchKeys, kindAt } from './keys.ts';

/** What a noun's document may say. */
const inputs = { node: nodeInput, role: roleInput, room: roomInput } as const;
export type DocumentNoun = keyof typeof inputs;
export type DocumentOf<Noun extends DocumentNoun> = {
  readonly node: NodeDocument;
  readonly role: RoleDocument;
  readonly room: RoomDocument;
}[Noun];

/** An accepted document and the revision of its last change. */
export interface Accepted<Noun extends DocumentNoun> {
  readonly document: DocumentOf<Noun>;
  readonly rev: number;
}

export interface SetOutcome<Noun extends DocumentNoun> {
  /** The sender's mark, also where the rest was refused. */
  readonly tx?: string;
  /** The new document; undefined where the accepted one says the same already. */
  readonly document: Result<DocumentOf<Noun> | undefined>;
}

/**
 * Reads a `set` (a merge patch) or a `set/<path…>` (one value; empty clears it).
 * @param entry the document as it is.
 */
export function readSet<Noun extends DocumentNoun>(
  noun: Noun,
  entry: Accepted<Noun>,
  path: readonly string[],
  payload: Uint8Array,
): SetOutcome<Noun> {
  if (path.length === 0) return readPatch(noun, entry, payload);
  const kind = kindAt(inputs[noun], path);
  if (!kind.ok) return { document: kind };
  const at = path.join('.');
  if (payload.length === 0) {
    // Clearing what is not there is done already; replaceAt would make its parents first.
    if (!isThere(jsonOf(entry), path)) return { document: ok(undefined) };
    return { document: finish(noun, entry, replaceAt(jsonOf(entry), path, undefined)) };
  }
  const missing = missingItem(entry, path);
  if (missing) return { document: { ok: false, error: missing } };
  const value = readValue(kind.value, payload);
  if (!value.ok) return { document: fail(value.error.code, value.error.message, at) };
  return { document: finish(noun, entry, replaceAt(jsonOf(entry), path, value.value as Json)) };
}

/** The one key of an item that can come first: the rest of the item may follow. */
const firstKeys: Readonly<Record<string, readonly string[]>> = {
  services: ['run'],
  packages: ['name', 'state', 'version', 'provider', 'into', 'hold', 'drift'],
};

/** A part of an item that is not there would make one that says nothing. */
function missingItem(entry: Accepted<DocumentNoun>, path: readonly string[]): ContractError | undefined {
  const [kind, name, first] = path;
  const known = itemKinds.find(one => one === kind);
  if (known === undefined || name === undefined || first === undefined) return undefined;
  if (firstKeys[known]?.includes(first) || isThere(jsonOf(entry), [known, name])) return undefined;
  const what = known.slice(0, -1);
  const how = known === 'services' ? 'to a command first' : 'to an object first';
  return {
    code: 'schema',
    message: `there is no ${what} "${printable(name)}" yet: set ${known}.${printable(name)} ${how}`,
  };
}

function readPatch<Noun extends DocumentNoun>(
  noun: Noun,
  entry: Accepted<Noun>,
  payload: Uint8Array,
): SetOutcome<Noun> {
  if (payload.length === 0) {
    const message = 'an empty "set" is refused: send a JSON object, or clear one key with an empty set/<key>';
    return { document: fail('empty', message) };
  }
  const text = decodeText(payload);
  if (!text.ok) return { document: text };
  const json = parseJson(text.value);
  if (!json.ok) return { document: json };
  if (!isObject(json.value)) {
    return { document: fail('schema', 'a "set" takes a JSON object; a single value goes to set/<key>') };
  }
  const { rev, tx, ...patch } = json.value;
  const mark = readTx(tx);
  const marked = mark.ok && mark.value !== undefined ? { tx: mark.value } : {};
  const problem = mark.ok ? checkRev(rev, entry) : mark.error;
  if (problem) return { ...marked, document: { ok: false, error: problem } };
  const keys = checkPatchKeys(inputs[noun], patch);
  if (!keys.ok) return { ...marked, document: keys };
  return { ...marked, document: finish(noun, entry, mergePatch(jsonOf(entry), patch)) };
}

/** A sender's own mark: text or a number, echoed as text. */
export function readTx(tx: unknown): Result<string | undefined> {
  if (tx === undefined) return ok(undefined);
  if (typeof tx === 'number') return ok(String(tx));
  if (typeof tx === 'string' && tx.length <= 64) return ok(tx);
  return fail('schema', 'must be text of at most 64 characters, or a number', 'tx');
}

function checkRev(rev: Json | undefined, entry: Accepted<DocumentNoun>): ContractError | undefined {
  if (rev === undefined) return undefined;
  if (typeof rev !== 'number' || !Number.isSafeInteger(rev) || rev < 0) {
    return { code: 'schema', message: 'must be a whole number', at: 'rev' };
  }
  if (rev >= entry.rev) return undefined;
  return {
    code: 'stale-rev',
    message: `rev ${rev} is stale: the document is at ${entry.rev}, read "own" and try again`,
  };
}

const jsonOf = (entry: Accepted<DocumentNoun>): Json => entry.document as unknown as Json;

function isThere(document: Json, path: readonly string[]): boolean {
  let here: unknown = document;
  for (const key of path) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, key)) return false;
    here = (here as Record<string, unknown>)[key];
  }
  return true;
}

/** Checks the whole new document. That every `want` it becomes part of still fits is looked at by who knows them. */
function finish<Noun extends DocumentNoun>(
  noun: Noun,
  entry: Accepted<Noun>,
  document: Json | undefined,
): Result<DocumentOf<Noun> | undefined> {
  const checked = checkChanged(noun, entry, document ?? {});
  if (!checked.ok) return checked;
  return ok(sameJson(checked.value, entry.document) ? undefined : checked.value);
}

/**
 * Checks the document, and of its items those that are not the very ones accepted before: a full node has hundreds, and
 * to check them all for each word that somebody sends would stand the supervisor still.
 */
function checkChanged<Noun extends DocumentNoun>(
  noun: Noun,
  entry: Accepted<Noun>,
  document: Json,
): Result<DocumentOf<Noun>> {
  const schema = inputs[noun] as unknown as z.ZodType<DocumentOf<Noun>>;
  if (!isObject(document)) return check(schema, document);
  const changed: Record<string, Json> = { ...document };
  const accepted = entry.document as Readonly<Record<string, object | undefined>>;
  for (const kind of itemKinds) {
    const all = document[kind];
    if (all === undefined) continue;
    // What is wrong as a whole is said as a whole.
    if (!isObject(all) || Object.keys(all).length > limits[kind]) return check(schema, document);
    const known = (accepted[kind] ?? {}) as Readonly<Record<string, unknown>>;
    const isKnown = (name: string, item: unknown) => Object.hasOwn(known, name) && known[name] === item;
    changed[kind] = Object.fromEntries(Object.entries(all).filter(([name, item]) => !isKnown(name, item)));
  }
  const checked = check(schema, changed);
  if (!checked.ok) return checked;
  const whole: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(checked.value as Record<string, unknown>)) {
    const kind = itemKinds.find(one => one === key);
    whole[key] = kind === undefined ? value : inOrder(document[kind] as object, value as object, accepted[kind]);
  }
  return ok(whole as DocumentOf<Noun>);
}

/** All names of `said`, in its order: what was checked anew, and what was there. */
function inOrder(said: object, checked: object, known: object | undefined): object {
  const found = checked as Readonly<Record<string, unknown>>;
  const before = (known ?? {}) as Readonly<Record<string, unknown>>;
  return Object.fromEntries(
    Object.keys(said).map(name => [name, Object.hasOwn(found, name) ? found[name] : before[name]]),
  );
}

/** The refusal of a `set` to a group of nodes: it has a place of its own, the role. */
export function refuseGroup(role: string, rest: readonly string[]): ContractError {
  const topic = ['role', role, 'set', ...rest].map(level => printable(level)).join('/');
  return { code: 'topic', message: `a group of nodes has no document: send it to …/${topic}, the role's` };
}
