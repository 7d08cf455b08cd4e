/** Roles over the bus: a role's document reaches its nodes, and who differs is told; across restarts. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { MemoryDisk } from '../../broker/store/memory.ts';
import { limits } from '../../shared/limits.ts';
import { node, type Rig, rig } from '../fixture/supervisor-rig.ts';

const roles = suite('roles');

function cluster(disk: MemoryDisk = new Map(), ids: readonly string[] = ['n1', 'n2']): Rig {
  const it = rig({ disk });
  for (const id of ids) {
    node(it.broker, id).birth();
    it.sync();
  }
  return it;
}
const runOf = (it: Rig, id: string, service: string) => it.want(id)?.services[service]?.run;
const own = (it: Rig, role: string) => {
  const text = it.broker.retained.get(`hearth/role/${role}/own`);
  return text === undefined || text === '' ? undefined : JSON.parse(text);
};

roles('a role comes into being by a set, its nodes get it, others do not, and its own is retained', () => {
  const it = cluster();
  assert.ok(it.ask('node/n1/set/roles', 'web').ok);
  const said = it.ask('role/web/set/services/site', './serve');
  assert.ok(said.ok);
  assert.is(said.rev, 4);
  assert.equal([runOf(it, 'n1', 'site'), it.want('n1')?.services.site?.from], ['./serve', 'role/web']);
  assert.is(it.want('n1')?.rev, 4);
  assert.equal(it.want('n2')?.services, {});
  assert.equal(own(it, 'web'), { services: { site: { run: './serve' } }, rev: 4 });
  assert.ok(it.ask('role/all/set', '{"services":{"beat":"sleep 9"},"rollout":"off"}').ok);
  for (const id of ['n1', 'n2']) assert.is(runOf(it, id, 'beat'), 'sleep 9');
  assert.is(it.supervisor.fleet.get('n2')?.want_rev, 5);
});

roles('a list of roles is comma-separated or JSON, and checked', () => {
  const it = cluster();
  assert.ok(it.ask('node/n1/set/roles', ' web, db ').ok);
  assert.equal(it.want('n1')?.roles, ['db', 'web']);
  assert.ok(it.ask('node/n1/set/roles', '["db"]').ok);
  assert.equal(it.want('n1')?.roles, ['db']);
  assert.match(it.ask('node/n1/set/roles', 'Web').error ?? '', /not an id/);
  assert.match(it.ask('node/n1/set/roles', 'a,a').error ?? '', /named twice/);
  assert.match(it.ask('node/n1/set/roles', 'all').error ?? '', /not an id/);
  assert.ok(it.ask('node/n1/set/roles', '').ok);
  assert.equal(it.want('n1')?.roles, []);
});

roles('orders to a role reach the nodes that have it by their document', () => {
  const it = cluster();
  it.ask('node/n2/set/roles', 'web');
  it.ask('node/@web/do/rebirth');
  assert.equal([it.cmd('n1')?.verb, it.cmd('n2')?.verb], [undefined, 'rebirth']);
});

roles('two roles that differ: what the node had stays, now and after a restart', () => {
  const disk: MemoryDisk = new Map();
  const it = cluster(disk);
  it.ask('node/n1/set/roles', 'b,a');
  it.ask('role/b/set/services/x', 'from-b');
  it.ask('role/a/set/services/x', 'from-a');
  const check = (one: Rig) => {
    assert.is(runOf(one, 'n1', 'x'), 'from-b');
    assert.equal(one.want('n1')?.conflicts, ['services/x: the roles a and b differ; what b says stays']);
  };
  check(it);
  const again = rig({ disk });
  check(again);
  again.ask('role/b/set/services/x', '');
  assert.equal([runOf(again, 'n1', 'x'), again.want('n1')?.conflicts], ['from-a', []]);
});

roles('a forgotten role says nothing more, its topic is gone, and no revision falls', () => {
  const disk: MemoryDisk = new Map();
  const it = cluster(disk);
  it.ask('node/n1/set/roles', 'web');
  it.ask('role/web/set/services/x', 'x');
  const before = it.want('n1')?.rev ?? 0;
  assert.match(it.ask('role/none/do/forget').error ?? '', /no role "none"/);
  assert.match(it.ask('role/web/do/restart').error ?? '', /node\/@web\/do\/VERB/);
  assert.ok(it.ask('role/web/do/forget').ok);
  assert.equal([it.want('n1')?.services, own(it, 'web')], [{}, undefined]);
  assert.ok((it.want('n1')?.rev ?? 0) > before);
  const again = rig({ disk });
  assert.is(again.want('n1')?.rev, it.want('n1')?.rev);
  assert.match(again.ask('role/web/do/forget').error ?? '', /no role/);
  assert.ok(again.ask('role/web/set/services/y', 'y').ok, 'it may come back');
  assert.is(runOf(again, 'n1', 'y'), 'y');
});

roles('a stale rev, an unknown key and an empty patch are refused as on a node', () => {
  const it = cluster();
  it.ask('role/web/set/services/x', 'x');
  assert.match(it.ask('role/web/set', '{"rev":1,"services":{}}').error ?? '', /stale/);
  assert.match(it.ask('role/web/set', '{"roles":["a"]}').error ?? '', /unknown key "roles"/);
  assert.match(it.ask('role/web/set', '').error ?? '', /empty/);
  assert.match(it.ask('role/web/set/services/new/cwd', '/').error ?? '', /no service "new" yet/);
  const rev = it.want('n1')?.rev;
  assert.ok(it.ask('role/web/set/services/x', 'x').ok, 'the same again');
  assert.is(it.want('n1')?.rev, rev);
});

roles('a role that some node could not take is refused whole, and the node named', () => {
  const it = cluster();
  it.ask('node/n2/set/roles', 'big');
  const long = 'é'.repeat(8000);
  for (let index = 0; index < 6; index++) assert.ok(it.ask(`node/n2/set/services/s${index}`, long).ok);
  const why = it.ask('role/big/set', JSON.stringify({ services: { a: long, b: 'é'.repeat(9500) } }));
  assert.match(why.error ?? '', /on node n2, the node's document would be 1\d\d kB, but at most 128 kB/);
  assert.is(own(it, 'big'), undefined);
  assert.match(
    it.ask('node/n2/set', JSON.stringify({ services: { a: long, b: 'é'.repeat(9500) } })).error ?? '',
    /128 kB/,
  );
  assert.ok(it.ask('role/big/set/services/a', 'x').ok);
});

roles('a change that the disk refuses changes no node', () => {
  const it = cluster();
  it.ask('node/n1/set/roles', 'a,b');
  it.ask('role/b/set/services/x', 'b');
  it.store.failWrites(new Error('no space'));
  assert.match(it.ask('role/a/set/services/x', 'a').error ?? '', /journal could not be written/);
  it.store.failWrites(undefined);
  assert.ok(it.ask('role/b/set/services/x', '').ok);
  assert.ok(it.ask('role/a/set/services/x', 'a2').ok);
  assert.equal([runOf(it, 'n1', 'x'), it.want('n1')?.conflicts], ['a2', []]);
});

roles('a role with many nodes is told turn by turn, the newest word only', () => {
  const many = Array.from({ length: 120 }, (_, index) => `m${index}`);
  const it = cluster(new Map(), many);
  it.ask('role/all/set/rollout', 'off');
  it.clock.advance(10);
  const from = it.broker.published.length;
  it.ask('role/all/set/services/x', 'one');
  it.ask('role/all/set/services/x', 'two');
  const wants = () => it.broker.published.slice(from).filter(({ topic }) => topic.endsWith('/want')).length;
  assert.ok(wants() < 120);
  it.clock.advance(10);
  for (const id of many) assert.is(runOf(it, id, 'x'), 'two', id);
  assert.ok(wants() <= 170, `${wants()} wants`);
});

roles('what was decided when a machine joined gives it roles and labels, also when it joins anew', () => {
  const given: Record<string, object> = { n1: { roles: ['attic'], labels: { room: 'attic' } } };
  const it = rig({ given: id => given[id] });
  const one = node(it.broker, 'n1');
  one.birth();
  it.sync();
  it.ask('role/attic/set/services/x', 'x');
  assert.equal(
    [it.want('n1')?.roles, it.want('n1')?.labels, runOf(it, 'n1', 'x')],
    [['attic'], { room: 'attic' }, 'x'],
  );
  const before = it.want('n1')?.rev ?? 0;
  given.n1 = { roles: ['cellar'], labels: {} };
  one.will();
  node(it.broker, 'n1', 'aaaaaaaa', 2).birth();
  it.sync();
  assert.equal([it.want('n1')?.roles, it.want('n1')?.services], [['cellar'], {}]);
  assert.ok((it.want('n1')?.rev ?? 0) > before);
});

roles('roles are bounded, and the bound is named', () => {
  const it = cluster();
  for (let index = 0; index < limits.roles; index++) it.ask(`role/r${index}/set/services/x`, 'x');
  assert.match(it.ask('role/one-more/set/services/x', 'x').error ?? '', /1000 roles already/);
  assert.ok(it.ask('role/r7/set/services/x', 'y').ok);
});

roles.run();
