import type { MessageProperties } from './message.ts';

/** A packet as mqtt-packet's parser gives it, as far as it is looked at here. */
export interface ParsedPacket {
  readonly cmd: string;
  readonly messageId?: number;
  readonly topic?: string;
  readonly payload?: Buffer;
  readonly qos?: 0 | 1 | 2;
  readonly retain?: boolean;
  readonly properties?: MessageProperties & {
    readonly topicAlias?: number;
    readonly subscriptionIdentifier?: number;
    readonly receiveMaximum?: number;
    readonly maximumPacketSize?: number;
    sessionExpiryInterval?: number;
  };
  /** Of a CONNECT. */
  readonly will?: { readonly properties?: object };
  readonly subscriptions?: readonly {
    readonly topic: string;
    readonly qos: 0 | 1 | 2;
    readonly nl?: boolean;
    readonly rap?: boolean;
    readonly rh?: 0 | 1 | 2;
  }[];
  readonly unsubscriptions?: readonly string[];
}

/** CONNECT (section 3.1); Aedes lets a hook change it. */
export interface ConnectPacket extends ParsedPacket {
  clean: boolean;
  keepalive: number;
  readonly clientId: string;
  readonly protocolVersion: number;
}
