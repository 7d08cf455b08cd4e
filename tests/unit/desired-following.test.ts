/** Documents that follow the supervisor's agent: filled in by it, as a change like any other, and after it is updated again. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { AgentRelease } from '../../broker/desired/following.ts';
import type { MemoryDisk } from '../../broker/store/memory.ts';
import { node, type Rig, rig } from '../fixture/supervisor-rig.ts';

const test = suite('following the agent');
const first: AgentRelease = { ver: '1', sha256: 'a'.repeat(64) };
const second: AgentRelease = { ver: '2', sha256: 'b'.repeat(64) };

async function cluster(disk: MemoryDisk, release: () => Promise<AgentRelease>): Promise<Rig> {
  const it = rig({ disk, release });
  node(it.broker, 'n1').birth();
  it.sync();
  await looked(it);
  return it;
}
/** The look, the answer, the look that follows, the sync. */
async function looked(it: Rig): Promise<void> {
  for (let round = 0; round < 3; round++) {
    it.clock.advance(60);
    await Promise.resolve();
    it.sync();
  }
}

test('nobody follows: no archive is made', async () => {
  let made = 0;
  const it = await cluster(new Map(), async () => {
    made++;
    return first;
  });
  it.ask('role/all/set/services/x', 'x');
  await looked(it);
  assert.equal([made, it.want('n1')?.agent], [0, undefined]);
});

test('a role that follows is filled in, and its nodes are told; a newer supervisor fills it in anew', async () => {
  const disk: MemoryDisk = new Map();
  const it = await cluster(disk, async () => first);
  assert.ok(it.ask('role/all/set/agent', 'follow').ok);
  assert.is(it.want('n1')?.agent, undefined, 'not yet known which');
  await looked(it);
  assert.equal(it.want('n1')?.agent, first);
  const rev = it.want('n1')?.rev ?? 0;
  await looked(it);
  assert.is(it.want('n1')?.rev, rev, 'once');
  const newer = await cluster(disk, async () => second);
  await looked(newer);
  assert.equal(newer.want('n1')?.agent, second);
  assert.ok((newer.want('n1')?.rev ?? 0) > rev);
});

test("an agent that the role's nodes were not well with is put back, and not said again by itself", async () => {
  const disk: MemoryDisk = new Map();
  const before = await cluster(disk, async () => first);
  node(before.broker, 'n2').birth();
  before.sync();
  before.ask('role/all/set', '{"agent":"follow","rollout":"off"}');
  await looked(before);
  before.ask('role/all/set/rollout', '{"healthy_s":1,"deadline_s":3}');
  assert.equal(before.want('n2')?.agent, first);
  const it = await cluster(disk, async () => second);
  const all = ['n1', 'n2'].map(id => ({ id, one: node(it.broker, id, 'aaaaaaaa', 2) }));
  for (const { id, one } of all) {
    one.birth();
    one.part('is', { node: id, epoch: 2, state: 'ready', rev: it.want(id)?.rev, err: '', ver: '1', items: {} });
  }
  const told = () => all.map(({ id }) => it.want(id)?.agent?.ver);
  for (let second = 0; second < 4 && !told().includes('2'); second++) {
    it.clock.advance(1000);
    await looked(it);
  }
  assert.equal(told(), ['2', '1']);
  for (let second = 0; second < 20; second++) {
    for (const { id, one } of all) one.part('heartbeat', { node: id, epoch: 2, seq: second });
    it.clock.advance(1000);
    await looked(it);
  }
  assert.equal(told(), ['1', '1']);
  assert.match(it.broker.retained.get('hearth/role/all/is') ?? '', /"reverted"/);
  assert.match(it.broker.retained.get('hearth/role/all/failed') ?? '', new RegExp(second.sha256));
});

test('a release that cannot be made is tried again later', async () => {
  let broken = true;
  const it = await cluster(new Map(), async () => {
    if (broken) throw new Error('dist/agent.js is missing');
    return first;
  });
  it.ask('node/n1/set/agent', 'follow');
  await looked(it);
  assert.is(it.want('n1')?.agent, undefined);
  broken = false;
  it.clock.advance(10 * 60_000);
  await looked(it);
  assert.equal(it.want('n1')?.agent, first);
});

test('a node goes by its own word, then by its roles; a hash is a hash', async () => {
  const it = await cluster(new Map(), async () => first);
  it.ask('role/all/set/agent', 'follow');
  await looked(it);
  assert.ok(it.ask('node/n1/set/agent', JSON.stringify(second)).ok);
  assert.equal(it.want('n1')?.agent, second);
  assert.ok(it.ask('node/n1/set/agent', '').ok);
  assert.equal(it.want('n1')?.agent, first);
  for (const bad of ['latest', '{"sha256":"x"}', '{"follow":false}', '{"ver":"../x","sha256":""}']) {
    assert.not.ok(it.ask('node/n1/set/agent', bad).ok, bad);
  }
});

test.run();
