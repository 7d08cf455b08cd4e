import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { accessOf } from '../../broker/access/principals.ts';
import { mayRead, mayWrite, ruleOf, whyNotSubscribe, whyNotWrite } from '../../broker/access/table.ts';
import { limits } from '../../shared/limits.ts';

const test = suite('direction rules');
const base = 'hearth';

const people = { how: 'password' } as const;
/** A node, n1; another one, x; admin, operator, viewer, integration. */
const who = {
  n: accessOf({ role: 'node', name: 'n1', how: 'certificate' }),
  x: accessOf({ role: 'node', name: 'n2', how: 'certificate' }),
  a: accessOf({ role: 'admin', name: 'anna', ...people }),
  o: accessOf({ role: 'operator', name: 'otto', ...people }),
  v: accessOf({ role: 'viewer', name: 'vera', ...people }),
  i: accessOf({ role: 'integration', name: 'ha', ...people }),
};

const those = (may: typeof mayRead, topic: string): string =>
  Object.entries(who)
    .filter(([, access]) => may(ruleOf(topic, base), access))
    .map(([letter]) => letter)
    .join('');

const table: readonly [topic: string, writers: string, readers: string, strip: boolean][] = [
  ['hearth/node/n1/want', '', 'naov', false],
  ['hearth/node/n1/cmd', '', 'n', true],
  ['hearth/node/n1/work', '', 'n', true],
  ['hearth/node/n1/own', '', 'aov', false],
  ['hearth/node/n1/status', '', 'aovi', false],
  ['hearth/node/n1/result', '', 'aov', false],
  ['hearth/node/n1/is', 'n', 'aovi', false],
  ['hearth/node/n1/info', 'n', 'aovi', false],
  ['hearth/node/n1/load', 'n', 'aovi', true],
  ['hearth/node/n1/cores', 'n', 'aovi', true],
  ['hearth/node/n1/heartbeat', 'n', 'aov', true],
  ['hearth/node/n1/lwt', 'n', 'aov', true],
  ['hearth/node/n1/log/solver', 'n', 'aov', true],
  ['hearth/node/n1/done', 'n', 'aov', true],
  ['hearth/node/n1/set', 'ao', 'aov', true],
  ['hearth/node/n1/set/services/x/run', 'ao', 'aov', true],
  ['hearth/node/n1/do/restart', 'ao', 'aov', true],
  ['hearth/node/n1/do/forget', 'a', 'a', true],
  ['hearth/node/n1/do/exec', 'a', 'a', true],
  ['hearth/node/n1/do/exec/deeper', 'a', 'a', true],
  ['hearth/node/all/do/exec', 'a', 'a', true],
  ['hearth/room/r1/do/forget', 'a', 'a', true],
  ['hearth/node/n1/in/temp_c', 'aoi', 'aov', true],
  ['hearth/node/all/do/restart', 'ao', 'aov', true],
  ['hearth/node/n1/do/wake', 'aoi', 'aov', true],
  ['hearth/node/n1/do/wake/deeper', 'ao', 'aov', true],
  ['hearth/node/n1/set/drain', 'aoi', 'aov', true],
  ['hearth/node/n1/set/drain/deeper', 'ao', 'aov', true],
  ['hearth/node/n1/set/agent', 'ao', 'aov', true],
  ['hearth/node/all/do/wake', 'ao', 'aov', true],
  ['hearth/node/@solver/do/wake', 'ao', 'aov', true],
  ['hearth/role/r1/set/drain', 'ao', 'aov', true],
  ['hearth/node/@solver/do/restart', 'ao', 'aov', true],
  ['hearth/node/NOT AN ID/set/x', 'ao', 'aov', true],
  ['hearth/bogus/x/do/y', 'ao', 'aov', true],
  ['hearth/room/r1/in/temp_c', 'aoi', 'aov', true],
  ['hearth/room/r1/set', 'ao', 'aov', true],
  ['hearth/room/r1/set/filler', 'ao', 'aov', true],
  ['hearth/room/r1/set/target_c', 'aoi', 'aov', true],
  ['hearth/room/r1/do/boost', 'aoi', 'aov', true],
  ['hearth/role/all/set', 'ao', 'aov', true],
  ['hearth/service/s/set', 'ao', 'aov', true],
  ['hearth/job/j/set', 'ao', 'aov', true],
  ['hearth/role/r/is', '', 'aov', false],
  ['hearth/service/s/is', '', 'aov', false],
  ['hearth/job/j/is', '', 'aov', false],
  ['hearth/job/j/out', '', 'aov', false],
  ['hearth/room/r1/is', '', 'aovi', false],
  ['hearth/room/r1/status', '', 'aovi', false],
  ['hearth/room/r1/result', '', 'aovi', false],
  ['hearth/room/r1/own', '', 'aov', false],
  ['hearth/status', '', 'aovi', false],
  ['hearth/info', '', 'aovi', false],
  ['hearth/event', '', 'aovi', false],
  ['hearth/hello', '', 'nxaov', false],
  ['hearth/result', '', 'aov', false],
  ['hearth', '', 'aov', false],
  ['hearth/anything', '', 'aov', false],
  ['hearth/node/n1/nonsense', '', 'aov', false],
  ['hearth/node/all/status', '', 'aov', false],
  ['$SYS/broker/load', '', '', false],
  ['hearthside/node/n1/want', 'aoi', 'aovi', false],
  ['homeassistant/sensor/x/config', 'aoi', 'aovi', false],
];

