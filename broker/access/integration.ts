/**
 * What Home Assistant may do and see, whichever way it comes: with a login of the role `integration` on Hearth's own broker,
 * or from the user's broker over the uplink. The one list; table.ts makes rules of it, and the uplink goes by those rules.
 */
import { isId } from '../../shared/names.ts';

/** Keys of a room that are as the dial of a thermostat. Others name commands that nodes run: they are for people. */
export const roomDials = ['mode', 'target_c', 'preset', 'max_w'] as const;
/** Keys of a node's document that are a switch to Home Assistant. */
export const nodeSwitches = ['drain'] as const;
/**
 * Keys of a node's document of which one word is Home Assistant's to say: the node becomes its supervisor's version. Any
 * other names a program by its hash, and that is for people.
 */
export const nodeWords: Readonly<Record<string, string>> = { agent: 'follow' };
/** Verbs of a node that are a button to Home Assistant. None of them runs anything of the sender's. */
export const nodeButtons = ['identify', 'reboot', 'wake', 'drain', 'resume'] as const;

const has = (list: readonly string[], word: string): boolean => list.includes(word);

/**
 * Whether an integration may write this topic below the base, by its levels behind that. Forgetting is nobody's but an
 * admin's, and no group of nodes (`all`, `@role`) is a thing that Home Assistant shows.
 */
export function asksOf([noun = '', id = '', part = '', word = '', ...more]: readonly string[]): boolean {
  if (part === 'in') return true;
  if (noun === 'room') return part === 'do' || (part === 'set' && more.length === 0 && has(roomDials, word));
  if (noun !== 'node' || more.length > 0 || !isId(id)) return false;
  return part === 'set' ? has(nodeSwitches, word) : part === 'do' && has(nodeButtons, word);
}

/** The one word that an integration may say on this topic; undefined where there is none, or where it may say anything. */
export const wordOf = ([noun, id = '', part, word = '', ...more]: readonly string[]): string | undefined =>
  noun === 'node' && part === 'set' && more.length === 0 && isId(id) && Object.hasOwn(nodeWords, word)
    ? nodeWords[word]
    : undefined;

/** What it reads. */
export const nodeView: ReadonlySet<string> = new Set(['status', 'info', 'is', 'load', 'cores', 'sensors', 'power']);
export const roomView: ReadonlySet<string> = new Set(['is', 'status', 'result']);
export const fabricView: ReadonlySet<string> = new Set(['status', 'info', 'event']);
/** Of that no entity is made, and it may be much: it stays on Hearth's own broker. */
export const notMirrored: ReadonlySet<string> = new Set(['cores', 'sensors', 'event']);
