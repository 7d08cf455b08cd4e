import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { createEmbeddedBroker } from '../../broker/mqtt/embedded.ts';
import type { Peer } from '../../broker/trust/types.ts';
import { silentLog } from '../../shared/log.ts';
import { code, connack, local, loginBroker, network } from '../fixture/login-broker.ts';
import { MemoryClient, turns } from '../fixture/memory-client.ts';
import { folder, until } from '../fixture/processes.ts';

const test = suite('access: logins');

const onBroker = loginBroker(test);

onBroker('who is refused reads why in words of its version, and the connection ends', async ({ join, broker }) => {
  const five = await join('viewer', 'v', { password: Buffer.from('wrong') });
  assert.equal(code(five), 0x86);
  assert.match(connack(five)?.properties?.reasonString ?? '', /wrong/);
  const four = await join('viewer', 'v', { version: 4, password: Buffer.from('wrong') });
  assert.equal(code(four), 4);
  const slow = await join('slow', 's');
  assert.equal(code(slow), 0x9f);
  assert.deepEqual({ ...connack(slow)?.properties?.userProperties }, { 'retry-ms': '2500' });
  assert.equal(code(await join('slow', 's', { version: 4 })), 3);
  assert.equal(code(await join('broken', 's')), 0x89);
  assert.equal(code(await join(undefined, 'nobody')), 0x86);
  const tight = await join('viewer', 'v', { password: Buffer.from('wrong'), properties: { maximumPacketSize: 20 } });
  assert.equal(code(tight), 0x86);
  assert.equal(connack(tight)?.properties, undefined);
  await until('they are gone', () => broker.gauges().connections === 0);
  assert.equal(broker.gauges().refusedLogins, 7);
  assert.ok(five.destroyed || five.writableEnded || five.readableEnded);
});

onBroker('what is said behind a refused CONNECT is not heard', async ({ broker }) => {
  const client = new MemoryClient({ ...broker, attach: stream => broker.attach(stream, network) });
  client.say(
    client.connectPacket({ username: 'admin', password: Buffer.from('wrong') }),
    client.bytes({ cmd: 'publish', topic: 'a', payload: 'x', qos: 0, retain: true, dup: false }),
  );
  await turns();
  assert.equal(code(client), 4);
  assert.equal(broker.gauges().published, 0);
});

onBroker('node client ids are for nodes, each its own; an owner may be any of them', async ({ join, connected }) => {
  assert.equal(code(await join('node:n1', 'hearth-n1')), 0);
  assert.equal(code(await join('node:n1', 'hearth-n2')), 0x85);
  assert.equal(code(await join('node:n1', 'someone')), 0x85);
  for (const role of ['admin', 'operator', 'viewer', 'integration']) {
    assert.equal(code(await join(role, 'hearth-n9')), 0x85, role);
    assert.equal(code(await join(role, 'hearth-NOT AN ID')), 0x85, role);
    assert.equal(code(await join(role, `c-${role}`)), 0, role);
  }
  assert.equal(code(await join(undefined, 'hearth-n5', { peer: local })), 0);
  assert.equal(code(await join(undefined, 'cli', { peer: Promise.resolve(local) })), 0);
  const users = Object.fromEntries(
    connected.map(({ clientId, user, how, address }) => [clientId, [user, how, address]]),
  );
  assert.deepEqual(users['hearth-n1'], ['n1', 'password', '192.0.2.7']);
  assert.deepEqual(users['hearth-n5'], ['n5', 'owner', '127.0.0.1']);
  assert.deepEqual(users.cli, ['owner', 'owner', '127.0.0.1']);
});

onBroker('an owner that is a node by its client id may do what that node may, and no more', async ({ join }) => {
  const node = await join(undefined, 'hearth-n5', { peer: local });
  const write = async (topic: string) => {
    node.packets.length = 0;
    node.say(node.bytes({ cmd: 'publish', topic, payload: 'x', qos: 1, messageId: 3, retain: false, dup: false }));
    await turns();
    return node.packets.find(({ cmd }) => cmd === 'puback')?.reasonCode ?? 0;
  };
  assert.equal(await write('hearth/node/n5/info'), 0);
  assert.equal(await write('hearth/node/n6/info'), 0x87);
  assert.equal(await write('hearth/node/n5/set'), 0x87);
});

