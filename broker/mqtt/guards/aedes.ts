/**
 * Aedes 2.0.0-beta.1 cut down to what it does well: CONNECT, DISCONNECT, wills, closing. What it is kept from, and why,
 * stands beside each guard; every one has a test that fails without it, so that an upgrade shows which are still needed.
 */

import type { Duplex } from 'node:stream';
import { Readable } from 'node:stream';
import { Aedes } from 'aedes';
import type { ConnectPacket, ParsedPacket } from '../parsed.ts';

/** The inside of an Aedes client that the guards reach for; exact for the pinned version. */
export interface AedesClient {
  readonly id: string | null;
  readonly version: number | null;
  readonly conn: Duplex;
  readonly closed: boolean;
  readonly maximumPacketSize?: number;
  readonly receiveMaximum?: number;
  will: object | null;
  _will: object | null;
  /** Packets being handled; Aedes' own reader counts them down. */
  _parsingBatch: number;
  _nextBatch: (error?: Error | null) => void;
  readonly _parser: {
    parse(bytes: Buffer): void;
    on(event: 'packet', listener: (packet: ParsedPacket) => void): void;
    listeners(event: 'packet'): ((packet: ParsedPacket) => void)[];
    removeAllListeners(event: 'packet'): void;
  };
  emit(event: 'error', error: Error): void;
  disconnect(options: { reasonCode: number }, done?: () => void): void;
  close(done?: () => void): void;
}

export interface WillPacket {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  readonly properties?: object;
}

/** What Aedes asks, answered at once: an asynchronous answer lets an old will overtake a new birth. */
export interface AedesHooks {
  /** Before CONNECT is looked at; the packet may be changed. */
  connect(client: AedesClient, packet: ConnectPacket): void;
  /**
   * The client id is known. `admitted` is called when it is let in, within the call where that is possible, and in the
   * turn in which that is decided; who is not let in is answered by the hook, for Aedes knows few of the reasons.
   */
  admit(client: AedesClient, username: string | undefined, password: string | undefined, admitted: () => void): void;
  /** Whether there are subscriptions to give back: what CONNACK says about the session. */
  hasSession(clientId: string): boolean;
  discardSession(clientId: string): void;
  /** CONNACK is written. */
  ready(client: AedesClient): void;
  will(client: AedesClient, will: WillPacket): void;
  gone(client: AedesClient): void;
  trouble(client: AedesClient | undefined, error: Error): void;
}

export interface AedesBroker {
  accept(stream: Duplex, parsed: (packet: ParsedPacket) => boolean): AedesClient;
  close(done: () => void): void;
}

/**
 * No routing by Aedes: its emitter stops everybody for one frozen subscriber, its dedupe loses acknowledged messages,
 * overlapping filters get the QoS of whichever was first. Nothing is ever emitted here.
 */
const noEmitter = {
  current: 0,
  length: 0,
  on(_topic: string, _listener: unknown, done?: () => void) {
    if (done) setImmediate(done);
  },
  removeListener(_topic: string, _listener: unknown, done?: () => void) {
    if (done) setImmediate(done);
  },
  emit(_packet: unknown, done?: () => void) {
    if (done) setImmediate(done);
  },
  close(done?: () => void) {
    if (done) setImmediate(done);
  },
};

/**
 * No persistence by Aedes: it scans all retained messages per subscription, keeps denied subscriptions of a SUBSCRIBE
 * that also held allowed ones, queues without bound, and publishes wills of its own live clients after a stall.
 */
function noPersistence(hooks: AedesHooks) {
  return {
    async setup() {},
    async subscriptionsByClient({ id }: { id: string }) {
      // Only counted: `authorizeSubscribe` drops it, and the real ones come with `ready`.
      return hooks.hasSession(id) ? [{ topic: 'kept', qos: 0 }] : [];
    },
    async cleanSubscriptions({ id }: { id: string }) {
      hooks.discardSession(id);
    },
    async putWill() {},
    async delWill() {},
    async *streamWill() {},
    outgoingStream: () => Readable.from([]),
    async outgoingClearMessageId() {},
    async outgoingUpdate() {},
    async addSubscriptions() {},
    async removeSubscriptions() {},
    async subscriptionsByTopic() {
      return [];
    },
    async outgoingEnqueueCombi() {},
    async storeRetained() {},
    createRetainedStreamCombi: () => Readable.from([]),
  };
}

