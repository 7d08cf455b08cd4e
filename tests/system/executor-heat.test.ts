/** Tasks of class `heat` in a real executor: frozen and not ended, for as long as no heat is asked for. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { bootClock } from '../../node-agent/heat/boot-clock.ts';
import { LeaseFile } from '../../node-agent/heat/lease-file.ts';
import type { ExecutorTask } from '../../node-agent/work/executor.ts';
import { agentFolder, ExecutorRig, executorsOf, recipeOf, taskOf } from '../fixture/executor-rig.ts';
import { counting, ofTasks, read, stands } from '../fixture/heat-tasks.ts';
import { folder, start, until } from '../fixture/processes.ts';
import { realGroups } from '../fixture/real-groups.ts';

const heat = suite('tasks of heat in an executor');

heat('waits until heat is asked for, is frozen with all its processes, and goes on', async () => {
  const place = folder('hearth-heat-');
  const rig = new ExecutorRig();
  const recipe = recipeOf(counting(place), { heat: true });
  const task = taskOf(recipe);
  const batch = recipeOf('true');
  rig.run(recipe, task);
  assert.is((await rig.one(batch)).end?.why, undefined, 'what is of no heat passes by');
  assert.not(rig.started.includes(task.token));
  rig.executor.heat(1, []);
  await rig.began(task);
  await until('both count', () => read(place, 'own') > 3 && read(place, 'child') > 3);
  rig.executor.heat(0, []);
  await rig.until(() => rig.frozen.includes(task.token), 'frozen');
  // A signal is there at once, and who is on a processor stops a moment later.
  await until('everybody stands still', () => stands(rig.data));
  const [own, child] = [read(place, 'own'), read(place, 'child')];
  await rig.one(batch);
  await rig.one(batch);
  assert.is(read(place, 'own'), own);
  assert.is(read(place, 'child'), child);
  rig.executor.heat(1, []);
  await until('both go on', () => read(place, 'own') > own && read(place, 'child') > child);
  writeFileSync(join(place, 'enough'), '');
  const { end } = await rig.end(task);
  assert.is(end, undefined);
  assert.equal(rig.frozen, []);
  await rig.close();
});

heat('frozen at any moment, also while it starts a program, it stands still, and goes on', async () => {
  const place = folder('hearth-heat-');
  const rig = new ExecutorRig();
  const starts = `while [ ! -e ${place}/enough ]; do /bin/true; done`;
  const recipe = recipeOf(`(${starts}) & (${starts}) & ${counting(place)}; wait`, { heat: true });
  const task = taskOf(recipe);
  rig.executor.heat(1, []);
  rig.run(recipe, task);
  await rig.began(task);
  for (let round = 0; round < 20; round++) {
    const own = read(place, 'own');
    await until('it counts on', () => read(place, 'own') > own);
    rig.executor.heat(0, []);
    await rig.until(() => rig.frozen.includes(task.token), 'frozen');
    await until('everybody stands still', () => stands(rig.data));
    rig.executor.heat(1, []);
    await rig.until(() => rig.frozen.length === 0, 'said to go on');
  }
  writeFileSync(join(place, 'enough'), '');
  assert.is((await rig.end(task)).end, undefined);
  await rig.close();
});

heat('time that it was frozen counts for nothing', async () => {
  const place = folder('hearth-heat-');
  const rig = new ExecutorRig();
  const recipe = recipeOf(`while [ ! -e ${place}/go ]; do sleep 0.01; done`, { heat: true, timeout_s: 6 });
  const task = taskOf(recipe);
  rig.executor.heat(1, []);
  rig.run(recipe, task);
  await rig.began(task);
  rig.executor.heat(0, []);
  await rig.until(() => rig.frozen.includes(task.token), 'frozen');
  // Longer than its time, by what another one takes.
  await rig.one(recipeOf('sleep 6.5'));
  writeFileSync(join(place, 'go'), '');
  rig.executor.heat(1, []);
  const { end, ms } = await rig.end(task);
  assert.is(end, undefined, 'it was not ended for its time');
  assert.ok(ms < 6000, `${ms} ms are its own`);
  await rig.close();
});

heat('its time goes on when it does', async () => {
  const rig = new ExecutorRig();
  const recipe = recipeOf('sleep 60', { heat: true, timeout_s: 5 });
  const task = taskOf(recipe);
  rig.executor.heat(1, []);
  rig.run(recipe, task);
  await rig.began(task);
  rig.executor.heat(0, []);
  await rig.until(() => rig.frozen.includes(task.token), 'frozen');
  rig.executor.heat(1, []);
  assert.is((await rig.end(task)).end?.why, 'timeout');
  await rig.close();
});

heat('canceled while frozen, nobody is left', async () => {
  const place = folder('hearth-heat-');
  const rig = new ExecutorRig(agentFolder(), { graceMs: 60_000 });
  // Its child is in a session of its own, and takes TERM as a wish.
  const recipe = recipeOf(
    `setsid sh -c 'trap "echo 1 >${place}/term; exit" TERM; echo 1 >${place}/there; while :; do sleep 0.05; done' & wait`,
    { heat: true },
  );
  const task = taskOf(recipe);
  rig.executor.heat(1, []);
  rig.run(recipe, task);
  await until('its child', () => existsSync(join(place, 'there')));
  rig.executor.heat(0, []);
  await rig.until(() => rig.frozen.includes(task.token), 'frozen');
  rig.executor.kill([task.token]);
  await rig.until(() => rig.dropped.includes(task.token), 'dropped');
  assert.equal(ofTasks(rig.data), []);
  assert.ok(existsSync(join(place, 'term')), 'it was told, and heard it');
  assert.equal(rig.frozen, []);
  await rig.close();
});

heat('an agent that is killed while tasks are frozen finds them so, and lets them go on', async () => {
  const place = folder('hearth-heat-');
  const data = agentFolder();
  const program = join(import.meta.dirname, '../fixture/executor-agent.ts');
  const first = start(process.execPath, ['--import', 'tsx', program, data, counting(place), 'true'], {
    env: { ...process.env, HEAT: '1' },
  });
  await first.line(/started/);
  await first.stop('SIGKILL');
  const [task, waiting] = [{ token: 1 }, { token: 2 }] as [ExecutorTask, ExecutorTask];
  const next = new ExecutorRig(data);
  next.strict = false;
  const [held] = await next.until(() => next.ready.length > 0 && next.ready, 'ready');
  assert.equal(
    held?.map(({ token, state, heat }) => [token, state, heat]),
    [
      [task.token, 'running', true],
      [waiting.token, 'waiting', true],
    ],
  );
  await next.until(() => next.frozen.includes(task.token), 'said to be frozen');
  await until('everybody stands still', () => stands(next.data));
  next.executor.takeBack([waiting.token]);
  await next.until(() => next.dropped.includes(waiting.token), 'given back');
  writeFileSync(join(place, 'enough'), '');
  next.executor.heat(1, []);
  assert.is((await next.end(task)).end, undefined);
  await next.close();
  await until('gone', () => executorsOf(next.data).length === 0);
});

heat('an agent that hangs: with the end of its lease its tasks stand still, and go on with the next', async () => {
  const rig = new ExecutorRig();
  const lease = (ms: number) => new LeaseFile(join(rig.data, 'heat'), bootClock()).write(bootClock().now() + ms);
  mkdirSync(join(rig.data, 'heat'));
  lease(600_000);
  const task = taskOf(recipeOf('sleep 600', { heat: true }));
  rig.executor.heat(1, []);
  rig.run(recipeOf('sleep 600', { heat: true, r: task.r }), task);
  await rig.began(task);
  lease(1000);
  await rig.until(() => rig.frozen.includes(task.token), 'frozen');
  await until('everybody stands still', () => stands(rig.data));
  lease(600_000);
  await rig.until(() => rig.frozen.length === 0, 'said to go on');
  await until('it goes on', () => !stands(rig.data));
  await rig.close();
});

heat('of two that run the one that began last is frozen, and goes on when the other is over', async () => {
  const place = folder('hearth-heat-');
  const rig = new ExecutorRig();
  const recipe = recipeOf(`while [ ! -e ${place}/$HEARTH_TASK ]; do sleep 0.01; done`, { heat: true });
  const [one, two] = [taskOf(recipe, 0), taskOf(recipe, 1)];
  rig.executor.heat(2, []);
  rig.run(recipe, one, two);
  await rig.began(one);
  await rig.began(two);
  rig.executor.heat(1, []);
  await rig.until(() => rig.frozen.length === 1, 'one is frozen');
  assert.equal(rig.frozen, [two.token]);
  writeFileSync(join(place, '1'), '');
  writeFileSync(join(place, '2'), '');
  await rig.end(one);
  await rig.end(two);
  assert.equal(rig.frozen, []);
  await rig.close();
});

heat('urgent, it runs without any heat', async () => {
  const place = folder('hearth-heat-');
  const rig = new ExecutorRig();
  const recipe = recipeOf(`while [ ! -e ${place}/go ]; do sleep 0.01; done`, { heat: true });
  const [one, two] = [taskOf(recipe, 0), taskOf(recipe, 1)];
  rig.executor.heat(1, []);
  rig.run(recipe, one, two);
  await rig.began(one);
  rig.executor.heat(0, []);
  await rig.until(() => rig.frozen.includes(one.token), 'frozen');
  rig.executor.urgent([recipe.r]);
  await rig.began(two);
  writeFileSync(join(place, 'go'), '');
  await rig.end(one);
  await rig.end(two);
  await rig.close();
});

heat('a plugin is frozen in a process that serves only heat', async () => {
  const place = folder('hearth-heat-');
  const rig = new ExecutorRig();
  mkdirSync(join(rig.data, 'plugins'), { recursive: true });
  writeFileSync(
    join(rig.data, 'plugins/count.mjs'),
    `import { existsSync } from 'node:fs';
     export default async wait => {
       while (wait && !existsSync(wait)) await new Promise(resolve => setTimeout(resolve, 10));
       return process.pid;
     };`,
  );
  const recipe = { ...recipeOf('', { heat: true, timeout_s: 20 }), plugin: 'count' };
  delete recipe.run;
  const task = taskOf(recipe, 0, { value: join(place, 'go') });
  rig.executor.heat(1, []);
  rig.run(recipe, task);
  await rig.began(task);
  rig.executor.heat(0, []);
  await rig.until(() => rig.frozen.includes(task.token), 'frozen');
  await until('everybody stands still', () => stands(rig.data));
  const { heat: _, ...other } = { ...recipe, r: recipeOf('').r };
  const there = await rig.one(other);
  assert.type(there.end?.value, 'number', 'another process of the same plugin does other work');
  writeFileSync(join(place, 'go'), '');
  rig.executor.heat(1, []);
  const { end } = await rig.end(task);
  assert.type(end?.value, 'number');
  assert.is.not(end?.value, there.end?.value);
  // Canceled while frozen.
  const again = taskOf(recipe, 0, { value: join(place, 'never') });
  rig.run(recipe, again);
  await rig.began(again);
  rig.executor.heat(0, []);
  await rig.until(() => rig.frozen.includes(again.token), 'frozen again');
  rig.executor.kill([again.token]);
  await rig.until(() => rig.dropped.includes(again.token), 'dropped');
  await rig.close();
});

const made = realGroups();
const grouped = made ? heat : heat.skip;

grouped(
  'tasks are in the groups of heat; frozen there by another, their time stands still, and they can be ended',
  async () => {
    const all = made ?? [];
    const [cpu = '', freezer = ''] = all;
    const rig = new ExecutorRig();
    const recipe = recipeOf('sleep 600 & sleep 600; wait', { heat: true, timeout_s: 6, mem_mb: 64 });
    const task = taskOf(recipe);
    const members = (group: string) => readFileSync(join(group, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean);
    rig.executor.heat(1, all);
    rig.run(recipe, task);
    await rig.began(task);
    const areIn = () => all.every(each => members(each).length >= 2);
    await until('in the groups', areIn);
    writeFileSync(join(freezer, 'freezer.state'), 'FROZEN');
    await rig.one(recipeOf('sleep 8'));
    assert.ok(areIn(), 'and stay there, also where their executor goes into a group of its own as they begin');
    assert.not(rig.ended.has(task.token), 'no timeout for what could not run');
    rig.executor.kill([task.token]);
    await rig.until(() => rig.dropped.includes(task.token), 'dropped');
    assert.equal(members(freezer), []);
    writeFileSync(join(freezer, 'freezer.state'), 'THAWED');
    // Urgent ones leave them.
    const other = recipeOf('sleep 600', { heat: true });
    const two = taskOf(other);
    rig.run(other, two);
    await until('in the groups again', () => members(cpu).length >= 1);
    rig.executor.urgent([other.r]);
    await until('out of them', () => members(cpu).length === 0);
    rig.executor.kill([two.token]);
    await rig.until(() => rig.dropped.includes(two.token), 'dropped');
    await rig.close();
  },
);

heat.run();
