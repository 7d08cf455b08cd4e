/** What a package's lock may say, and how a job may name a package. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readSpec } from '../../broker/jobs/pin.ts';
import { pinnedIn, readPinned, wrongLock } from '../../shared/jobs/npm-lock.ts';

const pin = suite('pin lock');
const integrity = `sha512-${'A'.repeat(86)}==`;
const wanted = { name: '@s/work', version: '1.2.3', integrity };
const own = { version: '1.2.3', integrity };
const lockOf = (packages: object, lockfileVersion: unknown = 3): string =>
  JSON.stringify({ lockfileVersion, packages: { '': {}, 'node_modules/@s/work': own, ...packages } });

pin('a lock of registry packages is taken, with nested, optional and bundled ones', () => {
  const nested = { version: '1.0.0', integrity, resolved: 'https://r.example/x.tgz', optional: true, os: ['linux'] };
  const lock = lockOf({
    'node_modules/a': { version: '1.0.0', integrity },
    'node_modules/a/node_modules/@b/c': nested,
    'node_modules/a/node_modules/d': { version: '1.0.0', inBundle: true },
  });
  assert.is(wrongLock(lock, wanted), undefined);
  assert.equal(pinnedIn(lock, '@s/work'), wanted);
  assert.is(pinnedIn(lock, 'a/node_modules/d'), undefined);
});

pin('a lock of anything else is refused', () => {
  const refused: readonly (readonly [string, RegExp])[] = [
    ['x', /is no JSON/],
    ['[]', /none of npm 7/],
    [lockOf({}, 1), /none of npm 7/],
    [lockOf({ 'node_modules/@s/work': { ...own, version: '1.2.4' } }), /has 1.2.4 instead of 1.2.3/],
    [lockOf({ 'node_modules/@s/work': { ...own, integrity: 'sha512-B' } }), /another hash than the job/],
    [JSON.stringify({ lockfileVersion: 3, packages: {} }), /has nothing instead of/],
    [lockOf({ 'node_modules/x': { version: '1.0.0' } }), /names no hash of "node_modules\/x"/],
    [lockOf({ 'node_modules/x': { integrity, resolved: 'git+ssh://h/x.git#abc' } }), /names no hash of/],
    [lockOf({ 'node_modules/x': { integrity, resolved: 'file:../x' } }), /names no hash of/],
    [lockOf({ 'node_modules/x': { link: true, inBundle: true } }), /has a link at/],
    [lockOf({ '../x': { version: '1.0.0', integrity } }), /puts something at "..\/x"/],
    [lockOf({ 'node_modules/../x': { version: '1.0.0', integrity } }), /puts something at/],
    [lockOf({ 'node_modules/.bin': { version: '1.0.0', integrity } }), /puts something at/],
    [lockOf({ 'sub/folder': { version: '1.0.0', integrity } }), /puts something at/],
  ];
  for (const [lock, sentence] of refused) assert.match(wrongLock(lock, wanted) ?? 'taken', sentence, lock);
});

pin('a pinned name has one whole version', () => {
  assert.equal(readPinned('npm:@s/work@1.2.3-rc.1'), { name: '@s/work', version: '1.2.3-rc.1' });
  for (const text of [
    'npm:work',
    'npm:work@^1.2.3',
    'npm:work@1',
    'work@1.2.3',
    'npm:work@latest',
    'npm:a/b/c@1.2.3',
  ]) {
    assert.is(readPinned(text), undefined, text);
  }
});

pin('what npm might take for a path, an option or an address names no package', () => {
  assert.equal(readSpec('npm:sharp@0.33'), { name: 'sharp', range: '0.33' });
  assert.equal(readSpec('npm:@a/b'), { name: '@a/b', range: 'latest' });
  assert.equal(readSpec('npm:a@>=1.0.0 <2 || ^3'), { name: 'a', range: '>=1.0.0 <2 || ^3' });
  for (const spec of [
    ...[
      'npm:-g',
      'npm:--prefix',
      'npm:@-a/b',
      'npm:.',
      'npm:..',
      'npm:a@.',
      'npm:a@..',
      'npm:a@./b',
      'npm:a@1..',
      'npm:a@x.tgz',
    ],
    ...[
      'npm:a@ 1',
      'npm:a@-1',
      'npm:a@file:x',
      'npm:a@git+ssh://x',
      'npm:a@npm:b',
      'npm:a/b',
      'npm:~/a',
      'a@1',
      'npm:a@',
      'npm:a@x.TAR',
    ],
  ]) {
    assert.is(readSpec(spec), undefined, spec);
  }
});

pin.run();
