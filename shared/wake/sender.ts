/**
 * Sends magic packets by UDP broadcast on every IPv4 interface of this machine: no privilege is needed, and nothing waits for
 * it. A socket per interface, bound to its address, since a broadcast leaves by one interface only.
 */
import { createSocket, type Socket } from 'node:dgram';
import type { Clock } from '../clock.ts';
import { magicPacket, wakePort } from './magic-packet.ts';
import { ownSubnets, type Subnet, sharedNets } from './subnets.ts';

export interface WakeReport {
  /** Addresses of this machine from which all packets went out. */
  readonly sent: readonly string[];
  /** `ADDRESS: why not`. */
  readonly failed: readonly string[];
}

export interface WakeSender {
  /** One packet for each card from each interface. `done` runs once, on a later turn of the loop, within seconds. */
  send(macs: readonly string[], done: (report: WakeReport) => void): void;
  /** Networks in which its packets are heard. */
  nets(): readonly string[];
}

export interface WakeSenderParts {
  readonly clock: Clock;
  /** Default: this machine's. */
  readonly subnets?: () => readonly Subnet[];
  /** Default: node:dgram's for IPv4. */
  readonly open?: () => Socket;
}

const sendWithinMs = 2000;

export function createWakeSender({
  clock,
  subnets = () => ownSubnets(),
  open = () => createSocket('udp4'),
}: WakeSenderParts): WakeSender {
  return {
    nets: () => sharedNets(subnets()),
    send(macs, done) {
      const all = subnets();
      const packets = macs.map(magicPacket);
      const sent: string[] = [];
      const failed: string[] = [];
      let left = all.length;
      if (left === 0) clock.after(0, () => done({ sent, failed }));
      for (const subnet of all) {
        sendOn(clock, open, subnet, packets, error => {
          if (error === undefined) sent.push(subnet.address);
          else failed.push(`${subnet.address}: ${error}`);
          if (--left === 0) done({ sent, failed });
        });
      }
    },
  };
}

/** `done` runs once: undefined when the kernel has taken all of them. */
function sendOn(
  clock: Clock,
  open: () => Socket,
  { address, broadcast }: Subnet,
  packets: readonly Uint8Array[],
  done: (error?: string) => void,
): void {
  const socket = open();
  let told = false;
  const tell = (error?: string) => {
    if (told) return;
    told = true;
    late.cancel();
    socket.close();
    done(error);
  };
  const late = clock.after(sendWithinMs, () => tell('nothing left within 2 s'));
  socket.on('error', error => tell(error.message));
  socket.bind({ address, port: 0, exclusive: true }, () => {
    if (told) return;
    try {
      socket.setBroadcast(true);
    } catch (error) {
      return tell((error as Error).message);
    }
    let left = packets.length;
    if (left === 0) return tell();
    for (const packet of packets) {
      socket.send(packet, wakePort, broadcast, error => {
        if (error) tell(error.message);
        else if (--left === 0) tell();
      });
    }
  });
}
