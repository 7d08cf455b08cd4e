/** Only what a `set` changes is checked again, and the outcome is as if everything had been. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readSet } from '../../broker/desired/desired.ts';
import { check } from '../../shared/codec.ts';
import { limits } from '../../shared/limits.ts';
import { type Json, mergePatch } from '../../shared/merge-patch.ts';
import { type NodeDocument, nodeInput } from '../../shared/schemas/node-document.ts';

const test = suite('desired state: what changed');

const services: NonNullable<NodeDocument['services']> = {
  web: { run: 'serve', env: { PORT: '80' }, restart: 'always' },
  constructor: { run: ['./build', '--all'] },
  '7': { run: 'seven', stop: { grace_s: 3 } },
};
const entry = { document: { services }, rev: 5 };

test('what is not named is not touched, not even copied', () => {
  for (const [path, payload] of [
    [['services', 'web', 'run'], 'serve -v'],
    [['services', 'new'], 'sleep 1'],
    [['services', 'web'], ''],
    [[], '{"services":{"web":{"env":null},"other":"x"}}'],
  ] as const) {
    const { document: outcome } = readSet('node', entry, path, Buffer.from(payload));
    assert.ok(outcome.ok && outcome.value);
    for (const name of ['constructor', '7']) assert.is(outcome.ok && outcome.value?.services?.[name], services[name]);
  }
});

test('the outcome of a patch is that of a check of the whole', () => {
  const part = fc.constantFrom<Json>(
    null,
    'x',
    '',
    3,
    [],
    ['a'],
    {},
    { run: 'serve' },
    { run: '' },
    { env: { A: 1 } },
    { env: { A: 'b' } },
    { stop: { grace_s: -1 } },
  );
  const name = fc.constantFrom('web', 'constructor', '7', 'new', 'toString', 'a b');
  const patch = fc.oneof(
    fc.dictionary(name, part, { maxKeys: 4 }).map(of => ({ services: of }) as Json),
    fc.constantFrom<Json>({ services: null }, { services: 'x' }, { services: [] }, {}),
  );
  fc.assert(
    fc.property(patch, given => {
      const { document: outcome } = readSet('node', entry, [], Buffer.from(JSON.stringify(given)));
      const whole = check(nodeInput, mergePatch({ services } as unknown as Json, given));
      // Keys that cannot be are refused before, with a hint.
      if (!outcome.ok && outcome.error.code === 'unknown-key') return;
      assert.is(outcome.ok, whole.ok);
      if (outcome.ok && whole.ok) {
        const all = outcome.value ?? entry.document;
        // As text: the order of the names counts, too, and a service may be called `constructor`.
        assert.is(JSON.stringify(all), JSON.stringify(whole.value));
      } else if (!outcome.ok && !whole.ok) assert.equal(outcome.error, whole.error);
    }),
    { numRuns: 2000 },
  );
});

test('the bound of their number counts those that were there', () => {
  const many = Object.fromEntries(Array.from({ length: limits.services }, (_, i) => [`s${i}`, { run: 'x' }]));
  const full = { document: { services: many }, rev: 1 };
  const more = readSet('node', full, ['services', 'more'], Buffer.from('x')).document;
  assert.match(more.ok ? '' : more.error.message, /at most 200 services/);
  assert.ok(readSet('node', full, ['services', 's7'], Buffer.from('y')).document.ok);
});

test.run();
