/** The room's controller: nothing makes it jump but what is meant to. One rule a test. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { type ControlState, control, freshControl, loadedControl } from '../../broker/heat/control/controller.ts';
import { controlInput as input, mediumRoom as rig } from '../fixture/controlled-room.ts';

const bumps = suite('controller, bumplessness');
const settled = (more = {}) => {
  const it = rig({ outdoorC: 0, ...more });
  it.more = { outdoorC: 0 };
  it.run(30);
  return it;
};

bumps('a new target moves the demand by what P says, no more', () => {
  for (const step of [-1, -0.5, 0.3, 0.5]) {
    const it = settled();
    const before = it.answer?.demandW ?? 0;
    it.targetC += step;
    const after = it.step().demandW;
    assert.ok(Math.abs(after - before) <= Math.abs(it.state.kc * step) + 5, `${step} °C: ${before} to ${after} W`);
  }
});

bumps('the outdoor reading comes and goes', () => {
  const it = settled();
  it.more = { outdoorC: 0 };
  // As if it had learned that it loses 25 W per °C.
  it.state = {
    ...it.state,
    losses: { ...it.state.losses, samples: 500, fit: { theta: [2.5, 0, 0], p: [0.01, 0, 0, 0, 0.01, 0, 0, 0, 0.01] } },
  };
  let last = it.step().demandW;
  for (const more of [{}, { outdoorC: 0 }, {}, { outdoorC: Number.NaN }, { outdoorC: -10 }, { outdoorC: 10 }]) {
    it.more = more;
    const { demandW } = it.step();
    assert.ok(Math.abs(demandW - last) < 10, `${JSON.stringify(more)}: ${last} to ${demandW} W`);
    last = demandW;
  }
});

bumps('new gains while it is off the target', () => {
  const it = settled();
  const c = it.reading - 0.4;
  const at = (state: ControlState) => control(state, input({ now: it.now + 30_000, sensed: { ok: true, c, ageS: 0 } }));
  const state = at(it.state).state;
  const before = control(state, input({ now: it.now + 30_000, sensed: { ok: true, c, ageS: 0 } }));
  const calm = control(
    { ...state, swing: { ...state.swing, calm: 0.5 } },
    input({ now: it.now + 30_000, sensed: { ok: true, c, ageS: 0 } }),
  );
  assert.ok(calm.state.kc < 0.6 * before.state.kc);
  assert.ok(Math.abs(calm.demandW - before.demandW) < 1, `${before.demandW} to ${calm.demandW} W`);
});

bumps('from a direct demand back, in small steps', () => {
  const it = rig({ outdoorC: 8 });
  it.run(30);
  it.more = { directW: 500 };
  it.run(0.5);
  it.more = {};
  let last = 500;
  it.run(1, ({ demandW }) => {
    assert.ok(Math.abs(demandW - last) <= 40, `${last} to ${demandW} W`);
    last = demandW;
  });
  assert.ok(last < 400);
});

bumps('a direct demand that held heat back ends in a cold room: what it needs at once', () => {
  const it = rig({ outdoorC: 0 });
  it.run(30);
  const held = it.answer?.demandW ?? 0;
  it.more = { directW: 0 };
  it.run(4, ({ demandW }) => assert.equal(demandW, 0));
  const cold = 20 - (it.state.c ?? 0);
  assert.ok(cold > 0.5, `${cold} °C too cold`);
  it.more = {};
  const { demandW, action } = it.step();
  assert.ok(demandW >= Math.min(600, held + 0.9 * cold * it.state.kc), `${demandW} W, ${held} W held it`);
  assert.equal(action, 'heating');
});

bumps('the same in a warm room: from what the machines draw anyway, in small steps', () => {
  const it = rig({ outdoorC: 0 });
  it.run(30);
  it.more = { directW: 0 };
  it.step();
  it.more = {};
  let last = 80;
  it.run(0.25, ({ demandW }) => {
    assert.ok(demandW - last <= 60 && demandW >= 60, `${last} to ${demandW} W`);
    last = demandW;
  });
  assert.ok(last > 120, `${last} W`);
});

bumps('a thermometer that was gone for a moment: heating goes on as before', () => {
  const it = settled();
  const before = it.answer?.demandW ?? 0;
  it.more = { sensed: { ok: false, why: 'stale' } };
  assert.equal(it.step().demandW, 0);
  it.more = {};
  assert.ok(Math.abs(it.step().demandW - before) < 60);
});

bumps('a restart goes on where it was', () => {
  const it = settled();
  const before = it.answer?.demandW ?? 0;
  const state = loadedControl(JSON.parse(JSON.stringify(it.state)));
  const after = control(state, {
    ...input({ now: 5, sensed: { ok: true, c: it.reading, ageS: 0 }, heatW: before }),
    outdoorC: 0,
  });
  assert.ok(Math.abs(after.demandW - before) < 60, `${before} to ${after.demandW} W`);
});

bumps('a clock that jumps moves nothing', () => {
  const it = settled();
  const before = it.answer?.demandW ?? 0;
  for (const by of [-1e9, 1e9, 3_600_000]) {
    const after = control(it.state, input({ now: it.now + by, sensed: { ok: true, c: it.reading, ageS: 0 } }));
    assert.ok(Math.abs(after.demandW - before) < 60, `${by} ms: ${before} to ${after.demandW} W`);
  }
});

bumps('what is no state is a fresh one', () => {
  const good = JSON.parse(JSON.stringify(settled().state));
  for (const bad of [
    undefined,
    null,
    7,
    'x',
    {},
    { v: 2 },
    { ...good, integralW: null },
    { ...good, integralW: 1e300 },
    { ...good, losses: { ...good.losses, fit: { theta: [1], p: [] } } },
    { ...good, response: { ...good.response, candidates: [] } },
  ])
    assert.deepEqual(loadedControl(bad), freshControl());
  assert.notDeepEqual(loadedControl(good), freshControl());
});

bumps.run();
