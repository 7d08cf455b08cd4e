/** The executor's own life: it outlives its agent, is found again, ends, is killed, and lets no stranger in. */
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readProcess, unitOf } from '../../node-agent/reconcile/services/processes.ts';
import { Lines, line, protocol } from '../../node-agent/work/executor/wire.ts';
import { agentFolder, ExecutorRig, executorsOf, recipeOf, taskOf } from '../fixture/executor-rig.ts';
import { folder, start, until } from '../fixture/processes.ts';

const life = suite('life of an executor');
const program = join(import.meta.dirname, '../fixture/executor-agent.ts');

const agent = (data: string, ...scripts: string[]) =>
  start(process.execPath, ['--import', 'tsx', program, data, ...scripts]);

/** Or killed, and the kernel is seeing it off: that takes its environment first. */
const isEnded = (pid: number) => readProcess(pid) === undefined || unitOf(pid) === undefined;

const gone = (data: string) => until('the executor has ended', () => executorsOf(data).length === 0);

life('none is there: that is said at once, and none is started before the first task', async () => {
  const rig = new ExecutorRig();
  await rig.until(() => rig.ready.length === 1, 'ready');
  assert.equal(rig.ready, [[]]);
  assert.equal(executorsOf(rig.data), []);
  await rig.close();
});

life('an agent is killed: its tasks go on, and the next one is told what runs and what has ended', async () => {
  const data = agentFolder();
  const place = folder();
  const [gate, file] = [join(place, 'gate'), join(place, 'ran')];
  const first = agent(
    data,
    `echo one; echo 1 >>${file}`,
    `while [ ! -e ${gate} ]; do sleep 0.02; done; echo two`,
    'echo three',
  );
  await first.line(/started/);
  await until('the first task has ended', () => existsSync(file));
  await first.stop('SIGKILL');
  const [pid] = executorsOf(data);
  const rig = new ExecutorRig(data, { take: false, slots: 1 });
  rig.strict = false;
  const held = await rig.until(() => rig.ready[0], 'what it holds');
  await rig.until(() => rig.ended.get(1), 'the result that nobody took');
  assert.is(rig.ended.get(1)?.end?.out, 'one\n');
  const states = held.map(({ token, state }) => `${token} ${state}`);
  assert.ok(states.includes('3 waiting'), `${states}`);
  writeFileSync(gate, '');
  await rig.until(() => rig.ended.get(3), 'the last one');
  assert.is(rig.ended.get(2)?.end?.out, 'two\n');
  assert.is(rig.ended.get(3)?.end?.out, 'three\n');
  assert.is(readFileSync(file, 'utf8'), '1\n', 'once');
  // What was not taken is told again, what was is not.
  rig.executor.taken([1, 3]);
  await rig.close(true);
  const next = new ExecutorRig(data);
  next.strict = false;
  await next.until(() => next.ended.has(2), 'the result once more');
  assert.equal([...next.ended.keys()], [2]);
  assert.equal(next.ready, [[]]);
  assert.equal(executorsOf(data), [pid], 'the same one');
  await next.close();
  await gone(data);
});

life('killed, its tasks are ended and said to be lost; the next task starts another one', async () => {
  const data = agentFolder();
  const file = join(folder(), 'pids');
  const rig = new ExecutorRig(data);
  const recipe = recipeOf(`(setsid sh -c 'echo $$ >>${file}; exec sleep 610' &); echo $$ >>${file}; sleep 611; true`);
  const task = taskOf(recipe);
  rig.run(recipe, task);
  await until('a family', () => existsSync(file) && readFileSync(file, 'utf8').split('\n').length === 3);
  for (const pid of executorsOf(data)) process.kill(pid, 'SIGKILL');
  await rig.until(() => rig.lost.length === 1, 'loss');
  for (const pid of readFileSync(file, 'utf8').split('\n').filter(Boolean)) assert.ok(isEnded(Number(pid)));
  assert.is((await rig.one(recipeOf('echo again'))).end?.out, 'again\n');
  assert.equal(rig.ready, [[], []], 'what the new one holds is said, too');
  assert.not(rig.ended.has(task.token));
  await rig.close();
});

life(
  'killed together with its agent: the next agent ends what is left before it says that nothing is there',
  async () => {
    const data = agentFolder();
    const file = join(folder(), 'pid');
    const first = agent(data, `echo $$ >${file}; sleep 612; true`);
    await first.line(/started/);
    await until('a task', () => existsSync(file) && readFileSync(file, 'utf8').endsWith('\n'));
    const executors = executorsOf(data);
    await first.stop('SIGKILL');
    for (const pid of executors) process.kill(pid, 'SIGKILL');
    await gone(data);
    const rig = new ExecutorRig(data);
    await rig.until(() => rig.ready.length > 0, 'ready');
    assert.equal(rig.ready, [[]]);
    assert.ok(isEnded(Number(readFileSync(file, 'utf8'))));
    await rig.close();
  },
);

