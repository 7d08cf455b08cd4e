/** A calibration keeps a machine busy whatever its room asks for: what holds for heat holds for it all the same. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { HeatedNode } from '../fixture/heat-rig.ts';
import { type Warm, warm } from '../fixture/heated-room.ts';

const heat = suite('heat: supervisor, calibrating');

/** A calibration of n1 that was accepted; `pass` lets five seconds go by with the plug's word. */
function calibrating({ one, nodes }: Warm) {
  const [node] = nodes as [HeatedNode];
  one.ask('node/n1/set/heat/plug', JSON.stringify({ topic: 'plug/power' }));
  const wattsOf = (its: HeatedNode) => 20 + (80 * Math.max(0.1, its.asked())) / 4;
  const pass = (tempC?: number) => {
    if (tempC !== undefined) one.person.publish('hearth/room/attic/in/temp_c', String(tempC));
    for (const its of nodes) its.load();
    one.person.publish('plug/power', wattsOf(node).toFixed(1));
    one.clock.advance(5000);
    one.sync();
  };
  const results = () =>
    one.broker.published
      .filter(({ topic, text }) => topic === 'hearth/node/n1/result' && text.includes('"c1"'))
      .map(({ text }) => JSON.parse(text));
  return { node, pass, results, wattsOf, ask: () => one.ask('node/n1/do/calibrate', '{"tx":"c1"}') };
}

heat('a room at its hard limit ends a calibration in it: off whatever anybody says', () => {
  const all = warm();
  const { one } = all;
  const { node, pass, results, ask } = calibrating(all);
  one.ask('room/attic/set', JSON.stringify({ mode: 'off', limit_c: 24 }));
  pass(23);
  assert.is(ask().state, 'accepted');
  for (let at = 0; at < 400 && node.asked() < 1; at += 5) pass(23);
  assert.ok(node.asked() >= 1, 'it is under way, in a room that is off');
  for (let at = 0; at < 15; at += 5) pass(24.2);
  assert.is(node.asked(), 0);
  const last = results().at(-1);
  assert.equal([last?.ok, last?.state], [false, 'finished']);
  assert.match(last?.error ?? '', /attic.*limit of 24 °C/);
});

heat('a calibration draws from the fuse like everything else', () => {
  const all = warm(2, { heating: { fuseW: 150 } });
  const { one, nodes } = all;
  const { node, pass, ask, wattsOf } = calibrating(all);
  one.ask('room/attic/set', JSON.stringify({ mode: 'heat', target_c: 25 }));
  for (let at = 0; at < 300; at += 5) pass(15);
  assert.is(ask().state, 'accepted');
  let most = 0;
  for (let at = 0; at < 700; at += 5) {
    pass(15);
    // A change is told to both in one round.
    most = Math.max(most, wattsOf(nodes[0] as HeatedNode) + wattsOf(nodes[1] as HeatedNode));
    if (node.asked() === 4) assert.ok((nodes[1]?.asked() ?? 0) < 2, `${nodes[1]?.asked()} cores beside it`);
  }
  assert.ok(most <= 155, `${most} W of 150`);
});

heat('a load that is said again by nobody is one reading: who says too few is told to say more', () => {
  const all = warm();
  const { node, pass, results, ask } = calibrating(all);
  pass(20);
  assert.is(ask().state, 'accepted');
  for (let at = 0; at < 400 && results().length < 2; at += 5) {
    if (at % 80 === 0) node.load();
    else node.beat();
    all.one.person.publish('plug/power', '28');
    all.one.clock.advance(5000);
    all.one.sync();
  }
  assert.match(results().at(-1)?.error ?? '', /does not say how busy it is/);
});

heat('a calibration that the fuse does not bear is refused', () => {
  const all = warm(2, { heating: { fuseW: 110 } });
  const { pass, ask } = calibrating(all);
  pass(20);
  assert.match(ask().error ?? '', /fuse of 110 W .*12\d W/);
});

heat.run();
