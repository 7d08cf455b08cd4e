/** Every client connection from accept to its end: what Aedes reports is turned into connections, wills and callbacks. */
import type { Duplex } from 'node:stream';
import type { Log } from '../../shared/log.ts';
import { printable } from '../../shared/names.ts';
import type { Place } from '../access/connect-limits.ts';
import type { Authenticator, Peer } from '../trust/types.ts';
import { Admission, unknownPeer } from './admission.ts';
import { Connection, type ConnectionParts } from './connection.ts';
import type { BrokerGauges } from './gauges.ts';
import { type AedesBroker, type AedesClient, openAedes, type WillPacket } from './guards/aedes.ts';
import { KeepaliveWatch } from './guards/keepalive.ts';
import { carriedProperties } from './message.ts';
import type { ConnectPacket, ParsedPacket } from './parsed.ts';
import { Registry, type Told } from './registry.ts';
import { keep, subscribe } from './subscribe.ts';

export interface ClientsParts extends ConnectionParts {
  readonly log: Log;
  readonly bus: Told;
  readonly authenticator: Authenticator | 'open';
}

/** "Administrative action" (MQTT 5, section 3.14.2.1). */
const administrative = 0x98;
/** Longest wait for the others at the end because of one that does not read. */
const sentMs = 500;

export class Clients {
  readonly registry: Registry;
  readonly admission: Admission;
  private readonly parts: ClientsParts;
  private readonly connections = new Set<Connection>();
  private readonly byClient = new WeakMap<AedesClient, Connection>();
  private readonly watch: KeepaliveWatch;
  private aedes: AedesBroker | undefined;
  private serial = 0;
  private closing = false;
  /** Of connections that are gone. */
  private throttled = 0;

  static async open(parts: ClientsParts): Promise<Clients> {
    const clients = new Clients(parts);
    clients.aedes = await openAedes(
      {
        connect: (client, packet) => clients.connecting(client, packet),
        admit: (client, username, password, admitted) => clients.asks(client, username, password, admitted),
        hasSession: clientId => parts.kept.find(clientId) !== undefined,
        discardSession: clientId => parts.kept.forget(clientId),
        ready: client => clients.ready(client),
        will: (client, will) => clients.will(client, will),
        gone: client => clients.gone(client),
        trouble: (client, error) => {
          parts.log.debug({ client: printable(client?.id ?? ''), why: error.message }, 'a connection ended badly');
        },
      },
      parts.limits,
    );
    return clients;
  }

  private constructor(parts: ClientsParts) {
    this.parts = parts;
    this.registry = new Registry(parts.bus);
    this.admission = new Admission(parts, this);
    this.watch = new KeepaliveWatch(this.connections, parts.limits.drainMs, parts.now);
  }

  /**
   * @param peer what is known of the other end; later, where its owner is still being looked up
   * @param place taken for it already, where it came through a handshake
   */
  accept(stream: Duplex, peer: Peer | Promise<Peer> = unknownPeer, place?: Place): void {
    const { limits } = this.parts;
    if (this.closing || !this.aedes || this.connections.size >= limits.connections) {
      stream.on('error', () => {});
      stream.destroy();
      place?.left();
      this.admission.turnAway('no more connections are taken', { connections: this.connections.size });
      return;
    }
    let connection: Connection | undefined;
    const parsed = (packet: ParsedPacket) => {
      if (!connection || connection.parsed(packet)) return true;
      if (packet.cmd === 'disconnect') leaving(connection, packet, limits.keptMs);
      return false;
    };
    const client = this.aedes.accept(stream, parsed);
    connection = new Connection(++this.serial, client, stream, peer, this.parts);
    connection.place = place;
    this.connections.add(connection);
    this.byClient.set(client, connection);
    // Aedes reports the end of those that were registered; this is for the others, after it had its turn.
    stream.once('close', () => setImmediate(() => this.gone(client)));
    this.admission.arrived(connection, peer);
  }

  /** Every connection, let in or not. */
  all(): Iterable<Connection> {
    return this.connections;
  }

  kick(connection: Connection): void {
    connection.kick(administrative);
  }

  gauges(): Pick<
    BrokerGauges,
    'connections' | 'subscriptions' | 'frozen' | 'timedOut' | 'stalls' | 'turnedAway' | 'refusedLogins' | 'throttled'
  > {
    let subscriptions = 0;
    let { throttled } = this;
    for (const connection of this.connections) {
      subscriptions += connection.subscriptions.size;
      throttled += connection.reading.throttled;
    }
    const { counts } = this.admission;
    return { connections: this.connections.size, subscriptions, throttled, ...counts, ...this.watch.counts };
  }

