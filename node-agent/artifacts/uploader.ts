/**
 * Puts files into the supervisor's artifact store, as this node: what tasks leave. A supervisor that is away is tried
 * again, later and later, until whoever asked gives up.
 */
import { createReadStream } from 'node:fs';
import { access } from 'node:fs/promises';
import { type IncomingMessage, request as plainRequest } from 'node:http';
import { type Clock, fullJitter, type Random } from '../../shared/clock.ts';
import { printable } from '../../shared/names.ts';
import { statusError, verifiedSocket } from './asking.ts';
import { FetchError, networkError } from './fetch-error.ts';
import type { SupervisorAt } from './supervisor-at.ts';

export interface UploaderOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Asked anew for every try. Undefined: no supervisor is known that could be asked. */
  supervisor(): SupervisorAt | undefined;
}

/** `done` exactly once, later, unless cancelled; with one sentence why the file is not there. */
export type Upload = (
  file: string,
  what: { readonly sha256: string; readonly bytes: number },
  done: (error?: string) => void,
) => { cancel(): void };

const [firstMs, capMs] = [1000, 30_000];
const longestAnswer = 4096;

export function createUploader({ clock, random, supervisor }: UploaderOptions): Upload {
  return (file, { sha256, bytes }, done) => {
    const cancelled = new AbortController();
    const { signal } = cancelled;
    const again = (attempt: number) => {
      put(supervisor(), { file, sha256, bytes, signal }).then(
        () => signal.aborted || done(),
        (error: Error) => {
          if (signal.aborted) return;
          if (!(error instanceof FetchError) || !error.later) done(error.message);
          else
            clock.after(500 + fullJitter(attempt, firstMs, capMs, random), () => signal.aborted || again(attempt + 1));
        },
      );
    };
    queueMicrotask(() => again(0));
    return { cancel: () => cancelled.abort() };
  };
}

interface Put {
  readonly file: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly signal: AbortSignal;
}

/** Its addresses are tried in turn. @throws FetchError. */
async function put(at: SupervisorAt | undefined, what: Put): Promise<void> {
  await access(what.file).catch((error: NodeJS.ErrnoException) => {
    throw new FetchError(`the file that was to be kept cannot be read (${error.code})`, false);
  });
  let last = new FetchError('this node knows no supervisor that keeps files: join it with a token', true);
  for (const address of at?.urls ?? []) {
    const name = `artifact ${what.sha256} to ${printable(address, 100)}`;
    try {
      const { status, text } = await putThere(new URL(`/artifacts/${what.sha256}`, address), at, what);
      if (status === 200 || status === 201) return;
      const { later, message } = statusError(status, name);
      // What a store refuses, it refuses again: too large, or full.
      throw new FetchError(sentenceOf(text) ?? message, later && status !== 507);
    } catch (error) {
      if (what.signal.aborted) throw error;
      if (error instanceof FetchError && !error.later) throw error;
      last = networkError(error, name, false);
    }
  }
  throw last;
}

async function putThere(url: URL, at: SupervisorAt | undefined, { file, bytes, signal }: Put) {
  const headers = {
    'user-agent': 'hearth-agent',
    'content-type': 'application/octet-stream',
    'content-length': bytes,
    connection: 'close',
    host: url.host,
  };
  const socket = at?.tls && (await verifiedSocket(url, at.tls, signal));
  // Plain HTTP, spoken over a connection that is secure and verified already.
  const over = socket ? { createConnection: () => socket } : { agent: false as const };
  const target = socket ? new URL(url.pathname, 'http://supervisor') : url;
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const asking = plainRequest(target, { method: 'PUT', headers, signal, ...over }, resolve);
    const reading = createReadStream(file);
    asking.on('error', error => {
      reading.destroy();
      reject(error);
    });
    reading.on('error', error => asking.destroy(error));
    reading.pipe(asking);
  }).catch(error => {
    socket?.destroy();
    throw error;
  });
  let text = '';
  for await (const chunk of answer) if (text.length < longestAnswer) text += chunk;
  socket?.destroy();
  return { status: answer.statusCode ?? 0, text };
}

function sentenceOf(text: string): string | undefined {
  try {
    const { error } = JSON.parse(text);
    return typeof error === 'string' ? printable(error, 500) : undefined;
  } catch {
    return undefined;
  }
}
