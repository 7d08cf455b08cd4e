/** The read model: one snapshot and the changes since give the present, however things came; bounded and coalesced. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FleetView, viewLimits } from '../../broker/fleet/view.ts';
import type { FleetChange, FleetSnapshot, NodeView } from '../../shared/fleet-view.ts';
import type { FabricEvent } from '../../shared/schemas/fabric.ts';
import { manualClock, seededRandom, startOfTest } from '../fixture/manual-clock.ts';

const view = suite('fleet view');

const rig = () => {
  const clock = manualClock();
  return { clock, fleet: new FleetView('hearth', '1.2.3', clock) };
};
const event = (text: string): FabricEvent => ({ at_ms: 1, level: 'info', kind: 'test', text });

/** What a dashboard does: the snapshot, then every change as JSON put over it. */
function follow(fleet: FleetView) {
  const first = JSON.parse(JSON.stringify(fleet.snapshot())) as FleetSnapshot;
  const nodes = new Map<string, NodeView>(first.nodes.map(node => [node.id, node]));
  const changes: FleetChange[] = [];
  let seq = first.seq;
  const stop = fleet.watch(change => {
    changes.push(change);
    assert.is(change.seq, ++seq, 'changes follow each other without a gap');
    const read = JSON.parse(JSON.stringify(change)) as FleetChange;
    for (const [id, news] of Object.entries(read.nodes)) {
      if (news === null) nodes.delete(id);
      else nodes.set(id, { ...(nodes.get(id) as NodeView), ...news });
    }
  });
  const present = () => [...nodes.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  return { changes, stop, present };
}
const plain = (fleet: FleetView) => JSON.parse(JSON.stringify(fleet.snapshot().nodes)) as NodeView[];

view('a snapshot holds every node once, in order, with base, version and stamps of the wall clock', () => {
  const { fleet, clock } = rig();
  fleet.put('n2', { online: true });
  fleet.put('n1', { want_rev: 4 });
  fleet.put('n2', { want_rev: 2 });
  const since_ms = startOfTest + clock.now();
  assert.equal(fleet.snapshot(), {
    ...{ seq: 0, base: 'hearth', ver: '1.2.3', rooms: [], events: [] },
    nodes: [
      { id: 'n1', online: false, since_ms, want_rev: 4 },
      { id: 'n2', online: true, since_ms, want_rev: 2 },
    ],
  });
});

view('many news become one change with only what is new, at most four a second', () => {
  const { fleet, clock } = rig();
  fleet.put('n1', { online: true });
  const seen = follow(fleet);
  const load = (seq: number) => ({ load: { node: 'n1', epoch: 1, seq } });
  for (let i = 1; i <= 400; i++) {
    fleet.put('n1', load(i));
    clock.advance(5);
  }
  assert.ok(seen.changes.length >= 7 && seen.changes.length <= 8, `${seen.changes.length} changes in 2 s`);
  for (const { nodes } of seen.changes) assert.equal(Object.keys(nodes.n1 ?? {}), ['load']);
  clock.advance(viewLimits.changeEveryMs);
  assert.equal(seen.changes.at(-1)?.nodes, { n1: load(400) });
  const told = seen.changes.length;
  clock.advance(10_000);
  assert.is(seen.changes.length, told, 'no news, no change');
});

view('a new node comes whole, a forgotten one as null', () => {
  const { fleet, clock } = rig();
  const seen = follow(fleet);
  fleet.put('n1', { online: true, want_rev: 1 });
  clock.advance(250);
  assert.equal(seen.changes[0]?.nodes, {
    n1: { id: 'n1', online: true, since_ms: startOfTest + 1000, want_rev: 1 },
  });
  fleet.remove('n1');
  fleet.remove('never-there');
  clock.advance(250);
  assert.equal(seen.changes[1]?.nodes, { n1: null });
});

view('forgotten and seen again within one change: nothing of the old node is left', () => {
  const { fleet, clock } = rig();
  fleet.put('n1', { online: true, info: { node: 'n1', os: 'old' } });
  const seen = follow(fleet);
  fleet.remove('n1');
  fleet.put('n1', { want_rev: 7 });
  fleet.put('n1', { online: true });
  clock.advance(1000);
  assert.equal(seen.present(), plain(fleet));
  assert.not.ok('info' in (seen.present()[0] ?? {}));
  assert.is(seen.changes.length, 2);
  // And gone again before it was told that it is back.
  fleet.remove('n1');
  fleet.put('n1', {});
  fleet.remove('n1');
  clock.advance(1000);
  assert.equal(seen.present(), []);
  assert.is(seen.changes.length, 3, 'and no empty change after it');
});

view('whatever happens in whatever order, snapshot and changes give the present', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const { fleet, clock } = rig();
    const random = seededRandom(seed);
    const followers: ReturnType<typeof follow>[] = [];
    for (let turn = 0; turn < 60; turn++) {
      const id = `n${Math.floor(random.next() * 3)}`;
      const dice = random.next();
      if (dice < 0.15) fleet.remove(id);
      else if (dice < 0.4) fleet.put(id, { online: random.next() < 0.5 });
      else if (dice < 0.6) fleet.put(id, { want_rev: turn });
      else if (dice < 0.7) fleet.put(id, { info: { node: id, os: `os ${turn}` } });
      else if (dice < 0.8) followers.push(follow(fleet));
      else if (dice < 0.85) followers.shift()?.stop();
      else clock.advance(Math.floor(random.next() * 300));
    }
    clock.advance(1000);
    for (const { present } of followers) assert.equal(present(), plain(fleet), `seed ${seed}`);
  }
});