onBroker('a client id in use belongs to its principal', async ({ join }) => {
  const first = await join('viewer:vera', 'shared');
  assert.equal(code(await join('admin:anna', 'shared')), 0x85);
  assert.equal(code(await join(undefined, 'shared', { peer: local })), 0x85);
  assert.ok(!first.destroyed);
  assert.equal(code(await join('viewer:vera', 'shared')), 0);
  const bob = { kind: 'user', name: 'bob', serial: '1' } as const;
  assert.equal(code(await join('operator:bob', 'bobs')), 0);
  assert.equal(code(await join(undefined, 'bobs', { peer: { ...network, certificate: bob } })), 0, 'the same person');
});

const cacheFolder = folder();
onBroker(
  'a kept session, too, over a restart, until its principal is revoked',
  async ({ join, hand, broker }) => {
    const client = await join('viewer:vera', 'reader', { clean: true, properties: { sessionExpiryInterval: 1000 } });
    client.subscribe('a/b');
    await turns();
    client.destroy();
    await turns();
    assert.equal(broker.gauges().sessionsKept, 1);
    assert.equal(code(await join('admin:anna', 'reader')), 0x85);
    assert.equal(code(await join('admin:anna', 'reader', { clean: false })), 0x85);
    await broker.close();
    const again = await createEmbeddedBroker({ base: 'hearth', log: silentLog, authenticator: hand, cacheFolder });
    const late = new MemoryClient({ ...again, attach: stream => again.attach(stream, network) }, 5);
    late.say(late.connectPacket({ clientId: 'reader', username: 'admin', password: Buffer.from('right') }));
    await turns();
    assert.equal(code(late), 0x85);
    hand.revoke('user', 'vera');
    assert.equal(again.gauges().sessionsKept, 0);
    const then = new MemoryClient({ ...again, attach: stream => again.attach(stream, network) }, 5);
    then.say(then.connectPacket({ clientId: 'reader', username: 'admin', password: Buffer.from('right') }));
    await turns();
    assert.equal(code(then), 0);
    await again.close();
  },
  { cacheFolder },
);

onBroker('revoked: every connection of that principal ends, without its will; others stay', async rig => {
  const { join, broker, hand } = rig;
  const will = { topic: 'will', payload: Buffer.from('x'), qos: 0 as const, retain: false };
  const vera = await join('viewer:vera', 'v1');
  const second = await join('operator:vera', 'v2', { will });
  const anna = await join('admin:anna', 'a1');
  const owner = await join(undefined, 'o1', { peer: local });
  const node = await join('node:vera', 'hearth-vera', { will: { ...will, topic: 'hearth/node/vera/lwt' } });
  hand.revoke('user', 'owner');
  hand.revoke('user', 'vera');
  await turns();
  assert.deepEqual(
    [vera, second, anna, node, owner].map(client => client.destroyed),
    [true, true, false, false, false],
  );
  assert.equal(second.packets.at(-1)?.reasonCode, 0x98);
  hand.revoke('node', 'vera');
  await turns();
  assert.deepEqual(
    [anna, node, owner].map(client => client.destroyed),
    [false, true, false],
  );
  assert.equal(broker.gauges().published, 0);
});

onBroker(
  'a password takes its time: nothing is heard before, and who is revoked or gone meanwhile is not let in',
  async ({ join, broker, hand, connected }) => {
    const anna = await join('admin:anna', 'a');
    anna.say(anna.bytes({ cmd: 'publish', topic: 'early', payload: 'x', qos: 0, retain: false, dup: false }));
    const vera = await join('viewer:vera', 'v');
    const gone = await join('viewer:otto', 'o');
    gone.destroy();
    await turns();
    assert.equal(connack(anna), undefined);
    assert.equal(broker.gauges().published, 0);
    hand.revoke('user', 'vera');
    hand.release();
    await turns();
    assert.equal(code(anna), 0);
    assert.equal(broker.gauges().published, 1, 'what came meanwhile is heard then');
    assert.equal(code(vera), 0x8a);
    assert.deepEqual(
      connected.map(({ clientId }) => clientId),
      ['a'],
    );
  },
  { later: true },
);

onBroker(
  'passwords being checked are bounded',
  async ({ join, hand }) => {
    const both = [await join('viewer', 'a'), await join('viewer', 'b')];
    assert.equal(code(await join('viewer', 'c')), 0x89);
    assert.equal(code(await join(undefined, 'd', { peer: local })), 0, 'who needs no time is served');
    assert.deepEqual(both.map(code), [undefined, undefined]);
    hand.release();
    await turns();
    assert.deepEqual(both.map(code), [0, 0]);
  },
  { later: true, limits: { loginsAtOnce: 2 } },
);

