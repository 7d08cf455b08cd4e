/** The retained messages that a new subscription gets (section 3.3.1.3), in small steps, and no faster than they are taken. */
import { mayRead, ruleOf } from '../access/table.ts';
import type { Connection } from './connection.ts';
import { encodePublish } from './packets.ts';
import type { Retained } from './retained.ts';
import type { Subscription } from './router.ts';
import type { SubscribeParts } from './subscribe.ts';

/** Retained messages on their way to a subscription. */
export interface Replay {
  readonly messages: Iterator<Retained | undefined>;
  readonly subscription: Subscription;
}

/** Messages, or pauses of the search, of one step: a client that asks for everything delays the others by no more than these. */
const step = 256;

/** By filter: who subscribes again before the first replay is over gets the second one only, and no queue grows. */
export function replay(connection: Connection, subscriptions: readonly Subscription[], parts: SubscribeParts): void {
  const { replays } = connection;
  for (const subscription of subscriptions) {
    replays.set(subscription.filter, { messages: parts.retained.match(subscription.filter, parts.wall), subscription });
  }
  if (connection.replaying || replays.size === 0) return;
  connection.replaying = true;
  goOn();

  function goOn(): void {
    for (let many = 0; many < step; many++) {
      const [next] = replays.values();
      if (!next || connection.closed) {
        connection.replaying = false;
        return;
      }
      // It goes on when the client has taken what it was sent.
      if (connection.outgoing.pending > parts.limits.softBufferBytes / 2) break;
      const { subscription } = next;
      const current = connection.subscriptions.get(subscription.filter) === subscription;
      const { value, done } = current ? next.messages.next() : { value: undefined, done: true };
      if (done) replays.delete(subscription.filter);
      else if (value) replayOne(connection, subscription, value, parts);
    }
    if (connection.outgoing.pending > parts.limits.softBufferBytes / 2) connection.outgoing.onceProgressed(goOn);
    else setImmediate(goOn);
  }
}

function replayOne(connection: Connection, subscription: Subscription, message: Retained, parts: SubscribeParts): void {
  const { topic, properties, expiresAt } = message;
  if (!mayRead(ruleOf(topic, parts.base), connection.access)) return;
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
