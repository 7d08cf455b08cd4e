/** The executor's core: order, slots, lanes, time and share, with lanes that a test plays. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { lineRig, recipe, tasks } from '../fixture/line-rig.ts';

const core = suite('the line of an executor');

core('in order, never more than the slots, and the next without asking', () => {
  const { line, begin, end, held, said, results } = lineRig();
  line.add([recipe(1)], tasks(1, 1, 2, 3, 4));
  assert.equal(held(), [1, 2]);
  begin(1, 2);
  end(2);
  assert.equal(held(), [1, 3]);
  end(1, { why: 'exit', exit: 1 });
  assert.equal(held(), [3, 4]);
  assert.equal(said, ['started 1', 'started 2']);
  assert.equal(
    results.map(({ token, end }) => [token, end?.why]),
    [
      [2, undefined],
      [1, 'exit'],
    ],
  );
  assert.equal(line.held(), [
    [3, 1, 3, 1, 0],
    [4, 1, 4, 1, 0],
  ]);
});

core('a task of two slots waits for both, and nobody overtakes it', () => {
  const { line, begin, end, held } = lineRig();
  line.add([recipe(1), recipe(2, { cpus: 2 }), recipe(3, { cpus: 9 })], tasks(1, 1, 2));
  line.add([], [...tasks(2, 3), ...tasks(1, 4), ...tasks(3, 5)]);
  begin(1, 2);
  end(1);
  assert.equal(held(), [2]);
  end(2);
  assert.equal(held(), [3]);
  end(3);
  assert.equal(held(), [4]);
  end(4);
  assert.equal(held(), [5], 'one that asks for more than there is gets all');
});

core('no slots, and nothing begins; results that nobody takes, and nothing begins', () => {
  const { line, held, state } = lineRig(0);
  line.add([recipe(1)], tasks(1, 1, 2));
  assert.equal(held(), []);
  state.full = true;
  line.slots(2);
  assert.equal(held(), []);
  state.full = false;
  line.pump();
  assert.equal(held(), [1, 2]);
});

core('taken back: who waits is dropped, who has a lane is not; killed: each is dropped once it is gone', () => {
  const { line, begin, end, held, said, laneOf, results } = lineRig(1);
  line.add([recipe(1)], tasks(1, 1, 2, 3));
  begin(1);
  line.takeBack([1, 2, 99]);
  assert.equal(said, ['started 1', 'dropped 2']);
  line.kill([1, 98]);
  assert.equal(said.slice(2), ['dropped 98'], 'one that is not known is gone');
  assert.equal(laneOf(1).stopped, [1]);
  assert.equal(line.held(), [[3, 1, 3, 1, 0]]);
  laneOf(1).handlers.checkpoint(1, 'x');
  end(1, { why: 'signal' });
  assert.equal(said.slice(3), ['dropped 1']);
  assert.equal(results, []);
  assert.equal(held(), [3]);
});

core('the time of each counts from its own start; late, it is stopped, and that is why it ended', () => {
  const { line, begin, end, clock, laneOf, results } = lineRig(1);
  line.add([recipe(1)], tasks(1, 1, 2));
  begin(1);
  clock.advance(9_000);
  end(1);
  begin(2);
  const lane = laneOf(2);
  clock.advance(9_999);
  assert.equal(lane.stopped, []);
  clock.advance(2);
  assert.equal(lane.stopped, [2]);
  end(2, { why: 'signal', err: 'ended by SIGTERM', signal: 'TERM', out: 'x' });
  assert.equal(results[1]?.end, { why: 'timeout', err: 'it ran longer than its 10 s', signal: 'TERM', out: 'x' });
});

core("shares: time alone is a task's own, time together is split", () => {
  const { line, begin, end, clock, results } = lineRig();
  line.add([recipe(1)], tasks(1, 1, 2));
  begin(1);
  clock.advance(100);
  begin(2);
  clock.advance(100);
  end(1);
  clock.advance(50);
  end(2);
  assert.equal(
    results.map(({ ms, shareMs }) => [ms, shareMs]),
    [
      [200, 150],
      [150, 100],
    ],
  );
});

core('short tasks are given in advance, as many as take some 20 ms; long ones one at a time', () => {
  const { line, begin, end, held, results } = lineRig(1, 64);
  line.add([recipe(1)], tasks(1, ...Array.from({ length: 100 }, (_, index) => index + 1)));
  assert.equal(held(), [1]);
  begin(1);
  end(1, undefined, 2);
  assert.is(held().length, 10);
  for (const token of held()) {
    begin(token);
    end(token, undefined, 1000);
  }
  assert.is(held().length, 1);
  assert.is(results[0]?.ms, 2, 'its own word on its time counts');
});

core('given back, they are first in line again; and not for ever', () => {
  const { line, begin, end, held, lanes, laneOf, results } = lineRig(1, 64);
  line.add([recipe(1)], tasks(1, ...Array.from({ length: 20 }, (_, index) => index + 1)));
  begin(1);
  end(1, undefined, 5);
  assert.equal(held(), [2, 3, 4, 5]);
  const lane = laneOf(2);
  begin(2);
  lane.holds.length = 0;
  lane.handlers.returned([3, 4, 5], true);
  lane.handlers.ended(2, { why: 'error' });
  assert.equal(held(), [3, 4, 5, 6].slice(0, held().length));
  for (let round = 0; round < 10; round++) {
    const one = lanes.find(({ holds }) => holds.includes(3));
    if (!one) break;
    const all = one.holds.splice(0);
    one.handlers.returned(all, true);
  }
  assert.match(results.find(({ token }) => token === 3)?.end?.err ?? '', /ended before it began, 5 times/);
});

core('what a lane gives back because the one before it is slow is not charged to it', () => {
  const { line, begin, end, lanes, results } = lineRig(1, 64);
  line.add([recipe(1)], tasks(1, 1, 2));
  begin(1);
  end(1, undefined, 5);
  for (let round = 0; round < 20; round++) {
    const one = lanes.find(({ holds }) => holds.includes(2));
    assert.ok(one, `round ${round}: it is with a lane again`);
    one.handlers.returned(one.holds.splice(0));
  }
  begin(2);
  end(2);
  assert.equal(
    results.map(({ token, end: how }) => [token, how]),
    [
      [1, undefined],
      [2, undefined],
    ],
  );
});

core('idle lanes stay for the next task of their recipe, and go where others need the place', () => {
  const { line, begin, end, lanes } = lineRig(1);
  line.add([recipe(1), recipe(2)], tasks(1, 1));
  begin(1);
  end(1);
  line.add([], tasks(1, 2));
  assert.is(lanes.length, 1);
  begin(2);
  end(2);
  line.add([], tasks(2, 3));
  assert.equal(
    lanes.map(({ r, closed }) => [r, closed]),
    [
      [1, true],
      [2, false],
    ],
  );
  begin(3);
  end(3);
  line.closeIdle();
  assert.ok(lanes.every(({ closed }) => closed));
});

core('a recipe is forgotten once none of its tasks is held; what is not known or not for here is told', () => {
  const { line, begin, end, said, results } = lineRig(1);
  line.add([recipe(1)], tasks(1, 1, 2));
  begin(1);
  line.forget([1]);
  assert.not(said.includes('forget 1'));
  end(1);
  begin(2);
  end(2);
  assert.ok(said.includes('forget 1'));
  line.add([], tasks(1, 3));
  assert.is(results.at(-1)?.end?.why, 'lost');
  const { run: _, ...other } = recipe(4);
  line.add([other], tasks(4, 5));
  assert.equal(results.at(-1)?.end, { why: 'denied', err: 'not here' });
  assert.equal(said.slice(-2), ['started 3', 'started 5'], 'each ends after a start');
  assert.is(line.size, 0);
});

core('the same task twice is one, and what a stranger says of a task is nothing', () => {
  const { line, begin, end, held, lanes, results, said } = lineRig(2);
  line.add([recipe(1)], [...tasks(1, 1), ...tasks(1, 1)]);
  assert.equal(held(), [1]);
  line.add([], tasks(1, 2));
  begin(1, 2);
  lanes[0]?.handlers.ended(2);
  lanes[0]?.handlers.checkpoint(2, 'x');
  lanes[0]?.handlers.began(1);
  assert.equal(results, []);
  end(1);
  lanes[0]?.handlers.ended(1);
  assert.is(results.length, 1);
  assert.equal(said, ['started 1', 'started 2']);
});

core.run();
