/** One file comes into the cache: from where it was cut last time, compared with its hash as it comes, and never too large. */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { type Clock, fullJitter, type Random } from '../../shared/clock.ts';
import type { Log } from '../../shared/log.ts';
import { askSupervisor, askWeb, type Opened } from './asking.ts';
import type { Cache, Claim, Held } from './cache.ts';
import { diskError, FetchError, networkError } from './fetch-error.ts';
import { readAll } from './part.ts';
import type { Meant } from './source.ts';
import type { SupervisorAt } from './supervisor-at.ts';

export interface DownloadParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  supervisor(): SupervisorAt | undefined;
}

export interface Download extends Meant {
  readonly maxBytes: number;
  readonly signal: AbortSignal;
  progress(bytes: number, of: number | undefined): void;
}

/** Without a byte for so long a connection is given up. */
export const silenceMs = 30_000;
/** Room for a file of unknown size is taken in such steps. */
const stepBytes = 4 * 1024 ** 2;
/** A line that breaks again and again is left to the next try. */
const mostCuts = 10;

/** These bytes are not what they should be. */
class Damaged extends FetchError {}

/** @throws FetchError, or the signal's reason. */
export async function download(job: Download, cache: Cache, parts: DownloadParts): Promise<Held> {
  const { sha256, name, signal } = job;
  const claim = await cache.begin(sha256);
  let keep = false;
  try {
    let restarted = false;
    for (let cuts = 0; ; ) {
      const began = claim.part.bytes;
      try {
        await (job.place.kind === 'file' ? copy(job, job.place.path, claim, cache) : receive(job, claim, cache, parts));
        const is = claim.part.sha256();
        if (sha256 === undefined || is === sha256) return await cache.finish(claim, is);
        const text = `${name} has the SHA-256 ${is}, not ${sha256}: correct the hash, or the source`;
        throw new Damaged(text, false);
      } catch (error) {
        if (signal.aborted) throw error;
        const why = error instanceof FetchError ? error : networkError(error, name, true);
        if (why instanceof Damaged && began > 0 && !restarted) {
          // What an earlier try left may be damaged, or of another file: once more from the first byte.
          restarted = true;
          await claim.part.restart();
        } else if (!(why.cut && claim.part.bytes > began && ++cuts < mostCuts)) throw why;
        else {
          parts.log.debug({ name, bytes: claim.part.bytes }, 'a download was cut and goes on');
          await pause(fullJitter(cuts, 200, 5000, parts.random), parts.clock, signal);
        }
      }
    }
  } catch (error) {
    // What is wrong in itself is of no use to the next try, and a full disk needs its room back.
    keep = signal.aborted || (error instanceof FetchError && error.later && !(error instanceof NoRoom));
    throw error;
  } finally {
    await cache.leave(claim, keep).catch(() => {});
  }
}

/** The disk takes no more: what came gives its room back. */
class NoRoom extends FetchError {}

const noRoom = (error: unknown, doing: string): NoRoom => new NoRoom(diskError(error, doing).message, true);

/** All that is missing, over the network. */
async function receive(job: Download, claim: Claim, cache: Cache, parts: DownloadParts): Promise<void> {
  const quiet = watchSilence(job, parts.clock);
  try {
    for (let again = false; ; again = true) {
      const { part } = claim;
      // Without a hash nobody would notice that the other half is another file's.
      if (job.sha256 === undefined && part.bytes > 0) await part.restart();
      const asked = { from: part.bytes, signal: quiet.signal };
      const { place } = job;
      const answer =
        place.kind === 'artifact'
          ? await askSupervisor(parts.supervisor(), place.sha256, asked)
          : place.kind === 'web'
            ? await askWeb(place, asked)
            : undefined;
      if (!answer) throw new Error('a file is not received');
      quiet.heard();
      const said = readHead(answer, part.bytes);
      if (said.kind === 'body') {
        if (said.from === 0 && part.bytes > 0) await part.restart();
        return await take(job, answer, said.size, { claim, cache, heard: quiet.heard });
      }
      answer.destroy();
      // All of it was here already, or less than what was here is there now.
      if (said.kind === 'beyond' && said.size === part.bytes) return;
      if (again) throw new FetchError(`${job.name}: its server answers with other bytes than it was asked for`, false);
      await part.restart();
    }
  } catch (error) {
    if (quiet.signal.aborted) throw quiet.signal.reason;
    throw error;
  } finally {
    quiet.end();
  }
}

