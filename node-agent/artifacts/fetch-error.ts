import { printable } from '../../shared/names.ts';

/** Why something could not be fetched, as one sentence, and whether another try may go better. */
export class FetchError extends Error {
  readonly later: boolean;
  /** The connection broke while bytes came: what came is kept, and going on is worth a try at once. */
  readonly cut: boolean;

  constructor(sentence: string, later: boolean, cut = false) {
    super(sentence);
    this.later = later;
    this.cut = cut;
  }
}

/** What a network, a disk or a server did to us, by the code of its error. Sentences of OpenSSL and libuv are not for people. */
const networkFaults: Readonly<Record<string, string>> = {
  ENOTFOUND: 'there is no such machine, or no network',
  EAI_AGAIN: 'its name cannot be looked up now',
  ECONNREFUSED: 'nobody listens there',
  ECONNRESET: 'the connection was cut',
  EPIPE: 'the connection was cut',
  ETIMEDOUT: 'it does not answer',
  EHOSTUNREACH: 'it cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
};

const diskFaults: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the file system is read-only',
  EACCES: 'the agent may not read or write there',
  EPERM: 'the agent may not read or write there',
  EIO: 'the disk fails',
  ENOENT: 'it is not there',
  ENOTDIR: 'a part of the path is no folder',
};

/** A certificate that a machine with a wrong clock takes for a bad one may be good when the clock is right. */
const clockFaults = ['CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED'];

const codeOf = (error: unknown): string => {
  // Happy eyeballs (RFC 8305) gather what every address answered.
  const first = error instanceof AggregateError ? error.errors[0] : error;
  return (first as NodeJS.ErrnoException | undefined)?.code ?? '';
};

const wordsOf = (error: unknown): string => printable(error instanceof Error ? error.message : String(error), 100);

/** @param name what was asked, safe to print. @param receiving bytes had come. */
export function networkError(error: unknown, name: string, receiving: boolean): FetchError {
  if (error instanceof FetchError) return error;
  const code = codeOf(error);
  if (clockFaults.includes(code)) return new FetchError(`${name}: its certificate is not valid now (${code})`, true);
  if (/^(CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|ERR_TLS_CERT)/.test(code)) {
    return new FetchError(`${name}: its certificate is not one that this machine trusts (${code})`, false);
  }
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_')) {
    return new FetchError(`${name}: it does not speak TLS there as this machine does (${code})`, true);
  }
  if (code.startsWith('HPE_')) return new FetchError(`${name}: what it answers is no HTTP (${code})`, true);
  const cut = code === 'ERR_STREAM_PREMATURE_CLOSE' || networkFaults[code] !== undefined;
  const why = networkFaults[code] ?? (cut ? 'the connection was cut' : `it failed (${code || wordsOf(error)})`);
  return new FetchError(`${name}: ${why}`, true, receiving && cut);
}

/** @param doing such as `cannot keep it in /var/lib/…`. */
export function diskError(error: unknown, doing: string): FetchError {
  if (error instanceof FetchError) return error;
  const code = codeOf(error);
  return new FetchError(`${doing}: ${diskFaults[code] ?? (code || 'unknown')}`, true);
}
