/** The dispatch core: which node gets what, and in which messages. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Placement } from '../../broker/jobs/placement/placement.ts';
import { World } from '../fixture/jobs-core-world.ts';

const test = suite('jobs: what is sent');

test('no message has more tasks than the document allows, whatever else goes to the node in the same step', () => {
  const world = new World();
  world.node('n1', 10);
  world.submit('a', { run: 'x', array: '1-5', batch: 2 });
  world.submit('b', { run: 'x', array: '1-3', batch: 1 });
  const tasksOf = ({ spans = [] }: { readonly spans?: readonly { readonly n: number }[] }) =>
    spans.reduce((sum, { n }) => sum + n, 0);
  const sizes = world.sends.map(({ body }) => tasksOf(body)).filter(n => n > 0);
  assert.equal(sizes, [2, 2, 1, 1, 1, 1]);
});

test('the recipe was lost on its way: its tasks come back uncounted, and the next come with it', () => {
  const world = new World();
  const n1 = world.node('n1', 2);
  world.submit('a', { run: 'x', array: '1-4' });
  n1.recipes.clear();
  n1.returnAll(n1.list().map(({ token }) => token));
  assert.is(n1.recipes.size, 1, 'told again');
  assert.equal(
    n1.list().map(({ a }) => a),
    [1, 1],
  );
  n1.work();
  assert.is(world.state('a'), 'succeeded');
  assert.ok(world.results('a').every(({ attempts }) => attempts === 1));
  assert.is(n1.forgot.length, 1, 'and at the end it may forget it');
});

test('a node that could not get what a task needs gets none of it for half a minute, where another one may run it', () => {
  const world = new World(() => new Placement());
  const n1 = world.node('n1', 1);
  world.submit('a', { run: 'x', array: '1-2', retries: 3, backoff_s: 0 });
  const setup = { why: 'setup', err: 'its input cannot be fetched' } as const;
  n1.end(n1.start(), setup);
  assert.is(n1.list().length, 1, 'nobody else is there: it is tried again');
  const n2 = world.node('n2', 1);
  n1.end(n1.start(), setup);
  assert.is(n1.list().length, 0);
  for (let round = 0; round < 4; round++) n2.work();
  assert.is(world.state('a'), 'succeeded');
  world.submit('b', { run: 'x', array: '1-9', retries: 3, backoff_s: 0 });
  n1.end(n1.start(), setup);
  assert.is(n1.list().length, 0);
  world.pass(30_000);
  assert.is(n1.list().length, 1, 'and then it has another chance');
});

test.run();
