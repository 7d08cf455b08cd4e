/** One request to the supervisor whose body, either way, may be larger than memory; {@link adminCall} does for all others. */
import { type IncomingMessage, request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import type { Readable } from 'node:stream';
import { parseJson } from '../shared/codec.ts';
import { printable } from '../shared/names.ts';
import { UserError } from '../shared/user-error.ts';
import { type AdminFlags, bearer, failure, readCa, supervisorUrl } from './admin.ts';

export interface SupervisorRequest {
  readonly method: 'GET' | 'HEAD' | 'PATCH';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Readable;
}

/** A line that says nothing for so long is dead. */
const silenceMs = 60_000;

/**
 * Resolves with the answer's head; its body is read, or {@link drained}.
 * @throws Error of the connection as Node has it, for who tries again; {@link told} makes a sentence of it.
 */
export function askSupervisor(flags: AdminFlags, asked: SupervisorRequest): Promise<IncomingMessage> {
  const url = new URL(asked.path, supervisorUrl(flags, process.env));
  const token = bearer(process.env);
  const caFile = flags.ca ?? process.env.HEARTH_CA;
  const headers = { ...asked.headers, ...(token !== undefined && { authorization: `Bearer ${token}` }) };
  const options = { method: asked.method, headers, agent: false, timeout: silenceMs } as const;
  return new Promise((resolve, reject) => {
    const tls = { ...options, ...(caFile !== undefined && { ca: readCa(caFile) }), minVersion: 'TLSv1.2' } as const;
    const asking = url.protocol === 'https:' ? tlsRequest(url, tls, resolve) : plainRequest(url, options, resolve);
    asking.on('timeout', () => asking.destroy(new Error(`nothing came for ${silenceMs / 1000} s`)));
    asking.on('error', reject);
    if (!asked.body) return void asking.end();
    // The answer may come before the body has gone, a refusal above all: then nobody reads the rest.
    asked.body.on('error', error => asking.destroy(error));
    asking.on('close', () => asked.body?.destroy());
    asked.body.pipe(asking);
  });
}

/** Why a request failed, for people. */
export const told = (error: unknown, flags: AdminFlags): UserError =>
  error instanceof UserError ? error : failure(error as Error, supervisorUrl(flags, process.env));

const mostBytes = 64 * 1024;

/** The sentence of an answer that is no success. */
export async function refusalOf(answer: IncomingMessage): Promise<UserError> {
  const { statusCode = 0 } = answer;
  const json = parseJson(await drained(answer));
  const said =
    json.ok && typeof json.value === 'object' ? (json.value as { error?: unknown } | null)?.error : undefined;
  if (typeof said === 'string') return new UserError(printable(said, 1000));
  if (statusCode === 401) return new UserError('A login is needed: put an API token into HEARTH_TOKEN.');
  return new UserError(`The supervisor answered ${statusCode}: it may be older than this command.`);
}

/** The body as text, as far as anybody wants to read it. */
export async function drained(answer: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of answer as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > mostBytes) break;
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}
