/**
 * A mirror of package archives that keeps what it served: many nodes, one download. What never changes under its address is
 * kept for long; indexes are asked about again, and served as they were while their upstream is away.
 */
import { Readable } from 'node:stream';
import type { Log } from '../../shared/log.ts';
import { parseRange } from '../artifacts/answer.ts';
import { askUpstream } from './asking.ts';
import { Flight, type FlightHead } from './flight.ts';
import { awayMs, isFresh, isKnown } from './freshness.ts';
import { MirrorError } from './mirror-error.ts';
import { rewriting } from './rewrite.ts';
import { headBytes, type Meta, type MirrorLimits, MirrorStore } from './store.ts';
import { type Upstream, type Wanted, wanted } from './upstreams.ts';

export interface MirrorQuestion {
  readonly method: 'GET' | 'HEAD';
  readonly name: string;
  /** Below the upstream, percent-encoded as it came, with a slash first and without a query. */
  readonly path: string;
  readonly accept?: string | undefined;
  readonly range?: string | undefined;
  readonly ifRange?: string | undefined;
  readonly ifNoneMatch?: string | undefined;
  readonly ifModifiedSince?: string | undefined;
  /** `http://HOST:PORT/mirror`, as the asker reached it. */
  readonly base: string;
}

export interface MirrorAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** To be read or destroyed. It breaks off where upstream does. */
  readonly body?: Readable;
  readonly sentence?: string;
}

export interface MirrorStatus {
  readonly files: number;
  readonly bytes: number;
  readonly most_bytes: number;
  /** By upstream, since the start. */
  readonly upstreams: Readonly<Record<string, Counts>>;
}

export interface Counts {
  url: string;
  /** Requests that were answered from here, that upstream was asked for, and that were answered from here because it was away. */
  hits: number;
  misses: number;
  stale: number;
  bytes_fetched: number;
}

export interface Mirror {
  readonly upstreams: readonly Upstream[];
  answer(question: MirrorQuestion): Promise<MirrorAnswer>;
  status(): MirrorStatus;
  close(): Promise<void>;
}

export interface MirrorOptions {
  readonly folder: string;
  readonly upstreams: readonly Upstream[];
  /** Wall clock. */
  readonly now: () => number;
  readonly log: Log;
  readonly limits?: Partial<MirrorLimits>;
}

/** Downloads at once; more wait for no place, they are told to come again. */
const mostFlights = 32;

export async function openMirror(options: MirrorOptions): Promise<Mirror> {
  return new FileMirror(options, await MirrorStore.open(options.folder, options.now, options.limits));
}

type Found = 'hit' | 'miss' | 'stale' | 'revalidated';

class FileMirror implements Mirror {
  readonly upstreams: readonly Upstream[];
  readonly #options: MirrorOptions;
  readonly #store: MirrorStore;
  readonly #flights = new Map<string, Flight>();
  /** Until when each upstream counts as away, wall clock. */
  readonly #away = new Map<string, number>();
  readonly #counts = new Map<string, Counts>();

  constructor(options: MirrorOptions, store: MirrorStore) {
    this.#options = options;
    this.#store = store;
    this.upstreams = options.upstreams;
    for (const { name, url } of options.upstreams) {
      this.#counts.set(name, { url, hits: 0, misses: 0, stale: 0, bytes_fetched: 0 });
    }
  }

  async answer(question: MirrorQuestion): Promise<MirrorAnswer> {
    const upstream = this.upstreams.find(({ name }) => name === question.name);
    if (!upstream) return refused(404, `Mirrored are ${this.upstreams.map(({ name }) => name).join(', ')}.`);
    const what = wanted(upstream, question.path, question.accept);
    if (typeof what === 'string') return refused(404, what);
    try {
      return await this.#serve(question, what);
    } catch (error) {
      if (error instanceof MirrorError) return refused(error.status, error.message);
      throw error;
    }
  }

