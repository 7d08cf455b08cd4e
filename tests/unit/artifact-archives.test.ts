/** What is packed for machines that join, and what is taken out of the registry's packages. */
import * as assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { list } from 'tar';
import { suite as describe } from 'uvu';
import { packUp, takeOut } from '../../broker/artifacts/archive.ts';
import { rareLibraries } from '../../broker/artifacts/needed-libraries.ts';
import { folder } from '../fixture/processes.ts';
import { tarball } from '../fixture/tarball.ts';
import { tinyProgram } from '../fixture/tiny-program.ts';

const suite = describe('archives of artifacts');

suite('libraries that a program asks for are read from it; what is no program has none', async () => {
  const file = join(folder(), 'file');
  writeFileSync(file, '#!/bin/sh\n');
  assert.equal(await rareLibraries(file), undefined);
  writeFileSync(file, Buffer.from('\x7fELF\x02\x01', 'latin1'));
  assert.equal(await rareLibraries(file), undefined);
  // Everything after the first bytes is nonsense.
  writeFileSync(file, Buffer.concat([Buffer.from('\x7fELF\x02\x01', 'latin1'), Buffer.alloc(4096, 0xff)]));
  assert.equal(await rareLibraries(file), undefined);
  if (process.platform === 'linux') assert.ok(Array.isArray(await rareLibraries(process.execPath)));
  writeFileSync(file, tinyProgram(['libc.so.6', 'libatomic.so.1']));
  assert.deepEqual(await rareLibraries(file), ['libatomic.so.1']);
});

suite('only what is wanted comes out of an archive: no link, nothing above its bound, nothing outside', async () => {
  const place = folder();
  const target = join(place, 'inside');
  const file = await tarball([
    { path: 'package/bin/node', body: Buffer.from('node') },
    { path: 'package/LICENSE', body: Buffer.alloc(2000) },
    { path: 'package/README.md', body: Buffer.from('no') },
    { path: 'package/link', type: 'SymbolicLink', link: '/etc/passwd' },
    { path: '../outside', body: Buffer.from('no') },
    { path: 'package/../../outside', body: Buffer.from('no') },
    { path: '/tmp/outside-hearth', body: Buffer.from('no') },
  ]);
  const wanted = new Map([
    ['package/bin/node', 100],
    ['package/LICENSE', 1999],
    ['package/link', 100],
    ['../outside', 100],
    ['package/../../outside', 100],
  ]);
  await takeOut(file, target, wanted);
  assert.deepEqual(readdirSync(place), ['inside']);
  assert.deepEqual(readdirSync(target, { recursive: true }).sort(), ['bin', 'bin/node', 'outside']);
  assert.ok(!existsSync('/tmp/outside-hearth'));
  // A link that comes first is not written through.
  const through = await tarball([
    { path: 'package/bin', type: 'SymbolicLink', link: place },
    { path: 'package/bin/node', body: Buffer.from('node') },
  ]);
  const other = join(folder(), 'other');
  await takeOut(
    through,
    other,
    new Map([
      ['package/bin', 100],
      ['package/bin/node', 100],
    ]),
  );
  assert.deepEqual(readdirSync(place), ['inside']);
});

suite('a bomb ends the unpacking', async () => {
  const zeros = Buffer.alloc(1024 * 1024);
  const file = await tarball(Array.from({ length: 17 }, (_, n) => ({ path: `package/${n}`, body: zeros })));
  assert.ok(statSync(file).size < 100_000);
  await assert.rejects(takeOut(file, folder(), new Map(), 16 * 1024 * 1024), /more than \d+ bytes unpacked/);
});

suite('what is no archive is an error, not a hang', async () => {
  const file = join(folder(), 'junk');
  writeFileSync(file, 'junk');
  await assert.rejects(takeOut(file, folder(), new Map()));
});

suite('the same files make the same archive, whoever packs them and when', async () => {
  const hashes: string[] = [];
  for (const [umask, atS] of [
    [0o077, 1000],
    [0o022, 2000],
  ] as const) {
    const place = folder();
    mkdirSync(join(place, 'files/bin'), { recursive: true });
    for (const name of umask === 0o022 ? ['bin/node', 'a'] : ['a', 'bin/node']) {
      writeFileSync(join(place, 'files', name), name, { mode: 0o755 });
      await utimes(join(place, 'files', name), atS, atS);
    }
    const { sha256, size } = await packUp(join(place, 'files'), join(place, 'out'));
    assert.equal(
      createHash('sha256')
        .update(readFileSync(join(place, 'out')))
        .digest('hex'),
      sha256,
    );
    assert.equal(statSync(join(place, 'out')).size, size);
    hashes.push(sha256);
    const names: string[] = [];
    list({ file: join(place, 'out'), sync: true, onReadEntry: entry => void names.push(entry.path) });
    assert.deepEqual(names, ['a', 'bin/node']);
  }
  assert.equal(hashes[0], hashes[1]);
});

suite.run();
