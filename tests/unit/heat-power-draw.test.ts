/** What a machine draws now: plug, RAPL, model; and plugs that are not believed. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type DrawInput, type DrawState, drawOf } from '../../broker/heat/power/draw.ts';
import { boardOf } from '../../broker/heat/power/guess.ts';
import type { PowerModel } from '../../broker/heat/types.ts';
import { loadProfiles } from '../fixture/power/codecarbon.ts';

const draw = suite('heat power, draw');
const model: PowerModel = { idleW: 20, peakW: 100, exponent: 1, source: 'guess', err: 0.35 };
const now = 1_000_000;
const at = (watts: number, agoMs = 0) => ({ watts, atMs: now - agoMs });
const input = (rest: Partial<DrawInput> = {}): DrawInput => ({
  now,
  model,
  board: { watts: 20, efficiency: 0.8 },
  busyShare: 0.5,
  ...rest,
});
const of = (rest: Partial<DrawInput>) => drawOf({}, input(rest)).draw;

draw('a fresh plug, then RAPL, then the model, each with its band', () => {
  const all = { meter: at(70), rapl: at(30) };
  assert.equal(of(all), { watts: 70, source: 'meter', errW: 0.03 * 70 + 0.5 });
  const rapl = of({ rapl: at(30) });
  assert.is(rapl.watts, 62.5);
  assert.is(rapl.source, 'rapl');
  assert.is(rapl.errW, 0.2 * 62.5 + 12.5);
  const guess = of({});
  assert.is(guess.watts, 60);
  assert.is(guess.source, 'model');
  assert.ok(Math.abs(guess.errW - 24) < 1e-9);
});

draw('a plug that said nothing for two minutes is not used', () => {
  assert.is(of({ meter: at(70, 120_000) }).source, 'meter');
  assert.is(of({ meter: at(70, 120_001) }).source, 'model');
  assert.is(of({ meter: at(70, 120_001), rapl: at(30, 120_001) }).source, 'model');
});

draw(
  'a calibration’s line makes RAPL the machine’s draw; a learned model is better than RAPL with a guessed board',
  () => {
    const learned: PowerModel = { ...model, source: 'learned', err: 0.03 };
    const line = of({ rapl: at(30), model: { ...learned, rapl: { base: 25, slope: 1.2 } } });
    assert.is(line.watts, 61);
    assert.is(line.source, 'rapl');
    assert.ok(line.errW < 4);
    assert.is(of({ rapl: at(30), model: learned }).source, 'model');
  },
);

draw('how busy it is is not known: anything between idle and peak', () => {
  const { watts, errW } = of({ busyShare: undefined });
  assert.is(watts, 60);
  assert.ok(errW >= 40);
});

draw('a plug that shows less than the processor alone is wrong after a while, and is said to be', () => {
  let state: DrawState = {};
  const seen: string[] = [];
  for (let i = 0; i <= 12; i++) {
    const then = now + i * 10_000;
    const out = drawOf(state, input({ now: then, meter: { watts: 12, atMs: then }, rapl: { watts: 40, atMs: then } }));
    state = out.state;
    seen.push(out.draw.source);
    if (out.draw.why) assert.match(out.draw.why, /plug shows 12 W, its processor alone draws 40 W/);
  }
  assert.equal(seen, [...Array(9).fill('meter'), ...Array(4).fill('rapl')]);
  const good = drawOf(state, input({ now: now + 130_000, meter: { watts: 70, atMs: now + 130_000 } }));
  assert.equal(good, { state: {}, draw: { watts: 70, source: 'meter', errW: 2.6 } });
});

draw('a plug that is late for a moment is not doubted', () => {
  const first = drawOf({}, input({ meter: at(30), rapl: at(60) }));
  const second = drawOf(
    first.state,
    input({ now: now + 60_000, meter: { watts: 90, atMs: now + 60_000 }, rapl: at(60) }),
  );
  const third = drawOf(
    second.state,
    input({ now: now + 95_000, meter: { watts: 30, atMs: now + 95_000 }, rapl: at(60) }),
  );
  assert.is(third.draw.source, 'meter');
});

draw('a plug that shows nothing while the machine runs is wrong', () => {
  const first = drawOf({}, input({ meter: at(0) }));
  const later = drawOf(first.state, input({ now: now + 90_000, meter: { watts: 0, atMs: now + 90_000 } }));
  assert.is(later.draw.source, 'model');
  assert.match(later.draw.why ?? '', /shows no power while it runs/);
});

draw('what is no number is no reading', () => {
  for (const watts of [Number.NaN, -1, Number.POSITIVE_INFINITY, 10_001])
    assert.is(of({ meter: at(watts), rapl: at(watts) }).source, 'model');
  assert.ok(Number.isFinite(of({ busyShare: Number.NaN }).watts));
});

draw('RAPL beside a recorded plug: within its band', () => {
  const { cpu, cores, points } = loadProfiles[2] ?? { cpu: '', cores: 1, points: [] };
  const board = boardOf({ cpu, cores });
  // Single readings of that plug jump by 40 W, and its first ones are late: those at load count.
  for (const { load, rapl, plug = 0 } of points.filter(point => point.load > 0.3)) {
    const { watts, errW } = drawOf({}, input({ board, rapl: at(rapl) })).draw;
    assert.ok(
      Math.abs(watts - plug) <= errW,
      `at ${load}: ${watts} W by RAPL, give or take ${errW}, ${plug} W by the plug`,
    );
  }
});

draw.run();
