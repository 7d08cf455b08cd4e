/** What a room is to be: schedule, people's words, presets, quiet times and rules, at any moment. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { acceptSet } from '../../broker/heat/rooms/accept.ts';
import { aimOf, type Circumstances, nextAim } from '../../broker/heat/rooms/aim.ts';
import { noRoom, type RoomEntry } from '../../broker/heat/rooms/entry.ts';
import { compileRules } from '../../broker/heat/rooms/rules.ts';

const aims = suite('heat: aims of rooms');

const bytes = (value: unknown) => new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));
const berlin = { tz: 'Europe/Berlin' };

/** A room and its people: `say` is a `set` at a local time of Berlin, `at` the aim then. */
function room(document: object) {
  let entry: RoomEntry = noRoom;
  const accept = (wall: number, path: readonly string[], value: unknown) => {
    const { entry: next } = acceptSet(entry, path, bytes(value), wall);
    if (!next.ok) throw new Error(`${next.error.at}: ${next.error.message}`);
    if (next.value) entry = { ...next.value, rev: entry.rev + 1 };
    return next.value !== undefined;
  };
  accept(Date.parse('2026-01-01T00:00:00Z'), [], { ...berlin, ...document });
  // Winter: UTC+1.
  const time = (text: string) => Date.parse(`2026-01-${text}:00+01:00`);
  return {
    say: (when: string, key: string, value: unknown) => accept(time(when), [key], value),
    at: (when: string, more: Partial<Circumstances> = {}) => aimOf('r', entry, { wall: time(when), ...more }),
    target: (when: string, more: Partial<Circumstances> = {}) =>
      aimOf('r', entry, { wall: time(when), ...more }).targetC,
    next: (when: string) => new Date(nextAim(entry, time(when))).toISOString(),
    entry: () => entry,
  };
}

const week = [
  { days: 'mon-fri', at: '06:00', target_c: 21 },
  { days: 'mon-fri', at: '08:30', preset: 'eco' },
  { days: 'sat,sun', at: '08:00', target_c: 22 },
  { at: '22:00', preset: 'eco' },
];

aims('a room without a word is off, at 20 °C', () => {
  const aim = aimOf('r', noRoom, { wall: 0 });
  assert.is(aim.targetC, undefined);
  assert.is(aim.shownC, 20);
  assert.equal([aim.mode, aim.preset, aim.limitC, aim.quiet, aim.minW, aim.factor], ['off', 'none', 28, false, 0, 1]);
});

aims('a week: 2026-01-05 is a Monday', () => {
  const it = room({ mode: 'heat', schedule: week });
  assert.is(it.target('05T05:59'), 17);
  assert.is(it.target('05T06:00'), 21);
  assert.is(it.target('05T08:30'), 17);
  assert.is(it.at('05T08:30').preset, 'eco');
  assert.is(it.target('10T07:59'), 17, 'Saturday');
  assert.is(it.target('10T08:00'), 22);
  assert.is(it.target('11T21:59'), 22);
  assert.is(it.target('12T00:00'), 17);
});

aims('a word of a person holds until the next entry; cleared, the schedule counts at once', () => {
  const it = room({ mode: 'heat', schedule: week });
  it.say('05T07:00', 'target_c', '23.5');
  assert.is(it.target('05T08:29'), 23.5);
  assert.is(it.target('05T08:30'), 17);
  it.say('05T12:00', 'preset', 'comfort');
  assert.equal([it.target('05T12:00'), it.at('05T21:59').preset], [21, 'comfort']);
  assert.is(it.at('05T22:00').preset, 'eco');
  it.say('06T07:00', 'preset', 'away');
  assert.is(it.target('06T07:10'), 12);
  it.say('06T07:20', 'preset', '');
  assert.is(it.target('06T07:20'), 21);
});

aims('the same word again is news where the schedule said something else meanwhile, and nothing where not', () => {
  const it = room({ mode: 'heat', schedule: week });
  assert.ok(it.say('05T07:00', 'target_c', '23'));
  assert.is(it.target('05T09:00'), 17);
  assert.ok(it.say('05T09:00', 'target_c', '23'));
  assert.is(it.target('05T09:00'), 23);
  const plain = room({ mode: 'heat', target_c: 21 });
  assert.not(plain.say('05T07:00', 'target_c', '21'));
});

