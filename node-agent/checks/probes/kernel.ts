/** `sysctl`, `listens`, `route` and `link`: what the kernel says in /proc and /sys. */
import { fail, pass, unknown } from '../finding.ts';
import type { Machine } from '../machine.ts';
import type { Probe } from '../real-prober.ts';

export const sysctl: Probe<'sysctl'> = async ({ key, value }, { files }) => {
  const text = files.text(`proc/sys/${key.replaceAll('.', '/')}`, 4096);
  if (text === undefined) return unknown(`this kernel has no ${key}, or does not show it`);
  const plain = (said: string) => said.trim().replace(/\s+/g, ' ');
  return plain(text) === plain(value) ? pass(`${key} is ${plain(value)}`) : fail(`${key} is ${plain(text)}`);
};

/** Of include/net/tcp_states.h: TCP_LISTEN; UDP sockets that are bound and not connected are in TCP_CLOSE. */
const listening = { tcp: '0A', udp: '07' } as const;

export const listens: Probe<'listens'> = async ({ port, proto = 'tcp', exists = true }, { files }) => {
  const tables = [proto, `${proto}6`].map(name => files.text(`proc/net/${name}`, 4 * 1024 * 1024));
  if (tables.every(table => table === undefined)) return unknown('this system does not tell who listens');
  const found = tables.some(table => portsOf(table ?? '', listening[proto]).has(port));
  if (found === exists) return pass(`${found ? 'somebody' : 'nobody'} listens at ${proto} port ${port}`);
  return fail(`${found ? 'somebody' : 'nobody'} listens at ${proto} port ${port}`);
};

/** proc(5), `net/tcp`: `  0: 0100007F:0016 00000000:0000 0A …`. */
function portsOf(table: string, state: string): Set<number> {
  const ports = new Set<number>();
  for (const match of table.matchAll(/^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} ([0-9A-F]{2}) /gm)) {
    if (match[2] === state) ports.add(Number.parseInt(match[1] ?? '', 16));
  }
  return ports;
}

interface Route {
  readonly dev: string;
  readonly via: string;
  readonly metric: number;
}

/** Flags of route(8): the route may be used, and leads to a gateway. */
const up = 1;

/** proc(5), `net/route`: addresses are hexadecimal, the last byte first. The lowest metric wins. */
function defaultRoute({ files }: Machine): Route | 'none' | undefined {
  const text = files.text('proc/net/route');
  if (text === undefined) return undefined;
  const routes = text.split('\n').flatMap((line): Route[] => {
    const [dev = '', to, gateway = '', flags, , , metric, mask] = line.split('\t');
    if (to !== '00000000' || mask !== '00000000' || !(Number.parseInt(flags ?? '0', 16) & up)) return [];
    const bytes = (gateway.match(/../g) ?? []).map(byte => Number.parseInt(byte, 16));
    return [{ dev, via: bytes.reverse().join('.'), metric: Number(metric) }];
  });
  return routes.sort((a, b) => a.metric - b.metric)[0] ?? 'none';
}

export const route: Probe<'route'> = async ({ dev, via }, machine) => {
  const found = defaultRoute(machine);
  if (found === undefined) return unknown('this system does not tell its routes');
  if (found === 'none') return fail('there is no default route');
  const shown = `the default route is by ${found.dev} to ${found.via}`;
  return (dev ?? found.dev) === found.dev && (via ?? found.via) === found.via ? pass(shown) : fail(shown);
};

export const link: Probe<'link'> = async ({ dev, min_mbps: minMbps, duplex }, machine) => {
  const { files } = machine;
  const found = dev === undefined ? defaultRoute(machine) : undefined;
  const name = dev ?? (typeof found === 'object' ? found.dev : undefined);
  if (name === undefined)
    return found === 'none' ? fail('there is no default route') : unknown('no interface is known');
  const folder = `sys/class/net/${name}`;
  const state = files.text(`${folder}/operstate`, 64)?.trim();
  if (state === undefined) return files.exists('sys/class/net') ? fail(`there is no ${name}`) : unknown('no /sys here');
  if (state !== 'up' && state !== 'unknown') return fail(`${name} is ${state}`);
  const speed = files.number(`${folder}/speed`) ?? -1;
  const is = files.text(`${folder}/duplex`, 64)?.trim() ?? 'unknown';
  if (minMbps !== undefined && speed > 0 && speed < minMbps) return fail(`${name} has ${speed} Mbit/s, of ${minMbps}`);
  if (duplex !== undefined && is !== 'unknown' && is !== duplex) return fail(`${name} is ${is} duplex`);
  // Radio and virtual interfaces have no speed.
  if (minMbps !== undefined && speed <= 0) return unknown(`${name} does not tell its speed`);
  if (duplex !== undefined && is === 'unknown') return unknown(`${name} does not tell its duplex`);
  if (state === 'unknown' && minMbps === undefined && duplex === undefined) return unknown(`${name} does not say`);
  return pass(speed > 0 ? `${name} is up with ${speed} Mbit/s` : `${name} is up`);
};
