/** The executor's line of heat: how many run, whose time counts, and what becomes of those that are frozen. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HeatLine } from '../../node-agent/work/executor/heat-line.ts';
import type { LaneHandlers } from '../../node-agent/work/executor/runner.ts';
import { Share } from '../../node-agent/work/executor/share.ts';
import type { Ended, ExecutorTask } from '../../node-agent/work/executor.ts';
import type { Recipe } from '../../shared/schemas/work.ts';
import { manualClock } from '../fixture/manual-clock.ts';

const test = suite('the line of heat');

interface PlayedLane {
  readonly handlers: LaneHandlers;
  readonly holds: number[];
  readonly told: string[];
  frozen: boolean;
  stopped: boolean;
}

function rig() {
  const clock = manualClock();
  const lanes: PlayedLane[] = [];
  const results: Ended[] = [];
  const dropped: number[] = [];
  const state = { frozen: [] as readonly number[], pace: 1, over: false };
  const heat = new HeatLine({
    share: new Share(clock.now()),
    now: () => clock.now(),
    after: (ms, fn) => clock.after(ms, fn),
    groups: { set: () => false, pace: () => state.pace },
    isOver: () => state.over,
    runner: () => ({
      ahead: 100,
      open(_, handlers) {
        const lane: PlayedLane = { handlers, holds: [], told: [], frozen: false, stopped: false };
        lanes.push(lane);
        return {
          run: tasks => void lane.holds.push(...tasks.map(({ token }) => token)),
          stop: token => void lane.told.push(`stop ${token}`),
          freeze(on) {
            lane.frozen = on;
            lane.told.push(on ? 'freeze' : 'thaw');
          },
          get stopped() {
            return lane.stopped;
          },
          heat: on => void lane.told.push(on ? 'in' : 'out'),
          close() {},
        };
      },
      configure() {},
      forget() {},
      rest() {},
      close: done => done(),
    }),
    forget() {},
    started() {},
    ended: result => void results.push(result),
    dropped: tokens => void dropped.push(...tokens),
    checkpoint() {},
    full: () => false,
    frozen(tokens) {
      state.frozen = tokens;
    },
  });
  const laneOf = (token: number) => lanes.find(({ holds }) => holds.includes(token)) as PlayedLane;
  const begin = (...tokens: number[]) => {
    for (const token of tokens) laneOf(token).handlers.began(token);
  };
  const end = (token: number, ms?: number) => {
    const lane = laneOf(token);
    lane.holds.splice(lane.holds.indexOf(token), 1);
    lane.handlers.ended(token, undefined, ms);
  };
  const held = () => lanes.flatMap(({ holds }) => holds).sort((a, b) => a - b);
  return { clock, lanes, results, dropped, state, heat, laneOf, begin, end, held };
}

const recipe = (r = 1, more: Partial<Recipe> = {}): Recipe => ({
  ...{ r, job: 'j', by: 'anna', n: 100, run: 'true', timeout_s: 10, cpus: 1, heat: true },
  ...more,
});
const tasks = (r: number, ...tokens: number[]): ExecutorTask[] =>
  tokens.map(token => ({ token, r, index: token, attempt: 1 }));

test('nothing runs before it is said; then as many as there are slots, each in a lane of its own', () => {
  const { heat, held, begin, end } = rig();
  heat.add([recipe()], tasks(1, 1, 2, 3));
  assert.equal(held(), []);
  heat.limit(2, []);
  assert.equal(held(), [1, 2]);
  begin(1, 2);
  end(1, 0.01);
  begin(3);
  end(2, 0.01);
  end(3, 0.01);
  heat.add([recipe()], tasks(1, 4, 5, 6, 7));
  assert.equal(held(), [4, 5], 'however short they are, none waits in a lane that may be frozen');
});

test('an agent that hangs says nothing: with the end of its lease all are frozen, and nothing new begins until there is one', () => {
  const { clock, heat, held, begin, end, laneOf, state } = rig();
  heat.limit(2, []);
  heat.add([recipe()], tasks(1, 1, 2, 3));
  begin(1, 2);
  clock.advance(3000);
  assert.equal(state.frozen, []);
  state.over = true;
  clock.advance(1000);
  assert.equal(state.frozen, [1, 2]);
  assert.ok(laneOf(1).frozen && laneOf(2).frozen);
  heat.limit(2, []);
  assert.equal(state.frozen, [1, 2], 'nor by a word that came too late');
  state.over = false;
  clock.advance(1000);
  assert.equal(state.frozen, []);
  end(1);
  assert.equal(held(), [2, 3]);
});

test('a word that is no number is none', () => {
  const { heat, held } = rig();
  heat.add([recipe()], tasks(1, 1));
  for (const most of [Number.NaN, Number.POSITIVE_INFINITY, -1, 0.9]) heat.limit(most, []);
  assert.equal(held(), []);
});

test('what began last is frozen first; who is over makes room for it before anything new', () => {
  const { clock, heat, held, begin, end, laneOf, state } = rig();
  heat.limit(2, []);
  heat.add([recipe()], tasks(1, 1, 2, 3));
  begin(2);
  clock.advance(1);
  begin(1);
  heat.limit(1, []);
  assert.equal(state.frozen, [1]);
  assert.ok(laneOf(1).frozen);
  end(2);
  assert.not(laneOf(1).frozen);
  assert.equal(state.frozen, []);
  assert.equal(held(), [1], 'the new one waits');
});

test('time while frozen counts neither against the timeout nor as its own, nor for the share', () => {
  const { clock, heat, begin, end, results, laneOf } = rig();
  heat.limit(2, []);
  heat.add([recipe()], tasks(1, 1, 2));
  begin(1, 2);
  clock.advance(4000);
  heat.limit(1, []);
  clock.advance(3000);
  assert.equal(laneOf(2).told, ['freeze']);
  end(1, 7000);
  assert.is(results[0]?.ms, 7000);
  assert.is(results[0]?.shareMs, 4000 / 2 + 3000);
  clock.advance(5000);
  assert.equal(laneOf(2).told, ['freeze', 'thaw']);
  end(2, 99_000);
  assert.is(results[1]?.ms, 9000, 'by this clock, since the worker’s went on');
  assert.is(results[1]?.shareMs, 4000 / 2 + 5000);
});

test('its timeout comes when it had its time', () => {
  const { clock, heat, begin, laneOf } = rig();
  heat.limit(1, []);
  heat.add([recipe()], tasks(1, 1));
  begin(1);
  clock.advance(9000);
  heat.limit(0, []);
  clock.advance(1_000_000);
  assert.equal(laneOf(1).told, ['freeze']);
  heat.limit(1, []);
  clock.advance(900);
  assert.not(laneOf(1).told.includes('stop 1'));
  clock.advance(200);
  assert.ok(laneOf(1).told.includes('stop 1'));
});

test('frozen by another, or dimmed, time stands still or goes slower', () => {
  const { clock, heat, begin, laneOf, state } = rig();
  heat.limit(2, []);
  heat.add([recipe()], tasks(1, 1, 2));
  begin(1, 2);
  state.pace = 0;
  clock.advance(60_000);
  assert.equal(laneOf(1).told, []);
  state.pace = 1;
  laneOf(2).stopped = true;
  clock.advance(12_000);
  assert.ok(laneOf(1).told.includes('stop 1'));
  assert.equal(laneOf(2).told, []);
  laneOf(2).stopped = false;
  state.pace = 0.25;
  clock.advance(30_000);
  assert.equal(laneOf(2).told, [], '10 s are 40 then');
  clock.advance(12_000);
  assert.ok(laneOf(2).told.includes('stop 2'));
});

test('what another stopped goes on when it is said to run', () => {
  const { heat, begin, laneOf } = rig();
  heat.limit(1, []);
  heat.add([recipe()], tasks(1, 1));
  begin(1);
  laneOf(1).stopped = true;
  heat.limit(1, []);
  assert.equal(laneOf(1).told, ['thaw']);
});

test('killed while frozen, it goes on before it is stopped, and is frozen no more', () => {
  const { heat, begin, end, laneOf, dropped, state } = rig();
  heat.limit(1, []);
  heat.add([recipe()], tasks(1, 1));
  begin(1);
  heat.limit(0, []);
  const lane = laneOf(1);
  heat.line.kill([1]);
  assert.equal(lane.told, ['freeze', 'thaw', 'stop 1']);
  heat.limit(0, []);
  assert.equal(lane.told, ['freeze', 'thaw', 'stop 1'], 'who ends is left alone');
  end(1);
  assert.equal(dropped, [1]);
  assert.equal(state.frozen, []);
});

test('frozen before it began, it is given back when it is asked for', () => {
  const { heat, laneOf, dropped } = rig();
  heat.limit(1, []);
  heat.add([recipe()], tasks(1, 1, 2));
  heat.limit(0, []);
  const lane = laneOf(1);
  heat.line.takeBack([1, 2]);
  assert.equal(dropped, [2]);
  assert.equal(lane.told.slice(0, 2), ['freeze', 'stop 1'], 'it has left the lane before that goes on');
  lane.handlers.returned([1]);
  assert.equal(dropped, [2, 1]);
});

test('began after it was frozen, it is frozen from its beginning on', () => {
  const { clock, heat, begin, end, results, state } = rig();
  heat.limit(1, []);
  heat.add([recipe()], tasks(1, 1));
  heat.limit(0, []);
  begin(1);
  clock.advance(60_000);
  assert.equal(state.frozen, [1]);
  heat.limit(1, []);
  clock.advance(500);
  end(1);
  assert.is(results[0]?.ms, 500);
  assert.is(results[0]?.shareMs, 500);
});

test('urgent: what waits is for the other line, what is frozen goes on outside of the groups', () => {
  const { heat, begin, laneOf, state } = rig();
  heat.limit(1, []);
  heat.add([recipe()], tasks(1, 1, 2));
  begin(1);
  heat.limit(0, []);
  assert.equal(
    heat.urgent(1).map(({ token }) => token),
    [2],
  );
  assert.equal(laneOf(1).told, ['freeze', 'out', 'thaw']);
  assert.equal(state.frozen, []);
  heat.limit(0, []);
  assert.not(laneOf(1).frozen);
});

test.run();
