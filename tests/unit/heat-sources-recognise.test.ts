/** Payloads of real plugs and thermometers become numbers; what is none becomes a sentence; nothing throws. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { recognise } from '../../broker/heat/sources/recognise.ts';
import { plugs } from '../fixture/sources/plugs.ts';
import type { Sample } from '../fixture/sources/sample.ts';
import { thermometers } from '../fixture/sources/thermometers.ts';

const test = suite('heat sources: recognise');
const bytes = (text: string) => new TextEncoder().encode(text);

function check(kind: 'temp' | 'watts', { topic, payload, is, energyWh, atMs, from }: Sample): void {
  const found = recognise(kind, topic, bytes(payload));
  if (is === undefined) assert.equal(found, undefined, from);
  else if (is instanceof RegExp) assert.match(`${found}`, is, from);
  else {
    assert.ok(typeof found === 'object', `${from}: ${found}`);
    assert.ok(Math.abs(found.value - is) < 1e-6, `${from}: ${found.value}`);
    assert.equal(found.atMs, atMs, from);
    if (energyWh === undefined) assert.equal(found.energyWh, undefined, from);
    else assert.ok(Math.abs((found.energyWh ?? 0) - energyWh) < 1e-6, `${from}: ${found.energyWh}`);
  }
}

for (const sample of plugs) test(`watts: ${sample.from} on ${sample.topic}`, () => check('watts', sample));
for (const sample of thermometers) test(`temp: ${sample.from} on ${sample.topic}`, () => check('temp', sample));

const keys = [...plugs, ...thermometers].flatMap(({ payload }) => payload.match(/[A-Za-z_:0-9-]+/g) ?? []);
const key = fc.oneof(
  fc.constantFrom(...new Set(keys)),
  fc.constantFrom('__proto__', 'constructor', 'toString'),
  fc.string(),
);
const { tree } = fc.letrec<{ tree: unknown }>(tie => ({
  tree: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.oneof(
      fc.double(),
      fc.integer(),
      fc.constantFrom('21.3', 'nan', '1e999', '-', '.', 'F'),
      fc.string(),
      fc.constant(null),
    ),
    fc.dictionary(key, tie('tree'), { maxKeys: 6 }),
    fc.array(tie('tree'), { maxLength: 3 }),
  ),
}));
const topic = fc.constantFrom(...new Set([...plugs, ...thermometers].map(one => one.topic)), 'x');
const payload = fc.oneof(
  tree.map(value => bytes(JSON.stringify(value) ?? '')),
  fc.uint8Array(),
  fc.string({ unit: 'binary' }).map(bytes),
  fc.constantFrom('1e400', '--5', '+', '5e', '0x10', 'Infinity', '1_000', ' 5 ', '\ufeff5', '5\u0000').map(bytes),
);

test('whatever comes: a finite number with a name, one sentence, or nothing', () => {
  fc.assert(
    fc.property(fc.constantFrom('temp', 'watts'), topic, payload, (kind, name, sent) => {
      const found = recognise(kind, name, sent);
      if (found === undefined) return;
      if (typeof found === 'string') {
        assert.ok(found.length > 10 && found.length < 400 && !found.includes('\n'), found);
        return;
      }
      assert.ok(Number.isFinite(found.value));
      assert.ok(found.energyWh === undefined || (Number.isFinite(found.energyWh) && found.energyWh >= 0));
      assert.ok(found.atMs === undefined || Number.isSafeInteger(found.atMs));
      assert.ok(kind === 'temp' || found.value >= 0);
    }),
    { numRuns: 5000 },
  );
});

test('a hostile payload of 256 kB costs no more than reading it', () => {
  const large = 256 * 1024;
  for (const text of [
    '['.repeat(large),
    '{"a":'.repeat(large / 5),
    '9'.repeat(large),
    `{"data":"${'0'.repeat(60_000)}"}`,
    `{${Array.from({ length: 5000 }, (_, i) => `"A${i}":{"Temperature":1}`).join(',')}}`.slice(0, large),
    ' '.repeat(large),
    `${'a'.repeat(60_000)}5`,
  ]) {
    for (const kind of ['temp', 'watts'] as const) {
      const found = recognise(kind, 'x', bytes(text));
      assert.ok(typeof found === 'string' && found.length < 400);
    }
  }
});

test.run();
