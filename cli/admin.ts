/**
 * What the command line asks of the supervisor beside MQTT: everything about trust, over its HTTP port. On the
 * supervisor's own machine and as its user that needs nothing; from elsewhere an address, the cluster's CA and a token.
 */
import { readFileSync } from 'node:fs';
import { type IncomingMessage, request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { parseJson } from '../shared/codec.ts';
import { printable } from '../shared/names.ts';
import { UserError } from '../shared/user-error.ts';
import { localPorts } from './running-supervisor.ts';

export interface AdminFlags {
  /** Data folder of the supervisor on this machine: its run.json has the port. */
  readonly data?: string;
  /** `https://HOST:PORT` of a supervisor elsewhere (HEARTH_URL). */
  readonly url?: string;
  /** File with the cluster's CA certificate (HEARTH_CA). */
  readonly ca?: string;
}

const answerMs = 30_000;
const mostBytes = 8 * 1024 * 1024;

/**
 * Runs an admin verb, such as `token.create`, and returns its answer.
 * @throws UserError with the supervisor's own sentence, or why it could not be asked.
 */
export async function adminCall<T = Readonly<Record<string, unknown>>>(
  flags: AdminFlags,
  name: string,
  args: object = {},
  limitBytes = mostBytes,
): Promise<T> {
  const url = supervisorUrl(flags, process.env);
  const token = bearer(process.env);
  const body = Buffer.from(JSON.stringify(args));
  const caFile = flags.ca ?? process.env.HEARTH_CA;
  const { status, text } = await ask(new URL(`/api/trust/${name}`, url), body, token, caFile, limitBytes);
  const json = parseJson(text);
  const answer = json.ok && typeof json.value === 'object' ? (json.value as { error?: unknown } | null) : null;
  if (status === 200 && answer) return answer as T;
  const said = typeof answer?.error === 'string' ? printable(answer.error, 1000) : undefined;
  if (status === 401) throw new UserError(token === undefined ? wayIn(url) : (said ?? wrongToken));
  if (status === 404 && said === undefined)
    throw new UserError(`What answers at ${url.origin} is no Hearth supervisor.`);
  throw new UserError(said ?? `The supervisor at ${url.origin} answered ${status}: its log says more.`);
}

const wrongToken = 'The token in HEARTH_TOKEN is wrong, has expired or was revoked.';

const wayIn = (url: URL): string =>
  isLoopback(url)
    ? 'A login is needed here: run this as the user who runs the supervisor, or put an API token into HEARTH_TOKEN.'
    : 'A login is needed: put an API token ("hearth api create NAME --role ROLE" on the supervisor\'s machine) into HEARTH_TOKEN.';

export const isLoopback = ({ hostname }: URL): boolean =>
  hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);

type Environment = Readonly<Record<string, string | undefined>>;

/** --url, HEARTH_URL, the port that the data folder's supervisor has, or the usual one here. */
export function supervisorUrl(flags: AdminFlags, env: Environment): URL {
  const given = flags.url ?? (env.HEARTH_URL || undefined);
  if (given === undefined) return new URL(`http://127.0.0.1:${localPorts(flags.data, env).http ?? 22581}`);
  const origin = flags.url === undefined ? 'HEARTH_URL' : '--url';
  const example = 'write it as https://HOST:22581';
  let url: URL;
  try {
    url = new URL(given);
  } catch {
    throw new UserError(`${origin}: "${printable(given)}" is no address: ${example}.`, 2);
  }
  if (url.username !== '' || url.password !== '') {
    throw new UserError(`${origin}: no user name or password goes there; put an API token into HEARTH_TOKEN.`, 2);
  }
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url))) {
    throw new UserError(`${origin}: what is said to another machine has to be encrypted: ${example}.`, 2);
  }
  return url;
}

/** The API token in HEARTH_TOKEN. @throws UserError where that is none. */
export function bearer(env: Environment): string | undefined {
  const token = env.HEARTH_TOKEN?.trim();
  if (token === undefined || token === '') return undefined;
  if (token.startsWith('hearth1.')) {
    throw new UserError(
      'HEARTH_TOKEN holds a join token, which lets a machine join and no person in: put an API token there ("hearth api create").',
      2,
    );
  }
  // Anything else than these would let what is pasted end the header line.
  if (!/^[A-Za-z0-9._~+/=-]{1,512}$/.test(token)) throw new UserError('HEARTH_TOKEN is no API token.', 2);
  return token;
}

/** @throws UserError where it cannot be read. */
export function readCa(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new UserError(`--ca ${file}: the file cannot be read (${(error as NodeJS.ErrnoException).code}).`, 2);
  }
}

function ask(
  url: URL,
  body: Buffer,
  token: string | undefined,
  caFile: string | undefined,
  limitBytes: number,
): Promise<{ status: number; text: string }> {
  const options = {
    method: 'POST',
    agent: false,
    headers: {
      'content-type': 'application/json',
      'content-length': body.length,
      accept: 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
  } as const;
  return new Promise((resolve, reject) => {
    const answered = (answer: IncomingMessage) => {
      const chunks: Buffer[] = [];
      let size = 0;
      answer.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > limitBytes) asked.destroy(new Error(`its answer is longer than ${limitBytes} bytes`));
        else chunks.push(chunk);
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }));
      answer.on('error', failed);
    };
    const failed = (error: Error) => {
      clearTimeout(late);
      reject(failure(error, url));
    };
    const asked =
      url.protocol === 'https:'
        ? tlsRequest(
            url,
            { ...options, ...(caFile === undefined ? {} : { ca: readCa(caFile) }), minVersion: 'TLSv1.2' },
            answered,
          )
        : plainRequest(url, options, answered);
    const late = setTimeout(() => asked.destroy(new Error(`no answer in ${answerMs / 1000} s`)), answerMs);
    asked.on('error', failed);
    asked.on('close', () => clearTimeout(late));
    asked.end(body);
  });
}

/** Why the supervisor could not be asked, for people. */
export function failure(error: Error, url: URL): UserError {
  const { code = '', message } = error as NodeJS.ErrnoException;
  const where = url.origin;
  if (code === 'ECONNREFUSED') {
    return new UserError(
      `Nobody listens at ${where}: start a supervisor with "hearth up", or name it with --url or --data.`,
    );
  }
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return new UserError(`There is no such machine as in ${where}: check --url, and whether the network is up.`);
  }
  if (/^(UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|CERT_UNTRUSTED)/.test(code)) {
    return new UserError(
      `The certificate of ${where} is not from a CA that is known here: give the cluster's with --ca FILE ("hearth ca show --pem" on the supervisor's machine prints it).`,
    );
  }
  if (code.startsWith('CERT_') || code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return new UserError(
      `The certificate of ${where} does not do (${printable(message, 200)}): use a name or address of the supervisor.`,
    );
  }
  return new UserError(`The supervisor at ${where} could not be asked: ${printable(message || code, 200)}.`);
}
