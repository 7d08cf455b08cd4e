/** Orders to nodes, put together: whom they reach, how they are signed, and which of them change documents. */
import type { Bus } from '../shared/bus.ts';
import { topicsOf } from '../shared/topics.ts';
import type { Authority } from './authority.ts';
import type { Journal } from './desired/journal.ts';
import type { Sets } from './desired/sets.ts';
import type { Wants } from './desired/wants.ts';
import type { Labour } from './labour.ts';
import { Orders, type OrdersParts } from './orders/orders.ts';

export interface NodeOrdersParts extends Pick<OrdersParts, 'clock' | 'random' | 'answers' | 'session'> {
  readonly base: string;
  readonly bus: Bus;
  readonly authority: Authority;
  readonly journal: Journal;
  readonly wants: Wants;
  readonly sets: Sets;
  /** Jobs go to a node again that somebody resumes; and who is to wake. */
  readonly labour: Labour;
}

export function createNodeOrders(parts: NodeOrdersParts): Orders {
  const { base, bus, clock, random, answers, session, authority, journal, wants, sets, labour } = parts;
  const topics = topicsOf(base);
  return new Orders({
    clock,
    random,
    answers,
    session,
    nodes: role => wants.members(role ?? 'all'),
    services: node => wants.services(node),
    send: (node, body) => {
      bus.publish(topics.node(node, 'cmd'), authority.cmd(node, body, journal.gen, journal.rev), { qos: 1 });
    },
    drain: (node, on, by, done) => {
      if (!on) labour.jobs.pardon(node);
      sets.drain(node, on, by, done);
    },
    waking: labour.waking,
    forget: (node, by, done) => {
      const gone = { noun: 'node', id: node, entry: undefined, what: 'forget', by, atMs: clock.wall() } as const;
      journal.submit(gone, error => done(error));
    },
  });
}
