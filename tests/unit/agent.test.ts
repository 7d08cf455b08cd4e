import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { epochBlock } from '../../node-agent/session/session.ts';
import { FakeDisk, newSigner, rig } from '../fixture/agent-rig.ts';

const agents = suite('agent');
const signer = newSigner();
const other = newSigner();
const hello = (services = 'sleep 1') => ({ hello: { run: services, from: 'node/n1' } });

/** An agent that has joined `signer`'s cluster and is up. */
function joined(options: Parameters<typeof rig>[0] = {}) {
  const one = rig({ node: 'n1', ...options });
  one.agent.start();
  one.up();
  one.want(signer, 5, hello());
  one.clock.pass(2000);
  return one;
}

agents('every CONNECT has an epoch of its own, reserved on disk before it is used', () => {
  const { agent, link, disk, clock } = rig({ node: 'n1' });
  agent.start();
  for (let round = 1; round <= 3; round++) {
    const will = JSON.parse(link.connects.at(-1)?.will.payload ?? '');
    assert.is(will.epoch, round);
    assert.is(will.online, false);
    assert.ok((disk.memory?.epochCeiling ?? 0) >= round, 'reserved before');
    link.down();
    clock.pass(10_000);
  }
  assert.is(disk.memory?.epochCeiling, epochBlock);
  assert.is(disk.saves.length, 2, 'one sync per block');
});

agents('after a power cut no epoch comes twice', () => {
  const first = rig({ node: 'n1' });
  first.agent.start();
  const disk = new FakeDisk();
  disk.memory = first.disk.memory;
  const second = rig({ disk });
  second.agent.start();
  assert.ok(second.agent.epoch > first.agent.epoch);
  assert.is(second.agent.node, 'n1');
});

agents('a disk that cannot reserve does not keep the node away', () => {
  const one = joined();
  one.disk.fails = 'the disk is full';
  for (let round = 0; round < epochBlock + 2; round++) {
    one.link.down();
    one.clock.pass(10_000);
  }
  one.up();
  assert.is(one.link.of('is').at(-1)?.err, 'the disk is full');
  assert.is(one.agent.epoch, epochBlock + 3);
});

agents('at every up: birth, info and is, and the will of the same epoch', () => {
  const { agent, link, clock } = rig({ node: 'n1' });
  agent.start();
  for (let round = 1; round <= 2; round++) {
    link.published = [];
    link.up();
    const birth = link.published[0];
    assert.is(birth?.topic, 'hearth/node/n1/lwt');
    assert.equal([birth?.qos, birth?.retain], [1, false]);
    assert.equal(JSON.parse(birth?.payload ?? ''), {
      ...{ epoch: round, inst: '0000000000000001', online: true, period_ms: 5000, proto: 1 },
    });
    assert.is(JSON.parse(link.connects.at(-1)?.will.payload ?? '').epoch, round);
    assert.equal(link.of('info'), [{ node: 'n1', ver: '1.2.3', os: 'Test OS', arch: 'x64', cores: 2 }]);
    assert.is(link.of('is')[0]?.state, 'init');
    assert.ok(link.published.filter(m => /(is|info)$/.test(m.topic)).every(m => m.retain && m.qos === 1));
    link.down();
    clock.pass(10_000);
  }
});

agents('what a node subscribes is its own', () => {
  const { agent, link } = rig({ node: 'n1' });
  agent.start();
  assert.equal(link.connects[0]?.subscriptions, ['hearth/node/n1/want', 'hearth/node/n1/cmd', 'hearth/hello']);
  assert.is(link.connects[0]?.clientId, 'hearth-n1');
  assert.is(link.connects[0]?.keepaliveS, 3);
});

agents('load comes every period with a rising seq, and nothing is kept for later while offline', () => {
  const one = joined();
  one.link.published = [];
  one.clock.pass(20_000);
  const loads = one.link.of('load');
  assert.is(loads.length, 4);
  assert.equal(loads[0], { node: 'n1', epoch: 1, seq: loads[0]?.seq, cpu_pct: 12.5, up_s: 99 });
  assert.equal(
    loads.map(load => load.seq),
    [0, 1, 2, 3].map(n => n + Number(loads[0]?.seq)),
  );
  assert.equal(one.link.of('cores')[0], { node: 'n1', pct: [10, 15] });
  one.link.down();
  one.link.published = [];
  one.clock.pass(60_000);
  one.link.isUp = true;
  one.clock.pass(1);
  assert.is(one.link.published.length, 0, 'nothing without a session');
  one.link.up();
  one.clock.pass(100);
  assert.is(one.link.of('load').length, 0, 'no stale load at the birth');
});

