/** What the embedded broker counts. */
export interface BrokerGauges {
  readonly connections: number;
  readonly subscriptions: number;
  /** Messages published to the broker, and deliveries to clients, since the start. */
  readonly published: number;
  readonly delivered: number;
  /** Publishes refused by the direction rules. */
  readonly refused: number;
  /** Deliveries dropped because one receiver did not read, and connections closed because a QoS 1 message could not be. */
  readonly dropped: number;
  readonly closedForQueue: number;
  /** Connections closed because they took nothing for too long, and because they were silent. */
  readonly frozen: number;
  readonly timedOut: number;
  /** Times the whole process was away for more than a second. */
  readonly stalls: number;
  /** Connections turned away because there were too many. */
  readonly turnedAway: number;
  /** Logins refused. */
  readonly refusedLogins: number;
  /** Times a client was not read for a while because it sent too much. */
  readonly throttled: number;
  /** Unsent bytes of all connections, and publishers that wait for a receiver. */
  readonly pendingBytes: number;
  readonly waitingPublishers: number;
  readonly retainedCount: number;
  readonly retainedBytes: number;
  readonly retainedRefused: number;
  readonly sessionsKept: number;
  readonly sessionsDropped: number;
  readonly topicsCached: number;
}
