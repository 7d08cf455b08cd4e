/**
 * One download that many may wait for: what has come is read from the file while the rest still comes. A line that is cut is
 * gone on with where upstream allows it; else everybody's answer breaks off, and nothing is kept.
 */
import { createHash, type Hash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { askUpstream } from './asking.ts';
import { MirrorError } from './mirror-error.ts';
import { type Draft, headBytes, type Meta, type MirrorStore } from './store.ts';
import type { Wanted } from './upstreams.ts';

/** What upstream answered, before its bytes. */
export type FlightHead =
  | { readonly kind: 'body'; readonly meta: Omit<Meta, 'size' | 'fetchedMs'>; readonly size: number | undefined }
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'status'; readonly status: number };

export interface FlightParts {
  readonly store: MirrorStore;
  /** Wall clock. */
  readonly now: () => number;
  /** What is here already. */
  readonly known: Meta | undefined;
  /** Bytes that came from upstream. */
  readonly came: (bytes: number) => void;
}

/** Room for a file of unknown size is taken in such steps. */
const stepBytes = 8 * 1024 ** 2;
const mostCuts = 5;
const pieceBytes = 256 * 1024;

export class Flight {
  /** Rejects with a MirrorError where upstream did not answer. */
  readonly head: Promise<FlightHead>;
  /** Settles, and never rejects, when it is over. */
  readonly over: Promise<void>;
  readonly #wanted: Wanted;
  readonly #parts: FlightParts;
  readonly #stop = new AbortController();
  #draft: Draft | undefined;
  #bytes = 0;
  #done = false;
  #error: Error | undefined;
  #more: PromiseWithResolvers = waiter();
  #hash: Hash | undefined;

