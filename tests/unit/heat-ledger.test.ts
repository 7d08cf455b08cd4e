/** The ledger of energy: whole mJ, what is on disk, never falling. */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Ledger, longestGapMs } from '../../broker/heat/power/ledger.ts';

const ledger = suite('heat ledger');

/** What a store would hold. */
class Disk {
  readonly has = new Map<string, string>();
  write(it: Ledger): number {
    const { seq, entries } = it.entries();
    for (const [key, mj] of entries)
      if (mj === undefined) this.has.delete(key);
      else this.has.set(key, mj);
    return seq;
  }
}

ledger('counts watts over time, and shows what is on disk', () => {
  const it = new Ledger();
  const disk = new Disk();
  for (let i = 0; i < 360; i++) it.add('node/n1', 100, 10_000);
  assert.is(it.kwh('node/n1'), 0);
  const seq = disk.write(it);
  assert.is(it.kwh('node/n1'), 0, 'written is not synced');
  it.persisted(seq);
  assert.is(it.kwh('node/n1'), 0.1);
  assert.is(it.mj('node/n1'), 360_000_000n);
  assert.equal(it.entries().entries, []);
});

ledger('parts of an mJ are carried', () => {
  const it = new Ledger();
  for (let i = 0; i < 1000; i++) it.add('node/n1', 0.0003, 1);
  it.add('node/n1', 0.7001, 1);
  assert.equal(it.entries().entries, [['node/n1', '1']]);
});

ledger('a gap without a reading is not counted', () => {
  const it = new Ledger();
  it.add('room/den', 100, longestGapMs + 1);
  assert.is(it.entries().entries.length, 0);
  it.add('room/den', 100, longestGapMs);
  assert.equal(it.entries().entries, [['room/den', '3000000']]);
});

ledger('what was handed out and not synced comes again, with what came since', () => {
  const it = new Ledger();
  it.add('node/a', 1, 1000);
  const first = it.entries();
  it.add('node/a', 1, 1000);
  it.add('node/b', 1, 1000);
  const second = it.entries();
  assert.equal(second.entries, [
    ['node/a', '2000'],
    ['node/b', '1000'],
  ]);
  it.persisted(first.seq);
  assert.is(it.mj('node/a'), 1000n);
  assert.is(it.mj('node/b'), 0n);
  assert.equal(it.entries().entries, second.entries, 'a changed since');
  it.persisted(second.seq);
  assert.is(it.mj('node/a'), 2000n);
  assert.equal(it.entries().entries, []);
  it.persisted(first.seq);
  it.persisted(999);
  assert.is(it.mj('node/a'), 2000n);
});

ledger('news of an older write, come late, makes nothing smaller', () => {
  const it = new Ledger();
  it.add('node/a', 1, 1000);
  const first = it.entries();
  it.add('node/a', 1, 1000);
  it.persisted(it.entries().seq);
  it.persisted(first.seq);
  assert.is(it.mj('node/a'), 2000n);
});

ledger('never falls over crashes, whatever was synced', () => {
  const step = fc.record({
    watts: fc.double({ min: 0, max: 3000, noNaN: true }),
    ms: fc.integer({ min: 0, max: 40_000 }),
    end: fc.constantFrom('nothing', 'write', 'sync', 'crash', 'crash after write'),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), steps => {
      const disk = new Disk();
      let it = new Ledger();
      let shown = 0n;
      let drawn = 0;
      for (const { watts, ms, end } of steps) {
        it.add('node/n1', watts, ms);
        if (ms <= longestGapMs) drawn += watts * ms;
        if (end === 'sync') it.persisted(disk.write(it));
        if (end === 'write' || end === 'crash after write') disk.write(it);
        if (end.startsWith('crash')) {
          it = new Ledger();
          assert.is(it.load(disk.has), 0);
        }
        assert.ok(it.mj('node/n1') >= shown, 'it fell');
        shown = it.mj('node/n1');
        assert.ok(Number(shown) <= drawn + 1, 'more than was drawn');
      }
    }),
    { seed: 6, numRuns: 300 },
  );
});

