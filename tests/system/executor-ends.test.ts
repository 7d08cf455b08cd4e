/** What ends a task, and that nobody of it is left then: time, orders, its output, its memory, its own end. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { isAlive, listProcesses, readProcess } from '../../node-agent/reconcile/services/processes.ts';
import { ExecutorRig, executorsOf, recipeOf, taskOf } from '../fixture/executor-rig.ts';
import { folder, until } from '../fixture/processes.ts';

const ends = suite('ends of tasks');
const rig = new ExecutorRig(undefined, { graceMs: 300, maxOutput: 1_000_000 });
const place = folder();
/** Behind the seconds that its processes sleep: those of other files that run at the same time have another. */
const own = process.pid;

/** The numbers of processes that a script has written down, and that run. */
const noted = (file: string): number[] =>
  existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean).map(Number) : [];
const living = (file: string): number[] => noted(file).filter(pid => readProcess(pid) !== undefined);

/** A child, one in a session of its own, one whose parent has gone, and one that does not listen to TERM. */
const family = (file: string): string => `
echo $$ >>${file}
(sleep 600.${own} & echo $! >>${file}; wait) &
setsid sh -c 'echo $$ >>${file}; exec sleep 601.${own}' &
(setsid sh -c '(echo $$ >>${file}; exec sleep 602.${own}) & ' &)
trap '' TERM
sh -c 'trap "" TERM; echo $$ >>${file}; while :; do sleep 603.${own}; done' &
while [ $(wc -l <${file}) -lt 5 ]; do sleep 0.02; done
echo there >>${file}.there
while :; do sleep 604.${own}; done`;

const alive = (file: string) => until('a family', () => existsSync(`${file}.there`) && noted(file).length >= 5);

ends('a task that takes too long is ended, with all that it started', async () => {
  const file = join(place, 'late');
  const recipe = recipeOf(family(file), { timeout_s: 5 });
  const task = taskOf(recipe);
  rig.run(recipe, task);
  await alive(file);
  const { end, ms } = await rig.end(task);
  assert.is(end?.why, 'timeout');
  assert.match(end?.err ?? '', /it ran longer than its 5 s/);
  assert.ok(ms >= 5000, `${ms}`);
  assert.equal(living(file), [], 'nobody is left when the end is told');
});

ends('a canceled task: nobody is left, nothing is told but that it was dropped', async () => {
  const file = join(place, 'canceled');
  const recipe = recipeOf(family(file));
  const [first, waiting] = [taskOf(recipe), taskOf(recipe)];
  rig.executor.configure({ slots: 1, inline: false, scripts: false, plugins: {} });
  rig.run(recipe, first, waiting);
  await alive(file);
  rig.executor.kill([first.token, waiting.token]);
  await rig.until(() => rig.dropped.includes(first.token), 'drop of the running one');
  assert.equal(living(file), []);
  assert.ok(rig.dropped.includes(waiting.token));
  assert.not(rig.started.includes(waiting.token));
  assert.not(rig.ended.has(first.token));
  rig.executor.configure({ slots: 2, inline: false, scripts: false, plugins: {} });
});

ends('what has not begun is taken back, what runs goes on', async () => {
  const gate = join(place, 'gate');
  const recipe = recipeOf(`while [ ! -e ${gate} ]; do sleep 0.02; done`);
  const tasks = [0, 1, 2, 3].map(index => taskOf(recipe, index));
  rig.run(recipe, ...tasks);
  const [first, second, third, fourth] = tasks as [
    (typeof tasks)[0],
    (typeof tasks)[0],
    (typeof tasks)[0],
    (typeof tasks)[0],
  ];
  await rig.began(second);
  rig.executor.takeBack(tasks.map(({ token }) => token));
  await rig.until(() => rig.dropped.includes(fourth.token), 'drop');
  assert.ok(rig.dropped.includes(third.token));
  writeFileSync(gate, '');
  assert.is((await rig.end(first)).end, undefined);
  assert.is((await rig.end(second)).end, undefined);
  assert.not(rig.dropped.includes(first.token));
});

