/** Whatever anybody says of a room: nothing is thrown, what is accepted fits the schema, and its aim keeps its bounds. */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { acceptSet } from '../../broker/heat/rooms/accept.ts';
import { aimOf, mostW, nextAim } from '../../broker/heat/rooms/aim.ts';
import { noRoom, type RoomEntry, roomEntry } from '../../broker/heat/rooms/entry.ts';
import { Readings, readReading } from '../../broker/heat/rooms/readings.ts';
import { compileRules } from '../../broker/heat/rooms/rules.ts';
import { roomDocument, roomReadings } from '../../shared/schemas/room.ts';

const hostile = suite('heat: hostile words about rooms');
const bytes = (text: string) => new TextEncoder().encode(text);

const numbers = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.constantFrom(0, -0, 1e308, -1e308, Number.MAX_SAFE_INTEGER, 21, 27.5),
);
const texts = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(
    'heat',
    'off',
    'boost',
    'none',
    'mon-fri',
    '06:00',
    '24:00',
    'price > 1',
    'hour < 3',
    'UTC',
    'NaN',
    '__proto__',
  ),
);
const words = fc.constantFrom(
  'at',
  'days',
  'from',
  'to',
  'if',
  'add_c',
  'min_w',
  'topic',
  'node',
  'sensor',
  'run',
  'eco',
  '__proto__',
  'constructor',
);
const { json } = fc.letrec(tie => ({
  json: fc.oneof(
    { maxDepth: 3 },
    numbers,
    texts,
    fc.constantFrom(null, true, false),
    fc.array(tie('json'), { maxLength: 4 }),
    fc.dictionary(fc.oneof(words, texts), tie('json'), { maxKeys: 4, noNullPrototype: false }),
  ),
}));
const entryOf = fc.record({
  at: fc.constantFrom('06:00', '23:59', '00:00'),
  preset: fc.constantFrom('eco', 'boost', 'none'),
});
const good: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  mode: fc.constantFrom('heat', 'off'),
  target_c: fc.double({ min: 5, max: 30, noNaN: true }),
  preset: fc.constantFrom('eco', 'boost', 'none', 'away'),
  boost_min: fc.integer({ min: 5, max: 600 }),
  limit_c: fc.double({ min: 10, max: 40, noNaN: true }),
  max_w: fc.double({ min: 0, max: 100_000, noNaN: true }),
  schedule: fc.array(entryOf, { maxLength: 3 }),
  quiet: fc.constantFrom([{ from: '22:00', to: '06:00' }], []),
  tz: fc.constantFrom('Asia/Kathmandu', 'Etc/GMT+12', 'america/new_york'),
  rules: fc.constantFrom(
    [{ if: 'price > 0', add_c: 5, demand_pct: 200, min_w: 'surplus_w' }],
    [{ if: 'true', max_w: 0, min_w: 5 }],
  ),
};
const key = fc.constantFrom(...Object.keys(roomDocument.shape), 'rev', 'tx', '__proto__', 'x');
const document = fc.dictionary(key, json, { maxKeys: 5, noNullPrototype: false });
const said = fc.oneof(
  fc.record(good, { requiredKeys: [] }).map(patch => [[], bytes(JSON.stringify(patch))] as const),
  fc.tuple(
    fc.constant([]),
    document.map(value => bytes(JSON.stringify(value))),
  ),
  fc.tuple(
    fc.array(fc.oneof(key, words), { minLength: 1, maxLength: 3 }),
    fc.oneof(
      json.map(value => bytes(JSON.stringify(value))),
      texts.map(bytes),
    ),
  ),
  fc.tuple(fc.array(key, { maxLength: 2 }), fc.uint8Array({ maxLength: 60 })),
);
const epoch = fc.oneof(fc.integer({ min: 0, max: 4_000_000_000_000 }), fc.constantFrom(0, 1, 1_800_000_000_000));