aims('off is off until somebody, or the schedule, says heat; a target does not turn a room on', () => {
  const it = room({ mode: 'heat', schedule: week });
  it.say('05T07:00', 'mode', 'off');
  for (const when of ['05T07:00', '06T06:00', '11T12:00']) assert.is(it.target(when), undefined, when);
  assert.is(it.at('06T06:00').shownC, 21, 'what it would be');
  const nights = room({
    mode: 'heat',
    target_c: 19,
    schedule: [
      { at: '23:00', mode: 'off' },
      { at: '06:00', mode: 'heat' },
    ],
  });
  assert.equal([nights.target('05T22:59'), nights.target('05T23:00'), nights.target('06T06:00')], [19, undefined, 19]);
  nights.say('05T12:00', 'mode', 'off');
  assert.is(nights.target('05T22:00'), undefined);
  assert.is(nights.target('06T06:00'), 19);
});

aims('boost ends by itself, and what was before counts again', () => {
  const it = room({ mode: 'heat', target_c: 19, boost_min: 30 });
  it.say('05T12:00', 'preset', 'boost');
  assert.equal([it.target('05T12:29'), it.at('05T12:29').preset], [23, 'boost']);
  assert.equal([it.target('05T12:30'), it.at('05T12:30').preset], [19, 'none']);
  it.say('05T13:00', 'preset', 'eco');
  it.say('05T14:00', 'preset', 'boost');
  it.say('05T14:20', 'preset', 'boost');
  assert.is(it.at('05T14:49').preset, 'boost', 'from the last time on');
  assert.is(it.at('05T14:50').preset, 'eco');
  assert.is(it.next('05T14:30'), '2026-01-05T13:50:00.000Z');
  it.say('05T15:00', 'preset', 'boost');
  it.say('05T15:05', 'name', 'Attic');
  it.say('05T15:10', 'target_c', '20');
  assert.equal([it.at('05T15:11').preset, it.target('05T15:11'), it.target('05T17:00')], ['none', 20, 20]);
  assert.is(it.entry().document.preset, undefined, 'and the document says so');
});

aims('an entry of the schedule ends a boost, and one that came before it is what comes back', () => {
  const it = room({ mode: 'heat', schedule: week, boost_min: 60 });
  it.say('05T08:00', 'preset', 'boost');
  assert.is(it.at('05T08:29').preset, 'boost');
  assert.is(it.at('05T08:30').preset, 'eco');
  it.say('06T06:30', 'preset', 'boost');
  assert.equal([it.target('06T07:29'), it.target('06T07:30')], [23, 21]);
  const bySchedule = room({ mode: 'heat', target_c: 18, schedule: [{ at: '06:00', preset: 'boost' }] });
  assert.equal([bySchedule.target('05T06:59'), bySchedule.target('05T07:00')], [23, 18]);
});

aims(
  'a word from the future, said while the clock was wrong, does not hold until then; a clock put right does no harm',
  () => {
    const it = room({ mode: 'heat', schedule: week });
    it.say('25T07:00', 'target_c', '24');
    assert.is(it.target('05T07:00'), 21, 'as its schedule says');
    assert.is(it.target('25T06:40'), 17, 'since Saturday night');
    assert.is(it.target('25T06:58'), 24);
    const plain = room({ mode: 'heat', target_c: 19 });
    plain.say('25T07:00', 'preset', 'boost');
    assert.is(plain.at('05T07:00').preset, 'none', 'nor does a boost');
    plain.say('05T12:00', 'target_c', '24');
    assert.is(plain.target('05T07:00'), 24, 'without a schedule it is the only word');
  },
);

aims('quiet over midnight, on the days on which it begins', () => {
  const it = room({
    quiet: [
      { days: 'fri', from: '22:00', to: '06:30' },
      { from: '13:00', to: '14:00' },
    ],
  });
  const quiet = (when: string) => it.at(when).quiet;
  assert.equal(['09T21:59', '09T22:00', '10T06:29', '10T06:30'].map(quiet), [false, true, true, false]);
  assert.equal(['10T22:00', '09T03:00', '07T13:00', '07T13:59', '07T14:00'].map(quiet), [
    false,
    false,
    true,
    true,
    false,
  ]);
  assert.is(room({ quiet: [{ days: 'fri', from: '12:00', to: '12:00' }] }).at('10T11:59').quiet, true, 'a whole day');
  assert.is(it.next('09T20:00'), '2026-01-09T21:00:00.000Z');
});