type Head =
  | { readonly kind: 'body'; readonly from: number; readonly size: number | undefined }
  | { readonly kind: 'beyond'; readonly size: number | undefined }
  | { readonly kind: 'other' };

/** What an answer's head says of the bytes that follow (RFC 9110, section 14.4). @param from what was asked for. */
export function readHead({ statusCode, headers }: Pick<Opened, 'statusCode' | 'headers'>, from: number): Head {
  const range = headers['content-range'] ?? '';
  if (statusCode === 416) {
    const [, size] = /^bytes \*\/(\d{1,15})$/.exec(range) ?? [];
    return { kind: 'beyond', size: size === undefined ? undefined : Number(size) };
  }
  if (statusCode === 206) {
    const [, first, last, size] = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(range) ?? [];
    const isAll = Number(first) === from && Number(last) + 1 === Number(size);
    return isAll ? { kind: 'body', from, size: Number(size) } : { kind: 'other' };
  }
  const length = headers['content-length'];
  return { kind: 'body', from: 0, size: length === undefined ? undefined : Number(length) };
}

async function take(
  job: Download,
  answer: Opened,
  size: number | undefined,
  { claim, cache, heard }: { claim: Claim; cache: Cache; heard(): void },
): Promise<void> {
  const { part } = claim;
  const { name, maxBytes } = job;
  if (size !== undefined && size > maxBytes) throw tooLarge(name, maxBytes);
  await cache.reserve(claim, size ?? part.bytes).catch(error => Promise.reject(noRoom(error, name)));
  try {
    for await (const piece of answer as AsyncIterable<Buffer>) {
      heard();
      const bytes = part.bytes + piece.length;
      if (bytes > maxBytes) throw tooLarge(name, maxBytes);
      await keepPiece(piece, claim, cache);
      job.progress(bytes, size);
    }
  } catch (error) {
    throw networkError(error, name, true);
  } finally {
    answer.destroy();
  }
  if (size !== undefined && part.bytes < size) throw new FetchError(`${name}: the connection was cut`, true, true);
}

async function keepPiece(piece: Buffer, claim: Claim, cache: Cache): Promise<void> {
  const { part } = claim;
  try {
    const bytes = part.bytes + piece.length;
    if (bytes > claim.bytes) await cache.reserve(claim, Math.min(bytes + stepBytes, Math.max(bytes, cache.most)));
    await part.write(piece);
  } catch (error) {
    throw noRoom(error, `${part.path} cannot be written`);
  }
}

/** A file of this machine: it is copied, since the copy must stay what it is. */
async function copy(job: Download, path: string, claim: Claim, cache: Cache): Promise<void> {
  const { name, maxBytes, signal } = job;
  let from: FileHandle | undefined;
  try {
    // A pipe that nobody writes to would never open.
    from = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const facts = await from.stat();
    if (!facts.isFile()) throw new FetchError(`${name} is no file`, false);
    if (facts.size > maxBytes) throw tooLarge(name, maxBytes);
    await claim.part.restart();
    await cache.reserve(claim, facts.size).catch(error => Promise.reject(noRoom(error, name)));
    await readAll(from, async piece => {
      signal.throwIfAborted();
      if (claim.part.bytes + piece.length > maxBytes) throw tooLarge(name, maxBytes);
      await keepPiece(piece, claim, cache);
      job.progress(claim.part.bytes, facts.size);
    });
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw diskError(error, `${name} cannot be read`);
  } finally {
    await from?.close();
  }
}

const tooLarge = (name: string, most: number): FetchError =>
  new FetchError(`${name} is larger than ${most} bytes, the most that is taken here`, false);

/** Ends what says nothing for {@link silenceMs}. One timer for all that is heard meanwhile. */
function watchSilence({ name, signal }: Download, clock: Clock) {
  const end = new AbortController();
  let heardAt = clock.now();
  let began = false;
  const look = () => {
    const left = heardAt + silenceMs - clock.now();
    if (left > 0) timer = clock.after(left, look);
    else end.abort(new FetchError(`${name}: no byte came for ${silenceMs / 1000} s`, true, began));
  };
  let timer = clock.after(silenceMs, look);
  const stop = () => end.abort(signal.reason);
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  return {
    signal: end.signal,
    heard() {
      began = true;
      heardAt = clock.now();
    },
    end() {
      timer.cancel();
      signal.removeEventListener('abort', stop);
    },
  };
}

function pause(ms: number, clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(ms, () => {
      signal.removeEventListener('abort', stop);
      resolve();
    });
    const stop = () => {
      timer.cancel();
      reject(signal.reason);
    };
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
  });
}
