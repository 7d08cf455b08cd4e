/** A person's `set`, from the message to its answer: who may be meant, what it says, journal, result. */
import type { Clock } from '../../shared/clock.ts';
import type { ContractError, Result } from '../../shared/errors.ts';
import { limits } from '../../shared/limits.ts';
import { isId, printable } from '../../shared/names.ts';
import { type Answers, type Asked, nameOf, remembered } from '../orders/answers.ts';
import { unknownNode } from '../orders/orders.ts';
import type { Rollouts } from '../rollout/rollouts.ts';
import { isRolloutVerb, order, type RolloutVerb, readMark, rolloutVerbs } from '../rollout/verbs.ts';
import type { RoleEntry } from './compile.ts';
import { readSet, refuseGroup } from './desired.ts';
import type { Change, Journal } from './journal.ts';
import type { Wants } from './wants.ts';

export interface SetsParts {
  readonly journal: Journal;
  readonly wants: Wants;
  readonly answers: Answers;
  readonly rollouts: Rollouts;
  readonly clock: Clock;
}

type WithoutHistory<T> = T extends unknown ? Omit<T, 'what' | 'by' | 'key' | 'atMs'> : never;
type Proposed = WithoutHistory<Change>;

const noRole: RoleEntry = { document: {}, rev: 0 };

export class Sets {
  readonly #parts: SetsParts;

  constructor(parts: SetsParts) {
    this.#parts = parts;
  }

  /** A `set` or `set/<key…>` on a node's topic. */
  node(question: Asked): void {
    const { journal, answers } = this.#parts;
    const { target, rest } = question.topic;
    if (target.kind !== 'one') {
      const role = target.kind === 'role' ? target.role : 'all';
      answers.refuseStranger(question, () => refuseGroup(role, rest));
      return;
    }
    const node = target.id;
    const entry = journal.nodes.get(node);
    if (!entry) {
      answers.refuseStranger(question, () => unknownNode(node, [...journal.nodes.keys()]));
      return;
    }
    const { tx, document } = readSet('node', entry, rest, question.message.payload);
    const next = document.ok && document.value ? this.#parts.wants.changedNode(node, entry, document.value) : undefined;
    const change = next?.ok ? ({ noun: 'node', id: node, entry: next.value } as const) : undefined;
    this.#settle(remembered(question, tx), entry.rev, document.ok ? next : document, change);
  }

  /** `do/drain` and `do/resume`: part of what is wanted, so that a node that is away does it when it is back. */
  drain(node: string, on: boolean, by: string | undefined, done: (error?: ContractError) => void): void {
    const { journal, clock } = this.#parts;
    const entry = journal.nodes.get(node);
    if (!entry || (entry.document.drain ?? false) === on) {
      journal.afterPending(entry?.rev ?? 0, done);
      return;
    }
    const { drain: _, ...rest } = entry.document;
    const document = on ? { ...rest, drain: true } : rest;
    const what = { what: 'set', key: 'drain', by, atMs: clock.wall() } as const;
    journal.submit({ noun: 'node', id: node, entry: { ...entry, document }, ...what }, done);
  }

  /** A `set` or `set/<key…>` on a role's topic: the role comes into being by it. */
  role(question: Asked): void {
    const { journal, rollouts, answers } = this.#parts;
    const { target, rest } = question.topic;
    const role = target.kind === 'one' ? target.id : '';
    const known = journal.roles.get(role);
    const problem = known ? undefined : this.#noNewRole(role);
    if (problem) {
      answers.refuseStranger(question, () => problem);
      return;
    }
    const before = known ?? noRole;
    const { tx, document } = readSet('role', before, rest, question.message.payload);
    const said = document.ok && document.value;
    const plan = said ? rollouts.plan(role, before, said) : undefined;
    const change = plan?.ok ? ({ noun: 'role', id: role, ...plan.value } as const) : undefined;
    this.#settle(remembered(question, tx), before.rev, document.ok ? plan : document, change);
  }

  /** A `do` on a role's topic: what it said is said no more, or how a change to it goes on. */
  roleOrder(question: Asked): void {
    const { journal, answers } = this.#parts;
    const { target, rest } = question.topic;
    const role = target.kind === 'one' ? target.id : '';
    const known = journal.roles.get(role);
    const [verb = ''] = rest;
    if (verb !== 'forget' && !isRolloutVerb(verb)) {
      const all = ['forget', ...rolloutVerbs].join(', ');
      const message = `"${printable(verb)}" is no verb of a role: known are ${all}; orders to its nodes go to …/node/@${printable(role)}/do/VERB`;
      answers.refuseStranger(question, () => ({ code: 'unknown-verb', message }));
      return;
    }
    if (!known || known.gone) {
      answers.refuseStranger(question, () => ({ code: 'id', message: `there is no role "${printable(role)}"` }));
      return;
    }
    if (verb === 'forget') this.#forgetRole(question, role, known);
    else this.#orderRollout(question, role, known, verb);
  }

  #orderRollout(question: Asked, role: string, known: RoleEntry, verb: RolloutVerb): void {
    const { rollouts, answers } = this.#parts;
    const { tx, problem } = readMark(question.message.payload);
    const asked = remembered(question, tx);
    const { from } = asked.message;
    const by = from && nameOf(from);
    const ordered = problem ? ({ ok: false, error: problem } as const) : order(verb, known, by);
    if (!ordered.ok) {
      answers.refuse(asked, ordered.error);
    } else if ('document' in ordered.value) {
      const plan = rollouts.plan(role, known, ordered.value.document);
      const change = plan.ok ? ({ noun: 'role', id: role, ...plan.value } as const) : undefined;
      this.#settle(asked, known.rev, plan, change, 'rollout');
    } else {
      if (ordered.value.anew) rollouts.forgetWatched(role);
      rollouts.submit(role, known, ordered.value.step, by, verb, this.#told(asked));
    }
  }

  #forgetRole(question: Asked, role: string, known: RoleEntry): void {
    const also = this.#parts.wants.changedRole(role, { document: {}, rev: 0 });
    const entry = { document: {}, gone: true } as const;
    const change = also.ok ? ({ noun: 'role', id: role, entry, also: also.value } as const) : undefined;
    this.#settle(remembered(question, undefined), known.rev, also, change, 'forget');
  }

  #noNewRole(role: string): ContractError | undefined {
    if (role !== 'all' && !isId(role)) return { code: 'id', message: 'not a role' };
    if (this.#parts.journal.roles.size < limits.roles) return undefined;
    return { code: 'full', message: `there are ${limits.roles} roles already, forgotten ones with them` };
  }

  #told(asked: Asked): Parameters<Journal['submit']>[1] {
    const { answers } = this.#parts;
    return (error, at) => {
      if (error) answers.refuse(asked, error);
      else answers.reply(asked, true, { rev: at });
    };
  }

  /** @param change undefined where the document says the same already, or was refused. */
  #settle(
    asked: Asked,
    rev: number,
    outcome: Result<unknown> | undefined,
    change: Proposed | undefined,
    what: Change['what'] = 'set',
  ): void {
    const { journal, answers, clock } = this.#parts;
    if (outcome && !outcome.ok) {
      answers.refuse(asked, outcome.error);
      return;
    }
    const told = this.#told(asked);
    // The same again is accepted and changes nothing; but what it equals may itself still wait for its sync.
    if (!change) journal.afterPending(rev, told);
    else {
      const { from } = asked.message;
      const by = from && nameOf(from);
      journal.submit({ ...change, what, key: asked.topic.rest.join('.'), by, atMs: clock.wall() }, told);
    }
  }
}
