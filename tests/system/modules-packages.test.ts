/** Packages: pinned by the supervisor, installed once by the node, run like plugins, thrown out when there is no room. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openArtifactStore } from '../../broker/artifacts/file-store.ts';
import { createPinning } from '../../broker/jobs/pin.ts';
import { silentLog } from '../../shared/log.ts';
import type { Recipe } from '../../shared/schemas/work.ts';
import { ModuleRegistry } from '../fixture/module-registry.ts';
import { ModulesRig } from '../fixture/modules-rig.ts';
import { folder, until } from '../fixture/processes.ts';
import { tarball } from '../fixture/tarball.ts';

const packages = suite('modules packages');
const registry = new ModuleRegistry();
const place = folder('hearth-pin-store-');
const store = await openArtifactStore({ folder: place, log: silentLog });
await registry.start();
const environment = registry.environment();
const pin = createPinning({ store, environment: { PATH: process.env.PATH, ...environment } });
const rig = new ModulesRig({ environment });

packages.before(async () => {
  await registry.add('dep', '1.0.0', { files: { 'index.js': 'module.exports = "dep 1.0"' } });
  await registry.add('dep', '1.1.0', { files: { 'index.js': 'module.exports = "dep 1.1"' } });
  const json = { type: 'module', exports: { '.': './main.js' }, dependencies: { dep: '^1.0.0' } };
  const main = 'import dep from "dep"; export default data => data + " of " + dep';
  await registry.add('@some/work', '2.0.0', {
    json,
    files: { 'main.js': main, 'other.js': 'export default () => "other"' },
  });
  await registry.add('@some/work', '2.1.0', {
    json,
    files: { 'main.js': main, 'other.js': 'export default () => "other"' },
  });
  await registry.add('loud', '1.0.0', {
    json: { scripts: { install: 'echo ran > ran' }, hasInstallScript: true },
    files: { 'index.js': 'module.exports = () => require("node:fs").existsSync(__dirname + "/ran")' },
  });
});
packages.after(async () => {
  await rig.end();
  await registry.end().catch(() => {});
  await store.close();
});

/** What a job that names it becomes. */
async function pinned(spec: string, on = rig): Promise<Partial<Recipe>> {
  const found = await pin(spec);
  if (!found.ok) throw new Error(found.error.message);
  if (found.value.lock) on.artifact(join(place, found.value.lock.slice('artifact:'.length)));
  return found.value;
}

packages('is pinned to a version with all that it depends on, and stays that', async () => {
  const about = await pinned('npm:@some/work@^2.0.0');
  assert.is(about.package, 'npm:@some/work@2.1.0');
  assert.match(about.integrity ?? '', /^sha512-/);
  const lock = JSON.parse(readFileSync(join(place, (about.lock ?? '').slice(9)), 'utf8'));
  assert.equal(Object.keys(lock.packages), ['', 'node_modules/@some/work', 'node_modules/dep']);
  await registry.add('dep', '1.9.0', { files: { 'index.js': 'module.exports = "dep 1.9"' } });
  assert.equal(await rig.one(about, 'seven'), { value: 'seven of dep 1.1' });
});

packages('is fetched once; after that no network is needed, nor by the next executor', async () => {
  const about = await pinned('npm:@some/work@2.1.0');
  assert.equal(await rig.one(about, 0), { value: '0 of dep 1.9' });
  const before = registry.asked.length;
  assert.equal(await rig.one(about, 1), { value: '1 of dep 1.9' });
  assert.equal(await rig.one({ ...about, main: 'other.js' }), { value: 'other' });
  const next = new ModulesRig({ data: rig.data, environment: { ...environment, PATH: '/nowhere' } });
  assert.equal(await next.one(about, 2), { value: '2 of dep 1.9' });
  await next.end();
  assert.is(registry.asked.length, before);
});

packages('what npm does with a version that is not there, or a name', async () => {
  for (const [spec, sentence] of [
    ['npm:nothing-here', /the npm registry knows no such package/],
    ['npm:dep@^7', /no such version/],
    ['npm:dep@..', /names no package and version/],
    ['npm:dep@x.tgz', /names no package and version/],
    ['npm:-g@1.0.0', /names no package and version/],
    [`artifact:${'0'.repeat(64)}`, /there is no such artifact/],
  ] as const) {
    const found = await pin(spec);
    assert.not.ok(found.ok, spec);
    if (!found.ok) assert.match(found.error.message, sentence, spec);
  }
});

packages('what depends on something without a hash is refused, and no git is started', async () => {
  const ran = join(place, '..', 'git-ran');
  await registry.add('gits', '1.0.0', { json: { dependencies: { x: `git+file://${ran}` } }, files: {} });
  const found = await pin('npm:gits');
  assert.not.ok(found.ok);
  assert.not.ok(existsSync(ran));
});

packages('install scripts run where job and node want them, and nowhere else', async () => {
  const about = await pinned('npm:loud');
  assert.equal(await rig.one(about), { value: false });
  assert.is((await rig.one({ ...about, scripts: true })).why, 'denied');
  rig.configure({ scripts: true });
  assert.equal(await rig.one({ ...about, scripts: true }), { value: true });
  assert.equal(await rig.one(about), { value: false });
  rig.configure({ scripts: false });
});

