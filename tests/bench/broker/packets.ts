/** Packets made once and written many times: the generator must cost less than the broker it measures. */
import { generate, type IConnectPacket } from 'mqtt-packet';

export function connectPacket(clientId: string, will?: { topic: string; payload: string }): Buffer {
  const packet: IConnectPacket = {
    cmd: 'connect',
    protocolId: 'MQTT',
    protocolVersion: 4,
    clean: true,
    clientId,
    keepalive: 0,
    ...(will && { will: { topic: will.topic, payload: Buffer.from(will.payload), qos: 1, retain: false } }),
  };
  return generate(packet);
}

export const subscribePacket = (messageId: number, topic: string, qos: 0 | 1): Buffer =>
  generate({ cmd: 'subscribe', messageId, subscriptions: [{ topic, qos }] });

export const disconnectPacket = Buffer.from([0xe0, 0]);

/** `messageId` counts for QoS 1 only. */
export const publishPacket = (topic: string, payload: Buffer, qos: 0 | 1, messageId = 1, retain = false): Buffer =>
  generate({ cmd: 'publish', topic, payload, qos, retain, dup: false, ...(qos > 0 && { messageId }) });

/**
 * The same publish over and over. At QoS 1 the packets of a ring differ in their message id; a buffer may be reused
 * once its turn comes again because fewer than `ring` are ever under way.
 */
export class PublishRing {
  private readonly packets: Buffer[];
  private at = 0;

  constructor(topic: string, payload: Buffer, qos: 0 | 1, ring: number) {
    this.packets = Array.from({ length: qos === 0 ? 1 : ring }, (_, i) => publishPacket(topic, payload, qos, i + 1));
  }

  next(): Buffer {
    const packet = this.packets[this.at] as Buffer;
    this.at = this.at + 1 === this.packets.length ? 0 : this.at + 1;
    return packet;
  }
}
