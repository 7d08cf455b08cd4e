import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type Executors,
  planServices,
  type ServiceIs,
  type ServiceStep,
  type Step,
} from '../../node-agent/reconcile/plan.ts';
import { runPlan } from '../../node-agent/reconcile/run-plan.ts';
import { sameProcess, sameService, serviceOf } from '../../node-agent/reconcile/services/spec.ts';
import type { Service } from '../../shared/schemas/service.ts';

const planner = suite('planner');

const settled = (target: Service | undefined): ServiceIs => ({ target, settled: true });
const named = (steps: readonly ServiceStep[]) => steps.map(({ step, args }) => `${step} ${args.service}`);

planner('what is missing starts, what changed is replaced, what is not wanted stops, the rest is left alone', () => {
  const is = new Map([
    ['same', settled({ run: 'a', env: { X: '1', Y: '2' } })],
    ['changed', settled({ run: 'b' })],
    ['gone', settled({ run: 'c' })],
    ['policy', settled({ run: 'd' })],
  ]);
  const services = {
    policy: { run: 'd', restart: 'never' as const },
    new: { run: 'e' },
    changed: { run: 'b', cwd: '/tmp' },
    same: { run: 'a', env: { Y: '2', X: '1' }, from: 'node/n1' },
  };
  assert.equal(named(planServices(is, services)), [
    'service.stop gone',
    'service.replace changed',
    'service.start new',
    'service.update policy',
  ]);
});

planner('whose word a service is does not reach its step', () => {
  const [step] = planServices(new Map(), { a: { run: 'x', from: 'role/all' } as Service });
  assert.equal(step?.args, { service: 'a', spec: { run: 'x' } });
});

planner('an adopted service, and one whose first attempt is not over, is attempted by the document that comes', () => {
  const services = new Map([['a', { target: { run: 'x' }, settled: false }]]);
  assert.equal(named(planServices(services, { a: { run: 'x' } })), ['service.start a']);
  const leaving = new Map([['a', { target: undefined, settled: false }]]);
  assert.equal(named(planServices(leaving, {})), ['service.stop a']);
});

const specs = fc.record(
  {
    run: fc.oneof(fc.constantFrom('a', 'b'), fc.array(fc.constantFrom('a', 'b'), { minLength: 1, maxLength: 2 })),
    cwd: fc.constantFrom('/', '/tmp'),
    env: fc.dictionary(fc.constantFrom('A', 'B', 'constructor'), fc.constantFrom('1', '2')),
    restart: fc.constantFrom('always' as const, 'on-failure' as const, 'never' as const),
    stop: fc.record({ grace_s: fc.constantFrom(1, 10) }, { requiredKeys: [] }),
  },
  { requiredKeys: ['run'] },
);
const documents = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'constructor'), specs);

planner('once everything was done, the same document plans nothing', () => {
  fc.assert(
    fc.property(documents, documents, (before, after) => {
      const is = new Map(Object.entries(before).map(([name, spec]) => [name, settled(spec)]));
      for (const { args } of planServices(is, after)) {
        if ('spec' in args) is.set(args.service, settled(args.spec));
        else is.delete(args.service);
      }
      assert.equal(planServices(is, after), []);
      assert.equal([...is.keys()].sort(), Object.keys(after).sort());
      for (const [name, { target }] of is) assert.ok(target && sameService(target, after[name] as Service));
    }),
  );
});

planner('the same process means the same command, folder and environment, whatever the order of names', () => {
  assert.ok(sameProcess({ run: 'a', restart: 'never' }, { run: 'a', stop: { grace_s: 1 } }));
  assert.not.ok(sameProcess({ run: 'a b' }, { run: ['a', 'b'] }));
  assert.not.ok(sameProcess({ run: 'a', env: { A: '1' } }, { run: 'a' }));
  assert.equal(serviceOf({ run: 'a', from: 'x' } as Service), { run: 'a' });
});

const step = (id: string, ...after: string[]): Step => ({ id, step: 'service.stop', args: { service: id }, after });

function recorder() {
  const begun: string[] = [];
  const open = new Map<string, (error?: string) => void>();
  const run = ({ service }: { service: string }, done: (error?: string) => void) => {
    begun.push(service);
    open.set(service, done);
  };
  const executors: Partial<Executors> = {
    'service.start': run,
    'service.replace': run,
    'service.update': run,
    'service.stop': run,
  };
  return { begun, open, executors };
}

planner(
  'a step begins when those it names were attempted, failed or not; outcomes come in the order of the plan',
  () => {
    const { begun, open, executors } = recorder();
    let outcomes: unknown;
    runPlan([step('c', 'a', 'b'), step('a'), step('b', 'elsewhere')], executors, all => {
      outcomes = all.map(({ step: { id }, error }) => [id, error]);
    });
    assert.equal(begun, ['a', 'b']);
    open.get('a')?.('no');
    open.get('a')?.('said twice');
    assert.equal(begun, ['a', 'b']);
    open.get('b')?.();
    assert.equal(begun, ['a', 'b', 'c']);
    assert.is(outcomes, undefined);
    open.get('c')?.();
    assert.equal(outcomes, [
      ['c', undefined],
      ['a', 'no'],
      ['b', undefined],
    ]);
  },
);

planner('an empty plan is done at once, a circle is attempted all the same, an abandoned one says nothing', () => {
  const { begun, open, executors } = recorder();
  let done = 0;
  runPlan([], executors, () => done++);
  assert.is(done, 1);
  runPlan([step('a', 'b'), step('b', 'a')], executors, () => done++);
  open.get('a')?.();
  open.get('b')?.();
  assert.equal(begun, ['a', 'b']);
  assert.is(done, 2);
  const abandoned = runPlan([step('x'), step('y', 'x')], executors, () => done++);
  abandoned.abandon();
  open.get('x')?.();
  assert.equal(begun, ['a', 'b', 'x']);
  assert.is(done, 2);
});

planner.run();
