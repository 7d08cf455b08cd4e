/** A retained message as the cache keeps it: version, QoS, expiry, length of the properties, properties, payload. */
import { deserialize, serialize } from 'node:v8';
import { carriedProperties, whyMalformed } from './message.ts';
import type { Retained } from './retained.ts';

const version = 1;
const head = 1 + 1 + 8 + 4;

export function encodeRetained(message: Retained): Buffer {
  const properties = message.properties ? serialize(message.properties) : Buffer.alloc(0);
  const bytes = Buffer.alloc(head + properties.length + message.payload.length);
  bytes[0] = version;
  bytes[1] = message.qos;
  bytes.writeDoubleBE(message.expiresAt ?? 0, 2);
  bytes.writeUInt32BE(properties.length, 10);
  properties.copy(bytes, head);
  message.payload.copy(bytes, head + properties.length);
  return bytes;
}

/** @returns undefined where the bytes are none of this version. Never throws. */
export function decodeRetained(topic: string, bytes: Buffer): Retained | undefined {
  if (bytes.length <= head || bytes[0] !== version) return undefined;
  const expiresAt = bytes.readDoubleBE(2);
  const end = head + bytes.readUInt32BE(10);
  if (end >= bytes.length) return undefined;
  try {
    const found = end > head ? (deserialize(bytes.subarray(head, end)) as object) : undefined;
    if (whyMalformed(found)) return undefined;
    const properties = carriedProperties(found);
    return {
      topic,
      payload: Buffer.from(bytes.subarray(end)),
      qos: bytes[1] === 1 ? 1 : 0,
      ...(properties && { properties }),
      ...(expiresAt > 0 && { expiresAt }),
    };
  } catch {
    return undefined;
  }
}
