/** Placement: who may, how much, who is next, and by which policy. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { NodeView } from '../../broker/jobs/core/events.ts';
import { Placement } from '../../broker/jobs/placement/placement.ts';
import type { RecipeView } from '../../broker/jobs/placement/placer.ts';
import { nodeView, recipeView } from '../fixture/placement-views.ts';

/** Takes everything that is offered now. @returns `node:recipe*n`, sums, sorted. */
function rounds(p: Placement, waiting: Map<number, number>, now = 0, most = 10_000): Record<string, number> {
  const got: Record<string, number> = {};
  for (let n = 0; n < most; n++) {
    const choice = p.next(now);
    if (!choice) return got;
    const key = `${choice.node}:${choice.r}`;
    got[key] = (got[key] ?? 0) + choice.n;
    give(p, waiting, choice);
  }
  return got;
}

function give(p: Placement, waiting: Map<number, number>, { node, r, n }: { node: string; r: number; n: number }) {
  p.given(node, r, n);
  waiting.set(r, (waiting.get(r) ?? 0) - n);
  p.waiting(r, waiting.get(r) ?? 0);
}

function world(nodes: readonly NodeView[], recipes: readonly (RecipeView & { n?: number })[], slots = 4) {
  const p = new Placement();
  const waiting = new Map<number, number>();
  for (const view of nodes) {
    p.node(view.node, view);
    p.room(view.node, slots, 1000);
  }
  for (const view of recipes) {
    p.recipe(view);
    waiting.set(view.r, view.n ?? 1000);
    p.waiting(view.r, view.n ?? 1000);
  }
  return { p, waiting };
}

/** One task of recipe r took so long there. */
function took(p: Placement, node: string, r: number, ms: number, wh?: number, times = 1) {
  for (let n = 0; n < times; n++) {
    p.given(node, r, 1);
    p.measured(node, r, ms, wh);
    p.left(node, r, 1);
  }
}

const rules = suite('placement: rules');

const only: readonly (readonly [string, Partial<NodeView>, Partial<RecipeView>, string])[] = [
  ['where', { facts: { zone: 'attic' } }, { where: 'zone=="cellar"' }, 'zone is "attic", not "cellar"'],
  ['what it can', { can: ['plugin'] }, {}, 'cannot run commands'],
  ['plugins', { plugins: [] }, { needs: 'plugin', plugin: 'noop' }, 'has no plugin "noop"'],
  ['inline code', { inline: false }, { needs: 'code' }, 'does not allow inline code'],
  ['closed', { closed: 'is drained' }, {}, 'is drained'],
  ['heat', { load: { temp_c: 85 } }, {}, 'is 85 °C, limit 85'],
  ['memory', { load: { mem_free_mb: 100 } }, { memMb: 500 }, 'has 100 MB free, needs 500'],
];
for (const [name, over, recipe, why] of only) {
  rules(`${name}: the one node is left out, and it is said why`, () => {
    const fine = nodeView('fine', {}, { inline: true, load: { temp_c: 40, mem_free_mb: 7000 } });
    const view = recipeView({ r: 1, ...recipe });
    const { p, waiting } = world([nodeView('bad', {}, over), fine], [view]);
    assert.equal(Object.keys(rounds(p, waiting)), ['fine:1']);
    assert.equal(p.explain(view), [{ node: 'bad', why }, { node: 'fine' }]);
    // What was wrong is put right: now it may.
    p.node('bad', { ...fine, node: 'bad', load: { temp_c: 40, mem_free_mb: 7000 } });
    assert.ok((rounds(p, waiting)['bad:1'] ?? 0) > 0);
  });
}

rules('explain: offline, too few slots, a name that nobody has, a text that is no expression', () => {
  const { p } = world([nodeView('a'), nodeView('b')], []);
  p.offline('b');
  assert.equal(p.explain(recipeView({ r: 9, cpus: 8 })), [
    { node: 'a', why: 'has 4 slots, needs 8' },
    { node: 'b', why: 'is offline' },
  ]);
  assert.is(p.explain(recipeView({ r: 9, where: 'zoen=="x"' }))[0]?.why, 'no fact "zoen", did you mean "zone"?');
  const view = recipeView({ r: 9, where: '(((' });
  assert.match(p.explain(view)[0]?.why ?? '', /^"where" is not understood: not understood, at its end$/);
  p.recipe(view);
  p.waiting(9, 10);
  assert.is(p.next(0), undefined);
});

