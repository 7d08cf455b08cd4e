/** The supervisor on an outside broker, at the edges: asking who else is there, going, and silent once it has given way. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { memoryBroker } from '../fixture/memory-bus.ts';
import { slowSupervisor, usedDisk } from '../fixture/slow-supervisor.ts';
import { node, type Rig, rig } from '../fixture/supervisor-rig.ts';

const test = suite('supervisor, outside: guards');

const lead = (it: Rig): Rig => {
  it.clock.advance(1600);
  assert.is(it.ready(), '');
  return it;
};
const rivalHello = (standing: string) =>
  JSON.stringify({
    cluster: '0'.repeat(32),
    boot: 'f'.repeat(16),
    gen: 0,
    rev: 0,
    ver: '1',
    proto: 1,
    at_ms: 1,
    standing,
  });

test('outside: ended before it led, it says nothing, then and later, and a rival is nothing to it', () => {
  const it = rig({ kind: 'outside', disk: usedDisk() });
  const from = it.broker.published.length;
  it.supervisor.stop(() => {});
  it.broker.connect('rival').publish('hearth/hello', rivalHello('settled'));
  it.sync();
  it.clock.advance(5000);
  assert.equal(it.broker.published.slice(from), []);
  assert.equal([it.ready(), it.fatal(), it.clock.pending], [undefined, undefined, 0]);
});

test('outside: a broker that goes while it projects hears no hello and no online afterwards', () => {
  const it = slowSupervisor('outside', usedDisk());
  let ready = false;
  it.supervisor.start(() => {
    ready = true;
  });
  it.sync();
  it.clock.advance(1600);
  it.broker.setUp(false);
  const from = it.broker.attempts;
  it.answer();
  assert.is(it.broker.attempts, from);
  assert.not.ok(ready);
  it.broker.setUp(true);
  it.answer();
  assert.ok(ready);
});

test('outside: a broker that goes while it is asked who else is there is not spoken to', () => {
  const it = rig({ kind: 'outside' });
  it.broker.setUp(false);
  it.clock.advance(5000);
  assert.is(it.ready(), undefined);
  it.broker.setUp(true);
  lead(it);
});

test('outside: a retained hello is of any age and no rival', () => {
  const broker = memoryBroker('outside');
  broker.retained.set('hearth/hello', rivalHello('settled'));
  lead(rig({ kind: 'outside', broker }));
});

test('outside: what is kept while it asks is bounded', () => {
  const it = rig({ kind: 'outside' });
  for (let i = 0; i < 31_000; i++) it.person.publish('hearth/node/x!/do/restart', '');
  lead(it);
  it.clock.advance(1000);
  const refused = it.broker.count('hearth/result') - 1;
  const more = it.broker.last<{ error: string }>('hearth/result')?.error ?? '';
  assert.is(refused + Number.parseInt(more, 10), 30_000);
});

test('outside: an echo that was lost with its connection swallows nothing afterwards', () => {
  const it = lead(rig({ kind: 'outside' }));
  node(it.broker, 'n1').birth();
  it.sync();
  it.ask('node/n1/set/services/web', 'sleep 1');
  const topic = 'hearth/node/n1/set/services/web';
  it.broker.loseEchoes = true;
  it.person.publish(topic, 'sleep 2', { retain: true });
  it.broker.setUp(false);
  it.broker.setUp(true);
  it.broker.retained.delete(topic);
  it.broker.loseEchoes = false;
  it.broker.setUp(false);
  it.broker.setUp(true);
  it.person.publish(topic, '');
  it.sync();
  assert.equal(it.want('n1')?.services, {});
});

test('outside: once it has given way it says nothing more, whatever happens', () => {
  const it = lead(rig({ kind: 'outside' }));
  node(it.broker, 'n1').birth();
  it.sync();
  it.broker.setUp(false);
  it.broker.setUp(true);
  it.broker.connect('rival').publish('hearth/hello', rivalHello('settled'));
  assert.match(it.fatal() ?? '', /another supervisor/);
  const from = it.broker.published.length;
  node(it.broker, 'n2').birth();
  it.person.publish('hearth/node/n1/set/services/web', 'sleep 1');
  it.clock.advance(5000);
  // To who no longer looks at the time, this looks like a stall.
  it.broker.setUp(true);
  it.broker.setUp(false);
  it.broker.setUp(true);
  it.clock.advance(20_000);
  it.supervisor.stop(() => {});
  it.sync();
  it.clock.advance(5000);
  assert.equal(it.broker.published.slice(from), []);
});

test('outside: what is to be put right is put right once, and not to a broker that is gone', () => {
  const it = lead(rig({ kind: 'outside' }));
  node(it.broker, 'n1').birth();
  it.sync();
  it.clock.advance(5000);
  const online = () =>
    it.broker.published.filter(({ topic, text }) => topic === 'hearth/status' && text === 'online').length;
  const before = online();
  const stranger = it.broker.connect('stranger');
  for (let i = 0; i < 3; i++) stranger.publish('hearth/status', 'offline');
  it.clock.advance(100);
  assert.is(online(), before + 1);
  stranger.publish('hearth/status', 'offline');
  it.broker.setUp(false);
  const from = it.broker.attempts;
  it.clock.advance(100);
  assert.is(it.broker.attempts, from);
  it.broker.setUp(true);
  stranger.publish('hearth/status', 'offline');
  it.supervisor.stop(() => {});
  it.sync();
  assert.is(it.clock.pending, 0);
});

test.run();
