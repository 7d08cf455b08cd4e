/**
 * The {@link OutboxDisk} in a file, `outbox.log`: one line of JSON for a result, one for what is acknowledged. Lines are
 * written in one piece and cut off again where that failed; a line that cannot be read is one that a crash left half
 * written. What is void is thrown away by writing the rest anew beside it, and that is renamed over.
 */
import {
  closeSync,
  fdatasync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from '../../shared/make-folder.ts';
import { jobLimits } from '../../shared/schemas/job.ts';
import { endPayload, type TokenSpan } from '../../shared/schemas/work.ts';
import type { Ended } from './executor.ts';
import type { OutboxDisk } from './outbox.ts';
import { spansOf, tokensIn } from './token-spans.ts';

export const outboxFile = 'outbox.log';
/** Written anew when so much of it is void, and more than half. */
const voidBytes = 1024 * 1024;
const chunkBytes = 256 * 1024;
const why = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? (error as Error).message;

const lineOf = ({ token, r, index, attempt, ms, shareMs, end }: Ended): string =>
  `${JSON.stringify(['r', token, r, index, attempt, ms, shareMs, ...(end === undefined ? [] : [end])])}\n`;
const ackLine = (tokens: readonly number[]): string => `${JSON.stringify(['a', ...spansOf(tokens)])}\n`;

const whole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** A line of the file; undefined where it is none. */
function readLine(line: string): { readonly result: Ended } | { readonly ack: readonly TokenSpan[] } | undefined {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!Array.isArray(json)) return undefined;
  const [kind, ...rest] = json as unknown[];
  if (kind === 'a') {
    const isSpan = (span: unknown): span is TokenSpan =>
      Array.isArray(span) && whole(span[0]) && whole(span[1]) && span[1] <= jobLimits.batch;
    const spans = rest.filter(isSpan);
    return spans.length === rest.length ? { ack: spans } : undefined;
  }
  const [token, r, index, attempt, ms, shareMs, end] = rest;
  if (kind !== 'r' || !whole(token) || !whole(r) || !whole(index) || !whole(attempt)) return undefined;
  if (typeof ms !== 'number' || typeof shareMs !== 'number') return undefined;
  const base = { token, r, index, attempt, ms, shareMs };
  if (end === undefined) return { result: base };
  const parsed = endPayload.safeParse(end);
  return parsed.success ? { result: { ...base, end: parsed.data } } : undefined;
}

export function createOutboxFile(folder: string): OutboxDisk {
  const path = join(folder, outboxFile);
  let file: number | undefined;
  /** Of the file, up to the last line that is whole. */
  let size = 0;
  /** Bytes of each line that counts. */
  const live = new Map<number, { readonly ended: Ended; readonly bytes: number }>();
  let liveBytes = 0;
  let syncing = false;
  let syncAgain = false;

  const forget = (token: number) => {
    const found = live.get(token);
    if (!found) return;
    live.delete(token);
    liveBytes -= found.bytes;
  };
  const count = (ended: Ended, bytes: number) => {
    forget(ended.token);
    live.set(ended.token, { ended, bytes });
    liveBytes += bytes;
  };

  const opened = (): number => {
    if (file === undefined) {
      makeFolder(folder);
      file = openSync(path, 'a+', 0o600);
      size = fstatSync(file).size;
    }
    return file;
  };

  const writeAll = (to: number, text: string): number => {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; ) at += writeSync(to, bytes, at);
    return bytes.length;
  };

  /** Whole or not at all. */
  const put = (text: string) => {
    const to = opened();
    try {
      size += writeAll(to, text);
    } catch (error) {
      // A half line at the end is taken for one that a crash left; here it would swallow the next one's beginning.
      ftruncateSync(to, size);
      throw error;
    }
  };

  /** In the background: a slow card must not hold up the agent. */
  const syncSoon = () => {
    if (file === undefined) return;
    if (syncing) {
      syncAgain = true;
      return;
    }
    syncing = true;
    const of = file;
    fdatasync(of, () => {
      syncing = false;
      if (retired.delete(of)) closeSync(of);
      if (syncAgain) {
        syncAgain = false;
        syncSoon();
      }
    });
  };
  /** Replaced, but a sync of it is under way. */
  const retired = new Set<number>();
  const retire = (of: number) => {
    if (syncing) retired.add(of);
    else closeSync(of);
  };

  const compact = () => {
    const beside = `${path}.new`;
    const next = openSync(beside, 'w', 0o600);
    let written = 0;
    try {
      for (const { ended } of live.values()) written += writeAll(next, lineOf(ended));
      if (written > 0) fsyncSync(next);
      renameSync(beside, path);
    } finally {
      closeSync(next);
    }
    if (file !== undefined) retire(file);
    file = undefined;
  };

  const read = (): boolean => {
    const from = opened();
    const buffer = Buffer.allocUnsafe(chunkBytes);
    let rest: Buffer[] = [];
    let clean = true;
    const take = (line: Buffer) => {
      const found = readLine(line.toString());
      if (!found) clean = false;
      else if ('ack' in found) {
        for (const token of tokensIn(found.ack)) forget(token);
      } else count(found.result, line.length + 1);
    };
    for (let at = 0; ; ) {
      const got = readSync(from, buffer, 0, chunkBytes, at);
      if (got === 0) break;
      at += got;
      let begin = 0;
      for (let end = buffer.indexOf(10); end >= 0 && end < got; end = buffer.indexOf(10, begin)) {
        take(Buffer.concat([...rest, buffer.subarray(begin, end)]));
        rest = [];
        begin = end + 1;
      }
      if (begin < got) rest.push(Buffer.from(buffer.subarray(begin, got)));
    }
    return clean && rest.length === 0;
  };

  return {
    load() {
      try {
        live.clear();
        liveBytes = 0;
        if (!read()) compact();
        return [...live.values()].map(({ ended }) => ended);
      } catch (error) {
        throw new Error(`cannot read the results that wait in ${path} (${why(error)})`);
      }
    },
    append(results, sync) {
      const lines = results.map(ended => ({ ended, line: lineOf(ended) }));
      try {
        put(lines.map(({ line }) => line).join(''));
      } catch (error) {
        throw new Error(`cannot keep results in ${path} (${why(error)}): is the disk full or read-only?`);
      }
      for (const { ended, line } of lines) count(ended, Buffer.byteLength(line));
      if (sync) syncSoon();
    },
    remove(tokens) {
      for (const token of tokens) forget(token);
      try {
        if (live.size === 0) {
          ftruncateSync(opened(), 0);
          size = 0;
        } else if (size - liveBytes > voidBytes && size > 2 * liveBytes) compact();
        else put(ackLine(tokens));
      } catch {
        // It comes again after a restart, and is acknowledged again.
      }
    },
    close() {
      if (file !== undefined) retire(file);
      file = undefined;
    },
  };
}
