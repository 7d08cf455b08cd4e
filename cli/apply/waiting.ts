/** Whether the nodes that an `apply` touched have become what they were told. Pure. */
import { printable } from '../../shared/names.ts';
import { itemKinds } from '../../shared/schemas/item.ts';
import type { Is } from '../../shared/schemas/observed.ts';
import type { RoleIs } from '../../shared/schemas/rollout.ts';
import type { NounPath } from './document.ts';
import type { NounPlan } from './plan.ts';
import type { Outlook } from './simulate.ts';
import { stepsOf } from './steps.ts';

/** What one node has to reach. */
export interface Goal {
  readonly node: string;
  /** Revision of the document that it was told. */
  readonly rev: number;
  /** Items that it is about, such as `services/web`: another one's trouble is no answer to this `apply`. */
  readonly items: readonly string[];
}

export interface Standing {
  readonly state: 'done' | 'failed' | 'working' | 'offline';
  /** What it does, or why it failed. */
  readonly text: string;
}

const moving = new Set(['starting', 'stopping', 'changing']);
const kinds: readonly string[] = itemKinds;

/** Converged: the revision is reached, none of the items is still moving, and nothing is wrong with them. */
export function standingOf({ rev, items }: Goal, is: Is | undefined, online: boolean): Standing {
  const busy = items
    .map(item => is?.items[item])
    .find(item => item && (item.doing !== undefined || moving.has(item.state)));
  if (is && is.rev >= rev && !busy) {
    const wrong = items.flatMap(item => {
      const err = is.items[item]?.err;
      return err === undefined || err === '' ? [] : [`${item}: ${err}`];
    });
    const err = wrong[0] ?? (concerns(is.err, items) ? is.err : '');
    return err === '' ? { state: 'done', text: 'done' } : { state: 'failed', text: printable(err, 500) };
  }
  if (!online) return { state: 'offline', text: 'is offline; waiting for it …' };
  return { state: 'working', text: busy?.doing === undefined ? 'has not done it yet …' : printable(busy.doing, 160) };
}

/** `is.err` begins with the item that it is about, where it is about one. */
function concerns(err: string, items: readonly string[]): boolean {
  const item = /^([a-z]+)\/[^:]+(?=: )/.exec(err);
  return item === null || !kinds.includes(item[1] ?? '') || items.includes(item[0]);
}

/** Every node that a document of the file reaches, changed just now or not. @param revs of the documents as they are now. */
export function goalsOf(
  plans: readonly NounPlan[],
  { roles, changes }: Outlook,
  revs: ReadonlyMap<NounPath, number>,
): readonly Goal[] {
  const planned = new Map(plans.map(plan => [plan.path, plan]));
  const changed = new Map(changes.map(change => [change.node, stepsOf(change).steps.map(({ item }) => item)]));
  return [...roles].flatMap(([node, names]) => {
    const paths: NounPath[] = [`node/${node}`, ...names.map(role => `role/${role}` as const)];
    const mine = paths.flatMap(path => planned.get(path) ?? []);
    if (mine.length === 0 && !changed.has(node)) return [];
    const said = mine.flatMap(plan => [...plan.said.keys()]);
    const rev = Math.max(0, ...paths.map(path => revs.get(path) ?? 0));
    return [{ node, rev, items: [...new Set([...said, ...(changed.get(node) ?? [])])] }];
  });
}

export interface RolloutStanding {
  /** `over`: it goes no further, and the nodes do not become what they were told. */
  readonly state: 'rolling' | 'done' | 'over';
  readonly text: string;
}

/**
 * How the rollout of a role goes on: a node that has done it may be put back as long as the rollout is not done.
 * @returns undefined where it is that of an earlier change.
 */
export function rolloutStanding(role: string, is: RoleIs, rev: number): RolloutStanding | undefined {
  if (is.rev < rev) return undefined;
  const far = `${is.ok_n} of ${is.nodes} nodes are well with it`;
  if (is.state === 'rolling' || is.state === 'done') return { state: is.state, text: `role/${role}: ${far}` };
  const why = is.why === '' ? '' : `: ${printable(is.why, 400)}`;
  const where = is.failed === '' ? '' : ` at ${is.failed}`;
  const how = is.state === 'reverted' ? 'was taken back' : is.state === 'paused' ? 'is paused' : 'has stopped';
  const text = `role/${role}: its rollout ${how}${where}${why}; ${far}`;
  return { state: is.state === 'paused' ? 'rolling' : 'over', text };
}

/** The line about a node, where it says something new. */
export class Progress {
  readonly #total: number;
  readonly #last = new Map<string, string>();
  readonly #done = new Set<string>();

  constructor(total: number) {
    this.#total = total;
  }

  line(node: string, { state, text }: Standing): string | undefined {
    if (this.#last.get(node) === text) return undefined;
    this.#last.set(node, text);
    if (state !== 'done') {
      this.#done.delete(node);
      return `${node}: ${text}`;
    }
    this.#done.add(node);
    return `${node}: done (${this.#done.size} of ${this.#total})`;
  }
}
