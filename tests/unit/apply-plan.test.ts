/** What a cluster file changes: patches that the supervisor takes, whose an item is, and what may be pruned. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readSet } from '../../broker/desired/desired.ts';
import type { Document, NounPath } from '../../cli/apply/document.ts';
import { countsOf, type NounPlan, planAll, planNoun } from '../../cli/apply/plan.ts';
import { sameJson } from '../../shared/same-json.ts';
import type { NodeDocument } from '../../shared/schemas/node-document.ts';
import { nodeDocuments } from '../fixture/random-documents.ts';

const test = suite('apply: plan');

const keep = { name: 'main', prune: false, adopt: false };
const prune = { ...keep, prune: true };
const services = (...names: string[]): Document => ({
  services: Object.fromEntries(names.map(name => [name, { run: name }])),
});
/** The document after it, as an apply would leave it. */
const applied = (own: Document | undefined, said: Document | undefined, options = keep): NounPlan =>
  planNoun('role/web', own && { document: own, rev: 7 }, said, options);

test('the supervisor makes of the patch exactly the document that was planned, and a second time there is nothing to do', () => {
  fc.assert(
    fc.property(nodeDocuments, nodeDocuments, fc.boolean(), fc.boolean(), (own, file, isPruning, adopt) => {
      const { applied: _, ...said } = file;
      const options = { name: 'main', prune: isPruning, adopt };
      const plan = planNoun('node/n1', { document: own, rev: 7 }, said, options);
      const set = { ...plan.patch, rev: 7, tx: 'x' };
      const entry = { document: own as NodeDocument, rev: 7 };
      const { document } = readSet('node', entry, [], Buffer.from(JSON.stringify(set)));
      assert.ok(document.ok, document.ok ? '' : JSON.stringify(document.error));
      if (!document.ok) return;
      assert.is(document.value === undefined, plan.patch === undefined);
      assert.ok(sameJson(document.value ?? own, plan.after), JSON.stringify([own, said, plan.patch]));
      assert.is(planNoun('node/n1', { document: plan.after, rev: 8 }, said, options).patch, undefined);
    }),
    { numRuns: 200 },
  );
});

test('only what differs is sent, item by item and key by key', () => {
  const own = {
    services: { a: { run: 'a', env: { A: '1', B: '2' } }, b: { run: ['b'] }, c: { run: 'c' } },
    labels: { x: '1' },
  };
  const said = { services: { a: { run: 'a', env: { A: '1', C: '3' } }, b: { run: ['b'] }, d: { run: 'd' } } };
  const { patch, added, changed } = applied(own, said);
  assert.equal(patch, {
    services: { a: { env: { B: null, C: '3' } }, d: { run: 'd' } },
    applied: { main: ['services/a', 'services/d'] },
  });
  assert.equal([added, changed], [['services/d'], ['services/a']]);
  assert.is(applied(services('a'), services('a')).patch, undefined);
  assert.is(applied(undefined, {}).patch, undefined, 'a role that says nothing is not made');
});

test('what was there already is nobody’s: not claimed, never pruned, unless it is adopted', () => {
  const first = applied(services('a'), services('a', 'b'));
  assert.equal(first.after.applied, { main: ['services/b'] });
  assert.equal(first.foreign, ['services/a']);
  assert.equal(applied(first.after, {}, prune).after, { services: { a: { run: 'a' } } });
  const adopted = applied(services('a'), services('a'), { ...keep, adopt: true });
  assert.equal(adopted.patch, { applied: { main: ['services/a'] } });
  assert.match(countsOf(adopted), /only the book/);
  assert.equal(applied(adopted.after, undefined, prune).removed, ['services/a']);
});

test('a leftover stays and is told; pruned it goes, and a role that vanished from the file is emptied', () => {
  const { after } = applied(undefined, services('a', 'b'));
  const left = applied(after, services('a'));
  assert.equal([left.leftover, left.patch], [['services/b'], undefined]);
  const gone = applied(after, services('a'), prune);
  assert.equal(gone.patch, { services: { b: null }, applied: { main: ['services/a'] } });
  const documents = new Map<NounPath, { document: Document; rev: number }>([['role/web', { document: after, rev: 7 }]]);
  const [plan, ...more] = planAll(documents, new Map(), prune);
  assert.equal([plan?.after, more.length], [{ services: {} }, 0]);
  assert.equal(planAll(documents, new Map(), { ...prune, name: 'other' }), [], 'another file has nothing there');
});

test('what a person set beside it, and what another file put or took over, stays', () => {
  const { after } = applied(undefined, services('a', 'b'));
  const byHand = { ...after, services: { ...(after.services as object), hand: { run: 'h' } } } as Document;
  const other = planNoun(
    'role/web',
    { document: byHand, rev: 8 },
    { services: { b: { run: 'mine now' } } },
    { ...keep, name: 'other' },
  );
  assert.equal(other.taken, [{ entry: 'services/b', from: 'main' }]);
  assert.equal(other.after.applied, { main: ['services/a'], other: ['services/b'] });
  const pruned = applied(other.after, {}, prune);
  assert.equal(pruned.removed, ['services/a']);
  assert.equal(pruned.after, {
    services: { b: { run: 'mine now' }, hand: { run: 'h' } },
    applied: { other: ['services/b'] },
  });
});

test('an item that two files have in their books is no leftover of either alone', () => {
  const both = { ...services('a'), applied: { main: ['services/a'], other: ['services/a'] } };
  const plan = applied(both, {}, prune);
  assert.equal([plan.removed, plan.after], [[], { ...services('a'), applied: { other: ['services/a'] } }]);
});

test('what somebody cleared meanwhile is struck from the book, and comes back only by the file', () => {
  const own = { ...services('b'), applied: { main: ['services/a', 'services/b'] } };
  assert.equal(applied(own, services('b')).patch, { applied: { main: ['services/b'] } });
  assert.equal(applied(own, services('a', 'b')).added, ['services/a']);
});

test('roles and labels of a node are its file’s one by one', () => {
  const own = { roles: ['db'], labels: { room: 'attic' } };
  const said = { roles: ['web'], labels: { zone: 'z' } };
  const { after } = planNoun('node/n1', { document: own, rev: 1 }, said, keep);
  assert.equal(after, {
    roles: ['db', 'web'],
    labels: { room: 'attic', zone: 'z' },
    applied: { main: ['labels/zone', 'roles/web'] },
  });
  assert.equal(planNoun('node/n1', { document: after, rev: 2 }, {}, prune).after, own);
});

test('an agent that follows its supervisor is not changed by which one that is just now', () => {
  const own = { agent: { follow: true, ver: '1.2', sha256: 'a'.repeat(64) } };
  assert.is(applied(own, { agent: { follow: true } }).patch, undefined);
  assert.equal(applied(own, { agent: { ver: '2', sha256: 'b'.repeat(64) } }).changed, ['agent']);
});

test('who only adds comes first, so that what moves is never nowhere; then roles before nodes', () => {
  const book = (names: string[]): Document => ({
    ...services(...names),
    applied: { main: names.map(name => `services/${name}`) },
  });
  const documents = new Map<NounPath, { document: Document; rev: number }>([
    ['role/a', { document: book(['x']), rev: 1 }],
    ['node/n1', { document: {}, rev: 2 }],
  ]);
  const said = new Map<NounPath, Document>([
    ['role/a', {}],
    ['node/n1', services('x')],
    ['role/b', services('y')],
  ]);
  assert.equal(
    planAll(documents, said, prune).map(({ path }) => path),
    ['role/b', 'node/n1', 'role/a'],
  );
});

test.run();