packages('bytes that are not those that were pinned are not installed', async () => {
  await registry.add('swapped', '1.0.0', { files: { 'index.js': 'module.exports = () => 1' } });
  const about = await pinned('npm:swapped@1.0.0');
  await registry.add('swapped', '1.0.0', { files: { 'index.js': 'module.exports = () => "evil"' } });
  const fresh = new ModulesRig({ environment: registry.environment() });
  fresh.artifact(join(place, (about.lock ?? '').slice(9)));
  const end = await fresh.one(about);
  assert.is(end.why, 'setup');
  assert.match(end.err ?? '', /integrity/i);
  // A lock that is not the job's.
  const other = await pinned('npm:dep@1.0.0', fresh);
  assert.match(
    (await fresh.one({ ...other, integrity: 'sha512-x' })).err ?? '',
    /its lock has another hash than the job/,
  );
  assert.match((await fresh.one({ ...other, package: 'npm:dep@1.0.1' })).err ?? '', /instead of 1.0.1/);
  assert.match((await fresh.one({ package: 'npm:dep@1.0.0' })).err ?? '', /is not pinned/);
  await fresh.end();
});

packages('without npm, or without a lock, a sentence says so', async () => {
  const about = await pinned('npm:dep@1.1.0');
  const poor = new ModulesRig({ environment: { PATH: folder('hearth-empty-') } });
  assert.match((await poor.one(about)).err ?? '', /its lock cannot be fetched/);
  poor.artifact(join(place, (about.lock ?? '').slice(9)));
  // npm beside this Node counts as on the PATH: only a Node that has none is without.
  if (!existsSync(join(process.execPath, '../npm')))
    assert.match((await poor.one(about)).err ?? '', /there is no npm on this node/);
  await poor.end();
});

packages('artifacts: an archive as npm pack makes it, or one module; what leads out is refused', async () => {
  const archive = await tarball([
    { path: 'package/package.json', body: Buffer.from('{"name":"a","type":"module","exports":"./m.js"}') },
    { path: 'package/m.js', body: Buffer.from('export default data => ["packed", data]') },
    { path: 'package/other.mjs', body: Buffer.from('export default () => "other"') },
  ]);
  const about = { package: rig.artifact(archive) };
  assert.equal(await rig.one(about, 1), { value: ['packed', 1] });
  assert.equal(await rig.one({ ...about, main: 'other.mjs' }), { value: 'other' });
  assert.match((await rig.one({ ...about, main: 'none.mjs' })).err ?? '', /has no file "none.mjs"/);
  assert.match(
    (await rig.one({ ...about, main: '../../entry.mjs/../../../x' })).err ?? '',
    /no file|is not in the package/,
  );
  const evil = await tarball([{ path: 'package/l', type: 'SymbolicLink', link: '../../../../../etc/passwd' }]);
  assert.match(
    (await rig.one({ package: rig.artifact(evil) })).err ?? '',
    /cannot be unpacked: .*leads out of its folder/,
  );
});

packages('the one used longest ago goes where there are too many; what runs stays', async () => {
  const small = new ModulesRig({ shelf: { bytes: 1e9, count: 2 }, warmMs: 60_000 });
  const about = [0, 1, 2, 3].map(n => {
    const file = join(small.data, `${n}.mjs`);
    writeFileSync(file, `export default () => ${n}`);
    return { package: small.artifact(file) };
  });
  const shelf = join(small.data, 'work/modules/shelf');
  const there = () => readdirSync(shelf).filter(name => name.startsWith('artifact-')).length;
  const lane = small.lane(about[0] ?? {});
  await lane.all([1]);
  for (const each of about.slice(1)) {
    await small.one(each);
    small.runners.package.rest();
  }
  // The first one's process still runs.
  assert.equal((await lane.all([1]))[0]?.end, { value: 0 });
  assert.ok(readdirSync(shelf).includes(`artifact-${about[0]?.package.slice(9)}`));
  lane.close();
  await until('as many are left as may be', () => there() === 2);
  await small.end();
});

packages('what was half installed when the executor was killed is not used', async () => {
  const data = folder('hearth-modules-');
  const shelf = join(data, 'work/modules/shelf');
  mkdirSync(join(shelf, 'new-1'), { recursive: true });
  mkdirSync(join(shelf, 'artifact-torn'), { recursive: true });
  writeFileSync(join(shelf, 'artifact-torn/entry.mjs'), 'export default () => "torn"');
  const again = new ModulesRig({ data });
  assert.equal(readdirSync(shelf), []);
  await again.end();
});

packages('the real registry: a small package', async () => {
  const real = createPinning({ store });
  const found = await real('npm:is-odd@^3.0.0');
  if (!found.ok && /ENOTFOUND|EAI_AGAIN|ECONN|took more|network/.test(found.error.message)) {
    console.log(`skipped: no way to the npm registry: ${found.error.message}`);
    return;
  }
  assert.ok(found.ok, JSON.stringify(found));
  if (!found.ok) return;
  assert.is(found.value.package, 'npm:is-odd@3.0.1');
  const node = new ModulesRig();
  node.artifact(join(place, (found.value.lock ?? '').slice(9)));
  assert.equal(await node.one(found.value, 3), { value: true });
  await node.end();
});

packages.run();
