import type { UserProperties } from 'mqtt-packet';

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
