/**
 * A document as a flat list of what it says, so that a file can own some of it and somebody else the rest. Pure.
 *
 * Entries: `services/web`, `files/motd`, `labels/room` for what has a name, `roles/web` for each role of a node, and the key
 * alone for anything else, such as `drain`, or a room's `thermometer`.
 */
import { isObject, type Json } from '../../shared/merge-patch.ts';
import { itemKinds } from '../../shared/schemas/item.ts';

export type Document = { readonly [key: string]: Json };

/** What has a document, in the order in which files say them. */
export const nouns = ['role', 'node', 'room'] as const;
export type Noun = (typeof nouns)[number];
/** `role/web`, `node/n1` or `room/attic`. */
export type NounPath = `${Noun}/${string}`;
/** All three words are four letters long. */
export const nounOf = (path: NounPath): Noun => path.slice(0, 4) as Noun;
export const idOf = (path: NounPath): string => path.slice(5);

const named: readonly string[] = [...itemKinds, 'labels'];
/** What is about a document and no part of what it says. */
const about: readonly string[] = ['applied', 'rev'];

const own = (object: Json | undefined): [string, Json][] => (isObject(object) ? Object.entries(object) : []);

export function entriesOf(document: Document): ReadonlyMap<string, Json> {
  const entries = new Map<string, Json>();
  for (const [key, value] of Object.entries(document)) {
    if (about.includes(key)) continue;
    if (named.includes(key)) for (const [name, item] of own(value)) entries.set(`${key}/${name}`, item);
    else if (key === 'roles' && Array.isArray(value)) for (const role of value) entries.set(`roles/${role}`, true);
    else entries.set(key, key === 'agent' ? asSaid(value) : value);
  }
  return entries;
}

/** An agent that follows its supervisor: which one that is just now, the supervisor fills in, and nobody said. */
const asSaid = (agent: Json): Json => (isObject(agent) && agent.follow === true ? { follow: true } : agent);

/** The document with the entries set to these values; undefined takes one out. Keys that become empty stay. */
export function withEntries(document: Document, entries: ReadonlyMap<string, Json | undefined>): Document {
  const out: Record<string, Json> = { ...document };
  for (const [path, value] of entries) {
    const slash = path.indexOf('/');
    const [key, name] = slash < 0 ? [path, undefined] : [path.slice(0, slash), path.slice(slash + 1)];
    if (name === undefined) put(out, key, value);
    else if (key === 'roles') {
      const roles = (out.roles ?? []) as Json[];
      out.roles = value === undefined ? roles.filter(role => role !== name) : [...new Set([...roles, name])];
    } else {
      const items = Object.fromEntries(own(out[key]));
      put(items, name, value);
      out[key] = items;
    }
  }
  return out;
}

function put(object: Record<string, Json>, key: string, value: Json | undefined): void {
  if (value === undefined) delete object[key];
  else object[key] = value;
}

/** Which entries each file put into the document, by that file's name. */
export function appliedOf(document: Document): ReadonlyMap<string, readonly string[]> {
  return new Map(own(document.applied).map(([name, paths]) => [name, Array.isArray(paths) ? paths.map(String) : []]));
}
