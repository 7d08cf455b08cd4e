/** The supervisor on an outside broker: retained commands, a broker that comes and goes, another supervisor. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { presenceTimes } from '../../broker/fleet/presence-state.ts';
import type { MemoryDisk } from '../../broker/store/memory.ts';
import { manualClock } from '../fixture/manual-clock.ts';
import { node, type Rig, rig } from '../fixture/supervisor-rig.ts';

const wiring = suite('supervisor, outside');

const published = (it: Rig, topic: string, from = 0) =>
  it.broker.published.slice(from).filter(one => one.topic === topic);
const own = (it: Rig, id = 'n1') => JSON.parse(it.broker.retained.get(`hearth/node/${id}/own`) ?? '{}');
const events = (it: Rig) => published(it, 'hearth/event').map(one => JSON.parse(one.text).kind as string);

/** On an outside broker, past its probing, with `n1` online and set. */
function outside(disk: MemoryDisk = new Map()) {
  const it = rig({ kind: 'outside', disk });
  it.clock.advance(1500);
  assert.is(it.ready(), '');
  const n1 = node(it.broker, 'n1', 'aaaaaaaa', 1);
  n1.birth();
  it.sync();
  it.ask('node/n1/set/services/web', 'sleep 1');
  return { it, n1, disk };
}

wiring('outside: a retained command is refused and removed, and the echo of that is no clear', () => {
  const { it } = outside();
  it.broker.setUp(false);
  it.broker.retained.set('hearth/node/n1/set/services/web', 'sleep 99');
  it.broker.retained.set('hearth/node/n1/do/restart', 'web');
  it.broker.setUp(true);
  it.sync();
  assert.not.ok(it.broker.retained.has('hearth/node/n1/set/services/web'));
  assert.not.ok(it.broker.retained.has('hearth/node/n1/do/restart'));
  const answer = it.broker.last<{ ok: boolean; error: string }>('hearth/node/n1/result');
  assert.match(answer?.error ?? '', /^retained: not run, and removed/);
  assert.is(own(it).services.web.run, 'sleep 1', 'neither run nor cleared by the echo');
  // Only the echo is swallowed: a person's own clear works.
  it.ask('node/n1/set/services/web', '');
  assert.equal(own(it).services, {});
});

wiring('outside: a retained birth, load or done is of any age and says nothing', () => {
  const { it } = outside();
  it.broker.setUp(false);
  const lwt = { epoch: 1, inst: 'bbbbbbbb', online: true, period_ms: 5000, proto: 1 };
  it.broker.retained.set('hearth/node/n7/lwt', JSON.stringify(lwt));
  it.broker.retained.set('hearth/node/n1/load', JSON.stringify({ node: 'n1', epoch: 1, seq: 9 }));
  it.broker.setUp(true);
  it.sync();
  assert.is(it.status('n7'), undefined);
  assert.is(it.supervisor.fleet.snapshot().nodes[0]?.load, undefined);
  it.clock.advance(20_000);
  assert.is(it.status('n1'), 'offline');
});

wiring(
  'forgotten on another connection of ours: nothing of it stays, and a node that answers late leaves nothing',
  () => {
    const { it, n1 } = outside();
    it.ask('node/n1/do/forget');
    it.clock.advance(1);
    n1.part('is', { node: 'n1', epoch: 1, state: 'left', rev: 1, err: '', ver: '1', items: {} }, true);
    n1.done(it.cmd('n1')?.id ?? '');
    assert.equal(
      [...it.broker.retained.keys()].filter(topic => topic.includes('/n1/')),
      [],
    );
  },
);

wiring('a node that is not in the journal yet and answers a do keeps what is retained of it', () => {
  const { it, n1 } = outside();
  it.ask('node/n1/do/forget');
  it.clock.advance(1);
  const order = it.cmd('n1')?.id ?? '';
  // It is born again before it answers, and the disk is full.
  it.store.failWrites(new Error('full'));
  const again = node(it.broker, 'n1', 'aaaaaaaa', 2);
  again.birth();
  it.sync();
  assert.is(it.status('n1'), 'online');
  n1.done(order);
  assert.is(it.status('n1'), 'online', 'not wiped');
  it.store.failWrites(undefined);
  again.load();
  it.clock.advance(10_000);
  it.sync();
  assert.equal(it.want('n1')?.services, {});
});

