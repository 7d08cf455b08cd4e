/** The allocator over random clusters, demands and faults: what must hold whatever comes. */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type AllocationState, allocate, freshAllocation } from '../../broker/heat/allocation/allocate.ts';
import { wattsOf } from '../../broker/heat/power/model.ts';
import type { AllocNode, AllocRoom } from '../../broker/heat/types.ts';

const properties = suite('allocation, properties');
const minute = 60_000;
const tiny = 1e-6;
const rooms = ['r1', 'r2', 'r3'] as const;

/** Even over its range: fast-check's own doubles are mostly next to 0. */
const even = (min: number, max: number) =>
  fc.integer({ min: 0, max: 10_000 }).map(n => min + ((max - min) * n) / 10_000);
const share = even(0, 1);
const nodeArb = fc.record({
  room: fc.constantFrom(...rooms, 'nowhere'),
  cores: fc.integer({ min: 1, max: 64 }),
  idleW: even(0, 80),
  range: even(0, 300),
  exponent: even(0.3, 2),
  most: share,
  busy: share,
  minOnMs: fc.integer({ min: 0, max: 30 }).map(n => n * minute),
  minOffMs: fc.integer({ min: 0, max: 30 }).map(n => n * minute),
  work: fc.integer({ min: 0, max: 2 }),
  off: fc.boolean(),
});
type Drawn = typeof nodeArb extends fc.Arbitrary<infer T> ? T : never;

const nodeOf = (it: Drawn, i: number): AllocNode => ({
  node: `n${i}`,
  room: it.room,
  cores: it.cores,
  model: { idleW: it.idleW, peakW: it.idleW + it.range, exponent: it.exponent, source: 'guess', err: 0.3 },
  mostCores: it.most * it.cores,
  busyCores: it.busy * it.cores * 0.5,
  minOnMs: it.minOnMs,
  minOffMs: it.minOffMs,
  work: it.work,
});

const roomsArb = fc.tuple(
  ...rooms.map(room =>
    fc.record({
      room: fc.constant<string>(room),
      demandW: fc.oneof(fc.constant(0), even(0, 1500)),
      priority: fc.integer({ min: 0, max: 2 }),
      maxW: fc.oneof(fc.constant(1e5), even(0, 1000)),
    }),
  ),
);
const fuseArb = fc.option(even(0, 2500), { nil: undefined });
/** One call: how long after the last, what is asked, and who is thrown off or throttled. */
const callArb = fc.record({
  afterMs: fc.integer({ min: 1, max: 120 }).map(n => n * 1000),
  rooms: roomsArb,
  /** Who says something in his room just now. */
  said: fc.subarray([...rooms]),
  fuseW: fuseArb,
  off: fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }),
  throttle: fc.array(share, { minLength: 8, maxLength: 8 }),
});
const worldArb = fc.record({
  nodes: fc.array(nodeArb, { minLength: 1, maxLength: 8 }),
  calls: fc.array(callArb, { minLength: 1, maxLength: 30 }),
});

properties('bounds, minimum times and order hold through anything', () => {
  fc.assert(
    fc.property(worldArb, ({ nodes: drawn, calls }) => {
      let state: AllocationState = freshAllocation();
      let now = 0;
      const since = new Map<string, { on: boolean; at: number }>();
      const saidAt = new Map<string, number>();
      const starts = new Map<string, number[]>();
      for (const call of calls) {
        now += call.afterMs;
        const nodes = drawn.map((one, i) => ({
          ...nodeOf(one, i),
          mostCores: one.most * one.cores * (call.throttle[i] ?? 1),
          ...(call.off[i] && call.off[(i + 1) % 8] ? { off: 'too hot' } : {}),
        }));
        for (const name of call.said) saidAt.set(name, now);
        const asked = call.rooms.map(one => ({ ...one, saidAt: saidAt.get(one.room) }));
        const input = { now, nodes, rooms: asked, fuseW: call.fuseW };
        const out = allocate(state, input);
        const turnedRound = allocate(JSON.parse(JSON.stringify(state)), {
          ...input,
          nodes: nodes.toReversed(),
          rooms: asked.toReversed(),
        });
        assert.equal(turnedRound, out, 'the same in any order, and from JSON');
        state = out.state;

        const level = new Map(out.levels.map(one => [one.node, one]));
        const anyway = (node: AllocNode) => wattsOf(node.model, node.busyCores / node.cores);
        for (const node of nodes) {
          const { cores, watts, heatW } = level.get(node.node) ?? { cores: Number.NaN, watts: 0, heatW: 0 };
          assert.ok(cores >= 0 && cores <= node.mostCores + tiny, `${cores} of ${node.mostCores} cores`);
          assert.ok(Math.abs(watts - heatW - anyway(node)) < tiny);
          assert.ok(cores === 0 || (node.off === undefined && rooms.some(room => room === node.room)));
        }
        const totalOf = (some: readonly AllocNode[]) =>
          some.reduce((sum, { node }) => sum + (level.get(node)?.watts ?? 0), 0);
        const heatOf = (some: readonly AllocNode[]) =>
          some.reduce((sum, { node }) => sum + (level.get(node)?.heatW ?? 0), 0);
        for (const asked of call.rooms) {
          const its = nodes.filter(({ room }) => room === asked.room);
          assert.ok(heatOf(its) <= tiny || totalOf(its) <= asked.maxW + tiny, `${totalOf(its)} W of ${asked.maxW}`);
          const said = out.rooms.find(({ room }) => room === asked.room);
          assert.ok(Math.abs((said?.givenW ?? -1) - totalOf(its)) < tiny);
        }
        if (call.fuseW !== undefined)
          assert.ok(
            heatOf(nodes) <= tiny || totalOf(nodes) <= call.fuseW + tiny,
            `${totalOf(nodes)} W, fuse ${call.fuseW}`,
          );

        for (const node of nodes) {
          const on = (level.get(node.node)?.cores ?? 0) > 0;
          const before = since.get(node.node);
          if (before?.on === on) continue;
          const words = on && (saidAt.get(node.room) ?? Number.NEGATIVE_INFINITY) > (before?.at ?? 0);
          const daily = (starts.get(node.node) ?? []).filter(at => now - at < 86_400_000);
          if (before && on && !(words && daily.length < 4))
            assert.ok(now - before.at >= node.minOffMs, 'started within its time off');
          if (on) starts.set(node.node, [...daily, now]);
          const room = call.rooms.find(one => one.room === node.room);
          const bounded =
            call.fuseW !== undefined || (room?.maxW ?? 0) < 1e5 || node.off !== undefined || node.mostCores < tiny;
          const able = node.model.peakW > node.model.idleW;
          if (before?.on && !bounded && able) assert.ok(now - before.at >= node.minOnMs, 'stopped within its time on');
          if (before || on) since.set(node.node, { on, at: now });
        }
      }
    }),
    { numRuns: 300, seed: 6 },
  );
});

