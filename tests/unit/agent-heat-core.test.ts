/** A node's heat: leases, temperature, who comes first, and what is never exceeded. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { coldHeat, isAsked, type Ordered, step } from '../../node-agent/heat/core.ts';
import { Machine, order } from '../fixture/heat-core-rig.ts';

const core = suite('heat of a node');

core('is at the level soon, and stays there', () => {
  const machine = new Machine();
  machine.order(order(2));
  machine.seconds(3);
  let sum = 0;
  for (let at = 0; at < 30; at++) {
    machine.second();
    sum += machine.busy;
  }
  assert.ok(Math.abs(sum / 30 - 2) < 0.02, `${sum / 30}`);
});

core('what else is busy counts: the sum stays', () => {
  const machine = new Machine();
  machine.order(order(3), 1e9);
  machine.seconds(5);
  machine.outside = 1.5;
  machine.seconds(15);
  assert.ok(Math.abs(machine.busy - 3) < 0.05, `${machine.busy}`);
  assert.ok(Math.abs(machine.used.burner - 1.5) < 0.05, `${machine.used.burner}`);
  machine.outside = 3.5;
  machine.seconds(15);
  assert.is(machine.state.setting.total, 0);
  machine.outside = 0;
  machine.seconds(20);
  assert.ok(Math.abs(machine.busy - 3) < 0.05, `${machine.busy}`);
});

core('a quota that is nearly right is left alone: the kernel fills it up whenever it is written', () => {
  const machine = new Machine();
  machine.order(order(2), 1e9);
  machine.seconds(10);
  let writes = 0;
  let sum = 0;
  for (let at = 0; at < 300; at++) {
    // A breath of others, and a period more or less in a look.
    machine.outside = 0.1 + 0.005 * (at % 3);
    const { total } = machine.state.setting;
    machine.second();
    sum += machine.busy;
    if (machine.state.setting.total !== total) writes++;
  }
  assert.ok(writes < 40, `${writes} times`);
  assert.ok(Math.abs(sum / 300 - 2) < 0.03, `${sum / 300}`);
});

core('what a hypervisor takes is not made up for later', () => {
  const machine = new Machine({ cores: 2, quota: true });
  machine.order(order(1, { burner: false }), 1e9);
  machine.tell({ type: 'tasks', running: 2, waiting: 0 });
  machine.seconds(3);
  // It uses up its quota in most periods, and has half of it in the mean.
  for (let at = 0; at < 60; at++) {
    machine.now += 1000;
    const used = { tasks: 0.5, filler: 0, burner: 0 };
    machine.tell({ type: 'look', machine: { busyCores: 0.5 }, used, throttled: true });
  }
  machine.tasksWant = 2;
  machine.outside = 0.3;
  machine.seconds(6);
  assert.ok(machine.busy < 1.06, `${machine.busy}`);
});

core('tasks first, then the filler, then the burner', () => {
  const machine = new Machine();
  machine.order(order(2, { filler: { service: 'fold' } }), 1e9);
  machine.fillerWant = 4;
  machine.seconds(20);
  assert.ok(machine.used.filler > 1.8, `${machine.used.filler}`);
  assert.ok(machine.used.burner < 0.1, `${machine.used.burner}`);
  machine.tell({ type: 'tasks', running: 2, waiting: 0 });
  machine.tasksWant = 4;
  machine.seconds(20);
  assert.ok((machine.used.tasks ?? 0) > 1.8, `${machine.used.tasks}`);
  assert.ok(machine.used.filler < 0.15, `${machine.used.filler}`);
  machine.tasksWant = 0.5;
  machine.fillerWant = 0.5;
  machine.seconds(20);
  assert.ok(Math.abs(machine.used.burner - 1) < 0.1, `${machine.used.burner}`);
  assert.ok(Math.abs(machine.busy - 2) < 0.05, `${machine.busy}`);
});

core('room is made for tasks at once, before they are measured', () => {
  const machine = new Machine();
  machine.order(order(2));
  machine.seconds(5);
  machine.tell({ type: 'tasks', running: 2, waiting: 0 });
  assert.is(machine.state.setting.burner, 0);
  assert.is(machine.state.setting.tasks, 2);
});

core('without the burner nothing makes up what is missing, and the filler may', () => {
  const machine = new Machine();
  machine.order(order(2, { burner: false }));
  machine.seconds(5);
  assert.is(machine.state.setting.burner, 0);
  assert.is(machine.state.setting.filler, 0);
  machine.order(order(2, { burner: false, filler: { run: 'fold' } }));
  machine.seconds(5);
  assert.ok(machine.state.setting.filler > 1.9);
});

core('ends with its lease, and nothing but an order begins it again', () => {
  const machine = new Machine();
  machine.order(order(2), 5000);
  machine.seconds(4);
  assert.ok(machine.state.setting.total > 0);
  machine.seconds(2);
  assert.equal(machine.state.setting, { total: 0, tasks: 0, filler: 0, burner: 0 });
  machine.tell({ type: 'tasks', running: 3, waiting: 3 });
  machine.seconds(10);
  assert.is(machine.state.setting.total, 0);
  machine.order(order(2));
  machine.seconds(2);
  assert.ok(machine.state.setting.total > 0);
});

core('ends at once after a suspend that was longer than the lease', () => {
  const machine = new Machine();
  machine.order(order(2));
  machine.seconds(4);
  machine.now += 3_600_000;
  machine.tell({ type: 'time' });
  assert.is(machine.state.setting.total, 0);
});

core('an order of no cores ends it', () => {
  const machine = new Machine();
  machine.order(order(2));
  machine.seconds(4);
  machine.order(order(0, { filler: { service: 'fold' } }));
  assert.is(machine.settings.at(-1)?.total, 0);
  assert.not.ok(isAsked(machine.state, machine.now));
});

core('a full machine gives way to who wants more of it', () => {
  const machine = new Machine();
  machine.order(order(4), 1e9);
  machine.seconds(10);
  // Somebody wants three cores, and the kernel shares what is there.
  for (let at = 0; at < 200; at++) {
    const heat = machine.state.setting.total;
    machine.outside = Math.min(3, 4 - heat);
    machine.second();
  }
  assert.ok(machine.outside > 2.9, `${machine.outside}`);
});

core('without quotas whole tasks run in turn, so that their mean is the share', () => {
  const machine = new Machine({ cores: 4, quota: false });
  machine.order(order(1.5, { burner: false }), 10_000_000);
  machine.tell({ type: 'tasks', running: 3, waiting: 0 });
  let sum = 0;
  let changes = 0;
  for (let at = 0; at < 600; at++) {
    machine.now += 1000;
    const before = machine.state.setting.tasks;
    const busyCores = Math.min(3, before);
    machine.tell({ type: 'look', machine: { busyCores }, used: { filler: 0, burner: 0 }, throttled: false });
    if (machine.state.setting.tasks !== before) changes++;
    sum += machine.state.setting.tasks;
  }
  assert.ok(Math.abs(sum / 600 - 1.5) < 0.1, `${sum / 600}`);
  assert.ok(changes <= 61, `${changes}`);
});

const anyOrder = fc.record({
  cores: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 12, noNaN: true })),
  maxTempC: fc.integer({ min: 30, max: 110 }),
  burner: fc.boolean(),
  filler: fc.option(fc.constant({ service: 'fold' }), { nil: undefined }),
});
const wild = fc.oneof(fc.double({ min: 0, max: 8, noNaN: true }), fc.constantFrom(Number.NaN, -1, Infinity));
const anyEvent = fc.oneof(
  fc.record({
    at: fc.integer({ min: 0, max: 5000 }),
    order: anyOrder,
    leaseMs: fc.integer({ min: 5000, max: 60_000 }),
  }),
  fc.record({ at: fc.integer({ min: 0, max: 20_000 }), tasks: fc.nat(9) }),
  fc.record({
    at: fc.integer({ min: 0, max: 3000 }),
    busyCores: wild,
    tempC: fc.option(fc.oneof(fc.integer({ min: 20, max: 120 }), fc.constant(Number.NaN)), { nil: undefined }),
    used: fc.record({ tasks: wild, filler: wild, burner: wild }),
    throttled: fc.boolean(),
  }),
);

function ordinary(said: typeof anyOrder extends fc.Arbitrary<infer T> ? T : never): Ordered {
  const { filler, ...rest } = said;
  return { ...rest, ...(filler === undefined ? {} : { filler }) };
}

core('whatever happens: no heat without a lease, never above it, and the temperature wins', () => {
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 60 }), fc.boolean(), (events, quota) => {
      let state = coldHeat;
      let now = 0;
      let until = -1;
      let last: Ordered | undefined;
      let hot = false;
      for (const event of events) {
        now += event.at;
        if ('order' in event) {
          last = ordinary(event.order);
          until = last.cores > 0 ? now + event.leaseMs : -1;
          ({ state } = step(state, { type: 'order', order: last, leaseMs: event.leaseMs }, now, { cores: 4, quota }));
        } else if ('used' in event) {
          const { busyCores, tempC, used, throttled } = event;
          const machine = { busyCores, ...(tempC === undefined ? {} : { tempC }) };
          ({ state } = step(state, { type: 'look', machine, used, throttled }, now, { cores: 4, quota }));
          if (tempC !== undefined && !Number.isNaN(tempC) && last && now < until) {
            hot = tempC >= last.maxTempC + 8;
            if (hot) assert.is(state.setting.total, 0);
          }
        } else {
          const { tasks } = event;
          ({ state } = step(state, { type: 'tasks', running: tasks, waiting: 0 }, now, { cores: 4, quota }));
        }
        const { total, filler, burner, tasks } = state.setting;
        for (const each of [total, filler, burner, tasks]) assert.ok(Number.isFinite(each) && each >= 0);
        if (now >= until) assert.equal([total, filler, burner, tasks], [0, 0, 0, 0]);
        assert.ok(total <= Math.min(4, last?.cores ?? 0));
        assert.ok(filler <= total && burner <= total);
        assert.ok(tasks <= Math.ceil(Math.min(4, last?.cores ?? 0)) || total === 0);
        if (!last?.burner) assert.is(burner, 0);
        if (!last?.filler) assert.is(filler, 0);
      }
    }),
    { numRuns: 500 },
  );
});

core.run();
