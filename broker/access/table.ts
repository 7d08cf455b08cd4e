/**
 * Who may write and who may read a topic: the one table. Synchronous and pure; the router asks it once per topic and
 * keeps the answer beside the topic's subscribers.
 *
 * | topic                                       | written by                             | read by                                 |
 * | ------------------------------------------- | -------------------------------------- | --------------------------------------- |
 * | …/set, …/do/<verb>                          | admin, operator                        | admin, operator, viewer                 |
 * | room set/{dials}, do/<verb>                 | admin, operator, integration           | admin, operator, viewer                 |
 * | one node's set/{switches}, do/{buttons}     | admin, operator, integration           | admin, operator, viewer                 |
 * | one node's set/agent                        | admin, operator; integration: `follow` | admin, operator, viewer                 |
 * | …/do/forget, …/do/exec                      | admin                                  | admin                                   |
 * | …/in/<reading>                              | admin, operator, integration           | admin, operator, viewer                 |
 * | node is info load cores                     | that node                              | admin, operator, viewer; integration    |
 * | node sensors                                | that node                              | admin, operator, viewer; integration    |
 * | node heartbeat lwt log done                 | that node                              | admin, operator, viewer                 |
 * | node want                                   | supervisor                             | that node; admin, operator, viewer      |
 * | node cmd work                               | supervisor                             | that node                               |
 * | node status power; room is status result    | supervisor                             | admin, operator, viewer; integration    |
 * | job own is out result, and anything else    | supervisor                             | admin, operator, viewer                 |
 * | <base>/status info event                    | supervisor                             | admin, operator, viewer; integration    |
 * | <base>/hello                                | supervisor                             | admin, operator, viewer; nodes          |
 * | <base>/audit                                | supervisor                             | admin                                   |
 * | other topics below <base>                   | nobody                                 | admin, operator, viewer                 |
 * | topics outside <base>                       | admin, operator, integration           | the same, and viewer                    |
 * | $…                                          | nobody                                 | nobody                                  |
 *
 * Dials, switches and buttons are in integration.ts.
 */
import { limits } from '../../shared/limits.ts';
import { type NounTopic, parseTopic, type Topic } from '../../shared/topics.ts';
import { asksOf, fabricView, nodeView, roomView, wordOf } from './integration.ts';
import { type Access, roleBit } from './principals.ts';

/** What the table says about one topic. */
export interface TopicRule {
  /** Roles that may, one bit each. */
  readonly writers: number;
  readonly readers: number;
  /** The node it belongs to, and what that one may do beside the roles. */
  readonly owner: string | undefined;
  /** An integration may say this here, and nothing else. */
  readonly integrationSays: string | undefined;
  readonly ownerWrites: boolean;
  readonly ownerReads: boolean;
  /** Retained copies are never kept: orders, readings and telemetry. */
  readonly stripRetain: boolean;
  /** Longest payload, bytes. */
  readonly payloadBytes: number;
  /** What is wrong with the topic itself, where something is. */
  readonly reason: string | undefined;
}

const { admin, operator, viewer, integration, node } = roleBit;
const nobody = 0;
const people = admin | operator | viewer;
const asking = admin | operator;

/** Parts that a node writes about itself. */
const nodeWrites = new Set<string>(['is', 'info', 'load', 'cores', 'heartbeat', 'lwt', 'log', 'done', 'sensors']);
/** Parts that the supervisor sends to one node. `want` is signed, not secret, and people may look at it. */
const nodeReads = new Set<string>(['want', 'cmd', 'work']);
/** Nobody but the addressed node needs an order. */
const nodeOnly = new Set<string>(['cmd', 'work']);
const neverRetained = new Set<string>([
  'load',
  'lwt',
  'cmd',
  'work',
  'cores',
  'heartbeat',
  'log',
  'done',
  'sensors',
  'power',
]);
const long = new Set<string>(['work', 'done']);
/** They end a thing for good, or run anything at all. */
const adminVerbs = new Set<string>(['forget', 'exec']);

const rule = (rest: Partial<TopicRule>): TopicRule => ({
  writers: nobody,
  readers: people,
  owner: undefined,
  integrationSays: undefined,
  ownerWrites: false,
  ownerReads: false,
  stripRetain: false,
  payloadBytes: limits.message,
  reason: undefined,
  ...rest,
});
const outside = rule({ writers: asking | integration, readers: people | integration });
const brokersOwn = rule({ readers: nobody, reason: 'topics that start with "$" are the broker\'s own' });
const order = rule({ writers: asking, stripRetain: true });
const adminOrder = rule({ writers: admin, readers: admin, stripRetain: true });
const widerOrder = rule({ writers: asking | integration, stripRetain: true });
const ofSupervisor = rule({});
const forIntegrations = rule({ readers: people | integration });
const hello = rule({ readers: people | node });
const audit = rule({ readers: admin });

