/**
 * One round of heating, pure: what rooms are to be and are, what their machines do, and out of that how many cores each
 * machine is to keep busy. Called every ten seconds, and at once when a person changes something.
 */
import { roomDefaults } from '../../shared/schemas/room.ts';
import { type Allocation, type AllocationState, allocate } from './allocation/allocate.ts';
import { byRoom } from './by-room.ts';
import { type Control, type ControlState, control } from './control/controller.ts';
import type { NextTarget } from './control/early-start.ts';
import { read, sense, type ThermometerState } from './control/thermometer.ts';
import type { Home } from './machines.ts';
import { aimOf, nextAim } from './rooms/aim.ts';
import type { RoomEntry } from './rooms/entry.ts';
import type { AllocNode, Level, RoomAim, RoomShare, Sensed } from './types.ts';

/** What is measured in a room, as far as it is known. */
export interface Measured {
  /** The newest reading of its thermometer; `atMs` on the clock of `now`. */
  readonly temp?: { readonly c: number; readonly atMs: number } | undefined;
  readonly outdoorC?: number | undefined;
  readonly directW?: number | undefined;
  readonly price?: number | undefined;
  readonly surplusW?: number | undefined;
}

/** What is kept of a room from round to round. */
export interface RoomMemory {
  readonly thermometer: ThermometerState;
  readonly control: ControlState;
}

export interface RoomInput {
  readonly room: string;
  readonly entry: RoomEntry;
  readonly measured: Measured;
  readonly memory: RoomMemory;
  /** What its machines draw, W. */
  readonly heatW: number;
}

export interface RoundInput {
  readonly now: number;
  readonly wall: number;
  readonly rooms: readonly RoomInput[];
  /** Machines, given what their room says of them now. */
  machines(homes: ReadonlyMap<string, Home>): readonly AllocNode[];
  readonly allocation: AllocationState;
  readonly fuseW?: number | undefined;
  /** What machines that are out of reach may still draw, W, by room; '': in none. */
  readonly besideW?: ReadonlyMap<string, number> | undefined;
}

export interface RoomRound {
  readonly aim: RoomAim;
  readonly sensed: Sensed;
  readonly demandW: number;
  readonly action: 'off' | 'idle' | 'heating';
  readonly err: string;
  readonly memory: RoomMemory;
  readonly machines: number;
}

export interface Round {
  readonly rooms: ReadonlyMap<string, RoomRound>;
  readonly levels: readonly Level[];
  readonly allocation: AllocationState;
}

/** Without a thermometer of its own a room listens to `in/temp_c`. */
const staleMsOf = ({ document }: RoomEntry): number =>
  (document.thermometer?.stale_min ?? roomDefaults.stale_min) * 60_000;

const restingText = 'its machines rest: they were on a while ago (min_off_min of their heat)';

interface Sensing {
  readonly input: RoomInput;
  readonly aim: RoomAim;
  readonly sensed: Sensed;
  readonly thermometer: ThermometerState;
}

function sensing(input: RoomInput, now: number, wall: number): Sensing {
  const { room, entry, measured, memory, heatW } = input;
  const { temp, outdoorC, price, surplusW } = measured;
  const heard = temp ? read(memory.thermometer, { now, atMs: temp.atMs, c: temp.c }) : memory.thermometer;
  const { state, sensed } = sense(heard, now, staleMsOf(entry), heatW);
  const tempC = sensed.ok ? sensed.c : undefined;
  return { input, aim: aimOf(room, entry, { wall, tempC, outdoorC, price, surplusW }), sensed, thermometer: state };
}

/** Why all of a room's machines are off at once, whatever they have begun. */
function homeOf({ aim, sensed }: Sensing): Home {
  const { quiet } = aim;
  if (!sensed.ok) return { quiet, off: sensed.why };
  if (sensed.c >= aim.limitC) return { quiet, off: `the room is above its limit of ${aim.limitC} °C` };
  return aim.mode === 'off' ? { quiet, off: 'the room is off', mayReturn: true } : { quiet };
}

/** What the week says next, worked out once for each phase of it. */
const ahead = new WeakMap<RoomEntry, { readonly at: number; readonly targetC: number | undefined }>();
const mostAheadMs = 12 * 3_600_000;

