/** What the mirror asks of an upstream: nothing of who asks the mirror goes along. */
import { type IncomingMessage, request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { MirrorError } from './mirror-error.ts';
import type { Upstream, Wanted } from './upstreams.ts';

export interface UpstreamQuestion {
  readonly wanted: Wanted;
  readonly method?: 'GET' | 'HEAD';
  /** Of what is here already. */
  readonly etag?: string | undefined;
  readonly lastModified?: string | undefined;
  /** Where a download that was cut goes on, if it is still the file with this validator. */
  readonly from?: number;
  readonly ifRange?: string;
  readonly signal: AbortSignal;
}

const mostRedirects = 5;
const redirects = [301, 302, 303, 307, 308];
/** Without a byte for so long an upstream is away. */
const silenceMs = 20_000;

/** @throws MirrorError 502 or 504. */
export async function askUpstream(question: UpstreamQuestion): Promise<IncomingMessage> {
  const { wanted, signal } = question;
  let { url } = wanted;
  for (let hops = 0; hops <= mostRedirects; hops++) {
    const answer = await ask(url, question).catch(error => {
      if (signal.aborted) throw signal.reason;
      throw away(error, wanted.upstream);
    });
    const { statusCode = 0, headers } = answer;
    if (!redirects.includes(statusCode)) return answer;
    answer.destroy();
    url = redirected(url, headers.location, wanted.upstream);
  }
  throw new MirrorError(502, `${wanted.upstream.name} leads from one address to the next without an end.`);
}

/** To the same host, or one that is known to belong to it; never from https to http. */
export function redirected(from: URL, location: string | undefined, upstream: Upstream): URL {
  const to = location !== undefined && URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  const secure = to?.protocol === 'https:' || (to?.protocol === 'http:' && from.protocol === 'http:');
  const known = to && (to.host === new URL(upstream.url).host || upstream.redirects.includes(to.host));
  if (to && secure && known && to.username === '') return to;
  throw new MirrorError(502, `${upstream.name} leads to an address that is not one of its own.`);
}

function ask(
  url: URL,
  { wanted, method = 'GET', etag, lastModified, from, ifRange, signal }: UpstreamQuestion,
): Promise<IncomingMessage> {
  const headers = {
    'user-agent': 'hearth-mirror',
    accept: wanted.accept ?? '*/*',
    // As the bytes are: what is kept is read in ranges, and rewritten.
    'accept-encoding': 'identity',
    ...(etag !== undefined && { 'if-none-match': etag }),
    ...(lastModified !== undefined && { 'if-modified-since': lastModified }),
    ...(from !== undefined &&
      from > 0 && { range: `bytes=${from}-`, ...(ifRange !== undefined && { 'if-range': ifRange }) }),
  };
  return new Promise((resolve, reject) => {
    const request = url.protocol === 'https:' ? tlsRequest : plainRequest;
    const asking = request(url, { method, headers, agent: false, signal, timeout: silenceMs }, resolve);
    asking.on('timeout', () => asking.destroy(Object.assign(new Error('silent'), { code: 'ETIMEDOUT' })));
    asking.on('error', reject);
    asking.end();
  });
}

function away(error: unknown, { name }: Upstream): MirrorError {
  if (error instanceof MirrorError) return error;
  const first = error instanceof AggregateError ? error.errors[0] : error;
  const code = (first as NodeJS.ErrnoException | undefined)?.code ?? 'unknown';
  return new MirrorError(code === 'ETIMEDOUT' ? 504 : 502, `${name} cannot be reached now (${code}).`);
}
