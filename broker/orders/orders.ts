/**
 * Orders: a `do` becomes one `cmd` for every node it names, and their `done` becomes one result. An order that cannot
 * go out now is refused or counted as failed at once, never kept: late means lost. Synchronous; `tick` watches the
 * deadlines.
 */
import type { Clock, Random } from '../../shared/clock.ts';
import type { ContractError } from '../../shared/errors.ts';
import { nearest, printable } from '../../shared/names.ts';
import type { Cmd, Done } from '../../shared/schemas/want.ts';
import type { Waking } from '../power/waking.ts';
import { type Answers, type Asked, nameOf, remembered } from './answers.ts';
import { answerMs, type Group, Groups } from './groups.ts';
import { RateLimiter } from './token-bucket.ts';
import { checkVerb, isHeatingVerb, type Order, readArgs, type SentVerb, wakeWithinS } from './verbs.ts';

/** A `cmd` without what the authority adds. */
export type OrderBody = Pick<Cmd, 'id' | 'seq' | 'inst' | 'epoch' | 'verb' | 'args'>;
export type Session = Pick<Cmd, 'inst' | 'epoch'>;

export interface OrdersParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly answers: Answers;
  /** The session of a node that is online. */
  session(node: string): Session | undefined;
  /** Everybody known, or the nodes of a role. */
  nodes(role?: string): readonly string[];
  /** Names of a node's services; undefined for a node that is not known. */
  services(node: string): readonly string[] | undefined;
  send(node: string, body: OrderBody): void;
  /** Says in the node's document that it takes no new work, or that it does again. `done` after the sync. */
  drain(node: string, on: boolean, by: string | undefined, done: (error?: ContractError) => void): void;
  /** Wakes who is asleep. */
  readonly waking: Pick<Waking, 'obstacle' | 'wake'>;
  /** Ends a node: its document, then what is retained. `done` after the sync. */
  forget(node: string, by: string | undefined, done: (error?: ContractError) => void): void;
}

export const orderLimits = {
  deadlineMs: answerMs,
  /** Orders to single nodes that wait for `done`. */
  pending: 20_000,
  perClient: { perSecond: 50, burst: 200 },
  total: { perSecond: 500, burst: 2000 },
  /** Orders signed and sent in one turn of the loop. */
  perTurn: 100,
} as const;

export class Orders {
  readonly #parts: OrdersParts;
  readonly #limiter: RateLimiter;
  readonly #groups: Groups;
  #outbox: { node: string; body: OrderBody }[] = [];
  #draining = false;
  #seq = 0;

  constructor(parts: OrdersParts) {
    this.#parts = parts;
    this.#groups = new Groups(parts);
    this.#limiter = new RateLimiter(orderLimits.perClient, orderLimits.total, parts.clock.now());
  }

  /** @param seq orders of this start are numbered from here. */
  begin(seq: number): void {
    this.#seq = seq;
  }

  /** The supervisor's own orders (backoff, rebirth, forget), bound to one session and not waited for. */
  command(node: string, session: Session, verb: Cmd['verb'], args: Cmd['args'], id = this.#parts.random.hex(8)): void {
    this.#parts.send(node, { id, seq: ++this.#seq, ...session, verb, args });
  }

  /** A `do` on node topics. */
  handle(question: Asked): void {
    const { clock, answers } = this.#parts;
    const { target, rest } = question.topic;
    const verb = checkVerb(rest[0] ?? '');
    const one = target.kind === 'one' ? target.id : undefined;
    if (one !== undefined && this.#parts.services(one) === undefined) {
      answers.refuseStranger(question, () => unknownNode(one, this.#parts.nodes()));
      return;
    }
    if (!verb.ok) {
      answers.refuseStranger(question, () => verb.error);
      return;
    }
    const { tx, args } = readArgs(verb.value, question.message.payload);
    const asked = remembered(question, tx);
    if (!args.ok) {
      answers.refuse(asked, args.error);
      return;
    }
    if (!this.#limiter.take(asked.message.from?.clientId, clock.now())) {
      const message = `more than ${orderLimits.perClient.perSecond} orders a second: try again later`;
      answers.refuseStranger(asked, () => ({ code: 'full', message }));
      return;
    }
    const order: Order = { verb: verb.value, args: args.value };
    if (isHeatingVerb(order.verb)) {
      const message = `"${order.verb}" is for one node: send it to …/node/ID/do/${order.verb}`;
      answers.refuseStranger(asked, () => ({ code: 'topic', message }));
    } else if (order.verb === 'forget') this.#forget(asked, one);
    else if (order.verb === 'drain' || order.verb === 'resume') this.#drains(asked, order.verb, one);
    else if (order.verb === 'wake') this.#wakes(asked, order, one);
    else this.#start(asked, order, order.verb, one);
  }

  /** A node's answer; false where nobody waits for it. */
  done(node: string, done: Done): boolean {
    const why = done.ok ? undefined : (done.error ?? 'it failed and did not say why');
    return this.#groups.done(done.id, node, why);
  }

  offline(node: string): void {
    this.#groups.offline(node);
  }

  tick(): void {
    this.#groups.tick();
  }

  #start(asked: Asked, order: Order, verb: SentVerb, one: string | undefined): void {
    const { answers, session } = this.#parts;
    const nodes = this.#addressed(asked, one);
    if (!nodes) return;
    const group = this.#groups.make(asked, nodes.length, one === undefined);
    const ready: { node: string; session: Session }[] = [];
    for (const node of nodes) {
      const why = this.#obstacle(node, order);
      const to = session(node);
      if (why === undefined && to) ready.push({ node, session: to });
      else group.failed.push({ node, why: why ?? 'it is offline' });
    }
    const obstacle = group.failed[0];
    if (!group.many && obstacle) {
      answers.refuse(asked, { code: 'not-available', message: obstacle.why });
      return;
    }
    this.#groups.accept(group);
    for (const { node, session: to } of ready) this.#send(group, node, to, verb, { ...order.args });
    if (group.waiting === 0) this.#groups.finish(group);
  }

  /** The nodes that are meant; undefined where that was refused. */
  #addressed(asked: Asked, one: string | undefined): readonly string[] | undefined {
    const { answers } = this.#parts;
    const { target } = asked.topic;
    const role = target.kind === 'role' && target.role !== 'all' ? target.role : undefined;
    const nodes = one === undefined ? this.#parts.nodes(role) : [one];
    if (nodes.length === 0) {
      const message = role === undefined ? 'there is no node yet' : `no node has the role "${printable(role)}"`;
      answers.refuseStranger(asked, () => ({ code: 'unknown-node', message }));
      return undefined;
    }
    if (this.#groups.size + nodes.length > orderLimits.pending) {
      answers.refuse(asked, { code: 'full', message: `${this.#groups.size} orders wait for an answer already` });
      return undefined;
    }
    return nodes;
  }

