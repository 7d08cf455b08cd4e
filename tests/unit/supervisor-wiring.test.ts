/** The supervisor as a whole, on an embedded broker's stand-in in memory: what is said and retained, and when. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { answerRates } from '../../broker/orders/answers.ts';
import type { MemoryDisk } from '../../broker/store/memory.ts';
import { helloPayload } from '../../shared/schemas/presence.ts';
import { memoryBroker } from '../fixture/memory-bus.ts';
import { node, type Rig, rig } from '../fixture/supervisor-rig.ts';

const wiring = suite('supervisor');

const published = (it: Rig, topic: string, from = 0) =>
  it.broker.published.slice(from).filter(one => one.topic === topic);
const own = (it: Rig, id = 'n1') => JSON.parse(it.broker.retained.get(`hearth/node/${id}/own`) ?? '{}');
const events = (it: Rig) => published(it, 'hearth/event').map(one => JSON.parse(one.text).kind as string);

wiring('start: hello, status and info; every known node is offline and has its document before ready', () => {
  const disk: MemoryDisk = new Map();
  const first = rig({ disk });
  node(first.broker, 'n1').birth();
  first.sync();
  first.ask('node/n1/set/services/web', 'sleep 1');
  const broker = memoryBroker('embedded');
  broker.retained.set('hearth/node/n1/status', 'online');
  const it = rig({ disk, broker });
  assert.is(it.ready(), '');
  assert.is(it.status('n1'), 'offline');
  assert.is(it.want('n1')?.services.web?.run, 'sleep 1');
  assert.is(it.want('n1')?.services.web?.from, 'node/n1');
  assert.equal(own(it), { services: { web: { run: 'sleep 1' } }, rev: 2 });
  const topics = broker.published.map(one => one.topic);
  assert.ok(topics.indexOf('hearth/node/n1/status') < topics.indexOf('hearth/status'));
  assert.is(broker.retained.get('hearth/status'), 'online');
  const hello = published(it, 'hearth/hello');
  assert.is(hello.length, 1);
  assert.not.ok(hello[0]?.retain);
  assert.ok(helloPayload.safeParse(JSON.parse(hello[0]?.text ?? '')).success);
  it.clock.advance(10_000);
  assert.equal(broker.last('hearth/info'), {
    ...{ ver: '0.1.0', nodes: 1, online: 0, cores: 0, jobs_queued: 0, jobs_running: 0 },
  });
});

wiring('a first birth: online at once, its want and own only after the sync', () => {
  const it = rig();
  node(it.broker, 'n1').birth();
  assert.is(it.status('n1'), 'online');
  assert.is(it.want('n1'), undefined);
  it.sync();
  assert.equal([it.want('n1')?.services, it.want('n1')?.rev], [{}, 1]);
  assert.equal(own(it), { services: {}, rev: 1 });
});

wiring('set: nothing is said before the sync; a failed one is answered and changes nothing retained', () => {
  const it = rig();
  node(it.broker, 'n1').birth();
  it.sync();
  const from = it.broker.published.length;
  it.person.publish('hearth/node/n1/set/services/web', 'sleep 1');
  assert.is(it.broker.published.length, from);
  it.sync();
  assert.equal(
    it.broker.published.slice(from).map(one => one.topic.split('/')[3]),
    ['want', 'own', 'result'],
  );
  const answer = it.ask('node/n1/set/services/web', 'sleep 1');
  assert.equal([answer.ok, answer.rev, answer.key, answer.value], [true, 2, 'services.web', 'sleep 1']);
  it.store.failWrites(new Error('no space left'));
  const refused = it.ask('node/n1/set/services/web', 'sleep 2');
  assert.match(refused.error ?? '', /journal could not be written: no space left/);
  assert.is(it.want('n1')?.services.web?.run, 'sleep 1');
  assert.match(it.ask('node/all/set/services/web', 'x').error ?? '', /send it to …\/role\/all\/set\/services\/web/);
  assert.match(it.ask('node/@db/set', '{}').error ?? '', /role\/db\/set/);
  assert.match(it.ask('node/n2/set', '{}').error ?? '', /unknown node "n2": did you mean "n1"/);
});

wiring('a node first seen with a full disk gets its document once there is room', () => {
  const it = rig();
  it.store.failWrites(new Error('full'));
  const n1 = node(it.broker, 'n1');
  n1.birth();
  it.sync();
  assert.is(it.want('n1'), undefined);
  it.store.failWrites(undefined);
  n1.load();
  it.clock.advance(10_000);
  it.sync();
  assert.equal(it.want('n1')?.services, {});
});

wiring('what has no valid address, or was refused, is answered on the base, escaped, limited and counted', () => {
  const it = rig();
  it.person.publish('hearth/node/N1!/set/services/x', 'sleep');
  const answer = it.broker.last<{ topic: string; part: string; ok: boolean; by: string }>('hearth/result');
  assert.equal(
    [answer?.topic, answer?.part, answer?.ok, answer?.by],
    ['hearth/node/N1!/set/services/x', 'set', false, 'person'],
  );
  for (let i = 0; i < 1000; i++) it.person.publish(`hearth/node/N${i}/do/restart`, '');
  assert.is(it.broker.count('hearth/result'), answerRates.perClient.burst);
  it.clock.advance(1000);
  assert.match(it.broker.last<{ error: string }>('hearth/result')?.error ?? '', /^901 more refused messages/);
});

wiring('MQTT 5: the answer goes to the result topic and to the response topic, with the correlation', () => {
  const it = rig();
  node(it.broker, 'n1').birth();
  it.sync();
  const respond = { topic: 'me/answer', correlation: new TextEncoder().encode('c7') };
  it.person.publish('hearth/node/n1/set/services/web', 'sleep 1', { respond });
  it.sync();
  const [answer] = published(it, 'me/answer');
  assert.is(answer?.correlation, 'c7');
  assert.is(answer?.text, published(it, 'hearth/node/n1/result').at(-1)?.text);
  it.person.publish('hearth/node/n1/set/services/web', '', { respond: { topic: 'hearth/node/n1/result' } });
  const before = it.broker.count('hearth/node/n1/result');
  it.sync();
  assert.is(it.broker.count('hearth/node/n1/result'), before + 1, 'not twice to one topic');
});

wiring('embedded: a retain flag on a command is harmless', () => {
  const it = rig();
  node(it.broker, 'n1').birth();
  it.sync();
  it.person.publish('hearth/node/n1/set/services/web', 'sleep 1', { retain: true });
  it.sync();
  assert.is(own(it).services.web.run, 'sleep 1');
});

wiring('twin and restored disk reach the node as signed orders bound to its session', () => {
  const it = rig();
  node(it.broker, 'n1', 'aaaaaaaa', 9).birth();
  it.sync();
  node(it.broker, 'n1', 'bbbbbbbb', 4).birth();
  const backoff = it.cmd('n1');
  assert.equal(
    [backoff?.verb, backoff?.inst, backoff?.epoch, backoff?.args],
    ['backoff', 'bbbbbbbb', 4, { ms: 60_000 }],
  );
  assert.ok(events(it).includes('twin'));
  assert.is(it.status('n1'), 'online');
  node(it.broker, 'n1', 'aaaaaaaa', 3).birth();
  const rebirth = it.cmd('n1');
  assert.equal([rebirth?.verb, rebirth?.inst, rebirth?.epoch, rebirth?.args], ['rebirth', 'aaaaaaaa', 3, { epoch: 9 }]);
});

wiring('stop: farewell, journal closed, and nothing after it', () => {
  const it = rig();
  node(it.broker, 'n1').birth();
  let stopped = 0;
  it.supervisor.stop(() => void stopped++);
  it.sync();
  assert.is(it.broker.retained.get('hearth/status'), 'offline');
  assert.is(stopped, 1);
  assert.is(it.clock.pending, 0);
  it.supervisor.stop(() => void stopped++);
  assert.is(stopped, 2);
});

wiring('a journal that cannot be read: one sentence, and the broker hears nothing', () => {
  const it = rig({ disk: new Map([['meta/format', '99']]) });
  assert.match(it.ready() ?? '', /has format 99/);
  assert.is(it.broker.published.length, 0);
});

wiring.run();
