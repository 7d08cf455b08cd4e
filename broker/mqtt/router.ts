/**
 * From a publish to everybody who gets it, in one synchronous step: rule, retained copy, connections, supervisor. What a
 * topic needs (its rule and who is subscribed) is found once and kept until a subscription changes.
 */
import type { Access } from '../access/principals.ts';
import { mayRead, maySay, mayWrite, ruleOf, type TopicRule, whyNotWrite } from '../access/table.ts';
import type { Connection } from './connection.ts';
import type { Delivery } from './delivery.ts';
import { FilterTree, whyNoTopic } from './filters.ts';
import type { BrokerLimits } from './limits.ts';
import { type MessageProperties, propertyBytes, whyNoProperties } from './message.ts';
import type { RetainedMessages } from './retained.ts';

/** One subscription of one connection; while it is the only one that matches, it is the target of a delivery itself. */
export interface Subscription {
  readonly connection: Connection;
  readonly filter: string;
  readonly qos: 0 | 1;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  readonly identifiers?: readonly number[];
}

/** A message on its way. `frame` is the packet it came in, where that can be passed on as it is. */
export interface Routed {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: 0 | 1;
  readonly retain: boolean;
  readonly properties?: MessageProperties | undefined;
  readonly from?: Connection | undefined;
  readonly frame?: Buffer | undefined;
}

interface Route {
  generation: number;
  readonly rule: TopicRule;
  /** Why nobody may publish here, whoever it is. */
  readonly wrong: string | undefined;
  targets: readonly Subscription[];
  local: boolean;
}

/** Routes kept, and subscribers in them: a flood of topics costs this and no more. */
const mostRoutes = 32_768;
const mostTargets = 1_000_000;

export interface RouterParts {
  readonly base: string;
  readonly limits: BrokerLimits;
  readonly retained: RetainedMessages;
  readonly wall: () => number;
  /** The supervisor's own ear. */
  hear(message: Routed): void;
  refused(message: Routed, reason: string): void;
  /** Said once: the bound of retained messages is reached. */
  retainedFull(topic: string): void;
}

export class Router {
  readonly delivery: Delivery;
  readonly counts = { published: 0, refused: 0 };
  private readonly parts: RouterParts;
  private readonly tree = new FilterTree<Subscription>();
  private readonly localTree = new FilterTree<true>();
  private routes = new Map<string, Route>();
  private generation = 0;
  private keptTargets = 0;

  constructor(parts: RouterParts, delivery: Delivery) {
    this.parts = parts;
    this.delivery = delivery;
  }

  get routeCount(): number {
    return this.routes.size;
  }

  subscribe(subscription: Subscription): void {
    this.tree.add(subscription.filter, subscription);
    this.forget(subscription.filter);
  }

  unsubscribe(subscription: Subscription): void {
    this.tree.remove(subscription.filter, subscription);
    this.forget(subscription.filter);
  }

  subscribeLocally(filter: string): void {
    this.localTree.add(filter, true);
    this.forget(filter);
  }

  unsubscribeLocally(filter: string): void {
    this.localTree.remove(filter, true);
    this.forget(filter);
  }

  private forget(filter: string): void {
    if (filter.includes('+') || filter.includes('#')) this.generation++;
    else {
      const route = this.routes.get(filter);
      if (route) route.generation = -1;
    }
  }

  /** Whether a client may publish to `topic`: asked for response topics. */
  mayWrite(topic: string, access: Access): boolean {
    return whyNoTopic(topic, this.parts.limits) === undefined && mayWrite(ruleOf(topic, this.parts.base), access);
  }

