/** Reads `/proc/net/tcp` and `/proc/net/tcp6` (proc_net_tcp.txt of the kernel): whose is the other end of a connection. */
import { endianness } from 'node:os';

export interface SocketEnds {
  /** IP address and port of the end that is asked about. */
  readonly address: string;
  readonly port: number;
  /** Of the end that was accepted here. */
  readonly localAddress: string;
  readonly localPort: number;
}

/** IPv4 as 4 bytes, IPv6 as 16, `::ffff:1.2.3.4` as IPv4; undefined for anything else. A zone (`%eth0`) is left out. */
export function addressBytes(text: string): Buffer | undefined {
  const [address = ''] = text.split('%');
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  const four = (mapped ?? address).split('.');
  if (four.length === 4) {
    const bytes = four.map(part => (/^\d{1,3}$/.test(part) ? Number(part) : 256));
    return bytes.every(byte => byte < 256) ? Buffer.from(bytes) : undefined;
  }
  const halves = address.split('::');
  if (!/^[0-9a-f:]+$/i.test(address) || halves.length > 2) return undefined;
  const groups = (half: string | undefined) => (half ? half.split(':') : []);
  const [head, tail] = [groups(halves[0]), groups(halves[1])];
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const all = [...head, ...Array<string>(halves.length === 2 ? missing : 0).fill('0'), ...tail];
  if (!all.every(group => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  const bytes = Buffer.alloc(16);
  for (const [index, group] of all.entries()) bytes.writeUInt16BE(Number.parseInt(group, 16), index * 2);
  return bytes;
}

/** 127.0.0.0/8, ::1, and the former written as IPv6. */
export function isLoopback(address: string): boolean {
  const bytes = addressBytes(address);
  if (!bytes) return false;
  return bytes.length === 4
    ? bytes[0] === 127
    : bytes.readUInt32BE(12) === 1 && bytes.subarray(0, 12).every(b => b === 0);
}

/** The kernel prints each 32 bits of an address as one number of the machine's byte order. */
function hexWords(bytes: Buffer): string {
  const turned = Buffer.from(bytes);
  return (endianness() === 'LE' ? turned.swap32() : turned).toString('hex').toUpperCase();
}

const hexPort = (port: number): string => port.toString(16).toUpperCase().padStart(4, '0');
const mappedPrefix = Buffer.from('00000000000000000000ffff', 'hex');

/** `local remote` of the asked end as the files write them: an IPv4 connection may be one of an IPv6 socket. */
export function procKeys(ends: SocketEnds): readonly string[] {
  const here = addressBytes(ends.address);
  const there = addressBytes(ends.localAddress);
  if (!here || !there || here.length !== there.length) return [];
  const key = (a: Buffer, b: Buffer) =>
    `${hexWords(a)}:${hexPort(ends.port)} ${hexWords(b)}:${hexPort(ends.localPort)}`;
  if (here.length === 16) return [key(here, there)];
  const wide = (bytes: Buffer) => Buffer.concat([mappedPrefix, bytes]);
  return [key(here, there), key(wide(here), wide(there))];
}

/** Established, and no state in which the process may have let go of its end: such an end is shown as root's. */
const established = '01';

const [lineFeed, space, colon] = [10, 32, 58];

/**
 * Looks for many ends in a list of the kernel's, piece by piece as it is read. Of most lines only the port is looked at:
 * a list may have thousands, and is read anew for whoever comes next.
 */
export class ProcTcpScan {
  private readonly wanted: ReadonlySet<string>;
  private readonly ports: ReadonlySet<number>;
  private readonly found: (key: string, uid: number) => void;
  /** The beginning of a line whose rest is in the next piece. */
  private rest: Buffer | undefined;

  /**
   * @param wanted by {@link procKeys}
   * @param found is told the user id of each that is an open socket of a process
   */
  constructor(wanted: ReadonlySet<string>, found: (key: string, uid: number) => void) {
    this.wanted = wanted;
    this.ports = new Set(Array.from(wanted, key => Number.parseInt(key.slice(key.indexOf(':') + 1), 16)));
    this.found = found;
  }

  /** @param piece is used until this returns, and may be written over then. */
  feed(piece: Buffer): void {
    const bytes = this.rest ? Buffer.concat([this.rest, piece]) : piece;
    let from = 0;
    for (let end = bytes.indexOf(lineFeed); end >= 0; end = bytes.indexOf(lineFeed, from)) {
      this.line(bytes, from, end);
      from = end + 1;
    }
    this.rest = from < bytes.length ? Buffer.from(bytes.subarray(from)) : undefined;
  }

  /** The list is at its end. */
  end(): void {
    if (this.rest) this.line(this.rest, 0, this.rest.length);
    this.rest = undefined;
  }

  /** `   7: LOCAL:PORT REMOTE:PORT STATE …` */
  private line(bytes: Buffer, from: number, end: number): void {
    const local = bytes.indexOf(colon, from) + 2;
    const port = bytes.indexOf(colon, local) + 1;
    if (local < 2 || port === 0 || port + 4 > end) return;
    if (!this.ports.has(Number.parseInt(bytes.toString('latin1', port, port + 4), 16))) return;
    const state = bytes.indexOf(space, bytes.indexOf(space, port) + 1);
    if (state < 0 || state > end) return;
    const key = bytes.toString('latin1', local, state);
    if (!this.wanted.has(key) || bytes.toString('latin1', state + 1, state + 3) !== established) return;
    // After the state: queues, timer, retransmits, uid, timeout, inode.
    const fields = bytes
      .toString('latin1', state + 3, end)
      .trim()
      .split(/\s+/);
    const [, , , uid, , inode] = fields;
    if (uid !== undefined && /^\d+$/.test(uid) && inode !== undefined && inode !== '0') this.found(key, Number(uid));
  }
}
