/** The dispatch core: how jobs are taken, and what becomes of them by word of people. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { bootKey, outKey, remembered, rememberedKey } from '../../broker/jobs/core/records.ts';
import { World } from '../fixture/jobs-core-world.ts';

const test = suite('jobs: submissions and orders');

test("killed before the submission is synced: what was sent of it is revoked, and its results are nobody's", () => {
  const world = new World();
  world.autoSync = false;
  const n1 = world.node('n1');
  world.submit('pi', { run: 'true', array: '1-3' });
  const [done] = n1.start(n1.list().slice(0, 1));
  assert.ok(done);
  n1.end([done]);
  world.crash();
  world.autoSync = true;
  n1.connect();
  assert.is(world.core.job('pi'), undefined);
  assert.equal([...n1.tasks.keys()], [], 'revoked and acknowledged');
  world.submit('pi', { run: 'true', array: '1-3' });
  n1.work();
  assert.equal(
    world.results('pi').map(({ index }) => index),
    [0, 1, 2],
  );
});

test('one job from submission to its end', () => {
  const world = new World();
  world.autoSync = false;
  const n1 = world.node('n1');
  assert.is(world.submit('pi', { run: 'true', array: '1-250' }), undefined, 'not answered before it is synced');
  assert.is(n1.list().length, 100, 'but its tasks are on their way');
  assert.is(world.is.size, 0, 'and nothing is said of it');
  world.sync();
  assert.equal(world.answers, [{ type: 'answer', answer: 1, job: 'pi', fresh: true }]);
  assert.is(n1.list().length, 100);
  const [recipe] = [...n1.recipes.values()];
  assert.is(recipe?.run, 'true');
  assert.is(recipe?.array, '1-250');
  n1.end(n1.start());
  assert.is(n1.acked.length, 0, 'no ack before the commit is synced');
  assert.is(world.results('pi').length, 0, 'nothing on out before it is synced');
  world.sync();
  assert.is(n1.acked.length, 100);
  assert.is(world.results('pi').length, 100);
  world.autoSync = true;
  n1.report({});
  n1.work();
  assert.is(world.state('pi'), 'succeeded');
  assert.equal(
    world.results('pi').map(({ index }) => index),
    Array.from({ length: 250 }, (_, i) => i),
  );
  const is = world.is.get('pi');
  assert.is(is?.state, 'succeeded');
  assert.is(is?.succeeded, 250);
  assert.is(is?.pct, 100);
  assert.is(is?.outs, world.outs.get('pi')?.length);
  assert.equal(n1.forgot, [recipe?.r]);
});

test('the same id: the same document is the same job, another one is refused', () => {
  const world = new World();
  assert.is(world.submit('pi', { run: 'true' })?.fresh, true);
  assert.is(world.submit('pi', { run: 'true' })?.fresh, false);
  assert.is(world.submit('pi', { run: 'false' })?.error?.code, 'conflict');
  world.crash();
  assert.is(world.submit('pi', { run: 'true' })?.fresh, false, 'also after a restart');
  assert.is(world.submit('pi', { run: 'false' })?.error?.code, 'conflict');
});

test('a copy of a submission is not answered before the first is synced', () => {
  const world = new World();
  world.autoSync = false;
  world.submit('pi', { run: 'true' });
  assert.is(world.submit('pi', { run: 'true' }), undefined);
  world.crash();
  assert.is(world.core.job('pi'), undefined, 'and then neither was promised');
});

test('the disk refuses: new jobs are refused at once, what waits is answered when it is written', () => {
  const world = new World();
  world.autoSync = false;
  const n1 = world.node('n1', 5);
  world.submit('a', { run: 'true', array: '1-20' });
  world.sync();
  world.submit('b', { run: 'true' });
  const [write] = world.writes;
  world.tell({ type: 'unsynced', write: write?.write ?? 0, error: { code: 'journal', message: 'no space left' } });
  const refused = world.submit('c', { run: 'true' });
  assert.is(refused?.error?.code, 'journal');
  assert.match(refused?.error?.message ?? '', /no space left/);
  assert.is(world.order('a', 'cancel')?.error?.code, 'journal');
  n1.end(n1.start());
  n1.report({});
  assert.is(n1.list().length, 0, 'nothing is sent meanwhile');
  assert.is(n1.acked.length, 0);
  world.sync();
  assert.is(n1.acked.length, 5);
  assert.is(n1.list().length, 5, 'it goes on');
  assert.ok(world.answers.some(({ job, fresh }) => job === 'b' && fresh));
});

test('needs: waits for all, unknown ones are refused, what depends on a failure is rejected down the line', () => {
  const world = new World();
  assert.is(world.submit('late', { run: 'true', needs: ['nobody'] })?.error?.at, 'needs.0');
  world.submit('a', { run: 'true' });
  world.submit('b', { run: 'true', retries: 0 });
  world.submit('c', { run: 'true', needs: ['a'] });
  world.submit('d', { run: 'true', needs: ['a', 'b'] });
  world.submit('e', { run: 'true', needs: ['d'] });
  assert.match(world.core.explain('d')?.why ?? '', /waits for a, b/);
  world.crash();
  const n1 = world.node('n1');
  const job = (r: number) => n1.recipes.get(r)?.job;
  assert.equal(
    n1.list().map(({ r }) => job(r)),
    ['a', 'b'],
  );
  n1.work(({ r }) => (world.recipes.get(r)?.job === 'b' ? { why: 'exit', exit: 3, err: 'exit status 3' } : undefined));
  assert.is(world.state('c'), 'succeeded');
  assert.is(world.state('b'), 'failed');
  assert.match(world.core.job('b')?.is.err ?? '', /task 0: exit status 3 \(1 of 1 tasks failed\)/);
  assert.is(world.state('d'), 'rejected');
  assert.is(world.core.job('d')?.is.err, 'it needs b, which is failed');
  assert.is(world.state('e'), 'rejected');
  assert.is(world.is.get('e')?.state, 'rejected');
  world.order('b', 'retry');
  world.order('d', 'retry');
  n1.work();
  assert.is(world.state('b'), 'succeeded');
  assert.is(world.state('d'), 'succeeded', 'a rejected job may be tried again');
});

test('pause holds what was not sent, resume lets it go; both outlive a restart', () => {
  const world = new World();
  const n1 = world.node('n1', 3);
  world.submit('a', { run: 'true', array: '1-9' });
  n1.start();
  world.order('a', 'pause');
  assert.is(world.is.get('a')?.paused, true, 'said at once');
  n1.end();
  n1.report({});
  assert.is(n1.list().length, 0);
  assert.is(world.core.job('a')?.is.succeeded, 3, 'what ran went on');
  world.crash();
  n1.connect();
  assert.is(n1.list().length, 0);
  assert.match(world.core.explain('a')?.why ?? '', /paused/);
  world.order('a', 'resume');
  assert.is(n1.list().length, 3);
  const starts = world.submit('b', { run: 'true', paused: true });
  assert.is(starts?.fresh, true);
  assert.is(world.core.job('b')?.is.paused, true);
});

test('cancel revokes what runs and what waits, retry does the rest', () => {
  const world = new World();
  const n1 = world.node('n1', 4);
  world.submit('a', { run: 'true', array: '1-10' });
  const [first, ...rest] = n1.start();
  n1.end(first ? [first] : []);
  world.order('a', 'cancel');
  assert.is(world.state('a'), 'canceled');
  for (const { token } of rest) assert.ok(n1.revoked.includes(token));
  assert.is(n1.inHand, 0);
  const late = rest[0];
  if (late) n1.report({ results: [[late.token, 1, 1]] });
  assert.is(world.core.job('a')?.is.succeeded, 1, 'its token is dead');
  assert.ok(late && n1.acked.includes(late.token), 'but it may forget it');
  assert.is(world.order('a', 'pause')?.error?.code, 'conflict');
  world.order('a', 'retry');
  n1.report({});
  n1.work();
  assert.is(world.state('a'), 'succeeded');
  assert.is(world.results('a').length, 10);
  assert.is(world.order('a', 'retry')?.error?.code, 'conflict');
  assert.is(world.order('a', 'cancel')?.error?.code, 'conflict');
});

test('the higher priority is offered first, also when it changes', () => {
  const world = new World();
  world.submit('a', { run: 'true' });
  world.submit('b', { run: 'true' });
  world.priority('b', 5);
  world.crash();
  const n1 = world.node('n1', 1);
  assert.is(n1.recipes.get(n1.list()[0]?.r ?? 0)?.job, 'b');
});

test('deadline: timed out by monotonic time, whatever the wall clock does', () => {
  const world = new World();
  const n1 = world.node('n1', 1);
  world.submit('a', { run: 'true', array: '1-3', deadline_s: 100 });
  n1.start();
  world.wallOffset += 86_400_000;
  world.pass(99_000);
  assert.is(world.state('a'), 'running');
  world.wallOffset -= 2 * 86_400_000;
  world.pass(1_000);
  assert.is(world.state('a'), 'timed-out');
  assert.is(n1.revoked.length, 1);
  assert.match(world.core.job('a')?.is.err ?? '', /3 of 3 tasks were not done/);
});

test('deadline: the rest of it after a restart, never more than the whole', () => {
  const world = new World();
  world.submit('a', { run: 'true', deadline_s: 100 });
  world.pass(60_000);
  world.crash();
  world.pass(39_000);
  assert.is(world.state('a'), 'queued');
  world.pass(1_001);
  assert.is(world.state('a'), 'timed-out');
  world.submit('b', { run: 'true', deadline_s: 100 });
  world.wallOffset -= 86_400_000;
  world.crash();
  world.pass(100_001);
  assert.is(world.state('b'), 'timed-out');
});

test('removed: only when it is over, nothing stays in the store but its id', () => {
  const world = new World();
  const n1 = world.node('n1');
  world.submit('a', { run: 'true', array: '1-50' });
  assert.is(world.order('a', 'remove')?.error?.code, 'conflict');
  n1.work();
  assert.ok(world.disk.has(outKey('a', 0)));
  world.order('a', 'remove');
  assert.ok(world.is.has('a') && world.is.get('a') === undefined, 'its topics are cleared');
  const left = [...world.disk.keys()].filter(key => key !== bootKey).sort();
  assert.equal(left, [`jobday/${String(Math.floor(world.wall / 86_400_000)).padStart(5, '0')}/a`, rememberedKey('a')]);
  assert.is(remembered(world.disk.get(rememberedKey('a')))?.hash, '{"run":"true","array":"1-50"}');
  assert.is(world.order('a', 'cancel')?.error?.code, 'id');
});

test('kept for keep_h hours after the end, then removed; a jump of the clock removes nothing', () => {
  const world = new World();
  const n1 = world.node('n1');
  world.submit('a', { run: 'true', keep_h: 1 });
  n1.work();
  world.wallOffset += 86_400_000;
  world.pass(3_590_000);
  assert.is(world.state('a'), 'succeeded');
  world.pass(11_000);
  assert.is(world.core.job('a'), undefined);
  assert.ok(world.disk.has(rememberedKey('a')));
});

test('more tasks or documents than fit are refused with a sentence', () => {
  const world = new World();
  for (let k = 0; k < 5; k++) assert.is(world.submit(`big-${k}`, { run: 'true', array: '1-10000000' })?.fresh, true);
  const refused = world.submit('one-more', { run: 'true', array: '1-10' });
  assert.is(refused?.error?.code, 'full');
  assert.match(refused?.error?.message ?? '', /50000000 tasks/);
  for (let k = 0; k < 5; k++) world.order(`big-${k}`, 'cancel');
  assert.is(world.submit('one-more', { run: 'true', array: '1-10' })?.fresh, true, 'the ended make room');
});

test('is: at once at the first change and the end, between them once a second', () => {
  const world = new World();
  const n1 = world.node('n1', 1);
  world.submit('a', { run: 'true', array: '1-100' });
  world.isCount = 0;
  n1.work(undefined, 50);
  assert.is(world.is.get('a')?.state, 'running');
  assert.is(world.isCount, 1);
  world.pass(1_000);
  assert.is(world.isCount, 2);
  assert.is(world.is.get('a')?.succeeded, 50);
  n1.work();
  assert.is(world.isCount, 3);
  assert.is(world.is.get('a')?.state, 'succeeded');
  world.pass(5_000);
  assert.is(world.isCount, 3, 'nothing new, nothing said');
});

test.run();
