/**
 * The topic grammar: `<base>/<noun>/<id>/<part>[/<rest>]` and the fabric's own topics `<base>/<part>`.
 * Building, parsing and matching live here and nowhere else.
 */
import { type ContractError, fail, ok, type Result } from './errors.ts';
import { limits } from './limits.ts';
import { isId, isItemName, isJobId, printable } from './names.ts';

export const nouns = ['node', 'role', 'service', 'job', 'room'] as const;
export type Noun = (typeof nouns)[number];

/** Parts that any noun has. */
export const commonParts = ['set', 'do', 'in', 'own', 'want', 'is', 'result', 'status'] as const;
/** Parts that only a node has. */
export const nodeParts = [
  'lwt',
  'info',
  'load',
  'heartbeat',
  'cores',
  'log',
  'cmd',
  'work',
  'done',
  'sensors',
  'power',
] as const;
export type Part = (typeof commonParts)[number] | (typeof nodeParts)[number] | 'out' | 'failed';

export const fabricParts = ['status', 'info', 'event', 'hello', 'result', 'audit'] as const;
export type FabricPart = (typeof fabricParts)[number];

/** What a group address names: every node, or the nodes of a role. */
export type Target =
  | { readonly kind: 'one'; readonly id: string }
  | { readonly kind: 'all' }
  | { readonly kind: 'role'; readonly role: string };

export interface NounTopic {
  readonly kind: 'noun';
  readonly noun: Noun;
  readonly target: Target;
  readonly part: Part;
  /** The levels after the part: key path of a `set`, verb of a `do`, reading of an `in`, service of a `log` and who asked for it. */
  readonly rest: readonly string[];
}

export interface FabricTopic {
  readonly kind: 'fabric';
  readonly part: FabricPart;
}

export type Topic = NounTopic | FabricTopic;

const nounSet = new Set<string>(nouns);
const fabricSet = new Set<string>(fabricParts);
const commonSet = new Set<string>(commonParts);
const nodeSet = new Set<string>(nodeParts);

function isPart(noun: Noun, part: string): part is Part {
  if (commonSet.has(part) || (noun === 'node' && nodeSet.has(part))) return true;
  return (noun === 'job' && part === 'out') || (noun === 'role' && part === 'failed');
}

function parseTarget(noun: Noun, text: string): Target | ContractError {
  if (noun === 'node' && text === 'all') return { kind: 'all' };
  if (noun === 'node' && text.startsWith('@')) {
    const role = text.slice(1);
    if (isId(role) || role === 'all') return { kind: 'role', role };
  }
  if (noun === 'role' && text === 'all') return { kind: 'one', id: 'all' };
  if (noun === 'job' ? isJobId(text) : isId(text)) return { kind: 'one', id: text };
  const most = noun === 'job' ? 64 : 20;
  const rule = `use 1 to ${most} of a-z, 0-9 and "-"`;
  return { code: 'id', message: `"${printable(text)}" is not a ${noun} id: ${rule}` };
}

/** Levels after the part: none, a key path, one word, or one name. */
function checkRest(part: Part, rest: readonly string[]): ContractError | undefined {
  switch (part) {
    case 'set':
      if (rest.length > limits.keyLevels) {
        return { code: 'topic', message: `a key path has at most ${limits.keyLevels} levels, this one ${rest.length}` };
      }
      for (const level of rest) {
        if (!isItemName(level)) {
          const use = 'use 1 to 64 of A-Z a-z 0-9 . _ @ : ~ - or send JSON to …/set';
          return { code: 'topic', message: `"${printable(level)}" cannot be a key in a topic: ${use}` };
        }
      }
      return undefined;
    case 'do':
      return rest.length === 1 && isId(rest[0] ?? '')
        ? undefined
        : { code: 'topic', message: 'a "do" topic ends in one verb, such as …/do/restart' };
    case 'log':
      return (rest.length === 1 || (rest.length === 2 && isId(rest[1] ?? ''))) && isItemName(rest[0] ?? '')
        ? undefined
        : { code: 'topic', message: 'a "log" topic ends in one name, or one and who asked' };
    case 'in':
      return rest.length === 1 && isItemName(rest[0] ?? '')
        ? undefined
        : { code: 'topic', message: `a "${part}" topic ends in one name` };
    default:
      return rest.length === 0
        ? undefined
        : {
            code: 'topic',
            message: `nothing may follow "${part}" in a topic, but "${printable(rest.join('/'))}" does`,
          };
  }
}

