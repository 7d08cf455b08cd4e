/** Aims of any room at any moment, beside an oracle that goes through the minutes one by one. */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { acceptSet } from '../../broker/heat/rooms/accept.ts';
import { aimOf, nextAim } from '../../broker/heat/rooms/aim.ts';
import { noRoom, type RoomEntry } from '../../broker/heat/rooms/entry.ts';
import { presetNames, roomDocument } from '../../shared/schemas/room.ts';

const aims = suite('heat: aims of any room');
const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

const minute = fc.integer({ min: 0, max: 1439 });
const clock = minute.map(m => `${String(Math.floor(m / 60)).padStart(2, '0')}:${String(m % 60).padStart(2, '0')}`);
const days = fc.option(fc.constantFrom('mon', 'mon-fri', 'sat,sun', 'fri-mon', 'wed,sun'), { nil: undefined });
const says = fc.oneof(
  fc.record({ target_c: fc.integer({ min: 5, max: 30 }) }),
  fc.record({ preset: fc.constantFrom(...presetNames) }),
  fc.record({ mode: fc.constantFrom('off', 'heat') }),
);
const documents = fc.record({
  tz: fc.constantFrom('Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Africa/Cairo', 'UTC'),
  boost_min: fc.integer({ min: 5, max: 600 }),
  schedule: fc.array(
    fc.tuple(days, clock, says).map(([on, at, what]) => ({ ...(on ? { days: on } : {}), at, ...what })),
    { maxLength: 8 },
  ),
  quiet: fc.array(
    fc.tuple(days, clock, clock).map(([on, from, to]) => ({ ...(on ? { days: on } : {}), from, to })),
    { maxLength: 3 },
  ),
  rules: fc.constantFrom([], [{ if: 'hour >= 7 && hour < 20', add_c: 1 }]),
});
const start = Date.UTC(2026, 2, 20);
/** Two weeks and two days around the end of March, when Berlin's clock is put forward; and of October. */
const moment = fc.oneof(
  fc.integer({ min: 0, max: 16 * 86_400_000 }).map(ms => start + ms),
  fc.integer({ min: 0, max: 16 * 86_400_000 }).map(ms => Date.UTC(2026, 9, 18) + ms),
);
const words = fc.array(fc.tuple(moment, says), { maxLength: 5 });

/** A new object: nothing of what was worked out for another one is used. */
const fresh = (entry: RoomEntry): RoomEntry => ({ ...entry });

function lived(document: object, said: readonly (readonly [number, object])[]): RoomEntry {
  let entry: RoomEntry = noRoom;
  const set = (wall: number, patch: object) => {
    const { entry: next } = acceptSet(entry, [], bytes(patch), wall);
    if (!next.ok) throw new Error(next.error.message);
    if (next.value) entry = { ...next.value, rev: entry.rev + 1 };
  };
  set(start - 1, document);
  for (const [wall, patch] of [...said].sort(([a], [b]) => a - b)) set(wall, patch);
  assert.ok(roomDocument.safeParse(entry.document).success);
  return entry;
}

