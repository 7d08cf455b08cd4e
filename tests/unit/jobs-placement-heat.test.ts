/** Placement of class heat: as far as heat is asked for, beside the others, and like them once it is urgent. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Placement } from '../../broker/jobs/placement/placement.ts';
import type { RecipeView } from '../../broker/jobs/placement/placer.ts';
import { nodeView, recipeView } from '../fixture/placement-views.ts';

const test = suite('placement: heat');

function world(heats: Record<string, number>, ...recipes: readonly RecipeView[]) {
  const p = new Placement();
  for (const [node, heat] of Object.entries(heats)) {
    p.node(node, nodeView(node, {}, heat > 0 ? { heat } : {}));
    p.room(node, 4, 1000);
  }
  for (const view of recipes) {
    p.recipe(view);
    p.waiting(view.r, 1000);
  }
  return p;
}

/** Takes what is offered now: tasks by `node:recipe`. */
function taken(p: Placement, now = 0): Record<string, number> {
  const got: Record<string, number> = {};
  for (let round = 0; round < 1000; round++) {
    const choice = p.next(now);
    if (!choice) return got;
    const { node, r, n } = choice;
    p.given(node, r, n);
    got[`${node}:${r}`] = (got[`${node}:${r}`] ?? 0) + n;
  }
  return got;
}

const warm = (r: number, more: Partial<RecipeView> = {}) => recipeView({ r, heat: true, kind: 'run:warm', ...more });

test('only where heat is asked for, and as much as is', () => {
  assert.equal(taken(world({ n1: 0, n2: 3, n3: 9 }, warm(1))), { 'n2:1': 3, 'n3:1': 4 });
});

test('the others’ tasks are counted in, whoever came first; they themselves have all their slots', () => {
  const p = world({ n1: 3 }, recipeView({ r: 2, maxParallel: 2 }));
  assert.equal(taken(p), { 'n1:2': 2 });
  p.recipe(warm(1));
  p.waiting(1, 1000);
  assert.equal(taken(p), { 'n1:1': 1 });
  p.recipe(recipeView({ r: 2 }));
  p.waiting(2, 998);
  assert.equal(taken(p), { 'n1:2': 2 }, 'four in all, whatever heat has there');
});

test('heat that comes wakes what waited for it; that goes is none', () => {
  const p = world({ n1: 0 }, warm(1));
  assert.equal(taken(p), {});
  assert.not(p.heated(1));
  assert.is(p.heatFor('n1'), 1000);
  p.node('n1', nodeView('n1', {}, { heat: 2 }));
  assert.ok(p.heated(1));
  assert.equal(taken(p), { 'n1:1': 2 });
  p.node('n1', nodeView('n1'));
  p.left('n1', 1, 2);
  assert.equal(taken(p), {});
});

test('short ones are sent ahead, as much as these slots do in a while', () => {
  const p = world({ n1: 2 }, warm(1));
  for (let n = 0; n < 200; n++) {
    p.given('n1', 1, 1);
    p.measured('n1', 1, 3, undefined);
    p.left('n1', 1, 1);
  }
  const { 'n1:1': n = 0 } = taken(p);
  assert.ok(n > 100 && n <= (2 * 300) / 3, `${n} of 3 ms each on two slots`);
});

test('urgent, it goes anywhere, and what it holds is counted as the others’ is', () => {
  const p = world({ n1: 2, n2: 0 }, warm(1));
  assert.equal(taken(p), { 'n1:1': 2 });
  p.recipe(recipeView({ r: 1, kind: 'run:warm' }));
  assert.equal(taken(p), { 'n1:1': 2, 'n2:1': 4 });
  p.left('n1', 1, 4);
  p.left('n2', 1, 4);
  assert.is(p.heatFor('n1'), 0);
  assert.equal(taken(p), { 'n1:1': 4, 'n2:1': 4 });
});

test('said is why not', () => {
  const p = world({ n1: 1, n2: 0 });
  p.node('n3', nodeView('n3', { zone: 'attic' }));
  p.room('n3', 4, 10);
  assert.equal(p.explain(warm(1, { where: 'zone=="cellar"' })), [
    { node: 'n1' },
    { node: 'n2', why: 'heat is not asked of it' },
    { node: 'n3', why: 'zone is "attic", not "cellar"' },
  ]);
});

test('how long it lasts: all nodes that may, at their speeds; unknown before anything was measured', () => {
  const p = world({ n1: 0, n2: 0 }, warm(1));
  assert.is(p.lasts(1, 8), undefined);
  for (const [node, ms] of [
    ['n1', 1000],
    ['n2', 2000],
  ] as const) {
    p.given(node, 1, 1);
    p.measured(node, 1, ms, undefined);
    p.left(node, 1, 1);
  }
  assert.ok(Math.abs((p.lasts(1, 600) ?? 0) - 100_000) < 100);
  assert.ok(Math.abs((p.lasts(1, 1) ?? 0) - 2000) < 10, 'one task takes what it takes');
});

test('what is heated with is no burden: a node that is warm is no slower for the others', () => {
  const p = world({ n1: 4, n2: 0 }, recipeView({ r: 2, kind: 'run:x' }));
  for (const node of ['n1', 'n2']) {
    p.given(node, 2, 1);
    p.measured(node, 2, 1000, undefined);
    p.left(node, 2, 1);
  }
  p.node('n1', nodeView('n1', {}, { heat: 4, load: { cpu_pct: 100 } }));
  p.node('n2', nodeView('n2', {}, { load: { cpu_pct: 30 } }));
  assert.is(p.next(0)?.node, 'n1');
});

test.run();
