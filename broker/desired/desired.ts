/**
 * What people want of a node. Pure: a payload against the document as it is gives the document as it will be, or the
 * reason why not; all of it or nothing. Keeping it is the journal's matter.
 */
import { check, decodeText, parseJson } from '../../shared/codec.ts';
import { type ContractError, fail, ok, type Result } from '../../shared/errors.ts';
import { limits } from '../../shared/limits.ts';
import { isObject, type Json, mergePatch, replaceAt } from '../../shared/merge-patch.ts';
import { printable } from '../../shared/names.ts';
import { nodeInput } from '../../shared/schemas/node-document.ts';
import type { Service } from '../../shared/schemas/service.ts';
import { readValue } from '../../shared/values.ts';
import { compile, type NodeEntry } from './compile.ts';
import { checkPatchKeys, kindAt } from './keys.ts';

export type Services = Readonly<Record<string, Service>>;

export interface SetOutcome {
  /** The sender's mark, also where the rest was refused. */
  readonly tx?: string;
  /** The new document; undefined where the accepted one says the same already. */
  readonly services: Result<Services | undefined>;
}

/** Bytes that `sig`, key, cluster, revision and node add to a `want`. */
const sealBytes = 512;

/**
 * Reads a `set` (a merge patch) or a `set/<path…>` (one value; empty clears it).
 * @param entry the document as it is.
 */
export function readSet(node: string, entry: NodeEntry, path: readonly string[], payload: Uint8Array): SetOutcome {
  if (path.length === 0) return readPatch(node, entry, payload);
  const kind = kindAt(nodeInput, path);
  if (!kind.ok) return { services: kind };
  const at = path.join('.');
  if (payload.length === 0) {
    // Clearing what is not there is done already; replaceAt would make its parents first.
    if (!isThere(documentOf(entry), path)) return { services: ok(undefined) };
    return { services: finish(node, entry, replaceAt(documentOf(entry), path, undefined)) };
  }
  const missing = missingService(entry, path);
  if (missing) return { services: { ok: false, error: missing } };
  const value = readValue(kind.value, payload);
  if (!value.ok) return { services: fail(value.error.code, value.error.message, at) };
  return { services: finish(node, entry, replaceAt(documentOf(entry), path, value.value as Json)) };
}

/** A part of a service that is not there would make one without a command. */
function missingService(entry: NodeEntry, [noun, service, ...part]: readonly string[]): ContractError | undefined {
  if (noun !== 'services' || service === undefined || part.length === 0 || part[0] === 'run') return undefined;
  if (Object.hasOwn(entry.services, service)) return undefined;
  const name = printable(service);
  return { code: 'schema', message: `there is no service "${name}" yet: set services.${name} to a command first` };
}

function readPatch(node: string, entry: NodeEntry, payload: Uint8Array): SetOutcome {
  if (payload.length === 0) {
    return {
      services: fail(
        'empty',
        'an empty "set" is refused: send a JSON object, or clear one key with an empty set/<key>',
      ),
    };
  }
  const text = decodeText(payload);
  if (!text.ok) return { services: text };
  const json = parseJson(text.value);
  if (!json.ok) return { services: json };
  if (!isObject(json.value)) {
    return { services: fail('schema', 'a "set" takes a JSON object; a single value goes to set/<key>') };
  }
  const { rev, tx, ...patch } = json.value;
  const mark = readTx(tx);
  const marked = mark.ok && mark.value !== undefined ? { tx: mark.value } : {};
  const problem = mark.ok ? checkRev(rev, entry) : mark.error;
  if (problem) return { ...marked, services: { ok: false, error: problem } };
  const keys = checkPatchKeys(nodeInput, patch);
  if (!keys.ok) return { ...marked, services: keys };
  return { ...marked, services: finish(node, entry, mergePatch(documentOf(entry), patch)) };
}

/** A sender's own mark: text or a number, echoed as text. */
export function readTx(tx: unknown): Result<string | undefined> {
  if (tx === undefined) return ok(undefined);
  if (typeof tx === 'number') return ok(String(tx));
  if (typeof tx === 'string' && tx.length <= 64) return ok(tx);
  return fail('schema', 'must be text of at most 64 characters, or a number', 'tx');
}

function checkRev(rev: Json | undefined, entry: NodeEntry): ContractError | undefined {
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

const documentOf = (entry: NodeEntry): Json => ({ services: entry.services }) as unknown as Json;

function isThere(document: Json, path: readonly string[]): boolean {
  let here: unknown = document;
  for (const key of path) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, key)) return false;
    here = (here as Record<string, unknown>)[key];
  }
  return true;
}

/** Checks the whole new document and that it still fits in a `want`. */
function finish(node: string, entry: NodeEntry, document: Json | undefined): Result<Services | undefined> {
  const checked = checkChanged(entry, document ?? {});
  if (!checked.ok) return checked;
  const services = checked.value;
  if (sameJson(services, entry.services)) return ok(undefined);
  const text = JSON.stringify(compile(node, { services, rev: 0 }));
  // Only text that is long enough to matter is encoded to be measured: UTF-8 has at most 3 bytes per UTF-16 unit.
  const bytes = text.length * 3 > limits.want - sealBytes ? Buffer.byteLength(text) : 0;
  if (bytes > limits.want - sealBytes) {
    const most = `${limits.want / 1024} kB`;
    return fail(
      'too-large',
      `the node's document would be ${Math.ceil(bytes / 1024)} kB, but at most ${most} are allowed`,
    );
  }
  return ok(services);
}

/**
 * Checks the document, and of its services those that are not the very ones accepted before: a full node has 200, and to
 * check them all for each word that somebody sends would stand the supervisor still.
 */
function checkChanged(entry: NodeEntry, document: Json): Result<Services> {
  const all = isObject(document) ? document.services : undefined;
  const known: Readonly<Record<string, unknown>> = entry.services;
  const isKnown = (name: string, service: unknown) => Object.hasOwn(known, name) && known[name] === service;
  const whole = !isObject(document) || !isObject(all) || Object.keys(all).length > limits.services;
  if (whole) {
    const checked = check(nodeInput, document);
    return checked.ok ? ok(checked.value.services ?? {}) : checked;
  }
  const changed = Object.fromEntries(Object.entries(all).filter(([name, service]) => !isKnown(name, service)));
  const checked = check(nodeInput, { ...document, services: changed });
  if (!checked.ok) return checked;
  const found: Services = checked.value.services ?? {};
  const services = Object.keys(all).map(name => [
    name,
    Object.hasOwn(found, name) ? found[name] : entry.services[name],
  ]);
  return ok(Object.fromEntries(services) as Services);
}

/** The same value, whatever the order of keys. */
function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every(
    key => Object.hasOwn(b, key) && sameJson((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]),
  );
}

/** The refusal of a `set` to a group of nodes: it has a place of its own, the role. */
export function refuseGroup(role: string, rest: readonly string[]): ContractError {
  const topic = ['role', role, 'set', ...rest].map(level => printable(level)).join('/');
  return { code: 'topic', message: `a group of nodes has no document: send it to …/${topic}, the role's` };
}
