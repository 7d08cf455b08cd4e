/** MQTT packets as bytes (MQTT 3.1.1 and 5, sections 2 and 3): the few the broker writes itself, and writes often. */
import mqtt from 'mqtt-packet';
import type { MessageProperties } from './message.ts';

// The table of 65,536 number buffers costs 13 MB and saves nothing here.
mqtt.writeToStream.cacheNumbers = false;

export type Version = 3 | 4 | 5;

const pingResponse = Buffer.from([0xd0, 0]);

/** PINGRESP, as often as asked for. */
export const encodePings = (many: number): Buffer => (many === 1 ? pingResponse : Buffer.alloc(2 * many, pingResponse));

/** MQTT 5 reason codes (section 2.4). */
export const reason = {
  notAuthorized: 0x87,
  badFilter: 0x8f,
  quota: 0x97,
  noSharing: 0x9e,
  noSubscription: 0x11,
  packetTooLarge: 0x95,
};

function lengthBytes(length: number): number {
  return length < 128 ? 1 : length < 16_384 ? 2 : length < 2_097_152 ? 3 : 4;
}

function writeLength(into: Buffer, at: number, length: number): number {
  let rest = length;
  let i = at;
  do {
    const byte = rest % 128;
    rest = (rest - byte) / 128;
    into[i++] = rest > 0 ? byte | 128 : byte;
  } while (rest > 0);
  return i;
}

export interface Publish {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: 0 | 1;
  readonly retain: boolean;
  readonly properties?: MessageProperties | undefined;
}

/** A PUBLISH as bytes, and where its packet id is (-1 at QoS 0). */
export interface Encoded {
  readonly frame: Buffer;
  readonly idAt: number;
}

/** @param identifiers MQTT 5 subscription identifiers of the receiver. */
export function encodePublish(
  message: Omit<Publish, 'qos' | 'retain'>,
  version: Version,
  qos: 0 | 1,
  retain: boolean,
  identifiers?: readonly number[],
): Encoded {
  const { topic, payload, properties } = message;
  const topicBytes = Buffer.byteLength(topic);
  if (version === 5 && (properties || identifiers)) {
    const frame = mqtt.generate(
      {
        cmd: 'publish',
        topic,
        payload,
        qos,
        retain,
        dup: false,
        ...(qos > 0 && { messageId: 1 }),
        // The types know one identifier; the packet may carry several (section 3.3.2.3.8).
        properties: { ...properties, ...(identifiers && { subscriptionIdentifier: identifiers as unknown as number }) },
      },
      { protocolVersion: 5 },
    );
    return { frame, idAt: qos > 0 ? idOffset(frame) : -1 };
  }
  const length = 2 + topicBytes + (qos > 0 ? 2 : 0) + (version === 5 ? 1 : 0) + payload.length;
  const frame = Buffer.allocUnsafe(1 + lengthBytes(length) + length);
  frame[0] = 0x30 | (qos << 1) | (retain ? 1 : 0);
  let at = writeLength(frame, 1, length);
  at = frame.writeUInt16BE(topicBytes, at);
  at += frame.write(topic, at, 'utf8');
  const idAt = qos > 0 ? at : -1;
  if (qos > 0) at = frame.writeUInt16BE(0, at);
  if (version === 5) frame[at++] = 0;
  payload.copy(frame, at);
  return { frame, idAt };
}

function idOffset(frame: Buffer): number {
  let at = 1;
  while (((frame[at++] as number) & 128) !== 0);
  return at + 2 + frame.readUInt16BE(at);
}

/** PUBACK, PUBREC or PUBCOMP with a packet id. */
export function encodeAck(kind: 'puback' | 'pubrec' | 'pubcomp', id: number, version: Version, code = 0): Buffer {
  const first = kind === 'puback' ? 0x40 : kind === 'pubrec' ? 0x50 : 0x70;
  return version === 5 && code > 0
    ? Buffer.from([first, 3, id >> 8, id & 255, code])
    : Buffer.from([first, 2, id >> 8, id & 255]);
}

/** Many PUBACKs, all of success: the same bytes in every version. */
export function encodePubacks(ids: readonly number[]): Buffer {
  const frames = Buffer.allocUnsafe(ids.length * 4);
  let at = 0;
  for (const id of ids) {
    frames[at++] = 0x40;
    frames[at++] = 2;
    frames[at++] = id >> 8;
    frames[at++] = id & 255;
  }
  return frames;
}

/** SUBACK or UNSUBACK; the codes of the latter only exist in MQTT 5. */
export function encodeGranted(
  kind: 'suback' | 'unsuback',
  id: number,
  version: Version,
  codes: readonly number[],
): Buffer {
  const granted = kind === 'unsuback' && version !== 5 ? [] : codes;
  const length = 2 + (version === 5 ? 1 : 0) + granted.length;
  const frame = Buffer.alloc(1 + lengthBytes(length) + length);
  frame[0] = kind === 'suback' ? 0x90 : 0xb0;
  let at = writeLength(frame, 1, length);
  at = frame.writeUInt16BE(id, at);
  if (version === 5) frame[at++] = 0;
  for (const code of granted) frame[at++] = code;
  return frame;
}
