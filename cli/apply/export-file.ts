/** The cluster's documents as a file that `hearth apply` reads: the inverse of it. Pure. */
import { isScalar, visit, Document as YamlDocument } from 'yaml';
import { isObject, type Json } from '../../shared/merge-patch.ts';
import { sameJson } from '../../shared/same-json.ts';
import { checkInput } from '../../shared/schemas/check.ts';
import { clusterFileVersion } from '../../shared/schemas/cluster-file.ts';
import { itemKinds } from '../../shared/schemas/item.ts';
import { packageInput } from '../../shared/schemas/package.ts';
import { roomInput } from '../../shared/schemas/room.ts';
import { serviceInput } from '../../shared/schemas/service.ts';
import { type Document, entriesOf, idOf, type Noun, nounOf } from './document.ts';
import type { Documents } from './plan.ts';

export interface ExportOptions {
  readonly name: string;
  /** Address of the file's JSON Schema, for editors; left out where it is not known. */
  readonly schema: string | undefined;
}

/** Who says nothing is left out; so is the book of who put what there. */
export function exportText(documents: Documents, { name, schema }: ExportOptions): string {
  const said: Record<Noun, Record<string, Json>> = { role: {}, node: {}, room: {} };
  // `all` is every node's, and comes first.
  const rank = (id: string): string => (id === 'all' ? '' : id);
  for (const [path, { document }] of [...documents].sort(([a], [b]) => (rank(idOf(a)) < rank(idOf(b)) ? -1 : 1))) {
    if (entriesOf(document).size === 0) continue;
    const noun = nounOf(path);
    said[noun][idOf(path)] = noun === 'room' ? writtenRoom(document) : written(document);
  }
  const whole = {
    version: clusterFileVersion,
    name,
    ...(isEmpty(said.role) ? {} : { roles: said.role }),
    ...(isEmpty(said.node) ? {} : { nodes: said.node }),
    ...(isEmpty(said.room) ? {} : { rooms: said.room }),
  };
  return toYaml(whole, schema);
}

/** Keys in the order in which people read them, names sorted. */
function written({ applied: _a, rev: _r, ...document }: Document): Json {
  const out: Record<string, Json> = {};
  const order: readonly string[] = ['roles', 'labels', ...itemKinds];
  for (const key of [
    ...order.filter(key => key in document),
    ...Object.keys(document)
      .filter(key => !order.includes(key))
      .sort(),
  ]) {
    const value = document[key];
    if (value === undefined || (order.includes(key) && isEmpty(value))) continue;
    out[key] = order.includes(key) && key !== 'roles' ? items(key, value) : key === 'agent' ? agentWord(value) : value;
  }
  return out;
}

/** Keys in the order in which the reference has them; what a newer Hearth says comes last. */
function writtenRoom({ applied: _a, rev: _r, ...document }: Document): Json {
  const order = Object.keys(roomInput.shape);
  const keys = [...order.filter(key => key in document), ...Object.keys(document).filter(key => !order.includes(key))];
  return Object.fromEntries(keys.map(key => [key, roomWord(key, document[key] as Json)]));
}

function roomWord(key: string, value: Json): Json {
  if (key === 'filler') return shortest(value, ['service'], roomInput.shape.filler);
  if ((key !== 'thermometer' && key !== 'outdoor') || !isObject(value)) return value;
  const { broker, ...source } = value;
  return broker === 'own' ? shortest(source, ['topic'], roomInput.shape[key], value) : value;
}

const isEmpty = (value: Json): boolean =>
  typeof value === 'object' && value !== null && Object.keys(value).length === 0;

const shortOf: Readonly<Record<string, (item: Json) => Json>> = {
  packages: item => shortest(item, ['state', 'version'], packageInput),
  services: item => shortest(item, ['run'], serviceInput),
  checks: shortCheck,
};
/** An agent that follows its supervisor, whichever that is just now. */
const agentWord = (agent: Json): Json => (isObject(agent) && agent.follow === true ? 'follow' : agent);

function items(kind: string, value: Json): Json {
  const short = shortOf[kind] ?? (item => item);
  const sorted = Object.entries(value as Document).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(sorted.map(([name, item]) => [name, short(item)]));
}

/** A check that is one command, and nothing else. */
function shortCheck(item: Json): Json {
  const { command, ...more } = item as Document;
  if (!isObject(command) || Object.keys(more).length > 0) return item;
  const { run, ...rest } = command;
  if (run === undefined || Object.keys(rest).length > 0) return item;
  const read = checkInput.safeParse(run);
  return read.success && sameJson(read.data, item) ? run : item;
}

/** The value of its only key, where that says the same. @param means what it is to say. */
function shortest(
  item: Json,
  keys: readonly string[],
  schema: { safeParse(value: unknown): { success: boolean; data?: unknown } },
  means: Json = item,
): Json {
  const [first, ...more] = Object.entries(item as Document);
  if (first === undefined || more.length > 0 || !keys.includes(first[0])) return item;
  const read = schema.safeParse(first[1]);
  return read.success && sameJson(read.data, means) ? first[1] : item;
}

/** What is not seen, what turns the direction of text, what ends a line elsewhere, and half a surrogate pair. */
const odd =
  /[^\t\n\x20-\x7e\u00a0-\u061b\u061d-\u1fff\u2010-\u2027\u2030-\u2065\u206a-\ud7ff\ue000-\ufefe\uff00-\ufffc\u{10000}-\u{10ffff}]/gu;
const isOdd = (text: string): boolean => text.search(odd) >= 0;
const escaped = (char: string): string => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;

function toYaml(value: object, schema: string | undefined): string {
  const document = new YamlDocument(value, { aliasDuplicateObjects: false });
  visit(document, {
    Scalar(_, scalar) {
      if (isScalar(scalar) && typeof scalar.value === 'string' && isOdd(scalar.value)) scalar.type = 'QUOTE_DOUBLE';
    },
  });
  // What is odd stands between double quotes only, where an escape means the same.
  const text = document.toString({ lineWidth: 0 }).replace(odd, escaped);
  return schema === undefined ? text : `# yaml-language-server: $schema=${schema}\n${text}`;
}
