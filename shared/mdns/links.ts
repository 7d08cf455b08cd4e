/**
 * Multicast DNS on every interface of this machine at once, as these come and go. A socket per interface: one socket can
 * hear all of them, but it sends on one. Nothing that goes wrong here ends anything: discovery is a convenience.
 */
import { networkInterfaces } from 'node:os';
import multicastDns from 'multicast-dns';
import { type DnsPacket, isNear, type MdnsInterface, mdnsPort } from './packet.ts';

export interface MdnsHandlers {
  /** @param via the interface on whose network the sender is. */
  packet(packet: DnsPacket, from: { readonly address: string; readonly port: number }, via: MdnsInterface): void;
  /** Interfaces on which there is a socket now, told at the start and at every change. */
  interfaces(list: readonly MdnsInterface[]): void;
  /** Once per reason. */
  trouble(sentence: string): void;
}

/** Interfaces more than that are virtual ones. */
const mostInterfaces = 16;
const lookAgainMs = 10_000;
/** A port that could not be had is asked for again that late. */
const retryMs = 60_000;
const closeWithinMs = 500;

interface Link {
  readonly via: MdnsInterface;
  readonly socket: ReturnType<typeof multicastDns>;
}

export class MdnsLinks {
  readonly #handlers: MdnsHandlers;
  readonly #links = new Map<string, Link>();
  readonly #told = new Set<string>();
  readonly #interfaces: () => readonly MdnsInterface[];
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  /** Packets on their way out. */
  #leaving = 0;
  #left: (() => void) | undefined;

  constructor(handlers: MdnsHandlers, interfaces: () => readonly MdnsInterface[] = ownInterfaces) {
    this.#handlers = handlers;
    this.#interfaces = interfaces;
    this.#look();
  }

  /** @param via absent: on every interface. @param to absent: everybody on its network. */
  send(packet: DnsPacket, via?: string, to?: { readonly address: string; readonly port: number }): void {
    for (const { via: own, socket } of this.#links.values()) {
      if (via !== undefined && via !== own.name) continue;
      this.#leaving++;
      const gone = (error?: unknown) => {
        this.#leaving--;
        if (error) this.#trouble(own, error);
        if (this.#leaving === 0) this.#left?.();
      };
      try {
        socket.send({ ...packet }, to ? { ...to } : null, gone);
      } catch (error) {
        gone(error);
      }
    }
  }

  /** `done` when what was sent has left and every socket is closed. */
  close(done: () => void = () => {}): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    const end = () => {
      clearTimeout(late);
      this.#left = undefined;
      let open = this.#links.size;
      if (open === 0) done();
      for (const { socket } of this.#links.values()) {
        socket.destroy(() => {
          open--;
          if (open === 0) done();
        });
      }
      this.#links.clear();
    };
    const late = setTimeout(end, closeWithinMs);
    if (this.#leaving === 0) setImmediate(end);
    else this.#left = end;
  }

  #look(ms = lookAgainMs): void {
    if (this.#closed) return;
    const found = this.#interfaces().slice(0, mostInterfaces);
    const key = ({ name, address, netmask }: MdnsInterface) => `${name} ${address} ${netmask}`;
    const wanted = new Map(found.map(via => [key(via), via]));
    const before = [...this.#links.keys()].join();
    for (const [name, { socket }] of this.#links) {
      if (wanted.has(name)) continue;
      this.#links.delete(name);
      socket.destroy();
    }
    for (const [name, via] of wanted) if (!this.#links.has(name)) this.#open(name, via);
    if (before !== [...this.#links.keys()].join() || !this.#timer) this.#tellInterfaces();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), ms);
    this.#timer.unref();
  }

  #tellInterfaces(): void {
    this.#handlers.interfaces([...this.#links.values()].map(({ via }) => via));
  }

  #open(key: string, via: MdnsInterface): void {
    const socket = multicastDns({ interface: via.address, bind: '0.0.0.0', port: mdnsPort, loopback: true });
    this.#links.set(key, { via, socket });
    socket.on('packet', (packet: DnsPacket, from: { address: string; port: number }) => {
      // Every socket hears what comes in on any interface.
      if (!this.#closed && isNear(from.address, via)) this.#handlers.packet(packet, from, via);
    });
    // A packet that could not be read, or an interface that is going.
    socket.on('warning', () => {});
    socket.on('error', (error: Error) => {
      this.#trouble(via, error);
      if (this.#links.get(key)?.socket !== socket) return;
      this.#links.delete(key);
      socket.destroy();
      clearTimeout(this.#timer);
      if (!this.#closed) this.#timer = setTimeout(() => this.#look(), retryMs).unref();
    });
  }

  #trouble(via: MdnsInterface, error: unknown): void {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === 'EADDRINUSE' ? `another program keeps UDP port ${mdnsPort} for itself` : (code ?? message);
    if (this.#closed || this.#told.has(why) || this.#told.size > 20) return;
    this.#told.add(why);
    this.#handlers.trouble(`mDNS does not work on ${via.name} (${via.address}): ${why}`);
  }
}

/** IPv4 interfaces that lead elsewhere. */
export function ownInterfaces(): readonly MdnsInterface[] {
  return Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) => {
    const own = addresses.find(({ family, internal }) => family === 'IPv4' && !internal);
    return own ? [{ name, address: own.address, netmask: own.netmask }] : [];
  });
}
