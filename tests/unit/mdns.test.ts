/** What a supervisor says of itself on the network, and what an agent makes of what it hears there. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Advertised, instanceLabel } from '../../broker/mdns/records.ts';
import { Responder, type Sent } from '../../broker/mdns/responder.ts';
import { chooseSupervisor, isKnown, merged, readFound } from '../../node-agent/discovery/found.ts';
import { type DnsPacket, type DnsRecord, decodeTxt, isNear, srvOf } from '../../shared/mdns/packet.ts';
import { fixedRandom } from '../fixture/agent-rig.ts';

const mdns = suite('mDNS');

const via = { name: 'eth0', address: '198.18.0.1', netmask: '255.255.255.0' };
const wlan = { name: 'wlan0', address: '198.18.9.1', netmask: '255.255.255.0' };
const asker = { address: '198.18.0.9', port: 5353 };
const attic: Advertised = {
  cluster: 'a'.repeat(32),
  ver: '0.1.0',
  hostname: 'attic',
  httpPort: 22581,
  tlsPort: 8883,
};

/** A responder, and time for it; every one of its packets reaches the others on the network. */
class Network {
  now = 1000;
  readonly said: (Sent & { by: Responder })[] = [];
  readonly responders: Responder[] = [];
  private readonly underway: { at: number; packet: DnsPacket }[] = [];

  add(own: Advertised, random = 0.5, interfaces = [via]): Responder {
    const responder = new Responder(own, fixedRandom(random));
    this.responders.push(responder);
    this.carry(responder, responder.interfaces(interfaces, this.now));
    return responder;
  }

  /** Also to the sender itself, as multicast does, and a little later. */
  carry(by: Responder, sent: readonly Sent[]): void {
    for (const each of sent) {
      this.said.push({ ...each, by });
      if (!each.to) this.underway.push({ at: this.now + 5, packet: each.packet });
    }
  }

  pass(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const next = this.responders.reduce((a, b) => (b.deadline() < a.deadline() ? b : a));
      const arriving = this.underway[0]?.at ?? Number.POSITIVE_INFINITY;
      const at = Math.min(next.deadline(), arriving);
      if (at > end) break;
      this.now = Math.max(this.now, at);
      const packet = arriving === at ? this.underway.shift()?.packet : undefined;
      if (!packet) this.carry(next, next.tick(this.now));
      else for (const each of this.responders) this.carry(each, each.heard(packet, asker, via, this.now));
    }
    this.now = end;
  }

  ask(responder: Responder, packet: Partial<DnsPacket>, from = asker): readonly Sent[] {
    const before = this.said.length;
    this.carry(responder, responder.heard({ type: 'query', ...packet }, from, via, this.now));
    this.pass(200);
    return this.said.slice(before);
  }
}

const settled = (own = attic): { network: Network; responder: Responder } => {
  const network = new Network();
  const responder = network.add(own);
  network.pass(5000);
  return { network, responder };
};
const answersOf = (sent: readonly Sent[]): DnsRecord[] => sent.flatMap(({ packet }) => packet.answers ?? []);
/** Instance names that a responder has announced. */
const announced = (network: Network, responder: Responder): Set<string> => {
  const records = answersOf(network.said.filter(({ by }) => by === responder));
  return new Set(records.filter(({ type }) => type === 'SRV').map(({ name }) => name));
};
const disjoint = (a: Set<string>, b: Set<string>): boolean => [...a].every(name => !b.has(name));
const question = { questions: [{ name: '_hearth._tcp.local', type: 'PTR' }] };

mdns('a name is probed three times and announced twice, with everything that is needed to connect', () => {
  const { network, responder } = settled();
  assert.ok(responder.settled);
  assert.equal(
    network.said.map(({ packet }) => packet.type),
    ['query', 'query', 'query', 'response', 'response'],
  );
  const { up } = readFound(network.said[3]?.packet as DnsPacket, '198.18.0.77');
  const expected = { cluster: attic.cluster, name: 'Hearth on attic', port: 22581, ver: '0.1.0' };
  assert.equal(up, [{ ...expected, addresses: ['198.18.0.1', '198.18.0.77'] }]);
  const records = answersOf(network.said.slice(3, 4));
  const mqtt = records.filter(({ name }) => name === 'Hearth on attic._secure-mqtt._tcp.local');
  assert.is(mqtt.map(srvOf).find(Boolean)?.port, 8883);
  const txt = mqtt.find(({ type }) => type === 'TXT') as DnsRecord;
  assert.equal(
    [...decodeTxt(txt)],
    [
      ['txtvers', '1'],
      ['cluster', attic.cluster],
      ['ver', '0.1.0'],
    ],
  );
});