agents('a long period is filled with heartbeats, and the birth names the shorter one', () => {
  const one = joined({ periodMs: 60_000 });
  assert.is(one.link.of('lwt')[0]?.period_ms, 10_000);
  one.link.published = [];
  one.clock.pass(120_000);
  assert.is(one.link.of('load').length, 2);
  assert.is(one.link.of('heartbeat').length, 10);
});

agents('the first document is held for a second, then joins the cluster and is obeyed', () => {
  const one = rig({ node: 'n1' });
  one.agent.start();
  one.link.up();
  one.want(signer, 5, hello());
  one.clock.pass(900);
  assert.is(one.reconciler.applied.length, 0);
  one.clock.pass(200);
  assert.equal(one.reconciler.applied, [{ rev: 5, services: hello() }]);
  assert.is(one.disk.memory?.cluster?.fingerprint, signer.cluster);
  assert.is(JSON.parse(one.disk.want ?? '').rev, 5);
  one.want(signer, 6);
  assert.is(one.reconciler.applied.length, 2, 'later ones at once');
});

agents('a document whose copy cannot be kept is obeyed all the same, and is says so', () => {
  const one = joined();
  one.disk.fails = 'the disk is full';
  one.want(signer, 6);
  one.clock.pass(1000);
  assert.is(one.reconciler.applied.at(-1)?.rev, 6);
  assert.match(String(one.link.of('is').at(-1)?.err), /full/);
});

agents('a disk that has room again gets what it refused, and is says so', () => {
  const one = joined();
  one.disk.fails = 'the disk is full';
  one.want(signer, 6);
  one.clock.pass(1000);
  assert.match(String(one.link.of('is').at(-1)?.err), /full/);
  one.disk.fails = '';
  one.clock.pass(10_000);
  assert.is(JSON.parse(one.disk.want ?? '').rev, 6);
  assert.is(one.link.of('is').at(-1)?.err, '');
});

agents('a cluster that could not be kept is joined as soon as it can, without a reconnect', () => {
  const one = rig({ node: 'n1' });
  one.agent.start();
  one.link.up();
  one.disk.fails = 'the disk is full';
  one.want(signer, 5, hello());
  one.clock.pass(3000);
  one.disk.fails = '';
  one.clock.pass(10_000);
  assert.is(one.disk.memory?.cluster?.fingerprint, signer.cluster);
  assert.is(one.reconciler.applied.at(-1)?.rev, 5);
  assert.is(one.link.of('is').at(-1)?.err, '');
});

agents('a cluster that cannot be kept is not joined', () => {
  const one = rig({ node: 'n1' });
  one.agent.start();
  one.link.up();
  one.disk.fails = 'the disk is full';
  one.want(signer, 5, hello());
  one.clock.pass(3000);
  assert.is(one.reconciler.applied.length, 0);
  assert.is(one.link.of('is').at(-1)?.state, 'failed');
});

agents('a foreign cluster changes nothing and is named', () => {
  const one = joined();
  one.want(other, 1000, {});
  one.clock.pass(1100);
  assert.is(one.reconciler.applied.length, 1);
  assert.match(String(one.link.of('is').at(-1)?.err), new RegExp(`ignored a want of cluster ${other.cluster}`));
  one.want(signer, 5, hello());
  one.clock.pass(1100);
  assert.is(one.link.of('is').at(-1)?.err, '', 'our own supervisor clears it');
});

agents('after a restart the services of the kept document are there before any broker', () => {
  const one = joined();
  const disk = new FakeDisk();
  disk.memory = one.disk.memory;
  disk.want = one.disk.want;
  const two = rig({ disk });
  two.agent.start();
  assert.equal(two.reconciler.started, { rev: 5, services: hello() });
  for (let day = 0; day < 3; day++) two.clock.pass(24 * 3_600_000);
  two.up();
  two.want(signer, 5, hello());
  assert.is(two.reconciler.applied.length, 0, 'the same one again is no news');
  two.want(signer, 4, {});
  assert.is(two.reconciler.applied.length, 0, 'an older one neither');
  two.want(signer, 6, {});
  assert.is(two.reconciler.applied.length, 1);
});

for (const [name, text] of [
  ['half-written', '{"cluster":"'],
  [
    'of another node',
    JSON.stringify({ cluster: signer.cluster, key: signer.key, gen: 0, rev: 1, node: 'x', services: {} }),
  ],
  [
    'of another cluster',
    JSON.stringify({ cluster: other.cluster, key: other.key, gen: 0, rev: 1, node: 'n1', services: {} }),
  ],
] as const) {
  agents(`a kept document that is ${name} is reported, and the supervisor's is obeyed`, () => {
    const disk = new FakeDisk();
    disk.memory = {
      node: 'n1',
      inst: 'aaaaaaaa',
      epochCeiling: 9,
      cluster: { fingerprint: signer.cluster, key: signer.key },
    };
    disk.want = text;
    const one = rig({ disk });
    one.agent.start();
    assert.is(one.reconciler.started, undefined);
    one.up();
    assert.match(String(one.link.of('is')[0]?.err), /kept document cannot be used.*waiting for the supervisor/);
    one.want(signer, 3, hello());
    one.clock.pass(2000);
    assert.is(one.reconciler.applied.at(-1)?.rev, 3);
    assert.is(one.link.of('is').at(-1)?.err, '');
  });
}

