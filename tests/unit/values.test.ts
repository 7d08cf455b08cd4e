import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Json, mergePatch, replaceAt } from '../../shared/merge-patch.ts';
import { idFromHostname, isId, nearest, printable } from '../../shared/names.ts';
import { readValue, type ValueKind } from '../../shared/values.ts';

const values = suite('values');
const read = (kind: ValueKind, text: string) => {
  const result = readValue(kind, new TextEncoder().encode(text));
  return result.ok ? result.value : new Error(result.error.message);
};

values('a string key takes the bytes as text, less one final newline', () => {
  for (const text of ['1.10', '007', 'true', 'null', '{"a":1}', '[1]', '', ' x ', 'a\n\n']) {
    assert.is(read('string', text), text.endsWith('\n') ? text.slice(0, -1) : text);
  }
});

values('number and boolean keys are parsed, and nothing else passes', () => {
  assert.is(read('number', '1.10'), 1.1);
  assert.is(read('number', '-4e2\n'), -400);
  for (const text of ['', '0x10', 'Infinity', 'NaN', '1,5', '1e999', 'true', '1 2']) {
    assert.instance(read('number', text), Error, text);
  }
  for (const text of ['on', 'TRUE', '1', 'true\n']) assert.is(read('boolean', text), true);
  for (const text of ['off', 'False', '0']) assert.is(read('boolean', text), false);
  for (const text of ['yes', '', '2', 'constructor']) assert.instance(read('boolean', text), Error, text);
});

values('a key that takes an object reads JSON only where the payload starts with a brace', () => {
  assert.equal(read('string-or-object', ' {"run":"x"}'), { run: 'x' });
  assert.is(read('string-or-object', 'echo {}'), 'echo {}');
  assert.instance(read('string-or-object', '{echo'), Error);
  assert.equal(read('string-or-array', '["a"]'), ['a']);
  assert.is(read('string-or-array', 'a'), 'a');
});

/** The examples of RFC 7396, appendix A: target, patch, result. */
const rfc7396: readonly [Json, Json, Json][] = [
  [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
  [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
  [{ a: 'b' }, { a: null }, {}],
  [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
  [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
  [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
  [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
  [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
  [
    ['a', 'b'],
    ['c', 'd'],
    ['c', 'd'],
  ],
  [{ a: 'b' }, ['c'], ['c']],
  [{ a: 'foo' }, null, null],
  [{ a: 'foo' }, 'bar', 'bar'],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [[1, 2], { a: 'b', c: null }, { a: 'b' }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
];
values('merge patch does what RFC 7396 says, example by example', () => {
  for (const [target, patch, result] of rfc7396) assert.equal(mergePatch(target, patch), result);
});

values('a merge leaves its inputs alone, and applied twice it changes nothing more', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (target, patch) => {
      const before = JSON.stringify([target, patch]);
      const once = mergePatch(target as Json, patch as Json);
      assert.equal(mergePatch(once, patch as Json), once);
      assert.is(JSON.stringify([target, patch]), before);
    }),
  );
});

values('a path is replaced whole, made where missing, and removed by undefined', () => {
  assert.equal(replaceAt({ a: { b: 1, c: 2 } }, ['a', 'b'], { x: 1 }), { a: { b: { x: 1 }, c: 2 } });
  assert.equal(replaceAt(undefined, ['a', 'b'], 1), { a: { b: 1 } });
  assert.equal(replaceAt({ a: { b: 1 } }, ['a', 'b'], undefined), { a: {} });
});

values('any host name gives an id', () => {
  assert.is(idFromHostname('Living.Room.local'), 'living');
  assert.is(idFromHostname('RPi_4 (attic)'), 'rpi-4--attic');
  assert.is(idFromHostname('日本'), 'node');
  assert.is(idFromHostname('ALL'), 'node');
  fc.assert(fc.property(fc.string(), name => assert.ok(isId(idFromHostname(name)))));
});

values('the nearest name is offered only for a typing error', () => {
  assert.is(nearest('livng', ['living', 'attic']), 'living');
  assert.is(nearest('x', ['living', 'attic']), undefined);
});

values('what is echoed has no control characters and is cut', () => {
  assert.is(printable('a\u0000b\u001b[2J\u202ec'), 'a\\u0000b\\u001b[2J\\u202ec');
  assert.is(printable('\u2066a\u2069\u200f\u061c\u2028\ufeffé中'), '\\u2066a\\u2069\\u200f\\u061c\\u2028\\ufeffé中');
  assert.ok(printable('x'.repeat(1000)).length <= 64);
});

values.run();
