import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { epochBlock } from '../../node-agent/session/session.ts';
import { FakeDisk, hello, joined, newSigner, rig } from '../fixture/agent-rig.ts';

const agents = suite('agent');
const signer = newSigner();
const other = newSigner();

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
  const one = joined(signer);
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
  const one = joined(signer);
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
  const one = joined(signer, { periodMs: 60_000 });
  assert.is(one.link.of('lwt')[0]?.period_ms, 10_000);
  one.link.published = [];
  one.clock.pass(120_000);
  assert.is(one.link.of('load').length, 2);
  assert.is(one.link.of('heartbeat').length, 10);
});

agents('is goes out at most once a second, and the last state is always told', () => {
  const one = joined(signer);
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
  const one = joined(signer);
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
  const one = joined(signer);
  one.link.published = [];
  const text = { cluster: signer.cluster, boot: 'b', gen: 0, rev: 5, ver: 'x', proto: 1, at_ms: 1 };
  for (let count = 0; count < 30; count++) {
    one.link.say('hearth/hello', JSON.stringify(text));
    one.clock.pass(100);
  }
  const answers = one.link.of('lwt').length;
  assert.ok(answers >= 4 && answers <= 7, `${answers}`);
});

agents('stop says farewell, lets go of the services, and ends even where the broker does not answer', () => {
  const one = joined(signer);
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