rules('a node that was too hot must be 3 K cooler', () => {
  const at = (temp_c?: number) => nodeView('a', {}, { load: temp_c === undefined ? {} : { temp_c } });
  const { p } = world([at(90)], [recipeView({ r: 1 })]);
  for (const [temp, open] of [
    [84, false],
    [82, false],
    [undefined, false],
    [81.9, true],
    [84.9, true],
    [85, false],
  ] as const) {
    p.node('a', at(temp));
    assert.is(p.next(0) !== undefined, open, String(temp));
  }
});

rules('unmeasured: as many as there are free slots, then more as results come', () => {
  const { p, waiting } = world([nodeView('a')], [recipeView({ r: 1, cpus: 2 })]);
  assert.equal(rounds(p, waiting), { 'a:1': 2 });
  p.measured('a', 1, 1, undefined);
  p.left('a', 1, 1);
  assert.equal(rounds(p, waiting), { 'a:1': 5 });
});

rules('measured: about 300 ms of work per slot, and no more than 500', () => {
  for (const ms of [0.01, 1, 10, 60, 100, 149, 200, 240, 260, 1000]) {
    const { p, waiting } = world([nodeView('a')], [recipeView({ r: 1, n: 100_000 })], 1);
    p.room('a', 1, 1_000_000);
    took(p, 'a', 1, ms, undefined, 1000);
    const n = rounds(p, waiting)['a:1'] ?? 0;
    if (ms > 249) assert.is(n, 1, `${ms} ms`);
    else assert.ok(n * (ms + 0.25) >= 200 && n * ms <= 500, `${ms} ms: ${n}`);
  }
});

rules('credits, batch and max_parallel bound what is sent', () => {
  const { p, waiting } = world([nodeView('a'), nodeView('b')], [recipeView({ r: 1, batch: 3, maxParallel: 5 })]);
  p.room('a', 4, 1);
  assert.equal(rounds(p, waiting), { 'a:1': 1, 'b:1': 4 });
  p.left('b', 1, 2);
  assert.equal(rounds(p, waiting), { 'b:1': 2 });
  const first = world([nodeView('a')], [recipeView({ r: 1, batch: 3 })]).p.next(0);
  assert.is(first?.n, 3);
});

rules('within a submitter: priority, deadline, order; a changed priority counts at once', () => {
  const recipes = [
    recipeView({ r: 1 }),
    recipeView({ r: 2, deadline: 500 }),
    recipeView({ r: 3, deadline: 400 }),
    recipeView({ r: 4, priority: 1 }),
  ].map(view => ({ ...view, n: 1 }));
  const { p, waiting } = world([nodeView('a')], recipes);
  const seen: number[] = [];
  p.recipe({ ...recipeView({ r: 1 }), priority: 2 });
  for (let choice = p.next(0); choice; choice = p.next(0)) {
    seen.push(choice.r);
    give(p, waiting, choice);
  }
  assert.equal(seen, [1, 4, 3, 2]);
});

rules('what was skipped there is not offered there again before something is new', () => {
  const { p } = world([nodeView('a'), nodeView('b')], [recipeView({ r: 1 })]);
  const first = p.next(0);
  p.skip(first?.node ?? '', 1);
  const second = p.next(0);
  assert.is.not(first?.node, second?.node);
  p.skip(second?.node ?? '', 1);
  assert.is(p.next(0), undefined);
  p.waiting(1, 900);
  assert.is(p.next(0), undefined);
  p.waiting(1, 1001);
  assert.ok(p.next(0));
});

rules('memory: prefetching counts only where it could run at the same time', () => {
  const free = { load: { mem_free_mb: 1000 } };
  const { p, waiting } = world([nodeView('a', {}, free)], [recipeView({ r: 1, memMb: 400 })]);
  assert.equal(rounds(p, waiting), { 'a:1': 2 });
});

rules('idle nodes get work back from one that has much, once', () => {
  const { p, waiting } = world([nodeView('a')], [recipeView({ r: 1, n: 30 })], 1);
  took(p, 'a', 1, 10, undefined, 20);
  assert.equal(rounds(p, waiting, 0), { 'a:1': 30 - 1 });
  rounds(p, waiting, 0);
  p.node('b', nodeView('b'));
  p.room('b', 1, 1000);
  const all = p.rebalance(1000);
  assert.is(all.length, 1);
  assert.is(all[0]?.node, 'a');
  assert.equal(p.rebalance(1100), [], 'not asked twice');
});

