/**
 * What a cluster file changes of the accepted documents. Pure.
 *
 * A file owns what it put there: what it added or changed. That is written into the document beside it
 * (`applied.<file>`), in the same patch. What was there already stays whoever's it was, unless it is adopted. What a file
 * put there and no longer says is a leftover: pruned, or told. A leftover that another file put there too, or since, is
 * no leftover but that file's.
 */
import { isObject, type Json } from '../../shared/merge-patch.ts';
import { sameJson } from '../../shared/same-json.ts';
import { appliedOf, type Document, entriesOf, type NounPath, nounOf, nouns, withEntries } from './document.ts';

export interface Accepted {
  readonly document: Document;
  readonly rev: number;
}

/** Accepted documents, by `role/web`, `node/n1` and `room/attic`. */
export type Documents = ReadonlyMap<NounPath, Accepted>;

export interface Options {
  /** The file's name in the documents' book. */
  readonly name: string;
  /** Leftovers go. */
  readonly prune: boolean;
  /** What the file says and is there already becomes the file's, too. */
  readonly adopt: boolean;
}

export interface NounPlan {
  readonly path: NounPath;
  /** The merge patch, without `rev`; undefined where there is nothing to do. */
  readonly patch: Document | undefined;
  /** What the file says, entry by entry. */
  readonly said: ReadonlyMap<string, Json>;
  readonly before: Document;
  /** The document as it will be. */
  readonly after: Document;
  /** Of the document that the patch was made for; undefined where there was none. */
  readonly rev: number | undefined;
  /** Entries, such as `services/web`. */
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
  /** What this file put there and no longer says, and that stays. */
  readonly leftover: readonly string[];
  /** What another file put there and this one changes. */
  readonly taken: readonly { readonly entry: string; readonly from: string }[];
  /** What the file says, is there already, and no file has put there. */
  readonly foreign: readonly string[];
}

/** One role, node or room. @param said undefined where the file does not name it. */
export function planNoun(
  path: NounPath,
  own: Accepted | undefined,
  said: Document | undefined,
  { name, prune, adopt }: Options,
): NounPlan {
  const before = own?.document ?? {};
  const there = entriesOf(before);
  const wanted = entriesOf(said ?? {});
  const applied = appliedOf(before);
  const mine = applied.get(name) ?? [];
  const others = [...applied].filter(([file]) => file !== name);
  const isAnothers = (entry: string) => others.some(([, entries]) => entries.includes(entry));

  const added = [...wanted.keys()].filter(entry => !there.has(entry));
  const changed = [...wanted].flatMap(([entry, value]) =>
    there.has(entry) && !sameJson(there.get(entry), value) ? [entry] : [],
  );
  const gone = mine.filter(entry => !wanted.has(entry) && there.has(entry) && !isAnothers(entry));
  const removed = prune ? gone : [];
  const leftover = prune ? [] : gone;
  const put = new Set([...added, ...changed]);

  const entries = new Map<string, Json | undefined>(removed.map(entry => [entry, undefined]));
  for (const entry of put) entries.set(entry, wanted.get(entry));
  const kept = adopt ? [...wanted.keys()] : mine.filter(entry => wanted.has(entry));
  const book = new Map(others.map(([file, listed]) => [file, listed.filter(entry => !put.has(entry))]));
  book.set(name, [...new Set([...kept, ...put, ...leftover])].sort());
  const after = withBook(withEntries(before, entries), book);
  const patch = withPreset(path, patchOf(before, after), after);
  return {
    path,
    patch: Object.keys(patch).length === 0 ? undefined : patch,
    said: wanted,
    before,
    after,
    rev: own?.rev,
    added,
    changed,
    removed,
    leftover,
    taken: others.flatMap(([from, listed]) =>
      changed.flatMap(entry => (listed.includes(entry) ? [{ entry, from }] : [])),
    ),
    foreign: adopt
      ? []
      : [...wanted.keys()].filter(entry => !put.has(entry) && !mine.includes(entry) && !isAnothers(entry)),
  };
}

/** A target said by itself ends a room's preset: one that is to stay is said with it. */
function withPreset(path: NounPath, patch: Document, { preset }: Document): Document {
  if (nounOf(path) !== 'room' || preset === undefined || patch.target_c === undefined) return patch;
  return { ...patch, preset };
}

/** Every noun that the file names, and those where it has left something. */
export function planAll(
  documents: Documents,
  said: ReadonlyMap<NounPath, Document>,
  options: Options,
): readonly NounPlan[] {
  const touched = [...documents].flatMap(([path, { document }]) =>
    appliedOf(document).has(options.name) && !said.has(path) ? [path] : [],
  );
  return inOrder(
    [...said.keys(), ...touched].map(path => planNoun(path, documents.get(path), said.get(path), options)),
  );
}

/**
 * Who only adds comes first, so that what moves from one document to another is never in none; then roles, nodes, rooms.
 */
function inOrder(plans: readonly NounPlan[]): readonly NounPlan[] {
  const rank = ({ removed, path }: NounPlan): string =>
    `${removed.length === 0 ? 0 : 1} ${nouns.indexOf(nounOf(path))} ${path}`;
  return [...plans].sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
}

/** A book that says the same stays as it stands, empty lists included. */
function withBook(document: Document, book: ReadonlyMap<string, readonly string[]>): Document {
  const told = (all: ReadonlyMap<string, readonly string[]>) =>
    Object.fromEntries(
      [...all].flatMap(([file, entries]) => (entries.length > 0 ? [[file, [...entries].sort()]] : [])),
    );
  const next = told(book);
  if (sameJson(next, told(appliedOf(document)))) return document;
  const { applied: _, ...rest } = document;
  return Object.keys(next).length === 0 ? rest : { ...rest, applied: next };
}

/** The merge patch (RFC 7396) that makes `after` of `before`; neither holds a `null`. */
export function patchOf(before: Document, after: Document): Document {
  const patch: Record<string, Json> = {};
  for (const key of Object.keys(before)) if (!Object.hasOwn(after, key)) patch[key] = null;
  for (const [key, value] of Object.entries(after)) {
    const old = Object.hasOwn(before, key) ? before[key] : undefined;
    if (sameJson(old, value)) continue;
    patch[key] = isObject(old) && isObject(value) ? patchOf(old, value) : value;
  }
  return patch;
}

/** `2 added, 1 changed`, or what there is instead. */
export function countsOf({ patch, added, changed, removed }: NounPlan): string {
  const counts = [
    [added, 'added'],
    [changed, 'changed'],
    [removed, 'removed'],
  ] as const;
  const said = counts.flatMap(([entries, word]) => (entries.length === 0 ? [] : [`${entries.length} ${word}`]));
  if (said.length > 0) return said.join(', ');
  return patch === undefined ? 'nothing to do' : 'only the book of what this file put there';
}
