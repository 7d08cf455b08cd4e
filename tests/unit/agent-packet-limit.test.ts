import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { PacketLimit } from '../../node-agent/connection/packet-limit.ts';

const limit = suite('packet limit');

/** A packet of any type with a body of `size` bytes, its length as MQTT writes it. */
function packet(size: number): Buffer {
  const head = [0x30];
  let rest = size;
  do {
    head.push((rest % 128) | (rest >= 128 ? 0x80 : 0));
    rest = Math.floor(rest / 128);
  } while (rest > 0);
  return Buffer.concat([Buffer.from(head), Buffer.alloc(size, 0x41)]);
}

const feed = (watch: PacketLimit, bytes: Buffer, cut: readonly number[]): boolean => {
  let at = 0;
  for (const step of cut) {
    if (!watch.accept(bytes.subarray(at, at + step))) return false;
    at += step;
  }
  return watch.accept(bytes.subarray(at));
};

limit('packets up to the limit pass, however they are cut, and one above never does', () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 1000 }), { maxLength: 20 });
  const cuts = fc.array(fc.integer({ min: 1, max: 300 }), { maxLength: 60 });
  fc.assert(
    fc.property(sizes, cuts, fc.boolean(), (bodies, cut, bad) => {
      const all = bad ? [...bodies, 1001] : bodies;
      assert.is(feed(new PacketLimit(1000), Buffer.concat(all.map(packet)), cut), !bad);
    }),
    { numRuns: 1000 },
  );
});

limit('a packet is refused by its first bytes, long before it is there', () => {
  assert.not(new PacketLimit(1_000_000).accept(packet(200_000_000).subarray(0, 5)));
});

limit('a length of five bytes is no MQTT', () => {
  assert.not(new PacketLimit(1e9).accept(Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0x01])));
});

limit(
  'a message at QoS 2, which a client would have to keep, is refused; what looks like one inside another is not',
  () => {
    for (const first of [0x34, 0x35, 0x3c, 0x36]) {
      assert.not(new PacketLimit(1000).accept(Buffer.from([first, 0])), String(first));
      assert.not(feed(new PacketLimit(1000), Buffer.concat([packet(3), Buffer.from([first, 0])]), [1, 1, 1, 1, 1]));
    }
    for (const first of [0x32, 0x33, 0x3b, 0x62, 0x50, 0x90]) {
      assert.ok(new PacketLimit(1000).accept(Buffer.from([first, 2, 0x34, 0x34, 0x30, 0])), String(first));
    }
  },
);

limit.run();
