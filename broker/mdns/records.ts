/** What a supervisor says of itself by mDNS. Pure. */
import { type DnsRecord, encodeTxt, hearthType, type MdnsInterface, mqttType } from '../../shared/mdns/packet.ts';

export interface Advertised {
  /** The cluster's fingerprint. */
  readonly cluster: string;
  readonly ver: string;
  readonly hostname: string;
  readonly httpPort: number;
  /** MQTT over TLS. */
  readonly tlsPort: number;
}

const longS = 4500;
/** For records that name an address. */
const shortS = 120;
const longestLabel = 63;

/** `Hearth on HOST`, with a number from the second one on; a label of at most 63 bytes without dots. */
export function instanceLabel(hostname: string, number: number): string {
  const tail = number > 1 ? ` (${number})` : '';
  const plain = [...hostname].map(char => (char === '.' || char < ' ' ? '-' : char));
  while (Buffer.byteLength(`Hearth on ${plain.join('')}${tail}`) > longestLabel) plain.pop();
  return `Hearth on ${plain.join('')}${tail}`;
}

/** A name of its own: the machine's own `HOST.local` is whose responder it is, such as Avahi's. */
export const targetName = (cluster: string): string => `hearth-${cluster.slice(0, 12)}.local`;

export interface OwnRecords {
  readonly instances: readonly [string, string];
  readonly all: readonly DnsRecord[];
}

export function recordsOf(own: Advertised, number: number, via: MdnsInterface): OwnRecords {
  const label = instanceLabel(own.hostname, number);
  const target = targetName(own.cluster);
  const instances = [`${label}.${hearthType}`, `${label}.${mqttType}`] as const;
  const txt = { txtvers: '1', cluster: own.cluster, ver: own.ver };
  const service = (type: string, name: string, port: number, values: Record<string, string>): DnsRecord[] => [
    { name: type, type: 'PTR', ttl: longS, data: name },
    { name: '_services._dns-sd._udp.local', type: 'PTR', ttl: longS, data: type },
    { name, type: 'SRV', ttl: shortS, flush: true, data: { priority: 0, weight: 0, port, target } },
    { name, type: 'TXT', ttl: longS, flush: true, data: encodeTxt(values) },
  ];
  const all = [
    ...service(hearthType, instances[0], own.httpPort, { ...txt, tls: String(own.tlsPort) }),
    ...service(mqttType, instances[1], own.tlsPort, txt),
    { name: target, type: 'A', ttl: shortS, flush: true, data: via.address },
  ];
  return { instances, all };
}
