import type { UserProperties } from 'mqtt-packet';
import { isUnprintable } from './filters.ts';

/** The MQTT 5 properties of a PUBLISH that travel with it (section 3.3.2.3). */
export interface MessageProperties {
  payloadFormatIndicator?: boolean;
  messageExpiryInterval?: number;
  responseTopic?: string;
  correlationData?: Buffer;
  userProperties?: UserProperties;
  contentType?: string;
}

const carried = [
  'payloadFormatIndicator',
  'messageExpiryInterval',
  'responseTopic',
  'correlationData',
  'userProperties',
  'contentType',
] as const;

/** Of what a client sent, what is passed on: topic alias and subscription identifier are of one connection only. */
export function carriedProperties(properties: object | undefined): MessageProperties | undefined {
  if (!properties) return undefined;
  const kept: Record<string, unknown> = {};
  let any = false;
  for (const name of carried) {
    const value = (properties as Record<string, unknown>)[name];
    if (value === undefined || value === null) continue;
    kept[name] = value;
    any = true;
  }
  return any ? (kept as MessageProperties) : undefined;
}

/**
 * What is wrong with a packet's properties as mqtt-packet hands them over: it makes a list of what may come once only
 * (section 2.2.2.2), and null or -1 of what the packet is too short for. Taken at their word, such values break whoever
 * counts with them or writes them out again, long after the packet.
 */
export function whyMalformed(properties: object | undefined): string | undefined {
  if (!properties) return undefined;
  for (const [name, value] of Object.entries(properties)) {
    if (name === 'userProperties') {
      const texts: unknown[] = Object.values(value as object).flat();
      if (texts.some(text => typeof text !== 'string')) return 'a user property is cut off';
    } else if (Array.isArray(value)) return `${name} comes more than once`;
    else if (value === undefined || value === null || value === -1) return `${name} is cut off`;
  }
  return undefined;
}

/** Why properties cannot be passed on, in words for people: strict receivers would drop their connection over them. */
export function whyNoProperties(properties: MessageProperties): string | undefined {
  const { responseTopic, contentType, userProperties = {} } = properties;
  if (responseTopic !== undefined && (responseTopic === '' || /[+#]/.test(responseTopic))) {
    return 'its response topic is no topic';
  }
  const texts = [responseTopic ?? '', contentType ?? '', ...Object.entries(userProperties).flat(2)];
  return texts.some(isUnprintable) ? 'a property holds bytes that are no printable UTF-8' : undefined;
}

/** What properties take, roughly: characters and bytes. */
export function propertyBytes(properties: MessageProperties | undefined): number {
  if (!properties) return 0;
  const { responseTopic = '', contentType = '', correlationData, userProperties = {} } = properties;
  let bytes = responseTopic.length + contentType.length + (correlationData?.length ?? 0);
  for (const [name, value] of Object.entries(userProperties)) {
    for (const text of [value].flat()) bytes += name.length + text.length;
  }
  return bytes;
}