  /** @returns the reason where the message was refused; then it went nowhere and the supervisor has been told. */
  publish(message: Routed): string | undefined {
    const route = this.routeOf(message.topic);
    const { from } = message;
    this.counts.published++;
    if (from) {
      const reason = this.whyRefused(route, message, from);
      if (reason !== undefined) {
        this.counts.refused++;
        this.parts.refused(message, reason);
        return reason;
      }
    } else if (route.wrong !== undefined) return route.wrong;
    const strip = message.retain && route.rule.stripRetain;
    if (message.retain && !strip) this.keep(message, route.rule);
    const { targets } = route;
    // The router says nothing about the order between subscribers, and keeps the order of messages for each. Nobody who
    // asked for the flag as published, such as a bridge, is to keep an order; only the supervisor is told.
    if (targets.length > 0) this.delivery.deliver(strip ? { ...message, retain: false } : message, targets);
    if (route.local && from) this.parts.hear(message);
    return undefined;
  }

  private whyRefused(route: Route, message: Routed, from: Connection): string | undefined {
    if (route.wrong !== undefined) return route.wrong;
    if (!mayWrite(route.rule, from.access) && !maySay(route.rule, from.access, message.payload))
      return whyNotWrite(route.rule, from.access);
    const wrong = message.properties && whyNoProperties(message.properties);
    if (wrong !== undefined) return wrong;
    const most = route.rule.payloadBytes;
    return message.payload.length + propertyBytes(message.properties) > most
      ? `a message here is at most ${most / 1024} kB long`
      : undefined;
  }

  private keep(message: Routed, rule: TopicRule): void {
    const { retained, wall } = this.parts;
    const { topic, payload, qos, properties } = message;
    if (payload.length === 0) {
      retained.delete(topic);
      return;
    }
    const expiry = properties?.messageExpiryInterval;
    const copy = {
      topic,
      payload: Buffer.from(payload),
      qos,
      ...(properties && { properties }),
      ...(expiry !== undefined && { expiresAt: wall() + expiry * 1000 }),
    };
    // What nodes say of themselves is bounded by their number, too: nobody can crowd it out.
    const kept = retained.set(copy, message.from === undefined || rule.ownerWrites);
    if (!kept && retained.refused === 1) this.parts.retainedFull(topic);
  }

  private routeOf(topic: string): Route {
    let route = this.routes.get(topic);
    if (route && route.generation === this.generation) return route;
    if (!route) {
      if (this.routes.size >= mostRoutes) this.clear();
      const wrong = whyNoTopic(topic, this.parts.limits);
      const rule = ruleOf(wrong ? '$' : topic, this.parts.base);
      route = { generation: -1, rule, wrong, targets: [], local: false };
      if (wrong !== undefined) return route;
      this.routes.set(topic, route);
    }
    if (this.keptTargets > mostTargets) {
      this.clear();
      this.routes.set(topic, route);
    }
    this.keptTargets -= route.targets.length;
    route.targets = this.targetsOf(topic, route.rule);
    this.keptTargets += route.targets.length;
    route.local = false;
    const { localTree } = this;
    localTree.match(topic, () => {
      (route as Route).local = true;
    });
    route.generation = this.generation;
    return route;
  }

  private clear(): void {
    this.routes = new Map();
    this.keptTargets = 0;
  }

  /** One target per connection, whatever number of its filters match: the highest QoS of them (section 3.3.5). */
  private targetsOf(topic: string, rule: TopicRule): Subscription[] {
    const byConnection = new Map<Connection, Subscription>();
    this.tree.match(topic, subscription => {
      const { connection } = subscription;
      const other = byConnection.get(connection);
      if (other) byConnection.set(connection, merged(other, subscription));
      else if (mayRead(rule, connection.access)) {
        byConnection.set(connection, subscription);
      }
    });
    return [...byConnection.values()];
  }
}

function merged(a: Subscription, b: Subscription): Subscription {
  const identifiers = [...(a.identifiers ?? []), ...(b.identifiers ?? [])];
  return {
    connection: a.connection,
    filter: a.filter,
    qos: a.qos === 1 || b.qos === 1 ? 1 : 0,
    noLocal: a.noLocal && b.noLocal,
    retainAsPublished: a.retainAsPublished || b.retainAsPublished,
    ...(identifiers.length > 0 && { identifiers }),
  };
}
