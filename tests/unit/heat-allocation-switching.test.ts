/** The allocator: who starts and who stops, when and how often, one rule a test. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { allocate, loadAllocation } from '../../broker/heat/allocation/allocate.ts';
import { Allocating, machine, minute, room, roundly } from '../fixture/heat-allocation.ts';

const switching = suite('allocation, starts and stops');

switching('one that is not needed any more stops after a while, and not for a short dip', () => {
  const it = new Allocating([machine('a'), machine('b')]);
  it.pass(20 * minute, room(180));
  assert.equal(it.on, ['a', 'b']);
  it.pass(9 * minute, room(60));
  assert.equal(it.on, ['a', 'b'], 'held');
  assert.ok(roundly(it.share().givenW, 60, 1), 'the dimmer follows at once all the same');
  it.pass(minute, room(180));
  it.pass(9 * minute, room(60));
  assert.equal(it.on, ['a', 'b'], 'the wait begins anew');
  it.pass(3 * minute, room(60));
  assert.equal(it.on, ['a']);
});

switching('starts and stops keep the minimum times', () => {
  const it = new Allocating([machine('a', { minOnMs: 30 * minute, minOffMs: 20 * minute })]);
  it.pass(minute, room(80));
  it.pass(28 * minute, room(0));
  assert.equal(it.on, ['a'], 'at its floor');
  assert.ok(it.share().givenW < 21);
  it.pass(2 * minute, room(0));
  assert.equal(it.on, []);
  it.pass(18 * minute, room(80));
  assert.equal(it.on, []);
  it.pass(2 * minute, room(80));
  assert.equal(it.on, ['a']);
});

switching(
  'who may not stop yet where nothing is missing is told its floor alone, not what it is thought to do anyway',
  () => {
    const it = new Allocating([machine('a', { minOnMs: 30 * minute, busyCores: 0.5 })]);
    it.pass(minute, room(80));
    assert.ok((it.last.levels[0]?.cores ?? 0) > 0.5);
    it.pass(minute, room(0));
    assert.equal(it.on, ['a']);
    const { cores = 0, heatW = 0 } = it.last.levels[0] ?? {};
    assert.ok(cores > 0 && cores < 0.1, `${cores} cores`);
    assert.ok(heatW < 1, `${heatW} W`);
  },
);

switching(
  'who draws more than is asked is told what is asked: if it does less than thought, it makes up for that',
  () => {
    const it = new Allocating([machine('a', { minOnMs: 30 * minute })]);
    it.pass(5 * minute, room(45));
    const enough = it.cores('a');
    it.nodes = [machine('a', { minOnMs: 30 * minute, busyCores: enough * 1.5 })];
    it.pass(minute, room(45));
    assert.ok(Math.abs(it.cores('a') - enough) < 0.05, `${it.cores('a')} cores, not ${enough}`);
  },
);

switching('off is at once, whatever the minimum times, and another takes over', () => {
  const it = new Allocating([machine('a'), machine('b')]);
  it.pass(minute, room(80));
  assert.equal(it.on, ['a']);
  it.nodes = [machine('a', { off: 'its processor is too hot' }), machine('b')];
  it.ask(room(80));
  assert.equal(it.on, ['b']);
  it.nodes = [machine('a'), machine('b')];
  it.pass(5 * minute, room(200));
  assert.equal(it.on, ['b'], 'it stays off its time');
});

switching('work that waits on a machine that is off gets heat instead of one that makes it of nothing', () => {
  const it = new Allocating([machine('a'), machine('b')]);
  it.pass(30 * minute, room(80));
  assert.equal(it.on, ['a']);
  it.nodes = [machine('a'), machine('b', { work: 2 })];
  it.pass(5 * minute, room(80));
  assert.equal(it.on, ['a'], 'not for a task that was there for minutes');
  it.pass(30 * minute, room(80));
  assert.equal(it.on, ['b']);
  assert.ok(roundly(it.share().givenW, 80, 1));
});

switching('nobody starts for less than it gives at its least', () => {
  const model = { idleW: 20, peakW: 1020, exponent: 1, source: 'guess', err: 0.3 } as const;
  const it = new Allocating([machine('a', { model })]);
  it.pass(60 * minute, room(27, { maxW: 27 }));
  assert.is(it.starts.size, 0);
  it.pass(60 * minute, room(32, { maxW: 32 }));
  assert.is(it.starts.get('a'), 1);
});

switching('starts come one after the other', () => {
  const nodes = Array.from({ length: 40 }, (_, i) => machine(`n${i}`));
  const it = new Allocating(nodes);
  it.ask(room(4000));
  assert.is(it.on.length, 4);
  it.now += 1000;
  it.ask(room(4000));
  assert.is(it.on.length, 4);
  it.now += 2000;
  it.ask(room(4000));
  assert.is(it.on.length, 5);
  it.pass(3 * minute, room(4000));
  assert.is(it.on.length, 38, 'four in a hundred may be missing');
  it.pass(10 * minute, room(4000));
  assert.is(it.on.length, 40, 'but not for long');
});

switching('a start is a third of its cores, all of them after half a minute', () => {
  const it = new Allocating([machine('a', { cores: 12, mostCores: 12 })]);
  it.ask(room(100));
  assert.is(it.cores('a'), 4);
  it.pass(10_000, room(100));
  assert.ok(it.cores('a') > 4 && it.cores('a') < 12);
  it.pass(20_000, room(100));
  assert.ok(roundly(it.cores('a'), 12, 0.1));
});

switching('a clock that goes back is another clock: ages stay', () => {
  const it = new Allocating([machine('a'), machine('b')]);
  it.now = 1e9;
  it.pass(20 * minute, room(180));
  it.pass(8 * minute, room(60));
  it.now = 0;
  it.pass(minute, room(60));
  assert.equal(it.on, ['a', 'b']);
  it.pass(3 * minute, room(60));
  assert.equal(it.on, ['a']);
});

switching('never more than four starts in a day: from then on it is dimmed to its floor', () => {
  const it = new Allocating([machine('a', { minOnMs: 0, minOffMs: 0 })]);
  for (let i = 0; i < 24; i++) {
    it.pass(30 * minute, room(80));
    it.pass(30 * minute, room(0));
  }
  assert.ok((it.starts.get('a') ?? 0) <= 4, `${it.starts.get('a')} starts`);
  assert.equal(it.on, ['a']);
  assert.ok(it.share().givenW < 21);
  it.pass(24 * 60 * minute, room(0));
  assert.equal(it.on, [], 'and off in the end');
});

switching('a supervisor that was away: machines lost their leases, so they start anew after their time', () => {
  const it = new Allocating([machine('a')]);
  it.pass(5 * minute, room(80));
  const state = loadAllocation(JSON.parse(JSON.stringify(it.state)), 0, 5 * minute);
  const nodes = [machine('a')];
  const out = allocate(state, { now: 0, nodes, rooms: [room(80)] });
  assert.is(out.levels[0]?.cores, 0, 'it was off for four minutes of ten');
  const later = allocate(out.state, { now: 7 * minute, nodes, rooms: [room(80)] });
  assert.ok((later.levels[0]?.cores ?? 0) > 0);
});

switching('a node that is gone for seconds goes on; gone for longer it starts anew', () => {
  const it = new Allocating([machine('a'), machine('z', { room: 'other' })]);
  it.pass(5 * minute, room(80));
  const both = it.nodes;
  it.nodes = both.slice(1);
  it.pass(40_000, room(80));
  it.nodes = both;
  it.ask(room(80));
  assert.equal(it.on, ['a']);
  it.nodes = both.slice(1);
  it.pass(3 * minute, room(80));
  it.nodes = both;
  it.ask(room(80));
  assert.equal(it.on, [], 'off since its lease ended, so it stays off its time');
});

/** Heated for a while, then asked for nothing until it stopped. */
function stopped(more: Parameters<typeof machine>[1] = {}) {
  const it = new Allocating([machine('a', more)]);
  it.pass(15 * minute, room(80));
  it.pass(minute, room(0));
  assert.equal(it.on, []);
  return it;
}

