/** The allocator: watts of rooms as busy cores, one rule a test. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { allocate, freshAllocation, loadAllocation } from '../../broker/heat/allocation/allocate.ts';
import type { AllocNode } from '../../broker/heat/types.ts';
import { Allocating, machine, minute, room, roundly } from '../fixture/heat-allocation.ts';

const allocation = suite('allocation, rules');

allocation('gives fractions of cores: a dimmer', () => {
  const it = new Allocating([machine('a')]);
  it.pass(5 * minute, room(47));
  assert.ok(roundly(it.share().givenW, 47, 0.5));
  assert.ok(roundly(it.cores('a'), 1.35, 0.03));
});

allocation('what machines draw anyway is part of the room’s watts', () => {
  const it = new Allocating([machine('a'), machine('b', { busyCores: 2 })]);
  it.pass(5 * minute, room(78));
  assert.equal(it.on, []);
  assert.is(it.share().givenW, 80);
  it.pass(5 * minute, room(100));
  assert.equal(it.on, ['a'], 'the other one is not needed');
  assert.is(it.last.levels[1]?.watts, 60);
  assert.is(it.last.levels[1]?.heatW, 0);
});

allocation('one that runs takes what it can before another starts', () => {
  const it = new Allocating([machine('a'), machine('b')]);
  it.pass(5 * minute, room(60));
  assert.equal(it.on, ['a']);
  it.pass(30 * minute, room(119));
  assert.equal(it.on, ['a']);
  it.pass(minute, room(140));
  assert.equal(it.on, ['a', 'b']);
});

allocation('never more cores than it may have; none is off at once', () => {
  const it = new Allocating([machine('a', { mostCores: 1.5 })]);
  it.pass(5 * minute, room(100));
  assert.is(it.cores('a'), 1.5);
  it.nodes = [machine('a', { mostCores: 0.5 })];
  it.ask(room(100));
  assert.is(it.cores('a'), 0.5);
  it.nodes = [machine('a', { mostCores: 0 })];
  it.ask(room(100));
  assert.is(it.cores('a'), 0);
});

allocation('jobs that run anyway count: heat is what is missing', () => {
  const it = new Allocating([machine('a')]);
  it.pass(5 * minute, room(80));
  assert.ok(roundly(it.cores('a'), 3, 0.05));
  it.nodes = [machine('a', { busyCores: 2 })];
  it.pass(minute, room(80));
  assert.ok(roundly(it.cores('a'), 3, 0.05), 'everything counted');
  assert.ok(roundly(it.last.levels[0]?.heatW ?? 0, 20, 1));
  it.nodes = [machine('a', { busyCores: 4 })];
  it.pass(minute, room(80));
  assert.is(it.share().givenW, 100);
  assert.is(it.last.levels[0]?.heatW, 0);
});

allocation('who has useful work comes first, then who does more for the same heat', () => {
  const frugal = { idleW: 3, peakW: 7, exponent: 1, source: 'guess', err: 0.3 } as const;
  const it = new Allocating([machine('big'), machine('pi', { model: frugal }), machine('work', { work: 3 })]);
  it.pass(minute, room(60));
  assert.equal(it.on, ['work']);
  const other = new Allocating([machine('big'), machine('pi', { model: frugal })]);
  other.pass(minute, room(26));
  assert.equal(other.on, ['pi']);
});

allocation('less is at once', () => {
  const it = new Allocating([machine('a')]);
  it.pass(5 * minute, room(100));
  it.ask(room(30));
  assert.ok(roundly(it.share().givenW, 30, 0.5));
});

allocation('jitter of the demand moves no level', () => {
  const it = new Allocating([machine('a'), machine('b')]);
  it.pass(5 * minute, room(90));
  const before = it.last.levels;
  for (const by of [0.4, -0.4, 0.2, 0.5, -0.5]) assert.equal(it.pass(10_000, room(90 + by)), before);
});

allocation('the room’s bound holds, with a sentence', () => {
  const it = new Allocating([machine('a'), machine('b')]);
  it.pass(10 * minute, room(200, { maxW: 75 }));
  assert.ok(it.share().givenW <= 75 && it.share().givenW > 74);
  assert.match(it.share().why ?? '', /75 W at most/);
  it.pass(10_000, room(200, { maxW: 30 }));
  assert.equal(it.on, []);
  assert.match(it.share().why ?? '', /draw 40 W without any heat, more than the 30 W/);
});

allocation('a fuse: the higher priority first, equals in proportion', () => {
  const nodes = ['a', 'b', 'c'].map(name => machine(name, { room: name }));
  const it = new Allocating(nodes, 160);
  const rooms = [
    room(100, { room: 'a', priority: 50 }),
    room(60, { room: 'b', priority: 50 }),
    room(70, { room: 'c', priority: 90 }),
  ];
  it.pass(10 * minute, ...rooms);
  const given = ['a', 'b', 'c'].map(name => it.share(name).givenW);
  assert.ok(roundly(given[2] ?? 0, 70, 1));
  assert.ok(
    roundly(
      given.reduce((sum, w) => sum + w, 0),
      160,
      2,
    ),
  );
  // 50 W are left for 80 W and 40 W.
  assert.ok(roundly(given[0] ?? 0, 20 + (50 * 80) / 120, 1), `${given}`);
  assert.ok(roundly(given[1] ?? 0, 20 + (50 * 40) / 120, 1), `${given}`);
  assert.match(it.share('a').why ?? '', /the fuse of 160 W/);
  assert.is(it.share('c').why, undefined);
});

allocation('a fuse counts machines of no room; one below what is drawn anyway gives no heat and says so', () => {
  const it = new Allocating([machine('a'), machine('x', { room: 'nowhere', busyCores: 4 })], 150);
  it.pass(5 * minute, room(100));
  assert.ok(roundly(it.share().givenW, 50, 1));
  it.fuseW = 90;
  it.pass(10_000, room(100));
  assert.equal(it.on, []);
  assert.match(it.share().why ?? '', /the fuse of 90 W \(max-w\) is below the 120 W/);
});

allocation('a meter corrects the model: what is drawn comes to what is asked for', () => {
  // Draws a quarter more than its model says above idle, and 5 W more idle.
  const wall = (cores: number) => 25 + 25 * cores;
  const it = new Allocating([machine('a')]);
  it.pass(10_000, room(80));
  let sum = 0;
  for (let i = 0; i < 60 * 6; i++) {
    const watts = wall(it.cores('a'));
    if (i >= 10 * 6 && i < 20 * 6) sum += watts;
    it.nodes = [machine('a', { draw: { watts, source: 'meter', errW: 1 } })];
    it.pass(10_000, room(80));
  }
  assert.ok(roundly(sum / 60, 80, 4), `${sum / 60} W in the second ten minutes`);
  assert.ok(roundly(wall(it.cores('a')), 80, 1));
});

allocation('a guess by the model corrects nothing, and a meter only within bounds', () => {
  const it = new Allocating([machine('a', { draw: { watts: 5, source: 'model', errW: 1 } })]);
  it.pass(20 * minute, room(80));
  assert.ok(roundly(it.share().givenW, 80, 1));
  const dead = machine('a', { draw: { watts: 0, source: 'meter', errW: 1 } });
  const both = new Allocating([dead, machine('b')]);
  both.pass(60 * minute, room(100));
  // Of the 100 W that its model says of the dead one half is made up for.
  assert.ok(roundly(both.last.levels[1]?.watts ?? 0, 50, 3), `${both.last.levels[1]?.watts} W`);
});

allocation('a machine that draws less than its model when busy is made up for by another', () => {
  const wall = (cores: number) => 20 + 10 * cores;
  const it = new Allocating([machine('a', { work: 1 }), machine('b')]);
  for (let i = 0; i < 30 * 6; i++) {
    const draw = { watts: wall(Math.max(0, it.cores('a') || 0)), source: 'meter', errW: 1 } as const;
    it.nodes = [machine('a', { work: 1, draw }), machine('b')];
    it.pass(10_000, room(120));
  }
  const real = wall(it.cores('a')) + (it.last.levels[1]?.watts ?? 0);
  assert.ok(roundly(real, 120, 4), `${real} W of 120 W`);
});

allocation('a plug that is late after a change teaches nothing wrong', () => {
  const it = new Allocating([machine('a')]);
  let [before, since] = [20, 0];
  for (let i = 0; i < 60 * 6; i++) {
    const was = it.cores('a') || 0;
    const watts = i - since <= 2 ? before : 20 + 20 * was;
    it.nodes = [machine('a', { draw: { watts, source: 'meter', errW: 1 } })];
    it.pass(10_000, room(Math.floor(i / 12) % 2 ? 40 : 90));
    if (Math.abs(it.cores('a') - was) > 0.3) [before, since] = [20 + 20 * was, i];
  }
  assert.ok(Math.abs(it.state.nodes.a?.bias ?? 99) < 1, `${it.state.nodes.a?.bias} W`);
});

allocation('RAPL with a guessed board corrects a guess, not what a person said', () => {
  const draw = { watts: 60, source: 'rapl', errW: 15 } as const;
  const model = { idleW: 20, peakW: 100, exponent: 1, source: 'document', err: 0.1 } as const;
  const it = new Allocating([machine('a', { draw, model })]);
  it.pass(20 * minute, room(80));
  assert.ok(roundly(it.share().givenW, 80, 1));
  assert.ok(roundly(it.cores('a'), 3, 0.1));
  const guessed = new Allocating([machine('a', { draw, model: { ...model, source: 'guess', err: 0.35 } })]);
  guessed.pass(20 * minute, room(80));
  assert.ok(guessed.cores('a') > 3.5);
});

allocation('state goes through JSON, to a clock that counts from elsewhere', () => {
  const it = new Allocating([machine('a'), machine('b')]);
  it.now = 5_000_000;
  it.pass(5 * minute, room(150));
  it.pass(2 * minute, room(0));
  const text = JSON.stringify(it.state);
  const on = allocate(it.state, { now: it.now + 10_000, nodes: it.nodes, rooms: [room(90)] });
  const other = loadAllocation(JSON.parse(text), 777);
  const again = allocate(other, { now: 10_777, nodes: it.nodes, rooms: [room(90)] });
  assert.equal(again.levels, on.levels);
  assert.equal(JSON.parse(JSON.stringify(again.state)), again.state);
});

allocation('nonsense is bounded, and no state is a fresh one', () => {
  const bad: AllocNode[] = [
    machine('a', { model: { idleW: Number.NaN, peakW: 5, exponent: 1, source: 'guess', err: 0 } }),
    machine('b', { busyCores: Number.NaN, mostCores: Number.POSITIVE_INFINITY }),
    machine('c', { cores: 0, mostCores: 0 }),
    machine('d', { model: { idleW: 50, peakW: 20, exponent: -1, source: 'guess', err: 0 } }),
    machine('b', { busyCores: 1 }),
    machine('e', {
      minOnMs: Number.NaN,
      minOffMs: -5,
      work: Number.NaN,
      draw: { watts: Number.NaN, source: 'meter', errW: 0 },
    }),
  ];
  const out = allocate(freshAllocation(), {
    now: 0,
    nodes: bad,
    rooms: [room(Number.NaN), room(Number.POSITIVE_INFINITY, { maxW: Number.NaN, priority: Number.NaN })],
    fuseW: Number.NaN,
  });
  assert.equal(
    out.levels.map(level => level.node),
    ['a', 'b', 'c', 'd', 'e'],
  );
  for (const { cores, watts, heatW } of out.levels)
    assert.ok([cores, watts, heatW].every(n => n >= 0 && Number.isFinite(n)));
  for (const junk of [
    null,
    3,
    'x',
    [],
    {},
    { at: 'x', nodes: {} },
    { at: 1, nodes: { a: { on: 1 } }, rooms: { den: 7 } },
  ])
    assert.ok(Object.keys(loadAllocation(junk, 5).nodes).length === 0);
});

allocation.run();