  async close(): Promise<void> {
    this.closing = true;
    this.watch.close();
    for (const connection of this.connections) connection.muted = true;
    await this.sent();
    await new Promise<void>(resolve => (this.aedes ? this.aedes.close(resolve) : resolve()));
    // Those that never got as far as CONNECT.
    for (const connection of this.connections) connection.destroy();
  }

  /** What was said last, such as a farewell, is behind everything that waits: a moment for those that read. */
  private async sent(): Promise<void> {
    const { flusher, now } = this.parts;
    for (const end = now() + sentMs; flusher.pending > 0 && now() < end; ) {
      await new Promise(resolve => setTimeout(resolve, 5));
    }
  }

  private connecting(client: AedesClient, packet: ConnectPacket): void {
    const connection = this.byClient.get(client);
    if (!connection) return;
    const { keptMs } = this.parts.limits;
    connection.silenceMs = packet.keepalive * 1500;
    packet.keepalive = 0;
    const five = packet.protocolVersion === 5;
    connection.version = five ? 5 : packet.protocolVersion === 3 ? 3 : 4;
    const expirySeconds = five
      ? (packet.properties?.sessionExpiryInterval ?? 0)
      : packet.clean
        ? 0
        : Number.POSITIVE_INFINITY;
    connection.keepMs = Math.min(expirySeconds * 1000, keptMs);
    connection.expires = expirySeconds > 0;
    connection.resumes = !packet.clean;
    // Aedes would queue for a client with an expiry while it is away, without bound.
    if (packet.properties?.sessionExpiryInterval !== undefined) packet.properties.sessionExpiryInterval = 0;
  }

  private asks(
    client: AedesClient,
    username: string | undefined,
    password: string | undefined,
    admitted: () => void,
  ): void {
    const connection = this.byClient.get(client);
    // Aedes asks a turn after CONNECT: who is gone by then must not take the place of one who lives.
    if (!connection || client.closed || !this.connections.has(connection)) return;
    connection.maximumPacket = client.maximumPacketSize ?? Number.POSITIVE_INFINITY;
    const credentials = {
      clientId: client.id ?? '',
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
    };
    this.admission.ask(connection, credentials, refusal => {
      if (this.closing || client.closed) return;
      if (refusal) connection.refuse(refusal);
      else this.admit(connection, admitted);
    });
  }

  private admit(connection: Connection, admitted: () => void): void {
    this.registry.admit(connection);
    // Asked anew: what the rules do not allow any more is not given back. Before CONNACK, so that who has read "session
    // present" misses nothing.
    if (connection.resumes) {
      for (const kept of this.parts.kept.find(connection.id) ?? []) subscribe(connection, kept, this.parts);
    }
    admitted();
  }

  private ready(client: AedesClient): void {
    const connection = this.byClient.get(client);
    if (!connection || client.closed || connection.closed) return;
    connection.unacknowledged.window = Math.min(client.receiveMaximum ?? 65_535, this.parts.limits.inflight);
    this.registry.ready(connection);
    connection.open();
  }

  private will(client: AedesClient, will: WillPacket): void {
    const connection = this.byClient.get(client);
    // The will of a connection that was replaced would say that its successor is gone.
    if (!connection || connection.replaced || connection.muted || this.closing) return;
    this.parts.router.publish({
      topic: will.topic,
      payload: Buffer.from(will.payload),
      qos: will.qos > 0 ? 1 : 0,
      retain: will.retain,
      from: connection,
      properties: carriedProperties(will.properties),
    });
  }

  private gone(client: AedesClient): void {
    const connection = this.byClient.get(client);
    if (!connection || !this.connections.delete(connection)) return;
    if (!connection.replaced && connection.ready) {
      keep(connection, this.parts);
      this.parts.kept.left(connection.id, connection.keepMs);
    }
    connection.keepDue = false;
    this.throttled += connection.reading.throttled;
    connection.close();
    if (!this.closing) this.registry.gone(connection);
  }
}

/** MQTT 5: DISCONNECT may change how long the session is kept, where CONNECT asked for one at all (section 3.14.2.2.2). */
function leaving(connection: Connection, packet: ParsedPacket, mostMs: number): void {
  const seconds = packet.properties?.sessionExpiryInterval;
  if (seconds === undefined || !packet.properties) return;
  if (connection.expires) connection.keepMs = Math.min(seconds * 1000, mostMs);
  delete packet.properties.sessionExpiryInterval;
}