/**
 * Parses a topic name (not a filter).
 * @param base the cluster's topic base, such as `hearth`.
 * @returns the topic, or an error that says which level is wrong. Never throws.
 */
export function parseTopic(topic: string, base: string): Result<Topic> {
  if (topic.length > limits.topic) return fail('topic', `a topic is at most ${limits.topic} characters long`);
  const levels = topic.split('/');
  if (levels[0] !== base) return fail('topic', `"${printable(topic)}" is not below "${base}/"`);
  const second = levels[1] ?? '';
  if (levels.length === 2) {
    return fabricSet.has(second)
      ? ok({ kind: 'fabric', part: second as FabricPart })
      : fail('topic', `"${printable(topic)}" is no topic of this cluster: after "${base}/" comes ${nouns.join(', ')}`);
  }
  if (!nounSet.has(second)) {
    return fail('topic', `"${printable(second)}" is no kind of thing here: use ${nouns.join(', ')}`);
  }
  const noun = second as Noun;
  const target = parseTarget(noun, levels[2] ?? '');
  if ('code' in target) return { ok: false, error: target };
  const part = levels[3] ?? '';
  if (!isPart(noun, part)) {
    return fail('topic', `"${printable(part)}" is no part of a ${noun}: publish to …/set, …/set/<key> or …/do/<verb>`);
  }
  const rest = levels.slice(4);
  const error = checkRest(part, rest);
  return error ? { ok: false, error } : ok({ kind: 'noun', noun, target, part, rest });
}

const targetText = (target: Target): string =>
  target.kind === 'one' ? target.id : target.kind === 'all' ? 'all' : `@${target.role}`;

/** The topic as text: the inverse of {@link parseTopic}. */
export function formatTopic(topic: Topic, base: string): string {
  if (topic.kind === 'fabric') return `${base}/${topic.part}`;
  const head = `${base}/${topic.noun}/${targetText(topic.target)}/${topic.part}`;
  return topic.rest.length === 0 ? head : `${head}/${topic.rest.join('/')}`;
}

/** Short builders for the topics the two processes use all the time. */
export const topicsOf = (base: string) => ({
  node: (id: string, part: Part, ...rest: string[]): string =>
    rest.length === 0 ? `${base}/node/${id}/${part}` : `${base}/node/${id}/${part}/${rest.join('/')}`,
  of: (noun: Noun, id: string, part: Part): string => `${base}/${noun}/${id}/${part}`,
  fabric: (part: FabricPart): string => `${base}/${part}`,
});

/** The MQTT client id of a node (contract, Presence 1). */
export const clientIdOf = (base: string, node: string): string => `${base}-${node}`;

/** The node that a client id names, if it is one. */
export function nodeOfClientId(base: string, clientId: string): string | undefined {
  if (!clientId.startsWith(`${base}-`)) return undefined;
  const id = clientId.slice(base.length + 1);
  return isId(id) ? id : undefined;
}

/**
 * Whether an MQTT filter matches a topic name (MQTT 3.1.1 and 5, section 4.7): `+` one level, `#` the rest and the
 * parent level, and a filter starting with a wildcard never matches a topic starting with `$`.
 */
export function matches(filter: string, topic: string): boolean {
  if (topic.startsWith('$') && (filter.startsWith('+') || filter.startsWith('#'))) return false;
  const pattern = filter.split('/');
  const levels = topic.split('/');
  for (let index = 0; index < pattern.length; index++) {
    const level = pattern[index];
    if (level === '#') return index === pattern.length - 1;
    if (index >= levels.length) return false;
    if (level !== '+' && level !== levels[index]) return false;
  }
  return pattern.length === levels.length;
}

/** Whether every topic that `narrow` matches is matched by `wide` too; both are filters. A filter covers itself. */
export function covers(wide: string, narrow: string): boolean {
  if (/^[+#]/.test(wide) && narrow.startsWith('$')) return false;
  const pattern = wide.split('/');
  const levels = narrow.split('/');
  for (const [index, level] of pattern.entries()) {
    if (level === '#') return true;
    const other = levels[index];
    if (other === undefined || other === '#' || (level !== '+' && level !== other)) return false;
  }
  return pattern.length === levels.length;
}
