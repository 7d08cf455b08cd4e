/** Rollouts over the bus: what people do in the middle, restarts, and a disk that is full. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { MemoryDisk } from '../../broker/store/memory.ts';
import { crash, is, nodes, own, settled, three, xOf } from '../fixture/rollout-rig.ts';
import { rig } from '../fixture/supervisor-rig.ts';

const rollouts = suite('rollout people');

rollouts('a supervisor that starts anew in the middle goes on exactly there', () => {
  const disk: MemoryDisk = new Map();
  const first = settled({ disk });
  first.it.ask('role/all/set/services/x', 'two');
  first.seconds(7);
  assert.equal(xOf(first), ['two', 'two', 'one']);
  const wants = three.map(id => first.it.want(id)?.rev);
  const again = nodes([], { disk });
  assert.equal(xOf(again), ['two', 'two', 'one']);
  assert.equal(
    three.map(id => again.it.want(id)?.rev),
    wants,
  );
  assert.equal([is(again)?.state, is(again)?.current], ['rolling', 'n2']);
  again.seconds(20);
  assert.equal([...xOf(again), is(again)?.state], ['two', 'two', 'one', 'rolling'], 'nobody is there yet');
  for (const id of three) again.join(id);
  again.seconds(8);
  assert.equal(xOf(again), ['two', 'two', 'two']);
  again.bad.set('n3 two', crash);
  again.seconds(4);
  assert.equal([...xOf(again), is(again)?.state], ['one', 'one', 'one', 'reverted']);
  const last = rig({ disk });
  for (const id of three) assert.is(last.want(id)?.rev, again.it.want(id)?.rev);
});

rollouts('another change takes the place of one under way: who had that gets this first', () => {
  const all = settled();
  all.it.ask('role/all/set/services/x', 'two');
  all.seconds(7);
  assert.equal(xOf(all), ['two', 'two', 'one']);
  const said = all.it.ask('role/all/set/services/x', 'three');
  assert.equal(xOf(all), ['three', 'two', 'one']);
  all.bad.set('n2 three', crash);
  all.seconds(10);
  assert.equal(xOf(all), ['one', 'one', 'one'], 'back to what all had last');
  assert.equal([is(all)?.state, is(all)?.rev], ['reverted', said.rev]);
});

rollouts('the last good document, set by hand, reaches all at once', () => {
  const all = settled();
  all.it.ask('role/all/set/services/x', 'two');
  all.seconds(7);
  assert.ok(all.it.ask('role/all/set/services/x', 'one').ok);
  assert.equal([...xOf(all), is(all)], ['one', 'one', 'one', undefined]);
});

rollouts('pause, resume, abort and retry do that, and are refused where there is nothing to do it to', () => {
  const all = settled();
  const error = (verb: string) => all.it.ask(`role/all/do/${verb}`).error ?? '';
  assert.match(error('pause'), /no change to this role was rolled out yet/);
  all.it.ask('role/all/set/services/x', 'two');
  assert.match(error('resume'), /is paused, the last one is rolling/);
  assert.match(error('retry'), /nothing failed/);
  assert.match(all.it.ask('role/all/do/pause', 'now').error ?? '', /takes no argument/);
  assert.is(all.it.ask('role/all/do/pause', '{"tx":"mine"}').tx, 'mine');
  all.seconds(20);
  assert.equal([...xOf(all), is(all)?.state, is(all)?.ok_n], ['two', 'one', 'one', 'paused', 1]);
  assert.ok(all.it.ask('role/all/do/resume').ok);
  all.seconds(2);
  assert.equal(xOf(all), ['two', 'two', 'one']);
  assert.ok(all.it.ask('role/all/do/abort').ok);
  assert.equal([...xOf(all), is(all)?.state, is(all)?.why], ['one', 'one', 'one', 'reverted', 'as person asked']);
  all.seconds(1);
  assert.ok(all.it.ask('role/all/do/retry').ok);
  assert.equal([...xOf(all), is(all)?.state], ['two', 'one', 'one', 'rolling']);
  all.seconds(25);
  assert.is(is(all)?.state, 'done');
  assert.match(error('abort'), /is under way, the last one is done/);
});

rollouts('with revert off nothing is put back: it stops, and goes on when somebody says so', () => {
  const all = settled();
  all.it.ask('role/all/set/rollout', '{"revert":false,"healthy_s":2}');
  all.bad.set('n1 two', crash);
  all.it.ask('role/all/set/services/x', 'two');
  all.seconds(3);
  assert.equal([...xOf(all), is(all)?.state, is(all)?.failed], ['two', 'one', 'one', 'stopped', 'n1']);
  assert.equal(own(all).services, { x: { run: 'two' } });
  all.bad.clear();
  assert.match(all.it.ask('role/all/do/resume').error ?? '', /send do\/retry to go on/);
  assert.ok(all.it.ask('role/all/do/retry').ok);
  all.seconds(15);
  assert.equal([...xOf(all), is(all)?.state, is(all)?.failed], ['two', 'two', 'two', 'done', '']);
});

rollouts('how changes are rolled out is itself no change; "off" in the middle gives the rest what it waits for', () => {
  const all = settled();
  const revs = three.map(id => all.it.want(id)?.rev);
  all.it.ask('role/all/set/services/x', 'two');
  assert.ok(all.it.ask('role/all/set/rollout/batch', '2').ok);
  assert.is(own(all).rollout.batch, 2);
  assert.equal(
    three.slice(1).map(id => all.it.want(id)?.rev),
    revs.slice(1),
  );
  assert.match(all.it.ask('role/all/set/rollout/batch', '0%').error ?? '', /a number of nodes, such as 2/);
  assert.match(all.it.ask('role/all/set/rollout/deadline_s', '5').error ?? '', /must be more than healthy_s/);
  assert.match(all.it.ask('role/all/set/rollout/bach', '5').error ?? '', /did you mean "batch"/);
  assert.ok(all.it.ask('role/all/set/rollout', 'off').ok);
  assert.equal(xOf(all), ['two', 'two', 'two']);
});

rollouts('a disk that takes no step holds it up, and no node is told of it', () => {
  const all = settled();
  all.it.ask('role/all/set/services/x', 'two');
  all.it.store.failWrites(new Error('no space'));
  all.seconds(20);
  assert.equal([...xOf(all), is(all)?.ok_n], ['two', 'one', 'one', 0]);
  all.it.store.failWrites(undefined);
  all.seconds(40);
  assert.equal([...xOf(all), is(all)?.state], ['two', 'two', 'two', 'done']);
});

rollouts('nobody is judged for the time in which the supervisor itself was not there', () => {
  const all = settled();
  all.it.ask('role/all/set/services/x', 'two');
  all.bad.set('n1 two', { 'services/x': { state: 'starting' } });
  all.seconds(5);
  all.it.clock.stall(100_000);
  all.seconds(2);
  assert.is(is(all)?.state, 'rolling');
  all.bad.clear();
  all.seconds(30);
  assert.is(is(all)?.state, 'done');
});

rollouts('a retry is judged anew, not by the time that the first try took', () => {
  const all = settled();
  all.it.ask('role/all/set/rollout', '{"revert":false,"deadline_s":20}');
  all.bad.set('n1 two', { 'services/x': { state: 'starting' } });
  all.it.ask('role/all/set/services/x', 'two');
  all.seconds(25);
  assert.match(is(all)?.why ?? '', /services\/x: still starting, after 20 s/);
  assert.is(is(all)?.state, 'stopped');
  assert.ok(all.it.ask('role/all/do/retry').ok);
  all.seconds(15);
  assert.is(is(all)?.state, 'rolling');
});

rollouts('a document that a node could not take when its turn comes is refused to it before', () => {
  const all = settled();
  const long = 'é'.repeat(8180);
  all.it.ask('role/all/set', JSON.stringify({ services: { x: 'two', a: long, b: long, c: long, d: long } }));
  assert.equal(all.it.want('n3')?.services.a, undefined);
  const three = { services: { e: long, f: long, g: long } };
  assert.ok(all.it.ask('node/n3/set', JSON.stringify(three)).ok);
  assert.match(all.it.ask('node/n3/set/services/h', long).error ?? '', /would be 1\d\d kB, but at most 128 kB/);
  all.seconds(30);
  assert.equal([...xOf(all), is(all)?.state], ['two', 'two', 'two', 'done']);
});

rollouts('an outside broker that is gone for an hour fails no node', () => {
  const all = settled({ kind: 'outside' });
  all.it.ask('role/all/set/services/x', 'two');
  all.bad.set('n1 two', { 'services/x': { state: 'starting' } });
  all.seconds(3);
  all.it.broker.setUp(false);
  all.it.clock.advance(3_600_000);
  all.it.broker.setUp(true);
  all.bad.clear();
  all.seconds(60);
  assert.equal([...xOf(all), is(all)?.state], ['two', 'two', 'two', 'done']);
});

rollouts('a step that waits for the disk is not asked for again, and one that failed not at every look', () => {
  const all = settled();
  all.it.ask('role/all/set/services/x', 'two');
  all.seconds(1);
  const { write } = all.it.store;
  let writes = 0;
  all.it.store.write = (ops, done) => {
    writes++;
    write(ops, done);
  };
  all.it.store.failWrites(new Error('no space'));
  all.seconds(30);
  assert.ok(writes >= 2 && writes <= 4, `${writes} writes`);
});

rollouts('a rollout that is newer than the journal is damage, and no supervisor starts on it', () => {
  const disk: MemoryDisk = new Map();
  const all = settled({ disk });
  all.it.ask('role/all/set/services/x', 'two');
  const entry = JSON.parse(disk.get('doc/role/all') ?? '{}');
  entry.rollout.nodes.n1.rev = 1_000_000;
  disk.set('doc/role/all', JSON.stringify(entry));
  assert.match(rig({ disk }).ready() ?? '', /doc\/role\/all.*newer than the journal/);
});

rollouts.run();
