/** Jobs of class heat in the dispatch core: where they go, what becomes of them when heat ends, and when they are urgent. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Placement } from '../../broker/jobs/placement/placement.ts';
import { World } from '../fixture/jobs-core-world.ts';

const test = suite('jobs of class heat');
const minute = 60_000;
const rig = (...nodes: string[]) => {
  const world = new World(() => new Placement());
  return { world, nodes: nodes.map(id => world.node(id, 4)) as [ReturnType<World['node']>, ReturnType<World['node']>] };
};
const heat = (more: object = {}) => ({ run: 'x', array: '1-8', class: 'heat', ...more });

test('waits, and says so, until heat is asked of a node; then as many as are asked for', () => {
  const { world, nodes } = rig('n1', 'n2');
  const [n1, n2] = nodes;
  world.submit('j', heat());
  world.submit('b', { run: 'y' });
  assert.is(n1.inHand + n2.inHand, 1, 'only what waits for no heat is sent');
  assert.is(world.is.get('j')?.waiting, 'for heat');
  assert.is(world.core.explain('j')?.why, 'it waits for heat');
  assert.equal(
    world.core.explain('j')?.nodes.map(({ why }) => why),
    ['heat is not asked of it', 'heat is not asked of it'],
  );
  n1.heats(3);
  const r = [...world.recipes.values()].find(({ job }) => job === 'j')?.r;
  const there = n1.list(0).filter(task => task.r === r).length;
  assert.is(there + n1.list(0).filter(task => task.r !== r).length, 3, 'the others’ tasks are counted');
  assert.is(n2.list(0).filter(task => task.r === r).length, 0);
  assert.ok(world.recipes.get(r ?? 0)?.heat);
  n1.start();
  world.pass(2000);
  assert.is(world.is.get('j')?.waiting, undefined);
  assert.equal(world.core.heatWork('n1'), { running: there, waiting: 8 - there });
  assert.equal(world.core.heatWork('n2'), { running: 0, waiting: 8 - there });
});

test('heat leaves the slots of others alone', () => {
  const { world, nodes } = rig('n1');
  const [n1] = nodes;
  n1.heats(4);
  world.submit('j', heat());
  n1.start();
  assert.is(n1.list(1).length, 4);
  n1.report({ slots: 4, credits: 100 });
  world.submit('b', { run: 'y', array: '1-4' });
  assert.is(n1.list(0).length, 4, 'they find room beside it');
});

test('the end of heat: what is not begun is asked back, what is stays frozen there for as long as it takes', () => {
  const { world, nodes } = rig('n1', 'n2');
  const [n1] = nodes;
  n1.heats(2);
  world.submit('j', heat({ array: '1-2' }));
  const [begun] = n1.start(n1.list(0).slice(0, 1));
  n1.heats(0);
  assert.equal(n1.asked, [n1.list(0)[0]?.token]);
  n1.returnAll(n1.asked);
  assert.is(world.is.get('j')?.waiting, 'for heat');
  world.pass(48 * 60 * minute);
  n1.answer();
  assert.equal(n1.revoked, [], 'no node is asked for heat: it stays');
  assert.is(world.core.job('j')?.is.failed, 0);
  n1.heats(2);
  n1.start();
  n1.end();
  assert.is(world.state('j'), 'succeeded');
  assert.is(world.results('j').find(({ index }) => index === begun?.index)?.attempts, 1);
});

test('frozen for five minutes it goes where heat is asked for, with its checkpoint, and no attempt is counted', () => {
  const { world, nodes } = rig('n1', 'n2');
  const [n1, n2] = nodes;
  n1.heats(1);
  world.submit('j', heat({ array: '1', retries: 0 }));
  const [task] = n1.start();
  world.pass(60 * minute);
  n1.report({ checkpoints: [[task?.token ?? 0, 'YWJj']] });
  n1.answer();
  n1.heats(0);
  n2.heats(1);
  world.pass(4 * minute);
  assert.equal(n1.revoked, []);
  world.pass(2 * minute);
  n1.answer();
  assert.equal(n1.revoked, [task?.token]);
  const [moved] = n2.list(0);
  assert.is(moved?.cp, 'YWJj');
  assert.is(moved?.a, 1);
  n2.start();
  n2.end();
  assert.is(world.results('j')[0]?.attempts, 1);
  assert.is(world.results('j')[0]?.node, 'n2');
});

test('what never saved anything is moved once it was frozen for longer than it had run', () => {
  const { world, nodes } = rig('n1', 'n2');
  const [n1, n2] = nodes;
  n1.heats(1);
  world.submit('j', heat({ array: '1' }));
  n1.start();
  world.pass(30 * minute);
  n1.heats(0);
  n2.heats(1);
  world.pass(29 * minute);
  assert.equal(n1.revoked, []);
  world.pass(2 * minute);
  assert.is(n1.revoked.length, 1);
  assert.is(n2.list(0).length, 1);
});

test('a node that comes back, and a supervisor that starts anew, find the frozen frozen', () => {
  const { world, nodes } = rig('n1');
  const [n1] = nodes;
  n1.heats(1);
  world.submit('j', heat({ array: '1', retries: 0 }));
  n1.start();
  n1.heats(0);
  world.crash();
  n1.connect();
  n1.heats(0);
  assert.is(world.core.job('j')?.is.running, 1);
  assert.is(world.core.job('j')?.is.waiting, 'for heat');
  world.pass(60 * minute);
  n1.heats(1);
  assert.is(world.core.job('j')?.is.waiting, undefined);
  n1.end();
  assert.is(world.state('j'), 'succeeded');
});

test('no second copy of what is frozen', () => {
  const { world, nodes } = rig('n1', 'n2');
  const [n1, n2] = nodes;
  n1.heats(4);
  world.submit('j', heat({ array: '1-4', speculate: true }));
  const [slow, ...others] = n1.start();
  n1.end(others);
  n1.heats(0);
  n2.heats(4);
  world.pass(4 * minute);
  assert.is(n2.inHand, 0, 'it is no straggler');
  n1.heats(4);
  world.pass(500);
  assert.is(n2.inHand, 0, 'nor is it for the time that it was frozen');
  world.pass(3000);
  assert.is(n2.inHand, 1, 'but for its own');
  assert.ok(slow);
});

test('its deadline makes it urgent: in the last quarter, where nothing was measured', () => {
  const { world, nodes } = rig('n1');
  const [n1] = nodes;
  world.submit('j', heat({ array: '1-3', deadline_s: 400 }));
  world.pass(299_000);
  assert.is(n1.inHand, 0);
  world.pass(2000);
  assert.is(n1.list(0).length, 3, 'it goes wherever there is room');
  assert.not(world.recipes.get(n1.list(0)[0]?.r ?? 0)?.heat);
  assert.is(world.core.job('j')?.is.waiting, undefined);
  n1.work();
  assert.is(world.state('j'), 'succeeded');
});

test('measured, once less than twice is left of what its tasks are expected to take; frozen ones go on', () => {
  const { world, nodes } = rig('n1');
  const [n1] = nodes;
  n1.heats(2);
  // 40 tasks of 100 s on four slots are 1000 s.
  world.submit('j', heat({ array: '1-40', deadline_s: 4000 }));
  const [one, two] = n1.start();
  n1.report({ results: [[one?.token ?? 0, 100_000, 100_000]] });
  n1.tasks.delete(one?.token ?? 0);
  n1.heats(0);
  const asked = n1.asked.splice(0);
  if (asked.length > 0) n1.returnAll(asked);
  n1.heats(0);
  assert.is(n1.list(1).length, 1);
  world.pass(1_900_000);
  n1.answer();
  assert.equal(n1.urgent, []);
  world.pass(200_000);
  assert.is(n1.urgent.length, 1, 'its node is told');
  assert.is(n1.urgent[0], two?.r);
  assert.ok(n1.list(0).length >= 1, 'and gets more of it');
});

test('a retry begins anew: it waits for heat, with all of its time', () => {
  const { world, nodes } = rig('n1');
  const [n1] = nodes;
  world.submit('j', heat({ array: '1', deadline_s: 400 }));
  world.pass(401_000);
  n1.answer();
  assert.is(world.state('j'), 'timed-out');
  world.order('j', 'retry');
  assert.is(n1.inHand, 0);
  assert.is(world.core.job('j')?.is.waiting, 'for heat');
  n1.heats(1);
  assert.ok(world.recipes.get(n1.list(0)[0]?.r ?? 0)?.heat);
});

test.run();
