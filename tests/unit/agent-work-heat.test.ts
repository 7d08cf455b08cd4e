/** A node's part in jobs of class heat: how many run, what is said of the frozen, and what outlives its agent. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { HeatTasks } from '../../node-agent/work/side.ts';
import { recipe, WorkRig } from '../fixture/work-rig.ts';

const test = suite('agent work of heat');
const warm = { heat: true, common: { ms: 1000 } };
/** The last word on what is frozen. */
const frozen = (rig: WorkRig, ms = 100) =>
  rig
    .said(ms)
    .reports.map(report => report.frozen)
    .filter(one => one !== undefined)
    .at(-1);

test('none runs before heat is asked for; what runs above it is frozen, and said to be', () => {
  const rig = new WorkRig(4).start().up();
  rig.tasks(1, 3, warm);
  assert.equal(rig.said(5000).started, []);
  assert.equal(rig.runner.heatTasks, { running: 0, waiting: 3 });
  rig.runner.heat(2, []);
  assert.equal(rig.said(100).started, [1, 2]);
  assert.equal(rig.runner.heatTasks, { running: 2, waiting: 1 });
  rig.runner.heat(0, []);
  assert.equal(frozen(rig), [[1, 2]]);
  assert.equal(rig.said(100_000).ended, []);
  assert.equal(rig.runner.heatTasks, { running: 2, waiting: 1 }, 'frozen ones run, as the lease sees it');
  rig.runner.heat(1, []);
  assert.equal(frozen(rig), [[2, 1]]);
  const { results } = rig.said(1000);
  assert.equal(
    results.map(([token, ms]) => [token, ms]),
    [[1, 1000]],
  );
});

test('others have slots of their own beside it', () => {
  const rig = new WorkRig(2).start().up();
  rig.runner.heat(2, []);
  rig.work({
    recipes: [recipe(1, warm), recipe(2)],
    spans: [
      { t: 1, r: 1, i: 0, n: 2, a: 1 },
      { t: 10, r: 2, i: 0, n: 2, a: 1 },
    ],
  });
  assert.equal(rig.said(20).started, [1, 2, 10, 11]);
});

test('in a new session, and of a new agent, the frozen are said anew', () => {
  const rig = new WorkRig(2).start().up();
  rig.runner.heat(1, []);
  rig.tasks(1, 2, warm);
  rig.said(10);
  rig.runner.heat(0, []);
  assert.equal(frozen(rig), [[1, 1]]);
  rig.runner.down();
  rig.up();
  const { have, reports } = rig.said(10);
  assert.equal(
    have.map(([token, , , , state]) => [token, state]),
    [
      [1, 1],
      [2, 0],
    ],
  );
  assert.equal(reports[0]?.frozen, [[1, 1]]);
  rig.restart().up();
  assert.equal(frozen(rig), [[1, 1]]);
  assert.equal(rig.runner.heatTasks, { running: 1, waiting: 1 });
});

test('revoked while frozen, it is gone, and nothing frozen is left', () => {
  const rig = new WorkRig(2).start().up();
  rig.runner.heat(1, []);
  rig.tasks(1, 1, warm);
  rig.said(10);
  rig.runner.heat(0, []);
  rig.said(10);
  rig.work({ revoke: [[1, 1]] });
  assert.equal(frozen(rig), []);
  assert.equal(rig.executor.held, []);
  assert.equal(rig.runner.heatTasks, { running: 0, waiting: 0 });
});

test('urgent, it runs without heat; also what an earlier agent was told of', () => {
  const rig = new WorkRig(4).start().up();
  rig.runner.heat(1, []);
  rig.tasks(1, 3, warm);
  rig.said(10);
  rig.runner.heat(0, []);
  assert.equal(frozen(rig), [[1, 1]]);
  rig.restart().up();
  rig.said(10);
  rig.work({ urgent: [1, 77] });
  const { started, reports } = rig.said(10);
  assert.equal(started, [2, 3]);
  assert.equal(reports.at(-1)?.frozen ?? reports.find(report => report.frozen)?.frozen, []);
  assert.equal(rig.runner.heatTasks, { running: 0, waiting: 0 });
  assert.equal(rig.said(2000).ended.sort(), [1, 2, 3]);
});

test('who wants to know hears how many there are, whenever that is another number', () => {
  const rig = new WorkRig(4);
  const heard: HeatTasks[] = [];
  rig.runner.start({ publish: () => true, changed() {}, heat: tasks => void heard.push(tasks) });
  rig.runner.configure(undefined, false);
  rig.up();
  rig.runner.heat(1, []);
  rig.tasks(1, 2, warm);
  rig.clock.advance(5000);
  assert.equal(heard[0], { running: 0, waiting: 2 });
  assert.equal(heard[1], { running: 1, waiting: 1 });
  assert.equal(heard.at(-1), { running: 0, waiting: 0 });
  const before = heard.length;
  rig.work({ recipes: [recipe(2)], spans: [{ t: 10, r: 2, i: 0, n: 2, a: 1 }] });
  rig.clock.advance(5000);
  assert.is(heard.length, before, 'others are nothing to it');
});

test.run();
