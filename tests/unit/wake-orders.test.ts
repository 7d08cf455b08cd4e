/** `do/wake` through the whole supervisor, in virtual time: what leaves, through whom, how often, and how it ends. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { sleeperLimits } from '../../broker/power/sleepers.ts';
import type { MemoryDisk } from '../../broker/store/memory.ts';
import type { FabricEvent, ResultMessage } from '../../shared/schemas/fabric.ts';
import type { WakeSender } from '../../shared/wake/sender.ts';
import { node, type Rig, rig } from '../fixture/supervisor-rig.ts';

const test = suite('wake: orders');
const mac = 'dc:a6:32:00:00:01';
const near = '192.168.1.5';

/** A supervisor in 192.168.1.0/24; what it sends is kept with the time. */
function scene(options: { disk?: MemoryDisk; enrolled?: (id: string) => string | undefined; fails?: string } = {}) {
  const sent: { at: number; macs: readonly string[] }[] = [];
  const sender: WakeSender = {
    nets: () => ['192.168.1.0/24'],
    send(macs, done) {
      sent.push({ at: it.clock.now(), macs });
      done(options.fails === undefined ? { sent: [near], failed: [] } : { sent: [], failed: [options.fails] });
    },
  };
  const { enrolled, disk } = options;
  const it: Rig = rig({ ...(disk ? { disk } : {}), waking: { sender, ...(enrolled ? { enrolled } : {}) } });
  const join = (id: string, info: object = {}) => {
    const one = node(it.broker, id);
    one.birth();
    it.sync();
    one.info(info);
    return one;
  };
  /** Time passes, and who is online says so. */
  const pass = (seconds: number, ...awake: ReturnType<typeof node>[]) => {
    for (let i = 0; i < seconds; i++) {
      for (const one of awake) one.load();
      it.clock.advance(1000);
      it.sync();
    }
  };
  const results = (id: string) =>
    it.broker.published
      .filter(({ topic }) => topic === `hearth/node/${id}/result`)
      .map(({ text }) => JSON.parse(text) as ResultMessage);
  const last = (id: string) => results(id).at(-1);
  const events = () =>
    it.broker.published
      .filter(({ topic }) => topic === 'hearth/event')
      .map(({ text }) => JSON.parse(text) as FabricEvent);
  const orders = (id: string) => it.broker.count(`hearth/node/${id}/cmd`);
  return { it, sent, join, pass, results, last, events, orders };
}

test('packets leave at once and every ten seconds; online is the end, and it is ok', () => {
  const { it, sent, join, pass, last, results, events } = scene();
  join('n1', { macs: `${mac},9a:00:00:00:00:01` }).will();
  const accepted = it.ask('node/n1/do/wake', 'PRESS');
  assert.deepEqual([accepted.ok, accepted.state], [true, 'accepted']);
  it.clock.advance(0);
  assert.deepEqual(sent[0]?.macs, [mac], 'the card’s alone');
  pass(25);
  assert.equal(sent.length, 3);
  assert.equal(results('n1').length, 1);
  node(it.broker, 'n1', 'aaaaaaaa', 2).birth();
  assert.deepEqual([last('n1')?.state, last('n1')?.ok, last('n1')?.error], ['finished', true, undefined]);
  pass(30);
  assert.equal(sent.length, 3, 'none after it');
  assert.ok(!events().some(({ kind }) => kind === 'wake-failed'));
});

test('who does not come is given up: what was sent, from where, what to check; and an event names it', () => {
  const { it, sent, join, pass, last, events } = scene();
  join('n1', { macs: mac }).will();
  it.ask('node/n1/do/wake', '{"within_s":30,"tx":"w1"}');
  pass(29);
  assert.equal(last('n1')?.state, 'accepted');
  pass(2);
  const { ok, state, error = '', tx } = last('n1') ?? {};
  assert.deepEqual([ok, state, tx, sent.length], [false, 'finished', 'w1', 3]);
  assert.match(
    error,
    /^it did not come online within 30 s: magic packets for dc:a6:32:00:00:01 were sent 3 times by the/,
  );
  assert.match(error, /supervisor \(192\.168\.1\.5\); check Wake-on-LAN in its BIOS.*ethtool.*Wi-Fi/);
  const event = events().find(({ kind }) => kind === 'wake-failed');
  assert.deepEqual([event?.level, event?.node], ['warn', 'n1']);
  assert.match(event?.text ?? '', /^n1 was not woken: it did not come online within 30 s/);
});

