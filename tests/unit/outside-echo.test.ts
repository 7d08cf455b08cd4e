/** Own messages told apart on a broker without No Local: each publish swallows one equal message, and no more. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { Echoes } from '../../broker/mqtt/outside-echo.ts';

const test = suite('outside echo');
const topic = 'hearth/node/n1/set/a';
const bytes = (text: string) => new Uint8Array(Buffer.from(text));
const fresh = () => new Echoes(['hearth/node/+/set/#']);

test('one publish swallows one equal message; the next is somebody else', () => {
  const echoes = fresh();
  echoes.expect(topic, 'x', 0);
  assert.equal(echoes.swallow(topic, bytes('x'), 1), true);
  assert.equal(echoes.swallow(topic, bytes('x'), 2), false);
});

test('two equal publishes swallow two', () => {
  const echoes = fresh();
  echoes.expect(topic, 'x', 0);
  echoes.expect(topic, bytes('x'), 1);
  const swallowed = [2, 3, 4].map(now => echoes.swallow(topic, bytes('x'), now));
  assert.deepEqual(swallowed, [true, true, false]);
});

test('another topic, another payload, or a topic that is not subscribed is not swallowed', () => {
  const echoes = fresh();
  echoes.expect(topic, '', 0);
  echoes.expect('hearth/status', 'online', 0);
  assert.equal(echoes.swallow(`${topic}b`, bytes(''), 1), false);
  assert.equal(echoes.swallow(topic, bytes('x'), 1), false);
  assert.equal(echoes.swallow('hearth/status', bytes('online'), 1), false);
  assert.equal(echoes.swallow(topic, bytes(''), 1), true);
});

test('an echo that never came swallows nothing ten seconds later', () => {
  const echoes = fresh();
  echoes.expect(topic, 'x', 0);
  assert.equal(echoes.swallow(topic, bytes('x'), 10_001), false);
});

test('a flood of publishes without echoes is bounded, and room comes back with time', () => {
  const echoes = fresh();
  for (let i = 0; i < 10_001; i++) echoes.expect(topic, `${i}`, 0);
  assert.equal(echoes.swallow(topic, bytes('9999'), 1), true);
  assert.equal(echoes.swallow(topic, bytes('10000'), 1), false);
  echoes.expect(topic, 'later', 20_000);
  assert.equal(echoes.swallow(topic, bytes('later'), 20_001), true);
});

test.run();
