/** The dispatch core: how jobs are taken, and what becomes of them by word of people. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { World } from '../fixture/jobs-core-world.ts';

const test = suite('jobs: submissions and orders');

test('one job from submission to its end', () => {
  const world = new World();
  world.autoSync = false;
  const n1 = world.node('n1');
  assert.is(world.submit('pi', { run: 'true', array: '1-250' }), undefined, 'not answered before it is synced');
  assert.is(n1.list().length, 0, 'nothing runs of what is not accepted');
  world.sync();
  assert.equal(world.answers, [{ type: 'answer', answer: 1, job: 'pi', fresh: true }]);
  assert.is(n1.list().length, 100);
  const [recipe] = [...n1.recipes.values()];
  assert.is(recipe?.run, 'true');
  assert.is(recipe?.array, '1-250');
  n1.end(n1.start());
  assert.is(n1.acked.length, 0, 'no ack before the commit is synced');
  assert.is(world.results('pi').length, 0, 'nothing on out before it is synced');
  world.sync();
  assert.is(n1.acked.length, 100);
  assert.is(world.results('pi').length, 100);
  world.autoSync = true;
  n1.report({});
  n1.work();
  assert.is(world.state('pi'), 'succeeded');
  assert.equal(
    world.results('pi').map(({ index }) => index),
    Array.from({ length: 250 }, (_, i) => i),
  );
  const is = world.is.get('pi');
  assert.is(is?.state, 'succeeded');
  assert.is(is?.succeeded, 250);
  assert.is(is?.pct, 100);
  assert.is(is?.outs, world.outs.get('pi')?.length);
  assert.equal(n1.forgot, [recipe?.r]);
});

test.run();
