/** Where machines of the network reach this supervisor: what a join line names, and what nodes are told to connect to. */
import { hostname, type NetworkInterfaceInfo, networkInterfaces } from 'node:os';

/** Ports that are open to the network; undefined while they are not. */
export interface OpenPorts {
  http: number | undefined;
  tls: number | undefined;
}

type Interfaces = Readonly<
  Record<string, readonly Pick<NetworkInterfaceInfo, 'address' | 'family' | 'internal'>[] | undefined>
>;

/** Bridges of containers and virtual machines, and tunnels: seldom where the machines at home are. */
const seldom = /^(docker|br-|veth|virbr|lxc|lxd|cni|flannel|tun|tap|wg|tailscale|zt)/;
const linkLocal = /^(169\.254\.|fe80:)/i;

/** Addresses that others reach, the likeliest first: IPv4 before IPv6, real interfaces before virtual ones. */
export function reachableAddresses(interfaces: Interfaces): string[] {
  const found: { readonly address: string; readonly rank: number }[] = [];
  for (const [name, list] of Object.entries(interfaces)) {
    for (const { address, family, internal } of list ?? []) {
      if (internal || linkLocal.test(address)) continue;
      found.push({ address, rank: (seldom.test(name) ? 2 : 0) + (family === 'IPv6' ? 1 : 0) });
    }
  }
  return found.sort((a, b) => a.rank - b.rank).map(({ address }) => address);
}

const bracketed = (address: string): string => (address.includes(':') ? `[${address}]` : address);

const onLoopbackOnly =
  'The supervisor listens on this machine only, so that no other could join: start it with "hearth up --lan".';
const onOutsideBroker =
  'Machines join by the certificates of the supervisor\'s own broker, and this supervisor runs on another one. There, start "hearth agent --broker URL --node ID" on the machine, with a login of that broker.';

/** What one machine may be told. */
const mostBrokers = 8;

export class Reach {
  readonly ports: OpenPorts = { http: undefined, tls: undefined };
  readonly #interfaces: () => Interfaces;
  readonly #host: string;

  constructor(interfaces: () => Interfaces = networkInterfaces, host = hostname()) {
    this.#interfaces = interfaces;
    this.#host = host.toLowerCase().split('.')[0] ?? '';
  }

  /** For the join line; without any address but loopback it names this machine. Or the sentence why nobody can join. */
  entrance(): { readonly host: string; readonly port: number } | string {
    const { http, tls } = this.ports;
    if (http === undefined) return onLoopbackOnly;
    if (tls === undefined) return onOutsideBroker;
    const [first] = reachableAddresses(this.#interfaces());
    return { host: first === undefined ? `${this.#host}.local` : bracketed(first), port: http };
  }

  /** `mqtts://HOST:PORT`; the name that mDNS gives this machine last, for when its addresses have changed. */
  brokers(): string[] {
    const { tls } = this.ports;
    if (tls === undefined) return [];
    const hosts = reachableAddresses(this.#interfaces())
      .slice(0, mostBrokers - 1)
      .map(bracketed);
    return [...hosts, `${this.#host}.local`].map(host => `mqtts://${host}:${tls}`);
  }
}