aims('any room: nothing changes before nextAim says so, and what was worked out before makes no difference', () => {
  fc.assert(
    fc.property(
      documents,
      words,
      fc.array(moment, { minLength: 1, maxLength: 6 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (document, said, walls, share) => {
        const entry = lived(document, said);
        for (const wall of walls) {
          const aim = aimOf('r', entry, { wall });
          assert.equal(aim, aimOf('r', fresh(entry), { wall }), 'as without what was kept');
          const next = nextAim(entry, wall);
          assert.ok(next > wall && next <= wall + 26 * 3_600_000, `${next - wall}`);
          // A word from the future changes what is past: it is none of these.
          if (said.some(([at]) => at > wall)) continue;
          for (const between of [wall + Math.floor((next - 1 - wall) * share), next - 1]) {
            assert.equal(aimOf('r', fresh(entry), { wall: between }), aim);
          }
        }
      },
    ),
    { numRuns: 60 },
  );
});

/** The week said in another way: go through every minute's entries of the last nine days, in their order. */
function plainly(entry: RoomEntry, wall: number): { mode: string; preset: string; target: number } {
  const { document, said = {}, before } = entry;
  const zone = document.tz ?? 'UTC';
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' });
  const local = (ms: number) => format.format(ms);
  const order = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
  const isOn = (text: string | undefined, name: string) => {
    if (text === undefined) return true;
    return text.split(',').some(part => {
      const [from = '', to = from] = part.split('-');
      const length = (order.indexOf(to) - order.indexOf(from) + 7) % 7;
      return (order.indexOf(name) - order.indexOf(from) + 7) % 7 <= length;
    });
  };
  const state = { mode: 'off', preset: 'none', target: 20, until: Number.POSITIVE_INFINITY, back: 'none' };
  const hear = (
    at: number,
    one: { mode?: string | undefined; preset?: string | undefined; target_c?: number | undefined },
  ) => {
    if (state.until <= at) Object.assign(state, { preset: state.back, until: Number.POSITIVE_INFINITY });
    if (one.mode !== undefined) state.mode = one.mode;
    if (one.target_c !== undefined)
      Object.assign(state, { target: one.target_c, preset: 'none', until: Number.POSITIVE_INFINITY });
    if (one.preset === 'boost') {
      const back = state.until < Number.POSITIVE_INFINITY ? state.back : state.preset;
      Object.assign(state, { preset: 'boost', back, until: at + (document.boost_min ?? 60) * 60_000 });
    } else if (one.preset !== undefined) Object.assign(state, { preset: one.preset, until: Number.POSITIVE_INFINITY });
  };
  const events: { at: number; rank: number; one: object }[] = [];
  const add = (at: number | undefined, rank: number, one: object) => events.push({ at: at ?? 0, rank, one });
  if (document.mode) add(said.mode, 1e6, { mode: document.mode });
  if (document.target_c !== undefined) add(said.target_c, 1e6 + 1, { target_c: document.target_c });
  if (before) add(before.at, 1e6 + 2, { preset: before.preset });
  if (document.preset) add(said.preset, 1e6 + 3, { preset: document.preset });
  // Minute by minute: an entry comes when the clock first shows its time, or has passed it since the minute before.
  let last = local(wall - 9 * 86_400_000 - 60_000);
  const seen = new Set<string>();
  const from = Math.floor((wall - 9 * 86_400_000) / 60_000) * 60_000;
  for (let ms = from; ms <= wall; ms += 60_000) {
    const now = local(ms);
    (document.schedule ?? []).forEach(({ days: on, at, ...one }, index) => {
      const day = now.slice(0, 10);
      const time = `${day} ${at}:00`;
      const name = order[new Date(`${day}T00:00:00Z`).getUTCDay()] ?? '';
      if (now < time || last >= time || seen.has(`${time} ${index}`) || !isOn(on, name)) return;
      seen.add(`${time} ${index}`);
      events.push({ at: ms, rank: Number(at.replace(':', '')) * 100 + index, one });
    });
    if (now > last) last = now;
  }
  events.sort((a, b) => a.at - b.at || a.rank - b.rank);
  for (const { at, one } of events) hear(at, one);
  hear(wall, {});
  return state;
}

aims('any room: as going through the minutes of nine days one by one would have it', () => {
  fc.assert(
    fc.property(documents, words, moment, (document, said, wall) => {
      const entry = lived(
        { ...document, rules: [] },
        said.filter(([at]) => at <= wall),
      );
      const { mode, preset, target } = plainly(entry, wall);
      const aim = aimOf('r', entry, { wall });
      assert.equal([aim.mode, aim.preset], [mode, preset]);
      if (preset === 'none') assert.is(aim.shownC, target);
    }),
    { numRuns: 12 },
  );
});

aims.run();
