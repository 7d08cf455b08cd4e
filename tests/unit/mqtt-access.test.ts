import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { mayRead, ruleOf, whyNotSubscribe, whyNotWrite } from '../../broker/mqtt/access.ts';
import { limits } from '../../shared/limits.ts';

const test = suite('direction rules');
const base = 'hearth';

/** Which of these may write: w(orker n1), o(ther node), p(erson). */
const writers = (topic: string): string =>
  Object.entries({ w: 'hearth-n1', o: 'hearth-n2', p: 'somebody' })
    .filter(([, id]) => whyNotWrite(ruleOf(topic, base), id) === undefined)
    .map(([letter]) => letter)
    .join('');

const readers = (topic: string): string =>
  Object.entries({ w: 'hearth-n1', o: 'hearth-n2', p: 'somebody' })
    .filter(([letter, id]) => mayRead(ruleOf(topic, base), id, letter !== 'p'))
    .map(([letter]) => letter)
    .join('');

const table: readonly [topic: string, writers: string, readers: string, strip: boolean][] = [
  ['hearth/node/n1/want', '', 'wp', false],
  ['hearth/node/n1/cmd', '', 'w', true],
  ['hearth/node/n1/work', '', 'w', true],
  ['hearth/node/n1/own', '', 'p', false],
  ['hearth/node/n1/status', '', 'p', false],
  ['hearth/node/n1/result', '', 'p', false],
  ['hearth/node/n1/is', 'w', 'p', false],
  ['hearth/node/n1/info', 'w', 'p', false],
  ['hearth/node/n1/load', 'w', 'p', true],
  ['hearth/node/n1/cores', 'w', 'p', true],
  ['hearth/node/n1/heartbeat', 'w', 'p', true],
  ['hearth/node/n1/lwt', 'w', 'p', true],
  ['hearth/node/n1/log/solver', 'w', 'p', true],
  ['hearth/node/n1/done', 'w', 'p', true],
  ['hearth/node/n1/set', 'wop', 'p', true],
  ['hearth/node/n1/set/services/x/run', 'wop', 'p', true],
  ['hearth/node/all/do/restart', 'wop', 'p', true],
  ['hearth/node/@solver/do/restart', 'wop', 'p', true],
  ['hearth/node/NOT AN ID/set/x', 'wop', 'p', true],
  ['hearth/bogus/x/do/y', 'wop', 'p', true],
  ['hearth/room/r1/in/temp_c', 'wop', 'p', true],
  ['hearth/role/all/set', 'wop', 'p', true],
  ['hearth/role/r/is', '', 'p', false],
  ['hearth/service/s/is', '', 'p', false],
  ['hearth/job/j/is', '', 'p', false],
  ['hearth/job/j/out', '', 'p', false],
  ['hearth/room/r1/is', '', 'p', false],
  ['hearth/status', '', 'p', false],
  ['hearth/hello', '', 'wop', false],
  ['hearth/result', '', 'p', false],
  ['hearth/event', '', 'p', false],
  ['hearth', '', 'p', false],
  ['hearth/anything', '', 'p', false],
  ['hearth/node/n1/nonsense', '', 'p', false],
  ['hearth/node/all/status', '', 'p', false],
  ['$SYS/broker/load', '', 'p', false],
  ['hearthside/node/n1/want', 'wop', 'p', false],
  ['homeassistant/sensor/x/config', 'wop', 'p', false],
];

for (const [topic, write, read, strip] of table) {
  test(topic, () => {
    assert.equal(writers(topic), write, 'writers');
    assert.equal(readers(topic), read, 'readers');
    assert.equal(ruleOf(topic, base).stripRetain, strip, 'strip');
  });
}

test('a refusal says who may, or what is wrong', () => {
  assert.match(whyNotWrite(ruleOf('hearth/node/n1/is', base), 'x') ?? '', /node itself/);
  assert.match(whyNotWrite(ruleOf('hearth/node/n1/want', base), 'x') ?? '', /supervisor.*set/);
  assert.match(whyNotWrite(ruleOf('hearth/node/n1/stet', base), 'x') ?? '', /"stet" is no part of a node/);
});

test('long payloads only where work travels', () => {
  assert.equal(ruleOf('hearth/node/n1/done', base).payloadBytes, limits.work);
  assert.equal(ruleOf('hearth/node/n1/work', base).payloadBytes, limits.work);
  assert.equal(ruleOf('hearth/node/n1/is', base).payloadBytes, limits.message);
  assert.equal(ruleOf('a/b', base).payloadBytes, limits.message);
});

test('subscriptions: what a client may not read by name is refused, wildcards are left to delivery', () => {
  for (const filter of ['hearth/#', '#', '+/+/+/cmd', 'hearth/node/n1/want']) {
    assert.equal(whyNotSubscribe(filter, base, 'somebody'), undefined, filter);
  }
  for (const filter of ['$SYS/#', '$share/g/x', 'hearth/node/n1/cmd', 'hearth/node/n1/work']) {
    assert.ok(whyNotSubscribe(filter, base, 'somebody'), filter);
  }
  assert.equal(whyNotSubscribe('hearth/node/n1/cmd', base, 'hearth-n1'), undefined);
  assert.ok(whyNotSubscribe('hearth/node/n1/cmd', base, 'hearth-n2'));
});

test.run();
