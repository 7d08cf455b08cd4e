/** Which artifacts are in use: by documents of nodes and roles, by agents that are wanted, and by what a rollout may go back to. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { node, rig } from '../fixture/supervisor-rig.ts';

const test = suite('used artifacts');
const hash = (letter: string) => letter.repeat(64);
const file = (letter: string) => JSON.stringify({ path: '/srv/x', source: `artifact:${hash(letter)}` });

test('files of nodes and roles, agents, and the word before a rollout', () => {
  const it = rig();
  node(it.broker, 'n1').birth();
  node(it.broker, 'n2').birth();
  it.sync();
  const used = () =>
    [...it.supervisor.usedArtifacts()].map(({ sha256, where }) => `${sha256[0]} ${where.replace(/: .*/, '')}`).sort();
  assert.equal(used(), []);
  for (const id of ['n1', 'n2']) it.ask(`node/${id}/set/roles`, 'web');
  assert.ok(it.ask('node/n1/set/files/x', file('a')).ok);
  assert.ok(it.ask('node/n2/set/agent', JSON.stringify({ ver: '2', sha256: hash('b') })).ok);
  assert.ok(it.ask('role/web/set', JSON.stringify({ rollout: 'off', files: { y: JSON.parse(file('c')) } })).ok);
  assert.equal(used(), ['a node n1', 'b node n2', 'c role web']);
  assert.ok(it.ask('role/web/set', JSON.stringify({ rollout: null, agent: { ver: '1', sha256: hash('e') } })).ok);
  assert.ok(it.ask('role/web/set/files/y', file('d')).ok);
  assert.ok(used().includes('d role web'));
  assert.ok(used().includes('c the rollout of role web'), used().join('; '));
  assert.ok(used().includes('e role web'));
  it.ask('node/n1/set/files/x', '');
  assert.not.ok(used().includes('a node n1'));
});

test.run();
