import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { OutOrder, orderLimits } from '../../client/out-order.ts';

const test = suite('client: the order of out');
const batch = (seq: number, results = 1) => ({
  seq,
  results: Array.from({ length: results }, (_, index) => ({
    index,
    state: 'succeeded' as const,
    node: 'n1',
    attempts: 1,
    ms: 1,
  })),
});

test('whatever is lost, doubled and mixed up, every batch comes out once and in order', () => {
  const deliveries = fc.array(fc.record({ seq: fc.nat(199), asks: fc.boolean() }), { maxLength: 400 });
  fc.assert(
    fc.property(deliveries, fc.integer({ min: 1, max: 200 }), (events, outs) => {
      const order = new OutOrder();
      const taken: number[] = [];
      const take = () => {
        for (let one = order.take(); one; one = order.take()) taken.push(one.seq);
      };
      for (const { seq, asks } of events) {
        if (seq < outs) order.batch(batch(seq));
        if (asks) take();
      }
      order.is(outs, true);
      for (let rounds = 0; !order.over; rounds++) {
        assert.ok(rounds < 1000, 'it comes to an end');
        take();
        const missing = order.missing();
        if (missing) for (let seq = missing.from; seq < missing.to; seq++) order.batch(batch(seq));
      }
      assert.equal(
        taken,
        Array.from({ length: outs }, (_, seq) => seq),
      );
    }),
  );
});

test('who does not read is not overrun', () => {
  const order = new OutOrder();
  for (let seq = 0; seq < 10_000; seq++) order.batch(batch(seq, 10));
  let kept = 0;
  while (order.take()) kept++;
  assert.is(kept, orderLimits.window);
  assert.equal(order.missing(), { from: orderLimits.window, to: 2 * orderLimits.window });
});

test('nor by few large batches, but for the one whose turn it is', () => {
  const order = new OutOrder();
  order.batch(batch(1, 60_000));
  order.batch(batch(2, 60_000));
  order.batch(batch(0, 60_000));
  assert.is(order.take()?.seq, 0);
  assert.is(order.take()?.seq, 1);
  assert.is(order.take(), undefined);
  assert.equal(order.missing(), { from: 2, to: 3 });
});

test('what was taken and comes again takes no room', () => {
  const order = new OutOrder();
  order.batch(batch(0, 60_000));
  order.take();
  order.batch(batch(0, 60_000));
  order.batch(batch(2, 60_000));
  order.batch(batch(1, 1));
  assert.is(order.take()?.seq, 1);
  assert.is(order.take()?.seq, 2);
});

test('a job that is tried again is not over any more', () => {
  const order = new OutOrder();
  order.is(0, true);
  assert.ok(order.over);
  order.is(0, false);
  assert.not.ok(order.over);
});

test.run();