agents('is goes out at most once a second, and the last state is always told', () => {
  const one = joined();
  one.clock.pass(5000);
  one.link.published = [];
  for (let change = 0; change < 300; change++) {
    one.reconciler.status = { 'services/hello': { state: 'running', restarts: change } };
    one.reconciler.handlers?.changed();
    one.clock.pass(10);
  }
  one.clock.pass(1500);
  const told = one.link.of('is');
  assert.ok(told.length >= 3 && told.length <= 5, `${told.length}`);
  assert.equal(told.at(-1)?.items, { 'services/hello': { state: 'running', restarts: 299 } });
  one.reconciler.handlers?.changed();
  one.clock.pass(3000);
  assert.is(one.link.of('is').length, told.length, 'no change, no message');
});

agents('hello is answered within a second, once for many, with birth, info and is', () => {
  const one = joined();
  one.link.published = [];
  const text = { cluster: signer.cluster, boot: 'b', gen: 0, rev: 5, ver: 'x', proto: 1, at_ms: one.clock.wall() - 40 };
  for (let count = 0; count < 50; count++) one.link.say('hearth/hello', JSON.stringify(text));
  assert.is(one.link.of('lwt').length, 0, 'not at once');
  one.clock.pass(1000);
  assert.is(one.link.of('lwt').length, 1);
  assert.is(one.link.of('lwt')[0]?.epoch, 1, 'the same epoch');
  assert.is(one.link.of('info')[0]?.clock_off_ms, 40);
  assert.is(one.link.of('is').length, 1);
});

agents('a flood of hellos neither multiplies nor puts off the answer', () => {
  const one = joined();
  one.link.published = [];
  const text = { cluster: signer.cluster, boot: 'b', gen: 0, rev: 5, ver: 'x', proto: 1, at_ms: 1 };
  for (let count = 0; count < 30; count++) {
    one.link.say('hearth/hello', JSON.stringify(text));
    one.clock.pass(100);
  }
  const answers = one.link.of('lwt').length;
  assert.ok(answers >= 4 && answers <= 7, `${answers}`);
});

agents('a first document that was held when its connection went is void', () => {
  const one = rig({ node: 'n1' });
  one.agent.start();
  one.link.up();
  one.want(signer, 5, hello());
  one.link.down();
  one.clock.pass(3000);
  one.link.up();
  one.clock.pass(3000);
  assert.is(one.reconciler.applied.length, 0);
  assert.is(one.disk.memory?.cluster, undefined);
});

agents('a rebirth above the own epoch reconnects above it; one below only announces', () => {
  const one = joined();
  one.link.published = [];
  one.cmd(signer, 1, 'rebirth', {});
  assert.is(one.link.of('lwt').length, 1);
  assert.is(one.link.connects.length, 1);
  one.cmd(signer, 2, 'rebirth', { epoch: 500 });
  assert.equal(one.link.closes, [true], 'DISCONNECT: no will');
  one.clock.pass(1500);
  assert.is(one.link.connects.length, 2);
  assert.is(one.agent.epoch, 501);
  assert.ok((one.disk.memory?.epochCeiling ?? 0) >= 501);
  assert.equal(one.link.of('done'), [
    { id: 'o1', ok: true },
    { id: 'o2', ok: true },
  ]);
});

agents('backoff keeps away as long as told, without a will', () => {
  const one = joined();
  one.cmd(signer, 1, 'backoff', { ms: 60_000 });
  assert.equal(one.link.closes, [true]);
  one.clock.pass(59_000);
  assert.is(one.link.connects.length, 1);
  one.clock.pass(1500);
  assert.is(one.link.connects.length, 2);
  assert.is(one.agent.node, 'n1', 'a chosen id stays');
});

agents('a host name that is taken gets four hex digits, once, and for ever', () => {
  const one = rig();
  one.agent.start();
  assert.is(one.agent.node, 'box');
  one.link.up();
  one.want(signer, 5, hello());
  one.cmd(signer, 1, 'backoff', { ms: 60_000 });
  const renamed = one.agent.node;
  assert.match(renamed, /^box-[0-9a-f]{4}$/);
  one.clock.pass(1500);
  assert.is(one.link.connects.at(-1)?.clientId, `hearth-${renamed}`);
  assert.is(one.link.connects.at(-1)?.subscriptions[0], `hearth/node/${renamed}/want`);
  assert.is(one.reconciler.applied.length, 0, 'the document of the other host was not obeyed');
  one.up();
  one.cmd(signer, 1, 'backoff', { ms: 60_000 });
  assert.is(one.agent.node, renamed, 'only once');
  const disk = new FakeDisk();
  disk.memory = one.disk.memory;
  const again = rig({ disk });
  again.agent.start();
  assert.is(again.agent.node, renamed);
});

