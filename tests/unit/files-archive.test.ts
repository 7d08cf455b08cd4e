/** Archives: what is unpacked, and every way of getting out of the folder or of filling the disk that is refused. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type TarEntry, tar, type ZipEntry, zip } from '../fixture/files/archives.ts';
import { good, refused, unpack } from '../fixture/files/unpacking.ts';

const archives = suite('files archive');
archives(
  'a tar, packed or not, is unpacked; names are stripped, and rights that raise anybody are dropped',
  async () => {
    const bytes = tar(good.slice(1));
    for (const packed of [bytes, gzipSync(bytes)]) {
      const { base, tree } = await unpack(packed, { strip: 1 });
      assert.equal(tree, {
        bin: 'folder',
        'bin/run': 'file',
        'bin/again': 'file',
        lib: 'folder',
        ['long'.repeat(40)]: 'file',
        'lib/link': 'symlink',
      });
      assert.is(fs.readFileSync(join(base, 'lib/link'), 'utf8'), 'run');
      assert.is((fs.statSync(join(base, 'bin/run')).mode & 0o7777).toString(8), '755');
      assert.is(fs.statSync(join(base, 'bin/run')).uid, process.geteuid?.());
    }
  },
);

archives('a zip is unpacked, with permissions where it has them', async () => {
  const { base, tree } = await unpack(
    zip([
      { name: 'a/', mode: 0o040755 },
      { name: 'a/run', mode: 0o106755, body: 'run'.repeat(1000), isPacked: true },
      { name: 'plain', body: 'x' },
      { name: 'a/link', mode: 0o120777, body: '../plain' },
    ]),
  );
  assert.equal(tree, { a: 'folder', 'a/run': 'file', plain: 'file', 'a/link': 'symlink' });
  assert.is(fs.readFileSync(join(base, 'a/run'), 'utf8').length, 3000);
  assert.is((fs.statSync(join(base, 'a/run')).mode & 0o7777).toString(8), '755');
  assert.is((fs.statSync(join(base, 'plain')).mode & 0o7777).toString(8), '644');
  assert.is(fs.readFileSync(join(base, 'a/link'), 'utf8'), 'x');
});

for (const [program, ...args] of [
  ['xz', '-zc'],
  ['zstd', '-qc'],
  ['bzip2', '-zc'],
]) {
  archives(`a tar packed by ${program} is unpacked by the system's own`, async () => {
    const packed = spawnSync(program ?? '', args, { input: tar(good.slice(1)) });
    if (packed.error) return console.log(`skipped: ${program} is not here`);
    assert.is(Object.keys((await unpack(packed.stdout)).tree).length, 7);
    await refused(packed.stdout.subarray(0, packed.stdout.length - 20), /damaged|middle|empty or cut off/);
  });
}

const tarAttacks: Readonly<Record<string, readonly [readonly TarEntry[], RegExp]>> = {
  'an absolute name': [[{ name: '/tmp/hearth-evil', body: 'x' }], /an absolute name/],
  'a name that goes up': [[{ name: 'a/../../evil', body: 'x' }], /leads out of its folder/],
  'a name that goes up and comes back': [[{ name: 'a/../b', body: 'x' }], /leads out of its folder/],
  'only dots': [[{ name: '..', type: '5' }], /leads out of its folder/],
  'a long name that goes up': [[{ name: `${'x'.repeat(120)}/../../../evil`, body: 'x' }], /leads out of its folder/],
  'a character device': [[{ name: 'null', type: '3' }], /no file, folder or link/],
  'a block device': [[{ name: 'sda', type: '4' }], /no file, folder or link/],
  'a pipe': [[{ name: 'pipe', type: '6' }], /no file, folder or link/],
  'an unknown type': [[{ name: 'odd', type: 'Q' }], /a kind that is not known/],
  'an absolute symlink': [[{ name: 'l', type: '2', target: '/etc' }], /leads out of its folder/],
  'a symlink that goes up': [[{ name: 'l', type: '2', target: '..' }], /leads out of its folder/],
  'a symlink that goes up from a folder': [[{ name: 'a/l', type: '2', target: '../../x' }], /leads out of its folder/],
  'a symlink that goes down and up': [[{ name: 'l', type: '2', target: 'a/../../x' }], /leads out of its folder/],
  'an empty symlink': [
    [
      { name: 'a/l', type: '2', target: '././' },
      { name: 'a/l/x', body: 'x' },
    ],
    /below "a\/l"/,
  ],
  'a file through a symlink': [
    [
      { name: 'd/', type: '5' },
      { name: 'l', type: '2', target: 'd' },
      { name: 'l/x', body: 'x' },
    ],
    /"l\/x" below "l", which is no folder/,
  ],
  'a symlink in the place of a folder': [
    [
      { name: 'd/x', body: 'x' },
      { name: 'd', type: '2', target: 'e' },
      { name: 'd/y', body: 'y' },
    ],
    /"d" twice/,
  ],
  'a file over a symlink': [
    [
      { name: 'l', type: '2', target: 'x' },
      { name: 'l', body: 'x' },
    ],
    /"l" twice/,
  ],
  'a chain of symlinks that ends above': [
    [
      { name: 'a/b/top', type: '2', target: '../..' },
      { name: 'a/evil', type: '2', target: 'b/top/../../x' },
    ],
    /leads out of its folder/,
  ],
  'a link to a file outside': [[{ name: 'l', type: '1', target: '/etc/passwd' }], /an absolute name/],
  'a link that goes up': [[{ name: 'l', type: '1', target: '../../etc/passwd' }], /leads out of its folder/],
  'a link to what is not in it': [[{ name: 'l', type: '1', target: 'etc/passwd' }], /no file that came before/],
  'a link to a symlink': [
    [
      { name: 's', type: '2', target: 'x' },
      { name: 'l', type: '1', target: 's' },
    ],
    /no file that came before/,
  ],
  'a link to itself': [[{ name: 'l', type: '1', target: 'l' }], /no file that came before/],
  'the same name twice': [
    [
      { name: 'a', body: '1' },
      { name: './a', body: '2' },
    ],
    /"a" twice/,
  ],
  'names that differ in case': [
    [
      { name: 'Link', type: '2', target: 'd' },
      { name: 'link/x', body: 'x' },
    ],
    /differ only in how they are written/,
  ],
  'names that differ in how an é is written': [
    [
      { name: 'caf\u00e9', body: '1' },
      { name: 'cafe\u0301', body: '2' },
    ],
    /differ only in how they are written/,
  ],
  'a backslash': [[{ name: 'a\\..\\..\\x', body: 'x' }], /characters that are refused|leads out/],
  'a control character': [[{ name: 'a\x1b[2J', body: 'x' }], /characters that are refused/],
  'a file below a file': [
    [
      { name: 'a', body: '1' },
      { name: 'a/b', body: '2' },
    ],
    /below "a", which is no folder/,
  ],
};
for (const [name, [entries, sentence]] of Object.entries(tarAttacks)) {
  archives(`a tar with ${name} is refused`, () => refused(tar(entries), sentence));
}

const zipAttacks: Readonly<Record<string, readonly [readonly ZipEntry[], RegExp]>> = {
  'an absolute name': [[{ name: '/tmp/hearth-evil', body: 'x' }], /absolute/],
  'a name that goes up': [[{ name: '../evil', body: 'x' }], /invalid relative path|leads out/],
  'a backslash': [[{ name: '..\\evil', body: 'x' }], /invalid characters|characters that are refused/],
  'a device': [[{ name: 'null', mode: 0o020666 }], /no file, folder or link/],
  'a pipe': [[{ name: 'p', mode: 0o010666 }], /no file, folder or link/],
  'a socket': [[{ name: 's', mode: 0o140666 }], /no file, folder or link/],
  'an absolute symlink': [[{ name: 'l', mode: 0o120777, body: '/etc' }], /leads out of its folder/],
  'a symlink that goes up': [[{ name: 'a/l', mode: 0o120777, body: '../../x' }], /leads out of its folder/],
  'a symlink with an endless target': [
    [{ name: 'l', mode: 0o120777, body: 'x'.repeat(5000) }],
    /target that is too long/,
  ],
  'a file through a symlink': [
    [
      { name: 'l', mode: 0o120777, body: 'd' },
      { name: 'l/x', body: 'x' },
    ],
    /below "l", which is no folder/,
  ],
  'the same name twice': [
    [
      { name: 'a', body: '1' },
      { name: 'a', body: '2' },
    ],
    /"a" twice/,
  ],
  'names that differ in case': [
    [
      { name: 'a', body: '1' },
      { name: 'A', body: '2' },
    ],
    /differ only in how they are written/,
  ],
  'encrypted content': [[{ name: 'a', body: '1', flags: 1 }], /encrypted/],
  'less in it than it says': [[{ name: 'a', body: 'abc', isPacked: true, size: 99 }], /damaged/],
  'more in it than it says': [[{ name: 'a', body: 'abc'.repeat(99), isPacked: true, size: 2 }], /damaged/],
};
for (const [name, [entries, sentence]] of Object.entries(zipAttacks)) {
  archives(`a zip with ${name} is refused`, () => refused(zip(entries), sentence));
}

archives.run();
