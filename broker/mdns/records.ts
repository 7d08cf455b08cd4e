/** What a supervisor says of itself by mDNS. Pure. */
import { type DnsRecord, encodeTxt, hearthType, type MdnsInterface, mqttType } from '../../shared/mdns/packet.ts';

export interface Advertised {
  /** The cluster's fingerprint. */
  readonly cluster: string;
  readonly ver: string;
  readonly hostname: string;
  readonly httpPort: number;
  /** MQTT over TLS; 0: not by this supervisor, but by a broker of its own. */
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
  readonly instances: readonly string[];
  readonly all: readonly DnsRecord[];
}

export function recordsOf(own: Advertised, number: number, via: MdnsInterface): OwnRecords {
  const label = instanceLabel(own.hostname, number);
  const target = targetName(own.cluster);
  const instance = (type: string) => `${label}.${type}`;
  const txt = { txtvers: '1', cluster: own.cluster, ver: own.ver };
  const service = (type: string, port: number, values: Record<string, string>): DnsRecord[] => [
    { name: type, type: 'PTR', ttl: longS, data: instance(type) },
    { name: '_services._dns-sd._udp.local', type: 'PTR', ttl: longS, data: type },
    { name: instance(type), type: 'SRV', ttl: shortS, flush: true, data: { priority: 0, weight: 0, port, target } },
    { name: instance(type), type: 'TXT', ttl: longS, flush: true, data: encodeTxt(values) },
  ];
  const { httpPort, tlsPort } = own;
  const mqtt = tlsPort === 0 ? [] : service(mqttType, tlsPort, txt);
  const all = [
    ...service(hearthType, httpPort, tlsPort === 0 ? txt : { ...txt, tls: String(tlsPort) }),
    ...mqtt,
    { name: target, type: 'A', ttl: shortS, flush: true, data: via.address },
  ];
  return { instances: [hearthType, ...(tlsPort === 0 ? [] : [mqttType])].map(instance), all };
}