wiring('outside: status of a node that is not in the journal yet is put right after the broker was away', () => {
  const it = rig({ kind: 'outside' });
  it.clock.advance(1500);
  node(it.broker, 'n1').birth();
  assert.is(it.status('n1'), 'online');
  it.broker.setUp(false);
  it.broker.retained.clear();
  it.broker.setUp(true);
  assert.is(it.status('n1'), 'online');
});

wiring('outside: after the start a status stands until its node answers or the grace is over', () => {
  const { it, disk } = outside();
  it.supervisor.stop(() => {});
  it.sync();
  assert.is(it.broker.retained.get('hearth/status'), 'offline');
  const again = rig({ disk, broker: it.broker, seed: 2 });
  again.clock.advance(1600);
  assert.is(again.ready(), '');
  assert.is(again.status('n1'), 'online');
  again.clock.advance(presenceTimes.graceMs);
  assert.is(again.status('n1'), 'offline');
});

wiring('outside: down and up again, everything retained is restored and the fleet is called', () => {
  const { it } = outside();
  const hellos = it.broker.count('hearth/hello');
  it.broker.setUp(false);
  it.broker.retained.clear();
  it.broker.setUp(true);
  assert.equal([it.status('n1'), own(it).services.web.run], ['online', 'sleep 1']);
  assert.is(it.broker.retained.get('hearth/status'), 'online');
  assert.is(it.broker.count('hearth/hello'), hellos + 1);
});

wiring('outside: the newcomer gives way before it has written anything but hello', () => {
  const { it } = outside();
  it.clock.advance(5000);
  const clock = manualClock();
  const from = it.broker.published.length;
  const second = rig({ broker: it.broker, clock, seed: 2 });
  clock.advance(5000);
  const sentence = /^another supervisor is already running on the base "hearth" .*: stop it first, or give this one/;
  assert.match(second.ready() ?? '', sentence);
  const topics = new Set(it.broker.published.slice(from).map(one => one.topic));
  assert.equal([...topics], ['hearth/hello']);
  assert.is(it.fatal(), undefined);
  const before = it.broker.published.length;
  node(it.broker, 'n5').birth();
  assert.is(published(it, 'hearth/node/n5/status', before).length, 1, 'it is silent from then on');
});

const strangersHello = (standing: string, boot = 'f'.repeat(16)) =>
  JSON.stringify({ cluster: '0'.repeat(32), boot, gen: 0, rev: 0, ver: '1', proto: 1, at_ms: 1, standing });

wiring("outside: what a rival wrote over this one's topics is put right", () => {
  const { it } = outside();
  it.clock.advance(5000);
  const rival = it.broker.connect('rival');
  rival.publish('hearth/hello', strangersHello('returning'));
  rival.publish('hearth/node/n1/want', 'foreign', { retain: true });
  rival.publish('hearth/node/n1/own', '{}', { retain: true });
  rival.publish('hearth/node/n1/status', 'offline', { retain: true });
  it.clock.advance(2500);
  assert.not.equal(it.broker.retained.get('hearth/node/n1/want'), 'foreign');
  assert.equal([own(it).services.web.run, it.status('n1')], ['sleep 1', 'online']);
});

wiring("outside: a late will of this one's predecessor on hearth/status is put right", () => {
  const { it } = outside();
  it.broker.connect('predecessor').publish('hearth/status', 'offline', { retain: true });
  it.clock.advance(100);
  assert.is(it.broker.retained.get('hearth/status'), 'online');
});

wiring('outside: two that are both settled stay, and say so; a stale or broken hello is nothing', () => {
  const { it } = outside();
  it.clock.advance(5000);
  const rival = it.broker.connect('rival');
  rival.publish('hearth/hello', '{"boot":1}');
  assert.not.ok(events(it).includes('second-supervisor'));
  rival.publish('hearth/hello', strangersHello('settled'));
  assert.ok(events(it).includes('second-supervisor'));
  assert.is(it.fatal(), undefined);
});

wiring('outside: one that comes back to the broker gives way to the one that is settled there', () => {
  const { it } = outside();
  it.broker.setUp(false);
  it.broker.setUp(true);
  it.broker.connect('rival').publish('hearth/hello', strangersHello('settled'));
  assert.match(it.fatal() ?? '', /another supervisor is already running/);
  const before = it.broker.published.length;
  it.clock.advance(60_000);
  assert.is(it.broker.published.length, before, 'it is silent from then on');
});

wiring.run();