view('who comes after the last listener left hears nothing of what waited for that one', () => {
  const { fleet, clock } = rig();
  const first = follow(fleet);
  fleet.put('n1', { want_rev: 1 });
  fleet.addEvent(event('old'));
  first.stop();
  fleet.put('n1', { want_rev: 2 });
  const second = follow(fleet);
  clock.advance(1000);
  assert.equal(second.changes, []);
  assert.equal(second.present(), plain(fleet));
  assert.equal(first.changes, []);
});

view('a listener is told of events after its snapshot only, and the same function may listen twice', () => {
  const { fleet, clock } = rig();
  const texts: string[][] = [[], []];
  const listen = (into: string[]) => (change: FleetChange) => void into.push(...change.events.map(one => one.text));
  fleet.watch(listen(texts[0] as string[]));
  fleet.addEvent(event('one'));
  fleet.watch(listen(texts[1] as string[]));
  fleet.addEvent(event('two'));
  clock.advance(250);
  assert.equal(texts, [['one', 'two'], ['two']]);
  let calls = 0;
  const same = () => void calls++;
  const [stopOne] = [fleet.watch(same), fleet.watch(same)];
  fleet.put('n1', {});
  clock.advance(250);
  assert.is(calls, 2);
  stopOne();
  fleet.put('n1', { want_rev: 1 });
  clock.advance(250);
  assert.is(calls, 3);
});

view('events are bounded, in the snapshot and in a change', () => {
  const { fleet, clock } = rig();
  const seen = follow(fleet);
  for (let i = 0; i < 1000; i++) fleet.addEvent(event(`e${i}`));
  clock.advance(250);
  assert.is(fleet.snapshot().events.length, viewLimits.events);
  assert.is(fleet.snapshot().events.at(-1)?.text, 'e999');
  assert.is(seen.changes[0]?.events.length, viewLimits.events);
  assert.is(seen.changes[0]?.events.at(-1)?.text, 'e999');
});

view('nobody listens: nothing is kept for anybody and no timer runs', () => {
  const { fleet, clock } = rig();
  const { stop } = follow(fleet);
  fleet.put('n1', {});
  stop();
  fleet.put('n2', {});
  fleet.addEvent(event('x'));
  assert.is(clock.pending, 0);
  follow(fleet);
  fleet.put('n3', {});
  fleet.stop();
  assert.is(clock.pending, 0);
});

view('totals are sums over who is online', () => {
  const { fleet } = rig();
  fleet.put('n1', { online: true, info: { node: 'n1', cores: 4 } });
  fleet.put('n2', { online: false, info: { node: 'n2', cores: 64 } });
  const sums = { ver: '1.2.3', nodes: 2, online: 1, cores: 4, jobs_queued: 2, jobs_running: 1 };
  assert.equal(fleet.totals({ queued: 2, running: 1 }), sums);
  fleet.put('n3', { online: true, info: { node: 'n3', cores: 2 } });
  assert.equal(fleet.totals({ queued: 2, running: 1 }), { ...sums, nodes: 3, online: 2, cores: 6 });
});

view.run();
