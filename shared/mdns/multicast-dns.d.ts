/** What is used of multicast-dns 7, which comes without types. */
declare module 'multicast-dns' {
  import type { EventEmitter } from 'node:events';

  interface MulticastDns extends EventEmitter {
    send(packet: object, to?: { address: string; port: number } | null, done?: (error?: Error) => void): void;
    destroy(done?: () => void): void;
  }
  export default function multicastDns(options: {
    interface: string;
    bind: string;
    port: number;
    loopback: boolean;
  }): MulticastDns;
}
