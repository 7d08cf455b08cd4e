/**
 * The Link seam: an agent's one connection to the broker. Implemented by MQTT.js and by the simulator. It never
 * reconnects by itself: when and with which epoch to connect again is the session core's decision.
 */
export interface LinkHandlers {
  /** CONNACK and SUBACK have arrived. */
  up(): void;
  /** The attempt failed or the connection is gone. Exactly one follows every `connect`, sooner or later. */
  down(reason: string): void;
  message(topic: string, payload: Uint8Array): void;
}

export interface LinkConnect {
  readonly clientId: string;
  readonly keepaliveS: number;
  readonly will: { readonly topic: string; readonly payload: string };
  /** QoS 1 subscriptions made before `up`. */
  readonly subscriptions: readonly string[];
}

export interface Link {
  connect(options: LinkConnect, handlers: LinkHandlers): void;
  /** False, and nothing is queued, when the link is not up. Stale telemetry is never sent later. */
  publish(topic: string, payload: string, options: { readonly qos: 0 | 1; readonly retain?: boolean }): boolean;
  /** Graceful: DISCONNECT (no will). Otherwise the socket is destroyed. `down` follows. */
  close(graceful: boolean): void;
}
