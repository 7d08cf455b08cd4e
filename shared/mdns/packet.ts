/** Multicast DNS (RFC 6762) and DNS-SD (RFC 6763) as far as Hearth speaks them. */

export interface Srv {
  readonly port: number;
  readonly target: string;
}

/** A resource record as dns-packet writes and reads it. What was read is hostile: `data` is checked where it is used. */
export interface DnsRecord {
  readonly name: string;
  readonly type: string;
  readonly ttl?: number;
  readonly flush?: boolean;
  readonly data?: unknown;
}

export interface DnsPacket {
  readonly type: 'query' | 'response';
  readonly id?: number;
  readonly flags?: number;
  readonly questions?: readonly { readonly name: string; readonly type: string }[];
  readonly answers?: readonly DnsRecord[];
  readonly authorities?: readonly DnsRecord[];
  readonly additionals?: readonly DnsRecord[];
}

/** An IPv4 interface of this machine. */
export interface MdnsInterface {
  readonly name: string;
  readonly address: string;
  readonly netmask: string;
}

export const mdnsPort = 5353;
/** The supervisor's HTTP port, and what a joining machine looks for. */
export const hearthType = '_hearth._tcp.local';
/** MQTT over TLS, as registered with IANA. */
export const mqttType = '_secure-mqtt._tcp.local';
export const authoritative = 1 << 10;

/** Names are compared without regard to case (RFC 6762, section 16). */
export const sameName = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();

export function srvOf({ type, data }: DnsRecord): Srv | undefined {
  if (type !== 'SRV' || typeof data !== 'object' || data === null) return undefined;
  const { port, target } = data as { port?: unknown; target?: unknown };
  return typeof port === 'number' && typeof target === 'string' ? { port, target } : undefined;
}

export const encodeTxt = (values: Readonly<Record<string, string>>): Buffer[] =>
  Object.entries(values).map(([key, value]) => Buffer.from(`${key}=${value}`));

/** Keys in lower case; of one key the first counts (RFC 6763, section 6.4). */
export function decodeTxt({ type, data }: DnsRecord): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  if (type !== 'TXT' || !Array.isArray(data)) return values;
  for (const item of data.slice(0, 32)) {
    const text = Buffer.isBuffer(item) ? item.toString() : typeof item === 'string' ? item : '';
    const at = text.indexOf('=');
    const key = text.slice(0, at).toLowerCase();
    if (at > 0 && !values.has(key)) values.set(key, text.slice(at + 1));
  }
  return values;
}

const numberOf = (address: string): number =>
  address.split('.').reduce((sum, part) => (sum * 256 + Number(part)) >>> 0, 0);

/** Whether an address is on the interface's own network: multicast DNS answers nobody else (RFC 6762, section 11). */
export const isNear = (address: string, { address: own, netmask }: MdnsInterface): boolean =>
  /^\d{1,3}(\.\d{1,3}){3}$/.test(address) && ((numberOf(address) ^ numberOf(own)) & numberOf(netmask)) === 0;