/** The rule of a topic. Topics outside `base` are ordinary MQTT. */
export function ruleOf(topic: string, base: string): TopicRule {
  if (topic.startsWith('$')) return brokersOwn;
  if (topic !== base && !topic.startsWith(`${base}/`)) return outside;
  const levels = topic.slice(base.length + 1).split('/', 5);
  const [, , part = '', verb = ''] = levels;
  // Orders pass whatever they address: the supervisor says on `result` what is wrong with the address.
  if (part === 'do' && adminVerbs.has(verb)) return adminOrder;
  if (part === 'do' || part === 'set' || part === 'in') {
    const word = wordOf(levels);
    if (word !== undefined) return { ...order, integrationSays: word };
    return asksOf(levels) ? widerOrder : order;
  }
  const parsed = parseTopic(topic, base);
  return parsed.ok ? ruleOfParsed(parsed.value) : rule({ reason: parsed.error.message });
}

function ruleOfParsed(topic: Topic): TopicRule {
  if (topic.kind === 'noun') return topic.noun === 'node' ? ruleOfNode(topic) : ruleOfOther(topic);
  const part: string = topic.part;
  if (part === 'hello') return hello;
  if (part === 'audit') return audit;
  return fabricView.has(part) ? forIntegrations : ofSupervisor;
}

const ruleOfOther = ({ noun, part }: NounTopic): TopicRule =>
  noun === 'room' && roomView.has(part) ? forIntegrations : ofSupervisor;

function ruleOfNode({ target, part }: NounTopic): TopicRule {
  // `node/all/…` and `node/@role/…` only take orders, which were answered above.
  if (target.kind !== 'one') return rule({ reason: `"${part}" belongs to one node` });
  return rule({
    readers: nodeOnly.has(part) ? nobody : nodeView.has(part) ? people | integration : people,
    owner: target.id,
    // What is the node's own to write is not its to read: it knows it.
    ownerWrites: nodeWrites.has(part),
    ownerReads: nodeReads.has(part),
    stripRetain: neverRetained.has(part),
    payloadBytes: long.has(part) ? limits.work : limits.message,
  });
}

export const mayWrite = (topic: TopicRule, { bit, node }: Access): boolean =>
  (topic.writers & bit) !== 0 || (topic.ownerWrites && topic.owner === node);

export const mayRead = (topic: TopicRule, { bit, node }: Access): boolean =>
  (topic.readers & bit) !== 0 || (topic.ownerReads && topic.owner === node);

/** Whether these very words may be written by one who may write no others there. */
export const maySay = ({ integrationSays }: TopicRule, { bit }: Access, payload: Uint8Array): boolean =>
  integrationSays !== undefined && bit === integration && lenient.decode(payload.subarray(0, 64)) === integrationSays;
const lenient = new TextDecoder();

/** Why `access` may not write the topic, in words for `result`; undefined where it may. */
export function whyNotWrite(topic: TopicRule, access: Access): string | undefined {
  if (mayWrite(topic, access)) return undefined;
  if (topic.reason !== undefined) return topic.reason;
  if (topic.integrationSays !== undefined && access.bit === integration)
    return `the role "integration" may say "${topic.integrationSays}" here, and nothing else`;
  if (topic.writers === admin) return 'only an admin may do that';
  if (topic.writers !== nobody) return `the role "${access.role ?? 'nobody'}" may not write this topic`;
  return topic.ownerWrites
    ? 'only the node itself writes this topic'
    : 'only the supervisor writes this topic: ask for a change on …/set or …/do/<verb>';
}

const hasWildcard = (filter: string): boolean => filter.includes('+') || filter.includes('#');

/**
 * Why a client may not subscribe to `filter`; undefined where it may. A filter with wildcards passes: what it may not
 * read is left out at delivery.
 */
export function whyNotSubscribe(filter: string, base: string, access: Access): string | undefined {
  if (filter.startsWith('$')) return 'shared subscriptions and "$" topics are not served';
  if (hasWildcard(filter)) return undefined;
  return mayRead(ruleOf(filter, base), access) ? undefined : 'this client may not read that topic';
}
