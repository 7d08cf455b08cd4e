/** Supervisors as they say on the network where they are. Pure; everything in it is hearsay, until the cluster's key says so. */
import { type DnsPacket, type DnsRecord, decodeTxt, hearthType, sameName, srvOf } from '../../shared/mdns/packet.ts';
import { printable } from '../../shared/names.ts';

export interface FoundSupervisor {
  /** Fingerprint of its cluster, as it claims. */
  readonly cluster: string;
  /** As people see it, such as `Hearth on attic`. */
  readonly name: string;
  /** IPv4 addresses, the likeliest first. */
  readonly addresses: readonly string[];
  /** Of HTTP, where a machine joins. */
  readonly port: number;
  readonly ver: string;
}

/** What one packet names, and whom it takes back. */
export interface Heard {
  readonly up: readonly FoundSupervisor[];
  /** Names that are gone. */
  readonly down: readonly string[];
}

const mostRecords = 256;
const mostSupervisors = 32;
const mostAddresses = 8;
const ipv4 = /^\d{1,3}(\.\d{1,3}){3}$/;

/** @param from where the packet came from, for a supervisor that names no address. */
export function readFound(packet: DnsPacket, from: string): Heard {
  if (packet.type !== 'response') return { up: [], down: [] };
  const records = [...(packet.answers ?? []), ...(packet.additionals ?? [])].slice(0, mostRecords);
  const instances = records.filter(
    ({ type, name, data }) => type === 'PTR' && sameName(name, hearthType) && typeof data === 'string',
  );
  const up = new Map<string, FoundSupervisor>();
  const down: string[] = [];
  for (const { ttl, data } of instances.slice(0, mostSupervisors)) {
    const instance = String(data);
    const name = printable(instance.slice(0, -(hearthType.length + 1)), 80);
    if (ttl === 0) down.push(name);
    else {
      const found = readOne(records, instance, name, from);
      if (found) up.set(name, found);
    }
  }
  return { up: [...up.values()], down };
}

function readOne(
  records: readonly DnsRecord[],
  instance: string,
  name: string,
  from: string,
): FoundSupervisor | undefined {
  const own = records.filter(record => sameName(record.name, instance));
  const srv = own.map(srvOf).find(each => each !== undefined);
  const txt = own.find(({ type }) => type === 'TXT');
  const values = txt && decodeTxt(txt);
  const cluster = values?.get('cluster') ?? '';
  if (!srv || srv.port < 1 || srv.port > 65535 || !/^[0-9a-f]{32}$/.test(cluster)) return undefined;
  const named = records
    .filter(({ type, name: owner, data }) => type === 'A' && sameName(owner, srv.target) && ipv4.test(String(data)))
    .map(({ data }) => String(data));
  const addresses = [...new Set([...named, from])].slice(0, 4);
  return { cluster, name, addresses, port: srv.port, ver: printable(values?.get('ver') ?? '', 32) };
}

const sameSupervisor = (a: FoundSupervisor, b: FoundSupervisor): boolean =>
  a.cluster === b.cluster && a.port === b.port;

/** Whether there is nothing new in what was heard. On each network it has an address of its own. */
export const isKnown = (known: FoundSupervisor | undefined, heard: FoundSupervisor): boolean =>
  known !== undefined &&
  sameSupervisor(known, heard) &&
  heard.addresses.every(address => known.addresses.includes(address));

/** What was heard, with the addresses known before behind its own. */
export function merged(known: FoundSupervisor | undefined, heard: FoundSupervisor): FoundSupervisor {
  if (!known || !sameSupervisor(known, heard)) return heard;
  return { ...heard, addresses: [...new Set([...heard.addresses, ...known.addresses])].slice(0, mostAddresses) };
}

export type Choice =
  | { readonly kind: 'none' }
  | { readonly kind: 'one'; readonly supervisor: FoundSupervisor }
  /** Nobody can know which is meant. */
  | { readonly kind: 'several'; readonly sentence: string };

/**
 * Which supervisor to ask. Several of one cluster are one that has several names; several clusters are a person's to
 * choose from.
 * @param cluster the fingerprint that is trusted already.
 */
export function chooseSupervisor(found: readonly FoundSupervisor[], cluster: string | undefined): Choice {
  const fitting = cluster === undefined ? found : found.filter(each => each.cluster === cluster);
  const [first] = fitting;
  if (!first) return { kind: 'none' };
  const clusters = new Map(fitting.map(each => [each.cluster, each]));
  if (clusters.size === 1) return { kind: 'one', supervisor: first };
  const names = [...clusters.values()]
    .slice(0, 5)
    .map(each => `"${each.name}" at ${each.addresses[0]}:${each.port} (${each.cluster})`);
  const sentence = `There are ${clusters.size} clusters on this network: ${names.join(', ')}. Say which one with --cluster FINGERPRINT, --supervisor HOST:PORT or --token; an agent that install.sh put here reads HEARTH_CLUSTER=FINGERPRINT from its settings.`;
  return { kind: 'several', sentence };
}
