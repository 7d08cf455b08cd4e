/**
 * Where people's words about jobs come in: a `set` becomes a submission, a `do` an order, and each is answered once on `result`.
 * "Accepted" is said when the core says so, which is after the sync.
 */
import type { ContractError, Result } from '../../shared/errors.ts';
import { nearest, printable } from '../../shared/names.ts';
import type { JobDocument } from '../../shared/schemas/job.ts';
import type { Store } from '../../shared/store.ts';
import { readValue } from '../../shared/values.ts';
import { type Answers, type Asked, remembered as cut, nameOf } from '../orders/answers.ts';
import { type AcceptanceParts, completed, isWhole } from './acceptance.ts';
import { type Record, sha256 } from './code-audit.ts';
import type { Explanation } from './core/dispatch.ts';
import type { JobEvent } from './core/events.ts';
import { remembered, rememberedKey } from './core/records.ts';
import { readJobOrder } from './orders.ts';
import type { Replays } from './replays.ts';
import { readSubmission, type Submission } from './submission.ts';

export interface DeskParts extends AcceptanceParts {
  readonly store: Store;
  readonly answers: Answers;
  readonly replays: Replays;
  /** Names of those who may send inline code. */
  readonly inline: readonly string[];
  readonly audit?: Record | undefined;
  feed(event: JobEvent): void;
  /** Whether the job is there: accepted, and not removed. */
  has(job: string): boolean;
  /** Certainly no job that is forgotten had this id. */
  isNew(job: string): boolean;
  jobs(): Iterable<string>;
  explain(job: string): Explanation | undefined;
  checkWhere(where: string): Result<unknown>;
}

/** Questions that wait for an answer. */
const mostWaiting = 10_000;
/** Nodes named in one `explain`. */
const mostExplained = 1000;
/** Ids that a misspelt one is compared with. */
const mostCompared = 2000;

interface Waiting {
  readonly asked: Asked;
  /** Of a submission. */
  readonly document?: JobDocument;
}

export class Desk {
  readonly #parts: DeskParts;
  readonly #waiting = new Map<number, Waiting>();
  /** Submissions that something is fetched for. */
  #fetching = 0;
  #answers = 0;
  /** Jobs whose removal is being written: the ids' remembrance is not to be read yet. */
  readonly #leaving = new Map<string, number>();

  constructor(parts: DeskParts) {
    this.#parts = parts;
  }

  set(question: Asked): void {
    const { answers } = this.#parts;
    const { rest } = question.topic;
    const job = idOf(question);
    if (this.#waiting.size + this.#fetching >= mostWaiting) {
      const message = `${mostWaiting} jobs and orders wait for an answer already: try again later`;
      answers.refuseStranger(question, () => ({ code: 'full', message }));
    } else if (rest.length === 0) this.#submit(question, job);
    else if (rest.length > 1 || rest[0] !== 'priority') this.#noSuchKey(question, job);
    else if (this.#isKnown(question, job)) this.#setPriority(question, job);
  }

  do(question: Asked): void {
    const { answers, feed } = this.#parts;
    const job = idOf(question);
    const { tx, order } = readJobOrder(question.topic.rest[0] ?? '', question.message.payload);
    const asked = cut(question, tx);
    if (!order.ok) {
      answers.refuseStranger(asked, () => order.error);
      return;
    }
    if (!this.#isKnown(asked, job)) return;
    const { verb } = order.value;
    if (verb === 'explain') this.#explain(asked, job);
    else if (verb === 'out') this.#replay(asked, job, order.value);
    else {
      const answer = this.#wait({ asked });
      feed({ type: 'order', id: job, verb: verb === 'forget' ? 'remove' : verb, by: byOf(asked), answer });
    }
  }

  /** The core's answer. */
  answered(answer: number, error: ContractError | undefined, fresh: boolean | undefined): void {
    const waiting = this.#waiting.get(answer);
    if (!waiting) return;
    this.#waiting.delete(answer);
    const { asked, document } = waiting;
    const { answers } = this.#parts;
    if (error) answers.refuse(asked, error);
    else if (asked.topic.part === 'do') answers.reply(asked, true, { state: 'finished' });
    else {
      if (document && fresh !== false) this.#auditCode(asked, document);
      answers.reply(asked, true, document && fresh === false ? { again: true } : {});
    }
  }

  /** A write that removes jobs is under way, and over. */
  leaving(job: string, write: number): void {
    this.#leaving.set(job, write);
  }

  synced(write: number): void {
    if (this.#leaving.size === 0) return;
    for (const [job, at] of this.#leaving) if (at <= write) this.#leaving.delete(job);
  }

  #submit(question: Asked, job: string): void {
    const { answers, store, has, isNew, checkWhere } = this.#parts;
    const { tx, submission } = readSubmission(question.message.payload, checkWhere);
    const asked = cut(question, tx);
    const problem = submission.ok ? this.#forbidden(question, submission.value.document) : submission.error;
    if (problem || !submission.ok) {
      if (problem) answers.refuseStranger(asked, () => problem);
      return;
    }
    if (this.#leaving.has(job)) {
      answers.refuse(asked, { code: 'conflict', message: 'the job of this id is being forgotten: try again' });
      return;
    }
    // Of what is there the core compares nothing but the hash.
    if (has(job)) {
      this.#feed(asked, job, submission.value, submission.value.document);
      return;
    }
    if (isNew(job)) {
      this.#complete(asked, job, submission.value);
      return;
    }
    this.#fetching++;
    store.get([rememberedKey(job)], (error, [text]) => {
      this.#fetching--;
      const was = remembered(text);
      if (error) answers.refuse(asked, { code: 'journal', message: `the journal cannot be read: ${error.message}` });
      else if (was && was.hash !== submission.value.hash) {
        const message = `the id was used for another job, which ${was.state} and is forgotten: take another id`;
        answers.refuse(asked, { code: 'conflict', message });
      } else if (was) answers.reply(asked, true, { again: true });
      else this.#complete(asked, job, submission.value);
    });
  }

  #complete(asked: Asked, job: string, submission: Submission): void {
    const { document } = submission;
    if (isWhole(document) || this.#parts.has(job)) {
      this.#feed(asked, job, submission, document);
      return;
    }
    this.#fetching++;
    completed(document, this.#parts).then(whole => {
      this.#fetching--;
      if (whole.ok) this.#feed(asked, job, submission, whole.value);
      else this.#parts.answers.refuse(asked, whole.error);
    });
  }

  #feed(asked: Asked, id: string, { hash }: Submission, document: JobDocument): void {
    const answer = this.#wait({ asked, document });
    this.#parts.feed({ type: 'submit', id, document, hash, by: byOf(asked), answer });
  }