const still = { busy: 0, most: 1, off: false, work: 0, minOffMs: 0, minOnMs: 0 };
const calmArb = fc.array(
  nodeArb.map(one => ({ ...one, ...still, room: 'r1' as const, range: 1 + one.range })),
  {
    minLength: 1,
    maxLength: 8,
  },
);

function settled(nodes: readonly AllocNode[], asked: readonly AllocRoom[], from?: AllocationState, at = 0) {
  let state = from ?? freshAllocation();
  let out = allocate(state, { now: at, nodes, rooms: asked });
  for (let now = at; now <= at + 20 * minute; now += 10_000) {
    out = allocate(state, { now, nodes, rooms: asked });
    state = out.state;
  }
  return out;
}

const onlyRoom = (demandW: number): AllocRoom => ({ room: 'r1', demandW, priority: 1, maxW: 1e6 });

properties('what is feasible is given, within one step', () => {
  fc.assert(
    fc.property(calmArb, share, (drawn, part) => {
      const nodes = drawn.map(nodeOf);
      const idle = nodes.reduce((sum, { model }) => sum + model.idleW, 0);
      const peak = nodes.reduce((sum, { model }) => sum + model.peakW, 0);
      const demand = idle + part * (peak - idle);
      const given = settled(nodes, [onlyRoom(demand)]).rooms[0]?.givenW ?? -1;
      // A step: what may be missing before one more starts, jitter that moves nothing, and the floors.
      const step = Math.max(2, 0.03 * demand) + 0.01 * (peak - idle);
      assert.ok(Math.abs(given - demand) <= step, `${given} W of ${demand} W, from ${idle} to ${peak}`);
    }),
    { numRuns: 150, seed: 6 },
  );
});

properties('bounds hold while they creep down on levels that jitter keeps', () => {
  fc.assert(
    fc.property(calmArb, share, fc.boolean(), (drawn, part, fuse) => {
      const nodes = drawn.map(nodeOf);
      const idle = nodes.reduce((sum, { model }) => sum + model.idleW, 0);
      const peak = nodes.reduce((sum, { model }) => sum + model.peakW, 0);
      let bound = idle + part * (peak - idle);
      let state = freshAllocation();
      for (let now = 0; now < 10 * minute; now += 10_000) {
        const asked = { ...onlyRoom(2 * peak), ...(fuse ? {} : { maxW: bound }) };
        const out = allocate(state, { now, nodes, rooms: [asked], ...(fuse ? { fuseW: bound } : {}) });
        state = out.state;
        const given = out.rooms[0]?.givenW ?? -1;
        assert.ok(given <= Math.max(idle, bound) + tiny, `${given} W of ${bound} W`);
        bound *= 0.9985;
      }
    }),
    { numRuns: 150, seed: 6 },
  );
});

properties('more demand never gives less', () => {
  fc.assert(
    fc.property(calmArb, share, share, share, (drawn, first, a, b) => {
      const nodes = drawn.map(nodeOf);
      const peak = nodes.reduce((sum, { model }) => sum + model.peakW, 0);
      const start = settled(nodes, [onlyRoom(first * peak)]);
      const at = (demandW: number) =>
        allocate(start.state, { now: 21 * minute, nodes, rooms: [onlyRoom(demandW)] }).rooms[0]?.givenW ?? -1;
      const [less, more] = [Math.min(a, b) * peak, Math.max(a, b) * peak];
      assert.ok(at(less) <= at(more) + 0.03 * more + 2, `${at(less)} W for ${less} W, ${at(more)} W for ${more} W`);
    }),
    { numRuns: 150, seed: 6 },
  );
});

properties('a demand that those who run can take starts nobody', () => {
  fc.assert(
    fc.property(calmArb, share, share, (drawn, first, next) => {
      const nodes = drawn.map(nodeOf);
      const peak = nodes.reduce((sum, { model }) => sum + model.peakW, 0);
      const before = settled(nodes, [onlyRoom(first * peak)]);
      const on = new Set(before.levels.filter(({ cores }) => cores > 0).map(({ node }) => node));
      const could = nodes.reduce((sum, { node, model }) => sum + (on.has(node) ? model.peakW : model.idleW), 0);
      const after = settled(nodes, [onlyRoom(Math.min(could, next * peak))], before.state, 21 * minute);
      assert.equal(
        after.levels.filter(({ node, cores }) => cores > 0 && !on.has(node)),
        [],
      );
    }),
    { numRuns: 100, seed: 6 },
  );
});

properties.run();
