/** SUBSCRIBE and UNSUBSCRIBE (sections 3.8 to 3.11), and the retained messages that a new subscription gets. */
import { isNodeClient, mayRead, ruleOf, whyNotSubscribe } from './access.ts';
import type { Connection } from './connection.ts';
import { whyNoFilter } from './filters.ts';
import type { KeptSessions, KeptSubscription } from './kept-sessions.ts';
import type { BrokerLimits } from './limits.ts';
import { encodeGranted, encodePublish, reason } from './packets.ts';
import type { ParsedPacket } from './parsed.ts';
import type { Retained, RetainedMessages } from './retained.ts';
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
  const fresh: { subscription: Subscription; replay: boolean }[] = [];
  for (const wish of subscriptions) {
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
    fresh.push({ subscription: added, replay: rh === 0 || (rh === 1 && isNew) });
  }
  if (fresh.length > 0) keep(connection, parts);
  connection.outgoing.push(encodeGranted('suback', messageId, connection.version, codes));
  for (const { subscription, replay } of fresh) {
    if (replay) {
      connection.replays.push({ messages: parts.retained.match(subscription.filter, parts.wall), subscription });
    }
  }
  startReplay(connection, parts);
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
  if (whyNotSubscribe(filter, base, connection.id)) return reason.notAuthorized;
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
  keep(connection, parts);
  connection.outgoing.push(encodeGranted('unsuback', messageId, connection.version, codes));
}

/** Writes down what a client that wants its session kept is subscribed to now. */
function keep(connection: Connection, parts: SubscribeParts): void {
  if (connection.keepMs === 0) return;
  const list = [...connection.subscriptions.values()].map(
    ({ filter, qos, noLocal, retainAsPublished, identifiers }) => {
      const identifier = identifiers?.[0];
      return { filter, qos, noLocal, retainAsPublished, ...(identifier !== undefined && { identifier }) };
    },
  );
  parts.kept.keep(connection.id, list, connection.keepMs);
}

/** Messages of one step: a client that asks for everything delays the others by no more than these. */
const step = 256;

function startReplay(connection: Connection, parts: SubscribeParts): void {
  if (connection.replaying || connection.replays.length === 0) return;
  connection.replaying = true;
  goOn();

  function goOn(): void {
    for (let many = 0; many < step; many++) {
      const replay = connection.replays[0];
      if (!replay || connection.closed) {
        connection.replaying = false;
        return;
      }
      // It goes on when the client has taken what it was sent.
      if (connection.outgoing.pending > parts.limits.softBufferBytes / 2) break;
      const { value, done } = replay.messages.next();
      if (done) connection.replays.shift();
      else if (connection.subscriptions.get(replay.subscription.filter) === replay.subscription) {
        replayOne(connection, replay.subscription, value, parts);
      } else connection.replays.shift();
    }
    if (connection.outgoing.pending > parts.limits.softBufferBytes / 2) connection.outgoing.onceProgressed(goOn);
    else setImmediate(goOn);
  }
}

function replayOne(connection: Connection, subscription: Subscription, message: Retained, parts: SubscribeParts): void {
  const { topic, properties, expiresAt } = message;
  if (!mayRead(ruleOf(topic, parts.base), connection.id, isNodeClient(parts.base, connection.id))) return;
  const left = expiresAt === undefined ? undefined : Math.max(1, Math.ceil((expiresAt - parts.wall()) / 1000));
  const qos = message.qos === 1 && subscription.qos === 1 ? 1 : 0;
  const packet = encodePublish(
    left === undefined ? message : { ...message, properties: { ...properties, messageExpiryInterval: left } },
    connection.version,
    qos,
    true,
    subscription.identifiers,
  );
  if (packet.frame.length > connection.maximumPacket) return;
  if (qos === 0) connection.outgoing.push(packet.frame);
  else connection.unacknowledged.send(packet);
}
