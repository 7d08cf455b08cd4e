/**
 * One round of heating, pure: what rooms are to be and are, what their machines do, and out of that how many cores each
 * machine is to keep busy. Called every ten seconds, and at once when a person changes something.
 */
import { roomDefaults } from '../../shared/schemas/room.ts';
import { type Allocation, type AllocationState, allocate } from './allocation/allocate.ts';
import { type Control, type ControlState, control } from './control/controller.ts';
import { read, sense, type ThermometerState } from './control/thermometer.ts';
import { aimOf } from './rooms/aim.ts';
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
  /** What its machines could give when last asked. */
  readonly share?: RoomShare | undefined;
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
  machines(
    homes: ReadonlyMap<string, { readonly quiet: boolean; readonly off?: string | undefined }>,
  ): readonly AllocNode[];
  readonly allocation: AllocationState;
  readonly fuseW?: number | undefined;
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
function whyOff({ aim, sensed }: Sensing): string | undefined {
  if (!sensed.ok) return sensed.why;
  if (sensed.c >= aim.limitC) return `the room is above its limit of ${aim.limitC} °C`;
  return aim.mode === 'off' ? 'the room is off' : undefined;
}

function controlled(one: Sensing, share: RoomShare, now: number): Control {
  const { input, aim, sensed } = one;
  const { outdoorC, directW } = input.measured;
  return control(input.memory.control, {
    ...{ now, aim, sensed, heatW: input.heatW, minW: share.minW, maxW: share.maxW },
    ...(outdoorC === undefined ? {} : { outdoorC }),
    ...(directW === undefined ? {} : { directW }),
    learn: input.entry.document.learn ?? roomDefaults.learn,
  });
}

export function round({ now, wall, rooms, machines, allocation, fuseW }: RoundInput): Round {
  const all = rooms.map(input => sensing(input, now, wall));
  const nodes = machines(new Map(all.map(one => [one.aim.room, { quiet: one.aim.quiet, off: whyOff(one) }])));
  const asked = (demands: ReadonlyMap<string, number>) =>
    all.map(({ aim }) => ({
      ...{ room: aim.room, priority: aim.priority, maxW: aim.maxW },
      demandW: demands.get(aim.room) ?? 0,
    }));
  // What they could give is known from the last round; of a room that is new it is asked without changing anything.
  const isNew = all.some(({ input }) => input.memory.share === undefined);
  const could = isNew ? sharesOf(allocate(allocation, { now, nodes, rooms: asked(new Map()), fuseW })) : new Map();
  const none = (room: string): RoomShare => ({ room, minW: 0, maxW: 0, givenW: 0 });
  const controls = new Map<string, Control>();
  for (const one of all) {
    const { room } = one.aim;
    controls.set(room, controlled(one, one.input.memory.share ?? could.get(room) ?? none(room), now));
  }
  const demands = new Map([...controls].map(([room, { demandW }]) => [room, demandW]));
  const given = allocate(allocation, { now, nodes, rooms: asked(demands), fuseW });
  const shares = sharesOf(given);
  const out = new Map<string, RoomRound>();
  for (const { aim, sensed, thermometer } of all) {
    const { state, demandW, action, err } = controls.get(aim.room) as Control;
    const share = shares.get(aim.room);
    const there = nodes.filter(({ room }) => room === aim.room).length;
    const nobody =
      there === 0 && aim.mode === 'heat' ? 'no machine of this room is online: give machines the label room' : '';
    out.set(aim.room, {
      ...{ aim, sensed, demandW, machines: there },
      action: there === 0 && action === 'heating' ? 'idle' : action,
      err: err || nobody || (aim.mode === 'heat' ? (share?.why ?? '') : ''),
      memory: { thermometer, control: state, share },
    });
  }
  return { rooms: out, levels: given.levels, allocation: given.state };
}

const sharesOf = ({ rooms }: Allocation): Map<string, RoomShare> => new Map(rooms.map(share => [share.room, share]));