switching('a person who says so gets heat from one that was not needed a moment ago, without its rest', () => {
  const it = stopped();
  const saidAt = it.now + 5000;
  it.pass(10_000, room(80));
  assert.equal(it.on, [], 'a thermometer waits');
  it.ask(room(80, { saidAt: it.now - 2 * minute }));
  assert.equal(it.on, [], 'so does a word that was there before it stopped');
  it.ask(room(80, { saidAt: it.now + minute }));
  assert.equal(it.on, [], 'and one of a time to come');
  const asked = room(80, { saidAt });
  assert.is(
    allocate(it.state, { now: it.now, nodes: it.nodes, rooms: [{ ...asked, demandW: 0 }] }).rooms[0]?.maxW,
    100,
  );
  it.ask(asked);
  assert.equal(it.on, ['a']);
});

switching('raised, lowered, raised within minutes: heat, next to none, heat', () => {
  const it = stopped();
  const say = (watts: number) => it.ask(room(watts, { saidAt: it.now }));
  for (const watts of [80, 0, 80, 0, 80]) {
    it.now += minute;
    say(watts);
    const { heatW = -1 } = it.last.levels[0] ?? {};
    assert.ok(watts > 0 ? heatW > 20 : heatW < 1, `${heatW} W of heat for ${watts} W`);
  }
  assert.is(it.starts.get('a'), 2, 'its least time on goes on: nothing was switched');
});

