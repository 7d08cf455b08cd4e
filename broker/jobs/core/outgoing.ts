/**
 * Messages to nodes: what one step has for one node goes in one, until it is too large for one. Nothing but
 * the question what it holds goes to a session before its first report; what it would have been told is then told anew.
 */
import { jobLimits } from '../../../shared/schemas/job.ts';
import type { TokenSpan, WorkSpan } from '../../../shared/schemas/work.ts';
import type { JobEffect, WorkBody } from './events.ts';
import { dispatchLimits } from './limits.ts';
import type { NodeRun, RecipeRun } from './state.ts';

interface Message {
  recipes: RecipeRun[];
  spans: WorkSpan[];
  readonly ack: number[];
  readonly revoke: number[];
  readonly take: number[];
  readonly forget: number[];
  readonly urgent: number[];
  /** Number of the question what it holds. */
  question: number | undefined;
  bytes: number;
  tasks: number;
  /** Most tasks that may be in it. */
  batch: number;
}

/** A token span as JSON, at most. */
const tokenBytes = 24;
const empty = (): Message => ({
  recipes: [],
  spans: [],
  ack: [],
  revoke: [],
  take: [],
  forget: [],
  urgent: [],
  question: undefined,
  bytes: 0,
  tasks: 0,
  batch: jobLimits.batch,
});

/** Tokens, sorted in place, as spans. */
export function toSpans(tokens: number[]): TokenSpan[] {
  tokens.sort((a, b) => a - b);
  const spans: [number, number][] = [];
  let last: [number, number] | undefined;
  for (const token of tokens) {
    if (last && token === last[0] + last[1] && last[1] < jobLimits.batch) last[1]++;
    else if (!last || token >= last[0] + last[1]) {
      last = [token, 1];
      spans.push(last);
    }
  }
  return spans;
}

export class Outgoing {
  readonly #messages = new Map<NodeRun, Message>();
  readonly #effect: (effect: JobEffect) => void;

  constructor(effect: (effect: JobEffect) => void) {
    this.#effect = effect;
  }

  ack(node: NodeRun, token: number): void {
    this.#room(node, tokenBytes).ack.push(token);
  }

  revoke(node: NodeRun, token: number): void {
    this.#room(node, tokenBytes).revoke.push(token);
  }

  take(node: NodeRun, token: number): void {
    this.#room(node, tokenBytes).take.push(token);
  }

  forget(node: NodeRun, r: number): void {
    this.#room(node, tokenBytes).forget.push(r);
  }

  /** Once is enough in one message. */
  urgent(node: NodeRun, r: number): void {
    const { urgent } = this.#room(node, tokenBytes);
    if (!urgent.includes(r)) urgent.push(r);
  }

  inventory(node: NodeRun, question: number): void {
    this.#room(node, tokenBytes).question = question;
  }

  /** With the recipe, where the session does not know it. */
  spans(node: NodeRun, run: RecipeRun, spans: readonly WorkSpan[], bytes: number): void {
    const isNew = !node.knows.has(run);
    const tasks = spans.reduce((sum, { n }) => sum + n, 0);
    const { batch } = run.job.document;
    // What the document says of one message holds for all that is in it.
    const full = this.#messages.get(node);
    if (full && full.tasks > 0 && full.tasks + tasks > Math.min(full.batch, batch)) this.#next(node, full);
    const message = this.#room(node, bytes + (isNew ? run.recipeBytes : 0));
    message.tasks += tasks;
    message.batch = Math.min(message.batch, batch);
    if (isNew) {
      message.recipes.push(run);
      node.knows.add(run);
      run.sentTo.add(node);
    }
    message.spans.push(...spans);
  }

  flush(): void {
    for (const [node, message] of this.#messages) this.#send(node, message);
    this.#messages.clear();
  }

  #next(node: NodeRun, full: Message): void {
    this.#send(node, full);
    this.#messages.delete(node);
  }

  #room(node: NodeRun, bytes: number): Message {
    let message = this.#messages.get(node);
    if (message && message.bytes > 0 && message.bytes + bytes > dispatchLimits.sendBytes) {
      this.#next(node, message);
      message = undefined;
    }
    if (!message) {
      message = empty();
      this.#messages.set(node, message);
    }
    message.bytes += bytes;
    return message;
  }

  #send(node: NodeRun, { recipes, spans, ack, revoke, take, forget, urgent, question }: Message): void {
    if (!node.session) return;
    const asking = question === undefined ? undefined : { inventory: true, question };
    if (node.seq === 0) {
      // It may have said what it holds while it was taken to be away.
      if (asking) this.#effect({ type: 'send', node: node.id, epoch: node.session.epoch, body: asking });
      return;
    }
    const body: WorkBody = {
      ...(recipes.length > 0 && { recipes: recipes.map(({ recipe }) => recipe) }),
      ...(spans.length > 0 && { spans }),
      ...(ack.length > 0 && { ack: toSpans(ack) }),
      ...(revoke.length > 0 && { revoke: toSpans(revoke) }),
      ...(take.length > 0 && { take: toSpans(take) }),
      ...(forget.length > 0 && { forget }),
      ...(urgent.length > 0 && { urgent }),
      ...asking,
    };
    this.#effect({ type: 'send', node: node.id, epoch: node.session.epoch, body });
  }
}
