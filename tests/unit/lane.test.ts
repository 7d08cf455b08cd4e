/** A lane: look, plan, run; what changes meanwhile is looked at again, and what an earlier document began is given up. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Lane } from '../../node-agent/reconcile/lane.ts';
import type { Step } from '../../node-agent/reconcile/plan.ts';

const lane = suite('lane');

const stop = (service: string): Step => ({ id: service, step: 'service.stop', args: { service }, after: [] });

/** Looks and steps that end when the test says so. */
function rig() {
  const looks: { rev: number; done: (steps: readonly Step[]) => void }[] = [];
  const steps: { service: string; done: (error?: string) => void }[] = [];
  let attempted = 0;
  const under = new Lane<{ readonly rev: number }>(
    ({ rev }, done) => void looks.push({ rev, done }),
    { 'service.stop': ({ service }, done) => void steps.push({ service, done }) },
    () => attempted++,
  );
  return { under, looks, steps, attempted: () => attempted };
}

lane('a document is attempted when its last step was, and not before', () => {
  const it = rig();
  it.under.apply({ rev: 4 });
  it.looks[0]?.done([stop('a'), stop('b')]);
  it.steps[0]?.done();
  assert.equal([it.under.rev, it.attempted()], [0, 0]);
  it.steps[1]?.done('it failed');
  assert.equal([it.under.rev, it.attempted()], [4, 1]);
});

lane('a newer document takes over: the look before it is not heard, its steps are never begun', () => {
  const it = rig();
  it.under.apply({ rev: 1 });
  it.under.apply({ rev: 2 });
  it.looks[0]?.done([stop('old')]);
  assert.equal(it.steps, []);
  it.looks[1]?.done([stop('a'), { ...stop('b'), after: ['a'] }]);
  it.under.apply({ rev: 3 });
  it.steps[0]?.done();
  assert.is(it.steps.length, 1, 'b was not begun');
  assert.is(it.under.rev, 0);
  it.looks[2]?.done([]);
  assert.is(it.under.rev, 3);
});

lane('again: at once when idle, once after what is under way, and not before any document', () => {
  const it = rig();
  it.under.again();
  assert.is(it.looks.length, 0);
  it.under.apply({ rev: 1 });
  it.under.again();
  it.under.again();
  assert.is(it.looks.length, 1);
  it.looks[0]?.done([stop('a')]);
  it.steps[0]?.done();
  assert.is(it.looks.length, 2);
  it.looks[1]?.done([]);
  assert.is(it.looks.length, 2, 'no third');
  it.under.again();
  assert.is(it.looks.length, 3);
});

lane('abandoned: nothing of it is told any more, and the next document begins anew', () => {
  const it = rig();
  it.under.apply({ rev: 1 });
  it.under.abandon();
  it.looks[0]?.done([stop('a')]);
  assert.equal([it.steps.length, it.attempted()], [0, 0]);
  it.under.apply({ rev: 2 });
  it.looks[1]?.done([]);
  assert.is(it.under.rev, 2);
});

lane.run();
