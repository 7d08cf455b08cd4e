/** Packets that were right once, from a network where anybody may send anything. */
import { createRequire } from 'node:module';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Responder } from '../../broker/mdns/responder.ts';
import { readFound } from '../../node-agent/discovery/found.ts';
import type { DnsPacket } from '../../shared/mdns/packet.ts';
import { fixedRandom } from '../fixture/agent-rig.ts';

const hostile = suite('mDNS, attacked');
const dns: { encode(packet: object): Buffer; decode(bytes: Buffer): DnsPacket } = createRequire(import.meta.url)(
  'dns-packet',
);

const via = { name: 'eth0', address: '198.18.0.1', netmask: '255.255.255.0' };
const own = { cluster: 'a'.repeat(32), ver: '0.1.0', hostname: 'attic', httpPort: 22581, tlsPort: 8883 };

function settled(): { responder: Responder; packets: DnsPacket[]; now: number } {
  const responder = new Responder(own, fixedRandom());
  const packets: DnsPacket[] = [];
  let now = 0;
  responder.interfaces([via], now);
  while (!responder.settled) {
    now = Math.max(now, responder.deadline());
    packets.push(...responder.tick(now).map(({ packet }) => packet));
  }
  return { responder, packets, now };
}

/** A small generator of its own, so that a failing run can be run again (Numerical Recipes, ranqd1). */
function chance(seed: number): (below: number) => number {
  let state = seed;
  return below => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

hostile('mutated packets throw nothing, and are answered with no more than is right', () => {
  const { responder, packets, now: start } = settled();
  const query = { type: 'query', questions: [{ name: '_hearth._tcp.local', type: 'PTR' }] };
  const bases = [...packets, query].map(packet => dns.encode(packet));
  const pick = chance(7);
  let [now, read, sent] = [start, 0, 0];
  for (let round = 0; round < 12_000; round++) {
    const bytes = Buffer.from(bases[pick(bases.length)] ?? Buffer.alloc(0));
    for (let flips = 1 + pick(8); flips > 0; flips--) bytes[pick(bytes.length)] = pick(256);
    const cut = pick(4) === 0 ? bytes.subarray(0, pick(bytes.length)) : bytes;
    let packet: DnsPacket;
    try {
      packet = dns.decode(cut);
    } catch {
      continue;
    }
    read++;
    now += 10;
    const from = { address: '198.18.0.9', port: pick(2) === 0 ? 5353 : 40_000 };
    sent += responder.heard(packet, from, via, now).length;
    if (now >= responder.deadline()) sent += responder.tick(now).length;
    for (const found of readFound(packet, from.address).up) {
      assert.match(found.cluster, /^[0-9a-f]{32}$/);
      assert.ok(found.port >= 1 && found.port <= 65_535);
      assert.ok(found.addresses.every(address => /^[\d.]+$/.test(address)));
      assert.not.match(found.name + found.ver, /\p{Cc}/u);
    }
  }
  assert.ok(read > 2000, `${read} could be read`);
  const seconds = (now - start) / 1000;
  assert.ok(sent / seconds < 25, `${sent} packets in ${seconds} s`);
});

hostile.run();
