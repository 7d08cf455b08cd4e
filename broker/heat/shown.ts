/** What is said of rooms and of machines' power: flat, rounded, and without a key for what is not known. Pure. */
import type { Power } from '../../shared/schemas/heat.ts';
import type { RoomIs } from '../../shared/schemas/room.ts';
import type { MachineNow } from './machines.ts';
import type { RoomRound } from './round.ts';
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
