/**
 * What passes between Hearth and the user's own broker, and nothing else does. Pure.
 *
 * | way  | topics below the base                                                                                  |
 * | ---- | ------------------------------------------------------------------------------------------------------ |
 * | out  | `status` `info`, `room/+/{is status result}`, `node/+/{status info is load power}`                      |
 * | back | `room/+/set/{the dials}`, `room/+/do/+` but forget, `room/+/in/+`, `node/+/set/{drain agent}`, `node/+/do/{identify reboot wake drain resume}` |
 *
 * Whoever may write to that broker has the rights of an integration, and the buttons that Home Assistant shows of a
 * node: a room's other keys name commands that nodes run, so they are for people with a login here. Orders, work,
 * documents and jobs stay at home. Out goes no `own` either: a filler's environment may hold a secret.
 */

import { parseTopic } from '../../shared/topics.ts';
import { roleBit } from '../access/principals.ts';
import { roomDials, ruleOf } from '../access/table.ts';

const fabricOut: ReadonlySet<string> = new Set(['status', 'info']);
const roomOut: ReadonlySet<string> = new Set(['is', 'status', 'result']);
const nodeOut: ReadonlySet<string> = new Set(['status', 'info', 'is', 'load', 'power']);
const nodeKeys: readonly string[] = ['drain', 'agent'];
const nodeVerbs: readonly string[] = ['identify', 'reboot', 'wake', 'drain', 'resume'];

/** Whether a topic of this cluster is told on the user's broker. */
export function isMirrored(topic: string, base: string): boolean {
  const parsed = parseTopic(topic, base);
  if (!parsed.ok) return false;
  const { value } = parsed;
  if (value.kind === 'fabric') return fabricOut.has(value.part);
  if (value.target.kind !== 'one') return false;
  return value.noun === 'room' ? roomOut.has(value.part) : value.noun === 'node' && nodeOut.has(value.part);
}

/** Whether a message on this topic of the user's broker is a command or a reading that Hearth takes from there. */
export function isCommand(topic: string, base: string): boolean {
  const parsed = parseTopic(topic, base);
  // A group of nodes (`node/all`, `node/@role`) is no thing that Home Assistant shows.
  if (!parsed.ok || parsed.value.kind !== 'noun' || parsed.value.target.kind !== 'one') return false;
  const { noun, part, rest } = parsed.value;
  const [word = ''] = rest;
  if (noun === 'node' && rest.length === 1) {
    return (part === 'set' && nodeKeys.includes(word)) || (part === 'do' && nodeVerbs.includes(word));
  }
  const asks = part === 'set' || part === 'do' || part === 'in';
  return noun === 'room' && asks && (ruleOf(topic, base).writers & roleBit.integration) !== 0;
}

/** Whether messages on a topic get to the user's broker or from there: for what is announced to Home Assistant. */
export const carries = (topic: string, base: string): boolean => isMirrored(topic, base) || isCommand(topic, base);

export const commandFilters = (base: string): readonly string[] => [
  ...roomDials.map(key => `${base}/room/+/set/${key}`),
  `${base}/room/+/do/+`,
  `${base}/room/+/in/+`,
  ...nodeKeys.map(key => `${base}/node/+/set/${key}`),
  ...nodeVerbs.map(verb => `${base}/node/+/do/${verb}`),
];

/** Where something may lie that an earlier life left: what is retained of things that are gone. */
export const leftFilters = (base: string): readonly string[] => [
  `${base}/room/+/is`,
  `${base}/room/+/status`,
  `${base}/node/+/status`,
  `${base}/node/+/info`,
  `${base}/node/+/is`,
];
