/** Wake-on-LAN's packet, the cards that are worth one, the networks of a machine, and which nodes send for which. */
import assert from 'node:assert/strict';
import type { NetworkInterfaceInfo } from 'node:os';
import fc from 'fast-check';
import { suite } from 'uvu';
import { Relays, relayLimits } from '../../broker/power/relays.ts';
import { magicPacket, mostCards, readMacs, wakeable } from '../../shared/wake/magic-packet.ts';
import { ownSubnets, sharedNets } from '../../shared/wake/subnets.ts';

const test = suite('wake: packets, networks, relays');

test('a packet is six bytes FF, and the address sixteen times', () => {
  const hex = Buffer.from(magicPacket('dc:a6:32:0a:0b:0c')).toString('hex');
  assert.equal(hex, `ffffffffffff${'dca6320a0b0c'.repeat(16)}`);
});

test('addresses are read from what a machine says, whatever it says', () => {
  assert.deepEqual(readMacs(' DC:A6:32:00:00:01, nonsense,dc-a6-32-00-00-02,,dc:a6:32:00:00:03'), [
    'dc:a6:32:00:00:01',
    'dc:a6:32:00:00:03',
  ]);
});

test('cards come before what a system or a hypervisor made up, and what is no card gets nothing', () => {
  const card = 'dc:a6:32:00:00:01';
  const made = '9a:12:34:56:78:9a';
  const guest = '08:00:27:00:00:01';
  const docker = '02:42:ac:11:00:02';
  assert.deepEqual(wakeable([docker, made, guest, card, card]), [card]);
  assert.deepEqual(wakeable([docker, made, guest]), [made, guest]);
  assert.deepEqual(wakeable([docker, '00:00:00:00:00:00', 'ff:ff:ff:ff:ff:ff', '01:00:5e:00:00:01']), []);
  // In a container only the card of a machine that shares its network with it is one.
  assert.deepEqual(wakeable([made, guest], true), []);
  assert.deepEqual(wakeable([made, card], true), [card]);
  assert.equal(wakeable(Array.from({ length: 14 }, (_, i) => `dc:a6:32:00:00:${10 + i}`)).length, mostCards);
});

const at = (address: string, netmask: string, more: Partial<NetworkInterfaceInfo> = {}) => [
  { address, netmask, family: 'IPv4', mac: '', internal: false, cidr: null, ...more } as NetworkInterfaceInfo,
];

test('networks with their broadcast addresses: no loopback, no IPv6, no link of two; containers’ come last', () => {
  const subnets = ownSubnets({
    lo: at('127.0.0.1', '255.0.0.0', { internal: true }),
    docker0: at('172.17.0.1', '255.255.0.0'),
    eth0: at('192.168.1.77', '255.255.255.0'),
    eth1: at('10.1.2.3', '255.255.252.0'),
    eth2: at('198.18.0.2', '255.255.255.252'),
    ppp0: at('10.9.9.9', '255.255.255.255'),
    link: at('10.9.8.0', '255.255.255.254'),
    six: [{ address: 'fe80::1', netmask: 'ffff::', family: 'IPv6', internal: false } as NetworkInterfaceInfo],
  });
  assert.deepEqual(
    subnets.map(({ name, broadcast, net }) => [name, broadcast, net]),
    [
      ['eth0', '192.168.1.255', '192.168.1.0/24'],
      ['eth1', '10.1.3.255', '10.1.0.0/22'],
      ['eth2', '198.18.0.3', '198.18.0.0/30'],
      ['docker0', '172.17.255.255', '172.17.0.0/16'],
    ],
  );
  assert.deepEqual(sharedNets(subnets), ['192.168.1.0/24', '10.1.0.0/22', '198.18.0.0/30']);
});

test('who shares a network with the sleeper sends, others in every round', () => {
  const nodes = ['a', 'b', 'c', 'd'].map(node => ({ node, nets: ['10.0.1.0/24'] }));
  const relays = new Relays([...nodes, { node: 'far', nets: ['10.0.2.0/24'] }], ['10.0.9.0/24']);
  assert.deepEqual(relays.choose('d', ['10.0.1.0/24'], 0), ['a', 'b']);
  assert.deepEqual(relays.choose('d', ['10.0.1.0/24'], 1), ['c', 'a']);
});

test('where its network is not known one node for each sends, those first where the supervisor is not', () => {
  const all = [
    { node: 'own', nets: ['10.0.9.0/24'] },
    { node: 'a1', nets: ['10.0.1.0/24'] },
    { node: 'a2', nets: ['10.0.1.0/24'] },
    { node: 'b', nets: ['10.0.2.0/24', '10.0.3.0/24'] },
    { node: 'asleep', nets: ['10.0.4.0/24'] },
    { node: 'nowhere', nets: [] },
  ];
  const relays = new Relays(all, ['10.0.9.0/24']);
  assert.deepEqual(relays.choose('asleep', [], 0), ['a1', 'b', 'own']);
  assert.deepEqual(relays.choose('asleep', ['172.16.0.0/12'], 1), ['a2', 'b', 'own'], 'nobody is there');
  const here = new Relays([{ node: 'b', nets: ['10.0.2.0/24'] }], ['10.0.9.0/24']);
  const atHome = [0, 2, 3].map(round => here.choose('asleep', ['10.0.9.0/24'], round));
  assert.deepEqual(atHome, [[], [], ['b']], 'the supervisor is there itself');
  const many = Array.from({ length: 20 }, (_, i) => ({ node: `n${i}`, nets: [`10.1.${10 + i}.0/24`] }));
  const wide = new Relays(many, []);
  const asked = [0, 1, 2].map(round => wide.choose('asleep', [], round));
  for (const round of asked) assert.equal(round.length, relayLimits.perRound);
  assert.equal(new Set(asked.flat()).size, 20, 'in three rounds all of them');
});

test('whatever networks nodes claim: never more than eight, never the sleeper, never one twice', () => {
  const net = fc.constantFrom('10.0.0.0/8', '10.0.1.0/24', '192.168.1.0/24', '1.2.3.4/30', '0.0.0.0/0');
  const nodes = fc.array(fc.record({ node: fc.constantFrom('a', 'b', 'c', 's'), nets: fc.array(net) }));
  fc.assert(
    fc.property(nodes, fc.array(net), fc.array(net), fc.nat(200), (all, own, nets, round) => {
      const chosen = new Relays(all, own).choose('s', nets, round);
      assert.ok(chosen.length <= relayLimits.perRound && !chosen.includes('s') && !chosen.includes(''));
      assert.equal(new Set(chosen).size, chosen.length);
    }),
  );
});

test.run();
