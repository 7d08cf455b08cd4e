import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatTopic, matches, nodeOfClientId, parseTopic } from '../../shared/topics.ts';

const topics = suite('topics');

const parsed = (topic: string) => {
  const result = parseTopic(topic, 'hearth');
  if (!result.ok) throw new Error(result.error.message);
  return result.value;
};

topics('a key path of a node parses level by level', () => {
  assert.equal(parsed('hearth/node/n1/set/services/hello'), {
    kind: 'noun',
    noun: 'node',
    target: { kind: 'one', id: 'n1' },
    part: 'set',
    rest: ['services', 'hello'],
  });
});

topics('group addresses and fabric topics parse', () => {
  assert.equal((parsed('hearth/node/all/do/restart') as { target: unknown }).target, { kind: 'all' });
  assert.equal((parsed('hearth/node/@pi/do/restart') as { target: unknown }).target, { kind: 'role', role: 'pi' });
  assert.equal(parsed('hearth/hello'), { kind: 'fabric', part: 'hello' });
});

const refused: readonly [string, RegExp][] = [
  ['hearth/node/N1/set', /"N1" is not a node id/],
  ['hearth/node/a b/set', /not a node id/],
  ['hearth/node//set', /not a node id/],
  ['hearth/node/n1', /is no part of a node/],
  ['hearth/node/n1/sett', /"sett" is no part of a node/],
  ['hearth/room/r1/load', /no part of a room/],
  ['hearth/nodes/n1/set', /no kind of thing/],
  ['hearth/node/n1/set/services/he llo', /cannot be a key/],
  ['hearth/node/n1/set/__proto__/x', /cannot be a key/],
  ['hearth/node/n1/do', /ends in one verb/],
  ['hearth/node/n1/do/a/b', /ends in one verb/],
  ['hearth/node/n1/is/x', /nothing may follow/],
  ['other/node/n1/set', /not below "hearth\/"/],
  ['hearth/what', /no topic of this cluster/],
  [`hearth/node/n1/set/${'x/'.repeat(9)}x`, /at most 8 levels/],
  [`hearth/node/n1/set/${'x'.repeat(600)}`, /at most 512/],
];
for (const [topic, why] of refused) {
  topics(`refused with the reason: ${topic.slice(0, 40)}`, () => {
    const result = parseTopic(topic, 'hearth');
    assert.not(result.ok);
    assert.match(result.ok ? '' : result.error.message, why);
  });
}

topics('anything at all parses or is refused, and what parses is formatted back to itself', () => {
  const level = fc.oneof(
    fc.constantFrom('hearth', 'node', 'n1', 'set', 'all', '@pi', 'services', 'is', 'do'),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(level, { maxLength: 8 }), levels => {
      const topic = ['hearth', ...levels].join('/');
      const result = parseTopic(topic, 'hearth');
      if (result.ok) assert.is(formatTopic(result.value, 'hearth'), topic);
    }),
    { numRuns: 2000 },
  );
});

topics('filters match as MQTT says', () => {
  const cases: readonly [string, string, boolean][] = [
    ['#', 'a/b', true],
    ['#', '$SYS/a', false],
    ['+/a', '$SYS/a', false],
    ['a/#', 'a', true],
    ['a/#', 'a/b/c', true],
    ['a/+', 'a', false],
    ['a/+', 'a/', true],
    ['a/+/c', 'a/b/c', true],
    ['a/+/c', 'a/b/d', false],
    ['a/b', 'a/b/c', false],
  ];
  for (const [filter, topic, expected] of cases) assert.is(matches(filter, topic), expected, `${filter} ${topic}`);
});

topics('a client id names a node only with the base in front', () => {
  assert.is(nodeOfClientId('hearth', 'hearth-n3'), 'n3');
  assert.is(nodeOfClientId('hearth', 'hearth-'), undefined);
  assert.is(nodeOfClientId('hearth', 'other-n3'), undefined);
  assert.is(nodeOfClientId('hearth', 'hearth-all'), undefined);
});

topics.run();
