/** Plugins: found, run in warm workers, and harming only themselves. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { listProcesses } from '../../node-agent/reconcile/services/processes.ts';
import { ModulesRig } from '../fixture/modules-rig.ts';
import { until } from '../fixture/processes.ts';
import { tarball } from '../fixture/tarball.ts';

const plugins = suite('modules plugins');
const rig = new ModulesRig();
plugins.after(() => rig.end());
const isThere = (pid: number): boolean => listProcesses().some(each => each.pid === pid);
const untilGone = (pid: number) => until(`process ${pid} is gone`, () => !isThere(pid));

plugins('gets its data and context, and gives back what it returns', async () => {
  rig.plugin(
    'all.mjs',
    `export default async (data, ctx) => {
      const { job, index, attempt, token, common, checkpoint, signal } = ctx;
      console.log('printed'); process.stderr.write('errors\\n'); ctx.log('logged');
      return { data, job, index, attempt, token: token > 0, common, checkpoint, aborted: signal.aborted, marked: !!process.env.HEARTH_UNIT, agent: process.env.HEARTH_SECRET };
    }`,
  );
  process.env.HEARTH_SECRET = 'agent';
  const end = await rig.one({ plugin: 'all', common: [1] }, { frame: 7 });
  delete process.env.HEARTH_SECRET;
  const said = {
    data: { frame: 7 },
    job: 'j1',
    index: 0,
    attempt: 1,
    token: true,
    common: [1],
    aborted: false,
    marked: true,
  };
  assert.equal(end, { value: said, errout: 'printed\nerrors\nlogged\n' });
});

plugins('values come from the array where the recipe has one', async () => {
  rig.plugin('echo.mjs', 'export default data => data');
  const values = async (array: unknown) =>
    (await rig.run({ plugin: 'echo', array }, [undefined, undefined, undefined])).map(({ end }) => end?.value);
  assert.equal(await values('5-7'), ['5', '6', '7']);
  assert.equal(await values({ a: '1-2', b: ['x', 'y'] }), [
    { a: '1', b: 'x' },
    { a: '1', b: 'y' },
    { a: '2', b: 'x' },
  ]);
});

plugins('is a file, CommonJS too, a folder with a package.json, or an artifact', async () => {
  rig.plugin('old.js', 'module.exports = () => "cjs"');
  rig.plugin(
    'compiled.js',
    'Object.defineProperty(exports, "__esModule", { value: true }); exports.default = () => "compiled"',
  );
  rig.plugin('modern.js', 'export default () => "esm"');
  rig.plugin('whole/package.json', '{"name":"x","type":"module","exports":"./lib/main.js"}');
  rig.plugin(
    'whole/lib/main.js',
    'import { word } from "./word.js"; import dep from "dep"; export default () => word + dep',
  );
  rig.plugin('whole/lib/word.js', 'export const word = "folder "');
  rig.plugin('whole/node_modules/dep/index.js', 'module.exports = "and its own"');
  for (const [plugin, value] of [
    ['old', 'cjs'],
    ['compiled', 'compiled'],
    ['modern', 'esm'],
    ['whole', 'folder and its own'],
  ] as const) {
    assert.equal(await rig.one({ plugin }), { value }, plugin);
  }
  const single = rig.artifact(rig.plugin('../single.mjs', 'export default () => "single"'));
  const packed = rig.artifact(
    await tarball([
      { path: 'package/package.json', body: Buffer.from('{"name":"p","main":"m.js"}') },
      { path: 'package/m.js', body: Buffer.from('module.exports = () => "packed"') },
    ]),
  );
  rig.configure({ plugins: { single, packed, none: `artifact:${'0'.repeat(64)}` } });
  assert.equal(await rig.one({ plugin: 'single' }), { value: 'single' });
  assert.equal(await rig.one({ plugin: 'packed' }), { value: 'packed' });
  assert.match((await rig.one({ plugin: 'none' })).err ?? '', /cannot be fetched/);
  // Once here, it is not asked for again.
  rig.lose(single);
  const again = new ModulesRig({ data: rig.data });
  again.configure({ plugins: { single } });
  assert.equal(await again.one({ plugin: 'single' }), { value: 'single' });
  assert.equal(again.fetched, []);
  await again.end();
});

plugins('stays in memory between tasks and lanes, until it rests', async () => {
  rig.plugin('warm.mjs', 'let n = 0; export default () => [process.pid, ++n]');
  const [first, second] = await rig.run({ plugin: 'warm' }, [1, 2]);
  const third = await rig.one({ plugin: 'warm' });
  const [pid = 0] = (first?.end?.value ?? []) as number[];
  assert.equal(
    [first?.end?.value, second?.end?.value, third.value],
    [
      [pid, 1],
      [pid, 2],
      [pid, 3],
    ],
  );
  rig.runners.plugin.rest();
  await untilGone(pid);
  const short = new ModulesRig({ data: rig.data, warmMs: 20 });
  const [other] = (await short.one({ plugin: 'warm' })).value as [number];
  await untilGone(other);
  await short.end();
});

plugins('a changed file is what new tasks get, in an open lane too', async () => {
  const file = rig.plugin('new.mjs', 'export default () => "one"');
  const lane = rig.lane({ plugin: 'new' });
  assert.is((await lane.all([1]))[0]?.end?.value, 'one');
  writeFileSync(file, 'export default () => "number two"');
  await until('the new one runs', async () => (await lane.all([1]))[0]?.end?.value === 'number two');
  lane.close();
  assert.equal(await rig.one({ plugin: 'new' }), { value: 'number two' });
  rmSync(file);
  assert.match((await rig.one({ plugin: 'new' })).err ?? '', /there is no plugin "new"/);
});

plugins('names that are paths find nothing', async () => {
  mkdirSync(join(rig.data, 'evil'), { recursive: true });
  rig.plugin('../outside.mjs', 'export default () => "through"');
  for (const plugin of ['../outside', '..', '.', 'a/b', '']) {
    const lane = rig.lane({ plugin: plugin || 'x'.repeat(65) });
    assert.is((await lane.all([1]))[0]?.end?.why, 'setup', plugin);
    lane.close();
  }
});

plugins('what waits behind a slow one is given back, so that another lane may have it', async () => {
  rig.plugin('slow.mjs', 'export default data => data === "slow" ? new Promise(() => {}) : data');
  const lane = rig.lane({ plugin: 'slow' });
  await lane.all(Array.from({ length: 300 }, (_, n) => n));
  const tasks = lane.start(['slow', ...Array.from({ length: 600 }, (_, n) => n)]);
  await lane.until(() => tasks.slice(1).every(({ token }) => lane.told.get(token)?.returned));
  lane.stop(tasks[0]?.token ?? 0);
  await lane.until(() => lane.told.get(tasks[0]?.token ?? 0)?.ended === true);
  lane.close();
});

plugins('who listens to the signal ends by itself, and his worker stays', async () => {
  rig.plugin(
    'polite.mjs',
    'export default (data, ctx) => data ? new Promise((_, no) => ctx.signal.addEventListener("abort", () => no(new Error("told")))) : process.pid',
  );
  const lane = rig.lane({ plugin: 'polite' });
  const [first] = await lane.all([0]);
  const [task] = lane.start([1]);
  await lane.until(() => lane.said.at(-1)?.startsWith('began') === true);
  lane.stop(task?.token ?? 0);
  await lane.until(() => lane.told.get(task?.token ?? 0)?.ended === true);
  assert.is(lane.told.get(task?.token ?? 0)?.end?.err, 'Error: told');
  assert.equal((await lane.all([0]))[0]?.end, first?.end);
  lane.close();
});

plugins('what waits can be stopped, wherever it waits', async () => {
  rig.plugin('gate.mjs', 'export default data => data ? new Promise(() => {}) : 0');
  const lane = rig.lane({ plugin: 'gate' });
  const tasks = lane.start([1, 0, 0]);
  await lane.until(() => lane.said.length === 1);
  for (const { token } of tasks.slice(1)) lane.stop(token);
  await lane.until(() => tasks.slice(1).every(({ token }) => lane.told.get(token)?.returned));
  lane.stop(tasks[0]?.token ?? 0);
  await lane.until(() => lane.told.get(tasks[0]?.token ?? 0)?.ended === true);
  lane.close();
});

plugins('what is saved comes to the next attempt', async () => {
  rig.plugin(
    'saves.mjs',
    'export default (data, ctx) => { if (ctx.checkpoint) return [...ctx.checkpoint]; ctx.save(Buffer.from([1, 2, 255])); }',
  );
  const lane = rig.lane({ plugin: 'saves' });
  const [told] = await lane.all([1]);
  assert.is(told?.saved, 'AQL/');
  const [task] = rig.tasks(lane.recipe, [1]);
  if (task) lane.run([{ ...task, checkpoint: told?.saved ?? '' }]);
  await lane.until(() => lane.told.get(task?.token ?? 0)?.ended === true);
  assert.equal(lane.told.get(task?.token ?? 0)?.end, { value: [1, 2, 255] });
  lane.close();
});

plugins('workers that wait are no more than the slots', async () => {
  rig.configure({ slots: 2 });
  rig.plugin('many.mjs', 'export default () => process.pid');
  const lanes = [0, 1, 2, 3].map(() => rig.lane({ plugin: 'many' }));
  const pids = await Promise.all(lanes.map(async lane => (await lane.all([1]))[0]?.end?.value as number));
  assert.is(new Set(pids).size, 4);
  for (const lane of lanes) lane.close();
  await untilGone(pids[0] as number);
  await untilGone(pids[1] as number);
  assert.ok(isThere(pids[2] as number) && isThere(pids[3] as number));
});

plugins.run();