for (const [topic, write, read, strip] of table) {
  test(topic, () => {
    assert.equal(those(mayWrite, topic), write, 'writers');
    assert.equal(those(mayRead, topic), read, 'readers');
    assert.equal(ruleOf(topic, base).stripRetain, strip, 'strip');
  });
}

test('a refusal says who may, or what is wrong', () => {
  assert.match(whyNotWrite(ruleOf('hearth/node/n1/is', base), who.a) ?? '', /node itself/);
  assert.match(whyNotWrite(ruleOf('hearth/node/n1/want', base), who.a) ?? '', /supervisor.*set/);
  assert.match(whyNotWrite(ruleOf('hearth/node/n1/stet', base), who.a) ?? '', /"stet" is no part of a node/);
  assert.match(whyNotWrite(ruleOf('hearth/node/n1/set', base), who.v) ?? '', /"viewer"/);
  assert.match(whyNotWrite(ruleOf('hearth/node/n1/do/forget', base), who.o) ?? '', /admin/);
  assert.match(whyNotWrite(ruleOf('hearth/node/n1/set/agent', base), who.i) ?? '', /may say "follow" here/);
});

test('long payloads only where work travels', () => {
  assert.equal(ruleOf('hearth/node/n1/done', base).payloadBytes, limits.work);
  assert.equal(ruleOf('hearth/node/n1/work', base).payloadBytes, limits.work);
  assert.equal(ruleOf('hearth/node/n1/is', base).payloadBytes, limits.message);
  assert.equal(ruleOf('a/b', base).payloadBytes, limits.message);
});

test('subscriptions: what a client may not read by name is refused, wildcards are left to delivery', () => {
  for (const filter of ['hearth/#', '#', '+/+/+/cmd', 'hearth/node/n1/want']) {
    assert.equal(whyNotSubscribe(filter, base, who.v), undefined, filter);
  }
  for (const filter of ['$SYS/#', '$share/g/x', 'hearth/node/n1/cmd', 'hearth/node/n1/work']) {
    assert.ok(whyNotSubscribe(filter, base, who.v), filter);
  }
  assert.equal(whyNotSubscribe('hearth/node/n1/cmd', base, who.n), undefined);
  assert.ok(whyNotSubscribe('hearth/node/n1/cmd', base, who.x));
});

test.run();
