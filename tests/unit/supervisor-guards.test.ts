/** The supervisor at the edges: ending while it starts, forgetting while it learns. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { slowSupervisor, usedDisk } from '../fixture/slow-supervisor.ts';
import { node, rig } from '../fixture/supervisor-rig.ts';

const test = suite('supervisor: guards');

test('ended before its journal is read, it starts nothing', () => {
  for (const reads of [0, 1]) {
    const it = slowSupervisor('embedded', usedDisk());
    let ready = false;
    it.supervisor.start(() => {
      ready = true;
    });
    for (let i = 0; i < reads; i++) it.step();
    it.supervisor.stop(() => {});
    it.sync();
    it.answer();
    assert.equal([it.counts().starts, ready, it.clock.pending], [0, false, 0]);
  }
});

test('ended while it projects, it neither says online nor leaves a timer', () => {
  const it = slowSupervisor();
  it.supervisor.start(() => {});
  it.sync();
  node(it.broker, 'n1').birth();
  it.sync();
  it.answer();
  it.broker.setUp(false);
  it.broker.setUp(true);
  it.supervisor.stop(() => {});
  const from = it.broker.published.length;
  it.answer();
  it.sync();
  it.answer();
  const said = it.broker.published.slice(from).filter(({ topic }) => topic === 'hearth/status');
  assert.equal(
    said.map(({ text }) => text),
    ['offline'],
  );
  assert.is(it.clock.pending, 0);
});

test('a farewell that is acknowledged too late ends the bus only once', () => {
  const it = slowSupervisor();
  it.supervisor.start(() => {});
  it.sync();
  it.answer();
  let ended = 0;
  it.supervisor.stop(() => ended++);
  it.sync();
  assert.is(ended, 0);
  it.clock.advance(2000);
  it.answer();
  assert.equal([it.counts().stops, ended], [1, 1]);
});

test('an end leaves no timer of the view, with somebody watching', () => {
  const it = rig();
  it.supervisor.fleet.watch(() => {});
  node(it.broker, 'n1').birth();
  it.supervisor.stop(() => {});
  it.sync();
  assert.is(it.clock.pending, 0);
});

test('a node that comes back keeps its document, and its revision', () => {
  const it = rig();
  node(it.broker, 'n1').birth();
  it.sync();
  it.ask('node/n1/set/services/web', 'sleep 1');
  const before = it.want('n1');
  node(it.broker, 'n1').will();
  assert.is(it.status('n1'), 'offline');
  node(it.broker, 'n1', 'aaaaaaaa', 2).birth();
  it.sync();
  assert.is(it.status('n1'), 'online');
  assert.equal(it.want('n1'), before);
});

test('a node that could not be journalled and is gone again is not tried again', () => {
  const it = rig();
  it.store.failWrites(new Error('full'));
  const n1 = node(it.broker, 'n1');
  n1.birth();
  it.sync();
  n1.will();
  it.store.failWrites(undefined);
  it.clock.advance(10_000);
  it.sync();
  assert.is(it.want('n1'), undefined);
});

test('a node that is born again while it is being forgotten stays known', () => {
  const it = rig();
  const n1 = node(it.broker, 'n1');
  n1.birth();
  it.sync();
  it.person.publish('hearth/node/n1/do/forget', '');
  n1.client.drop();
  const again = node(it.broker, 'n1', 'aaaaaaaa', 2);
  again.birth();
  it.sync();
  assert.is(it.status('n1'), 'online');
  assert.equal(it.want('n1')?.services, {});
  assert.ok(it.ask('node/n1/do/rebirth').ok, 'it can be addressed');
});

test('an empty report removes what is retained, and is no broken report', () => {
  const it = rig();
  const n1 = node(it.broker, 'n1');
  n1.birth();
  it.sync();
  for (const part of ['is', 'info', 'load', 'lwt']) n1.client.publish(`hearth/node/n1/${part}`, '');
  assert.not.ok(it.broker.published.some(({ text }) => text.includes('bad-report')));
});

test('thousands of documents are projected without nesting', () => {
  const it = rig();
  for (let i = 0; i < 9000; i++) node(it.broker, `n${i}`).birth();
  it.sync();
  it.broker.setUp(false);
  const from = it.broker.published.length;
  it.broker.setUp(true);
  const wants = it.broker.published.slice(from).filter(({ topic }) => topic.endsWith('/want'));
  assert.is(wants.length, 9000);
});

test.run();
