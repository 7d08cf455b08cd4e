/** The supervisor's side of the seam as a test sees it: everything the bus said, and ways to wait for it. */
import type { Bus, BusConnection, BusHandlers, BusMessage, PublishOptions } from '../../../shared/bus.ts';
import { patienceMs } from '../../fixture/processes.ts';
import { Waiting } from '../../fixture/waiting.ts';

type Heard =
  | { readonly kind: 'up' }
  | { readonly kind: 'down'; readonly reason: string }
  | { readonly kind: 'connected'; readonly connection: BusConnection }
  | { readonly kind: 'disconnected'; readonly connection: BusConnection }
  | { readonly kind: 'unheard'; readonly filter: string; readonly reason: string }
  | { readonly kind: 'refused'; readonly message: BusMessage; readonly reason: string };

export class Listener implements BusHandlers {
  readonly bus: Bus;
  readonly messages: BusMessage[] = [];
  readonly events: Heard[] = [];
  private readonly waiting = new Waiting();

  constructor(bus: Bus) {
    this.bus = bus;
  }

  /** Starts the bus and waits until its subscriptions stand. */
  async start(...filters: string[]): Promise<this> {
    this.bus.start(filters, this);
    await this.event('up');
    return this;
  }

  message(message: BusMessage): void {
    // The payload may lie in a buffer that the broker uses again.
    this.messages.push({ ...message, payload: Uint8Array.from(message.payload) });
    this.waiting.look();
  }
  up(): void {
    this.add({ kind: 'up' });
  }
  down(reason: string): void {
    this.add({ kind: 'down', reason });
  }
  connected(connection: BusConnection): void {
    this.add({ kind: 'connected', connection });
  }
  disconnected(connection: BusConnection): void {
    this.add({ kind: 'disconnected', connection });
  }
  refused(message: BusMessage, reason: string): void {
    this.add({ kind: 'refused', message, reason });
  }
  unheard(filter: string, reason: string): void {
    this.add({ kind: 'unheard', filter, reason });
  }

  heard(topic: string, payload?: string, limitMs = patienceMs): Promise<BusMessage> {
    const find = () =>
      this.messages.find(message => message.topic === topic && (payload === undefined || textOf(message) === payload));
    return this.when(find, `message on ${topic}${payload === undefined ? '' : ` ${payload}`}`, limitMs);
  }

  count(count: number, limitMs = patienceMs): Promise<true> {
    return this.when(() => this.messages.length >= count || undefined, `${count} messages`, limitMs);
  }

  /** The `nth` event of a kind, counted from 1. */
  event<K extends Heard['kind']>(kind: K, nth = 1, limitMs = patienceMs): Promise<Extract<Heard, { kind: K }>> {
    const find = () => this.events.filter(event => event.kind === kind)[nth - 1] as Extract<Heard, { kind: K }>;
    return this.when(find, `${kind} ${nth}`, limitMs);
  }

  eventsOf(kind: Heard['kind']): Heard[] {
    return this.events.filter(event => event.kind === kind);
  }

  /** Resolves when `done` runs; rejects with its error. */
  publish(topic: string, payload: string | Uint8Array, options: PublishOptions = { qos: 1 }): Promise<void> {
    return new Promise((resolve, reject) => {
      this.bus.publish(topic, payload, options, error => (error ? reject(error) : resolve()));
    });
  }

  stop(): Promise<void> {
    return new Promise(resolve => this.bus.stop(resolve));
  }

  private add(event: Heard): void {
    this.events.push(event);
    this.waiting.look();
  }

  private when<T>(find: () => T | undefined, what: string, limitMs: number): Promise<T> {
    const heard = () => [...this.messages.map(({ topic }) => topic), ...this.events.map(({ kind }) => kind)];
    return this.waiting.when(find, what, limitMs, heard);
  }
}

export const textOf = (message: { readonly payload: Uint8Array }): string => Buffer.from(message.payload).toString();