rules('nothing is taken back for less than it is worth', () => {
  const { p, waiting } = world([nodeView('a')], [recipeView({ r: 1, n: 4 })], 1);
  took(p, 'a', 1, 10, undefined, 20);
  rounds(p, waiting, 0);
  p.node('b', nodeView('b'));
  p.room('b', 1, 1000);
  assert.equal(p.rebalance(20), []);
});

rules('a further copy goes to another node with room', () => {
  const { p } = world([nodeView('a'), nodeView('b')], [recipeView({ r: 1, maxParallel: 2 })]);
  assert.is(p.other(1, new Set(['a']), 0), 'b');
  assert.is(p.other(1, new Set(['a', 'b']), 0), undefined);
  p.given('a', 1, 2);
  assert.is(p.other(1, new Set(['a']), 0), undefined, 'max_parallel');
});

rules('expected: measured there, else the kind on a node of that pace', () => {
  const { p } = world([nodeView('a'), nodeView('b')], [recipeView({ r: 1 }), recipeView({ r: 2, kind: 'run:x' })]);
  assert.is(p.expected('a', 1), undefined);
  took(p, 'a', 1, 100, undefined, 60);
  took(p, 'b', 1, 500, undefined, 60);
  took(p, 'a', 2, 10, undefined, 60);
  assert.is(Math.round(p.expected('a', 1) ?? 0), 100);
  const guess = p.expected('b', 2) ?? 0;
  assert.ok(guess > 25, `slower there: ${guess}`);
});

rules.run();

const policies = suite('placement: policies');
const three = [nodeView('a'), nodeView('b'), nodeView('c')];

policies('fit: the fastest for the kind, though others are idle', () => {
  const { p } = world(three, [recipeView({ r: 1 })]);
  for (const [node, ms] of [
    ['a', 300],
    ['b', 100],
    ['c', 200],
  ] as const)
    took(p, node, 1, ms, undefined, 5);
  assert.is(p.next(0)?.node, 'b');
});

policies('fit: a node that was never measured gets a try', () => {
  const { p, waiting } = world(three.slice(0, 2), [recipeView({ r: 1, n: 5 })]);
  took(p, 'a', 1, 1, undefined, 5);
  const choice = p.next(0);
  assert.is(choice?.node, 'b');
  if (choice) give(p, waiting, choice);
  assert.is(p.next(0)?.node, 'a');
});

policies('fit: load of others, heat and memory count; watts where all else is equal', () => {
  const loads: readonly NodeView['load'][] = [{ cpu_pct: 90 }, { temp_c: 84 }, { mem_free_mb: 100 }, { watts: 200 }];
  for (const load of loads) {
    const { p } = world(
      [nodeView('a', {}, { load }), nodeView('b', {}, { load: { watts: 20 } })],
      [recipeView({ r: 1 })],
    );
    for (const node of ['a', 'b']) took(p, node, 1, 100, undefined, 5);
    assert.is(p.next(0)?.node, 'b', JSON.stringify(load));
  }
});

policies('spread: one each before anyone has two', () => {
  const { p, waiting } = world(three, [recipeView({ r: 1, policy: 'spread', n: 6 })]);
  assert.equal(rounds(p, waiting), { 'a:1': 2, 'b:1': 2, 'c:1': 2 });
});

policies('round-robin: one after the other', () => {
  const { p, waiting } = world(three, [recipeView({ r: 1, policy: 'round-robin', n: 7 })]);
  const order: string[] = [];
  for (let choice = p.next(0); choice; choice = p.next(0)) {
    order.push(choice.node);
    give(p, waiting, choice);
  }
  assert.is(order.join(''), 'abcabca');
});

policies('greenest: most tasks per watt-hour; without watts as fit', () => {
  const { p } = world(three, [
    recipeView({ r: 1, policy: 'greenest' }),
    recipeView({ r: 2, kind: 'k', policy: 'greenest' }),
  ]);
  took(p, 'a', 1, 10, 0.02, 5);
  assert.is.not(p.next(0)?.node, 'a', 'others get a try');
  took(p, 'b', 1, 100, 0.01, 5);
  took(p, 'c', 1, 1, undefined, 5);
  assert.is(p.next(0)?.node, 'b');
  p.waiting(1, 0);
  for (const [node, ms] of [
    ['a', 300],
    ['b', 200],
    ['c', 100],
  ] as const)
    took(p, node, 2, ms, undefined, 5);
  assert.is(p.next(0)?.node, 'c');
});

policies.run();