  /** Inline code is for those whom the settings name. */
  #forbidden({ message }: Asked, document: JobDocument): ContractError | undefined {
    if (codesOf(document).length === 0) return undefined;
    const { inline } = this.#parts;
    const { from } = message;
    // The owner chooses its client id: it is not a name to go by.
    const name = from?.how === 'owner' ? 'owner' : from?.user;
    if (name !== undefined && inline.includes(name)) return undefined;
    const who = name === undefined ? 'who sent this is not known' : `"${printable(name)}" may not send inline code`;
    const how =
      name === undefined
        ? 'log in with a name that the setting "inline" has'
        : `the setting "inline" has to name them (inline: ${printable(name)})`;
    return {
      code: 'denied',
      message: `${who}: ${how}, and nodes have to allow it ("inline" of their "jobs")`,
      at: 'code',
    };
  }

  #auditCode({ message, topic }: Asked, document: JobDocument): void {
    const { from } = message;
    for (const code of codesOf(document)) {
      this.#parts.audit?.({
        ...{ who: from?.user ?? 'unknown', how: from?.how ?? 'none', from: from?.address ?? 'unknown' },
        ...{ what: 'job.code', target: `job/${topic.target.kind === 'one' ? topic.target.id : ''}`, ok: true },
        detail: `sha256 ${sha256(code)}`,
      });
    }
  }

  #noSuchKey(question: Asked, job: string): void {
    const { answers, has } = this.#parts;
    const key = printable(question.topic.rest.join('.'));
    const message = has(job)
      ? `"${key}" of a job cannot be changed, only its priority: send another job under an id of its own`
      : 'there is no such job: send it whole, as a JSON object to …/set';
    answers.refuseStranger(question, () => ({ code: has(job) ? 'conflict' : 'id', message }));
  }

  #setPriority(question: Asked, job: string): void {
    const { answers, feed } = this.#parts;
    const asked = cut(question, undefined);
    const value = readValue('number', question.message.payload);
    const priority = value.ok ? (value.value as number) : Number.NaN;
    if (!Number.isInteger(priority) || Math.abs(priority) > 100) {
      answers.refuse(asked, { code: 'schema', message: 'a whole number from -100 to 100', at: 'priority' });
      return;
    }
    feed({ type: 'priority', id: job, priority, by: byOf(asked), answer: this.#wait({ asked }) });
  }

  #explain(asked: Asked, job: string): void {
    const { answers, explain } = this.#parts;
    const { why: held, nodes = [] } = explain(job) ?? {};
    const explained = nodes
      .slice(0, mostExplained)
      .map(({ node, why }) => ({ node, ...(why === undefined ? {} : { why: why.slice(0, 300) }) }));
    const okN = nodes.filter(({ why }) => why === undefined).length;
    const whole = held === undefined ? {} : { why: held.slice(0, 500) };
    answers.reply(asked, true, { state: 'finished', n: nodes.length, ok_n: okN, ...whole, explain: explained });
  }

  #replay(asked: Asked, job: string, range: { readonly from: number; readonly to: number }): void {
    const { answers, replays } = this.#parts;
    const problem = replays.ask({
      job,
      ...range,
      done: sent => {
        if (sent.ok) answers.reply(asked, true, { state: 'finished', n: sent.value });
        else answers.refuse(asked, sent.error);
      },
    });
    if (problem) answers.refuse(asked, problem);
  }

  #isKnown(asked: Asked, job: string): boolean {
    const { answers, has, jobs } = this.#parts;
    if (has(job)) return true;
    answers.refuseStranger(asked, () => {
      const compared: string[] = [];
      for (const id of jobs()) if (compared.push(id) >= mostCompared) break;
      const near = nearest(job, compared);
      const hint = near === undefined ? 'it was never sent, or is forgotten' : `did you mean "${near}"?`;
      return { code: 'id', message: `there is no job "${printable(job)}": ${hint}` };
    });
    return false;
  }

  #wait(waiting: Waiting): number {
    const answer = ++this.#answers;
    this.#waiting.set(answer, waiting);
    return answer;
  }
}

const idOf = ({ topic }: Asked): string => (topic.target.kind === 'one' ? topic.target.id : '');

/** Who is said to have sent it: whose share of the cluster it uses. Every program of the owner's is the owner. */
const byOf = ({ message: { from } }: Asked): string =>
  from === undefined ? 'unknown' : from.how === 'owner' ? 'owner' : nameOf(from);

const codesOf = ({ code, reduce }: JobDocument): readonly string[] => [code, reduce?.code].flatMap(one => one ?? []);
