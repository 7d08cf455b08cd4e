/** `port` and `http`: who answers over the network. Names are asked for in a thread, and given back before a look is over. */
import { lookup } from 'node:dns/promises';
import http from 'node:http';
import https from 'node:https';
import { connect, isIP, type LookupFunction } from 'node:net';
import type { Check } from '../../../shared/schemas/check.ts';
import { type Finding, fail, pass, unknown } from '../finding.ts';
import type { Probe } from '../real-prober.ts';

const answerBytes = 4096;
const bodyBytes = 256 * 1024;

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? (error as Error).message;
const why: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there',
  EHOSTUNREACH: 'the machine cannot be reached',
  ENETUNREACH: 'there is no way to its network',
  ETIMEDOUT: 'no answer',
  ECONNRESET: 'it closed the connection',
};

type Addresses = readonly { readonly address: string; readonly family: number }[];

/** Resolves late where a resolver hangs: its thread is not free before. */
async function addressesOf(host: string): Promise<Addresses> {
  const family = isIP(host);
  if (family) return [{ address: host, family }];
  return lookup(host, { all: true }).catch(() => []);
}

/** For a socket: the name was asked for already. All of its addresses are tried, as any program would. */
const known =
  (addresses: Addresses) =>
  (_name: string, { all }: { all?: boolean }, found: (...args: unknown[]) => void): void => {
    if (all) found(null, addresses);
    else found(null, addresses[0]?.address, addresses[0]?.family);
  };

export const port: Probe<'port'> = async ({ port, host = '127.0.0.1', answers = true, send, contains }, _, signal) => {
  const addresses = await addressesOf(host);
  // Without an address nothing was tried, so "does not answer" would not be known either.
  if (addresses.length === 0) return (answers ? fail : unknown)(`the name ${host} has no address`);
  const { error, text } = await talk(host, addresses, port, send, contains, signal);
  const silent = error !== undefined;
  if (!answers) {
    if (!silent) return fail(`somebody answers at port ${port}`);
    if (['ECONNREFUSED', 'ETIMEDOUT', 'late'].includes(error)) return pass(`nobody answers at port ${port}`);
    return unknown(`port ${port} could not be asked: ${why[error] ?? error}`);
  }
  if (silent) return fail(`port ${port}: ${error === 'late' ? 'no answer in time' : (why[error] ?? error)}`);
  if (contains !== undefined && !text.includes(contains)) {
    return fail(`port ${port} answers, but not with the text${text === '' ? ': it says nothing' : ''}`);
  }
  return pass(`port ${port} answers`);
};

/** Connects, and where something is to be heard, listens until it is. */
function talk(
  host: string,
  addresses: Addresses,
  port: number,
  send: string | undefined,
  contains: string | undefined,
  signal: AbortSignal,
): Promise<{ readonly error?: string; readonly text: string }> {
  return new Promise(resolve => {
    let text = '';
    let connected = false;
    const socket = connect({ host, port, lookup: known(addresses) as LookupFunction });
    const over = (error?: string) => {
      signal.removeEventListener('abort', late);
      socket.destroy();
      resolve({ text, ...(error === undefined ? {} : { error }) });
    };
    // Who connected and then said nothing has answered, with nothing.
    const late = () => over(connected ? undefined : 'late');
    if (signal.aborted) late();
    signal.addEventListener('abort', late);
    socket.on('error', error => over(connected ? undefined : codeOf(error)));
    socket.on('end', () => over());
    socket.on('connect', () => {
      connected = true;
      if (send !== undefined) socket.write(send);
      if (contains === undefined) over();
    });
    socket.on('data', chunk => {
      text += chunk.toString('latin1', 0, answerBytes - text.length);
      if (text.length >= answerBytes || (contains !== undefined && text.includes(contains))) over();
    });
  });
}

type HttpAssertion = NonNullable<Check['http']>;

export const httpProbe: Probe<'http'> = async (assertion, _, signal) => {
  const url = new URL(assertion.url);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const addresses = await addressesOf(host);
  if (addresses.length === 0) return fail('the name in its address has no address');
  return new Promise(resolve => {
    const over = (finding: Finding) => {
      signal.removeEventListener('abort', late);
      request.destroy();
      resolve(finding);
    };
    const late = () => over(fail('no answer in time'));
    const options = {
      agent: false,
      lookup: known(addresses),
      rejectUnauthorized: assertion.insecure !== true,
      headers: { 'user-agent': 'hearth-check', accept: '*/*', connection: 'close' },
    } as https.RequestOptions;
    const request = (url.protocol === 'https:' ? https : http).get(url, options);
    if (signal.aborted) late();
    signal.addEventListener('abort', late);
    request.on('error', error => over(fail(`no answer: ${why[codeOf(error)] ?? codeOf(error)}`)));
    request.on('response', response => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      const judge = () => over(judgeHttp(assertion, response.statusCode ?? 0, Buffer.concat(chunks).toString()));
      if (assertion.contains === undefined && assertion.absent === undefined) judge();
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk.subarray(0, bodyBytes - bytes));
        bytes += chunk.length;
        if (bytes >= bodyBytes) judge();
      });
      response.on('end', judge);
      response.on('error', error => over(fail(`status ${response.statusCode}, then ${codeOf(error)}`)));
    });
  });
};

/** Pure. */
export function judgeHttp({ status, contains, absent }: HttpAssertion, got: number, body: string): Finding {
  if (status === undefined ? got < 200 || got > 299 : got !== status) {
    return fail(`status ${got} instead of ${status ?? '200 to 299'}`);
  }
  if (contains !== undefined && !body.includes(contains)) return fail(`status ${got}, but the page lacks the text`);
  if (absent !== undefined && body.includes(absent)) return fail(`status ${got}, but the page has the text`);
  return pass(`status ${got}`);
}
