/**
 * Watts of rooms as busy cores of machines, with the least switching: a dimmer, not a contactor. Called every ten seconds, and
 * at once when a person changes something. The same input gives the same answer, in whatever order rooms and nodes come. Pure.
 *
 * A room's watts are everything that its machines draw: what they draw anyway (idle, jobs that do not wait for heat) is heat
 * too, and the levels give the rest. Where a meter or RAPL says that a machine draws other than its model, the difference is
 * followed slowly and counted.
 */
import { wattsOf } from '../power/model.ts';
import type { AllocNode, AllocRoom, Level, RoomShare } from '../types.ts';
import { choose, mayStart, missingShare } from './choose.ts';
import { grantsOf } from './fuse.ts';
import { levelsOf } from './levels.ts';
import { heatOf, type Machine, machineOf } from './machine.ts';
import { type AllocationState, type NodeRecord, type RoomRecord, recordsNow, stateNow, turned } from './state.ts';

export { type AllocationState, freshAllocation, loadAllocation } from './state.ts';

export interface AllocationInput {
  /** Monotonic ms. */
  readonly now: number;
  /** All machines that draw from the fuse; those in none of the rooms give no heat. */
  readonly nodes: readonly AllocNode[];
  readonly rooms: readonly AllocRoom[];
  /** What all machines may draw together, W. */
  readonly fuseW?: number | undefined;
  /** What others may draw beside them, W by room; '': in none. It counts against the fuse and the room's most. */
  readonly besideW?: ReadonlyMap<string, number> | undefined;
}

export interface Allocation {
  readonly state: AllocationState;
  /** Of every node, by name. */
  readonly levels: readonly Level[];
  /** Of every room, by name. */
  readonly rooms: readonly RoomShare[];
}

/** Starts come back in ten seconds: a tenth of the machines, and two at least. */
const startsMs = 10_000;
const startsShare = 0.1;
const leastStarts = 2;
/** A level that moved by this share of the range makes meters late. */
const movedShare = 0.05;
/** With less than this share of the fuse left, levels follow it exactly. */
const spareOfFuse = 0.02;
const mostW = 10_000_000;
const tiny = 1e-6;

const watts = (value: number, otherwise = 0) => (value > 0 ? Math.min(value, mostW) : value <= 0 ? 0 : otherwise);

/** One of each name, by name: of several the first in an order that does not depend on how they came. */
function named<T extends object>(things: readonly T[], name: (thing: T) => string): T[] {
  const known = new Map<string, T>();
  for (const thing of things) {
    const other = known.get(name(thing));
    if (!other || JSON.stringify(thing) < JSON.stringify(other)) known.set(name(thing), thing);
  }
  return [...known.values()].sort((a, b) => (name(a) < name(b) ? -1 : 1));
}

const total = (machines: readonly Machine[], key: 'anywayW' | 'capW' | 'floorW') =>
  machines.reduce((all, machine) => all + machine[key], 0);

interface RoomNow {
  readonly room: string;
  readonly priority: number;
  readonly machines: readonly Machine[];
  readonly anywayW: number;
  readonly demandW: number;
  /** What it may have, less what its machines that are out of reach may still draw. */
  readonly maxW: number;
  /** Heat asked for above what is drawn anyway (below 0: that is too much already), and what of it is claimed of the fuse. */
  readonly needW: number;
  readonly claimW: number;
  readonly saidAt: number | undefined;
}

interface Fuse {
  readonly w: number | undefined;
  /** What all machines draw with no heat asked of them. */
  readonly anywayW: number;
}

function roomNow(
  given: AllocRoom,
  machines: readonly Machine[],
  records: ReadonlyMap<string, NodeRecord>,
  besideW: number,
  now: number,
): RoomNow {
  const anywayW = total(machines, 'anywayW');
  const demandW = watts(given.demandW);
  const maxW = Math.max(0, watts(given.maxW, mostW) - besideW);
  const record = (machine: Machine) => records.get(machine.node) as NodeRecord;
  const running = machines.filter(machine => machine.able && record(machine).on);
  const could =
    total(running, 'capW') +
    total(
      machines.filter(one => mayStart(one, record(one), now, given.saidAt)),
      'capW',
    );
  const needW = Math.min(demandW, maxW) - anywayW;
  // Floors of those that run count: whoever may not stop yet draws them.
  const claimW = Math.max(0, Math.min(Math.max(Math.min(needW, could), total(running, 'floorW')), maxW - anywayW));
  const priority = Number.isFinite(given.priority) ? given.priority : 0;
  return { room: given.room, priority, machines, anywayW, demandW, maxW, needW, claimW, saidAt: given.saidAt };
}

/** What is in the way of a room's watts, one sentence. */
function whyOf({ needW, claimW, demandW, maxW, anywayW, machines }: RoomNow, grantW: number, fuse: Fuse) {
  const w = (watts: number) => `${Math.round(watts)} W`;
  if (grantW < claimW - tiny && fuse.w !== undefined)
    return fuse.w <= fuse.anywayW
      ? `the fuse of ${w(fuse.w)} (max-w) is below the ${w(fuse.anywayW)} that all machines draw without any heat`
      : `the fuse of ${w(fuse.w)} (max-w) leaves ${w(anywayW + grantW)} for this room`;
  if (demandW > maxW)
    return maxW < anywayW
      ? `its machines draw ${w(anywayW)} without any heat, more than the ${w(maxW)} that it may have (max_w)`
      : `it may have ${w(maxW)} at most (max_w and its rules)`;
  const most = total(machines, 'capW');
  return needW > most + missingShare * demandW ? `its machines can give ${w(anywayW + most)} at most now` : undefined;
}

