/** Learning from a plug in everyday use: slowly, within bounds. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { freshLearning, type LearningState, learn, loadLearning } from '../../broker/heat/power/learning.ts';
import { isModel, wattsOf } from '../../broker/heat/power/model.ts';
import type { PowerModel } from '../../broker/heat/types.ts';

const learning = suite('heat power, learning');
const guess: PowerModel = { idleW: 30, peakW: 90, exponent: 0.95, source: 'guess', err: 0.35 };
const truth: PowerModel = { idleW: 22, peakW: 115, exponent: 0.7, source: 'document', err: 0 };
const minute = 60_000;

interface Lived {
  readonly hours: number;
  /** Busy share by hour. */
  readonly share: (hour: number) => number;
  readonly watts?: (share: number, now: number) => number;
  readonly from?: { readonly state: LearningState; readonly model: PowerModel; readonly now: number };
}

function live({ hours, share, watts = s => wattsOf(truth, s), from }: Lived) {
  let { state, model, now } = from ?? { state: freshLearning(), model: guess, now: 0 };
  let changes = 0;
  for (const end = now + hours * 60 * minute; now < end; now += 10_000) {
    const s = share(Math.floor(now / (60 * minute)));
    const out = learn(state, { watts: watts(s, now), busyShare: s }, model, guess, now);
    state = out.state;
    if (out.model) {
      changes++;
      model = out.model;
    }
  }
  return { state, model, now, changes };
}

const day = (hour: number) => [0.02, 0.3, 0.55, 0.8, 0.98][hour % 5] ?? 0;

learning('a day at all levels teaches the curve', () => {
  const { model, changes } = live({ hours: 24, share: day });
  assert.ok(changes > 0 && isModel(model));
  assert.is(model.source, 'learned');
  for (const s of [0, 0.1, 0.25, 0.5, 0.75, 1]) {
    const error = Math.abs(wattsOf(model, s) - wattsOf(truth, s)) / wattsOf(truth, s);
    assert.ok(error <= 0.05, `${(100 * error).toFixed(1)} % at ${s}`);
  }
});

learning('who is never busy teaches nothing: no peak is made up', () => {
  assert.is(live({ hours: 48, share: hour => (hour % 3) / 20 }).model, guess);
  assert.is(live({ hours: 48, share: hour => 0.6 + (hour % 4) / 10 }).model, guess);
});

learning('what jumps teaches nothing', () => {
  let state = freshLearning();
  for (let i = 0; i < 10_000; i++) {
    const busyShare = i % 2;
    const out = learn(state, { watts: wattsOf(truth, busyShare), busyShare }, guess, guess, i * 10_000);
    state = out.state;
    assert.is(out.model, undefined);
  }
});

learning('a level of less than a minute teaches nothing', () => {
  let state = freshLearning();
  for (let i = 0; i < 20_000; i++) {
    const busyShare = day(Math.floor(i / 4));
    const out = learn(state, { watts: wattsOf(truth, busyShare), busyShare }, guess, guess, i * 10_000);
    state = out.state;
    assert.is(out.model, undefined);
  }
});

learning('watts that do not go with how busy it is teach nothing', () => {
  const odd = new Map([
    [0.02, 30],
    [0.3, 110],
    [0.55, 45],
    [0.8, 120],
    [0.98, 70],
  ]);
  assert.is(live({ hours: 48, share: day, watts: s => odd.get(s) ?? 0 }).model, guess);
});

learning('one odd hour moves a learned model by a tenth of it at most', () => {
  const learned = live({ hours: 48, share: day });
  const odd = live({ hours: 1, share: () => 0.98, watts: s => wattsOf(truth, s) + 150, from: learned });
  const off = Math.abs(odd.model.peakW - learned.model.peakW);
  assert.ok(off <= 15, `${off} W`);
});

learning('a plug with a heater on it is not believed', () => {
  assert.is(live({ hours: 48, share: day, watts: s => wattsOf(truth, s) + 1500 }).model, guess);
  const random = (now: number) => Math.abs(Math.sin(now / 3_333_333)) * 300;
  assert.is(live({ hours: 48, share: day, watts: (s, now) => wattsOf(truth, s) + random(now) }).model.source, 'guess');
});

learning('a calibrated curve keeps its shape while its ends move', () => {
  const calibrated: PowerModel = {
    idleW: 20,
    peakW: 100,
    exponent: 0.7,
    curve: [
      [0.1, 45],
      [0.5, 80],
    ],
    source: 'learned',
    err: 0.03,
    rapl: { base: 20, slope: 1.2 },
  };
  const { model, changes } = live({
    hours: 24,
    share: day,
    watts: s => 1.1 * wattsOf(calibrated, s),
    from: { state: freshLearning(), model: calibrated, now: 0 },
  });
  assert.ok(changes > 0);
  assert.is(model.curve?.length, 2);
  assert.ok(model.peakW > 104 && model.peakW <= 111, `${model.peakW}`);
  assert.equal(model.rapl, calibrated.rapl);
});

learning('state goes through JSON; what is none is a fresh one', () => {
  const { state } = live({ hours: 24, share: day });
  assert.equal(loadLearning(JSON.parse(JSON.stringify(state))).bins, state.bins);
  for (const junk of [null, 1, {}, { bins: [] }, { bins: Array(10).fill({ share: 'x' }) }])
    assert.equal(loadLearning(junk), freshLearning());
});

learning('what is no reading changes nothing', () => {
  const state = freshLearning();
  for (const bad of [
    { watts: Number.NaN, busyShare: 0.5 },
    { watts: 50, busyShare: 1.5 },
    { watts: 0, busyShare: 0.5 },
    { watts: 1e9, busyShare: 0 },
  ])
    assert.is(learn(state, bad, guess, guess, 5).state, state);
});

learning.run();
