/** What the mirror serves, to whom, when it asks again, and what it makes of links: the pure parts. */
import * as assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { suite as describe } from 'uvu';
import { isPrivate, refusedMirror } from '../../broker/mirror/access.ts';
import { redirected } from '../../broker/mirror/asking.ts';
import { indexMs, isFresh, isKnown } from '../../broker/mirror/freshness.ts';
import { rewriting } from '../../broker/mirror/rewrite.ts';
import { isSigned, readUpstreams, type Upstream, usualUpstreams, wanted } from '../../broker/mirror/upstreams.ts';

const suite = describe('mirror rules');
const of = (name: string): Upstream => {
  const found = usualUpstreams.find(one => one.name === name);
  assert.ok(found, name);
  return found;
};
const want = (name: string, path: string, accept?: string) => {
  const found = wanted(of(name), path, accept);
  assert.ok(typeof found !== 'string', `${path}: ${found}`);
  return found;
};
const no = (name: string, path: string) => assert.equal(typeof wanted(of(name), path, undefined), 'string', path);
const hex = 'ab'.repeat(32);

suite('what never changes is told from what does', () => {
  const deb = want('debian', '/pool/main/g/g%2b%2b/g++_4%3a12.2.0-3_amd64.deb');
  assert.ok(deb.immutable);
  assert.equal(deb.url.href, 'https://deb.debian.org/debian/pool/main/g/g%2b%2b/g++_4%3a12.2.0-3_amd64.deb');
  const byHash = want('debian', `/dists/bookworm/main/binary-amd64/by-hash/SHA256/${hex}`);
  assert.deepEqual([byHash.immutable, byHash.sha256], [true, hex]);
  for (const path of ['/dists/bookworm/InRelease', '/dists/bookworm/main/binary-amd64/Packages.xz', '/pool/x.html']) {
    assert.equal(want('debian', path).immutable, false, path);
  }
  assert.ok(want('alpine', '/v3.20/main/x86_64/zlib-1.3.1-r1.apk').immutable);
  assert.ok(!want('alpine', '/v3.20/main/x86_64/APKINDEX.tar.gz').immutable);
  assert.ok(want('npm', '/@fastify/cors/-/cors-9.0.1.tgz').immutable);
  assert.ok(want('pypi-files', `/packages/ab/cd/${'e'.repeat(60)}/x-1.0-py3-none-any.whl`).immutable);
  assert.ok(!want('github', '/nodejs/node/releases/download/v20/x.tar.gz').immutable);
});

suite('indexes come as their clients ask for them, and each is kept by itself', () => {
  const short = want(
    'npm',
    '/@fastify%2fcors',
    'application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*',
  );
  const full = want('npm', '/@fastify%2fcors', 'application/json');
  assert.equal(short.accept, 'application/vnd.npm.install-v1+json');
  assert.equal(full.accept, 'application/json');
  assert.notEqual(short.key, full.key);
  assert.equal(want('npm', '/x/-/x-1.0.0.tgz', 'application/json').key, want('npm', '/x/-/x-1.0.0.tgz').key);
  assert.equal(want('pypi', '/simple/zlib/', 'text/html').accept, 'text/html');
});

suite('nothing else is served of anybody, however it is written', () => {
  for (const path of [
    '',
    '/',
    '/../etc',
    '/a/../../b',
    '/a/%2e%2e/b',
    '/a//b',
    '//evil.example/x',
    '/a b',
    '/a\\b',
    '/a?b',
    '/a#b',
    '/%',
    '/%zz',
    `/${'x'.repeat(1100)}`,
    '/a/./b',
    '/dists/',
  ]) {
    no('debian', path);
  }
  for (const path of ['/-/whoami', '/-/v1/search', '/-/npm/v1/security/audits', '/x/-/../y.tgz', '/@a'])
    no('npm', path);
  for (const path of ['/login', '/account/', '/simple/a/b']) no('pypi', path);
  for (const path of ['/torvalds', '/a/b/archive/x.tgz', '/a/b/releases/download/v1/x/y', '/login?return_to=x'])
    no('github', path);
  fc.assert(
    fc.property(
      fc.constantFrom(...usualUpstreams),
      fc.string({ unit: fc.constantFrom('/', '.', '..', '%2e', '%2f', 'a', ':', '@', '\\', '?', '#', '-') }),
      (one, path) => {
        const found = wanted(one, `/${path}`, undefined);
        return typeof found === 'string' || found.url.href.startsWith(`${one.url}/`);
      },
    ),
    { numRuns: 2000 },
  );
});

suite('more can be mirrored, and what is wrong is named', () => {
  const all = readUpstreams(
    ' docker=apt+https://download.docker.com/linux/debian/  npm=npm+http://10.0.0.1:4873 x=https://a.example/b ',
  );
  const named = (name: string) => all.find(one => one.name === name);
  assert.equal(named('docker')?.url, 'https://download.docker.com/linux/debian');
  assert.ok(isSigned(named('docker') ?? of('npm')));
  assert.equal(named('npm')?.url, 'http://10.0.0.1:4873');
  assert.deepEqual(named('npm')?.links, [{ url: 'http://10.0.0.1:4873', name: 'npm' }]);
  assert.equal(named('x')?.kind, 'files');
  assert.equal(readUpstreams(undefined).length, usualUpstreams.length);
  for (const bad of [
    'x',
    'x=ftp://a/b',
    'X=https://a/',
    'x=zip+https://a/',
    'x=https://u:p@a/',
    'x=https://a/?q',
    'x=https://a b',
  ]) {
    assert.throws(() => readUpstreams(bad), /mirror-also: ".*" is nothing to mirror/, bad);
  }
});