test('a node that is online is told to be so at once; one with no known card is refused, and so are bad arguments', () => {
  const { it, sent, join, pass, last } = scene();
  const n1 = join('n1', { macs: mac });
  assert.deepEqual(
    [it.ask('node/n1/do/wake').ok, last('n1')?.state, last('n1')?.value],
    [true, 'finished', 'n1 is online already'],
  );
  join('n2', { macs: '02:42:ac:11:00:02', caps: 'container' }).will();
  assert.match(it.ask('node/n2/do/wake').error ?? '', /^no network card of n2 is known that can be woken/);
  n1.will();
  for (const args of ['{"within_s":9}', '{"within_s":901}', '{"within_s":"60"}', '{"macs":"aa"}', 'now'])
    assert.equal(it.ask('node/n1/do/wake', args).ok, false, args);
  assert.match(it.ask('node/n3/do/wake').error ?? '', /unknown node "n3"/);
  pass(20);
  assert.deepEqual(sent, []);
});

test('its card is known after a restart while it is off, or from when it joined', () => {
  const disk: MemoryDisk = new Map();
  const first = scene({ disk });
  first.join('n1', { macs: mac, nets: '10.0.1.0/24' }).will();
  first.pass(3);
  let stopped = false;
  first.it.supervisor.stop(() => {
    stopped = true;
  });
  first.it.sync();
  assert.ok(stopped || disk.size > 0);
  // A broker that has forgotten everything: no `info` is retained.
  const next = scene({ disk });
  assert.equal(next.it.ask('node/n1/do/wake').state, 'accepted');
  next.it.clock.advance(0);
  assert.deepEqual(next.sent[0]?.macs, [mac]);
  next.it.ask('node/n1/do/forget');
  next.pass(3);
  assert.deepEqual(
    [...disk.keys()].filter(key => key.startsWith('wake/')),
    [],
  );

  const other = scene({ enrolled: id => (id === 'n2' ? mac.toUpperCase() : undefined) });
  other.join('n2').will();
  assert.equal(other.it.ask('node/n2/do/wake').state, 'accepted');
  other.it.clock.advance(0);
  assert.deepEqual(other.sent[0]?.macs, [mac]);
});

test('a node in its network sends too; one of an older agent is not asked, and its refusal is part of the answer', () => {
  const { it, join, pass, last, orders } = scene();
  const relay = join('n2', { caps: 'jobs,wol', nets: '10.0.1.0/24,10.0.7.0/24' });
  const other = join('n3', { caps: 'wol', nets: '10.0.2.0/24' });
  const old = join('n4', { caps: 'jobs', nets: '10.0.1.0/24' });
  join('n1', { macs: mac, nets: '10.0.1.0/24', caps: 'wol' }).will();
  it.ask('node/n1/do/wake', '{"within_s":15}');
  it.clock.advance(0);
  const cmd = it.cmd('n2');
  assert.deepEqual([cmd?.verb, cmd?.args], ['wake', { macs: mac }]);
  assert.deepEqual([orders('n3'), orders('n4')], [0, 0]);
  relay.done(cmd?.id ?? '');
  pass(11, relay, other, old);
  relay.done(it.cmd('n2')?.id ?? '', false, 'it is in no IPv4 network');
  other.done(it.cmd('n2')?.id ?? '', false, 'forged');
  pass(5, relay, other, old);
  const { error = '' } = last('n1') ?? {};
  assert.match(
    error,
    /2 times by the supervisor \(192\.168\.1\.5\) and node n2 \(n2: it is in no IPv4 network\); check/,
  );
});

test('nothing that can be sent is said, too', () => {
  const { it, join, pass, last } = scene({ fails: '192.168.1.5: send EPERM' });
  join('n1', { macs: mac }).will();
  it.ask('node/n1/do/wake', '{"within_s":10}');
  pass(11);
  assert.match(last('n1')?.error ?? '', /no magic packet for dc:.* could be sent \(192\.168\.1\.5: send EPERM\)/);
});

