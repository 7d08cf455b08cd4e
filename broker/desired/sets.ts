/** A person's `set`, from the message to its answer: who may be meant, what it says, journal, result. */
import type { Clock } from '../../shared/clock.ts';
import { type Answers, type Asked, nameOf, remembered } from '../orders/answers.ts';
import { unknownNode } from '../orders/orders.ts';
import { readSet, refuseGroup } from './desired.ts';
import type { Journal } from './journal.ts';

export class Sets {
  readonly #journal: Journal;
  readonly #answers: Answers;
  readonly #clock: Clock;

  constructor(journal: Journal, answers: Answers, clock: Clock) {
    this.#journal = journal;
    this.#answers = answers;
    this.#clock = clock;
  }

  /** A `set` or `set/<key…>` on a node topic. */
  handle(question: Asked): void {
    const { target, rest } = question.topic;
    if (target.kind !== 'one') {
      const role = target.kind === 'role' ? target.role : 'all';
      this.#answers.refuseStranger(question, () => refuseGroup(role, rest));
      return;
    }
    const node = target.id;
    const entry = this.#journal.nodes.get(node);
    if (!entry) {
      this.#answers.refuseStranger(question, () => unknownNode(node, [...this.#journal.nodes.keys()]));
      return;
    }
    const { tx, services } = readSet(node, entry, rest, question.message.payload);
    const asked = remembered(question, tx);
    if (!services.ok) {
      this.#answers.refuse(asked, services.error);
      return;
    }
    const told: Parameters<Journal['submit']>[1] = (error, rev) => {
      if (error) this.#answers.refuse(asked, error);
      else this.#answers.reply(asked, true, { rev });
    };
    // The same again is accepted and changes nothing; but what it equals may itself still wait for its sync.
    if (services.value === undefined) this.#journal.afterPending(entry.rev, told);
    else {
      const from = question.message.from;
      const by = from && nameOf(from);
      const change = { node, services: services.value, what: 'set', key: rest.join('.'), by } as const;
      this.#journal.submit({ ...change, atMs: this.#clock.wall() }, told);
    }
  }
}