agents('a host name that a cluster knows already stays', () => {
  const one = rig();
  one.agent.start();
  one.link.up();
  one.want(signer, 5, hello());
  one.clock.pass(2000);
  one.cmd(signer, 1, 'backoff', { ms: 60_000 });
  assert.is(one.agent.node, 'box');
});

agents('orders are answered once, and only those of this session', () => {
  const one = joined();
  one.cmd(signer, 10, 'restart', { service: 'hello' });
  one.cmd(signer, 10, 'restart', { service: 'hello' });
  one.cmd(signer, 9, 'restart', { service: 'hello' });
  one.cmd(signer, 11, 'restart', { service: 'hello' }, { epoch: 99 });
  one.cmd(signer, 12, 'restart', { service: 'hello' }, { inst: 'ffffffff' });
  one.cmd(other, 13, 'restart', { service: 'hello' });
  assert.equal(one.reconciler.restarted, ['hello']);
  one.cmd(signer, 14, 'restart', { service: 'nope' });
  one.cmd(signer, 15, 'restart');
  one.cmd(signer, 16, 'explode');
  one.cmd(signer, 17, 'follow', { service: 'hello', ms: 1e12 });
  assert.equal(one.link.of('done'), [
    { id: 'o10', ok: true },
    { id: 'o14', ok: false, error: 'no service "nope" here' },
    { id: 'o15', ok: false, error: 'restart which service? send its name as the payload' },
    { id: 'o16', ok: false, error: 'this agent does not know the verb "explode"' },
    { id: 'o17', ok: true },
  ]);
  assert.equal(one.reconciler.followed, [['hello', 300_000]]);
});

agents('followed output goes to log, at QoS 1 and not retained', () => {
  const one = joined();
  one.reconciler.handlers?.output('hello', ['one', 'two']);
  one.clock.pass(200);
  const log = one.link.published.find(message => message.topic === 'hearth/node/n1/log/hello');
  assert.equal([log?.payload, log?.qos, log?.retain], ['one\ntwo', 1, false]);
});

agents('forget stops the services, forgets the cluster, clears what is retained, and ends', () => {
  const one = joined();
  one.cmd(signer, 1, 'forget');
  assert.is(one.reconciler.stoppedAll, 1);
  assert.is(one.disk.memory?.cluster, undefined);
  assert.is(one.disk.want, '');
  const cleared = one.link.published.filter(message => message.payload === '' && message.retain);
  assert.equal(cleared.map(message => message.topic).sort(), ['hearth/node/n1/info', 'hearth/node/n1/is']);
  assert.is(one.states.at(-1), 'left');
  assert.is(one.link.of('lwt').at(-1)?.online, false);
  one.clock.pass(100_000);
  assert.is(one.link.connects.length, 1);
});

agents('stop says farewell, lets go of the services, and ends even where the broker does not answer', () => {
  const one = joined();
  one.link.answersClose = false;
  let ended = 0;
  one.agent.stop({ stopServices: false }, () => ended++);
  assert.is(one.link.of('lwt').at(-1)?.online, false);
  assert.is(ended, 0);
  one.clock.pass(2500);
  assert.is(ended, 1);
  assert.is(one.reconciler.stoppedAll, 0);
  assert.is(one.reconciler.closed, 1);
});

agents('a link that says nothing at all is given up and tried again', () => {
  const one = rig({ node: 'n1' });
  one.link.answersClose = false;
  one.agent.start();
  one.clock.pass(15_500);
  assert.equal(one.link.closes, [false]);
  assert.is(one.link.connects.length, 1);
  one.clock.pass(20_000);
  assert.is(one.link.connects.length, 2);
});

agents('without a cluster and with a broker elsewhere it refuses and names the way out', () => {
  const one = rig({ node: 'n1', trustFirst: false });
  one.agent.start();
  assert.equal(one.states, ['refused']);
  assert.match(one.errors[0] ?? '', /--cluster FINGERPRINT/);
  assert.is(one.link.connects.length, 0);
  const named = rig({ node: 'n1', trustFirst: false, cluster: signer.cluster });
  named.agent.start();
  named.link.up();
  named.want(other, 1, hello());
  named.clock.pass(2000);
  assert.is(named.reconciler.applied.length, 0);
  named.want(signer, 1, hello());
  assert.is(named.reconciler.applied.length, 1);
});

agents.run();