test('a thousand orders are no flood: who asks meanwhile waits along, and who asks again is in time', () => {
  const { it, sent, join, pass, results } = scene();
  const one = join('n1', { macs: mac });
  const relay = join('n2', { caps: 'wol', nets: '10.0.1.0/24' });
  one.will();
  for (let i = 0; i < 100; i++) {
    it.person.publish('hearth/node/n1/do/wake', '{"within_s":10}');
    pass(1, relay);
  }
  // At 0 s and then every 10 s, whoever asks.
  assert.ok(sent.length >= 9 && sent.length <= 11, `${sent.length}`);
  for (const [i, { at }] of sent.entries()) {
    if (i > 0) assert.ok(at - (sent[i - 1]?.at ?? 0) >= sleeperLimits.everyMs);
  }
  assert.ok(it.broker.count('hearth/node/n2/cmd') <= sent.length);
  for (let i = 0; i < 50; i++) it.person.publish('hearth/node/n1/do/wake', '');
  it.clock.advance(0);
  assert.ok(results('n1').some(({ error }) => error === '4 orders wait for it to wake already'));
  node(it.broker, 'n1', 'aaaaaaaa', 2).birth();
  one.client.drop();
  assert.equal(results('n1').filter(({ state }) => state === 'finished').length >= 4, true);
});

test('a node that comes and goes gets no packet sooner than ten seconds after the last', () => {
  const { it, sent, join, pass } = scene();
  join('n1', { macs: mac }).will();
  for (let epoch = 2; epoch < 22; epoch++) {
    assert.equal(it.ask('node/n1/do/wake').state, 'accepted');
    pass(1);
    const again = node(it.broker, 'n1', 'aaaaaaaa', epoch);
    again.birth();
    again.will();
    pass(1);
  }
  assert.ok(sent.length >= 4 && sent.length <= 5, `${sent.length}`);
});

test('everybody: who is online counts, the others get packets, so many a tick', () => {
  const { it, sent, join, pass, last, events } = scene();
  for (let i = 0; i < 20; i++) join(`n${i}`, { macs: `dc:a6:32:00:00:${10 + i}` }).will();
  const awake = join('awake', { macs: mac });
  const bare = join('bare', {});
  bare.will();
  assert.deepEqual([it.ask('node/all/do/wake', '{"within_s":10}').n], [22]);
  it.clock.advance(0);
  assert.deepEqual(
    sent.map(({ macs }) => macs.length),
    [sleeperLimits.perTick],
  );
  it.clock.advance(1000);
  assert.deepEqual(
    sent.map(({ macs }) => macs.length),
    [8, 8, 4],
  );
  node(it.broker, 'n3', 'aaaaaaaa', 2).birth();
  pass(11, awake);
  const end = last('all');
  assert.deepEqual([end?.state, end?.ok, end?.n, end?.ok_n], ['finished', false, 22, 2]);
  assert.match(end?.failed ?? '', /^bare,n0,n1,n2,n4,/);
  const lost = events().filter(({ kind }) => kind === 'wake-failed');
  assert.deepEqual([lost.length, lost[0]?.node], [6, 'n0']);
  assert.match(lost[5]?.text ?? '', /^14 more were not woken: n6, n7,/);
});

test('a node that says hostile things of its cards costs no more than any other', () => {
  const { it, sent, join, pass } = scene();
  const many = Array.from({ length: 14 }, (_, i) => `dc:a6:32:00:00:${10 + i}`).join();
  join('n1', { macs: many, nets: '0.0.0.0/0,x,10.0.0.0/99999' }).will();
  join('n2', { macs: 'ff:ff:ff:ff:ff:ff,01:00:5e:00:00:01' }).will();
  it.ask('node/n1/do/wake', '{"within_s":10}');
  assert.equal(it.ask('node/n2/do/wake').ok, false);
  pass(5);
  assert.deepEqual(
    sent.map(({ macs }) => macs.length),
    [4],
  );
});

test.run();