ledger('64 bit: years of megawatts stay whole, and the end is an end', () => {
  const it = new Ledger();
  it.load([['room/den', (2n ** 63n - 2n).toString()]]);
  assert.is(it.mj('room/den'), 9_223_372_036_854_775_806n);
  it.add('room/den', 1000, 1000);
  it.persisted(it.entries().seq);
  assert.is(it.mj('room/den'), 2n ** 63n - 1n);
  const big = new Ledger();
  big.load([['room/den', '9007199254740993']]);
  big.add('room/den', 1, 2);
  assert.equal(big.entries().entries, [['room/den', '9007199254740995']], 'beyond what a double counts');
});

ledger('what was read and is none is left out', () => {
  const it = new Ledger();
  const bad: [string, unknown][] = [
    ['node/a', '-1'],
    ['node/b', 5],
    ['node/c', '1.5'],
    ['node/d', '9223372036854775808'],
    ['node/e', '99999999999999999999'],
    ['nodes/f', '1'],
    ['node/../g', '1'],
    ['node/', '1'],
    ['node/ok', '7'],
  ];
  assert.is(it.load(bad), 8);
  assert.is(it.size, 1);
  assert.is(it.mj('node/ok'), 7n);
});

ledger('what is no reading is refused and counted', () => {
  const it = new Ledger();
  it.add('node/a', Number.NaN, 1000);
  it.add('node/a', -5, 1000);
  it.add('node/a', Number.POSITIVE_INFINITY, 1000);
  it.add('node/a', 5, Number.NaN);
  it.add('node/a', 5, -1);
  it.add('node/#', 5, 1000);
  it.add('__proto__', 5, 1000);
  assert.is(it.refused, 7);
  assert.is(it.size, 0);
  it.add('node/a', 0, 1000);
  it.add('node/a', 5, 0);
  assert.is(it.refused, 7);
});

ledger('who is forgotten goes from the disk, and begins anew', () => {
  const it = new Ledger();
  const disk = new Disk();
  it.add('room/j1', 10, 1000);
  const early = disk.write(it);
  it.forget('room/j1');
  it.persisted(early);
  assert.is(it.kwh('room/j1'), 0);
  it.persisted(disk.write(it));
  assert.is(disk.has.size, 0);
  it.add('room/j1', 1, 1000);
  it.persisted(disk.write(it));
  assert.equal([...disk.has], [['room/j1', '1000']]);
  it.forget('room/unknown');
  assert.equal(it.entries().entries, []);
});

ledger('a forgotten key that came back before the disk knew stays back', () => {
  const it = new Ledger();
  const disk = new Disk();
  it.add('room/j1', 10, 1000);
  it.persisted(disk.write(it));
  it.forget('room/j1');
  const gone = disk.write(it);
  it.add('room/j1', 1, 1000);
  it.persisted(gone);
  it.persisted(disk.write(it));
  assert.equal([...disk.has], [['room/j1', '1000']]);
  assert.is(it.mj('room/j1'), 1000n);
});

ledger('bounded: who was there first stays', () => {
  const nodes = new Ledger();
  for (let i = 0; i < 20_001; i++) nodes.add(`node/n${i}`, 1, 1000);
  assert.is(nodes.size, 20_000);
  assert.is(nodes.refused, 1);
});

ledger('who never says that a write is synced keeps little, and the newest counts', () => {
  const it = new Ledger();
  it.add('node/a', 1, 1000);
  const seqs = Array.from({ length: 100 }, () => it.entries().seq);
  it.persisted(seqs[0] ?? -1);
  assert.is(it.mj('node/a'), 0n);
  it.persisted(seqs.at(-1) ?? -1);
  assert.is(it.mj('node/a'), 1000n);
});

ledger.run();
