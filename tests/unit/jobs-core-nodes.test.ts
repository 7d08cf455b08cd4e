/** The dispatch core: nodes that go and come back, a supervisor that is killed, and what nodes may say when. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { dispatchTimes } from '../../broker/jobs/core/limits.ts';
import type { FakeTask } from '../fixture/jobs-core-node.ts';
import { World } from '../fixture/jobs-core-world.ts';

const test = suite('jobs: nodes and restarts');
const only = (tasks: readonly FakeTask[]): FakeTask => {
  assert.is(tasks.length, 1);
  return tasks[0] as FakeTask;
};

test('a node is gone: what had not started goes elsewhere at once, the rest after 15 s; its late result is dropped', () => {
  const world = new World();
  const n1 = world.node('n1', 3);
  world.submit('a', { run: 'x', array: '1-3', batch: 3 });
  const [running] = n1.start(n1.list().slice(0, 1));
  n1.disconnect();
  const n2 = world.node('n2', 10);
  assert.equal(
    n2.list().map(({ index, a }) => [index, a]),
    [
      [1, 1],
      [2, 1],
    ],
  );
  world.pass(14_999);
  assert.is(n2.list().length, 2);
  world.pass(1);
  assert.equal(
    n2
      .list()
      .map(({ index, a }) => [index, a])
      .at(-1),
    [0, 2],
    'counted as an attempt',
  );
  n2.work();
  assert.is(world.state('a'), 'succeeded');
  if (running) running.state = 2;
  n1.connect();
  assert.ok(running && n1.acked.includes(running.token));
  assert.is(n1.revoked.length, 2, 'what it had in hand must not run');
  assert.is(world.results('a').length, 3);
  assert.is(world.results('a').find(({ index }) => index === 0)?.attempts, 2);
});

test('back within 15 s: it goes on', () => {
  const world = new World();
  const n1 = world.node('n1', 1);
  world.submit('a', { run: 'x' });
  n1.start();
  n1.disconnect();
  world.pass(14_000);
  n1.connect();
  world.pass(60_000);
  assert.is(n1.revoked.length, 0);
  n1.end();
  assert.equal(
    world.results('a').map(({ attempts }) => attempts),
    [1],
  );
});

test('back without it: lost at once', () => {
  const world = new World();
  const n1 = world.node('n1', 1);
  world.submit('a', { run: 'x' });
  n1.start();
  n1.disconnect();
  n1.tasks.clear();
  n1.connect();
  assert.is(only(n1.list()).a, 2);
});

test('lost with its node five times: dead letter', () => {
  const world = new World();
  const n1 = world.node('n1', 1);
  world.submit('a', { run: 'x', retries: 50 });
  for (let k = 0; k < 5; k++) {
    n1.start();
    n1.disconnect();
    n1.tasks.clear();
    n1.connect();
  }
  assert.is(world.state('a'), 'failed');
  assert.match(world.core.job('a')?.is.err ?? '', /its node was lost 5 times/);
});

test('the supervisor is killed: what runs is adopted under its token, its results are committed', () => {
  const world = new World();
  const n1 = world.node('n1', 4);
  world.submit('a', { run: 'x', array: '1-6' });
  const tasks = n1.start(n1.list().slice(0, 2));
  world.crash();
  n1.connect();
  assert.is(n1.revoked.length, 0);
  assert.is(world.core.job('a')?.is.running, 2);
  n1.end(tasks);
  n1.work();
  assert.is(world.state('a'), 'succeeded');
  assert.is(world.results('a').length, 6);
  const tokens = [...n1.acked];
  assert.is(new Set(tokens).size, 6, 'no token twice');
});

test('the supervisor is killed: what has run for a second is held for its node, then it is a loss', () => {
  const world = new World();
  const n1 = world.node('n1', 2);
  world.submit('a', { run: 'x', array: '1-2' });
  n1.start();
  world.pass(2_000);
  world.crash();
  const n2 = world.node('n2', 5);
  assert.is(n2.list().length, 0, 'it may come back');
  world.pass(29_000);
  assert.is(n2.list().length, 0);
  world.pass(1_000);
  assert.equal(
    n2.list().map(({ a }) => a),
    [2, 2],
  );
  n1.connect();
  assert.is(n1.revoked.length, 2);
});

test('the supervisor is killed: a node that comes back without what it ran is not waited for', () => {
  const world = new World();
  const n1 = world.node('n1', 2);
  world.submit('a', { run: 'x' });
  n1.start();
  world.pass(2_000);
  world.crash();
  n1.tasks.clear();
  n1.connect();
  assert.is(only(n1.list()).a, 2);
});

test('copies and strangers: another session, another node, the same result twice', () => {
  const world = new World();
  const n1 = world.node('n1', 1);
  const n2 = world.node('n2', 0);
  world.submit('a', { run: 'x', array: '1-2' });
  const { token } = only(n1.start());
  n2.report({ results: [[token, 1, 1]] });
  assert.is(world.results('a').length, 0, 'not in its hands');
  const old = {
    inst: 'aa',
    epoch: 0,
    seq: 1,
    slots: 1,
    credits: 1,
    results: [[token, 1, 1] as [number, number, number]],
  };
  world.tell({ type: 'report', node: 'n1', report: old });
  world.tell({ type: 'report', node: 'n1', report: { ...old, inst: 'bb', epoch: 1 } });
  assert.is(world.results('a').length, 0, 'not its session');
  n1.end();
  n1.report({ results: [[token, 1, 1]] });
  assert.is(world.results('a').length, 1);
  assert.is(n1.acked.filter(each => each === token).length, 2, 'each is acknowledged');
});

test('a copy of a result is not acknowledged before the commit of the first is synced', () => {
  const world = new World();
  const n1 = world.node('n1', 1);
  world.submit('a', { run: 'x' });
  world.autoSync = false;
  const task = only(n1.start());
  n1.end();
  n1.report({ results: [[task.token, 1, 1]] });
  assert.is(n1.acked.length, 0);
  world.sync();
  assert.equal(n1.acked, [task.token]);
});

test('a report is missing: the node is asked what it holds, and what is missing there is sent again', () => {
  const world = new World();
  const n1 = world.node('n1', 2);
  n1.loseNext = true;
  world.submit('a', { run: 'x', array: '1-2' });
  assert.is(n1.list().length, 0, 'the message was lost');
  n1.seq++;
  n1.report({});
  assert.is(n1.inventories, 1);
  n1.answer();
  assert.is(n1.list().length, 2, 'with the recipe');
  assert.is(n1.list()[0]?.a, 1);
});

test('silent for a while, then heard in the same session: it is asked what it holds, since what it said was not heard', () => {
  const world = new World();
  const n1 = world.node('n1', 2);
  world.submit('a', { run: 'x', array: '1-2' });
  n1.start();
  world.tell({ type: 'offline', node: 'n1' });
  n1.end();
  world.tell({ type: 'online', node: 'n1', inst: n1.inst, epoch: n1.epoch });
  world.pass(dispatchTimes.first);
  assert.is(n1.inventories, 1);
  n1.answer();
  assert.is(world.state('a'), 'succeeded');
  assert.equal(
    world.results('a').map(({ attempts }) => attempts),
    [1, 1],
  );
});

test('silence about a task for a minute: the node is asked', () => {
  const world = new World();
  const n1 = world.node('n1', 1);
  n1.loseNext = true;
  world.submit('a', { run: 'x' });
  world.pass(60_000);
  n1.answer();
  assert.is(n1.list().length, 1);
});

test('given back: queued again, no attempt counted', () => {
  const world = new World();
  const n1 = world.node('n1', 4);
  world.submit('a', { run: 'x', array: '1-4' });
  n1.credits = 0;
  world.first.moves = [{ node: 'n1', r: n1.list()[0]?.r ?? 0, n: 2 }];
  n1.start(n1.list().slice(0, 1));
  world.pass(100);
  const asked = n1
    .list()
    .slice(-2)
    .map(({ token }) => token);
  assert.equal(n1.asked, asked, 'the last that were sent');
  const n2 = world.node('n2', 5);
  n1.returnAll(asked);
  assert.equal(
    n2.list().map(({ index, a }) => [index, a]),
    [
      [2, 1],
      [3, 1],
    ],
  );
});

test('a node that gives everything back for ever: after three times in a row it counts, later and later', () => {
  const world = new World();
  const n1 = world.node('n1', 2);
  world.submit('a', { run: 'x', array: '1-2', retries: 1 });
  let rounds = 0;
  for (; n1.list().length > 0 && rounds < 100; rounds++) n1.returnAll(n1.list().map(({ token }) => token));
  assert.is(rounds, 4, 'then it is not asked again at once');
  world.pass(1_000);
  n1.returnAll(n1.list().map(({ token }) => token));
  assert.is(world.state('a'), 'failed');
  assert.match(world.results('a')[0]?.end?.err ?? '', /n1 gave it back unstarted, 5 times in a row/);
});

test('what starts in between begins the count anew', () => {
  const world = new World();
  const n1 = world.node('n1', 2);
  world.submit('a', { run: 'x', array: '1-20', retries: 0 });
  for (let round = 0; round < 10; round++) {
    const [first, second] = n1.list();
    assert.ok(first && second, `round ${round}`);
    n1.start([first]);
    n1.returnAll([second.token]);
    n1.end([first]);
    n1.report({});
  }
  n1.work();
  assert.is(world.state('a'), 'succeeded');
});

test('what was sent before it gave something back is no further time', () => {
  const world = new World();
  const n1 = world.node('n1', 6);
  world.submit('a', { run: 'x', array: '1-6', retries: 0 });
  for (const { token } of n1.list()) n1.returnAll([token]);
  n1.work();
  assert.is(world.state('a'), 'succeeded');
});

test.run();
