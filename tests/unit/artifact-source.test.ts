/** What a source is, where redirects lead, what is said of them, and what of the agent's cache goes for room: the pure parts. */
import * as assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite as describe } from 'uvu';
import { statusError } from '../../node-agent/artifacts/asking.ts';
import { readHead } from '../../node-agent/artifacts/download.ts';
import type { FetchError } from '../../node-agent/artifacts/fetch-error.ts';
import { networkError } from '../../node-agent/artifacts/fetch-error.ts';
import { type Kept, roomFor } from '../../node-agent/artifacts/room.ts';
import { meantBy, redirected, type WebPlace } from '../../node-agent/artifacts/source.ts';

const suite = describe('artifact sources');
const sha = 'ab'.repeat(32);
const web = (url: string) => meantBy({ url }).place as WebPlace;
const refuses = (doing: () => unknown, text: RegExp): void =>
  assert.throws(doing, (error: FetchError) => {
    assert.match(error.message, text);
    assert.equal(error.later, false);
    return true;
  });

suite('sources are told apart, and what may be a secret is in no name', () => {
  assert.deepEqual(meantBy({ url: `artifact:${sha}` }), {
    ...{ place: { kind: 'artifact', sha256: sha }, name: `artifact ${sha}`, sha256: sha },
  });
  assert.deepEqual(meantBy({ url: 'file:///a%20b/c', sha256: sha }).place, { kind: 'file', path: '/a b/c' });
  const meant = meantBy({ url: 'https://ann:s3cret@example.org/a.tgz?token=abc', sha256: sha });
  assert.equal(meant.name, 'https://example.org/a.tgz?…');
  assert.equal((meant.place as WebPlace).auth, 'ann:s3cret');
  assert.ok(!String((meant.place as WebPlace).url).includes('s3cret'));
});

suite('what is no source is refused for good', () => {
  refuses(() => meantBy({ url: `artifact:${sha}`, sha256: 'cd'.repeat(32) }), /its name/);
  refuses(() => meantBy({ url: 'http://x/', sha256: 'abc' }), /no SHA-256/);
  refuses(() => meantBy({ url: 'nonsense' }), /no URL/);
  refuses(() => meantBy({ url: 'ftp://x/y' }), /not fetched/);
  refuses(() => meantBy({ url: 'file://other/etc/passwd' }), /another machine/);
  refuses(() => meantBy({ url: 'file:///a%00b' }), /NUL/);
  refuses(() => meantBy({ url: 'http://a%ZZ:b@x/' }), /%25/);
  for (const url of ['nonsense with s3cret', 'http://u:s3cret@x:99999/', 'https://u:s3cret%ZZ@x/']) {
    assert.throws(
      () => meantBy({ url }),
      (error: Error) => !error.message.includes('s3cret'),
    );
  }
});

suite('a redirect never leads from https to http, elsewhere with a password, or on without an end', () => {
  const from = web('https://ann:s3cret@a.example/x');
  assert.equal(redirected(from, '/y', 0).url.href, 'https://a.example/y');
  assert.equal(redirected(from, '/y', 0).auth, 'ann:s3cret');
  assert.equal(redirected(from, 'https://b.example/', 0).auth, undefined);
  assert.equal(redirected(from, 'https://eve:pw@b.example/', 0).auth, undefined);
  assert.equal(redirected(web('http://a/'), 'https://a/', 0).url.protocol, 'https:');
  refuses(() => redirected(from, 'http://a.example/x', 0), /from https to http/);
  refuses(() => redirected(from, 'file:///etc/passwd', 0), /not fetched/);
  refuses(() => redirected(from, undefined, 0), /does not say where/);
  refuses(() => redirected(from, 'http://[', 0), /none/);
  assert.ok(redirected(from, '/y', 4));
  refuses(() => redirected(from, '/y', 5), /without an end/);
});

