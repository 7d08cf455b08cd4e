/**
 * Whether the other end of an accepted loopback connection belongs to the supervisor's own user or to root. The kernel's
 * list names every connection of the machine and is read as a whole, so those who ask at the same time share one
 * reading, and a reading that took long is followed by a pause.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { isLoopback, ProcTcpScan, procKeys, type SocketEnds } from './proc-tcp.ts';

export interface SocketOwners {
  /** False at once where the connection is not on loopback. Never rejects. */
  isOwner(ends: SocketEnds): boolean | Promise<boolean>;
}

export interface OwnerParts {
  /** Of this process; undefined where there are no user ids. */
  readonly uid: number | undefined;
  readonly now: () => number;
  /**
   * One of the kernel's two lists, piece by piece until `take` says false. Rejects where it may not be read; that of
   * IPv6 may be missing.
   */
  read(name: 'tcp' | 'tcp6', take: (piece: Buffer) => boolean): Promise<void>;
  /** Whether the list names a connection that this process makes to itself, with the right owner. */
  probe(look: (ends: SocketEnds) => Promise<number | undefined>): Promise<boolean>;
}

/** What others wait while a list of thousands is read again and again: the reading takes a quarter of the time at most. */
const pauseFactor = 3;
/** And at most this long: a reading between much other work took long without having cost that much. */
const mostPauseMs = 500;
/** Of those who ask at once; more are not owners. */
const mostWaiting = 20_000;

const probeAgainMs = 60_000;
const root = 0;

interface Asked {
  readonly keys: readonly string[];
  /** It was not in the list: looked for once more, since an entry may be passed over while others come and go (seq_file). */
  missed: boolean;
  answer(uid: number | undefined): void;
}

export class ProcSocketOwners implements SocketOwners {
  private readonly parts: OwnerParts;
  private waiting: Asked[] = [];
  private reading = false;
  private nextAt = 0;
  private known: Promise<boolean> | undefined;
  private failedAt: number | undefined;
  /** Readings so far. */
  readings = 0;

  constructor(parts: OwnerParts) {
    this.parts = parts;
  }

  isOwner(ends: SocketEnds): boolean | Promise<boolean> {
    return isLoopback(ends.address) && isLoopback(ends.localAddress) ? this.ask(ends) : false;
  }

  private async ask(ends: SocketEnds): Promise<boolean> {
    const { uid } = this.parts;
    // Where owners cannot be known, everybody on loopback is one, but nobody where that would give away root's powers.
    if (!(await this.canKnow())) return uid !== root;
    const owner = await this.uidOf(ends);
    return owner !== undefined && (owner === uid || owner === root);
  }

  /** Some systems hide the list or what is in it: tried on oneself, and where that failed, once more after a while. */
  private canKnow(): Promise<boolean> {
    const { uid, now, probe } = this.parts;
    if (uid === undefined) return Promise.resolve(false);
    if (this.failedAt !== undefined && now() - this.failedAt > probeAgainMs) this.known = this.failedAt = undefined;
    this.known ??= probe(ends => this.uidOf(ends))
      .catch(() => false)
      .then(able => {
        if (!able) this.failedAt = now();
        return able;
      });
    return this.known;
  }

  private uidOf(ends: SocketEnds): Promise<number | undefined> {
    const keys = procKeys(ends);
    if (keys.length === 0 || this.waiting.length >= mostWaiting) return Promise.resolve(undefined);
    return new Promise(answer => {
      this.waiting.push({ keys, missed: false, answer });
      if (!this.reading) void this.readAll();
    });
  }

  private async readAll(): Promise<void> {
    this.reading = true;
    while (this.waiting.length > 0) {
      // The turn in which one connection was accepted has others, too.
      await new Promise<void>(resolve => setImmediate(resolve));
      const pause = this.nextAt - this.parts.now();
      if (pause > 0) await new Promise<void>(resolve => setTimeout(resolve, pause));
      const asked = this.waiting;
      this.waiting = [];
      const started = this.parts.now();
      const uids = await this.look(asked).catch(() => new Map<string, number>());
      const ended = this.parts.now();
      this.nextAt = ended + Math.min((ended - started) * pauseFactor, mostPauseMs);
      for (const one of asked) {
        const uid = one.keys.map(key => uids.get(key)).find(each => each !== undefined);
        if (uid !== undefined || one.missed) one.answer(uid);
        else {
          one.missed = true;
          this.waiting.push(one);
        }
      }
    }
    this.reading = false;
  }

  private async look(asked: readonly Asked[]): Promise<Map<string, number>> {
    this.readings++;
    const wanted = new Set(asked.flatMap(({ keys }) => keys));
    const uids = new Map<string, number>();
    const through = async (name: 'tcp' | 'tcp6') => {
      const scan = new ProcTcpScan(wanted, (key, uid) => void uids.set(key, uid));
      await this.parts.read(name, piece => {
        scan.feed(piece);
        return uids.size < asked.length;
      });
      scan.end();
    };
    await through('tcp');
    if (uids.size < asked.length) await through('tcp6').catch(() => {});
    return uids;
  }
}

/** The kernel hands such a list out by the page. */
const pieceBytes = 4096;
/** A list of thousands is hundreds of pages: what else there is to do waits this long for some of them, not they for a turn each. */
const sliceMs = 4;

async function readProc(name: 'tcp' | 'tcp6', take: (piece: Buffer) => boolean): Promise<void> {
  const file = openSync(`/proc/self/net/${name}`, 'r');
  try {
    const buffer = Buffer.allocUnsafe(pieceBytes);
    let sliceEnds = performance.now() + sliceMs;
    for (let more = true; more; ) {
      const bytesRead = readSync(file, buffer, 0, pieceBytes, null);
      more = bytesRead > 0 && take(buffer.subarray(0, bytesRead));
      if (more && performance.now() > sliceEnds) {
        await new Promise<void>(resolve => setImmediate(resolve));
        sliceEnds = performance.now() + sliceMs;
      }
    }
  } finally {
    closeSync(file);
  }
}

/** One for the whole process: HTTP and MQTT share its readings. */
export const createSocketOwners = (): SocketOwners =>
  new ProcSocketOwners({
    uid: process.geteuid?.(),
    now: () => performance.now(),
    read: readProc,
    probe: probeOneself,
  });

/** The ends of an accepted socket; the other one's is what is asked about. */
export const endsOf = (socket: Socket): SocketEnds => ({
  address: socket.remoteAddress ?? '',
  port: socket.remotePort ?? 0,
  localAddress: socket.localAddress ?? '',
  localPort: socket.localPort ?? 0,
});

const probeMs = 5000;

/** A connection of this process to itself has to be in the list as its own. */
async function probeOneself(look: (ends: SocketEnds) => Promise<number | undefined>): Promise<boolean> {
  const server = createServer();
  let mine: Socket | undefined;
  let accepted: Socket | undefined;
  try {
    return await new Promise<boolean>((resolve, reject) => {
      setTimeout(reject, probeMs, new Error('no connection to oneself')).unref();
      server.once('error', reject);
      server.once('connection', socket => {
        accepted = socket.on('error', () => {});
        look(endsOf(socket)).then(uid => resolve(uid !== undefined && uid === process.geteuid?.()), reject);
      });
      server.listen(0, '127.0.0.1', () => {
        const at = server.address();
        mine = connect(typeof at === 'object' && at ? at.port : 0, '127.0.0.1').on('error', reject);
      });
    });
  } finally {
    mine?.destroy();
    accepted?.destroy();
    server.close();
  }
}
