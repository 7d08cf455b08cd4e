/**
 * The table as rules of an outside broker: every kind of topic that the contract knows, as a filter, with what the table
 * says of one topic of that kind. How a broker writes its rules down is for the files beside this one.
 */
import type { UserRole } from '../../shared/schemas/trust.ts';
import { commonParts, fabricParts, nodeParts, nouns, parseTopic } from '../../shared/topics.ts';
import { nodeButtons, nodeSwitches, roomDials } from './integration.ts';
import { accessOf } from './principals.ts';
import { mayRead, mayWrite, ruleOf } from './table.ts';

export interface OutsideRules {
  readonly base: string;
  /** Names of the people's logins, and what they are. */
  readonly users: readonly { readonly name: string; readonly role: UserRole }[];
  /** Nodes by name, where a broker cannot say "each its own". */
  readonly nodes: readonly string[];
  readonly supervisor: string;
  /** First levels of topics outside `base`: what is not named here is closed, for few brokers can say "all but". */
  readonly outside: readonly string[];
}

/** One kind of topic. `+` is any id, `*ID*` the node's own. */
export interface TopicKind {
  readonly filter: string;
  readonly write: boolean;
  readonly read: boolean;
  /** A part of another kind, for which it says otherwise. */
  readonly narrower: boolean;
}

/** Stands for a node's id in {@link nodeKinds}. */
export const ownId = '*ID*';

interface Kind {
  readonly filter: string;
  readonly sample: string;
  readonly narrower: boolean;
}

/** What follows a part, as a filter and in a sample. */
const after: Readonly<Record<string, readonly [filter: string, sample: string]>> = {
  set: ['/#', ''],
  do: ['/+', '/restart'],
  in: ['/+', '/temp_c'],
  log: ['/+', '/web'],
};
const adminVerbs = ['forget', 'exec'];

function kinds(base: string): Kind[] {
  const list: Kind[] = fabricParts.map(part => {
    const topic = `${base}/${part}`;
    return { filter: topic, sample: topic, narrower: false };
  });
  for (const noun of nouns) {
    for (const part of [...commonParts, ...nodeParts, 'out']) {
      const [filter, sample] = after[part] ?? ['', ''];
      const whole = `${base}/${noun}/n1/${part}${sample}`;
      if (!parseTopic(whole, base).ok) continue;
      list.push({ filter: `${base}/${noun}/+/${part}${filter}`, sample: whole, narrower: false });
    }
    for (const verb of adminVerbs) {
      list.push({ filter: `${base}/${noun}/+/do/${verb}`, sample: `${base}/${noun}/n1/do/${verb}`, narrower: true });
    }
  }
  for (const [noun, part, words] of [
    ['room', 'set', roomDials],
    ['node', 'set', nodeSwitches],
    ['node', 'do', nodeButtons],
  ] as const) {
    for (const word of words) {
      list.push({
        filter: `${base}/${noun}/+/${part}/${word}`,
        sample: `${base}/${noun}/n1/${part}/${word}`,
        narrower: true,
      });
    }
  }
  return list;
}

/** What people of a role may. */
export function roleKinds(base: string, role: UserRole): TopicKind[] {
  const access = accessOf({ role, name: 'somebody', how: 'password' });
  return kinds(base).map(({ filter, sample, narrower }) => {
    const rule = ruleOf(sample, base);
    return { filter, narrower, write: mayWrite(rule, access), read: mayRead(rule, access) };
  });
}

/** What a node may, of itself and of all. Only what it may at all is listed. */
export function nodeKinds(base: string): TopicKind[] {
  const may = (name: string, sample: string) => {
    const access = accessOf({ role: 'node', name, how: 'certificate' });
    const rule = ruleOf(sample, base);
    return { write: mayWrite(rule, access), read: mayRead(rule, access) };
  };
  return kinds(base).flatMap(({ filter, sample, narrower }) => {
    const own = may('n1', sample);
    const other = may('n2', sample);
    if (other.write || other.read) return [{ filter, narrower, ...other }];
    return own.write || own.read ? [{ filter: filter.replace('+', ownId), narrower, ...own }] : [];
  });
}

/** What a role may outside `base`. */
export function outsideKinds(rules: OutsideRules, role: UserRole): TopicKind[] {
  const access = accessOf({ role, name: 'somebody', how: 'password' });
  return rules.outside.map(prefix => {
    const rule = ruleOf(`${prefix}/x`, rules.base);
    return { filter: `${prefix}/#`, narrower: false, write: mayWrite(rule, access), read: mayRead(rule, access) };
  });
}
