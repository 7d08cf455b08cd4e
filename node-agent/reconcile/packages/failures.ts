/** From the output of a package manager to one sentence, and to what can be done about it. */
import type { Failure, Finished } from './provider.ts';

/** Longest sentence of an item, in characters (`err` of an item is 300). */
const mostCharacters = 240;

/** One line that a status can hold: no control characters, no markup of a terminal. */
export function plain(text: string): string {
  const line = text
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours and other control sequences are taken out
    .replace(/\x1b\[[0-9;?]*[A-Za-z]/g, '')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: so are single control characters
    .replace(/[\x00-\x1f\x7f\u2028\u2029]+/g, ' ')
    .trim();
  return line.length > mostCharacters ? `${line.slice(0, mostCharacters - 1)}…` : line;
}

/** `a, b, c and 4 more` */
export function listed(names: readonly string[], most = 5): string {
  const shown = names.slice(0, most).join(', ');
  return names.length > most ? `${shown} and ${names.length - most} more` : shown;
}

const network =
  /temporary failure (?:in name resolution|resolving)|could(?: not|n't) resolve|name or service not known|unable to connect|could not connect|failed to connect|connection (?:timed out|refused|reset|failed)|network is unreachable|no route to host|operation timed out|timed? ?out was reached|ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|NewConnectionError|temporary error \(try again later\)|DNS lookup error|network error|curl error|failed retrieving file|returned error: 5\d\d/i;

const disk = /no space left on device|ENOSPC|enough free space|not enough free disk space|disk quota exceeded/i;

/** Where no reader knows better: the network, the disk, or the lines that say what went wrong. */
export function failureOf(finished: Finished, complaints: RegExp): Failure {
  const text = `${finished.out}\n${finished.err}`;
  const full = disk.exec(text);
  if (full) return { sentence: 'the disk is full: make room, and it is tried again', why: 'disk' };
  if (network.test(text)) {
    const line = text.split('\n').find(each => network.test(each)) ?? '';
    return { sentence: `the packages cannot be fetched: ${plain(line)}`, why: 'network' };
  }
  const said = text.split('\n').filter(line => complaints.test(line));
  const last = text
    .split('\n')
    .filter(line => line.trim() !== '')
    .at(-1);
  const sentence = plain(said.length > 0 ? said.slice(0, 3).join(' ') : (last ?? ''));
  return { sentence: sentence === '' ? `it ended with exit code ${finished.code}` : sentence };
}
