import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FakeDisk, hello, joined, newSigner, rig } from '../fixture/agent-rig.ts';

const nothing = { packages: {}, files: {}, checks: {}, conflicts: [] };

const agents = suite('agent, documents and orders');
const signer = newSigner();
const other = newSigner();

agents('the first document is held for a second, then joins the cluster and is obeyed', () => {
  const one = rig({ node: 'n1' });
  one.agent.start();
  one.link.up();
  one.want(signer, 5, hello());
  one.clock.pass(900);
  assert.is(one.reconciler.applied.length, 0);
  one.clock.pass(200);
  assert.equal(one.reconciler.applied, [{ ...nothing, rev: 5, services: hello() }]);
  assert.is(one.disk.memory?.cluster?.fingerprint, signer.cluster);
  assert.is(JSON.parse(one.disk.want ?? '').rev, 5);
  one.want(signer, 6);
  assert.is(one.reconciler.applied.length, 2, 'later ones at once');
});

agents('a document whose copy cannot be kept is obeyed all the same, and is says so', () => {
  const one = joined(signer);
  one.disk.fails = 'the disk is full';
  one.want(signer, 6);
  one.clock.pass(1000);
  assert.is(one.reconciler.applied.at(-1)?.rev, 6);
  assert.match(String(one.link.of('is').at(-1)?.err), /full/);
});

agents('a disk that has room again gets what it refused, and is says so', () => {
  const one = joined(signer);
  one.disk.fails = 'the disk is full';
  one.want(signer, 6);
  one.clock.pass(1000);
  assert.match(String(one.link.of('is').at(-1)?.err), /full/);
  one.disk.fails = '';
  one.clock.pass(10_000);
  assert.is(JSON.parse(one.disk.want ?? '').rev, 6);
  assert.is(one.link.of('is').at(-1)?.err, '');
});

/** It has heard its first document, and its disk takes no cluster. */
function heldByDisk() {
  const one = rig({ node: 'n1' });
  one.agent.start();
  one.link.up();
  one.disk.fails = 'the disk is full';
  one.want(signer, 5, hello());
  one.clock.pass(3000);
  return one;
}

agents('a cluster that could not be kept is joined as soon as it can, without a reconnect', () => {
  const one = heldByDisk();
  one.disk.fails = '';
  one.clock.pass(10_000);
  assert.is(one.disk.memory?.cluster?.fingerprint, signer.cluster);
  assert.is(one.reconciler.applied.at(-1)?.rev, 5);
  assert.is(one.link.of('is').at(-1)?.err, '');
});

agents('a cluster that cannot be kept is not joined', () => {
  const one = heldByDisk();
  assert.is(one.reconciler.applied.length, 0);
  assert.is(one.link.of('is').at(-1)?.state, 'failed');
});

agents('a foreign cluster changes nothing and is named', () => {
  const one = joined(signer);
  one.want(other, 1000, {});
  one.clock.pass(1100);
  assert.is(one.reconciler.applied.length, 1);
  assert.match(String(one.link.of('is').at(-1)?.err), new RegExp(`ignored a want of cluster ${other.cluster}`));
  one.want(signer, 5, hello());
  one.clock.pass(1100);
  assert.is(one.link.of('is').at(-1)?.err, '', 'our own supervisor clears it');
});

agents('after a restart the services of the kept document are there before any broker', () => {
  const one = joined(signer);
  const disk = new FakeDisk();
  disk.memory = one.disk.memory;
  disk.want = one.disk.want;
  const two = rig({ disk });
  two.agent.start();
  assert.equal(two.reconciler.started, { ...nothing, rev: 5, services: hello() });
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
  const one = joined(signer);
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
  const one = joined(signer);
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
  const one = joined(signer);
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
  const one = joined(signer);
  one.reconciler.handlers?.output('hello', ['one', 'two']);
  one.clock.pass(200);
  const log = one.link.published.find(message => message.topic === 'hearth/node/n1/log/hello');
  assert.equal([log?.payload, log?.qos, log?.retain], ['one\ntwo', 1, false]);
});

agents('forget stops the services, forgets the cluster, clears what is retained, and ends', () => {
  const one = joined(signer);
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

agents.run();
