/** The dispatch core: what is over stays over, also where messages cross. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { World } from '../fixture/jobs-core-world.ts';

const test = suite('jobs: fencing');

test('an inventory that crossed a message with tasks does not make them lost', () => {
  const world = new World();
  const n1 = world.node('n1', 2);
  n1.seq++;
  n1.report({});
  assert.is(n1.inventories, 1);
  world.submit('a', { run: 'x', array: '1-2' });
  assert.is(n1.list().length, 2);
  // Made before the tasks came.
  n1.report({ have: [] });
  n1.end(n1.start());
  assert.equal(
    world.results('a').map(({ attempts }) => attempts),
    [1, 1],
  );
  assert.is(world.state('a'), 'succeeded');
});

test('what was revoked by a cancel is not adopted after the retry', () => {
  const world = new World();
  const n1 = world.node('n1', 1);
  world.submit('a', { run: 'x' });
  const [task] = n1.start();
  n1.cut();
  world.order('a', 'cancel');
  world.tell({ type: 'offline', node: 'n1' });
  world.order('a', 'retry');
  n1.connect();
  assert.ok(task && n1.revoked.includes(task.token));
  n1.report({});
  assert.is(n1.list()[0]?.a, 1);
  assert.is.not(n1.list()[0]?.token, task?.token);
});

test('a task that has its result is revoked elsewhere, though its job goes on', () => {
  const world = new World();
  const [n1, n2, n3] = [world.node('n1', 2), world.node('n2', 2), world.node('n3', 2)];
  world.submit('a', { plugin: 'p', items: [1, 2], replicas: 3 });
  const third = n3.start();
  for (const node of [n1, n2]) node.end(node.start().slice(0, 1));
  assert.is(world.state('a'), 'running');
  assert.equal(n3.revoked, [third[0]?.token]);
});

test('a retry outlives a restart: what failed is queued', () => {
  const world = new World();
  const n1 = world.node('n1', 5);
  world.submit('a', { run: 'x', array: '1-3', retries: 0 });
  n1.work(({ index }) => (index === 1 ? { why: 'exit', exit: 1 } : undefined));
  assert.is(world.state('a'), 'failed');
  n1.disconnect();
  world.order('a', 'retry');
  world.crash();
  assert.is(world.state('a'), 'running');
  assert.is(world.core.job('a')?.is.failed, 0);
  n1.connect();
  assert.is(n1.work(), 1);
  assert.is(world.state('a'), 'succeeded');
});

test.run();
