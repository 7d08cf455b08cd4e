/** What strangers, crashes and old documents may do to heating: a supervisor on a memory bus, in virtual time. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type HeatedNode, heatedNode } from '../fixture/heat-rig.ts';
import { burning, isOf, warm } from '../fixture/heated-room.ts';
import { rig } from '../fixture/supervisor-rig.ts';

const heat = suite('heat: supervisor, hostile');

heat('demands that come by the thousand are looked at now and then: the first at once, the last for sure', () => {
  let rounds = 0;
  // Asked for once in each round.
  const heating = {
    get fuseW() {
      rounds++;
      return undefined;
    },
  };
  const { one, pass } = burning(1, { heating });
  const say = (w: number) => {
    one.person.publish('hearth/room/attic/in/demand_w', String(w));
    one.clock.advance(1);
    one.sync();
  };
  rounds = 0;
  say(30);
  const each = rounds;
  assert.ok(each > 0, 'at once');
  for (let n = 0; n < 1500; n++) say(n % 2 === 0 ? 30 : 95);
  assert.ok(rounds <= 15 * each, `${rounds / each} rounds in 1.5 s`);
  pass(20, 18);
  assert.is(isOf(one).demand_w, 95);
});

heat('a service that rested as a filler is freed, also over a restart of the supervisor that saw it cleared', () => {
  const disk = new Map<string, string>();
  const { one, node, pass } = burning(1, { disk });
  one.ask('room/attic/set/filler', 'fold');
  pass(60, 18);
  assert.is(node.order()?.filler, '{"service":"fold"}');
  node.leave();
  one.ask('room/attic/set/filler', '');
  one.ask('room/attic/set/mode', 'off');
  one.clock.advance(60_000);
  one.sync();
  const next = rig({ disk, clock: one.clock });
  const again = heatedNode(next, 'n1');
  for (let at = 0; at < 6; at++) {
    again.load();
    next.clock.advance(5000);
    next.sync();
  }
  assert.equal([again.order()?.cores, again.order()?.filler], [0, undefined]);
  const count = again.orders();
  again.load();
  next.clock.advance(60_000);
  next.sync();
  assert.is(again.orders(), count, 'once');
});

heat('a room whose time zone this machine does not know is heated by the machine’s own clock', () => {
  const disk = new Map<string, string>();
  const { one } = burning(1, { disk });
  one.ask('room/attic/set', JSON.stringify({ tz: 'Europe/Berlin', schedule: [{ at: '00:00', target_c: 19 }] }));
  one.supervisor.stop(() => {});
  one.sync();
  const key = [...disk.keys()].find(name => name.endsWith('room/attic') && name.startsWith('room/')) ?? '';
  disk.set(key, (disk.get(key) ?? '').replace('Europe/Berlin', 'Europe/Atlantis'));
  const next = rig({ disk, clock: one.clock });
  assert.is(next.ready(), '');
  next.clock.advance(20_000);
  next.sync();
  assert.is(isOf(next).mode, 'heat');
  // Nobody says it anew.
  assert.match(next.ask('room/attic/set/tz', 'Europe/Atlantis').error ?? '', /not a time zone/);
});

heat('the fuse bears what a machine that is out of reach may still draw by its lease', () => {
  const { one, nodes, pass } = warm(2, { heating: { fuseW: 150 } });
  one.ask('room/attic/set', JSON.stringify({ mode: 'heat', target_c: 24 }));
  one.ask('node/n2/set/labels', JSON.stringify({ room: 'cellar' }));
  one.ask('room/cellar/set', JSON.stringify({ mode: 'heat', target_c: 24, priority: 90 }));
  const [n1, n2] = nodes as [HeatedNode, HeatedNode];
  const some = () => {
    one.person.publish('hearth/room/cellar/in/temp_c', '15');
    pass(10, 15);
  };
  for (let at = 0; at < 300; at += 10) some();
  const held = 20 + 20 * n2.asked();
  assert.ok(held > 90, `${held} W`);
  n2.leave();
  // Its cable is cut: 45 s of its lease, and what its watchdog takes.
  for (let at = 0; at < 50; at += 10) {
    some();
    assert.ok(20 + 20 * n1.asked() + held < 158, `${n1.asked()} cores after ${at} s`);
  }
  for (let at = 0; at < 120; at += 10) {
    one.person.publish('hearth/room/attic/in/temp_c', '15');
    some();
  }
  assert.ok(n1.asked() > 3, `${n1.asked()} cores when it is surely off`);
});

heat('so does it after a restart of the supervisor: who has not come back may hold its lease still', () => {
  const disk = new Map<string, string>();
  const { one, nodes, pass } = warm(2, { disk, heating: { fuseW: 150 } });
  one.ask('room/attic/set', JSON.stringify({ mode: 'heat', target_c: 24 }));
  one.ask('node/n2/set/labels', JSON.stringify({ room: 'cellar' }));
  one.ask('room/cellar/set', JSON.stringify({ mode: 'heat', target_c: 24, priority: 90 }));
  for (let at = 0; at < 300; at += 10) {
    one.person.publish('hearth/room/cellar/in/temp_c', '15');
    pass(10, 15);
  }
  const held = 20 + 20 * (nodes[1]?.asked() ?? 0);
  assert.ok(held > 90, `${held} W`);
  one.supervisor.stop(() => {});
  one.sync();
  const next = rig({ disk, clock: one.clock, heating: { fuseW: 150 } });
  const n1 = heatedNode(next, 'n1');
  const most = (seconds: number) => {
    let cores = 0;
    for (let at = 0; at < seconds; at += 5) {
      next.person.publish('hearth/room/attic/in/temp_c', '15');
      n1.load();
      next.clock.advance(5000);
      next.sync();
      cores = Math.max(cores, n1.asked());
    }
    return cores;
  };
  const meanwhile = most(50);
  assert.ok(20 + 20 * meanwhile + held < 158, `${meanwhile} cores`);
  assert.ok(most(120) > 3, 'when it is surely off');
});

heat('what a machine out of reach may still draw counts against the most that its room may have', () => {
  const { one, nodes, pass } = warm(2);
  one.ask('room/attic/set', JSON.stringify({ mode: 'heat', target_c: 24, max_w: 130 }));
  pass(300, 15);
  const [other, gone] = [...nodes].sort((a, b) => a.asked() - b.asked()) as [HeatedNode, HeatedNode];
  const held = 20 + 20 * gone.asked();
  assert.ok(held > 60 && held + 20 + 20 * other.asked() < 138, `${held} W`);
  gone.leave();
  for (let at = 0; at < 50; at += 5) {
    pass(5, 15);
    assert.ok(held + 20 + 20 * other.asked() < 138, `${other.asked()} cores after ${at} s`);
  }
  pass(120, 15);
  assert.ok(other.asked() > 3, `${other.asked()} cores when it is surely off`);
});

heat.run();
