/** A machine as the allocator reckons with it: every number bounded, watts by its model and what a meter says of that. Pure. */
import { coresFor, isModel, wattsOf } from '../power/model.ts';
import type { AllocNode, PowerModel } from '../types.ts';
import { freshRecord, type NodeRecord } from './state.ts';

export interface Machine {
  readonly node: string;
  readonly room: string;
  readonly cores: number;
  /** Cores that may be busy, everything counted. */
  readonly most: number;
  readonly busy: number;
  readonly model: PowerModel;
  /** What it draws with no heat asked of it; below 0 where it was seen to draw far less than its model when busy. */
  readonly anywayW: number;
  /** Heat above that, at most. */
  readonly capW: number;
  /** Heat while it runs for as little as can be, and its cores. */
  readonly floorW: number;
  readonly floorCores: number;
  /** May give heat; else it is off at once. That its own work leaves no room for heat now is no reason to be off. */
  /** It was a person who switched it off. */
  readonly mayReturn: boolean;
  readonly able: boolean;
  readonly useful: boolean;
  /** Watts of heat for one busy core: less is more work for the same heat. */
  readonly coreW: number;
  readonly minOnMs: number;
  readonly minOffMs: number;
}

const mostCores = 4096;
const mostMs = 24 * 3_600_000;
/** Work that was there so recently counts as there: the next task comes. */
const workMs = 5 * 60_000;
/** A machine that runs and is not needed draws this share of its range. */
export const floorShare = 0.01;
/** Model of a machine whose model is none. */
const noModel: PowerModel = { idleW: 0, peakW: 0, exponent: 1, source: 'guess', err: 1 };
/** How fast the model's error is learned, and forgotten when nothing is metered any more. */
const learnMs = 90_000;
const forgetMs = 30 * 60_000;
/** A meter and a moving average need so long to follow. */
const settleMs = 30_000;
const mostStepMs = 60_000;

const within = (value: number, from: number, to: number) => (value > from ? Math.min(value, to) : from);

/**
 * The error of its model, followed slowly: a first-order average, which for the room's watts is an integral of what is missing.
 * Downward by half of what the model says, since a machine that does not do as told is not made up for by all others;
 * upward far more: who draws more than thought is asked for less, and the fuse counts it.
 */
function biasOf(record: NodeRecord, { draw, model }: AllocNode, now: number, sinceMs: number): number {
  // RAPL corrects a guess. What a person or a meter said of the machine is known better than what RAPL makes of it.
  const better = draw?.source === 'meter' || (draw?.source === 'rapl' && draw.errW <= model.err * draw.watts);
  if (!draw || !better || !Number.isFinite(draw.watts) || draw.watts < 0)
    return record.bias * Math.exp(-sinceMs / forgetMs);
  if (now - record.movedAt < settleMs) return record.bias;
  const part = 1 - Math.exp(-Math.min(sinceMs, mostStepMs) / learnMs);
  const bias = record.bias + part * (draw.watts - record.modelW - record.bias);
  return within(bias, -record.modelW / 2, 2 * model.peakW + 100);
}

/** The machine, and its record with what was learned since the last call. */
export function machineOf(
  given: AllocNode,
  known: NodeRecord | undefined,
  now: number,
  sinceMs: number,
): { readonly machine: Machine; readonly record: NodeRecord } {
  const sound = isModel(given.model);
  const node: AllocNode = sound ? given : { ...given, model: noModel };
  const { model } = node;
  const cores = within(node.cores, 0, mostCores);
  const busy = within(node.busyCores, 0, cores);
  const most = within(node.mostCores, 0, cores);
  const before = known ?? freshRecord(now);
  const working = node.work > 0;
  const record: NodeRecord = {
    ...before,
    bias: known ? biasOf(before, node, now, sinceMs) : 0,
    seenAt: now,
    ...(working ? { workedAt: now } : {}),
  };
  const watts = (n: number) => (cores > 0 ? wattsOf(model, n / cores) : model.idleW);
  const anyway = watts(busy);
  const range = model.peakW - model.idleW;
  const capW = Math.max(0, watts(Math.max(most, busy)) - anyway);
  const wanted = Math.min(coresFor(model, cores, anyway + range * floorShare) - busy, cores * floorShare);
  const floorCores = Math.max(0, Math.min(wanted, most - busy));
  const able = sound && node.off === undefined && most > 0 && range > 0;
  return {
    record,
    machine: {
      node: node.node,
      room: node.room,
      cores,
      most,
      busy,
      model,
      anywayW: anyway + record.bias,
      capW: able ? capW : 0,
      floorW: able ? Math.min(capW, watts(busy + floorCores) - anyway) : 0,
      floorCores: able ? floorCores : 0,
      able,
      mayReturn: node.mayReturn === true,
      useful: working || (record.workedAt !== undefined && now - record.workedAt < workMs),
      coreW: cores > 0 ? range / cores : 0,
      minOnMs: within(node.minOnMs, 0, mostMs),
      minOffMs: within(node.minOffMs, 0, mostMs),
    },
  };
}

/** Cores, everything counted, with which it gives so much heat. */
export function coresOf(machine: Machine, heatW: number): number {
  const { model, cores, busy, most, floorCores } = machine;
  const anyway = cores > 0 ? wattsOf(model, busy / cores) : model.idleW;
  return Math.min(most, Math.max(busy + floorCores, coresFor(model, cores, anyway + heatW)));
}

/** Heat that it gives with so many busy cores, everything counted. */
export function heatOf({ model, cores, busy }: Machine, n: number): number {
  return cores > 0 ? Math.max(0, wattsOf(model, Math.max(n, busy) / cores) - wattsOf(model, busy / cores)) : 0;
}

/** Who gives heat first: useful work, then more work for the same heat; the name last, so that the order is always the same. */
export function firstOf(a: Machine, b: Machine): number {
  return Number(b.useful) - Number(a.useful) || a.coreW - b.coreW || (a.node < b.node ? -1 : 1);
}
