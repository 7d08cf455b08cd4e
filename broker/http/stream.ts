/**
 * The fleet as Server-Sent Events (WHATWG HTML, section 9.2): `snapshot` first, then every `change` in order, each with
 * its `seq` as id; `beat` says that the line lives and what the supervisor's clock shows. Every message is encoded once
 * for all clients. A client that does not read is cut off at a bound; when it reconnects it gets a fresh snapshot.
 */
import type { ServerResponse } from 'node:http';
import type { FleetChange } from '../../shared/fleet-view.ts';
import type { Log } from '../../shared/log.ts';
import type { FleetReader } from '../fleet/fleet.ts';

export interface StreamLimits {
  /** Open streams at once; further ones are answered 503. */
  readonly clients: number;
  /** Bytes that may wait for one client beyond its snapshot. */
  readonly backlog: number;
  /** Milliseconds between beats. The page reconnects after a few missed ones. */
  readonly beatMs: number;
}
export const streamLimits: StreamLimits = { clients: 64, backlog: 1024 * 1024, beatMs: 10_000 };

/** How long changed hints are gathered. */
const soonMs = 200;

export interface FleetStreamParts {
  readonly fleet: FleetReader;
  readonly log: Log;
  /** What every beat tells the page besides the time. */
  hints(): Readonly<Record<string, string | number>>;
  readonly limits: StreamLimits;
}

interface Client {
  readonly response: ServerResponse;
  /** `response.writableLength` above this ends it. */
  readonly most: number;
  unwatch(): void;
}

const encode = (event: string, data: object, id?: number): Buffer =>
  // JSON has no raw line breaks, so one `data:` line carries it whole.
  Buffer.from(`${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);

export class FleetStream {
  readonly #parts: FleetStreamParts;
  readonly #clients = new Set<Client>();
  /** The last change as sent: every listener is given the same parts, so one encoding does for nearly all. */
  #encoded: { readonly change: FleetChange; readonly message: Buffer } | undefined;
  #beat: NodeJS.Timeout | undefined;
  #soon: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(parts: FleetStreamParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#clients.size;
  }

  /** Takes the response over. False when there are too many clients already, or the server is closing. */
  open(response: ServerResponse, headers: Readonly<Record<string, string>>): boolean {
    if (this.#closed || this.#clients.size >= this.#parts.limits.clients) return false;
    response.writeHead(200, {
      ...headers,
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      // For a reverse proxy (nginx) that would hold small messages back.
      'x-accel-buffering': 'no',
    });
    response.socket?.setNoDelay(true);
    this.#beat ??= setInterval(() => this.#beatAll(), this.#parts.limits.beatMs).unref();
    // Watching and the snapshot in one turn: nothing falls between the two. Each client watches for itself, because the
    // reader leaves out of the first change what happened before the watch began and so is in the snapshot.
    const unwatch = this.#parts.fleet.watch(change => this.#send(client, change));
    const snapshot = this.#parts.fleet.snapshot();
    const first = Buffer.concat([Buffer.from('retry: 1000\n\n'), encode('snapshot', snapshot, snapshot.seq)]);
    const client: Client = { response, most: first.length + this.#parts.limits.backlog, unwatch };
    this.#clients.add(client);
    response.once('close', () => this.#drop(client));
    response.once('error', () => this.#drop(client));
    response.write(first);
    response.write(this.#beatMessage());
    return true;
  }

  /** A beat out of turn, a moment later: the hints have changed. However often this is called, it is one. */
  soon(): void {
    if (this.#closed || this.#soon || this.#clients.size === 0) return;
    this.#soon = setTimeout(() => {
      this.#soon = undefined;
      this.#beatAll();
    }, soonMs);
  }

  /** Ends every stream at once. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#soon);
    for (const client of this.#clients) {
      this.#drop(client);
      client.response.end();
    }
  }

  #send(client: Client, change: FleetChange): void {
    const last = this.#encoded;
    const same =
      last?.change.seq === change.seq &&
      (['nodes', 'rooms', 'events'] as const).every(part => last.change[part] === change[part]);
    const message = same ? last.message : encode('change', change, change.seq);
    this.#encoded = { change, message };
    this.#write(client, message);
  }

  #beatAll(): void {
    const message = this.#beatMessage();
    for (const client of this.#clients) this.#write(client, message);
  }

  #beatMessage(): Buffer {
    return encode('beat', { at_ms: Date.now(), ...this.#parts.hints() });
  }

  #write(client: Client, message: Buffer): void {
    client.response.write(message);
    if (client.response.writableLength <= client.most) return;
    const fields = { waiting: client.response.writableLength };
    this.#parts.log.warn(fields, 'a dashboard did not read its changes and was cut off; it gets a fresh snapshot');
    this.#drop(client);
    client.response.destroy();
  }

  #drop(client: Client): void {
    if (!this.#clients.delete(client)) return;
    client.unwatch();
    if (this.#clients.size > 0) return;
    clearInterval(this.#beat);
    this.#beat = undefined;
    this.#encoded = undefined;
  }
}
