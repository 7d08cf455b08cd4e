/** Times on a room's wall clock, beside an oracle that looks at the clock minute by minute. */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { daysAround, readDays } from '../../broker/heat/rooms/timetable.ts';
import { dayMs, zoneOf } from '../../broker/heat/rooms/zone.ts';

const zones = suite('heat: wall clocks');

/** With both changes of the clock, at midnight and by half an hour, without any, and at the ends of the day. */
const names = [
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'Africa/Cairo',
  'Asia/Kolkata',
  'America/Havana',
  'Pacific/Chatham',
  'Pacific/Apia',
  'UTC',
];
const minuteMs = 60_000;
const dayOf = (text: string): number => Date.parse(`${text}T00:00:00Z`) / dayMs;

/** What the clock shows, by another way than the code under test goes: text of the Swedish locale is ISO 8601. */
const clocks = new Map(
  names.map(timeZone => [
    timeZone,
    new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'medium' }),
  ]),
);
function shows(name: string, wall: number): number {
  const text = clocks.get(name)?.format(wall) ?? '';
  return Date.parse(`${text.replace(' ', 'T')}Z`);
}

/** The first minute at which the clock shows that day and time, or later. */
function oracle(name: string, day: number, minute: number): number {
  const wanted = day * dayMs + minute * minuteMs;
  // Coarsely first: the clock never goes back by more than a day.
  let at = wanted - 30 * 3_600_000;
  while (shows(name, at + 30 * minuteMs) < wanted) at += 30 * minuteMs;
  for (; shows(name, at) < wanted; at += minuteMs);
  return at;
}

zones('the first moment at which the clock shows a time: any day, any zone', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...names),
      fc.integer({ min: dayOf('2020-01-01'), max: dayOf('2035-12-31') }),
      fc.integer({ min: 0, max: 1439 }),
      (name, day, minute) => {
        assert.is(zoneOf(name).first(day, minute), oracle(name, day, minute));
      },
    ),
    { numRuns: 150 },
  );
});

zones('… and on the days on which the clock is put forward or back', () => {
  const turns: readonly (readonly [string, string])[] = [
    ['Europe/Berlin', '2026-03-29'],
    ['Europe/Berlin', '2026-10-25'],
    ['America/New_York', '2026-03-08'],
    ['America/New_York', '2026-11-01'],
    ['Australia/Lord_Howe', '2026-04-05'],
    ['Australia/Lord_Howe', '2026-10-04'],
    ['Africa/Cairo', '2026-04-24'],
    ['Africa/Cairo', '2026-10-30'],
    ['America/Havana', '2026-03-08'],
    ['America/Havana', '2026-11-01'],
    ['Pacific/Apia', '2011-12-30'],
  ];
  for (const [name, day] of turns) {
    for (const minute of [0, 1, 29, 30, 59, 60, 90, 119, 120, 121, 150, 179, 180, 181, 240, 720, 1380, 1439]) {
      const found = zoneOf(name).first(dayOf(day), minute);
      assert.is(found, oracle(name, dayOf(day), minute), `${name} ${day} ${minute}`);
    }
  }
});

zones('a spring night: half past two is never shown, and counts from three on; an autumn night has it twice', () => {
  const berlin = zoneOf('Europe/Berlin');
  const at = (text: string) => Date.parse(text);
  assert.is(berlin.first(dayOf('2026-03-29'), 150), at('2026-03-29T01:00:00Z'));
  assert.is(berlin.first(dayOf('2026-10-25'), 150), at('2026-10-25T00:30:00Z'));
  assert.equal(berlin.local(at('2026-10-25T01:30:00Z')), { day: dayOf('2026-10-25'), minute: 150 });
});

zones('what comes into force around a day is the same as asked one by one, in order', () => {
  const time = fc.tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }));
  const text = ([h, m]: readonly number[]) => `${String(h).padStart(2, '0')}:${String(m).padStart(2, '0')}`;
  fc.assert(
    fc.property(
      fc.constantFrom(...names),
      fc.integer({ min: dayOf('2026-01-01'), max: dayOf('2027-12-31') }),
      fc.array(time, { minLength: 1, maxLength: 4 }),
      (name, day, times) => {
        const zone = zoneOf(name);
        const schedule = times.map((one, index) => ({ at: text(one), target_c: 10 + index }));
        const { changes, known } = daysAround({ schedule }, zone, day * dayMs + dayMs / 2);
        for (let i = 1; i < changes.length; i++) assert.ok((changes[i - 1]?.at ?? 0) <= (changes[i]?.at ?? 0));
        const today = zone.local(day * dayMs + dayMs / 2).day;
        for (const [h = 0, m = 0] of times) {
          const at = zone.first(today, h * 60 + m);
          assert.ok(changes.some(change => change.at === at));
        }
        assert.ok(known[0] < known[1] && known[1] - known[0] <= 26 * 3_600_000);
      },
    ),
    { numRuns: 100 },
  );
});

zones('days as people write them', () => {
  const days = (text?: string) =>
    readDays(text)
      .map((on, day) => (on ? day : ''))
      .join('');
  assert.is(days(), '0123456');
  assert.is(days('mon-fri'), '12345');
  assert.is(days('fri-mon'), '0156');
  assert.is(days('sat,sun'), '06');
  assert.is(days('wed-tue'), '0123456');
});

zones.run();