life('with nothing to do it ends, without a word; tasks that come just then are run', async () => {
  const data = agentFolder();
  const rig = new ExecutorRig(data, { idleMs: 50 });
  await rig.one(recipeOf('true'));
  await gone(data);
  assert.not(existsSync(join(data, 'work/executor.sock')));
  for (let round = 0; round < 4; round++) {
    await rig.one(recipeOf('true'));
    // About when it wants to go.
    await new Promise(resolve => setTimeout(resolve, 40 + round * 10));
  }
  assert.equal(rig.lost, []);
  assert.equal(rig.problems, []);
  await rig.close();
  const left = new ExecutorRig(data, { idleMs: 50 });
  await left.one(recipeOf('true'));
  await left.close(true);
  await gone(data);
});

life("the folder is only its owner's, however it was before, and a long path is no problem", async () => {
  const parent = folder();
  const data = agentFolder(
    join(parent, ...Array.from({ length: 8 }, (_, index) => `a-long-name-of-a-folder-${index}`)),
  );
  mkdirSync(join(data, 'work'), { mode: 0o755 });
  const rig = new ExecutorRig(data);
  assert.is((await rig.one(recipeOf('echo far'))).end?.out, 'far\n');
  assert.is(statSync(join(data, 'work')).mode & 0o777, 0o700);
  assert.is(statSync(join(data, 'work/executor.sock')).mode & 0o777, 0o600);
  await rig.close(true);
  const next = new ExecutorRig(data);
  assert.is((await next.one(recipeOf('echo again'))).end?.out, 'again\n');
  await next.close();
});

life('what is no message ends that connection, and nothing else', async () => {
  const data = agentFolder();
  const rig = new ExecutorRig(data);
  const gate = join(folder(), 'gate');
  const recipe = recipeOf(`while [ ! -e ${gate} ]; do sleep 0.02; done; echo out`);
  const task = taskOf(recipe);
  rig.run(recipe, task);
  await rig.began(task);
  await rig.close(true);
  const hostile = [
    'no json\n',
    '{}\n',
    '[]\n',
    '[1]\n',
    '["run",1,2]\n',
    '["run",[],[["x"]]]\n',
    '["set",null]\n',
    '["set",{"slots":-1}]\n',
    '\0\0\0\n',
  ];
  for (const text of [...hostile, 'x'.repeat(40 * 1024 * 1024)]) {
    await new Promise<void>(resolve => {
      const socket = connect(join(data, 'work/executor.sock'));
      socket.on('error', () => {}).once('close', () => resolve());
      socket.resume().write(text);
    });
  }
  const odd = connect(join(data, 'work/executor.sock'))
    .on('error', () => {})
    .resume();
  odd.write(
    '["what"]\n["taken",{"a":1}]\n["kill",["x",-1,1.5]]\n["fetched",99,null,"/etc/passwd"]\n["run",[null,{"r":"x"}],[]]\n',
  );
  const next = new ExecutorRig(data);
  next.strict = false;
  await next.until(() => next.ready[0]?.length === 1, 'the task');
  writeFileSync(gate, '');
  assert.is((await next.end(task)).end?.out, 'out\n');
  odd.destroy();
  await next.close();
});

life(
  'one of another version is drained: what runs there ends, its results are taken, then another takes over',
  async () => {
    const data = agentFolder();
    mkdirSync(join(data, 'work'), { mode: 0o700 });
    const heard: unknown[][] = [];
    let other: Socket | undefined;
    const server = createServer(socket => {
      other = socket;
      const lines = new Lines();
      socket.on('error', () => {});
      socket.on('data', chunk => heard.push(...lines.push(chunk)));
      socket.write(
        line('hello', {
          proto: protocol + 1,
          pid: 1,
          held: [
            [900, 1, 0, 1, 1],
            [901, 1, 1, 1, 0],
          ],
        }),
      );
    });
    await new Promise<void>(resolve => server.listen(join(data, 'work/executor.sock'), resolve));
    const rig = new ExecutorRig(data);
    rig.strict = false;
    const held = await rig.until(() => rig.ready[0], 'what it holds');
    assert.equal(
      held.map(({ token }) => token),
      [900],
      'what it has not begun is not ours',
    );
    const recipe = recipeOf('echo new');
    const task = taskOf(recipe);
    rig.run(recipe, task);
    await until('it is told to end', () => heard.some(([kind]) => kind === 'drain'));
    assert.equal(heard.find(([kind]) => kind === 'back')?.[1], [901]);
    assert.not(heard.some(([kind]) => kind === 'run'));
    other?.write(line('ended', [[900, 1, 0, 1, 5, 5, { out: 'old' }]]));
    await rig.until(() => rig.ended.get(900), 'its result');
    await until('it is taken', () => heard.some(([kind, tokens]) => kind === 'taken' && String(tokens) === '900'));
    other?.end();
    server.close();
    assert.is((await rig.end(task)).end?.out, 'new\n');
    assert.equal(rig.lost, []);
    await rig.close();
  },
);

life('one that cannot be started is told, and the next task tries again', async () => {
  const data = agentFolder();
  const rig = new ExecutorRig(data, { nodePath: '/no/node' });
  rig.run(recipeOf('true'), taskOf(recipeOf('true')));
  await rig.until(() => rig.lost.length === 1, 'loss');
  assert.match(rig.lost[0] ?? '', /cannot be started: .*ENOENT/);
  rig.run(recipeOf('true'), taskOf(recipeOf('true')));
  await rig.until(() => rig.lost.length === 2, 'loss again');
  await rig.close();
});

life.run();
