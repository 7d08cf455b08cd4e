/** What the page makes of a room and of what somebody turns there, run in Node as it stands. */
import * as assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite as describe } from 'uvu';
import { applyChange, fromSnapshot, mostRooms } from '../../dashboard/fleet-state.js';
import {
  accepted,
  type Dials,
  dialsOf,
  figuresOf,
  noWish,
  refused,
  roomFacts,
  roomState,
  sending,
  settled,
  stepped,
  temperatureOf,
  turned,
  typedTarget,
  type Wish,
} from '../../dashboard/room-state.js';
import type { RoomView } from '../../shared/fleet-view.ts';
import { roomDefaults } from '../../shared/schemas/room.ts';
import { isOf } from '../fixture/rooms-rig.ts';

const suite = describe('dashboard: rooms');

const room = (is: Partial<NonNullable<RoomView['is']>> = {}, more: Partial<RoomView> = {}): RoomView => ({
  ...{ id: 'attic', online: true, min_c: 5, max_c: 28, presets: roomDefaults.presets },
  ...{ is: isOf('attic', is), is_at_ms: 1000, is_rev: 4, ...more },
});
const shown = (wish: Wish, of = room()) => {
  const { pending: _, ...dials } = dialsOf(of, wish) ?? assert.fail('no dials');
  return dials;
};
const heat: Dials = { target_c: 21, mode: 'heat', preset: 'none' };

suite('several presses are one change, which is shown until the room goes by it', () => {
  let wish = turned(turned(noWish, 'target_c', 21.5), 'target_c', 22);
  assert.deepEqual(shown(wish), { ...heat, target_c: 22 });
  assert.equal(dialsOf(room(), wish)?.pending, 'setting 22.0 °C …');
  wish = sending(wish);
  assert.deepEqual(wish.asking, { target_c: 22 });
  assert.equal(sending(wish), wish, 'one question at a time');
  // Turned on while the answer is awaited: nothing of it is lost.
  wish = turned(wish, 'target_c', 22.5);
  wish = settled(accepted(wish, 5, 0), room(), 1000);
  assert.deepEqual([wish.said, wish.waiting?.patch], [{ target_c: 22.5 }, { target_c: 22 }]);
  assert.equal(shown(wish).target_c, 22.5);
  wish = accepted(sending(wish), 6, 2000);
  const older = room({ target_c: 22 }, { is_rev: 5 });
  assert.equal(
    shown(settled(wish, older, 2100), older).target_c,
    22.5,
    'an older word of the room does not turn it back',
  );
  // What the room makes of it counts, whatever was wished.
  const newer = room({ target_c: 20 }, { is_rev: 6 });
  wish = settled(wish, newer, 2200);
  assert.deepEqual(wish, { ...noWish });
  assert.equal(dialsOf(newer, wish)?.pending, '');
});

suite('a refusal is told with what was wished, and the room is shown as it was', () => {
  let wish = refused(sending(turned(noWish, 'target_c', 40)), 'target_c: at most 30 °C');
  assert.deepEqual(shown(wish), heat);
  assert.equal(wish.fault, '40.0 °C was not set: target_c: at most 30 °C');
  assert.match(
    refused(sending(turned(noWish, 'mode', 'off')), 'gone', false).fault,
    /^off may not have been set: gone$/,
  );
  wish = turned(sending(turned(wish, 'mode', 'off')), 'target_c', 19);
  assert.equal(wish.fault, '', 'the next turn ends it');
  wish = refused(wish, 'why');
  assert.deepEqual([wish.fault, wish.said], ['off was not set: why', { target_c: 19 }]);
});

suite('what was accepted and never followed is given up', () => {
  const wish = accepted(sending(turned(noWish, 'mode', 'off')), 9, 0);
  assert.equal(shown(settled(wish, room(), 19_000)).mode, 'off');
  assert.equal(shown(settled(wish, room(), 20_000)).mode, 'heat');
});

suite('a target ends a preset, a preset shows its degrees, and the later word counts', () => {
  const eco = room({ preset: 'eco', target_c: 17 });
  assert.deepEqual(shown(turned(noWish, 'target_c', 17.5), eco), { ...heat, target_c: 17.5 });
  assert.deepEqual(shown(turned(noWish, 'preset', 'comfort'), eco), { ...heat, preset: 'comfort', target_c: 21 });
  let wish = turned(turned(noWish, 'target_c', 18), 'preset', 'away');
  assert.deepEqual(wish.said, { preset: 'away' });
  wish = turned(accepted(sending(wish), 5, 0), 'target_c', 18.5);
  assert.deepEqual(shown(wish, eco), { ...heat, target_c: 18.5 });
  wish = turned(wish, 'mode', 'off');
  assert.deepEqual(wish.said, { target_c: 18.5, mode: 'off' });
  assert.equal(dialsOf(eco, wish)?.pending, 'setting 18.5 °C, off …');
});