  status(): MirrorStatus {
    const { bytes, count, limits } = this.#store;
    return { files: count, bytes, most_bytes: limits.total, upstreams: Object.fromEntries(this.#counts) };
  }

  async close(): Promise<void> {
    const flights = [...this.#flights.values()];
    for (const flight of flights) flight.close();
    await Promise.all(flights.map(({ over }) => over));
  }

  async #serve(question: MirrorQuestion, what: Wanted): Promise<MirrorAnswer> {
    const { now } = this.#options;
    const { name } = what.upstream;
    const known = await this.#store.find(what.key);
    if (known && isFresh(what, known, now())) return this.#fromStore(question, what, known, 'hit');
    if (known && now() < (this.#away.get(name) ?? 0)) return this.#fromStore(question, what, known, 'stale');
    if (question.method === 'HEAD' && !known) return this.#onlyHead(what);
    const flight = this.#flight(what, known);
    let head: FlightHead;
    try {
      head = await flight.head;
    } catch (error) {
      return this.#without(question, what, known, error as Error);
    }
    if (head.kind === 'body') {
      this.#away.delete(name);
      this.#count(name).misses += 1;
      return this.#fromFlight(question, what, flight, head);
    }
    if (head.kind === 'unchanged') {
      this.#away.delete(name);
      const still = await this.#store.refresh(what.key, now()).catch(() => undefined);
      if (still) return this.#fromStore(question, what, still, 'revalidated');
      // Thrown out for room meanwhile: then it is fetched.
      await flight.over;
      return this.#serve(question, what);
    }
    const { status } = head;
    if (status >= 500 || status === 429) {
      return this.#without(question, what, known, new MirrorError(502, `${name} answers ${status} now.`));
    }
    if (known && (status === 404 || status === 410)) await this.#store.drop(what.key);
    this.#count(name).misses += 1;
    const missing = status === 404 || status === 410;
    return refused(missing ? status : 502, `${name} answers ${status} for this.`);
  }

  /** One for all who want the same. */
  #flight(what: Wanted, known: Meta | undefined): Flight {
    const found = this.#flights.get(what.key);
    if (found && !found.broken) return found;
    if (this.#flights.size >= mostFlights) {
      throw new MirrorError(503, `${mostFlights} files are being fetched already: try again in a moment.`);
    }
    const counts = this.#count(what.upstream.name);
    const flight = new Flight(what, {
      store: this.#store,
      now: this.#options.now,
      known,
      came: bytes => {
        counts.bytes_fetched += bytes;
      },
    });
    this.#flights.set(what.key, flight);
    void flight.over.then(() => {
      if (this.#flights.get(what.key) === flight) this.#flights.delete(what.key);
    });
    return flight;
  }

  /** Upstream is away: what is here will do. */
  #without(question: MirrorQuestion, what: Wanted, known: Meta | undefined, error: Error): Promise<MirrorAnswer> {
    const { name } = what.upstream;
    if (!(error instanceof MirrorError)) throw error;
    const { now, log } = this.#options;
    if (now() >= (this.#away.get(name) ?? 0)) log.warn({ upstream: name }, error.message);
    this.#away.set(name, now() + awayMs);
    if (!known) throw error;
    return this.#fromStore(question, what, known, 'stale');
  }

  async #onlyHead(what: Wanted): Promise<MirrorAnswer> {
    const answer = await askUpstream({ wanted: what, method: 'HEAD', signal: AbortSignal.timeout(headMs) });
    const { statusCode = 0, headers } = answer;
    answer.destroy();
    if (statusCode !== 200)
      return refused(statusCode === 404 ? 404 : 502, `${what.upstream.name} answers ${statusCode}.`);
    const { etag, 'last-modified': lastModified, 'content-type': type, 'content-length': size } = headers;
    const plain = what.upstream.links.length === 0 && size !== undefined;
    return {
      status: 200,
      headers: { ...describe({ etag, lastModified, type }, what, 'miss'), ...(plain && { 'content-length': size }) },
    };
  }

  async #fromStore(question: MirrorQuestion, what: Wanted, meta: Meta, found: Found): Promise<MirrorAnswer> {
    const counts = this.#count(what.upstream.name);
    if (found === 'stale') counts.stale += 1;
    else counts.hits += 1;
    const age = Math.max(0, Math.round((this.#options.now() - meta.fetchedMs) / 1000));
    const headers = { ...describe(meta, what, found), age: String(age) };
    return answerWith(question, what, { headers, meta, size: meta.size }, async (first, last) => {
      const file = await this.#store.openFile(what.key);
      // An end before the beginning is one byte to Node.
      if (last < first) {
        await file.close();
        return Readable.from([]);
      }
      return file.createReadStream({ start: headBytes + first, end: headBytes + last });
    });
  }

  #fromFlight(question: MirrorQuestion, what: Wanted, flight: Flight, head: Extract<FlightHead, { kind: 'body' }>) {
    const { meta, size } = head;
    const headers = describe(meta, what, 'miss');
    return answerWith(question, what, { headers, meta, size }, async (first, last) =>
      Readable.from(flight.read(first, last), { objectMode: false }),
    );
  }

  #count(name: string): Counts {
    const found = this.#counts.get(name);
    if (!found) throw new Error(`nobody counts ${name}`);
    return found;
  }
}

const headMs = 20_000;

const refused = (status: number, sentence: string): MirrorAnswer => ({ status, headers: {}, sentence });

/** Programs alone look at these: a browser is given nothing that it would run or show as a page of ours. */
const plainTypes = /^(?:application\/(?:json|vnd\.(?:npm|pypi)\.[a-z0-9.+-]+)|text\/html)\b/;

function describe(
  meta: Partial<Pick<Meta, 'etag' | 'lastModified' | 'type'>>,
  what: Wanted,
  found: Found,
): Record<string, string> {
  const { etag, lastModified, type = '' } = meta;
  return {
    'content-type': plainTypes.test(type) ? type : 'application/octet-stream',
    'content-security-policy': "sandbox; default-src 'none'",
    'cache-control': what.immutable ? 'max-age=31536000, immutable' : 'no-cache',
    ...(etag !== undefined && { etag }),
    ...(lastModified !== undefined && { 'last-modified': lastModified }),
    'x-hearth-mirror': found,
  };
}

interface Had {
  readonly headers: Record<string, string>;
  readonly meta: Pick<Meta, 'etag' | 'lastModified'>;
  readonly size: number | undefined;
}

async function answerWith(
  question: MirrorQuestion,
  { upstream, immutable }: Wanted,
  { headers, meta, size }: Had,
  open: (first: number, last: number) => Promise<Readable>,
): Promise<MirrorAnswer> {
  if (isKnown(question, meta)) return { status: 304, headers };
  const onlyHead = question.method === 'HEAD';
  if (upstream.links.length > 0 && !immutable) {
    // Its length is known when it has passed.
    if (onlyHead) return { status: 200, headers };
    const links = upstream.links.map(({ url, name }) => ({ url, to: `${question.base}/${name}` }));
    const turned = rewriting(links);
    const from = await open(0, (size ?? Number.POSITIVE_INFINITY) - 1);
    from.once('error', error => turned.destroy(error));
    turned.once('close', () => from.destroy());
    return { status: 200, headers, body: from.pipe(turned) };
  }
  if (size === undefined)
    return { status: 200, headers, ...(!onlyHead && { body: await open(0, Number.POSITIVE_INFINITY) }) };
  const unchanged = question.ifRange === undefined || [meta.etag, meta.lastModified].includes(question.ifRange);
  const range = parseRange(unchanged ? question.range : undefined, size);
  if (range === 'beyond') return { status: 416, headers: { ...headers, 'content-range': `bytes */${size}` } };
  const { first, last } = range ?? { first: 0, last: size - 1 };
  const length = { 'accept-ranges': 'bytes', 'content-length': String(last - first + 1) };
  return {
    status: range ? 206 : 200,
    headers: { ...headers, ...length, ...(range && { 'content-range': `bytes ${first}-${last}/${size}` }) },
    ...(!onlyHead && { body: await open(first, last) }),
  };
}