switching('one start for each word', () => {
  const it = stopped({ minOnMs: 0 });
  const said = room(80, { saidAt: it.now });
  it.now += 1000;
  it.ask({ ...said, saidAt: it.now });
  assert.equal(it.on, ['a']);
  it.pass(11 * minute, { ...said, demandW: 0 });
  assert.equal(it.on, []);
  it.pass(minute, said);
  assert.equal(it.on, [], 'the next time it rests');
});

switching('who was stopped for a reason of its own rests, whatever a person says', () => {
  const it = new Allocating([machine('a')]);
  it.pass(5 * minute, room(80));
  it.nodes = [machine('a', { off: 'it is too hot' })];
  it.pass(minute, room(80));
  it.nodes = [machine('a')];
  it.ask(room(80, { saidAt: it.now }));
  assert.equal(it.on, []);
  it.pass(10 * minute, room(80));
  assert.equal(it.on, ['a']);
});

switching('a person who cannot make up his mind: never more than four starts in a day', () => {
  const it = new Allocating([machine('a', { minOnMs: 0, minOffMs: 20 * minute })]);
  const starts: number[] = [];
  for (let i = 0; i < 3 * 24 * 12; i++) {
    const before = it.starts.get('a') ?? 0;
    it.now += 1000;
    const saidAt = it.now;
    const demandW = i % 18 < 2 ? 80 : 0;
    it.ask(room(demandW, { saidAt }));
    it.pass(5 * minute, room(demandW, { saidAt }));
    if ((it.starts.get('a') ?? 0) > before) starts.push(it.now);
  }
  const most = Math.max(
    ...starts.map(at => starts.filter(other => other <= at && at - other < 24 * 60 * minute).length),
  );
  assert.is(most, 4);
  assert.ok(starts.length > 8, `${starts.length} starts in three days`);
});

switching('that it was not needed goes through JSON; nonsense about it is no record', () => {
  const it = stopped();
  const text = JSON.stringify(it.state);
  const asked = { now: it.now + 1000, nodes: it.nodes, rooms: [room(80, { saidAt: it.now + 500 })] };
  assert.ok((allocate(loadAllocation(JSON.parse(text), it.now), asked).levels[0]?.cores ?? 0) > 0);
  const wrong = loadAllocation(JSON.parse(text.replace('"spared":true', '"spared":7')), it.now);
  assert.equal(wrong.nodes, {});
});

switching.run();