export function allocate(from: AllocationState, { now, nodes, rooms, fuseW, besideW }: AllocationInput): Allocation {
  const before = stateNow(from, now);
  const records = recordsNow(before, now);
  const sinceMs = before.at === undefined ? startsMs : Math.max(0, now - before.at);
  const machines: Machine[] = [];
  for (const node of named(nodes, one => one.node)) {
    const { machine, record } = machineOf(node, records.get(node.node), now, sinceMs);
    machines.push(machine);
    records.set(machine.node, record);
  }
  const asked = named(rooms, one => one.room);
  const homes = new Map<string, Machine[]>(asked.map(room => [room.room, []]));
  const homeless: Machine[] = [];
  for (const machine of machines) (homes.get(machine.room) ?? homeless).push(machine);

  const mostStarts = Math.max(leastStarts, Math.ceil(machines.length * startsShare));
  let starts = Math.min(mostStarts, before.starts + (mostStarts * sinceMs) / startsMs);
  const mayStartOne = () => {
    if (starts < 1) return false;
    starts--;
    return true;
  };

  const beside = new Map([...(besideW ?? [])].map(([room, w]) => [room, watts(w)]));
  const nowRooms = asked.map(given =>
    roomNow(given, homes.get(given.room) ?? [], records, beside.get(given.room) ?? 0, now),
  );
  const fuse: Fuse = {
    w: fuseW !== undefined && Number.isFinite(fuseW) ? watts(fuseW) : undefined,
    anywayW: [...machines.map(({ anywayW }) => Math.max(0, anywayW)), ...beside.values()].reduce(
      (all, w) => all + w,
      0,
    ),
  };
  const { grants, leftW } = grantsOf(nowRooms, fuse.anywayW, fuse.w);
  const roomy = fuse.w === undefined || leftW > spareOfFuse * fuse.w;

  const known: Record<string, RoomRecord> = {};
  const cores = new Map<string, number>();
  const shares: RoomShare[] = [];
  for (const room of nowRooms) {
    const grantW = grants.get(room.room) ?? 0;
    const cut = grantW < room.claimW - tiny;
    const mostW = Math.max(0, room.maxW - room.anywayW);
    const needW = cut ? Math.min(room.needW, grantW) : room.needW;
    const ask = { needW, demandW: room.demandW, mostW: cut ? Math.min(grantW, mostW) : mostW, saidAt: room.saidAt };
    const chosen = choose(room.machines, records, before.rooms[room.room] ?? {}, ask, now, mayStartOne);
    known[room.room] = chosen.room;
    const overW = cut || !roomy ? 0 : Math.max(0, mostW - Math.max(needW, total(chosen.running, 'floorW')));
    const bound = { needW, roomW: Math.min(room.demandW, room.maxW), overW };
    for (const [node, n] of levelsOf(chosen.running, records, bound, now, sinceMs)) cores.set(node, n);
    const heatW = chosen.running.reduce((sum, one) => sum + heatOf(one, cores.get(one.node) ?? 0), 0);
    const why = whyOf(room, grantW, fuse);
    shares.push({
      room: room.room,
      minW: Math.max(0, room.anywayW),
      maxW: Math.max(
        0,
        room.anywayW,
        cut ? room.anywayW + grantW : Math.min(room.maxW, room.anywayW + total(room.machines, 'capW')),
      ),
      givenW: Math.max(0, room.anywayW + heatW),
      ...(why === undefined ? {} : { why }),
    });
  }
  for (const machine of homeless) {
    const record = records.get(machine.node) as NodeRecord;
    if (record.on) records.set(machine.node, turned(record, false, now));
  }
  const levels = machines.map(machine => levelOf(machine, cores.get(machine.node) ?? 0));
  for (const machine of machines) records.set(machine.node, told(machine, records, cores.get(machine.node) ?? 0, now));
  return { state: { at: now, starts, nodes: Object.fromEntries(records), rooms: known }, levels, rooms: shares };
}

function levelOf(machine: Machine, cores: number): Level {
  const heatW = heatOf(machine, cores);
  return { node: machine.node, cores, watts: Math.max(0, machine.anywayW + heatW), heatW };
}

/** Its record with what it is told now. */
function told(
  { node, cores: all, busy, model }: Machine,
  records: ReadonlyMap<string, NodeRecord>,
  cores: number,
  now: number,
): NodeRecord {
  const record = records.get(node) as NodeRecord;
  const modelW = all > 0 ? wattsOf(model, Math.max(cores, busy) / all) : model.idleW;
  const moved = Math.abs(modelW - record.modelW) > movedShare * (model.peakW - model.idleW);
  return { ...record, cores, modelW, ...(moved ? { movedAt: now } : {}) };
}
