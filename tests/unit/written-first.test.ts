/** What services wait for, and a reconciler whose files, services and packages do not wait for each other beyond that. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createReconciler } from '../../node-agent/reconcile/index.ts';
import type { KindHandlers } from '../../node-agent/reconcile/kind.ts';
import type { LoadedKind } from '../../node-agent/reconcile/lazy-kind.ts';
import type { Executors, Step } from '../../node-agent/reconcile/plan.ts';
import { createSimulatedHost, SimulatedMachine } from '../../node-agent/reconcile/services/simulated-host.ts';
import { WrittenFirst } from '../../node-agent/reconcile/written-first.ts';
import { manualClock, seededRandom } from '../fixture/manual-clock.ts';

const test = suite('written first');

test('who waits goes on when the last of what comes first was attempted, of the same document', () => {
  const first = new WrittenFirst();
  const went: string[] = [];
  first.when(1, () => went.push('one'));
  assert.equal(went, [], 'nothing is planned yet');
  first.planned(1, ['a', 'b']);
  first.attempted('a');
  first.attempted('other');
  assert.equal(went, []);
  first.attempted('b');
  assert.equal(went, ['one']);
  first.planned(1, ['a']);
  first.attempted('a');
  assert.equal(went, ['one'], 'once');
  first.when(2, () => went.push('two'));
  first.planned(1, []);
  assert.equal(went, ['one'], 'an older look is not its');
  first.when(3, () => went.push('three'));
  first.planned(3, []);
  assert.equal(went, ['one', 'three'], 'the second document is given up');
  first.when(3, () => went.push('again'));
  assert.equal(went, ['one', 'three', 'again']);
});

/** A kind whose steps end when the test says so. */
function slowKind(kind: 'files' | 'packages', step: keyof Executors) {
  const steps: { readonly name: string; done(error?: string): void }[] = [];
  const looks: string[] = [];
  let handlers: KindHandlers | undefined;
  const done = new Set<string>();
  const loaded: LoadedKind<object> = {
    start(given, ready) {
      handlers = given;
      ready();
    },
    plan(wanted, planned) {
      looks.push(Object.keys(wanted).join());
      const left = Object.keys(wanted).filter(name => !done.has(name));
      planned(left.map(name => ({ id: `${kind}/${name}`, step, args: { name }, after: [] }) as unknown as Step));
    },
    executors: {
      [step]: ({ name }: { name: string }, end: (error?: string) => void) =>
        void steps.push({
          name,
          done: error => {
            done.add(name);
            end(error);
          },
        }),
    } as Partial<Executors>,
    items: () => Object.fromEntries([...done].map(name => [`${kind}/${name}`, { state: 'ok' }])),
    markOf: () => 'm',
    error: () => '',
    close() {},
  };
  return { loaded: loaded as never, steps, looks, again: () => handlers?.again() };
}

function rig() {
  const clock = manualClock();
  const random = seededRandom();
  const machine = new SimulatedMachine({ clock, random });
  const files = slowKind('files', 'file.write');
  const packages = slowKind('packages', 'packages.change');
  const host = createSimulatedHost({ clock, random, machine });
  const reconciler = createReconciler({ host, clock, random, files: files.loaded, packages: packages.loaded });
  reconciler.start(undefined, { changed() {}, output() {}, notice() {} });
  clock.advance(10);
  const from = 'node/n1';
  const apply = (rev: number, more: object) => {
    reconciler.apply({ rev, services: { a: { run: 'sleep 9', from } }, ...more } as never);
    clock.advance(10);
  };
  const state = () => reconciler.items()['services/a']?.state;
  return { clock, files, packages, reconciler, apply, state };
}
const file = (name: string, more: object = { content: '' }) => ({
  [name]: { path: `/${name}`, from: 'node/n1', ...more },
});

test('a service starts when the files that stand in the document are written, and waits for no download and no package', () => {
  const it = rig();
  it.apply(1, {
    files: { ...file('text'), ...file('far', { source: 'https://x/y', sha256: 'a'.repeat(64) }) },
    packages: { p: { from: 'node/n1' } },
  });
  assert.equal([it.state(), it.files.steps.length, it.packages.steps.length], [undefined, 2, 1]);
  it.files.steps.find(({ name }) => name === 'text')?.done('no space left');
  it.clock.advance(10);
  assert.is(it.state(), 'running', 'one attempt is enough');
  assert.is(it.reconciler.attempted().rev, 0);
  it.files.steps.find(({ name }) => name === 'far')?.done();
  it.packages.steps[0]?.done();
  it.clock.advance(10);
  assert.is(it.reconciler.attempted().rev, 1);
});

test('a file that somebody changed is looked at while a service still waits for a package', () => {
  const it = rig();
  const services = { a: { run: 'sleep 9', needs: ['packages/p'], from: 'node/n1' } };
  it.apply(1, { files: file('text'), packages: { p: { from: 'node/n1' } }, services });
  it.files.steps[0]?.done();
  it.clock.advance(10);
  assert.is(it.state(), 'waiting');
  const looks = it.files.looks.length;
  it.files.again();
  assert.is(it.files.looks.length, looks + 1);
  it.packages.steps[0]?.done();
  it.clock.advance(2000);
  assert.is(it.state(), 'running');
  assert.is(it.reconciler.attempted().rev, 1);
});

test.run();