suite('steps are half degrees on the grid and within bounds', () => {
  const bounds = { min_c: 5, max_c: 28 };
  const at = (c: number) => [stepped(c, -1, bounds), stepped(c, 1, bounds)];
  assert.deepEqual([20, 20.3, 0.1 + 0.2 + 20, 5, 28].map(at), [
    [19.5, 20.5],
    [20, 20.5],
    [20, 20.5],
    [5, 5.5],
    [27.5, 28],
  ]);
  fc.assert(
    fc.property(fc.double({ min: -50, max: 80, noNaN: true }), fc.constantFrom<1 | -1>(1, -1), (c, direction) => {
      const next = stepped(c, direction, bounds);
      assert.equal(next % 0.5, 0);
      assert.ok(next >= 5 && next <= 28);
      if (c > 5.5 && c < 27.5) assert.ok(Math.abs(next - c) <= 0.5 + 1e-8 && Math.sign(next - c) === direction);
    }),
  );
});

suite('a typed target is a number in any of the ways people write it, or none', () => {
  assert.deepEqual(['21', ' 21,5 ', '20.25°C', '19 °c', '-3'].map(typedTarget), [21, 21.5, 20.25, 19, -3]);
  for (const text of ['', 'warm', '2e1', '0x15', '21.5.1', '1'.repeat(40), 'NaN'])
    assert.equal(typedTarget(text), undefined, text);
});

suite('one word for a room, its reading with an age where that matters, and what it draws', () => {
  const lost = room({ temp_age_s: 700 });
  const { temp_c: _, ...rest } = lost.is ?? assert.fail();
  const silent = { ...lost, online: false, is: rest };
  const fresh: RoomView = { ...room(), online: false, is: undefined };
  assert.deepEqual(
    [room(), room({ action: 'idle' }), room({ mode: 'off', action: 'off' }), silent, fresh]
      .map(roomState)
      .map(s => s.word),
    ['heating', 'idle', 'off', 'offline', 'not looked at yet'],
  );
  assert.deepEqual(temperatureOf(room(), 2000), { text: '19.2 °C', note: '' });
  assert.deepEqual(temperatureOf(room(), 181_000), { text: '19.2 °C', note: '3 min old' });
  assert.deepEqual(temperatureOf(silent, 1000), { text: '–', note: 'no reading for 11 min' });
  assert.deepEqual(temperatureOf(fresh, 1000), { text: '–', note: 'no reading' });
  assert.deepEqual(
    figuresOf(room()).map(([, figure]) => figure),
    ['300 W', '280 W', '1.5 kWh'],
  );
  assert.deepEqual(
    figuresOf(fresh).map(([, figure]) => figure),
    ['–', '–', '–'],
  );
  assert.equal(
    roomFacts(room({ aim_c: 18, max_w: 400, nodes: 1, jobs: 2 })),
    'by its rules 18.0 °C · at most 400 W · 1 node · 2 tasks',
  );
  assert.equal(roomFacts(room({ nodes: 0, jobs: 0 })), 'no node online');
  assert.equal(dialsOf(fresh, noWish), undefined);
});

suite('rooms of the fleet come, change and go with it, and are bounded', () => {
  const snapshot = { seq: 5, base: 'hearth', ver: '1', nodes: [], rooms: [room()], events: [] };
  const change = (seq: number, rooms: Record<string, RoomView | null>) => ({ seq, nodes: {}, rooms, events: [] });
  let page = fromSnapshot(snapshot);
  page = applyChange(page, change(6, { attic: room({ target_c: 22 }) })) ?? assert.fail();
  assert.equal(page.rooms.get('attic')?.is?.target_c, 22);
  page = applyChange(page, { seq: 7, nodes: {}, events: [] }) ?? assert.fail();
  page = applyChange(page, change(8, { attic: null })) ?? assert.fail();
  assert.equal(page.rooms.size, 0);
  const many = Array.from({ length: 90 }, (_, index) => ({ ...room(), id: `r${index}` }));
  assert.equal(fromSnapshot({ ...snapshot, rooms: many }).rooms.size, mostRooms);
  page = applyChange(page, change(9, Object.fromEntries(many.map(one => [one.id, one])))) ?? assert.fail();
  assert.equal(page.rooms.size, mostRooms);
});

suite.run();
