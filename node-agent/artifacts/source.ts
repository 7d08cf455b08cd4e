/** Where the bytes of a source are, and how that is said to people. Pure. */
import { printable } from '../../shared/names.ts';
import { FetchError } from './fetch-error.ts';
import type { Source } from './fetching.ts';

export type Place =
  /** `url` has neither user name nor password: these are in `auth`, as `user:password`. */
  | { readonly kind: 'web'; readonly url: URL; readonly auth?: string }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'artifact'; readonly sha256: string };

export interface Meant {
  readonly place: Place;
  /** Without passwords and without the query, which may be one, too. */
  readonly name: string;
  /** Known before it is fetched. */
  readonly sha256?: string;
}

const hashShape = /^[0-9a-f]{64}$/;

/** @throws FetchError where it is no source. */
export function meantBy({ url, sha256 }: Source): Meant {
  if (sha256 !== undefined && !hashShape.test(sha256)) {
    throw new FetchError(`"${printable(sha256)}" is no SHA-256: it has 64 of 0-9 and a-f`, false);
  }
  const known = sha256 === undefined ? {} : { sha256 };
  const [, artifact] = /^artifact:([0-9a-f]{64})$/.exec(url) ?? [];
  if (artifact !== undefined) {
    if (sha256 !== undefined && sha256 !== artifact) {
      throw new FetchError(
        `the SHA-256 of artifact ${artifact} is its name, and not ${sha256}: leave out the other`,
        false,
      );
    }
    return { place: { kind: 'artifact', sha256: artifact }, name: `artifact ${artifact}`, sha256: artifact };
  }
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw new FetchError('the source is no URL: use http://…, https://…, file:///… or artifact:SHA256', false);
  }
  const name = shown(parsed);
  if (parsed.protocol === 'file:') return { place: { kind: 'file', path: pathOf(parsed, name) }, name, ...known };
  return { place: web(parsed, name), name, ...known };
}

/** How a URL is written in messages: cut, and without what may be a secret. */
export function shown(url: URL): string {
  const query = url.search === '' ? '' : '?…';
  const host = url.protocol === 'file:' ? 'file://' : `${url.protocol}//${url.host}`;
  return printable(`${host}${url.pathname}${query}`, 300);
}

function pathOf({ hostname, pathname }: URL, name: string): string {
  if (hostname !== '' && hostname !== 'localhost') {
    throw new FetchError(`${name} is a file of another machine: write file:///PATH`, false);
  }
  let path: string;
  try {
    path = decodeURIComponent(pathname);
  } catch {
    throw new FetchError(`${name}: a "%" in it is written as %25`, false);
  }
  if (path.includes('\0')) throw new FetchError(`${name}: a path has no NUL character`, false);
  return path;
}

function web(url: URL, name: string): Place {
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new FetchError(
      `${name}: "${printable(url.protocol)}" is not fetched: use http, https, file or artifact`,
      false,
    );
  }
  if (url.username === '' && url.password === '') return { kind: 'web', url };
  const bare = new URL(url);
  bare.username = '';
  bare.password = '';
  try {
    return { kind: 'web', url: bare, auth: `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}` };
  } catch {
    throw new FetchError(`${name}: user name or password cannot be read: a "%" in them is written as %25`, false);
  }
}

export type WebPlace = Extract<Place, { kind: 'web' }>;

const mostRedirects = 5;

/**
 * Where a redirect (RFC 9110, section 15.4) leads. Never from https to http, and a password goes to no other origin.
 * @param hops how many there were before this one.
 */
export function redirected(from: WebPlace, location: string | undefined, hops: number): WebPlace {
  const name = shown(from.url);
  if (hops >= mostRedirects)
    throw new FetchError(`${name}: it leads from one address to the next without an end`, false);
  let to: URL;
  try {
    to = new URL(location ?? '', from.url);
  } catch {
    throw new FetchError(`${name}: it leads to an address that is none`, false);
  }
  if (location === undefined) throw new FetchError(`${name}: it leads elsewhere and does not say where`, false);
  if (to.protocol === 'http:' && from.url.protocol === 'https:') {
    throw new FetchError(`${name}: it leads from https to http (${shown(to)}), which is refused`, false);
  }
  // Whoever answers does not choose what this node shows to others.
  to.username = '';
  to.password = '';
  const next = web(to, shown(to));
  if (next.kind !== 'web') throw new FetchError(`${name}: it leads to no web address`, false);
  return to.origin === from.url.origin && from.auth !== undefined ? { ...next, auth: from.auth } : next;
}
