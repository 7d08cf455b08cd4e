/**
 * The direction rules: who may write and who may read a topic. One synchronous table; the router asks it once per topic
 * and keeps the answer beside the topic's subscribers.
 */
import { limits } from '../../shared/limits.ts';
import { clientIdOf, nodeOfClientId, parseTopic, type Topic } from '../../shared/topics.ts';

/** What the table says about one topic. `owner` is the client id of the node it belongs to. */
export interface TopicRule {
  readonly writers: 'everybody' | 'supervisor' | 'owner' | 'nobody';
  /** `people`: everybody but nodes, and the node it belongs to. `owner`: only that node. `all`: nodes too. */
  readonly readers: 'people' | 'owner' | 'all';
  readonly owner?: string;
  /** Retained copies are never kept: orders, readings and telemetry. */
  readonly stripRetain: boolean;
  /** Longest payload, bytes. */
  readonly payloadBytes: number;
  /** Why nobody may write it. */
  readonly reason?: string;
}

/** Parts that a node writes about itself. */
const nodeWrites = new Set<string>(['is', 'info', 'load', 'cores', 'heartbeat', 'lwt', 'log', 'done']);
/** Parts that the supervisor sends to one node. */
const nodeReads = new Set<string>(['want', 'cmd', 'work']);
/** Nobody but the addressed node needs an order; `want` is signed, not secret, and people may look at it. */
const nodeOnly = new Set<string>(['cmd', 'work']);
const neverRetained = new Set<string>(['load', 'lwt', 'cmd', 'work', 'cores', 'heartbeat', 'log', 'done']);
const asked = new Set<string>(['set', 'do', 'in']);
const long = new Set<string>(['work', 'done']);

const rule = (rest: Partial<TopicRule>): TopicRule => ({
  writers: 'everybody',
  readers: 'people',
  stripRetain: false,
  payloadBytes: limits.message,
  ...rest,
});
const outside = rule({});
const order = rule({ stripRetain: true });
const ofSupervisor = rule({ writers: 'supervisor' });
const hello = rule({ writers: 'supervisor', readers: 'all' });

/** The rule of a topic. Topics outside `base` are ordinary MQTT. */
export function ruleOf(topic: string, base: string): TopicRule {
  if (topic.startsWith('$'))
    return rule({ writers: 'nobody', reason: 'topics that start with "$" are the broker\'s own' });
  if (topic !== base && !topic.startsWith(`${base}/`)) return outside;
  // Orders pass whatever they address: the supervisor says on `result` what is wrong with the address.
  if (asked.has(topic.split('/', 4)[3] ?? '')) return order;
  const parsed = parseTopic(topic, base);
  if (!parsed.ok) return rule({ writers: 'nobody', reason: parsed.error.message });
  return ruleOfParsed(parsed.value, base);
}

function ruleOfParsed(topic: Topic, base: string): TopicRule {
  if (topic.kind === 'fabric') return topic.part === 'hello' ? hello : ofSupervisor;
  const { noun, target, part } = topic;
  if (noun !== 'node') return ofSupervisor;
  const stripRetain = neverRetained.has(part);
  const payloadBytes = long.has(part) ? limits.work : limits.message;
  // `node/all/…` and `node/@role/…` only take orders, which were answered above.
  if (target.kind !== 'one') return rule({ writers: 'nobody', reason: `"${part}" belongs to one node` });
  const owner = clientIdOf(base, target.id);
  if (nodeReads.has(part)) {
    return rule({
      writers: 'supervisor',
      readers: nodeOnly.has(part) ? 'owner' : 'people',
      owner,
      stripRetain,
      payloadBytes,
    });
  }
  // What is the node's own to write is not its to read: it knows it.
  if (nodeWrites.has(part)) return rule({ writers: 'owner', owner, stripRetain, payloadBytes });
  return ofSupervisor;
}

/** Why this client may not write `topic`, in words for `result`; undefined where it may. */
export function whyNotWrite(rules: TopicRule, clientId: string): string | undefined {
  switch (rules.writers) {
    case 'everybody':
      return undefined;
    case 'supervisor':
      return 'only the supervisor writes this topic: ask for a change on …/set or …/do/<verb>';
    case 'owner':
      return clientId === rules.owner ? undefined : 'only the node itself writes this topic';
    default:
      return rules.reason ?? 'nobody may write this topic';
  }
}

/** Whether a client may read a topic. `node`: the client's id is one of a node, which reads its own orders and no more. */
export function mayRead(rules: TopicRule, clientId: string, node: boolean): boolean {
  if (rules.readers === 'all') return true;
  const own = clientId === rules.owner;
  if (node) return own && rules.writers === 'supervisor';
  return rules.readers === 'people' || own;
}

/** Whether a client id is one of a node of this base. */
export const isNodeClient = (base: string, clientId: string): boolean => nodeOfClientId(base, clientId) !== undefined;

const hasWildcard = (filter: string): boolean => filter.includes('+') || filter.includes('#');

/**
 * Why a client may not subscribe to `filter`; undefined where it may. A filter with wildcards passes: what it may not
 * read is left out at delivery.
 */
export function whyNotSubscribe(filter: string, base: string, clientId: string): string | undefined {
  if (filter.startsWith('$')) return 'shared subscriptions and "$" topics are not served';
  if (hasWildcard(filter)) return undefined;
  const readable = mayRead(ruleOf(filter, base), clientId, isNodeClient(base, clientId));
  return readable ? undefined : 'this client may not read that topic';
}
