/** The queue before an outside broker: its bounds hold, whatever is pushed, and every caller is told. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { Outbox, type OutboxLimits, type Waiting } from '../../broker/mqtt/outside-outbox.ts';

const test = suite('outside outbox');
const wide: OutboxLimits = { messages: 1000, bytes: 1_000_000, transientMs: 30_000 };

const entry = (topic: string, more: Partial<Waiting> = {}): Waiting => ({
  topic,
  payload: 'x',
  options: { qos: 1, retain: true },
  done: undefined,
  at: 0,
  breaks: 0,
  ...more,
});

const drain = (outbox: Outbox): string[] => {
  const topics: string[] = [];
  for (let next = outbox.shift(); next; next = outbox.shift()) topics.push(next.topic);
  return topics;
};

test('first in, first out, beyond the point where the array is compacted', () => {
  const outbox = new Outbox({ ...wide, messages: 10_000 });
  const topics = Array.from({ length: 5000 }, (_, i) => `t${i}`);
  for (const topic of topics) outbox.push(entry(topic));
  assert.equal(outbox.size, 5000);
  assert.deepEqual(drain(outbox), topics);
  assert.equal(outbox.size, 0);
});

test('the oldest goes when there are too many, or too many bytes, and its caller is told', () => {
  const told: string[] = [];
  const pushAll = (outbox: Outbox, payload: string) => {
    for (let i = 0; i < 5; i++) outbox.push(entry(`t${i}`, { payload, done: error => told.push(`${error?.message}`) }));
    return drain(outbox);
  };
  const few = new Outbox({ ...wide, messages: 3 });
  assert.deepEqual(pushAll(few, 'x'), ['t2', 't3', 't4']);
  assert.equal(few.dropped, 2);
  const small = new Outbox({ ...wide, bytes: 2 * 102 });
  assert.deepEqual(pushAll(small, 'x'.repeat(100)), ['t3', 't4']);
  assert.equal(small.dropped, 3);
  assert.equal(told.length, 5);
  for (const text of told) assert.match(text, /^t\d was not sent: the outbox is full/);
});

test('what cannot fit even alone is not kept', () => {
  const outbox = new Outbox({ ...wide, bytes: 10 });
  let told = 0;
  outbox.push(entry('large', { payload: 'x'.repeat(100), done: () => told++ }));
  assert.deepEqual([outbox.size, told], [0, 1]);
  outbox.push(entry('a'));
  assert.deepEqual(drain(outbox), ['a']);
});

test('an order that waited too long is dropped, a retained state stays', () => {
  const outbox = new Outbox(wide);
  const told: string[] = [];
  const order = { options: { qos: 1 }, done: (error?: Error) => told.push(`${error?.message}`) } as const;
  outbox.push(entry('state', { at: 0 }));
  outbox.push(entry('old order', { at: 0, ...order }));
  outbox.push(entry('new order', { at: 20_000, ...order }));
  outbox.expire(30_000);
  assert.deepEqual(told, []);
  outbox.expire(30_001);
  assert.equal(told.length, 1);
  assert.match(told[0] ?? '', /old order was not sent: it waited 30 s/);
  assert.deepEqual(drain(outbox), ['state', 'new order']);
});

test('what comes back unacknowledged goes first again', () => {
  const outbox = new Outbox(wide);
  for (const topic of ['c', 'd']) outbox.push(entry(topic));
  outbox.unshift([entry('a'), entry('b')]);
  assert.deepEqual(drain(outbox), ['a', 'b', 'c', 'd']);
});

test('bounds hold, nothing is told twice, and what is neither told nor taken is still inside (property)', () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('push' as const), bytes: fc.nat(40), retain: fc.boolean() }),
    fc.record({ do: fc.constant('shift' as const) }),
    fc.record({ do: fc.constant('back' as const) }),
    fc.record({ do: fc.constant('expire' as const), after: fc.nat(60) }),
    fc.record({ do: fc.constant('clear' as const) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), steps => {
      const limits: OutboxLimits = { messages: 8, bytes: 120, transientMs: 50 };
      const outbox = new Outbox(limits);
      const told = new Map<Waiting, number>();
      const taken: Waiting[] = [];
      let [now, pushed, gone] = [0, 0, 0];
      for (const each of steps) {
        if (each.do === 'push') {
          const fresh: Waiting = entry(`t${pushed++}`, {
            payload: 'x'.repeat(each.bytes),
            options: { qos: 1, retain: each.retain },
            at: now,
            done: () => told.set(fresh, (told.get(fresh) ?? 0) + 1),
          });
          outbox.push(fresh);
        } else if (each.do === 'shift') {
          const next = outbox.shift();
          if (next) taken.push(next);
        } else if (each.do === 'back') outbox.unshift(taken.splice(-2));
        else if (each.do === 'expire') {
          now += each.after;
          outbox.expire(now);
        } else outbox.clear('the bus is stopped');
        assert.ok(outbox.size <= limits.messages);
      }
      assert.ok([...told.values()].every(times => times === 1));
      gone = told.size + taken.length;
      const left = drain(outbox);
      assert.equal(gone + left.length, pushed);
      assert.deepEqual(
        left,
        [...left].sort((a, b) => Number(a.slice(1)) - Number(b.slice(1))),
      );
    }),
  );
});

test.run();
