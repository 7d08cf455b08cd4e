import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { freshThermometer, read, sense, type ThermometerState } from '../../broker/heat/control/thermometer.ts';
import type { Sensed } from '../../broker/heat/types.ts';
import { Dice } from '../sim/random.ts';

const minute = 60_000;
const hour = 60 * minute;
const staleMs = 10 * minute;

/** Readings and watts minute by minute; what was sensed at the end. */
class Wall {
  now = 1_000_000;
  state: ThermometerState = freshThermometer();
  sensed: Sensed = { ok: false, why: '' };

  read(c: number, atMs = this.now): this {
    this.state = read(this.state, { now: this.now, atMs, c });
    return this.look(0);
  }

  look(w: number): this {
    const { state, sensed } = sense(this.state, this.now, staleMs, w);
    this.state = state;
    this.sensed = sensed;
    return this;
  }

  pass(ms: number): this {
    this.now += ms;
    return this;
  }

  /** So long, minute by minute. */
  live(ms: number, w: (passed: number) => number, c: (passed: number) => number | undefined): this {
    for (let passed = 0; passed < ms; passed += minute) {
      this.pass(minute);
      const value = c(passed);
      if (value !== undefined) this.state = read(this.state, { now: this.now, atMs: this.now, c: value });
      this.look(w(passed));
    }
    return this;
  }

  get why(): string {
    return this.sensed.ok ? '' : this.sensed.why;
  }
}

const test = suite('thermometer');

test('says what it read, and how long ago', () => {
  const wall = new Wall().read(20.5).pass(90_000).look(0);
  assert.deepEqual(wall.sensed, { ok: true, c: 20.5, ageS: 90 });
});

test('nothing said yet is no temperature', () => {
  assert.match(new Wall().look(0).why, /nothing|yet/);
});

test('stale after stale_min, by the time of the reading, not of its arrival', () => {
  assert.equal(new Wall().read(20).pass(staleMs).look(0).sensed.ok, true);
  const stale = new Wall()
    .read(20)
    .pass(staleMs + 1)
    .look(0);
  assert.match(stale.why, /nothing for 10 minutes/);
  const wall = new Wall();
  assert.equal(wall.read(20, wall.now - staleMs - 1).sensed.ok, false);
});

test('a reading from the future counts as of now, and cannot keep itself fresh', () => {
  const wall = new Wall();
  wall.read(20, wall.now + hour);
  assert.equal(wall.sensed.ok, true);
  assert.equal(wall.pass(staleMs + 1).look(0).sensed.ok, false);
});

test('told again and again it is one reading: it gets no younger, from the future neither', () => {
  for (const ahead of [0, hour]) {
    const wall = new Wall();
    const atMs = wall.now + ahead;
    for (let i = 0; i <= 10; i++) wall.read(20, atMs).pass(minute);
    assert.equal(wall.read(20, atMs).sensed.ok, false, `${ahead} ms ahead`);
  }
});

test('a late reading changes nothing', () => {
  const wall = new Wall().read(20);
  const { state } = wall;
  assert.equal(read(state, { now: wall.now, atMs: wall.now - 1, c: 30 }), state);
});

for (const [c, says] of [
  [-127, /broken or missing/],
  [85, /broken or missing/],
  [-0.1, /no heated room/],
  [45.1, /no heated room/],
  [Number.NaN, /no number/],
  [Number.POSITIVE_INFINITY, /no number/],
] as const)
  test(`${c} °C is refused, and no heat comes of the reading before it`, () => {
    const wall = new Wall().read(20).pass(minute).read(c);
    assert.equal(wall.sensed.ok, false);
    assert.match(wall.why, says);
    assert.equal(wall.pass(minute).read(20.1).sensed.ok, true);
  });

test('0 and 45 °C may be', () => {
  assert.equal(new Wall().read(0).sensed.ok, true);
  assert.equal(new Wall().read(45).sensed.ok, true);
});

test('a jump is refused until three readings over a minute agree', () => {
  const wall = new Wall().read(20).pass(minute).read(24);
  assert.match(wall.why, /jumped from 20 to 24/);
  assert.equal(wall.pass(30_000).read(24.1).sensed.ok, false);
  const confirmed = wall.pass(30_000).read(24.1);
  assert.deepEqual(confirmed.sensed, { ok: true, c: 24.1, ageS: 0 });
});

test('three readings that agree within seconds confirm no jump yet', () => {
  const wall = new Wall().read(20).pass(minute).read(26);
  for (let i = 0; i < 5; i++) assert.equal(wall.pass(10_000).read(26).sensed.ok, false);
  assert.equal(wall.pass(10_000).read(26).sensed.ok, true);
});

