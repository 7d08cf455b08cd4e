/** The dispatch core: replicas, quarantine, reductions. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { FakeNode, FakeTask } from '../fixture/jobs-core-node.ts';
import { World } from '../fixture/jobs-core-world.ts';

const test = suite('jobs: replicas and reductions');
const say = (value: unknown) => () => ({ value });

function three(credits = 10): [World, FakeNode, FakeNode, FakeNode] {
  const world = new World();
  return [world, world.node('n1', credits), world.node('n2', credits), world.node('n3', credits)];
}

test('every copy on another node; enough equal results are one commit', () => {
  const [world, n1, n2, n3] = three();
  world.submit('a', { plugin: 'p', items: [1, 2], replicas: 3 });
  for (const node of [n1, n2, n3])
    assert.equal(
      node.list().map(({ index }) => index),
      [0, 1],
      node.id,
    );
  n1.end(n1.start(), ({ v }) => ({ value: { x: v, y: 1 } }));
  assert.is(world.results('a').length, 0);
  n2.end(n2.start(), ({ v }) => ({ value: { y: 1, x: v } }));
  assert.is(world.state('a'), 'succeeded', 'agree is more than half, and the order of keys means nothing');
  assert.is(world.results('a').length, 2);
  assert.is(n3.revoked.length, 2, 'the third is not needed');
  assert.equal(world.events, []);
});

test('who differs is reported and gets no such tasks any more; after three times none, until it is trusted again', () => {
  const [world, n1, n2, n3] = three();
  const disagree = (job: string) => {
    world.submit(job, { plugin: 'p', replicas: 3 });
    n1.end(n1.start(), say('wrong'));
    n2.end(n2.start(), say('right'));
    n3.end(n3.start(), say('right'));
    assert.is(world.results(job)[0]?.end?.value, 'right');
    assert.is(world.results(job)[0]?.node, 'n2');
  };
  disagree('a');
  assert.is(world.events.length, 1);
  assert.match(world.events[0] ?? '', /^warn disagrees n1: its result of task 0 of a differs/);
  world.submit('b', { plugin: 'p', replicas: 3 });
  assert.is(n1.list().length, 0);
  world.order('b', 'cancel');
  world.crash();
  for (const node of [n1, n2, n3]) node.connect();
  world.submit('c', { plugin: 'p', replicas: 3 });
  assert.is(n1.list().length, 0, 'also after a restart');
  world.order('c', 'cancel');
  world.submit('d', { plugin: 'p' });
  assert.is(n1.list().length, 1, 'but others');
  n1.work();
  world.tell({ type: 'pardon', node: 'n1' });
  disagree('e');
});

test('three disagreements: no tasks at all', () => {
  const [world, n1, n2, n3] = three();
  world.submit('a', { plugin: 'p', items: [1, 2, 3], replicas: 3 });
  n1.end(n1.start(), say('wrong'));
  n2.end(n2.start(), say('right'));
  n3.end(n3.start(), say('right'));
  assert.is(world.events.length, 3);
  n2.disconnect();
  n3.disconnect();
  world.submit('b', { plugin: 'p' });
  n1.report({});
  assert.is(n1.list().length, 0);
  world.tell({ type: 'pardon', node: 'n1' });
  assert.is(n1.list().length, 1);
});

test('no agreement: more copies, up to twice as many, then a dead letter', () => {
  const [world, n1, n2, n3] = three();
  world.submit('a', { plugin: 'p', replicas: 3, agree: 2 });
  let copies = 0;
  for (let round = 0; round < 10; round++) {
    for (const node of [n1, n2, n3]) {
      const tasks = node.start();
      copies += tasks.length;
      if (tasks.length > 0) node.end(tasks, say(`another ${copies}`));
      node.report({});
    }
  }
  assert.is(copies, 6);
  assert.is(world.state('a'), 'failed');
  assert.match(world.core.job('a')?.is.err ?? '', /no agreement/);
  assert.equal(world.events, [], 'nobody is blamed');
});

test('a copy that fails or is lost is made up for', () => {
  const [world, n1, n2, n3] = three();
  n3.disconnect();
  world.submit('a', { plugin: 'p', replicas: 2, agree: 2, retries: 1 });
  n1.end(n1.start(), { why: 'exit', exit: 1 });
  n2.start();
  n2.disconnect();
  n2.tasks.clear();
  world.pass(16_000);
  n3.connect();
  n1.work(say(1));
  n3.work(say(1));
  assert.is(world.state('a'), 'succeeded');
});

const add = ({ v }: FakeTask) => ({ value: Array.isArray(v) ? v.reduce((a: number, b: number) => a + b, 0) : v });

test('reduce: level by level to one value, the last on out', () => {
  const world = new World();
  const n1 = world.node('n1', 100);
  const items = Array.from({ length: 1234 }, (_, i) => i);
  world.submit('a', { plugin: 'p', items, reduce: { plugin: 'sum', fan_in: 10 } });
  n1.work(add);
  assert.is(world.state('a'), 'succeeded');
  const out = world.outs.get('a') ?? [];
  assert.equal(
    out.map(({ seq }) => seq),
    out.map((_, k) => k),
  );
  const last = out.at(-1);
  assert.is(last?.reduced, true);
  assert.is(out.filter(({ reduced }) => reduced).length, 1);
  assert.is(last?.results[0]?.end?.value, (1233 * 1234) / 2);
  assert.is(out.flatMap(({ results }) => results).length, 1235, 'the levels between are nobody else’s');
  assert.is(world.is.get('a')?.succeeded, 1234);
  const [main, ...levels] = [...world.recipes.values()];
  assert.equal(
    levels.map(({ n, plugin, reduce }) => [n, plugin, reduce]),
    [
      [124, 'sum', true],
      [13, 'sum', true],
      [2, 'sum', true],
      [1, 'sum', true],
    ],
  );
  assert.ok(levels.every(({ r }) => r > (main?.r ?? 0)));
  world.order('a', 'remove');
  assert.equal(
    [...world.disk.keys()].filter(key => /^job(s|out|value|cp)\/(?!boot)/.test(key)),
    [],
  );
});

test('reduce: goes on after a restart in the middle of a level', () => {
  const world = new World();
  const n1 = world.node('n1', 5);
  world.submit('a', {
    plugin: 'p',
    items: Array.from({ length: 50 }, (_, i) => i),
    reduce: { plugin: 'sum', fan_in: 3 },
  });
  for (let k = 0; k < 40; k++) {
    n1.work(add, 1);
    if (k % 5 === 4) {
      world.crash();
      n1.connect();
    }
  }
  assert.is(world.state('a'), 'succeeded');
  assert.is(world.outs.get('a')?.at(-1)?.results[0]?.end?.value, 1225);
});

test('reduce: a failing reduction fails the job, retry does only that', () => {
  const world = new World();
  const n1 = world.node('n1', 100);
  world.submit('a', { plugin: 'p', items: [1, 2, 3], retries: 0, reduce: { plugin: 'sum' } });
  n1.work(task => (Array.isArray(task.v) ? { why: 'error', err: 'out of ink' } : add(task)));
  assert.is(world.state('a'), 'failed');
  assert.match(world.core.job('a')?.is.err ?? '', /task 0 of the reduction: out of ink/);
  assert.is(world.is.get('a')?.succeeded, 3);
  world.order('a', 'retry');
  assert.is(n1.work(add), 1);
  assert.is(world.state('a'), 'succeeded');
  assert.is(world.outs.get('a')?.at(-1)?.results[0]?.end?.value, 6);
});

test('reduce: values too large for one message are reduced in smaller groups', () => {
  const world = new World();
  const n1 = world.node('n1', 100);
  world.submit('a', { plugin: 'p', items: [1, 2, 3, 4, 5, 6, 7], reduce: { plugin: 'longest', fan_in: 100 } });
  n1.work(() => ({ value: 'x'.repeat(60_000) }));
  assert.is(world.state('a'), 'succeeded');
  for (const { body } of world.sends) assert.ok(JSON.stringify(body).length < 256 * 1024);
  assert.equal(
    [...world.recipes.values()].map(({ n }) => n),
    [7, 3, 1],
  );
});

test('reduce: of a command its output, as JSON where it is JSON', () => {
  const world = new World();
  const n1 = world.node('n1', 100);
  world.submit('a', { run: 'x {}', array: '1-3', reduce: { run: 'sort' } });
  const seen: unknown[] = [];
  n1.work(({ v, index }) => {
    if (v !== undefined) seen.push(v);
    return v === undefined ? { exit: 0, out: ['3.5\n', 'text\n', '{"a":1}\n'][index] ?? '' } : { out: 'done\n' };
  });
  assert.equal(seen, [[3.5, 'text', { a: 1 }]]);
});

test.run();
