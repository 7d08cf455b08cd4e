/** What `--dry-run` foretells is what a supervisor then does: the same documents, for the same nodes. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Document, NounPath } from '../../cli/apply/document.ts';
import { type NounPlan, planAll } from '../../cli/apply/plan.ts';
import { type Desired, outlook } from '../../cli/apply/simulate.ts';
import { learnDocument } from '../../cli/documents.ts';
import { limits } from '../../shared/limits.ts';
import { sameJson } from '../../shared/same-json.ts';
import type { Want } from '../../shared/schemas/want.ts';
import { clusters } from '../fixture/random-documents.ts';
import { node, type Rig, rig } from '../fixture/supervisor-rig.ts';

const test = suite('apply: outlook');

const ids = ['n1', 'n2', 'n3'];
const given = { n3: { roles: ['given'], labels: { floor: '3' } } } as Record<string, object>;

function cluster(): Rig {
  const it = rig({ given: id => given[id] });
  for (const id of ids) {
    node(it.broker, id).birth();
    it.sync();
  }
  return it;
}

/** As `hearth apply` reads it. */
function retained(it: Rig): Desired {
  const desired = { documents: new Map(), wants: new Map() } satisfies Desired;
  for (const [topic, text] of it.broker.retained) {
    learnDocument('hearth', topic, Buffer.from(text), desired.documents, desired.wants);
  }
  return desired;
}

const planned = (desired: Desired, said: ReadonlyMap<NounPath, Document>, prune = true): readonly NounPlan[] =>
  planAll(desired.documents, said, { name: 'main', prune, adopt: false }).filter(({ patch }) => patch);
const ahead = (desired: Desired, plans: readonly NounPlan[]) =>
  outlook(
    desired,
    plans.map(({ path, after }) => [path, after] as const),
  );
const carryOut = (it: Rig, plans: readonly NounPlan[]) => {
  for (const { path, patch, rev } of plans) {
    const result = it.ask(`${path}/set`, JSON.stringify({ ...patch, ...(rev === undefined ? {} : { rev }) }));
    assert.ok(result.ok, result.error);
  }
  it.clock.advance(50);
};

/** All at once: how a change goes from node to node is another matter. */
const atOnce = (said: ReadonlyMap<NounPath, Document>): ReadonlyMap<NounPath, Document> =>
  new Map(
    [...said].map(([path, { applied: _, ...document }]) => [
      path,
      path.startsWith('role/') ? { ...document, rollout: 'off' } : document,
    ]),
  );
const obeyed = ({ rev: _r, cluster: _c, key: _k, gen: _g, node: _n, ...rest }: Want) => rest;

test('over any two files after each other, each node gets what was foretold, and others nothing', () => {
  fc.assert(
    fc.property(clusters, clusters, (first, second) => {
      const it = cluster();
      carryOut(it, planned(retained(it), atOnce(first)));
      const before = retained(it);
      // A role that vanishes from the file is emptied, but for how its changes travel.
      const vanished = [...first.keys()].filter(path => path.startsWith('role/')).map(path => [path, {}] as const);
      const plans = planned(before, atOnce(new Map([...vanished, ...second])));
      const { changes } = ahead(before, plans);
      carryOut(it, plans);
      for (const id of ids) {
        const [was, is] = [before.wants.get(id), it.want(id)];
        assert.ok(was && is);
        const foretold = changes.find(change => change.node === id);
        if (!foretold) assert.equal(obeyed(is), obeyed(was), `${id} was to stay as it is`);
        else {
          const { rev: _, ...after } = foretold.after;
          assert.ok(sameJson(after, obeyed(is)), `${id}: ${JSON.stringify([after, obeyed(is)])}`);
        }
      }
    }),
    { numRuns: 50 },
  );
});

const said = (all: Record<NounPath, Document>) => new Map(Object.entries(all) as [NounPath, Document][]);

test('where two roles differ, what the node has stays, and that is foretold', () => {
  const it = cluster();
  const off = { rollout: 'off' };
  carryOut(
    it,
    planned(
      retained(it),
      said({ 'role/b': { ...off, services: { x: { run: 'b' } } }, 'node/n1': { roles: ['a', 'b'] } }),
    ),
  );
  const more = said({ 'role/a': { ...off, services: { x: { run: 'a' } } } });
  const before = retained(it);
  const [change, ...others] = ahead(before, planned(before, more, false)).changes;
  assert.equal([change?.node, others.length], ['n1', 0]);
  assert.is(change?.after.services.x?.run, 'b');
  assert.equal(change?.after.conflicts, ['services/x: the roles a and b differ; what b says stays']);
  carryOut(it, planned(before, more, false));
  const now = retained(it);
  // Known only from what the node obeys, and so it stays.
  assert.equal(ahead(now, []).changes, []);
  assert.is(
    ahead(now, planned(now, said({ 'node/n1': { labels: { x: '1' } } }), false)).changes[0]?.after.services.x?.run,
    'b',
  );
});

test('a role that a node comes by does not take what another one says from it, and that is foretold', () => {
  const it = cluster();
  const role = (run: string) => ({ rollout: 'off', services: { x: { run } } });
  const first = said({ 'role/a': role('a'), 'role/b': role('b'), 'node/n1': { roles: ['b'] } });
  carryOut(it, planned(retained(it), first));
  const before = retained(it);
  const plans = planned(before, said({ 'node/n1': { roles: ['a'] } }), false);
  assert.is(ahead(before, plans).changes[0]?.after.services.x?.run, 'b');
  carryOut(it, plans);
  assert.is(it.want('n1')?.services.x?.run, 'b');
});

test('what a machine was given when it joined counts, and each node’s roles are told', () => {
  const it = cluster();
  const before = retained(it);
  const { changes, roles } = ahead(before, planned(before, said({ 'role/given': { services: { x: { run: 'x' } } } })));
  assert.equal(
    changes.map(change => change.node),
    ['n3'],
  );
  assert.equal(
    [...roles],
    [
      ['n1', ['all']],
      ['n2', ['all']],
      ['n3', ['all', 'given']],
    ],
  );
});

test('a document that no node could take is told before anything is sent, as the supervisor would refuse it', () => {
  const it = cluster();
  const long = 'é'.repeat(8000);
  const many = Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`s${index}`, { run: long }]));
  const before = retained(it);
  const file = said({ 'role/all': { rollout: 'off', services: many } });
  const { problems } = ahead(before, planned(before, file));
  assert.is(problems.length, ids.length);
  assert.match(problems[0] ?? '', new RegExp(`node n1: .* at most ${limits.want / 1024} kB`));
  const [plan] = planned(before, file);
  assert.match(it.ask('role/all/set', JSON.stringify(plan?.patch)).error ?? '', /at most 128 kB/);
});

test.run();