test('the same reading many times at one moment confirms no jump', () => {
  const wall = new Wall().read(20).pass(minute);
  for (let i = 0; i < 10; i++) wall.read(26);
  assert.equal(wall.sensed.ok, false);
  wall.pass(90_000).read(26);
  assert.equal(wall.sensed.ok, false);
});

test('a sensor that goes to and fro confirms nothing', () => {
  const wall = new Wall().read(20);
  for (let i = 0; i < 20; i++) {
    wall.pass(30_000).read(i % 2 ? 30 : 25);
    assert.equal(wall.sensed.ok, false);
  }
});

test('one wrong reading: the next good one counts at once', () => {
  assert.equal(new Wall().read(20).pass(minute).read(32).pass(minute).read(20).sensed.ok, true);
});

test('what a window does in a minute is no jump', () => {
  const wall = new Wall().read(21);
  for (const c of [18.2, 15.8, 14]) assert.equal(wall.pass(minute).read(c).sensed.ok, true);
});

test('frozen: the same value for hours while the heat went from little to all', () => {
  const wall = new Wall().live(
    6 * hour,
    () => 150,
    passed => (passed < hour ? 20.9 + (passed % 2) / 10 : 21),
  );
  assert.equal(wall.sensed.ok, true);
  wall.live(
    4 * hour,
    () => 800,
    () => 21,
  );
  assert.match(wall.why, /stays at exactly 21 °C/);
  assert.equal(wall.pass(minute).read(21.1).sensed.ok, true);
});

test('frozen: the heat ended and nothing cools', () => {
  const wall = new Wall().live(
    6 * hour,
    () => 900,
    () => 21,
  );
  wall.live(
    4 * hour,
    () => 0,
    () => 21,
  );
  assert.equal(wall.sensed.ok, false);
});

test('a coarse sensor in a room that is kept well while the weather changes is not frozen', () => {
  // 24 h at the same 0.5 °C, watts from 200 to 800 and back as a winter's day asks.
  const watts = (passed: number) => 500 - 300 * Math.cos((2 * Math.PI * passed) / (24 * hour));
  const wall = new Wall().read(20.5).pass(minute).read(21);
  for (let h = 0; h < 48; h++) {
    wall.live(
      hour,
      passed => watts(h * hour + passed),
      () => 21,
    );
    assert.equal(wall.sensed.ok, true, `${h} hours`);
  }
});

test('one that speaks only on change gets stale, not frozen', () => {
  const wall = new Wall().read(21).live(
    5 * hour,
    passed => (passed < 2 * hour ? 0 : 900),
    () => undefined,
  );
  assert.match(wall.why, /nothing for/);
});

test('a fine sensor that moves by its noise is not frozen, whatever the heat does', () => {
  const dice = new Dice(1, 'noise');
  const wall = new Wall().live(
    5 * hour,
    () => 0,
    () => 21 + Math.round(dice.next() * 2) / 10,
  );
  wall.live(
    5 * hour,
    () => 1000,
    () => 21 + Math.round(dice.next() * 2) / 10,
  );
  assert.equal(wall.sensed.ok, true);
});

test('small heaters freeze nobody: a Raspberry Pi warms no room', () => {
  const wall = new Wall()
    .live(
      6 * hour,
      () => 3,
      () => 21,
    )
    .live(
      6 * hour,
      () => 8,
      () => 21,
    );
  assert.equal(wall.sensed.ok, true);
});

test('a gap begins the watts anew', () => {
  const wall = new Wall()
    .live(
      6 * hour,
      () => 900,
      () => 21,
    )
    .pass(3 * hour)
    .read(21);
  wall.live(
    4 * hour,
    () => 0,
    () => 21,
  );
  assert.equal(wall.sensed.ok, true);
});

test('a coarse thermometer says when it went over the line between two steps; a fine one does not', () => {
  const coarse = new Wall();
  for (let i = 0; i < 12; i++) coarse.read(i % 2 ? 20.5 : 20).pass(10 * minute);
  coarse.look(0);
  assert.deepEqual(coarse.sensed, { ok: true, c: 20.5, ageS: 600, edge: { c: 20.25, agoS: 600 } });
  coarse.read(20);
  assert.deepEqual(coarse.sensed, { ok: true, c: 20, ageS: 0, edge: { c: 20.25, agoS: 0 } });
  const fine = new Wall();
  for (let i = 0; i < 12; i++) fine.read(20 + i / 10).pass(5 * minute);
  assert.equal('edge' in fine.look(0).sensed, false);
});

test('what is remembered is bounded', () => {
  const wall = new Wall().live(
    72 * hour,
    () => 100,
    passed => 20 + (passed % 7) / 10,
  );
  assert.ok(JSON.stringify(wall.state).length < 1000);
});

test.run();
