/** The supervisor at the edges: ending while it starts, forgetting while it learns, silent once it has given way. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createMemoryStore } from '../../broker/store/memory.ts';
import { Supervisor } from '../../broker/supervisor.ts';
import type { Bus } from '../../shared/bus.ts';
import { silentLog } from '../../shared/log.ts';
import { manualClock, seededRandom } from '../fixture/manual-clock.ts';
import { memoryBroker } from '../fixture/memory-bus.ts';
import { node, type Rig, rig, testSigner } from '../fixture/supervisor-rig.ts';

const test = suite('supervisor: guards');

/** A supervisor whose disk and bus the test drives: `held` are the callbacks of publishes, in order. */
function slow(kind: 'embedded' | 'outside' = 'embedded') {
  const broker = memoryBroker(kind);
  const clock = manualClock();
  const disk: (() => void)[] = [];
  const held: (() => void)[] = [];
  const real = broker.bus();
  let starts = 0;
  let stops = 0;
  const bus: Bus = {
    ...real,
    start: (filters, handlers) => {
      starts++;
      real.start(filters, handlers);
    },
    publish: (topic, payload, options, done) =>
      real.publish(topic, payload, options, error => void held.push(() => done?.(error))),
    stop: done => {
      stops++;
      real.stop(done);
    },
  };
  const store = createMemoryStore({ later: run => void disk.push(run) });
  const parts = {
    base: 'hearth',
    ver: '1',
    bus,
    store,
    signer: testSigner,
    clock,
    random: seededRandom(),
    log: silentLog,
  };
  const sync = () => {
    for (let run = disk.shift(); run; run = disk.shift()) run();
  };
  const answer = () => {
    for (let run = held.shift(); run; run = held.shift()) run();
  };
  return { broker, clock, supervisor: new Supervisor(parts), sync, answer, counts: () => ({ starts, stops }) };
}

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

test('ended before its journal is read, it starts nothing', () => {
  const it = slow();
  let ready = false;
  it.supervisor.start(() => {
    ready = true;
  });
  it.supervisor.stop(() => {});
  it.sync();
  it.answer();
  assert.equal([it.counts().starts, ready, it.clock.pending], [0, false, 0]);
});

test('ended while it projects, it neither says online nor leaves a timer', () => {
  const it = slow();
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
  const it = slow();
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

test('outside: ended before it led, it says nothing, then and later', () => {
  const it = rig({ kind: 'outside' });
  const from = it.broker.published.length;
  it.supervisor.stop(() => {});
  it.sync();
  it.clock.advance(5000);
  assert.equal(it.broker.published.slice(from), []);
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
