/** What a node obeys: who comes before whom, what stays where roles differ, and that its revision never falls. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  compile,
  keptAfter,
  type NodeEntry,
  type RoleEntry,
  revOf,
  rolesOf,
  winnerOf,
} from '../../broker/desired/compile.ts';

const test = suite('desired state: compiling');

const run = (...names: string[]) => ({ services: Object.fromEntries(names.map(name => [name, { run: name }])) });
const role = (document: RoleEntry['document'], rev = 1): RoleEntry => ({ document, rev });
const node = (document: NodeEntry['document'], more: Partial<NodeEntry> = {}): NodeEntry => ({
  document,
  rev: 1,
  ...more,
});
const runs = (entry: NodeEntry, roles: Record<string, RoleEntry>) => {
  const { services } = compile('n1', entry, new Map(Object.entries(roles)));
  return Object.fromEntries(Object.entries(services).map(([name, { run, from }]) => [name, `${run} ${from}`]));
};

test('node over role over role all, item by item, each with whose word it is', () => {
  const roles = {
    all: role({ services: { a: { run: 'all' }, b: { run: 'all' }, c: { run: 'all' } } }),
    web: role({ services: { b: { run: 'web' }, c: { run: 'web' } } }),
    other: role({ services: { d: { run: 'other' } } }),
  };
  assert.equal(runs(node({ roles: ['web'], services: { c: { run: 'own' } } }), roles), {
    a: 'all role/all',
    b: 'web role/web',
    c: 'own node/n1',
  });
  assert.equal(runs(node({}), roles), { a: 'all role/all', b: 'all role/all', c: 'all role/all' });
});

test('roles come from its document and from what it was given when it joined', () => {
  const entry = node(
    { roles: ['web', 'db'] },
    { given: { roles: ['db', 'attic'], labels: { room: 'attic', x: '1' } } },
  );
  assert.equal(rolesOf(entry), ['attic', 'db', 'web']);
  const { roles, labels } = compile('n1', { ...entry, document: { ...entry.document, labels: { x: '2' } } }, new Map());
  assert.equal([roles, labels], [['attic', 'db', 'web'], { room: 'attic', x: '2' }]);
});

test('two roles that say the same are no conflict; two that differ are named, and the first by name stays', () => {
  const same = { a: role(run('x')), b: role(run('x')) };
  assert.equal(compile('n1', node({ roles: ['a', 'b'] }), new Map(Object.entries(same))).conflicts, []);
  const differ = new Map([
    ['a', role({ services: { x: { run: '1' } } })],
    ['b', role({ services: { x: { run: '2' } } })],
  ]);
  const compiled = compile('n1', node({ roles: ['b', 'a'] }), differ);
  assert.equal(compiled.conflicts, ['services/x: the roles a and b differ; what a says stays']);
  assert.is(compiled.services.x?.run, '1');
  const settled = compile('n1', node({ roles: ['a', 'b'], services: { x: { run: '3' } } }), differ);
  assert.equal([settled.conflicts, settled.services.x?.run], [[], '3'], 'its own word settles it');
});

test('what a node had stays when another role begins to differ, whichever name comes first', () => {
  const before = new Map([['b', role({ services: { x: { run: 'b' } } })]]);
  const after = new Map([...before, ['a', role({ services: { x: { run: 'a' } } }, 2)]]);
  const entry = node({ roles: ['a', 'b'] });
  const kept = keptAfter(entry, before, entry, after);
  assert.equal(kept, { 'services/x': 'b' });
  const now = { ...entry, ...(kept ? { kept } : {}) };
  const compiled = compile('n1', now, after);
  assert.is(compiled.services.x?.run, 'b');
  assert.equal(compiled.conflicts, ['services/x: the roles a and b differ; what b says stays']);
  // Said again by either, it stays with b; once they agree or one lets go, nothing is kept.
  const later = new Map([...after, ['a', role({ services: { x: { run: 'a2' } } }, 3)]]);
  assert.is(keptAfter(now, after, now, later), undefined);
  assert.equal(keptAfter(now, after, now, new Map([['a', role({ services: { x: { run: 'a' } } })]])), {});
  const agreed = new Map([...after, ['b', role({ services: { x: { run: 'a' } } }, 4)]]);
  assert.equal(keptAfter(now, after, now, agreed), {});
});

test('a role that the node gets later does not take over what another says', () => {
  const roles = new Map([
    ['a', role({ services: { x: { run: 'a' } } })],
    ['b', role({ services: { x: { run: 'b' } } })],
  ]);
  assert.equal(keptAfter(node({ roles: ['b'] }), roles, node({ roles: ['a', 'b'] }), roles), { 'services/x': 'b' });
  assert.is(keptAfter(node({}), roles, node({ roles: ['a', 'b'] }), roles), undefined, 'both at once: by name');
});

test('the revision is that of the last change to anything the want is made of', () => {
  const roles = new Map([
    ['all', role({}, 3)],
    ['web', role({}, 9)],
    ['other', role({}, 20)],
  ]);
  assert.is(revOf(node({ roles: ['web'] }), roles), 9);
  assert.is(revOf(node({}, { rev: 5 }), roles), 5);
  assert.is(revOf(node({}), roles), 3);
});

test('whatever roles say: the winner of a conflict is one that says it, and no word of a role is lost silently', () => {
  const item = fc.constantFrom('1', '2', '3');
  const says = fc.dictionary(fc.constantFrom('x', 'y', 'constructor'), item, { maxKeys: 3 });
  const document = says.map(all => ({
    services: Object.fromEntries(Object.entries(all).map(([name, text]) => [name, { run: text }])),
  }));
  const names = ['a', 'b', 'c'];
  fc.assert(
    fc.property(
      fc.array(document, { minLength: 3, maxLength: 3 }),
      fc.dictionary(fc.constantFrom('services/x', 'services/y'), fc.constantFrom('a', 'b', 'c', 'gone')),
      (documents, kept) => {
        const roles = new Map(names.map((name, index) => [name, role(documents[index] ?? {})]));
        const compiled = compile('n1', node({ roles: names }, { kept }), roles);
        for (const name of ['x', 'y', 'constructor']) {
          const has = (one: string) => Object.hasOwn(roles.get(one)?.document.services ?? {}, name);
          const holders = names.filter(has);
          const winner = winnerOf(
            holders,
            Object.hasOwn(kept, `services/${name}`) ? kept[`services/${name}`] : undefined,
          );
          const got = Object.hasOwn(compiled.services, name) ? compiled.services[name] : undefined;
          assert.is(got?.from, winner === undefined ? undefined : `role/${winner}`);
          const said = new Set(holders.map(one => roles.get(one)?.document.services?.[name]?.run));
          assert.is(
            compiled.conflicts.some(text => text.startsWith(`services/${name}:`)),
            said.size > 1,
          );
        }
      },
    ),
  );
});

test.run();
