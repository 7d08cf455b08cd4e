/**
 * What the mirror has the right to fetch, and nothing else: it is no proxy for whatever somebody asks for. Pure.
 */
import { createHash } from 'node:crypto';
import { printable } from '../../shared/names.ts';
import { UserError } from '../../shared/user-error.ts';

export type UpstreamKind = 'apt' | 'apk' | 'npm' | 'pypi' | 'files' | 'releases';

export interface Upstream {
  readonly name: string;
  readonly kind: UpstreamKind;
  /** Without a slash at its end. */
  readonly url: string;
  /** Other hosts to which it may redirect. */
  readonly redirects: readonly string[];
  /** What its pages link to, and by which upstream of ours that is had instead. */
  readonly links: readonly { readonly url: string; readonly name: string }[];
}

const upstream = (name: string, kind: UpstreamKind, url: string, more: Partial<Upstream> = {}): Upstream => ({
  ...{ name, kind, url, redirects: [], links: kind === 'npm' ? [{ url, name }] : [] },
  ...more,
});

export const usualUpstreams: readonly Upstream[] = [
  upstream('debian', 'apt', 'https://deb.debian.org/debian'),
  upstream('debian-security', 'apt', 'https://deb.debian.org/debian-security'),
  upstream('raspberrypi', 'apt', 'https://archive.raspberrypi.com/debian'),
  upstream('raspbian', 'apt', 'http://archive.raspbian.org/raspbian'),
  upstream('ubuntu', 'apt', 'http://archive.ubuntu.com/ubuntu'),
  upstream('ubuntu-ports', 'apt', 'http://ports.ubuntu.com/ubuntu-ports'),
  upstream('alpine', 'apk', 'https://dl-cdn.alpinelinux.org/alpine'),
  upstream('npm', 'npm', 'https://registry.npmjs.org'),
  upstream('pypi', 'pypi', 'https://pypi.org', {
    links: [{ url: 'https://files.pythonhosted.org', name: 'pypi-files' }],
  }),
  upstream('pypi-files', 'files', 'https://files.pythonhosted.org'),
  upstream('github', 'releases', 'https://github.com', {
    redirects: ['objects.githubusercontent.com', 'release-assets.githubusercontent.com'],
  }),
];

/**
 * Signed by its makers with keys that its users have: no wire needs to be trusted (apt-secure(8), apk-keys). Of all others
 * the index, which says what the right hash is, is as good as the line it came by.
 */
export const isSigned = ({ kind }: Pick<Upstream, 'kind'>): boolean => kind === 'apt' || kind === 'apk';

/**
 * @param also `NAME=KIND+URL`, several with spaces between; the kind is apt, apk, npm or files (default).
 * @throws UserError naming the one that is wrong.
 */
export function readUpstreams(also: string | undefined): readonly Upstream[] {
  const all = new Map(usualUpstreams.map(one => [one.name, one]));
  for (const text of (also ?? '').split(/\s+/).filter(Boolean)) {
    const [, name, kind = 'files', address] =
      /^([a-z0-9-]{1,32})=(?:(apt|apk|npm|files)\+)?(https?:\/\/.+)$/.exec(text) ?? [];
    const url = address === undefined || !URL.canParse(address) ? undefined : new URL(address);
    if (
      name === undefined ||
      !url ||
      url.search !== '' ||
      url.hash !== '' ||
      url.username !== '' ||
      url.password !== ''
    ) {
      throw new UserError(
        `mirror-also: "${printable(text, 100)}" is nothing to mirror: write NAME=URL, or NAME=KIND+URL with the kind apt, apk, npm or files.`,
        2,
      );
    }
    all.set(name, upstream(name, kind as UpstreamKind, url.href.replace(/\/+$/, '')));
  }
  return [...all.values()];
}

/** One file of an upstream. */
export interface Wanted {
  readonly upstream: Upstream;
  readonly url: URL;
  /** Names it in the store. */
  readonly key: string;
  /** Under this address there will never be other bytes. */
  readonly immutable: boolean;
  /** Said by the address itself. */
  readonly sha256?: string;
  /** Where there are several representations: the one that is asked for. */
  readonly accept?: string;
}

/** What may be asked for of each kind: of sites that serve more than packages only these. */
const served: Readonly<Record<UpstreamKind, RegExp>> = {
  apt: /^\/.+[^/]$/,
  apk: /^\/.+[^/]$/,
  npm: /^\/(?:@[^/]+(?:%2f|\/))?[^/@-][^/]*(?:\/-\/(?:@[^/]+\/)?[^/]+\.tgz|\/[^/-][^/]*)?$/i,
  pypi: /^\/(?:simple\/[^/]+\/?|simple\/|pypi\/[^/]+(?:\/[^/]+)?\/json)$/,
  files: /^\/.+[^/]$/,
  releases: /^\/[^/]+\/[^/]+\/releases\/(?:download\/[^/]+|latest\/download)\/[^/]+$/,
};

const neverChange: Readonly<Record<UpstreamKind, RegExp>> = {
  apt: /\/pool\/.+\.(?:u?deb|ddeb|dsc|tar\.(?:gz|xz|bz2|zst))$|\/by-hash\/SHA(?:256|512)\/[0-9a-f]{64,128}$/,
  apk: /\.apk$/,
  npm: /\/-\/.+\.tgz$/,
  pypi: /(?!)/,
  // Wheels and source archives of PyPI lie under the hash of their bytes.
  files: /^\/packages\/[0-9a-f]{2}\/[0-9a-f]{2}\/[0-9a-f]{60}\//,
  // A release's file can be uploaded anew under its name.
  releases: /(?!)/,
};

/** The registries' own names of the representations that their clients ask for. */
const representations: Partial<Record<UpstreamKind, readonly [asked: RegExp, type: string, other: string]>> = {
  npm: [/vnd\.npm\.install-v1\+json/, 'application/vnd.npm.install-v1+json', 'application/json'],
  pypi: [/vnd\.pypi\.simple\.v1\+json/, 'application/vnd.pypi.simple.v1+json', 'text/html'],
};

const longest = 1024;

/** @param path below the upstream, as it was asked for: percent-encoded, with a slash first. @returns or a sentence why it is not served. */
export function wanted(from: Upstream, path: string, accept: string | undefined): Wanted | string {
  if (path.length > longest) return 'This path is too long.';
  if (!/^\/(?!\/)(?:[A-Za-z0-9._~+@:,=!$&'()*;-]|\/(?!\/)|%[0-9A-Fa-f]{2})*$/.test(path)) {
    return 'This path has characters that no package has.';
  }
  const url = URL.canParse(from.url + path) ? new URL(from.url + path) : undefined;
  // What a URL parser makes shorter leads out of where it should stay ("..", "%2e%2e").
  if (!url || url.href !== from.url + path) return 'This path leads elsewhere.';
  if (!served[from.kind].test(path)) return `Of ${from.name} only packages are served, and their indexes.`;
  const immutable = neverChange[from.kind].test(path);
  const [, sha256] = /\/by-hash\/SHA256\/([0-9a-f]{64})$/.exec(path) ?? [];
  const [asked, type, other] = (!immutable && representations[from.kind]) || [];
  const representation = asked === undefined ? undefined : asked.test(accept ?? '') ? type : other;
  const key = createHash('sha256')
    .update(`${url.href}\n${representation ?? ''}`)
    .digest('hex');
  return {
    ...{ upstream: from, url, key, immutable },
    ...(sha256 !== undefined && from.kind === 'apt' && { sha256 }),
    ...(representation !== undefined && { accept: representation }),
  };
}
