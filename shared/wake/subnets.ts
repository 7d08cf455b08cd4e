/** The IPv4 networks that this machine is in: where a broadcast of it is heard. */
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';

export interface Subnet {
  readonly name: string;
  /** This machine's own. */
  readonly address: string;
  /** Directed broadcast (RFC 919): the host part all ones. */
  readonly broadcast: string;
  /** `192.168.1.0/24`. */
  readonly net: string;
}

/** Interfaces more than that are virtual ones. */
const mostInterfaces = 16;
/** Networks of containers and virtual machines on this machine alone, and tunnels: every second machine has the same. */
const inside = /^(docker|br-[0-9a-f]{12}|virbr|vnet|veth|podman|cni|flannel|cali|lxc|lxd|tun|tap|wg|tailscale|zt|utun)/;

const numberOf = (address: string): number =>
  address.split('.').reduce((number, byte) => (number * 256 + Number(byte)) >>> 0, 0);
const textOf = (number: number): string => [24, 16, 8, 0].map(bits => (number >>> bits) & 255).join('.');

type Interfaces = NodeJS.Dict<NetworkInterfaceInfo[]>;

/** Newer Androids tell a program nothing of them, by an error. */
function interfaces(): Interfaces {
  try {
    return networkInterfaces();
  } catch {
    return {};
  }
}

/** Of every interface that has a broadcast address; real ones first. */
export function ownSubnets(all: Interfaces = interfaces()): readonly Subnet[] {
  const found: Subnet[] = [];
  for (const [name, addresses = []] of Object.entries(all)) {
    for (const { family, address, netmask, internal } of addresses) {
      const bits = Math.clz32(~numberOf(netmask));
      // A link of two (RFC 3021) or of one has no broadcast address.
      if (family !== 'IPv4' || internal || bits === 0 || bits > 30) continue;
      const mask = (-1 << (32 - bits)) >>> 0;
      const number = numberOf(address);
      const net = `${textOf((number & mask) >>> 0)}/${bits}`;
      found.push({ name, address, broadcast: textOf((number | ~mask) >>> 0), net });
    }
  }
  return found.sort((a, b) => Number(inside.test(a.name)) - Number(inside.test(b.name))).slice(0, mostInterfaces);
}

/** The networks that this machine shares with others, for `info`. */
export const sharedNets = (subnets: readonly Subnet[]): readonly string[] => [
  ...new Set(subnets.filter(({ name }) => !inside.test(name)).map(({ net }) => net)),
];

/** Networks in a comma-joined text, as {@link sharedNets} gives them; what is none is left out. */
export const readNets = (text: string): string[] =>
  text.split(',').filter(net => /^\d{1,3}(\.\d{1,3}){3}\/\d{1,2}$/.test(net));
