/** How hard those that run work: the first in order full, the last takes what is left, nobody less than its floor. Pure. */
import { coresFor, wattsOf } from '../power/model.ts';
import { coresOf, firstOf, floorShare, heatOf, type Machine } from './machine.ts';
import type { NodeRecord } from './state.ts';

/** From idle to full in half a minute: fans and fuses like it better than a jump. */
const rampMs = 30_000;
/** A start is this share of its cores, and at least one. */
const firstShare = 1 / 3;
/** Jitter below this share of a machine's range, and below its part of this share of the room's watts, moves nothing. */
const jitterShare = 0.01;

export interface Bound {
  readonly needW: number;
  /** Everything that the room is to draw: what jitter is a share of. */
  readonly roomW: number;
  /** Heat above what is needed that no bound forbids. */
  readonly overW: number;
}

/** Busy cores by node. */
export function levelsOf(
  running: readonly Machine[],
  records: ReadonlyMap<string, NodeRecord>,
  { needW, roomW, overW }: Bound,
  now: number,
  sinceMs: number,
): Map<string, number> {
  const order = running.toSorted(firstOf);
  const fresh = needW > 0 ? given(order, records, needW, now, sinceMs) : without(order, -needW);
  return steady(order, records, fresh, (jitterShare * roomW) / Math.max(1, order.length), overW);
}

/** What makes the heat that is missing, above what is busy anyway. */
function given(
  order: readonly Machine[],
  records: ReadonlyMap<string, NodeRecord>,
  needW: number,
  now: number,
  sinceMs: number,
): Map<string, number> {
  let rest = needW - order.reduce((sum, one) => sum + one.floorW, 0);
  const fresh = new Map<string, number>();
  for (const machine of order) {
    const record = records.get(machine.node) as NodeRecord;
    const most = Math.min(machine.capW, heatOf(machine, rampOf(machine, record, now, sinceMs)));
    const heat = Math.max(machine.floorW, Math.min(most, machine.floorW + Math.max(0, rest)));
    rest -= heat - machine.floorW;
    fresh.set(machine.node, coresOf(machine, heat));
  }
  return fresh;
}

/**
 * Levels count everything that is busy, and what is busy anyway is an estimate: one that is too high must not become heat that
 * nobody asked for. Where machines draw more than is asked, they are told levels that make no more than that together.
 */
function without(machines: readonly Machine[], tooMuchW: number): Map<string, number> {
  const above = ({ model, cores, busy }: Machine) => wattsOf(model, busy / cores) - model.idleW;
  const all = machines.reduce((sum, machine) => sum + above(machine), 0);
  const kept = all > tooMuchW ? 1 - tooMuchW / all : 0;
  const coresOfOne = (machine: Machine) => {
    const { model, cores, most } = machine;
    return Math.max(leastOf(machine), Math.min(most, coresFor(model, cores, model.idleW + kept * above(machine))));
  };
  return new Map(machines.map(machine => [machine.node, coresOfOne(machine)]));
}

/** Of its cores, next to nothing; where its own work leaves no room for that, nothing above it. */
const leastOf = ({ floorCores, most, cores }: Machine): number =>
  floorCores > 0 ? floorCores : Math.min(most, cores * floorShare);

/** Cores that it may have by now. */
function rampOf({ cores, busy }: Machine, record: NodeRecord, now: number, sinceMs: number): number {
  const first = Math.max(1, cores * firstShare);
  if (record.since === now) return busy + first;
  return Math.max(busy, record.cores) + Math.max(first * (sinceMs / 10_000), (cores * sinceMs) / rampMs);
}

/** Levels that moved by next to nothing stay as they were, as far as bounds allow. */
function steady(
  order: readonly Machine[],
  records: ReadonlyMap<string, NodeRecord>,
  fresh: Map<string, number>,
  jitterW: number,
  overW: number,
): Map<string, number> {
  let over = 0;
  const kept = new Map<string, number>();
  for (const machine of order) {
    const cores = fresh.get(machine.node) as number;
    const { cores: before } = records.get(machine.node) as NodeRecord;
    const more = heatOf(machine, before) - heatOf(machine, cores);
    const range = machine.model.peakW - machine.model.idleW;
    const keep =
      before > 0 &&
      before <= machine.most &&
      before >= Math.min(machine.most, machine.busy + machine.floorCores / 2) &&
      Math.abs(more) <= Math.min(jitterW, jitterShare * range);
    kept.set(machine.node, keep ? before : cores);
    if (keep) over += more;
  }
  return over <= overW ? kept : fresh;
}
