/**
 * Whether the settings name as the user's broker the one that Hearth itself runs on: rooms and Home Assistant's discovery
 * would be said twice, and each command carried out twice. Here by what names and ports show for certain; another name of
 * the same broker is found at the first connection (loop.ts). Pure.
 */
import { UserError } from '../../shared/user-error.ts';
import type { SupervisorConfig } from '../config.ts';
import { parseAddress } from '../mqtt/outside-address.ts';

/** This machine as others may call it. */
export interface Machine {
  readonly hostname: string;
  /** IP addresses of its network interfaces. */
  readonly addresses: readonly string[];
}

type Settings = Pick<SupervisorConfig, 'uplink' | 'broker' | 'lan' | 'mqttPort' | 'tlsPort' | 'httpPort'>;

interface Place {
  readonly host: string;
  readonly port: number;
}

/** Where a URL says nothing (OASIS MQTT at IANA; RFC 6455, section 3). */
const usualPorts: Readonly<Record<string, number>> = { 'mqtt:': 1883, 'mqtts:': 8883, 'ws:': 80, 'wss:': 443 };

/** @throws UserError where the uplink would lead back to Hearth. */
export function refuseOwnBroker(settings: Settings, machine: Machine): void {
  const { uplink, broker } = settings;
  if (uplink === undefined) return;
  const { where } = parseAddress({ url: uplink });
  const place = placeOf(uplink);
  const way =
    'Home Assistant finds everything on that one already: leave --uplink out, or name another broker, such as mqtt://USER:PASSWORD@homeassistant.local:1883.';
  if (broker !== undefined) {
    if (isSame(place, placeOf(broker))) {
      throw new UserError(`--uplink ${where} is the broker that --broker names, and that Hearth runs on. ${way}`, 2);
    }
    return;
  }
  const flag = listeningFlag(place, settings, machine);
  if (flag === undefined) return;
  throw new UserError(`--uplink ${where} is Hearth's own broker (${flag} ${place.port} of this machine). ${way}`, 2);
}

/** Which of the ports of the embedded broker it is. HTTP serves MQTT over WebSocket, too. */
function listeningFlag({ host, port }: Place, settings: Settings, machine: Machine): string | undefined {
  const { lan, mqttPort, httpPort, tlsPort } = settings;
  const here = isLoopback(host);
  // With --lan these two listen at every address. Without it, another program may have the port at another address.
  const anywhere = here || (lan && isOfMachine(host, machine));
  if (here && port === mqttPort) return '--mqtt-port';
  if (anywhere && port === httpPort) return '--http-port';
  return anywhere && lan && port === tlsPort ? '--tls-port' : undefined;
}

/** One port is one broker, whatever is spoken there; two ports may be two. */
const isSame = (one: Place, other: Place): boolean =>
  one.port === other.port && (one.host === other.host || (isLoopback(one.host) && isLoopback(other.host)));

function placeOf(broker: string): Place {
  const url = new URL(broker);
  return { host: plainHost(url.hostname), port: Number(url.port) || (usualPorts[url.protocol] ?? 1883) };
}

/** In lower case, without brackets, and an IPv4 address (`127.1`, `::ffff:127.0.0.1`) as four numbers. */
function plainHost(host: string): string {
  // Hosts of other schemes than http are left as they were written (WHATWG URL, section 3.5).
  const asHttp = `http://${host.replace(/\.$/, '')}`;
  const plain = (URL.canParse(asHttp) ? new URL(asHttp).hostname : host.toLowerCase()).replace(/^\[|\]$/g, '');
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(plain);
  if (!mapped) return plain;
  const [high, low] = [Number.parseInt(mapped[1] ?? '', 16), Number.parseInt(mapped[2] ?? '', 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

/** `0.0.0.0` and `::` as a destination are this machine, too. */
const loopbacks: ReadonlySet<string> = new Set(['127.0.0.1', '::1', '0.0.0.0', '::', 'ip6-localhost', 'ip6-loopback']);

/** Names below `localhost` never leave the machine (RFC 6761, section 6.3). */
const isLoopback = (host: string): boolean => loopbacks.has(host) || /(^|\.)localhost(\.localdomain)?$/.test(host);

function isOfMachine(host: string, { hostname, addresses }: Machine): boolean {
  const name = hostname.toLowerCase();
  const short = name.split('.')[0] ?? name;
  if (host === name || host === short || host === `${short}.local` || host.startsWith('127.')) return true;
  return addresses.some(address => plainHost(address.includes(':') ? `[${address}]` : address) === host);
}