suite('redirects stay with those who belong to the upstream', () => {
  const from = new URL('https://github.com/a/b/releases/download/v1/x');
  const asset = 'https://release-assets.githubusercontent.com/x?sig=1';
  assert.equal(redirected(from, asset, of('github')).href, asset);
  assert.equal(redirected(from, '/y', of('github')).href, 'https://github.com/y');
  for (const to of [
    'http://github.com/x',
    'https://evil.example/',
    'http://169.254.169.254/',
    'file:///etc/passwd',
    'https://u@github.com/',
    undefined,
    'http://[',
  ])
    assert.throws(() => redirected(from, to, of('github')), /not one of its own/, String(to));
  assert.throws(() => redirected(new URL('http://ports.ubuntu.com/x'), 'http://127.0.0.1:22581/', of('ubuntu-ports')));
});

suite('without TLS private addresses have what is signed; with it, who is known has all', () => {
  const at = (address: string, more: object = {}) => ({ loopback: false, secure: false, address, ...more });
  assert.equal(refusedMirror(at('192.168.1.9'), of('debian')), undefined);
  assert.equal(refusedMirror(at('fd00::9'), of('alpine')), undefined);
  assert.equal(refusedMirror(at('192.168.1.9'), of('npm'))?.status, 403);
  assert.equal(refusedMirror(at('192.168.1.9'), of('pypi-files'))?.status, 403);
  assert.equal(refusedMirror(at('203.0.113.9'), of('debian'))?.status, 403);
  assert.equal(refusedMirror(at('2001:db8::9'), of('debian'))?.status, 403);
  assert.equal(refusedMirror(at('203.0.113.9', { secure: true, role: 'node' }), of('npm')), undefined);
  assert.equal(refusedMirror(at('192.168.1.9', { secure: true }), of('debian'))?.status, 401);
  assert.equal(refusedMirror(at('192.168.1.9', { secure: true, role: 'integration' }), of('npm'))?.status, 401);
  assert.equal(refusedMirror(at('127.0.0.1', { loopback: true }), of('npm')), undefined);
  for (const address of ['10.1.2.3', '172.31.0.1', '169.254.1.1', 'fe80::1']) assert.ok(isPrivate(address), address);
  for (const address of ['172.32.0.1', '11.0.0.1', '192.169.0.1', '::', '100.64.0.1', ''])
    assert.ok(!isPrivate(address), address);
});

suite('an index is asked about again, what never changes is not, and a clock that went back makes nothing fresh', () => {
  const index = { immutable: false };
  assert.ok(isFresh(index, { fetchedMs: 1000 }, 1000 + indexMs - 1));
  assert.ok(!isFresh(index, { fetchedMs: 1000 }, 1000 + indexMs));
  assert.ok(!isFresh(index, { fetchedMs: 1000 }, 999));
  assert.ok(isFresh({ immutable: true }, { fetchedMs: 1000 }, 1e15));
});

suite('who has it already is told so', () => {
  const meta = { etag: '"a"', lastModified: 'Sat, 21 Nov 2026 10:00:00 GMT' };
  assert.ok(isKnown({ ifNoneMatch: '"b", W/"a"' }, meta));
  assert.ok(!isKnown({ ifNoneMatch: '"b"', ifModifiedSince: meta.lastModified }, meta));
  assert.ok(isKnown({ ifModifiedSince: meta.lastModified }, meta));
  assert.ok(!isKnown({ ifModifiedSince: 'Sat, 21 Nov 2026 09:59:59 GMT' }, meta));
  assert.ok(!isKnown({ ifModifiedSince: 'nonsense' }, meta));
  assert.ok(!isKnown({}, meta));
});

suite('links lead to the mirror, wherever the text is cut on its way', async () => {
  const links = [
    { url: 'https://registry.npmjs.org', to: 'https://sup:22581/mirror/npm' },
    { url: 'https://files.example', to: 'https://sup:22581/mirror/files' },
  ];
  const turn = (pieces: readonly string[]) =>
    text(Readable.from(pieces.map(one => Buffer.from(one))).pipe(rewriting(links)));
  const whole =
    '{"a":"https://registry.npmjs.org/x/-/x-1.tgz","b":"https://registry.npmjs.orgs/","c":"https://files.example/y"}';
  const right = await turn([whole]);
  assert.equal(
    right,
    '{"a":"https://sup:22581/mirror/npm/x/-/x-1.tgz","b":"https://registry.npmjs.orgs/","c":"https://sup:22581/mirror/files/y"}',
  );
  for (let size = 1; size < 40; size++) {
    assert.equal(await turn(whole.match(new RegExp(`.{1,${size}}`, 'g')) ?? []), right, `${size}`);
  }
  assert.equal(await turn([]), '');
});

suite.run();
