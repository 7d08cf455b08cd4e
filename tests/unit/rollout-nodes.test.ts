/** Rollouts over the bus: which node gets a change when, how it is judged, and what becomes of it. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { crash, is, kinds, own, settled, three, xOf } from '../fixture/rollout-rig.ts';

const rollouts = suite('rollout nodes');

rollouts('a change goes to one node, and when that is well to the next, and in the end to all', () => {
  const all = settled();
  const said = all.it.ask('role/all/set/services/x', 'two');
  assert.ok(said.ok);
  assert.equal(xOf(all), ['two', 'one', 'one']);
  assert.is(all.it.want('n1')?.rev, said.rev);
  const started = is(all);
  assert.equal([started?.state, started?.rev, started?.nodes, started?.ok_n], ['rolling', said.rev, 3, 0]);
  assert.is(started?.current, 'n1');
  const told = () => ['node/n3/want', 'role/all/own'].map(topic => all.it.broker.count(`hearth/${topic}`));
  const before = told();
  all.seconds(4);
  assert.equal(xOf(all), ['two', 'one', 'one'], 'not yet well for long enough');
  all.seconds(3);
  assert.equal(xOf(all), ['two', 'two', 'one']);
  assert.is(is(all)?.ok_n, 1);
  assert.equal(told(), before, 'who has nothing new to hear is not told again');
  all.seconds(7);
  assert.equal(xOf(all), ['two', 'two', 'two']);
  all.seconds(7);
  const done = is(all);
  assert.equal([done?.state, done?.ok_n, done?.failed_n, done?.current, done?.why], ['done', 3, 0, '', '']);
  assert.equal(kinds(all), ['started', 'canary', 'done']);
  const { rev } = own(all);
  assert.is(rev, said.rev, 'the steps are no changes of the document');
});

rollouts(
  'a canary in a crash loop is put back by itself, the others never see the change, and nothing typed is lost',
  () => {
    const all = settled();
    const before = all.it.want('n1')?.rev ?? 0;
    all.bad.set('n1 broken', crash);
    const said = all.it.ask('role/all/set/services/x', 'broken');
    const seen = new Set<string>();
    for (let second = 0; second < 8; second++) {
      all.seconds(1);
      for (const run of xOf(all, ['n2', 'n3'])) seen.add(run);
    }
    assert.equal([...seen], ['one']);
    assert.equal(xOf(all), ['one', 'one', 'one']);
    assert.ok((all.it.want('n1')?.rev ?? 0) > (said.rev ?? 0), 'at a revision of its own');
    assert.ok((said.rev ?? 0) > before);
    const after = is(all);
    assert.equal([after?.state, after?.failed, after?.failed_n, after?.ok_n], ['reverted', 'n1', 1, 0]);
    assert.match(after?.why ?? '', /^services\/x: crash-loop \(it ended with exit code 1\)$/);
    assert.equal(own(all).services, { x: { run: 'one' } });
    assert.ok(own(all).rev > (said.rev ?? 0), 'who built on the change is told that it is stale');
    const lost = JSON.parse(all.it.broker.retained.get('hearth/role/all/failed') ?? '{}');
    assert.equal([lost.services, lost.rev], [{ x: { run: 'broken' } }, said.rev]);
    assert.equal(kinds(all), ['started', 'failed', 'reverted']);
    all.seconds(20);
    assert.is(is(all)?.state, 'reverted');
  },
);

rollouts('a later node that fails puts all back, too, each at a revision above all that it had', () => {
  const all = settled();
  all.it.ask('role/all/set/services/x', 'broken');
  all.seconds(7);
  assert.equal(xOf(all), ['broken', 'broken', 'one']);
  all.bad.set('n2 broken', crash);
  const revs = three.map(id => all.it.want(id)?.rev ?? 0);
  all.seconds(3);
  assert.equal(xOf(all), ['one', 'one', 'one']);
  const now = three.map(id => all.it.want(id)?.rev ?? 0);
  assert.ok((now[0] ?? 0) > (revs[0] ?? 0) && (now[1] ?? 0) > (revs[1] ?? 0));
  assert.is(now[2], revs[2], 'who never had it hears nothing');
  assert.is(is(all)?.failed, 'n2');
});

rollouts('what a node says before it has come to the change says nothing about it', () => {
  const all = settled();
  for (const id of three) all.bad.set(`${id} one`, crash);
  all.seconds(1);
  for (const id of three) all.busy.add(id);
  all.it.ask('role/all/set/services/x', 'mended');
  all.seconds(5);
  assert.equal([...xOf(all), is(all)?.state], ['mended', 'one', 'one', 'rolling']);
  all.busy.clear();
  all.seconds(25);
  assert.equal([...xOf(all), is(all)?.state], ['mended', 'mended', 'mended', 'done']);
});

rollouts('without an end in sight the deadline decides, and names what it waited for', () => {
  const all = settled();
  all.bad.set('n1 slow', { 'services/x': { state: 'running', health: 'unhealthy', err: 'port 80 does not answer' } });
  all.it.ask('role/all/set/services/x', 'slow');
  all.seconds(58);
  assert.is(is(all)?.state, 'rolling');
  all.seconds(5);
  assert.match(is(all)?.why ?? '', /services\/x: port 80 does not answer, after 60 s/);
  assert.equal(xOf(all), ['one', 'one', 'one']);
});

rollouts(
  'a node that goes offline with the change and does not come back is a failure; its old document waits for it',
  () => {
    const all = settled();
    all.it.ask('role/all/set/services/x', 'two');
    all.leave('n1');
    all.seconds(65);
    assert.match(is(all)?.why ?? '', /^it went offline and did not come back/);
    assert.equal(xOf(all), ['one', 'one', 'one']);
  },
);

rollouts('offline nodes hold nothing up, and are judged when they are back', () => {
  const all = settled();
  all.leave('n1');
  all.it.ask('role/all/set/services/x', 'two');
  assert.equal(xOf(all), ['one', 'two', 'one']);
  all.seconds(60);
  assert.equal([is(all)?.state, is(all)?.ok_n], ['done', 2]);
  assert.equal(xOf(all), ['one', 'two', 'two']);
  all.join('n1', 2);
  all.seconds(2);
  assert.is(all.it.want('n1')?.services.x?.run, 'two');
  all.bad.set('n1 two', crash);
  all.seconds(3);
  assert.equal(xOf(all), ['one', 'two', 'two'], 'it alone is put back');
  assert.equal([is(all)?.state, is(all)?.failed, is(all)?.failed_n], ['done', 'n1', 1]);
  all.bad.clear();
  assert.ok(all.it.ask('role/all/do/retry').ok);
  all.seconds(9);
  assert.equal([...xOf(all), is(all)?.failed_n, is(all)?.ok_n], ['two', 'two', 'two', 0, 3]);
});

rollouts(
  'who is still busy with what it was told before goes first never, and at the end without anybody waiting',
  () => {
    const all = settled();
    all.busy.add('n1');
    all.it.ask('node/n1/set/services/y', 'slow');
    all.it.ask('role/all/set/services/x', 'two');
    assert.equal(xOf(all), ['one', 'two', 'one']);
    all.seconds(30);
    assert.equal(xOf(all), ['one', 'two', 'two'], 'it may be about to come');
    all.seconds(30);
    assert.equal([...xOf(all), is(all)?.state, is(all)?.current], ['two', 'two', 'two', 'done', 'n1']);
    all.seconds(200);
    assert.is(is(all)?.failed, '', 'its time begins when it comes to it');
    all.bad.set('n1 two', crash);
    all.busy.clear();
    all.seconds(3);
    assert.equal([...xOf(all), is(all)?.failed], ['one', 'two', 'two', 'n1']);
  },
);

rollouts('where nobody can go first nobody gets it, and that is said', () => {
  const all = settled();
  for (const id of three) {
    all.busy.add(id);
    all.it.ask(`node/${id}/set/services/y`, 'slow');
  }
  all.it.ask('role/all/set/services/x', 'two');
  all.seconds(400);
  assert.equal([...xOf(all), is(all)?.state], ['one', 'one', 'one', 'rolling']);
  assert.match(is(all)?.why ?? '', /waits for a node that is online and has done what it was told/);
  all.busy.clear();
  all.seconds(2);
  assert.equal([...xOf(all), is(all)?.why], ['two', 'one', 'one', '']);
});

rollouts('what was the matter with a node before is not held against the change, and it has its turn last', () => {
  const all = settled();
  all.bad.set('n1', { 'services/y': { state: 'crash-loop', err: 'of old' } });
  all.seconds(1);
  all.it.ask('role/all/set/services/x', 'two');
  assert.equal(xOf(all), ['one', 'two', 'one']);
  all.seconds(25);
  assert.equal([...xOf(all), is(all)?.state], ['two', 'two', 'two', 'done']);
});

rollouts('a failing check counts where it is critical and did not fail before', () => {
  const check = (severity: string) => ({ 'checks/web': { state: 'fail', severity, saw: 'no answer' } });
  const warned = settled();
  for (const id of three) warned.bad.set(id, check('warning'));
  warned.it.ask('role/all/set/services/x', 'two');
  warned.seconds(25);
  assert.is(is(warned)?.state, 'done');
  const critical = settled();
  critical.bad.set('n1 two', check('critical'));
  critical.it.ask('role/all/set/services/x', 'two');
  critical.seconds(65);
  assert.match(is(critical)?.why ?? '', /checks\/web: no answer/);
});

rollouts('a service that runs whenever one looks, but not for long, is not well', () => {
  const all = settled();
  all.it.ask('role/all/set/services/x', 'two');
  for (let second = 0; second < 20; second++) {
    all.bad.set('n1 two', { 'services/x': { state: 'running', restarts: second } });
    all.seconds(1);
  }
  assert.equal([...xOf(all), is(all)?.ok_n], ['two', 'one', 'one', 0]);
});

rollouts('batches, pauses, and failures that are allowed, each put back by itself', () => {
  const ids = Array.from({ length: 10 }, (_, index) => `m${index}`);
  const all = settled({}, ids);
  all.it.ask('role/all/set/rollout', '{"batch":"40%","pause_s":10,"healthy_s":2,"abort_pct":10}');
  all.bad.set('m2 two', crash);
  all.it.ask('role/all/set/services/x', 'two');
  all.seconds(4);
  assert.is(xOf(all, ids).filter(run => run === 'two').length, 1, 'the pause holds after the canary, too');
  all.seconds(12);
  assert.is(xOf(all, ids).filter(run => run === 'two').length, 4, 'four were given it, one of them failed');
  all.seconds(40);
  assert.equal(
    xOf(all, ids)
      .map((run, index) => (run === 'two' ? '' : index))
      .filter(at => at !== ''),
    [2],
  );
  assert.equal([is(all)?.state, is(all)?.ok_n, is(all)?.failed_n], ['done', 9, 1]);
  assert.equal(own(all).services, { x: { run: 'two' } });
});

rollouts('a node that joins in the middle has the document before until its turn', () => {
  const all = settled();
  all.it.ask('role/all/set/services/x', 'two');
  all.join('n4');
  assert.is(all.it.want('n4')?.services.x?.run, 'one');
  all.seconds(32);
  assert.equal([...xOf(all, [...three, 'n4']), is(all)?.state, is(all)?.ok_n], ['two', 'two', 'two', 'two', 'done', 4]);
});

rollouts('whom a change does not concern is not waited for, and who leaves in the middle neither', () => {
  const all = settled();
  all.it.ask('node/n1/set/services/x', 'mine');
  all.it.ask('role/all/set/services/x', 'two');
  assert.equal(xOf(all), ['mine', 'two', 'one']);
  assert.ok(all.it.ask('node/n2/do/forget').ok);
  all.seconds(2);
  assert.equal([all.it.want('n3')?.services.x?.run, is(all)?.state], ['two', 'rolling']);
  all.seconds(8);
  assert.equal([is(all)?.state, is(all)?.ok_n], ['done', 2]);
});

rollouts.run();