mdns('without MQTT over TLS of its own only HTTP is offered', () => {
  const { network } = settled({ ...attic, tlsPort: 0 });
  assert.not.match(JSON.stringify(network.said), /mqtt|"tls/);
  assert.is(readFound(network.said[3]?.packet as DnsPacket, 'x').up.length, 1);
});

mdns('each interface hears the address that is its own, and a new one hears of everything', () => {
  const network = new Network();
  const responder = network.add(attic);
  network.pass(5000);
  const before = network.said.length;
  network.carry(responder, responder.interfaces([via, wlan], network.now));
  network.pass(3000);
  const sent = network.said.slice(before).filter(({ via: name }) => name === 'wlan0');
  assert.is(sent.length, 2);
  for (const each of sent) {
    const addresses = (each.packet.answers ?? []).filter(({ type }) => type === 'A').map(({ data }) => data);
    assert.equal(addresses, ['198.18.9.1']);
  }
});

mdns(
  'a question is answered once a second, not where the asker knows the answer, and a stranger to mDNS directly',
  () => {
    const { network, responder } = settled();
    const [first, ...more] = network.ask(responder, question);
    assert.is(more.length, 0);
    assert.is(first?.to, undefined);
    assert.is(readFound(first?.packet as DnsPacket, 'x').up.length, 1);
    assert.is(network.ask(responder, question).length, 0, 'not again at once');
    network.pass(1000);
    assert.is(network.ask(responder, question).length, 1);
    network.pass(1000);
    const known = { name: '_HEARTH._tcp.local', type: 'PTR', ttl: 4000, data: 'hearth on attic._hearth._tcp.local' };
    assert.is(network.ask(responder, { ...question, answers: [known] }).length, 0);
    assert.is(network.ask(responder, { ...question, answers: [{ ...known, ttl: 1000 }] }).length, 1);
    network.pass(1000);
    const legacy = { address: '198.18.0.5', port: 40_000 };
    const [direct] = network.ask(responder, { ...question, id: 77 }, legacy);
    assert.equal(direct?.to, legacy);
    assert.is(direct?.packet.id, 77);
    assert.ok(answersOf(direct ? [direct] : []).every(({ ttl, flush }) => (ttl ?? 0) <= 10 && !flush));
    assert.is(network.ask(responder, { questions: [{ name: '_ipp._tcp.local', type: 'PTR' }] }).length, 0);
  },
);

mdns('a name that somebody has is not taken from them', () => {
  const network = new Network();
  const first = network.add(attic);
  // Just after its second announcement.
  network.pass(1900);
  const second = network.add({ ...attic, cluster: 'b'.repeat(32) }, 0.1);
  network.pass(10_000);
  assert.ok(first.settled && second.settled);
  assert.equal([first.number, second.number], [1, 2]);
  assert.ok(disjoint(announced(network, first), announced(network, second)), 'not for a moment');
});

mdns('of two that look for one name at the same moment, one gets it', () => {
  for (const [a, b] of [
    [0.5, 0.5],
    [0.1, 0.9],
  ]) {
    const network = new Network();
    const first = network.add(attic, a);
    const second = network.add({ ...attic, cluster: 'b'.repeat(32) }, b);
    network.pass(15_000);
    assert.ok(first.settled && second.settled);
    assert.equal([first.number, second.number].sort(), [1, 2]);
    assert.ok(disjoint(announced(network, first), announced(network, second)), 'not for a moment');
  }
});

mdns('two networks that become one: one of the two gives its name up', () => {
  const one = settled();
  const other = settled({ ...attic, cluster: 'b'.repeat(32) });
  const network = new Network();
  network.now = Math.max(one.network.now, other.network.now);
  network.responders.push(one.responder, other.responder);
  network.ask(one.responder, question);
  network.pass(15_000);
  assert.equal([one.responder.number, other.responder.number].sort(), [1, 2]);
  assert.ok(one.responder.settled && other.responder.settled);
});

mdns('somebody who contradicts without end is given way to ever more slowly', () => {
  const { network, responder } = settled();
  const liar = (): DnsPacket => {
    const name = `${instanceLabel('attic', responder.number)}._hearth._tcp.local`;
    return { type: 'response', answers: [{ name, type: 'SRV', ttl: 120, data: { port: 1, target: 'x.local' } }] };
  };
  for (let round = 0; round < 120; round++) {
    network.carry(responder, responder.heard(liar(), asker, via, network.now));
    network.pass(500);
  }
  const before = network.said.length;
  for (let round = 0; round < 120; round++) {
    network.carry(responder, responder.heard(liar(), asker, via, network.now));
    network.pass(500);
  }
  assert.ok(network.said.length - before < 60, `${network.said.length - before} packets in a minute`);
});

mdns('the end takes everything back, and nothing is answered after it', () => {
  const { network, responder } = settled();
  const [bye] = responder.end();
  assert.ok((bye?.packet.answers ?? []).every(({ ttl }) => ttl === 0));
  assert.equal(readFound(bye?.packet as DnsPacket, 'x').down, ['Hearth on attic']);
  assert.is(network.ask(responder, question).length, 0);
});

mdns('names fit into a label, whatever the host is called', () => {
  assert.is(instanceLabel('a.b.example', 1), 'Hearth on a-b-example');
  for (const number of [1, 2, 10]) {
    const label = instanceLabel('ß'.repeat(60), number);
    assert.ok(Buffer.byteLength(label) <= 63 && !label.includes('\ufffd'), label);
    assert.ok(number === 1 || label.endsWith(`(${number})`));
  }
});

mdns('what is no supervisor of a cluster is not found, whatever it says', () => {
  const own = settled().network.said[3]?.packet as DnsPacket;
  const changed = (type: string, data: unknown): DnsPacket => ({
    type: 'response',
    answers: (own.answers ?? []).map(record => (record.type === type ? { ...record, data } : record)),
  });
  const hostile: DnsPacket[] = [
    { type: 'response' },
    { type: 'query', answers: own.answers ?? [] },
    changed('SRV', null),
    changed('SRV', { port: 0, target: 'x' }),
    changed('SRV', { port: 70_000, target: 'x' }),
    changed('SRV', { port: '22581', target: 7 }),
    changed('TXT', null),
    changed('TXT', [Buffer.from('cluster=short')]),
    changed('TXT', [Buffer.from(`cluster=${'A'.repeat(32)}`)]),
    changed('TXT', Array(1000).fill(Buffer.from('x'))),
    changed('PTR', 7),
  ];
  for (const packet of hostile) assert.equal(readFound(packet, '198.18.0.9').up, []);
  const odd = readFound(changed('A', '../../etc/passwd'), '198.18.0.9').up;
  assert.equal(odd[0]?.addresses, ['198.18.0.9']);
  const many = Array.from({ length: 500 }, (_, n) => ({
    name: '_hearth._tcp.local',
    type: 'PTR',
    ttl: 1,
    data: `h${n}\u001b[2J._hearth._tcp.local`,
  }));
  assert.ok(readFound({ type: 'response', answers: many }, 'x').up.length <= 32);
  const gone = readFound({ type: 'response', answers: many.map(each => ({ ...each, ttl: 0 })) }, 'x').down;
  assert.not.ok(gone.some(name => name.includes('\u001b')));
});

mdns('one cluster is chosen, of several the trusted one, and nobody guesses between strangers', () => {
  const found = (cluster: string, name: string) => ({ cluster, name, addresses: ['198.18.0.1'], port: 22581, ver: '' });
  const [a, again, b] = [found('a'.repeat(32), 'A'), found('a'.repeat(32), 'A (2)'), found('b'.repeat(32), 'B')];
  assert.is(chooseSupervisor([], undefined).kind, 'none');
  assert.equal(chooseSupervisor([a, again], undefined), { kind: 'one', supervisor: a });
  assert.equal(chooseSupervisor([a, b], b.cluster), { kind: 'one', supervisor: b });
  assert.is(chooseSupervisor([a], b.cluster).kind, 'none');
  const several = chooseSupervisor([a, b], undefined);
  assert.ok(several.kind === 'several' && /There are 2 clusters .*"A" at .*--cluster/.test(several.sentence));
  const elsewhere = { ...a, addresses: ['198.18.9.1'] };
  assert.not.ok(isKnown(a, elsewhere));
  assert.equal(merged(a, elsewhere).addresses, ['198.18.9.1', '198.18.0.1']);
  assert.ok(isKnown(merged(a, elsewhere), a));
  assert.equal(merged(a, { ...elsewhere, port: 1 }).addresses, ['198.18.9.1']);
});

mdns('only who is on the same network is heard', () => {
  assert.ok(isNear('198.18.0.255', via));
  for (const address of ['198.18.1.1', '8.8.8.8', '::1', 'x', '']) assert.not.ok(isNear(address, via));
});

mdns.run();