  /** Why this node cannot do it, as far as one knows without asking. */
  #obstacle(node: string, { args }: Order): string | undefined {
    if (!this.#parts.session(node)) return `${node} is offline, and orders are not kept: try again when it is online`;
    const services = this.#parts.services(node) ?? [];
    const service = 'service' in args ? args.service : undefined;
    if (service === undefined || services.includes(service)) return undefined;
    const near = nearest(service, services);
    const hint = near === undefined ? '' : `: did you mean "${near}"?`;
    return `there is no service "${printable(service)}" on ${node}${hint}`;
  }

  #forget(asked: Asked, node: string | undefined): void {
    const { answers, session, forget } = this.#parts;
    if (node === undefined) {
      answers.refuseStranger(asked, () => ({
        code: 'topic',
        message: 'nodes are forgotten one by one: …/node/ID/do/forget',
      }));
      return;
    }
    const last = session(node);
    const { from } = asked.message;
    forget(node, from && nameOf(from), error => {
      if (error) {
        answers.refuse(asked, error);
        return;
      }
      const group = this.#groups.make(asked, 1, false);
      this.#groups.accept(group);
      if (last) this.#send(group, node, last, 'forget', {});
      else {
        group.okN = 1;
        this.#groups.finish(group);
      }
    });
  }

  /** Desired state, so that an offline node does it when it is back; `resume` ends safe mode, too, where somebody listens. */
  #drains(asked: Asked, verb: 'drain' | 'resume', one: string | undefined): void {
    const { drain, session } = this.#parts;
    const nodes = this.#addressed(asked, one);
    if (!nodes) return;
    const { from } = asked.message;
    const group = this.#groups.make(asked, nodes.length, one === undefined);
    this.#groups.accept(group);
    for (const node of nodes) {
      const id = this.#groups.wait(group, node);
      drain(node, verb === 'drain', from && nameOf(from), error => {
        const to = session(node);
        if (!error && verb === 'resume' && to) this.#send(group, node, to, verb, {});
        this.#groups.settle(id, error?.message, verb === 'resume' && to !== undefined && !error);
      });
    }
  }

  /** Over when they are online or the waking gives them up: it keeps the time. Who is online already is done. */
  #wakes(asked: Asked, { args }: Order, one: string | undefined): void {
    const { answers, waking, session } = this.#parts;
    const nodes = this.#addressed(asked, one);
    if (!nodes) return;
    const obstacle = one === undefined ? undefined : waking.obstacle(one);
    if (obstacle !== undefined) {
      answers.refuse(asked, { code: 'not-available', message: obstacle });
      return;
    }
    const group = this.#groups.make(asked, nodes.length, one === undefined, Number.POSITIVE_INFINITY);
    if (one !== undefined && session(one)) group.note = `${one} is online already`;
    this.#groups.accept(group);
    const withinMs = ('within_s' in args ? args.within_s : wakeWithinS.usual) * 1000;
    const orders = nodes.map(node => [node, this.#groups.wait(group, node, true)] as const);
    for (const [node, id] of orders) waking.wake(node, withinMs, error => this.#groups.settle(id, error));
  }

  #send(group: Group, node: string, session: Session, verb: Cmd['verb'], args: Cmd['args']): void {
    const id = this.#groups.wait(group, node);
    this.#outbox.push({ node, body: { id, seq: ++this.#seq, ...session, verb, args } });
    if (!this.#draining) this.#drain();
  }

  /** Signing takes its time: an order to thousands of nodes leaves in pieces, so that nobody's telemetry waits. */
  #drain = (): void => {
    const turn = this.#outbox.splice(0, orderLimits.perTurn);
    this.#draining = turn.length > 0;
    for (const { node, body } of turn) if (this.#groups.isPending(body.id)) this.#parts.send(node, body);
    if (this.#draining) this.#parts.clock.after(0, this.#drain);
  };
}

export function unknownNode(id: string, known: readonly string[]): ContractError {
  const near = nearest(id, known);
  const hint = near === undefined ? 'no node of that id was ever seen' : `did you mean "${near}"?`;
  return { code: 'unknown-node', message: `unknown node "${printable(id)}": ${hint}` };
}
