/** The dispatch core: what is over stays over, also where messages cross. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { dispatchTimes } from '../../broker/jobs/core/limits.ts';
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

test('another life in the same session, as of a copied disk: what it has not is lost, and it is told everything anew', () => {
  const world = new World();
  const n1 = world.node('n1', 1);
  world.submit('a', { run: 'x' });
  n1.start();
  n1.report({});
  n1.tasks.clear();
  n1.begin();
  n1.answer();
  assert.equal(
    n1.list().map(({ a }) => a),
    [2],
  );
  n1.work();
  assert.is(world.state('a'), 'succeeded');
});

test('its answer counts though a word of the life before came late, with a higher number', () => {
  const world = new World();
  const n1 = world.node('n1', 1);
  world.submit('a', { run: 'x' });
  n1.start();
  n1.seq += 50;
  n1.late = [];
  n1.report({});
  const [late] = n1.late;
  n1.late = undefined;
  n1.tasks.clear();
  n1.begin();
  assert.ok(late);
  world.tell(late);
  n1.answer();
  assert.is(n1.list()[0]?.a, 2);
});

test('the first report of a session once more: nothing is lost', () => {
  const world = new World();
  const n1 = world.node('n1', 2);
  world.submit('a', { run: 'x', array: '1-3' });
  n1.start();
  const [first] = n1.said;
  assert.ok(first);
  world.tell(first);
  assert.is(n1.inventories, 1);
  n1.answer();
  n1.end();
  n1.work();
  assert.equal(
    world.results('a').map(({ attempts }) => attempts),
    [1, 1, 1],
  );
  assert.equal(n1.revoked, []);
});

test('an answer that was held back is not taken for that of a later question', () => {
  const world = new World();
  const n1 = world.node('n1', 2);
  n1.seq++;
  n1.report({});
  const { question } = n1;
  assert.ok(question);
  n1.answer();
  world.submit('a', { run: 'x', array: '1-2' });
  n1.start();
  n1.seq++;
  n1.report({});
  assert.is(n1.inventories, 2);
  // Of before the tasks, with a number that makes it look new.
  n1.report({ have: [], answers: question });
  n1.answer();
  n1.end();
  assert.equal(
    world.results('a').map(({ attempts }) => attempts),
    [1, 1],
  );
});

test('a first report is taken whether it crossed the question or answers it', () => {
  for (const hasCrossed of [true, false]) {
    const world = new World();
    const n1 = world.node('n1', 1);
    n1.disconnect();
    n1.late = [];
    n1.connect();
    world.pass(dispatchTimes.ask);
    assert.ok(n1.inventories > 0);
    for (const event of n1.late.splice(0)) {
      if (event.type !== 'report') continue;
      world.tell(hasCrossed ? event : { ...event, report: { ...event.report, answers: n1.question } });
    }
    world.submit('a', { run: 'x' });
    assert.is(n1.list().length, 1);
  }
});

test('an agent of before questions had numbers says none: its answer counts', () => {
  const world = new World();
  const n1 = world.node('n1', 2);
  world.submit('a', { run: 'x' });
  n1.start();
  n1.tasks.clear();
  n1.seq++;
  n1.report({});
  n1.everything(undefined);
  assert.is(n1.list()[0]?.a, 2);
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