interface Inside {
  clients: Record<string, AedesClient>;
  handle(stream: Duplex): AedesClient;
  scheduleSessionExpiry(client: AedesClient): void;
  publish(packet: WillPacket, client: AedesClient | null, done?: (error?: Error) => void): void;
  on(event: string, listener: (...args: never[]) => void): void;
  close(done: () => void): void;
}

export async function openAedes(
  hooks: AedesHooks,
  limits: { readonly connectMs: number; readonly packetBytes: number },
): Promise<AedesBroker> {
  type Answer = (error: Error | null, value?: unknown) => void;
  const broker = (await Aedes.createBroker({
    concurrency: 0,
    drainTimeout: 0,
    connectTimeout: limits.connectMs,
    // Told in CONNACK (MQTT 5), so that a client need not lose its connection to learn it.
    maximumPacketSize: limits.packetBytes,
    mq: noEmitter,
    persistence: noPersistence(hooks),
    preConnect: (client: unknown, packet: unknown, done: Answer) => {
      hooks.connect(client as AedesClient, packet as ConnectPacket);
      done(null, true);
    },
    authenticate: (client: unknown, name: unknown, password: unknown, done: Answer) => {
      const text = (value: unknown) => (value === undefined || value === null ? undefined : String(value));
      hooks.admit(client as AedesClient, text(name), text(password), () => done(null, true));
    },
    authorizePublish: (_client: unknown, _packet: unknown, done: Answer) => done(null),
    authorizeSubscribe: (_client: unknown, _subscription: unknown, done: Answer) => done(null, null),
  } as never)) as unknown as Inside;
  // A client id of `constructor` or `__proto__` is looked up in here.
  broker.clients = Object.create(null) as Record<string, AedesClient>;
  // It would wipe at every disconnect what `discardSession` is for at a clean start.
  broker.scheduleSessionExpiry = () => {};
  // Wills come this way, and Aedes' own $SYS notes, which nobody gets.
  broker.publish = (packet, client, done) => {
    const callback = typeof client === 'function' ? (client as () => void) : done;
    if (client && typeof client === 'object' && !packet.topic.startsWith('$')) hooks.will(client, packet);
    callback?.();
  };
  // An 'error' event that nobody listens to ends the process.
  const trouble = (client: AedesClient | undefined, error: Error) => hooks.trouble(client, error);
  broker.on('error', ((error: Error) => trouble(undefined, error)) as never);
  broker.on('clientError', trouble as never);
  broker.on('connectionError', trouble as never);
  broker.on('clientDisconnect', ((client: AedesClient) => hooks.gone(client)) as never);
  broker.on('connackSent', ((connack: { returnCode?: number; reasonCode?: number }, client: AedesClient) => {
    if ((connack.returnCode ?? connack.reasonCode) === 0) hooks.ready(client);
  }) as never);
  return {
    accept(stream, parsed) {
      const client = broker.handle(stream);
      const theirs = client._parser.listeners('packet')[0];
      client._parser.removeAllListeners('packet');
      client._parser.on('packet', packet => {
        if (!parsed(packet)) theirs?.call(client._parser, packet);
      });
      // Reading is ours: Aedes reads on while CONNECT is being handled and gives up at the 43rd packet, and knows no
      // longest packet before that.
      stream.removeListener('readable', client._nextBatch);
      client._parsingBatch = 0;
      client._nextBatch = error => {
        if (error) client.emit('error', error);
      };
      return client;
    },
    close: done => broker.close(done),
  };
}
