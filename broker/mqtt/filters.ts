/** Validity of topic names and filters (MQTT 3.1.1 and 5, section 4.7), and the tree that finds a topic's subscribers. */
import { printable } from '../../shared/names.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these must not travel in a topic
const unprintable = /[\u0000-\u001f\u007f-\u009f\ufffd]/;

/** Forwarded as they came, such bytes make strict receivers drop their connection. */
export const isUnprintable = (text: string): boolean => unprintable.test(text);

interface Bounds {
  readonly topicLevels: number;
  readonly topicCharacters: number;
}

function levelsIn(text: string): number {
  let levels = 1;
  for (let i = text.indexOf('/'); i !== -1; i = text.indexOf('/', i + 1)) levels++;
  return levels;
}

function whyNeither(text: string, bounds: Bounds): string | undefined {
  if (text.length === 0) return 'the topic is empty';
  if (text.length > bounds.topicCharacters) return `a topic is at most ${bounds.topicCharacters} characters long`;
  if (levelsIn(text) > bounds.topicLevels) return `a topic has at most ${bounds.topicLevels} levels`;
  if (isUnprintable(text)) return `"${printable(text)}" holds bytes that are no printable UTF-8`;
  return undefined;
}

/** What is wrong with a topic name, in words for people; undefined where nothing is. */
export function whyNoTopic(topic: string, bounds: Bounds): string | undefined {
  const wrong = whyNeither(topic, bounds);
  if (wrong) return wrong;
  return topic.includes('+') || topic.includes('#') ? 'a message cannot be published to a wildcard' : undefined;
}

/** What is wrong with a topic filter; undefined where nothing is. */
export function whyNoFilter(filter: string, bounds: Bounds): string | undefined {
  const wrong = whyNeither(filter, bounds);
  if (wrong) return wrong;
  const levels = filter.split('/');
  for (const [index, level] of levels.entries()) {
    if (level === '#' ? index !== levels.length - 1 : level !== '+' && /[+#]/.test(level)) {
      return `"${printable(filter)}" is no topic filter: "+" is a whole level, "#" the last one`;
    }
  }
  return undefined;
}

interface Branch<T> {
  children: Map<string, Branch<T>> | undefined;
  values: Set<T> | undefined;
}

/** Filters and what is filed under them. Cost of a look-up: the levels of the topic, not the number of filters. */
export class FilterTree<T> {
  private readonly root: Branch<T> = { children: undefined, values: undefined };

  add(filter: string, value: T): void {
    let branch = this.root;
    for (const level of filter.split('/')) {
      branch.children ??= new Map();
      let next = branch.children.get(level);
      if (!next) {
        next = { children: undefined, values: undefined };
        branch.children.set(level, next);
      }
      branch = next;
    }
    branch.values ??= new Set();
    branch.values.add(value);
  }

  remove(filter: string, value: T): void {
    this.prune(this.root, filter.split('/'), 0, value);
  }

  /** @returns whether the branch is empty now. */
  private prune(branch: Branch<T>, levels: readonly string[], depth: number, value: T): boolean {
    const level = levels[depth];
    if (level === undefined) {
      branch.values?.delete(value);
      if (branch.values?.size === 0) branch.values = undefined;
    } else {
      const child = branch.children?.get(level);
      if (child && this.prune(child, levels, depth + 1, value)) branch.children?.delete(level);
      if (branch.children?.size === 0) branch.children = undefined;
    }
    return !branch.values && !branch.children;
  }

  /** Everything filed under a filter that matches `topic`, to `found`. A value under several filters comes several times. */
  match(topic: string, found: (value: T) => void): void {
    this.collect(this.root, topic.split('/'), 0, topic.startsWith('$'), found);
  }

  private collect(
    branch: Branch<T>,
    levels: readonly string[],
    depth: number,
    hidden: boolean,
    found: (value: T) => void,
  ) {
    const { children } = branch;
    const level = levels[depth];
    const wild = !(hidden && depth === 0);
    if (children && wild) {
      const rest = children.get('#');
      if (rest?.values) for (const value of rest.values) found(value);
    }
    if (level === undefined) {
      if (branch.values) for (const value of branch.values) found(value);
      return;
    }
    if (!children) return;
    const exact = children.get(level);
    if (exact) this.collect(exact, levels, depth + 1, hidden, found);
    const any = wild ? children.get('+') : undefined;
    if (any) this.collect(any, levels, depth + 1, hidden, found);
  }
}
