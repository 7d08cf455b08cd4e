/** One question to the supervisor over HTTPS. Nothing of it is sent before the other end has been verified. */
import { request } from 'node:http';
import type { z } from 'zod';
import { check, parseJson } from '../../shared/codec.ts';
import { printable } from '../../shared/names.ts';
import { openVerified, type SecureFailure, type SecureTarget } from '../connection/verified-socket.ts';

export interface Answer {
  readonly status: number;
  readonly json: unknown;
}

/** Why there is no answer that can be used. */
export class AskError extends Error {
  /** Set where the other end is not who it should be. */
  readonly why: SecureFailure['why'];

  constructor(sentence: string, why?: SecureFailure['why']) {
    super(sentence);
    this.why = why;
  }
}

const mostBytes = 256 * 1024;
/** A machine that asks is one of hundreds that ask at the same time. */
const answerWithinMs = 30_000;
export const reachWithinMs = 5000;

export interface Question {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: object;
}

/** `HOST:PORT`, an IPv6 address in brackets. */
export function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const at = address.lastIndexOf(':');
  return { host: address.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(address.slice(at + 1)) };
}

export type Trusted = Pick<SecureTarget, 'trust' | 'servername'>;

/** @throws AskError with a sentence that names the address. */
export function ask(address: string, trusted: Trusted, question: Question): Promise<Answer> {
  const { host, port } = splitAddress(address);
  return new Promise((resolve, reject) => {
    const fail = (sentence: string, why?: SecureFailure['why']) =>
      reject(new AskError(`${printable(address, 100)}: ${sentence}`, why));
    openVerified(
      { host, port, ...trusted, timeoutMs: reachWithinMs },
      {
        failed: failure => fail(failure.sentence, failure.why),
        ready(socket) {
          const late = setTimeout(() => socket.destroy(new Error('no answer in time')), answerWithinMs);
          socket.on('error', error => fail(error.message));
          socket.once('close', () => {
            clearTimeout(late);
            fail('the connection ended before the answer');
          });
          const text = question.body === undefined ? undefined : JSON.stringify(question.body);
          const asking = request({
            createConnection: () => socket,
            method: question.method,
            path: question.path,
            headers: {
              host: address,
              accept: 'application/json',
              connection: 'close',
              ...(text === undefined
                ? {}
                : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
            },
          });
          asking.on('error', error => fail(error.message));
          asking.on('response', answer => {
            const parts: Buffer[] = [];
            let bytes = 0;
            answer.on('data', (part: Buffer) => {
              bytes += part.length;
              if (bytes > mostBytes) return socket.destroy(new Error('the answer is too large'));
              parts.push(part);
            });
            answer.on('end', () => {
              const json = parseJson(Buffer.concat(parts).toString());
              resolve({ status: answer.statusCode ?? 0, json: json.ok ? json.value : undefined });
              socket.destroy();
            });
          });
          asking.end(text);
        },
      },
    );
  });
}

/** The JSON of an answer with status 200, as the schema says. @throws AskError. */
export async function askFor<S extends z.ZodType>(
  address: string,
  trusted: Trusted,
  question: Question,
  schema: S,
): Promise<z.output<S>> {
  const { status, json } = await ask(address, trusted, question);
  if (status !== 200)
    throw new AskError(`${printable(address, 100)}: ${question.path.split('?')[0]} answered ${status}`);
  const value = check(schema, json);
  if (!value.ok)
    throw new AskError(`${printable(address, 100)}: what it answered cannot be read: ${value.error.message}`);
  return value.value;
}

/** `{"error": sentence}` of an answer, made safe to print. */
export function sentenceOf({ status, json }: Answer): string {
  const said = (json as { readonly error?: unknown } | undefined)?.error;
  return typeof said === 'string' && said !== '' ? printable(said, 400) : `it answered ${status}`;
}
