/** What is said of rooms and of machines' power: flat, rounded, and without a key for what is not known. */
import type { Bus } from '../../shared/bus.ts';
import type { NodeHeatView } from '../../shared/fleet-view.ts';
import { type Power, type WattsSource, wattsSources } from '../../shared/schemas/heat.ts';
import type { RoomIs } from '../../shared/schemas/room.ts';
import { topicsOf } from '../../shared/topics.ts';
import type { Journal } from '../desired/journal.ts';
import { type MachineNow, roomOf } from './machines.ts';
import type { Measurements } from './measurements.ts';
import type { Ledger } from './power/ledger.ts';
import type { Rooms } from './rooms/rooms.ts';
import type { RoomRound, Round } from './round.ts';
import type { Draw, Level } from './types.ts';

const rounded = (value: number, digits: number): number => Math.round(value * 10 ** digits) / 10 ** digits;

export interface RoomAround {
  readonly outdoorC?: number | undefined;
  readonly maxW?: number | undefined;
  readonly kwh: number;
  /** What its machines draw, W. */
  readonly heatW: number;
  /** Those that are online. */
  readonly machines: readonly MachineNow[];
}

export function roomIs(room: string, { aim, sensed, demandW, action, err }: RoomRound, around: RoomAround): RoomIs {
  const { outdoorC, maxW, kwh, heatW, machines } = around;
  return {
    ...{ room, mode: aim.mode, target_c: aim.shownC, preset: aim.preset, action },
    ...(aim.targetC === undefined || aim.targetC === aim.shownC ? {} : { aim_c: rounded(aim.targetC, 2) }),
    ...(sensed.ok ? { temp_c: rounded(sensed.c, 2) } : {}),
    ...(outdoorC === undefined ? {} : { outdoor_c: rounded(outdoorC, 2) }),
    demand_w: rounded(demandW, 1),
    heat_w: rounded(heatW, 1),
    energy_kwh: rounded(kwh, 4),
    ...(maxW === undefined ? {} : { max_w: maxW }),
    nodes: machines.length,
    ...(sensed.ageS === undefined ? {} : { temp_age_s: Math.round(sensed.ageS) }),
    jobs: machines.reduce((all, { load }) => all + (load?.jobs ?? 0), 0),
    err: err.slice(0, 300),
  };
}

export function powerOf(node: string, draw: Draw, level: Level | undefined, kwh: number): Power {
  return {
    ...{ node, watts: rounded(draw.watts, 1), watts_source: draw.source, err_w: rounded(draw.errW, 1) },
    energy_kwh: rounded(kwh, 4),
    heat_cores: rounded(level?.cores ?? 0, 2),
    heat_w: rounded(level?.heatW ?? 0, 1),
  };
}

export type Draws = ReadonlyMap<string, Draw>;

/** What all machines draw, and the least certain source of it; undefined: nothing is known. */
function sumOfAll(draws: Draws): { readonly watts: number; readonly watts_source: WattsSource } | undefined {
  if (draws.size === 0) return undefined;
  let watts = 0;
  let least = 0;
  for (const draw of draws.values()) {
    watts += draw.watts;
    least = Math.max(least, wattsSources.indexOf(draw.source));
  }
  return { watts: rounded(watts, 1), watts_source: wattsSources[least] ?? 'model' };
}

/** What these machines draw, W. */
export const sumOf = (machines: readonly MachineNow[], draws: Draws): number =>
  machines.reduce((sum, { node }) => sum + (draws.get(node)?.watts ?? 0), 0);

export interface HeatShownParts {
  readonly base: string;
  readonly bus: Pick<Bus, 'publish'>;
  readonly journal: Pick<Journal, 'durableRooms'>;
  readonly ledger: Ledger;
  readonly rooms: Pick<Rooms, 'say'>;
  readonly measurements: Measurements;
  /** What is in the way of the room's thermometer, or of its outdoor one. */
  why(what: 'thermometer' | 'outdoor', room: string): string | undefined;
  /** A node's part in it, as it is to be seen on dashboards. */
  see(node: string, heat: NodeHeatView): void;
}

export interface ToTell {
  readonly last: Round;
  readonly machines: readonly MachineNow[];
  readonly inRooms: ReadonlyMap<string, readonly MachineNow[]>;
  readonly draws: Draws;
  readonly now: number;
}

/** `power` of a machine in a room, and of one in none, which nobody heats with. */
const powerTimes = { inRoomMs: 10_000, homelessMs: 60_000 } as const;
/** Rounds are a little early or late. */
const earlyMs = 1000;

/** @param room that the machine is in. @returns how often its `power` is said, ms. */
export const powerEveryMs = (room: string | undefined): number =>
  room === undefined ? powerTimes.homelessMs : powerTimes.inRoomMs;

export class HeatShown {
  readonly #parts: HeatShownParts;
  readonly #topics: ReturnType<typeof topicsOf>;
  readonly #powerAt = new Map<string, number>();
  #drawn: ReturnType<typeof sumOfAll>;

  constructor(parts: HeatShownParts) {
    this.#parts = parts;
    this.#topics = topicsOf(parts.base);
  }

  forget(node: string): void {
    this.#powerAt.delete(node);
  }

  /** By the last round. */
  get drawn() {
    return this.#drawn;
  }

  tell(told: ToTell): void {
    this.#drawn = sumOfAll(told.draws);
    for (const [room, one] of told.last.rooms) this.#room(room, one, told);
    const levels = new Map(told.last.levels.map(level => [level.node, level]));
    for (const machine of told.machines) this.#power(machine, told, levels.get(machine.node));
  }

  #room(room: string, one: RoomRound, { inRooms, draws, now }: ToTell): void {
    const { journal, ledger, measurements, rooms, why } = this.#parts;
    const { outdoorC } = measurements.of(room, now);
    const maxW = journal.durableRooms.get(room)?.document.max_w;
    const all = inRooms.get(room) ?? [];
    const there = all.filter(({ online }) => online);
    const kwh = ledger.kwh(`room/${room}`);
    const heats = one.aim.mode === 'heat';
    const ofRoom = heats && !one.sensed.ok ? why('thermometer', room) : undefined;
    // Without the weather a room is heated all the same: that is said where nothing else is.
    const inTheWay = ofRoom ?? (heats && one.err === '' ? why('outdoor', room) : undefined);
    const around = { outdoorC, maxW, kwh, heatW: sumOf(all, draws), machines: there };
    const is = roomIs(room, inTheWay === undefined ? one : { ...one, err: inTheWay }, around);
    rooms.say(room, is, one.sensed.ok && there.length > 0);
  }

  #power(machine: MachineNow, { draws, now }: ToTell, level: Level | undefined): void {
    const { bus, ledger, see } = this.#parts;
    const { node } = machine;
    const draw = draws.get(node);
    const every = powerEveryMs(roomOf(machine)) - earlyMs;
    if (!draw || now - (this.#powerAt.get(node) ?? Number.NEGATIVE_INFINITY) < every) return;
    this.#powerAt.set(node, now);
    const power = powerOf(node, draw, level, ledger.kwh(`node/${node}`));
    bus.publish(this.#topics.node(node, 'power'), JSON.stringify(power), { qos: 0 });
    see(node, { room: roomOf(machine), watts: rounded(draw.watts, 1), heat_w: power.heat_w });
  }
}