suite('what passes by itself is worth another try, and nothing else is', () => {
  for (const status of [408, 425, 429, 500, 502, 503, 504])
    assert.equal(statusError(status, 'x').later, true, `${status}`);
  for (const status of [400, 401, 403, 404, 410, 304, 204])
    assert.equal(statusError(status, 'x').later, false, `${status}`);
  const of = (code: string) => networkError(Object.assign(new Error('80AB:error'), { code }), 'x', false);
  for (const code of [
    'ENOTFOUND',
    'EAI_AGAIN',
    'ECONNREFUSED',
    'ECONNRESET',
    'ETIMEDOUT',
    'CERT_NOT_YET_VALID',
    'EWHATEVER',
  ])
    assert.equal(of(code).later, true, code);
  for (const code of ['SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'ERR_TLS_CERT_ALTNAME_INVALID'])
    assert.equal(of(code).later, false, code);
  assert.ok(!of('EPROTO').message.includes('80AB'));
});

suite('a range counts only where it goes on from what is here to the end', () => {
  const head = (statusCode: number, headers: Record<string, string>, from: number) =>
    readHead({ statusCode, headers }, from);
  assert.deepEqual(head(206, { 'content-range': 'bytes 5-9/10' }, 5), { kind: 'body', from: 5, size: 10 });
  for (const range of ['bytes 4-9/10', 'bytes 5-8/10', 'bytes 5-9/*', '5-9/10', '']) {
    assert.deepEqual(head(206, { 'content-range': range }, 5), { kind: 'other' }, range);
  }
  assert.deepEqual(head(200, { 'content-length': '10' }, 5), { kind: 'body', from: 0, size: 10 });
  assert.deepEqual(head(200, {}, 0), { kind: 'body', from: 0, size: undefined });
  assert.deepEqual(head(416, { 'content-range': 'bytes */10' }, 10), { kind: 'beyond', size: 10 });
});

suite('what goes for room is what was used longest ago, never what is held, and no more than needed', () => {
  const kept = (name: string, bytes: number, usedAt: number, held = false): Kept => ({ name, bytes, usedAt, held });
  const wide = { most: 100, free: 1000, keepFree: 10, coming: 0, arrived: 0 };
  const three = [kept('a', 40, 3), kept('b', 30, 1), kept('c', 30, 2)];
  assert.deepEqual(roomFor(three, wide), []);
  assert.deepEqual(roomFor(three, { ...wide, coming: 20 }), ['b']);
  assert.deepEqual(roomFor([kept('a', 40, 3), kept('b', 30, 1, true), kept('c', 30, 2)], { ...wide, coming: 20 }), [
    'c',
  ]);
  // The disk is nearly full: of 50 that come 20 are there already.
  assert.deepEqual(roomFor(three, { ...wide, most: 1000, free: 15, coming: 50, arrived: 20 }), ['b']);
  assert.equal(roomFor(three, { ...wide, coming: 101 }), undefined);
  const arbitrary = fc.array(fc.record({ bytes: fc.nat(50), usedAt: fc.nat(20), held: fc.boolean() }), {
    maxLength: 12,
  });
  fc.assert(
    fc.property(arbitrary, fc.nat(200), fc.nat(200), fc.nat(100), (list, most, free, coming) => {
      const all = list.map((one, index) => ({ ...one, name: String(index) }));
      const out = roomFor(all, { most, free, keepFree: 20, coming, arrived: 0 });
      const held = all.filter(one => one.held).reduce((sum, { bytes }) => sum + bytes, 0);
      const total = all.reduce((sum, { bytes }) => sum + bytes, 0);
      const fits = (gone: number) => total - gone + coming <= most && free + gone - coming >= 20;
      if (out === undefined) return !fits(total - held);
      const gone = all.filter(({ name }) => out.includes(name));
      const freed = gone.reduce((sum, { bytes }) => sum + bytes, 0);
      const youngest = Math.max(...gone.map(({ usedAt }) => usedAt));
      const older = all.filter(one => !one.held && one.bytes > 0 && one.usedAt < youngest);
      const last = all.find(({ name }) => name === out.at(-1))?.bytes ?? 0;
      return (
        fits(freed) &&
        gone.every(one => !one.held) &&
        older.every(({ name }) => out.includes(name)) &&
        (gone.length === 0 || !fits(freed - last))
      );
    }),
  );
});

suite.run();