onBroker(
  'the time in which a password is checked is bounded',
  async ({ join, hand }) => {
    const one = await join('viewer', 'a');
    await until('it is given up', () => code(one) !== undefined);
    assert.equal(code(one), 0x89);
    hand.release();
    await turns();
    assert.equal(one.packets.length, 1);
  },
  { later: true, limits: { loginMs: 200 } },
);

onBroker(
  'connections are bounded by address before a login and after, and by principal; owners are not counted',
  async ({ join, broker }) => {
    const from = (address: string): Peer => ({ transport: 'tls', address, owner: false });
    const a = from('192.0.2.1');
    // Those that never say a word are only few.
    const mute = Array.from({ length: 4 }, () => new MemoryClient({ ...broker, attach: s => broker.attach(s, a) }));
    await turns();
    assert.deepEqual(
      mute.map(({ destroyed }) => destroyed),
      [false, false, false, true],
    );
    assert.equal(connack(await join('viewer', 'x', { peer: a })), undefined, 'they take the places of their address');
    for (const client of mute) client.destroy();
    await turns();
    const known: MemoryClient[] = [];
    for (let i = 0; i < 6; i++) known.push(await join(`viewer:${i}`, `v${i}`, { peer: a }));
    assert.deepEqual(known.map(code), [0, 0, 0, 0, 0, undefined]);
    assert.equal(code(await join('viewer:b', 'b', { peer: from('192.0.2.2') })), 0, 'another address');
    known[0]?.destroy();
    await turns();
    assert.equal(code(await join('viewer:6', 'v6', { peer: a })), 0);
    const mine: (number | undefined)[] = [];
    for (let i = 0; i < 4; i++)
      mine.push(code(await join('viewer:vera', `w${i}`, { peer: from(`192.0.2.${10 + i}`) })));
    assert.deepEqual(mine, [0, 0, 0, 0x89]);
    for (let i = 0; i < 10; i++) assert.equal(code(await join(undefined, `o${i}`, { peer: local })), 0);
    // Other users of this machine share one count.
    const others = { ...local, owner: false };
    const theirs: (number | undefined)[] = [];
    for (let i = 0; i < 6; i++) {
      const peer = { ...others, address: i % 2 === 0 ? '127.0.0.1' : '127.0.0.2' };
      theirs.push(code(await join(`viewer:u${i}`, `u${i}`, { peer: Promise.resolve(peer) })));
    }
    assert.deepEqual(theirs, [0, 0, 0, 0, 0, undefined]);
  },
  { limits: { connectionsPerAddress: 5, waitingPerAddress: 3, connectionsPerPrincipal: 3 } },
);

onBroker(
  'new connections of one address are bounded in time',
  async ({ join }) => {
    const codes: (number | undefined)[] = [];
    for (let i = 0; i < 5; i++) {
      const client = await join('viewer', 'same');
      codes.push(code(client));
      client.destroy();
      await turns();
    }
    assert.deepEqual(codes, [0, 0, 0, undefined, undefined]);
  },
  { limits: { connectsAtOnce: 3, connectsPerSecond: 0.01 } },
);

onBroker(
  'who sends too much is read slower and loses nothing; an owner is not held',
  async ({ join, broker }) => {
    const flood = async (client: MemoryClient, many: number) => {
      const packet = { cmd: 'publish', topic: 'a', payload: 'x', qos: 0, retain: false, dup: false } as const;
      for (let i = 0; i < many; i++) client.say(client.bytes(packet));
      await turns();
    };
    await flood(await join(undefined, 'o', { peer: local }), 200);
    assert.equal(broker.gauges().published, 200);
    assert.equal(broker.gauges().throttled, 0);
    const started = performance.now();
    await flood(await join('admin', 'a'), 100);
    const heard = broker.gauges().published - 200;
    assert.ok(heard < 100, `${heard} were heard at once`);
    await until('all are heard', () => broker.gauges().published === 300);
    // 20 at once, then 200 in a second; the last chunk is read when the one before is paid for.
    assert.ok(performance.now() - started > 300, 'it took its time');
    assert.ok(broker.gauges().throttled > 0);
  },
  { limits: { packetsPerSecond: 200, packetsAtOnce: 20 } },
);

test.run();