ends('what a task leaves in its group is ended with it; what has left it, soon after', async () => {
  const file = join(place, 'left');
  const { end } = await rig.one(recipeOf(`sleep 605.${own} & echo $! >>${file}; echo done`));
  assert.equal(end, { out: 'done\n' });
  assert.is(noted(file).length, 1);
  assert.equal(living(file), []);
  const other = join(place, 'escaped');
  await rig.one(
    recipeOf(
      `(setsid sh -c 'echo $$ >>${other}; exec sleep 606.${own}' &); while [ ! -s ${other} ]; do sleep 0.02; done`,
    ),
  );
  await until('a sweep', () => living(other).length === 0);
});

ends('a sweep touches nobody else', async () => {
  const file = join(place, 'mine');
  const recipe = recipeOf(`(setsid sh -c 'echo $$ >>${file}; exec sleep 607.${own}' &); sleep 608.${own}`);
  const task = taskOf(recipe);
  rig.run(recipe, task);
  await until('an escaped child', () => living(file).length === 1);
  const left = join(place, 'theirs');
  await rig.one(
    recipeOf(
      `(setsid sh -c 'echo $$ >>${left}; exec sleep 609.${own}' &); while [ ! -s ${left} ]; do sleep 0.02; done`,
    ),
  );
  await until('a sweep', () => living(left).length === 0);
  assert.is(living(file).length, 1, 'of a task that runs');
  rig.executor.kill([task.token]);
  await rig.until(() => rig.dropped.includes(task.token), 'its end');
  assert.is(living(file).length, 0);
});

ends('a task that writes without end is ended', async () => {
  const { end } = await rig.one(recipeOf('yes'));
  assert.is(end?.why, 'output');
  assert.match(end?.err ?? '', /wrote more than 1000000 bytes/);
  assert.match(end?.out ?? '', /^\n?(y\n)+y?$/);
  assert.is(end?.out_sha256, undefined);
  const quick = (await rig.one(recipeOf('head -c 2000000 /dev/zero'))).end;
  assert.is(quick?.why, 'output', 'one that is through before anybody looks, too');
});

ends('a task that takes more memory than it may is ended', async () => {
  // No more than that: however late somebody looks, there is memory left.
  const more = 'const all = []; setInterval(() => all.length < 20 && all.push(Buffer.alloc(2e7, 1)), 20)';
  const hungry = [process.execPath, '-e', more];
  const { end } = await rig.one(recipeOf(hungry, { mem_mb: 150 }));
  assert.is(end?.why, 'memory');
  assert.match(end?.err ?? '', /it used more than its 150 MB/);
  assert.is((await rig.one(recipeOf('echo modest', { mem_mb: 150 }))).end?.out, 'modest\n');
});

ends('tasks have less of the processor, and go first where memory ends', async () => {
  const { end } = await rig.one(
    recipeOf('cat /proc/self/oom_score_adj; cut -d " " -f 19 /proc/self/stat; ps -o sid= -p $$; echo $$'),
  );
  const [oom, nice, session, pid] = (end?.out ?? '').split('\n').map(Number);
  assert.ok((oom ?? 0) >= 500, `${oom}`);
  assert.ok((nice ?? 0) >= 5, `${nice}`);
  assert.is(session, pid, 'a session of its own');
});

ends('nobody is left at all', async () => {
  assert.equal(rig.problems, []);
  await rig.close();
  const sleepers = listProcesses().filter(
    each => each.name === 'sleep' && isAlive(each) && commandLine(each.pid).endsWith(`.${own}\0`),
  );
  assert.equal(sleepers, []);
});

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    return '';
  }
}

ends('its folder is gone, and nobody could ask for results: all end', async () => {
  const other = new ExecutorRig();
  const file = join(place, 'orphans');
  const recipe = recipeOf(family(file));
  other.run(recipe, taskOf(recipe));
  await alive(file);
  const executors = executorsOf(other.data);
  assert.is(executors.length, 1);
  rmSync(join(other.data, 'work'), { recursive: true, force: true });
  await until(
    'nobody is left',
    () => living(file).length === 0 && executors.every(pid => readProcess(pid) === undefined),
  );
});

ends.run();