hostile('sets', () => {
  let taken = 0;
  fc.assert(
    fc.property(
      fc.array(said, { maxLength: 6 }),
      epoch,
      epoch,
      fc.record({ price: numbers, surplusW: numbers, tempC: numbers, outdoorC: numbers }),
      (all, start, wall, now) => {
        let entry: RoomEntry = noRoom;
        for (const [index, [path, payload]] of all.entries()) {
          const { entry: next } = acceptSet(entry, path, payload, start + index);
          if (!next.ok) assert.ok(next.error.message.length > 0);
          else if (next.value) {
            taken++;
            entry = { ...next.value, rev: index + 1 };
          }
        }
        const kept = roomEntry.safeParse(JSON.parse(JSON.stringify(entry)));
        assert.ok(kept.success, 'what is accepted can be read back');
        const aim = aimOf('r', entry, { wall, ...now });
        assert.ok(aim.targetC === undefined || (aim.targetC >= 5 && aim.targetC <= 30 && aim.targetC <= aim.limitC));
        assert.ok(aim.minW >= 0 && aim.minW <= aim.maxW && aim.maxW <= mostW, JSON.stringify(aim));
        assert.ok(aim.factor >= 0 && aim.factor <= 4);
        assert.ok(aim.mode === 'heat' || (aim.targetC === undefined && aim.minW === 0));
        const next = nextAim(entry, wall);
        assert.ok(next > wall && next <= wall + 26 * 3_600_000, `${next - wall}`);
      },
    ),
    { numRuns: 1500 },
  );
  assert.ok(taken > 500, `${taken} were accepted`);
});

hostile('rules', () => {
  const piece = fc.constantFrom(
    ...[
      'price',
      'hour',
      '(',
      ')',
      '&&',
      '||',
      '!',
      '<',
      '==',
      '1',
      '0.5',
      '-',
      '+',
      '%',
      '/',
      'in',
      '[',
      ']',
      ',',
      'has',
      '?',
      ':',
      '"a"',
      'true',
      '.',
      'temp_c',
      'matches',
      'r"',
      "'",
      '\\',
    ],
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.array(piece, { minLength: 1, maxLength: 25 }).map(all => all.join(' ')),
        fc.string({ unit: 'binary', minLength: 1, maxLength: 300 }),
      ),
      fc.record({ price: numbers, hour: numbers, temp_c: numbers }),
      (text, facts) => {
        const compiled = compileRules([{ if: text, add_c: 1 }]);
        if (compiled.ok) assert.type(compiled.value[0]?.test(facts), 'boolean');
        else assert.ok(compiled.error.message.length < 500);
      },
    ),
    { numRuns: 3000 },
  );
  for (const deep of [
    '('.repeat(299),
    '!'.repeat(299),
    `${'-'.repeat(150)}1`,
    `${'1+'.repeat(149)}1`,
    '['.repeat(150),
  ]) {
    assert.not(compileRules([{ if: deep, add_c: 1 }]).ok);
  }
});

hostile('readings', () => {
  const sent = fc.oneof(
    json.map(value => bytes(JSON.stringify(value))),
    fc.record({ value: numbers, at_ms: numbers }).map(value => bytes(JSON.stringify(value))),
    numbers.map(value => bytes(String(value))),
    fc.uint8Array({ maxLength: 40 }),
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...roomReadings),
      fc.array(fc.tuple(sent, fc.nat(1e7), fc.boolean()), { maxLength: 6 }),
      epoch,
      (name, all, wall) => {
        const readings = new Readings();
        let now = 1000;
        for (const [payload, later, old] of all) {
          now += later;
          const read = readReading(name, payload);
          if (read.ok) readings.take(name, read.value, now, wall + later, old);
          const latest = readings.latest(name, now);
          if (!latest) continue;
          assert.ok(Number.isFinite(latest.value));
          assert.ok(latest.ageMs >= 0 && latest.ageMs < 3 * 3_600_000, `${latest.ageMs}`);
        }
      },
    ),
    { numRuns: 1500 },
  );
});

hostile.run();
