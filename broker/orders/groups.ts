/**
 * Orders under way: each is to one node or to many, is accepted, and is finished with one result when every node has done it or
 * failed. Synchronous; `tick` watches the deadlines.
 */
import type { Clock, Random } from '../../shared/clock.ts';
import type { Answers, Asked } from './answers.ts';

/** How long nodes have for an answer. */
export const answerMs = 10_000;

export interface Group {
  readonly asked: Asked;
  readonly many: boolean;
  readonly n: number;
  okN: number;
  waiting: number;
  readonly failed: { readonly node: string; readonly why: string }[];
  readonly deadline: number;
  readonly ids: Set<string>;
  /** What is to be said of a success. */
  note?: string;
}

interface Waited {
  readonly node: string;
  readonly group: Group;
  /** That it is offline is no obstacle. */
  readonly asleep: boolean;
}

export interface GroupsParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly answers: Answers;
}

export class Groups {
  readonly #parts: GroupsParts;
  readonly #pending = new Map<string, Waited>();
  readonly #groups = new Set<Group>();
  #asleep = 0;

  constructor(parts: GroupsParts) {
    this.#parts = parts;
  }

  /** Orders to single nodes that wait for an answer of theirs. */
  get size(): number {
    return this.#pending.size - this.#asleep;
  }

  isPending(id: string): boolean {
    return this.#pending.has(id);
  }

  /** @param withinMs until it is over, whatever is missing then. */
  make(asked: Asked, n: number, many: boolean, withinMs: number = answerMs): Group {
    const deadline = this.#parts.clock.now() + withinMs;
    return { asked, many, n, okN: 0, waiting: 0, failed: [], deadline, ids: new Set() };
  }

  /** Says that it is accepted; it is over by {@link settle}, or by {@link finish} where nobody is waited for. */
  accept(group: Group): void {
    this.#parts.answers.reply(group.asked, true, { state: 'accepted', ...(group.many ? { n: group.n } : {}) });
    this.#groups.add(group);
  }

  /** @param asleep that it is offline is no obstacle. @returns the name under which the node's part is settled. */
  wait(group: Group, node: string, asleep = false): string {
    const id = this.#parts.random.hex(8);
    group.waiting++;
    group.ids.add(id);
    this.#pending.set(id, { node, group, asleep });
    if (asleep) this.#asleep++;
    return id;
  }

  /** A node's answer; false where nobody waits for it. @param why undefined: done. */
  done(id: string, node: string, why: string | undefined): boolean {
    if (this.#pending.get(id)?.node !== node) return false;
    this.settle(id, why);
    return true;
  }

  offline(node: string): void {
    for (const [id, order] of this.#pending) {
      if (order.node === node && !order.asleep) this.settle(id, 'went offline before it answered');
    }
  }

  tick(): void {
    const now = this.#parts.clock.now();
    for (const group of this.#groups) {
      if (now < group.deadline) continue;
      for (const id of [...group.ids]) this.settle(id, `no answer within ${answerMs / 1000} s`);
    }
  }

  /** @param why undefined: done. @param more of the node another answer is waited for. */
  settle(id: string, why: string | undefined, more = false): void {
    const order = this.#pending.get(id);
    if (!order) return;
    const { node, group, asleep } = order;
    this.#pending.delete(id);
    if (asleep) this.#asleep--;
    group.ids.delete(id);
    group.waiting--;
    if (why === undefined) group.okN += more ? 0 : 1;
    else group.failed.push({ node, why });
    if (group.waiting === 0) this.finish(group);
  }

  finish(group: Group): void {
    this.#groups.delete(group);
    const { asked, many, n, okN, failed, note } = group;
    const first = failed[0];
    const error = first && (many ? `${first.node}: ${first.why}` : first.why);
    const names = failed.map(({ node }) => node).join(',');
    const counts = many ? { n, ok_n: okN } : {};
    const who = many && names !== '' ? { failed: names.length <= 500 ? names : `${names.slice(0, 499)}…` } : {};
    const why = error === undefined ? {} : { error: error.slice(0, 500) };
    const told = note === undefined ? {} : { value: note };
    this.#parts.answers.reply(asked, okN === n, { state: 'finished', ...counts, ...who, ...why, ...told });
  }
}
