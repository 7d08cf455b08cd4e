/** The allocator over a season of demand that moves slowly, by a day's swing and at random: how often machines start, what is delivered. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { allocate, freshAllocation } from '../../broker/heat/allocation/allocate.ts';
import { wattsOf } from '../../broker/heat/power/model.ts';
import type { AllocNode, PowerModel } from '../../broker/heat/types.ts';
import { machine } from '../fixture/heat-allocation.ts';

const season = suite('allocation, a season');
const dayMs = 86_400_000;

const model = (idleW: number, peakW: number, exponent: number): PowerModel => ({
  idleW,
  peakW,
  exponent,
  source: 'guess',
  err: 0.35,
});
const node = (name: string, room: string, cores: number, ...of: Parameters<typeof model>): AllocNode =>
  machine(name, { room, cores, model: model(...of) });

const nodes: readonly AllocNode[] = [
  node('laptop', 'den', 4, 10, 40, 0.65),
  node('tower', 'den', 8, 40, 130, 0.7),
  node('old', 'den', 2, 60, 130, 0.95),
  node('pi', 'attic', 4, 3, 6.5, 0.95),
  node('server', 'attic', 24, 60, 280, 0.65),
  node('mini', 'bath', 4, 11, 40, 0.9),
  node('quad', 'bath', 4, 45, 150, 0.95),
  node('ryzen', 'bath', 12, 40, 140, 0.6),
];
const rooms = ['den', 'attic', 'bath'] as const;

/** A linear congruential generator: the same season every time. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

interface Season {
  readonly days: number;
  readonly stepMs: number;
  /** What a machine really draws. */
  readonly wall?: (one: AllocNode, cores: number) => number;
}

function run({ days, stepMs, wall }: Season) {
  const next = random(11);
  let state = freshAllocation();
  const demand = new Map<string, number>(rooms.map(room => [room, 150]));
  const starts = new Map<string, number[]>(nodes.map(one => [one.node, []]));
  const on = new Set<string>();
  const sums = new Map<string, { asked: number; given: number; n: number; edge: boolean }>();
  let drawn = nodes;
  let [windows, off, changes] = [0, 0, 0];
  let before = new Map<string, number>();
  for (let now = 0; now < days * dayMs; now += stepMs) {
    const hour = (now % dayMs) / 3_600_000;
    for (const room of rooms) {
      const cold = hour > 22 || hour < 5 ? 0 : 150 + 110 * Math.cos(((hour - 7) / 24) * 2 * Math.PI);
      const was = demand.get(room) ?? 0;
      const walk = (next() - 0.5) * 1.7 * Math.sqrt(stepMs / 1000);
      demand.set(room, Math.max(0, was + walk + ((cold - was) * stepMs) / 5_400_000));
    }
    const asked = rooms.map(room => ({ room, demandW: demand.get(room) ?? 0, priority: 50, maxW: 1e5 }));
    const out = allocate(state, { now, nodes: drawn, rooms: asked });
    state = out.state;
    const level = new Map(out.levels.map(one => [one.node, one.cores]));
    for (const [name, cores] of level) {
      if (cores > 0 && !on.has(name)) starts.get(name)?.push(now);
      if (cores > 0) on.add(name);
      else on.delete(name);
      if (before.get(name) !== cores) changes++;
    }
    before = level;
    const wallOf = (one: AllocNode) =>
      wall?.(one, level.get(one.node) ?? 0) ?? wattsOf(one.model, (level.get(one.node) ?? 0) / one.cores);
    for (const { room, minW, maxW } of out.rooms) {
      const wanted = demand.get(room) ?? 0;
      const given = nodes.reduce((sum, one) => sum + (one.room === room ? wallOf(one) : 0), 0);
      const sum = sums.get(room) ?? { asked: 0, given: 0, n: 0, edge: false };
      sum.asked += wanted;
      sum.given += given;
      sum.n++;
      // What no level can give is no error of the levels.
      sum.edge ||= wanted < 1.02 * minW || wanted > 0.98 * maxW;
      sums.set(room, sum);
    }
    if ((now + stepMs) % 600_000 === 0) {
      for (const { asked: all, given, edge } of sums.values())
        if (!edge) {
          windows++;
          if (Math.abs(given - all) > 0.05 * all) off++;
        }
      sums.clear();
    }
    if (wall) drawn = nodes.map(one => ({ ...one, draw: { watts: wallOf(one), source: 'meter' as const, errW: 1 } }));
  }
  const most = (list: readonly number[]) =>
    Math.max(0, ...list.map(at => list.filter(other => other <= at && at - other < dayMs).length));
  return {
    perDay: [...starts.values()].map(list => list.length / days),
    most: Math.max(...[...starts.values()].map(most)),
    offShare: off / windows,
    windows,
    changesPerNodeHour: changes / nodes.length / days / 24,
  };
}

season('four starts per node and day at most, in any 24 hours, and half of that on average', () => {
  const { perDay, most, offShare, windows } = run({ days: 90, stepMs: 60_000 });
  assert.ok(most <= 4, `${most} starts in 24 hours`);
  assert.ok(Math.max(...perDay) <= 2.5, `${perDay.map(n => n.toFixed(2))} starts a day`);
  assert.ok(windows > 5_000);
  assert.ok(offShare <= 0.01, `${(100 * offShare).toFixed(2)} % of ten minutes are more than 5 % off`);
});

season(
  'machines that draw up to a fifth other than their model, by a meter: what is delivered is what was asked for',
  () => {
    const factor = new Map(
      nodes.map(({ node: name }, i) => [name, [0.8, 1.2, 0.9, 1.15, 0.85, 1.1, 1.2, 0.8][i] ?? 1]),
    );
    const wall = (one: AllocNode, cores: number) => {
      const { idleW } = one.model;
      return idleW * 1.05 + (wattsOf(one.model, cores / one.cores) - idleW) * (factor.get(one.node) ?? 1);
    };
    const { most, offShare } = run({ days: 10, stepMs: 10_000, wall });
    assert.ok(most <= 4, `${most} starts in 24 hours`);
    assert.ok(offShare <= 0.03, `${(100 * offShare).toFixed(2)} % of ten minutes are more than 5 % off`);
  },
);

season.run();
