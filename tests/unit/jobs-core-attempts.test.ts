/** The dispatch core: attempts that fail, save bytes, are doubled; and what goes into a message. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkpointKey } from '../../broker/jobs/core/records.ts';
import type { FakeTask } from '../fixture/jobs-core-node.ts';
import { World } from '../fixture/jobs-core-world.ts';

const test = suite('jobs: attempts');
const fails = { why: 'exit', exit: 2, err: 'exit status 2', errout: 'no such scene' } as const;
const only = (tasks: readonly FakeTask[]): FakeTask => {
  assert.is(tasks.length, 1);
  return tasks[0] as FakeTask;
};

test('retries: after 1 s, 2 s, 4 s less up to a fifth; then a dead letter with reason and output', () => {
  const world = new World();
  const n1 = world.node('n1');
  world.submit('a', { run: 'x', retries: 3 });
  for (const [attempt, least, most] of [
    [1, 800, 1000],
    [2, 1600, 2000],
    [3, 3200, 4000],
  ] as const) {
    assert.is(only(n1.list()).a, attempt);
    n1.end(n1.start(), fails);
    assert.match(world.core.explain('a')?.why ?? '', /1 tasks wait for their next attempt/);
    world.pass(least - 1);
    assert.is(n1.list().length, 0, `not before ${least} ms`);
    world.pass(most - least + 101);
  }
  n1.end(n1.start(), fails);
  assert.is(world.state('a'), 'failed');
  assert.equal(world.results('a'), [{ index: 0, state: 'failed', node: 'n1', attempts: 4, ms: 10, end: fails }]);
  assert.is(world.is.get('a')?.failed, 1);
  world.order('a', 'retry');
  assert.is(only(n1.list()).a, 1, 'all attempts anew');
  n1.work();
  assert.is(world.state('a'), 'succeeded');
  assert.is(world.core.job('a')?.is.failed, 0);
});

test('failed attempts and dead letters are remembered over a restart', () => {
  const world = new World();
  const n1 = world.node('n1');
  world.submit('a', { run: 'x', array: '1-3', retries: 1, backoff_s: 0 });
  n1.end(n1.start(), ({ index }) => (index === 0 ? undefined : fails));
  n1.end(
    n1.start().filter(({ index }) => index === 1),
    fails,
  );
  world.crash();
  assert.is(world.core.job('a')?.is.failed, 1);
  assert.is(world.core.job('a')?.is.succeeded, 1);
  n1.tasks.clear();
  n1.connect();
  assert.is(only(n1.list()).a, 2);
  n1.work(() => fails);
  assert.is(world.state('a'), 'failed');
  assert.is(world.core.job('a')?.is.failed, 2);
});

test('checkpoints: the newest goes with the next attempt, on any node, and is gone with the task', () => {
  const world = new World();
  const n1 = world.node('n1', 1);
  world.submit('a', { run: 'x' });
  const { token, r } = only(n1.start());
  n1.report({ checkpoints: [[token, 'AAAA']] });
  n1.report({ checkpoints: [[token, 'BBBB']] });
  world.crash();
  const n2 = world.node('n2', 1);
  assert.is(only(n2.list()).cp, 'BBBB');
  n2.end(n2.start(), fails);
  world.pass(1_100);
  assert.is(only(n2.list()).cp, 'BBBB');
  n2.work();
  assert.is(world.state('a'), 'succeeded');
  assert.not.ok(world.disk.has(checkpointKey(r, 0)));
  assert.equal(
    [...world.disk.keys()].filter(key => key.startsWith('jobs/cp/')),
    [],
  );
});

test('speculation: near the end a second copy of what takes long; the first commits, the other is revoked', () => {
  const world = new World();
  const n1 = world.node('n1', 4);
  world.submit('a', { run: 'x', array: '1-4', speculate: true });
  const [slow, ...quick] = n1.start();
  const n2 = world.node('n2', 2);
  n1.end(quick);
  world.pass(900);
  assert.is(n2.list().length, 0);
  world.pass(400);
  const copy = only(n2.list());
  assert.is(copy.index, slow?.index);
  world.pass(5_000);
  assert.is(n2.list().length, 1, 'only one');
  n2.work();
  assert.is(world.state('a'), 'succeeded');
  assert.ok(slow && n1.revoked.includes(slow.token));
  assert.is(world.results('a').filter(({ index }) => index === slow?.index).length, 1);
});

test('a copy that fails while the other runs does not end the task', () => {
  const world = new World();
  const n1 = world.node('n1', 4);
  world.submit('a', { run: 'x', array: '1-4', speculate: true, retries: 0 });
  const [slow, ...quick] = n1.start();
  const n2 = world.node('n2', 2);
  n1.end(quick);
  world.pass(1_300);
  n2.end(n2.start(), fails);
  assert.is(world.state('a'), 'running');
  n1.end(slow ? [slow] : []);
  assert.is(world.state('a'), 'succeeded');
});

test('energy: from watts, or the labels between idle and busy; unknown is absent', () => {
  const world = new World();
  const n1 = world.node('n1', 1, { load: { watts: 360 } });
  world.submit('a', { run: 'x' });
  n1.work();
  assert.is(world.results('a')[0]?.wh, 0.001);
  assert.is(world.is.get('a')?.wh, 0.001);
  n1.disconnect();
  const n2 = world.node('n2', 1, { facts: { label_watts_idle: '100', watts_max: 200 }, load: { cpu_pct: 50 } });
  world.submit('b', { run: 'x' });
  n2.work();
  assert.is(world.results('b')[0]?.wh, (150 * 10) / 3.6e6);
  n2.disconnect();
  const n3 = world.node('n3', 1);
  world.submit('c', { run: 'x' });
  n3.work();
  assert.is(world.results('c')[0]?.wh, undefined);
  world.crash();
  assert.is(world.core.job('a')?.is.wh, 0.001, 'kept');
});

test('energy that is shown is on disk: it does not fall where the supervisor is killed', () => {
  const world = new World();
  const [n1, n2] = ['n1', 'n2'].map(id => world.node(id, 1, { load: { watts: 360 } }));
  world.submit('a', { run: 'x', replicas: 2 });
  // One of two results is no commit: nothing is written yet.
  n1?.end(n1.start());
  n2?.start();
  world.pass(2000);
  const shown = world.is.get('a')?.wh ?? 0;
  world.crash();
  assert.ok((world.core.job('a')?.is.wh ?? 0) >= shown, `${world.core.job('a')?.is.wh} after ${shown}`);
});

test('a result that fits into no message is a failure that says so', () => {
  const world = new World();
  const n1 = world.node('n1', 1);
  world.submit('a', { run: 'x', retries: 0 });
  n1.end(n1.start(), { out: 'x'.repeat(300_000) });
  assert.is(world.state('a'), 'failed');
  assert.match(world.results('a')[0]?.end?.err ?? '', /300010 bytes, more than 196608/);
});

test('a message stays below 256 kB, values counted', () => {
  const world = new World();
  const n1 = world.node('n1', 1000);
  world.submit('a', { plugin: 'p', items: Array.from({ length: 40 }, (_, i) => `${i}`.padEnd(20_000, 'x')) });
  assert.is(n1.list().length, 40);
  for (const { body } of world.sends) assert.ok(JSON.stringify(body).length < 256 * 1024);
  assert.ok(n1.list().every(({ index, v }) => (v as string).startsWith(`${index}x`)));
});

test('a long array stays here: its values go with the tasks, by name', () => {
  const world = new World();
  const n1 = world.node('n1', 3);
  world.submit('a', { run: 'x {s}', array: { s: Array.from({ length: 9000 }, (_, i) => `scene-${i}`) } });
  const recipe = [...n1.recipes.values()][0];
  assert.is(recipe?.array, undefined);
  assert.is(recipe?.named, true);
  assert.equal(
    n1.list().map(({ v }) => v),
    [{ s: 'scene-0' }, { s: 'scene-1' }, { s: 'scene-2' }],
  );
});

test('at most max_parallel in hand', () => {
  const world = new World();
  const n1 = world.node('n1', 50);
  world.submit('a', { run: 'x', array: '1-9', max_parallel: 2 });
  assert.is(n1.list().length, 2);
  n1.work();
  assert.is(world.state('a'), 'succeeded');
});

test.run();