  constructor(wanted: Wanted, parts: FlightParts) {
    this.#wanted = wanted;
    this.#parts = parts;
    const opened = this.#ask(0);
    this.head = opened.then(answer => this.#readHead(answer));
    this.over = this.head
      .then(async head => head.kind === 'body' && (await this.#receive(await opened, head)))
      .catch(error => {
        this.#error = error as Error;
      })
      .then(async () => {
        const draft = this.#draft;
        if (draft && !this.#done) await this.#parts.store.abandon(draft).catch(() => {});
        this.#wake();
      });
  }

  /** It will not come: whoever asks now is better off with a new one. */
  get broken(): boolean {
    return this.#error !== undefined;
  }

  /** Ends it. */
  close(): void {
    this.#stop.abort(new MirrorError(503, 'The supervisor is stopping.'));
  }

  /** The bytes from `first` to `last`, as they come. Throws where they do not come. */
  async *read(first: number, last = Number.POSITIVE_INFINITY): AsyncGenerator<Buffer> {
    const file = await this.#openFile();
    try {
      for (let at = first; at <= last; ) {
        const ready = Math.min(this.#bytes, last + 1) - at;
        if (ready > 0) {
          const piece = Buffer.allocUnsafe(Math.min(pieceBytes, ready));
          const { bytesRead } = await file.read(piece, 0, piece.length, headBytes + at);
          if (bytesRead === 0) throw new Error('the mirror lost a file that it was reading');
          at += bytesRead;
          yield piece.subarray(0, bytesRead);
        } else if (this.#error) throw this.#error;
        else if (this.#done) return;
        else await this.#more.promise;
      }
    } finally {
      await file.close();
    }
  }

  async #openFile() {
    await this.head;
    while (!this.#draft && !this.#error) await this.#more.promise;
    if (!this.#draft) throw this.#error;
    // It has its own name when it is whole.
    return open(this.#draft.path, 'r').catch(() => this.#parts.store.openFile(this.#wanted.key));
  }

  #ask(from: number, ifRange?: string): Promise<IncomingMessage> {
    const { known } = this.#parts;
    const conditions = from > 0 || !known ? {} : { etag: known.etag, lastModified: known.lastModified };
    const where = ifRange === undefined ? {} : { from, ifRange };
    return askUpstream({ wanted: this.#wanted, ...conditions, ...where, signal: this.#stop.signal });
  }

  #readHead(answer: IncomingMessage): FlightHead {
    const { statusCode = 0, headers } = answer;
    if (statusCode === 304 && this.#parts.known) {
      answer.destroy();
      return { kind: 'unchanged' };
    }
    if (statusCode !== 200) {
      answer.destroy();
      return { kind: 'status', status: statusCode };
    }
    const length = headers['content-length'];
    // An answer that only ends when its line does looks the same whether it is whole or not.
    const bounded = length !== undefined || /\bchunked\b/i.test(headers['transfer-encoding'] ?? '');
    const encoding = headers['content-encoding'] ?? 'identity';
    if (!bounded || encoding !== 'identity') {
      answer.destroy();
      throw new MirrorError(502, `${this.#wanted.upstream.name} answers in a way that cannot be mirrored.`);
    }
    const { etag, 'last-modified': lastModified, 'content-type': type } = headers;
    const meta = { url: this.#wanted.url.href, ...defined({ etag, lastModified, type }) };
    return { kind: 'body', meta, size: length === undefined ? undefined : Number(length) };
  }

  async #receive(first: IncomingMessage, { meta, size }: Extract<FlightHead, { kind: 'body' }>): Promise<void> {
    const { store, now } = this.#parts;
    const { sha256, key, upstream } = this.#wanted;
    let answer = first;
    // It waits for nobody to listen while the room is made.
    answer.pause();
    try {
      this.#draft = await store.begin(key);
      this.#wake();
      await store.reserve(this.#draft, size ?? stepBytes);
      if (sha256 !== undefined) this.#hash = createHash('sha256');
      const validator = meta.etag?.startsWith('W/') ? meta.lastModified : (meta.etag ?? meta.lastModified);
      for (let cuts = 0; ; cuts++) {
        const before = this.#bytes;
        const whole = await this.#take(answer, this.#draft, size).catch(error => {
          if (error instanceof MirrorError || this.#stop.signal.aborted) throw error;
          return false;
        });
        if (whole) break;
        const lost = new MirrorError(502, `${upstream.name} broke off in the middle.`);
        if (size === undefined || validator === undefined || this.#bytes === before || cuts >= mostCuts) throw lost;
        answer = await this.#ask(this.#bytes, validator);
        const range = answer.headers['content-range'];
        if (answer.statusCode !== 206 || range !== `bytes ${this.#bytes}-${size - 1}/${size}`) throw lost;
      }
      if (this.#hash && this.#hash.digest('hex') !== sha256) {
        throw new MirrorError(502, `What ${upstream.name} sent is not what its name says.`);
      }
      await store.finish(this.#draft, { ...meta, size: this.#bytes, fetchedMs: now() });
      this.#done = true;
    } finally {
      answer.destroy();
    }
  }

  /** @returns whether all of it has come. */
  async #take(answer: IncomingMessage, draft: Draft, size: number | undefined): Promise<boolean> {
    for await (const piece of answer as AsyncIterable<Buffer>) {
      const end = this.#bytes + piece.length;
      if (end + headBytes > draft.room) await this.#parts.store.reserve(draft, end + stepBytes);
      for (let at = 0; at < piece.length; ) {
        const { bytesWritten } = await draft.handle.write(piece, at, piece.length - at, headBytes + this.#bytes + at);
        at += bytesWritten;
      }
      this.#hash?.update(piece);
      this.#bytes = end;
      this.#parts.came(piece.length);
      this.#wake();
    }
    return size === undefined ? answer.complete : this.#bytes === size;
  }

  #wake(): void {
    const { resolve } = this.#more;
    this.#more = waiter();
    resolve();
  }
}

interface PromiseWithResolvers {
  readonly promise: Promise<void>;
  resolve(): void;
}

function waiter(): PromiseWithResolvers {
  let resolve = () => {};
  const promise = new Promise<void>(done => {
    resolve = done;
  });
  return { promise, resolve };
}

function defined<T extends Record<string, string | undefined>>(from: T): { [K in keyof T]?: string } {
  return Object.fromEntries(Object.entries(from).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: string;
  };
}
