/** The CONNACK of who is not let in (MQTT 3.1.1, section 3.2.2.3, and MQTT 5, section 3.2.2.2). */
import mqtt from 'mqtt-packet';
import type { Refusal } from '../access/login.ts';
import type { Version } from './packets.ts';

/** Return code of 3.1.1 and reason code of 5. */
const codes: Readonly<Record<Refusal['refused'], readonly [old: number, five: number]>> = {
  credentials: [4, 0x86],
  'client-id': [2, 0x85],
  // "Not authorized" and "banned": trying again changes nothing.
  revoked: [5, 0x8a],
  // "Server unavailable", and "connection rate exceeded" and "server busy": trying again later may.
  slow: [3, 0x9f],
  busy: [3, 0x89],
};

/** @param most longest packet the client takes. */
export function encodeRefusal({ refused, sentence, retryMs }: Refusal, version: Version, most: number): Buffer {
  const [old, five] = codes[refused];
  if (version !== 5) return Buffer.from([0x20, 2, 0, old]);
  const wait = retryMs === undefined ? {} : { userProperties: { 'retry-ms': String(Math.ceil(retryMs)) } };
  const packet = { cmd: 'connack', sessionPresent: false, reasonCode: five } as const;
  const full = mqtt.generate({ ...packet, properties: { reasonString: sentence, ...wait } }, { protocolVersion: 5 });
  return full.length <= most ? full : mqtt.generate(packet, { protocolVersion: 5 });
}
