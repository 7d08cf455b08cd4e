/** A kind whose code is loaded when it is needed; and what services see of it. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { templateFacts } from '../../node-agent/real-reconciler.ts';
import { KindStates } from '../../node-agent/reconcile/item-states.ts';
import { type LoadedKind, lazyKind } from '../../node-agent/reconcile/lazy-kind.ts';
import type { Step } from '../../node-agent/reconcile/plan.ts';
import { silentLog } from '../../shared/log.ts';
import type { ItemStatus } from '../../shared/schemas/observed.ts';

const test = suite('lazy kinds');

const aStep = { id: 'files/a', step: 'file.restore', args: { name: 'a', path: '/a' }, after: [] } as unknown as Step;
const turn = () => new Promise(resolve => setImmediate(resolve));

function rig(options: { left?: boolean; fails?: string } = {}) {
  let loads = 0;
  const did: string[] = [];
  const items: Record<string, ItemStatus> = { 'files/a': { state: 'ok' } };
  const kind: LoadedKind<string> = {
    start(_, done) {
      did.push('start');
      done();
    },
    plan(wanted, done) {
      did.push(`plan ${Object.keys(wanted)}`);
      done([aStep]);
    },
    executors: {
      'file.restore': ({ name }, done) => {
        did.push(`restore ${name}`);
        done();
      },
    },
    items: () => items,
    markOf: () => 'mark',
    error: () => 'files/a: no',
    close: () => void did.push('close'),
  };
  const lazy = lazyKind<string>({
    ...{ kind: 'files', steps: ['file.restore'], log: silentLog, left: () => options.left ?? false },
    async load() {
      loads++;
      if (options.fails) throw new Error(options.fails);
      return kind;
    },
  });
  let started = 0;
  lazy.start({ changed() {}, again() {}, notice() {} }, () => started++);
  return { lazy, did, loads: () => loads, started: () => started, options };
}

test('nothing wanted and nothing left: it answers at once, and nothing is loaded', async () => {
  const it = rig();
  assert.is(it.started(), 1);
  let steps: readonly Step[] | undefined;
  it.lazy.plan({}, found => {
    steps = found;
  });
  assert.equal([steps, it.lazy.items(), it.lazy.error()], [[], {}, '']);
  await turn();
  assert.is(it.loads(), 0);
});

test('the first item loads it, once; it is started before it plans, and its steps are done by it', async () => {
  const it = rig();
  const found: (readonly Step[])[] = [];
  it.lazy.plan({ a: 'x' }, steps => void found.push(steps));
  it.lazy.plan({ a: 'x', b: 'y' }, steps => void found.push(steps));
  await turn();
  assert.equal(it.did, ['start', 'plan a', 'plan a,b']);
  assert.equal([it.loads(), found.length], [1, 2]);
  it.lazy.executors['file.restore']?.({ name: 'a', path: '/a' }, error => assert.is(error, undefined));
  assert.equal([it.did.at(-1), it.lazy.error(), it.lazy.markOf('a')], ['restore a', 'files/a: no', 'mark']);
  it.lazy.plan({}, steps => void found.push(steps));
  assert.is(found.length, 3, 'what is no longer wanted is planned by it, too');
  it.lazy.close();
  assert.is(it.did.at(-1), 'close');
});

test('what an earlier agent left loads it before anything is wanted', async () => {
  const it = rig({ left: true });
  assert.is(it.started(), 0);
  await turn();
  assert.equal([it.started(), it.did], [1, ['start']]);
});

test('code that cannot be loaded is told, and tried again with the next document', async () => {
  const it = rig({ fails: 'no such file' });
  let steps: readonly Step[] | undefined;
  it.lazy.plan({ a: 'x' }, found => {
    steps = found;
  });
  await turn();
  assert.equal(steps, []);
  assert.match(it.lazy.error(), /^files: a part of the agent cannot be loaded \(no such file\): restart it$/);
  delete it.options.fails;
  it.lazy.plan({ a: 'x' }, () => {});
  await turn();
  assert.equal([it.loads(), it.did], [2, ['start', 'plan a']]);
});

test('services see an item of the document as pending until it is there, and none that the document does not have', () => {
  const items: Record<string, ItemStatus> = {};
  const marks: Record<string, string> = {};
  const files = { items: () => items, markOf: (name: string) => marks[name] };
  const states = new KindStates({ files, packages: undefined });
  const file = { path: '/x', content: '', from: 'node/n1' };
  assert.is(states.stateOf('files/a'), undefined);
  states.expect({ rev: 1, services: {}, files: { a: file, b: { ...file, drift: 'report' } }, packages: {} });
  assert.equal(
    [states.stateOf('files/a'), states.stateOf('files/c'), states.stateOf('packages/a')],
    ['pending', undefined, undefined],
  );
  assert.equal(states.changed(), ['files/a', 'files/b']);
  assert.equal(states.changed(), []);
  Object.assign(items, { 'files/a': { state: 'ok' }, 'files/b': { state: 'drifted' } });
  marks.a = 'one';
  assert.equal(
    ['files/a', 'files/b'].map(path => states.stateOf(path)),
    ['ok', 'ok'],
    'what is only reported is there',
  );
  assert.equal(states.changed(), ['files/a', 'files/b']);
  marks.a = 'two';
  assert.equal(states.changed(), ['files/a']);
  items['files/a'] = { state: 'drifted' };
  assert.is(states.stateOf('files/a'), 'pending', 'it is being put right');
  items['files/a'] = { state: 'failed' };
  assert.is(states.stateOf('files/a'), 'failed');
  states.expect({ rev: 2, services: {}, files: {} });
  assert.equal(states.changed(), ['files/a', 'files/b']);
});

test('facts as templates name them', () => {
  const facts = templateFacts('n1', { arch: 'arm64', cores: 4, room: 'attic', label_rack: 'r2', odd: { a: 1 } });
  assert.equal(facts, {
    'node.id': 'n1',
    'node.arch': 'arm64',
    'node.cores': 4,
    'node.room': 'attic',
    'label.rack': 'r2',
  });
});

test.run();
