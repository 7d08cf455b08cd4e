/** SUBSCRIBE and UNSUBSCRIBE (sections 3.8 to 3.11). */
import { whyNotSubscribe } from '../access/table.ts';
import type { Connection } from './connection.ts';
import { whyNoFilter } from './filters.ts';
import type { KeptSessions, KeptSubscription } from './kept-sessions.ts';
import type { BrokerLimits } from './limits.ts';
import { encodeGranted, reason } from './packets.ts';
import type { ParsedPacket } from './parsed.ts';
import { replay } from './replay.ts';
import type { RetainedMessages } from './retained.ts';
import type { Router, Subscription } from './router.ts';

export interface SubscribeParts {
  readonly base: string;
  readonly limits: BrokerLimits;
  readonly router: Router;
  readonly retained: RetainedMessages;
  readonly kept: KeptSessions;
  readonly wall: () => number;
}

/** Subscription identifiers go from 1 to this (MQTT 5, section 3.8.2.1.2). */
const mostIdentifier = 268_435_455;

export function handleSubscribe(connection: Connection, packet: ParsedPacket, parts: SubscribeParts): void {
  const { messageId = 0, subscriptions = [], properties } = packet;
  const identifier = properties?.subscriptionIdentifier;
  if (messageId === 0 || subscriptions.length === 0) {
    connection.fail('a SUBSCRIBE without an id or a filter');
    return;
  }
  if (identifier !== undefined && !(identifier >= 1 && identifier <= mostIdentifier)) {
    connection.fail('a subscription identifier out of range');
    return;
  }
  const codes: number[] = [];
  const replayed: Subscription[] = [];
  let changed = false;
  for (const [index, wish] of subscriptions.entries()) {
    // No client that means well names more than it may have; each costs a change of the tree.
    if (index >= parts.limits.subscriptionsPerClient) {
      codes.push(connection.version === 5 ? reason.quota : 0x80);
      continue;
    }
    const kept = {
      filter: wish.topic,
      // QoS 2 is granted as QoS 1: a broker may (section 3.8.4), and an order here has its own id against repetition.
      qos: wish.qos > 0 ? (1 as const) : (0 as const),
      noLocal: wish.nl ?? false,
      retainAsPublished: wish.rap ?? false,
      ...(identifier !== undefined && { identifier }),
    };
    const isNew = !connection.subscriptions.has(wish.topic);
    const added = subscribe(connection, kept, parts);
    if (typeof added === 'number') {
      codes.push(connection.version === 5 ? added : 0x80);
      continue;
    }
    codes.push(added.qos);
    const { rh = 0 } = wish;
    changed = true;
    if (rh === 0 || (rh === 1 && isNew)) replayed.push(added);
  }
  if (changed) keepSoon(connection, parts);
  connection.outgoing.push(encodeGranted('suback', messageId, connection.version, codes));
  replay(connection, replayed, parts);
}

/** @returns the subscription, or the MQTT 5 reason code of the refusal. */
export function subscribe(
  connection: Connection,
  wish: KeptSubscription,
  parts: SubscribeParts,
): Subscription | number {
  const { filter } = wish;
  const { base, limits, router } = parts;
  if (filter.startsWith('$share/')) return reason.noSharing;
  if (whyNoFilter(filter, limits)) return reason.badFilter;
  if (whyNotSubscribe(filter, base, connection.access)) return reason.notAuthorized;
  const old = connection.subscriptions.get(filter);
  if (!old && connection.subscriptions.size >= limits.subscriptionsPerClient) return reason.quota;
  if (old) router.unsubscribe(old);
  const { identifier, ...rest } = wish;
  const added = { ...rest, connection, ...(identifier !== undefined && { identifiers: [identifier] }) };
  connection.subscriptions.set(filter, added);
  router.subscribe(added);
  return added;
}

export function handleUnsubscribe(connection: Connection, packet: ParsedPacket, parts: SubscribeParts): void {
  const { messageId = 0, unsubscriptions = [] } = packet;
  if (messageId === 0 || unsubscriptions.length === 0) {
    connection.fail('an UNSUBSCRIBE without an id or a filter');
    return;
  }
  const codes = unsubscriptions.map(filter => {
    const old = connection.subscriptions.get(filter);
    if (!old) return reason.noSubscription;
    connection.subscriptions.delete(filter);
    parts.router.unsubscribe(old);
    return 0;
  });
  keepSoon(connection, parts);
  connection.outgoing.push(encodeGranted('unsuback', messageId, connection.version, codes));
}

/** Once a turn, however many packets came in it: writing down a hundred subscriptions costs a thousand times a packet. */
function keepSoon(connection: Connection, parts: SubscribeParts): void {
  if (connection.keepMs === 0 || connection.keepDue) return;
  connection.keepDue = true;
  setImmediate(keep, connection, parts);
}

/** Writes down what a client that wants its session kept is subscribed to now, where that has changed. */
export function keep(connection: Connection, parts: SubscribeParts): void {
  if (!connection.keepDue || connection.replaced) return;
  connection.keepDue = false;
  const list = [...connection.subscriptions.values()].map(
    ({ filter, qos, noLocal, retainAsPublished, identifiers }) => {
      const identifier = identifiers?.[0];
      return { filter, qos, noLocal, retainAsPublished, ...(identifier !== undefined && { identifier }) };
    },
  );
  parts.kept.keep(connection.id, connection.key, list, connection.keepMs);
}
