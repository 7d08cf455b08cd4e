/**
 * What passes between Hearth and the user's own broker, and nothing else does. Pure.
 *
 * Whoever may write to that broker has the rights of an integration, from the same list (broker/access/integration.ts): a
 * room's other keys name commands that nodes run, so they are for people with a login here. Out goes what an integration
 * reads, but what stays at home for being much. Orders, work, documents and jobs stay, and so does every `own`: a filler's
 * environment may hold a secret.
 */
import { parseTopic } from '../../shared/topics.ts';
import { nodeButtons, nodeSwitches, nodeWords, notMirrored, roomDials } from '../access/integration.ts';
import { type Access, roleBit } from '../access/principals.ts';
import { mayRead, maySay, mayWrite, ruleOf } from '../access/table.ts';

const integration: Access = { bit: roleBit.integration, role: 'integration', node: undefined };

/** Whether a topic of this cluster is told on the user's broker. */
export function isMirrored(topic: string, base: string): boolean {
  const parsed = parseTopic(topic, base);
  if (!parsed.ok || notMirrored.has(parsed.value.part)) return false;
  return mayRead(ruleOf(topic, base), integration);
}

/** Whether a message on this topic of the user's broker is a command or a reading that Hearth takes from there. */
export function isCommand(topic: string, base: string): boolean {
  const parsed = parseTopic(topic, base);
  if (!parsed.ok || parsed.value.kind !== 'noun' || parsed.value.target.kind !== 'one') return false;
  const { noun, part } = parsed.value;
  // Readings of other things than rooms mean nothing.
  const asks = part === 'set' || part === 'do' || (part === 'in' && noun === 'room');
  const rule = ruleOf(topic, base);
  return asks && (mayWrite(rule, integration) || rule.integrationSays !== undefined);
}

/** Whether a command may say this: of some only one word is Home Assistant's. */
export function mayCommand(topic: string, base: string, payload: Uint8Array): boolean {
  const rule = ruleOf(topic, base);
  return mayWrite(rule, integration) || maySay(rule, integration, payload);
}

/** Whether messages on a topic get to the user's broker or from there: for what is announced to Home Assistant. */
export const carries = (topic: string, base: string): boolean => isMirrored(topic, base) || isCommand(topic, base);

export const commandFilters = (base: string): readonly string[] => [
  ...roomDials.map(key => `${base}/room/+/set/${key}`),
  `${base}/room/+/do/+`,
  `${base}/room/+/in/+`,
  ...[...nodeSwitches, ...Object.keys(nodeWords)].map(key => `${base}/node/+/set/${key}`),
  ...nodeButtons.map(verb => `${base}/node/+/do/${verb}`),
];

/** Where something may lie that an earlier life left: what is retained of things that are gone. */
export const leftFilters = (base: string): readonly string[] => [
  `${base}/room/+/is`,
  `${base}/room/+/status`,
  `${base}/node/+/status`,
  `${base}/node/+/info`,
  `${base}/node/+/is`,
];