function nextOf(room: string, entry: RoomEntry, wall: number): NextTarget | undefined {
  if (entry.document.schedule === undefined) return undefined;
  const at = nextAim(entry, wall);
  if (at - wall > mostAheadMs) return undefined;
  let next = ahead.get(entry);
  if (next?.at !== at) {
    next = { at, targetC: aimOf(room, entry, { wall: at + 1 }).targetC };
    ahead.set(entry, next);
  }
  return next.targetC === undefined ? undefined : { targetC: next.targetC, inS: (at - wall) / 1000 };
}

function controlled(one: Sensing, share: RoomShare, spanW: number, now: number, wall: number): Control {
  const { input, aim, sensed } = one;
  const { outdoorC, directW } = input.measured;
  const next = nextOf(aim.room, input.entry, wall);
  return control(input.memory.control, {
    ...{ now, aim, sensed, heatW: input.heatW, minW: share.minW, maxW: share.maxW, spanW },
    ...(outdoorC === undefined ? {} : { outdoorC }),
    ...(directW === undefined ? {} : { directW }),
    ...(next === undefined ? {} : { next }),
    learn: input.entry.document.learn ?? roomDefaults.learn,
  });
}

/** When somebody last said mode, target or preset, on the clock of `now`. */
function saidAt({ said }: RoomEntry, now: number, wall: number): number | undefined {
  const words = Object.values(said ?? {}).filter(at => at !== undefined && at <= wall);
  return words.length > 0 ? now - wall + Math.max(...words) : undefined;
}

/** What these machines could give above idle, were they free. */
const spanOf = (nodes: readonly AllocNode[]): number =>
  nodes.reduce((sum, { model, cores, mostCores }) => {
    const span = cores > 0 ? ((model.peakW - model.idleW) * mostCores) / cores : 0;
    return sum + Math.max(0, span);
  }, 0);

/** Where there is no room, nothing is asked of anybody. */
const nothing = (allocation: AllocationState): Round => ({ rooms: new Map(), levels: [], allocation });

export function round({ now, wall, rooms, machines, allocation, fuseW, besideW }: RoundInput): Round {
  if (rooms.length === 0) return nothing(allocation);
  const all = rooms.map(input => sensing(input, now, wall));
  const nodes = machines(new Map(all.map(one => [one.aim.room, homeOf(one)])));
  const inRooms = byRoom(nodes, ({ room }) => room);
  const nodesOf = (room: string) => inRooms.get(room) ?? [];
  const asked = (demands: ReadonlyMap<string, number>) =>
    all.map(({ aim, input }) => ({
      ...{ room: aim.room, priority: aim.priority, maxW: aim.maxW, saidAt: saidAt(input.entry, now, wall) },
      demandW: demands.get(aim.room) ?? 0,
    }));
  // What they could give is asked without changing anything: it may be another than a moment ago.
  const could = sharesOf(allocate(allocation, { now, nodes, rooms: asked(new Map()), fuseW, besideW }));
  const none = (room: string): RoomShare => ({ room, minW: 0, maxW: 0, givenW: 0 });
  const controls = new Map<string, Control>();
  for (const one of all) {
    const { room } = one.aim;
    controls.set(room, controlled(one, could.get(room) ?? none(room), spanOf(nodesOf(room)), now, wall));
  }
  const demands = new Map([...controls].map(([room, { demandW }]) => [room, demandW]));
  const given = allocate(allocation, { now, nodes, rooms: asked(demands), fuseW, besideW });
  const shares = sharesOf(given);
  const burning = new Set(given.levels.filter(({ cores }) => cores > 0).map(({ node }) => node));
  const out = new Map<string, RoomRound>();
  for (const { aim, sensed, thermometer } of all) {
    const { state, demandW, action, err } = controls.get(aim.room) as Control;
    const share = shares.get(aim.room);
    const there = nodesOf(aim.room);
    const nobody =
      there.length === 0 && aim.mode === 'heat'
        ? 'no machine of this room is online: give machines the label room'
        : '';
    // What runs anyway may be heat enough.
    const heats = there.some(({ node }) => burning.has(node)) || (share !== undefined && share.minW >= demandW);
    const resting = action === 'heating' && !heats && share?.why === undefined ? restingText : '';
    out.set(aim.room, {
      ...{ aim, sensed, demandW, machines: there.length },
      action: action === 'heating' && (there.length === 0 || !heats) ? 'idle' : action,
      err: err || nobody || (aim.mode === 'heat' ? (share?.why ?? resting) : ''),
      memory: { thermometer, control: state },
    });
  }
  return { rooms: out, levels: given.levels, allocation: given.state };
}

const sharesOf = ({ rooms }: Allocation): Map<string, RoomShare> => new Map(rooms.map(share => [share.room, share]));
