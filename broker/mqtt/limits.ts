import { limits } from '../../shared/limits.ts';

/** Bounds of the embedded broker: what one client, or all together, may cost. Bytes and milliseconds unless the name says otherwise. */
export interface BrokerLimits {
  readonly connections: number;
  /** Of one IP address of the network, or of all other users of this machine together. Owners are not counted. */
  readonly connectionsPerAddress: number;
  /** The same before they have logged in; and of all addresses. */
  readonly waitingPerAddress: number;
  readonly waiting: number;
  /** New connections of one address: a second, and at once. */
  readonly connectsPerSecond: number;
  readonly connectsAtOnce: number;
  /** Of one user, token or node. */
  readonly connectionsPerPrincipal: number;
  /** Passwords being checked, and for how long one may be. */
  readonly loginsAtOnce: number;
  readonly loginMs: number;
  /** What one client may send in a second, and after a rest at once; then it is read no faster. Owners are not held. */
  readonly packetsPerSecond: number;
  readonly packetsAtOnce: number;
  readonly bytesPerSecond: number;
  readonly bytesAtOnce: number;
  /** A connection that has not sent its whole CONNECT by then is closed. */
  readonly connectMs: number;
  /** The CONNECT packet, will included: read before anybody is known. */
  readonly connectBytes: number;
  /** Any later packet. The contract's limit of the topic is checked when it is whole. */
  readonly packetBytes: number;
  readonly clientIdCharacters: number;
  readonly subscriptionsPerClient: number;
  readonly topicLevels: number;
  readonly topicCharacters: number;
  readonly retainedCount: number;
  /** Topics and payloads of all retained messages. */
  readonly retainedBytes: number;
  /** Clients whose subscriptions are kept while they are away. */
  readonly keptSessions: number;
  readonly keptSubscriptions: number;
  /** Sessions kept for one principal other than the owner. */
  readonly keptSessionsEach: number;
  /** A kept session that nobody came back for is forgotten. */
  readonly keptMs: number;
  /** Unsent bytes of a connection that still reads, above which whoever publishes to it waits. */
  readonly softBufferBytes: number;
  /** Unsent bytes of one connection above which QoS 0 messages to it are dropped. */
  readonly bufferBytes: number;
  /** Unsent bytes of one connection above which, with QoS 1 messages to come, it is closed: a gap must not stay hidden. */
  readonly closeBufferBytes: number;
  /** Unsent bytes of all connections; above it the soft limit is the hard one. */
  readonly allBufferBytes: number;
  /** A connection that took nothing for so long while bytes waited is closed. */
  readonly drainMs: number;
  /** Unacknowledged QoS 1 messages to one client. */
  readonly inflight: number;
  /** Unreleased QoS 2 packet ids of one client. */
  readonly inboundQos2: number;
}

const mb = 1024 * 1024;
/** Topic, packet id and MQTT 5 properties beside the payload. */
const around = 64 * 1024;

export const defaultLimits: BrokerLimits = {
  connections: 12_000,
  connectionsPerAddress: 1000,
  waitingPerAddress: 256,
  waiting: 4000,
  connectsPerSecond: 100,
  connectsAtOnce: 1000,
  connectionsPerPrincipal: 200,
  loginsAtOnce: 256,
  loginMs: 10_000,
  packetsPerSecond: 5000,
  packetsAtOnce: 20_000,
  bytesPerSecond: 8 * mb,
  bytesAtOnce: 32 * mb,
  connectMs: 10_000,
  connectBytes: around,
  packetBytes: limits.work + around,
  clientIdCharacters: 256,
  subscriptionsPerClient: 500,
  topicLevels: 32,
  topicCharacters: limits.topic,
  retainedCount: 200_000,
  retainedBytes: 128 * mb,
  keptSessions: 1000,
  keptSubscriptions: 100,
  keptSessionsEach: 100,
  keptMs: 7 * 24 * 3_600_000,
  softBufferBytes: mb / 2,
  // Two seconds at 8 MB/s: a busy machine that reads nothing for half a second has lost nothing yet.
  bufferBytes: 16 * mb,
  closeBufferBytes: 16 * mb,
  allBufferBytes: 256 * mb,
  drainMs: 8000,
  inflight: 16_384,
  inboundQos2: 1000,
};
