/** Whatever is said to it, in whatever order: the demand is a number within bounds, and nothing where there is no thermometer. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { type ControlInput, control, freshControl, loadedControl } from '../../broker/heat/control/controller.ts';
import { freshThermometer, read, sense } from '../../broker/heat/control/thermometer.ts';
import { aimOf } from '../heat/hearth.ts';

const wild = fc.oneof(
  { weight: 6, arbitrary: fc.double({ min: 0, max: 2000, noNaN: true }) },
  { weight: 1, arbitrary: fc.double() },
);
const degrees = fc.oneof(
  { weight: 8, arbitrary: fc.double({ min: 5, max: 32, noNaN: true }) },
  { weight: 1, arbitrary: fc.double() },
);
const step = fc.record({
  passMs: fc.oneof(
    { weight: 8, arbitrary: fc.integer({ min: 0, max: 120_000 }) },
    { weight: 1, arbitrary: fc.integer({ min: -1e9, max: 1e9 }) },
  ),
  targetC: fc.option(degrees, { nil: undefined, freq: 8 }),
  mode: fc.oneof({ weight: 8, arbitrary: fc.constant('heat' as const) }, fc.constant('off' as const)),
  maxRuleW: wild,
  leastW: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, wild),
  factor: fc.oneof({ weight: 3, arbitrary: fc.constant(1) }, fc.double({ min: 0, max: 2 }), fc.double()),
  limitC: fc.oneof({ weight: 8, arbitrary: fc.constant(28) }, degrees),
  ok: fc.oneof({ weight: 6, arbitrary: fc.constant(true) }, fc.constant(false)),
  c: degrees,
  outdoorC: fc.option(fc.oneof(fc.double({ min: -30, max: 30, noNaN: true }), fc.double()), { nil: undefined }),
  directW: fc.option(wild, { nil: undefined, freq: 4 }),
  minW: wild,
  maxW: wild,
  heatW: wild,
  learn: fc.boolean(),
  next: fc.option(fc.record({ targetC: degrees, inS: wild }), { nil: undefined }),
});

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function inputOf(one: Step, now: number): ControlInput {
  const { targetC, mode, maxRuleW, leastW, factor, limitC, outdoorC, directW, next } = one;
  return {
    now,
    aim: { ...aimOf('room', 20, { mode, maxW: maxRuleW, minW: leastW, factor, limitC }), targetC },
    sensed: one.ok ? { ok: true, c: one.c, ageS: 1 } : { ok: false, why: 'gone' },
    minW: one.minW,
    maxW: one.maxW,
    heatW: one.heatW,
    learn: one.learn,
    ...(outdoorC !== undefined && { outdoorC }),
    ...(directW !== undefined && { directW }),
    ...(next && { next }),
  };
}

const numbersIn = (value: unknown): number[] =>
  typeof value === 'number'
    ? [value]
    : typeof value === 'object' && value !== null
      ? Object.values(value).flatMap(numbersIn)
      : [];

const properties = suite('controller, properties');

properties('the demand is finite, within all bounds, and nothing where it must be', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), steps => {
      let state = freshControl();
      let now = 1_000_000;
      for (const one of steps) {
        now += one.passMs;
        const answer = control(state, inputOf(one, now));
        state = answer.state;
        const { demandW, action } = answer;
        assert.ok(Number.isFinite(demandW) && demandW >= 0, `${demandW}`);
        if (one.maxW >= 0) assert.ok(demandW <= one.maxW);
        if (one.maxRuleW >= 0) assert.ok(demandW <= one.maxRuleW);
        const may =
          one.ok &&
          Math.abs(one.c) < 100 &&
          one.c < one.limitC &&
          one.mode === 'heat' &&
          one.targetC !== undefined &&
          Math.abs(one.targetC) < 100;
        if (!may) {
          assert.equal(demandW, 0);
          assert.notEqual(action, 'heating');
        }
        assert.ok(numbersIn(state).every(Number.isFinite), JSON.stringify(state));
      }
      // What it keeps can be kept, and comes back.
      assert.equal(JSON.stringify(JSON.parse(JSON.stringify(state))), JSON.stringify(state));
      assert.notEqual(loadedControl(JSON.parse(JSON.stringify(state))), undefined);
      assert.ok(JSON.stringify(state).length < 20_000);
    }),
    { numRuns: 300 },
  );
});

properties('whatever is loaded, it works', () => {
  fc.assert(
    fc.property(fc.jsonValue(), step, (kept, one) => {
      const { demandW } = control(loadedControl(kept), inputOf(one, 5));
      assert.ok(Number.isFinite(demandW) && demandW >= 0);
    }),
  );
});

properties('a thermometer of anything: what is sensed is a room’s temperature, and fresh', () => {
  const readings = fc.array(
    fc.record({
      passMs: fc.integer({ min: 0, max: 900_000 }),
      ageMs: fc.oneof(fc.integer({ min: -1e6, max: 1e6 }), fc.double()),
      c: fc.oneof({ weight: 5, arbitrary: fc.double({ min: -5, max: 50 }) }, fc.double()),
      w: wild,
    }),
    { maxLength: 80 },
  );
  fc.assert(
    fc.property(readings, steps => {
      let state = freshThermometer();
      let now = 1e6;
      for (const { passMs, ageMs, c, w } of steps) {
        now += passMs;
        state = read(state, { now, atMs: now - ageMs, c });
        const answer = sense(state, now, 600_000, w);
        state = answer.state;
        if (answer.sensed.ok) {
          assert.ok(answer.sensed.c >= 0 && answer.sensed.c <= 45);
          assert.ok(answer.sensed.ageS >= 0 && answer.sensed.ageS <= 600);
        } else assert.ok(answer.sensed.why.length > 10);
      }
    }),
  );
});

properties.run();