aims('rules move the target and the watts while they are true, and what is not known makes none true', () => {
  const it = room({
    ...{ mode: 'heat', target_c: 21, max_w: 800 },
    rules: [
      { if: 'price > 0.35', add_c: -1.5, max_w: 300 },
      { if: 'price > 0.6', demand_pct: 50 },
      { if: 'surplus_w > 200 && temp_c < 24', min_w: 'surplus_w' },
      { if: 'hour >= 22 || hour < 6', add_c: -2 },
      { if: '!has(outdoor_c)', demand_pct: 90 },
    ],
  });
  const numbers = (when: string, more: object) => {
    const { targetC, shownC, maxW, minW, factor } = it.at(when, { outdoorC: 3, ...more });
    return [targetC, shownC, maxW, minW, factor];
  };
  assert.equal(numbers('05T12:00', {}), [21, 21, 800, 0, 1]);
  assert.equal(numbers('05T12:00', { price: Number.NaN }), [21, 21, 800, 0, 1]);
  assert.equal(numbers('05T12:00', { price: Number.POSITIVE_INFINITY }), [21, 21, 800, 0, 1]);
  assert.equal(numbers('05T12:00', { price: 0.4 }), [19.5, 21, 300, 0, 1]);
  assert.equal(numbers('05T12:00', { price: 0.7 }), [19.5, 21, 300, 0, 0.5]);
  assert.equal(numbers('05T12:00', { surplusW: 500 }), [21, 21, 800, 0, 1], 'its temperature is not known');
  assert.equal(numbers('05T12:00', { surplusW: 500, tempC: 20 }), [21, 21, 800, 500, 1]);
  assert.equal(numbers('05T12:00', { surplusW: 5000, tempC: 20 }), [21, 21, 800, 800, 1], 'never above max_w');
  assert.equal(numbers('05T23:00', { price: 0.4 }), [17.5, 21, 300, 0, 1]);
  assert.is(it.at('05T12:00').factor, 0.9);
  assert.is(it.next('05T12:10'), '2026-01-05T12:00:00.000Z', 'an hour is asked for');
  it.say('05T12:00', 'mode', 'off');
  assert.equal(numbers('05T12:00', { surplusW: 500, tempC: 20 }).slice(3), [0, 1], 'off is off');
});

aims('no target reaches the hard limit or leaves what may be asked for', () => {
  const hot = room({ mode: 'heat', target_c: 30, limit_c: 25, rules: [{ if: 'true', add_c: 5 }] });
  assert.is(hot.target('05T12:00'), 24.5);
  const cold = room({ mode: 'heat', target_c: 6, rules: [{ if: 'true', add_c: -10 }] });
  assert.is(cold.target('05T12:00'), 5);
});

aims('a rule that could never be true is refused when it is said, with its place', () => {
  const why = (text: string): string => {
    const compiled = compileRules([
      { if: 'true', add_c: 1 },
      { if: text, add_c: 1 },
    ]);
    return compiled.ok ? 'ok' : `${compiled.error.at}: ${compiled.error.message}`;
  };
  assert.is(why('price * 2 < outdoor_c + 3 && !(hour in [1, 2])'), 'ok');
  assert.match(why('prise > 1'), 'rules.1.if: there is no "prise" here: did you mean "price"?');
  assert.match(why('price'), 'compare it');
  assert.match(why('price == "a"'), 'is no number');
  assert.match(why('price > (hour == 1)'), /is true or false|compared again/);
  assert.match(why('price && hour > 1'), 'compare it');
  assert.match(why('facts["price"] > 1'), /not available|no number|facts/);
  assert.match(why('price > 1 ? true : false'), 'not available');
  assert.match(why('[1,2].all(x, x > 1)'), 'rules.1.if');
  assert.match(why('price >'), 'at its end');
  assert.match(why('hour in price'), 'a list of numbers');
  assert.match(why(`price > ${'('.repeat(100)}1${')'.repeat(100)}`), /nested too deeply|ok/);
  assert.match(why('constructor > 1'), 'there is no "constructor"');
  assert.match(why('__proto__ > 1'), /there is no "__proto__"|reserved/);
});

aims.run();
