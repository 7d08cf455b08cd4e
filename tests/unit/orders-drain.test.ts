/** `do/drain` and `do/resume`: desired state, so that a node that is away does it when it is back. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ResultMessage } from '../../shared/schemas/fabric.ts';
import { node, type Rig, rig } from '../fixture/supervisor-rig.ts';

const drain = suite('orders: drain and resume');

function fleet(...ids: string[]) {
  const it = rig();
  const nodes = new Map(ids.map(id => [id, node(it.broker, id)]));
  for (const one of nodes.values()) {
    one.birth();
    it.sync();
  }
  return { it, of: (id: string) => nodes.get(id) as ReturnType<typeof node> };
}
const results = (it: Rig, address: string): ResultMessage[] =>
  it.broker.published
    .filter(one => one.topic === `hearth/${address}/result`)
    .map(one => JSON.parse(one.text) as ResultMessage);
const ask = (it: Rig, path: string) => {
  const from = results(it, path.split('/do/')[0] ?? '').length;
  it.person.publish(`hearth/${path}`, '');
  it.sync();
  it.clock.advance(1);
  return results(it, path.split('/do/')[0] ?? '').slice(from);
};

drain('a node that is told to drain has it in its document and its want, offline ones too', () => {
  const { it, of } = fleet('n1', 'n2');
  of('n2').will();
  assert.equal(
    ask(it, 'node/all/do/drain').map(({ state, ok, n, ok_n }) => [state, ok, n, ok_n]),
    [
      ['accepted', true, 2, undefined],
      ['finished', true, 2, 2],
    ],
  );
  for (const id of ['n1', 'n2']) {
    assert.is(it.want(id)?.drain, true, id);
    assert.is(JSON.parse(it.broker.retained.get(`hearth/node/${id}/own`) ?? '').drain, true);
  }
  const rev = it.want('n1')?.rev;
  assert.is(ask(it, 'node/n1/do/drain').at(-1)?.ok, true, 'again is fine');
  assert.is(it.want('n1')?.rev, rev, 'and changes nothing');
});

drain('resume clears it, and is sent to who is there, whose answer is waited for', () => {
  const { it, of } = fleet('n1');
  ask(it, 'node/n1/do/drain');
  assert.equal(
    ask(it, 'node/n1/do/resume').map(({ state }) => state),
    ['accepted'],
  );
  assert.equal([it.want('n1')?.drain, it.cmd('n1')?.verb], [false, 'resume']);
  of('n1').done(it.cmd('n1')?.id ?? '');
  assert.equal([results(it, 'node/n1').at(-1)?.state, results(it, 'node/n1').at(-1)?.ok], ['finished', true]);
  of('n1').will();
  assert.is(ask(it, 'node/n1/do/resume').at(-1)?.state, 'finished', 'offline: it stands in its document');
});

drain('a disk that refuses is told, and nothing is drained', () => {
  const { it } = fleet('n1');
  it.store.failWrites(new Error('no space left'));
  const [, end] = ask(it, 'node/n1/do/drain');
  assert.is(end?.ok, false);
  assert.match(end?.error ?? '', /journal could not be written/);
  assert.is(it.want('n1')?.drain, false);
});

drain('set/drain does the same', () => {
  const { it } = fleet('n1');
  assert.ok(it.ask('node/n1/set/drain', 'on').ok);
  assert.is(it.want('n1')?.drain, true);
  assert.ok(it.ask('node/n1/set/drain', '').ok);
  assert.is(it.want('n1')?.drain, false);
});

drain.run();
