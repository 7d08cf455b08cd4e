/** The room's controller: its safety and its bounds. One rule a test. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { type ControlInput, type ControlState, control, freshControl } from '../../broker/heat/control/controller.ts';
import { controlInput as input, mediumRoom as rig } from '../fixture/controlled-room.ts';
import { aimOf } from '../heat/hearth.ts';

const demand = (more: Partial<ControlInput> = {}, state: ControlState = freshControl()) => control(state, input(more));

const safety = suite('controller, safety');

safety('too cold: watts; too warm: none', () => {
  assert.ok(demand().demandW > 100);
  assert.equal(demand().action, 'heating');
  const warm = demand({ sensed: { ok: true, c: 22, ageS: 0 } });
  assert.deepEqual([warm.demandW, warm.action, warm.err], [0, 'idle', '']);
});

safety('no thermometer that counts: nothing, whoever demands', () => {
  const sensed = { ok: false, why: 'the thermometer is gone' } as const;
  for (const more of [{}, { directW: 500 }, { aim: aimOf('room', 20, { minW: 400 }) }]) {
    const answer = demand({ sensed, ...more });
    assert.deepEqual([answer.demandW, answer.action, answer.err], [0, 'idle', 'the thermometer is gone']);
  }
  assert.equal(demand({ sensed: { ok: true, c: Number.NaN, ageS: 0 } }).demandW, 0);
});

safety('off: nothing, whoever demands', () => {
  for (const aim of [aimOf('room', 20, { mode: 'off' }), { ...aimOf('room', 20), targetC: undefined }]) {
    const answer = demand({ aim, directW: 500 });
    assert.deepEqual([answer.demandW, answer.action, answer.err], [0, 'off', '']);
  }
  assert.equal(demand({ aim: aimOf('room', 20, { mode: 'off' }), sensed: { ok: false, why: 'x' } }).err, '');
});

safety('at the hard limit: nothing, whoever demands', () => {
  const sensed = { ok: true, c: 28, ageS: 0 } as const;
  for (const more of [
    { aim: aimOf('room', 30) },
    { directW: 500 },
    { aim: aimOf('room', 30, { minW: 500 }) },
    { aim: aimOf('room', 30, { limitC: Number.NaN }) },
  ]) {
    const answer = demand({ sensed, ...more });
    assert.equal(answer.demandW, 0);
    assert.match(answer.err, /hard limit/);
  }
  assert.ok(demand({ aim: aimOf('room', 30), sensed: { ok: true, c: 27.9, ageS: 0 } }).demandW > 0);
});

safety('never above max_w, nor above what machines can', () => {
  const sensed = { ok: true, c: 5, ageS: 0 } as const;
  assert.equal(demand({ sensed, aim: aimOf('room', 20, { maxW: 200 }) }).demandW, 200);
  assert.equal(demand({ sensed }).demandW, 600);
  assert.equal(demand({ sensed, directW: 5000 }).demandW, 600);
  assert.equal(demand({ sensed, directW: 5000, aim: aimOf('room', 20, { maxW: 300 }) }).demandW, 300);
  assert.equal(demand({ sensed, aim: aimOf('room', 20, { maxW: 300, minW: 900 }) }).demandW, 300);
});

safety('a direct demand takes the place of the thermometer’s', () => {
  assert.equal(demand({ directW: 321 }).demandW, 321);
  assert.equal(demand({ directW: 321, sensed: { ok: true, c: 25, ageS: 0 } }).demandW, 321);
  assert.equal(demand({ directW: -5 }).demandW, 0);
  assert.equal(demand({ directW: Number.NaN }).demandW, 0);
});

safety('a rule’s least and its factor', () => {
  const warm = { ok: true, c: 22, ageS: 0 } as const;
  assert.equal(demand({ sensed: warm, aim: aimOf('room', 20, { minW: 250 }) }).demandW, 250);
  const full = demand({ sensed: { ok: true, c: 10, ageS: 0 } }).demandW;
  assert.equal(
    demand({ sensed: { ok: true, c: 10, ageS: 0 }, aim: aimOf('room', 20, { factor: 0.5 }) }).demandW,
    full / 2,
  );
  assert.equal(demand({ aim: aimOf('room', 20, { factor: 0 }) }).demandW, 0);
});

safety('heating is what is above idle', () => {
  assert.equal(demand({ directW: 80 }).action, 'idle');
  assert.equal(demand({ directW: 82 }).action, 'heating');
});

safety('a window that opens: held back, not for ever', () => {
  const it = rig({ outdoorC: -5 });
  it.run(24);
  it.open = true;
  let held = 0;
  it.run(0.5, answer => {
    if (/window/.test(answer.err)) {
      held++;
      assert.equal(answer.demandW, 0);
    }
  });
  assert.ok(held > 20, `${held} steps`);
  it.open = false;
  it.run(0.75);
  assert.ok((it.answer?.demandW ?? 0) > 150);
  // Left open for good: heated again after half an hour at the latest.
  const other = rig({ outdoorC: -5 });
  other.run(24);
  other.open = true;
  let longest = 0;
  let running = 0;
  other.run(6, answer => {
    running = answer.demandW === 0 ? running + 1 : 0;
    longest = Math.max(longest, running);
  });
  assert.ok(longest <= 62, `${longest / 2} minutes`);
});

safety('a lower target is no window', () => {
  const it = rig({ outdoorC: -5 });
  it.run(24);
  it.targetC = 17;
  it.run(5, ({ err }) => assert.equal(err, ''));
});

safety.run();

const windup = suite('controller, anti-windup');

windup('hours at full power leave no overshoot', () => {
  const it = rig({ outdoorC: -15, startC: 15 });
  it.run(20);
  assert.equal(it.answer?.demandW, 600);
  it.outdoorC = 5;
  let hottest = 0;
  it.run(30, () => {
    hottest = Math.max(hottest, it.room.airC);
  });
  assert.ok(hottest < 20.5, `${hottest} °C`);
});

windup('a day too warm leaves no hole', () => {
  const it = rig({ outdoorC: 5 });
  it.run(24);
  it.sun = 900;
  it.run(8);
  assert.ok(it.room.airC > 20.5);
  it.sun = 0;
  let coldest = 99;
  it.run(12, () => {
    coldest = Math.min(coldest, it.room.airC);
  });
  assert.ok(coldest > 19.6, `${coldest} °C`);
});

windup('given less than asked for hours (a fuse), then all: no overshoot', () => {
  const it = rig({ outdoorC: 0 });
  it.run(24);
  const { state } = it;
  let held = state;
  for (let s = 0; s < 6 * 3600; s += 30) {
    held = control(held, input({ now: it.now + s * 1000, sensed: { ok: true, c: 19.6, ageS: 0 }, heatW: 200 })).state;
  }
  assert.ok(held.integralW <= state.integralW, `${state.integralW} to ${held.integralW} W`);
});

windup('at its maximum the integral stays; max_w counts', () => {
  let state = freshControl();
  for (let s = 0; s < 24 * 3600; s += 30) {
    state = control(
      state,
      input({ now: s * 1000, sensed: { ok: true, c: 15, ageS: 0 }, heatW: 300, aim: aimOf('room', 20, { maxW: 300 }) }),
    ).state;
  }
  assert.ok(state.integralW <= 300);
});

windup('at a bound the integral does not move further that way', () => {
  for (const [c, heatW] of [
    [15, 600],
    [22, 80],
  ] as const) {
    let state: ControlState = { ...freshControl(), integralW: 300 };
    for (let s = 0; s < 3600; s += 30) {
      state = control(state, input({ now: s * 1000, sensed: { ok: true, c, ageS: 0 }, heatW })).state;
    }
    assert.equal(state.integralW, 300, `${c} °C`);
  }
});

windup('price at zero for hours is not made up for by the integral', () => {
  const it = rig({ outdoorC: 0 });
  it.run(24);
  const before = it.state.integralW;
  it.more = { aim: aimOf('room', 20, { factor: 0 }) };
  it.run(3);
  assert.ok(it.state.integralW <= before + 1);
});

windup.run();
