/** An MQTT client on the simulated network: one connection at a time, as a program sees it. */
import type { Broker, Message, Session, Will } from './broker.ts';
import { Message as MqttMessage } from './broker.ts';
import type { Process } from './clock.ts';
import { type Path, Wire } from './network.ts';
import type { World } from './world.ts';

export interface ClientOptions {
  readonly clientId: string;
  readonly will?: Will;
  readonly filters: readonly string[];
  readonly keepaliveMs: number;
  readonly noLocal?: boolean;
}

export interface ClientHandlers {
  /** SUBACK has arrived. */
  up(): void;
  down(why: string): void;
  message(message: Message): void;
}

export class Client {
  #world: World;
  #process: Process;
  #path: Path;
  #wire: Wire | undefined;
  #session: Session | undefined;
  #broker: Broker | undefined;
  #handlers: ClientHandlers | undefined;
  #up = false;
  /** Rises with every `connect`, so that what belongs to an older one is known. */
  #attempt = 0;
  /** Acknowledgements awaited on this connection. */
  #acks = new Set<(error?: Error) => void>();

  constructor(world: World, process: Process, path: Path) {
    this.#world = world;
    this.#process = process;
    this.#path = path;
  }

  get up(): boolean {
    return this.#up;
  }

  connect(options: ClientOptions, handlers: ClientHandlers): void {
    const attempt = ++this.#attempt;
    this.#handlers = handlers;
    this.#world.timeline.after(this.#world.dice.network.between(0.1, 2), () =>
      this.#process.arrive(this, () => this.#dial(attempt, options)),
    );
  }

  #dial(attempt: number, options: ClientOptions): void {
    if (attempt !== this.#attempt) return;
    const { timeline, dice, network } = this.#world;
    const broker = this.#world.brokerAt();
    if (this.#path.cutUp || this.#path.cutDown || broker === 'dark') {
      // A SYN without an answer is sent again.
      timeline.after(dice.network.between(1000, 3000), () =>
        this.#process.arrive(this, () => this.#dial(attempt, options)),
      );
      return;
    }
    if (broker === undefined || !broker.listening) {
      this.#lost(attempt, 'connection refused');
      return;
    }
    this.#broker = broker;
    let session: Session | undefined;
    let graceful = false;
    const patience = (coarseMs: number) => () =>
      options.keepaliveMs * dice.network.between(0.5, 1.5) + dice.network.between(0, coarseMs);
    const wire = new Wire(
      network,
      this.#path,
      {
        process: this.#process,
        gone: why => this.#lost(attempt, why),
        patience: patience(0),
      },
      {
        process: broker.process,
        gone: why => session && broker.ended(session, graceful, why),
        patience: patience(this.#world.kind === 'outside' ? 5000 : 100),
      },
    );
    this.#wire = wire;
    wire.send('server', () => {
      session = broker.connect({
        clientId: options.clientId,
        wire,
        will: options.will,
        noLocal: options.noLocal ?? false,
        deliver: message => {
          if (attempt === this.#attempt) handlers().message(message);
        },
      });
      const own = session;
      this.#onDisconnect = () => {
        graceful = true;
        broker.ended(own, true, 'DISCONNECT');
      };
      wire.send('client', () => {
        if (attempt !== this.#attempt) return;
        this.#session = own;
        wire.send('server', () => {
          broker.subscribe(own, options.filters);
          wire.send('client', () => {
            if (attempt !== this.#attempt) return;
            this.#up = true;
            handlers().up();
          });
        });
      });
    });
    const handlers = () => this.#handlers as ClientHandlers;
  }

  #onDisconnect: (() => void) | undefined;

  /** Replaces the filters of this connection, if there is one. */
  subscribe(filters: readonly string[]): void {
    const [wire, session, broker] = [this.#wire, this.#session, this.#broker];
    if (this.#up && session && broker) wire?.send('server', () => broker.subscribe(session, filters));
  }

  /** False when there is no connection. `ack` runs at PUBACK (QoS 1), or with an error when the connection ended before. */
  publish(topic: string, payload: string | Uint8Array, qos: 0 | 1, retain: boolean, ack?: (error?: Error) => void) {
    const { dice, weather } = this.#world;
    const wire = this.#wire;
    const session = this.#session;
    const broker = this.#broker;
    if (!this.#up || !wire || !session || !broker || !this.#process.alive) return false;
    const message = new MqttMessage(topic, payload, qos, retain);
    if (ack && qos === 1) this.#acks.add(ack);
    if (qos === 0 && dice.network.chance(weather.loseQos0)) return true;
    wire.send('server', () => {
      if (!session.open) return;
      broker.publish(message, session);
      if (qos === 1 && ack) {
        wire.send('client', () => {
          if (this.#acks.delete(ack)) ack();
        });
      }
    });
    return true;
  }

  /** Graceful: DISCONNECT. Otherwise the socket is destroyed. `down` follows. */
  close(graceful: boolean): void {
    const attempt = this.#attempt;
    const disconnect = this.#onDisconnect;
    if (graceful && this.#session && this.#wire && disconnect) this.#wire.send('server', disconnect);
    this.#wire?.close('client', !graceful);
    this.#world.timeline.after(this.#world.dice.network.between(0, 1), () =>
      this.#process.arrive(this, () => this.#lost(attempt, 'closed')),
    );
  }

  /** The process died (its kernel closes the socket), or the whole machine lost power. */
  die(power: boolean): void {
    this.#attempt++;
    this.#up = false;
    if (power) this.#wire?.vanish('client');
    else this.#wire?.close('client', true);
  }

  #lost(attempt: number, why: string): void {
    if (attempt !== this.#attempt) return;
    this.#attempt++;
    this.#up = false;
    this.#wire = undefined;
    this.#session = undefined;
    this.#onDisconnect = undefined;
    const handlers = this.#handlers;
    const acks = [...this.#acks];
    this.#acks.clear();
    handlers?.down(why);
    for (const ack of acks) ack(new Error(why));
  }
}
