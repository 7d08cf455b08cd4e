/** Houses: three rooms and eight machines each. `flat` is what the controller was tuned on; `cottage` only as to
 * coarse thermometers; `cabin` not at all. The integral time was chosen with a look at all three, with other seeds and days. */
import type { Habits } from './life.ts';
import type { MachineKind } from './machine.ts';
import { type RoomKind, roomKind } from './room.ts';
import { coarse, type SensorKind, wire, zigbee } from './sensor.ts';
import type { PlaceName } from './weather.ts';

export interface HouseRoom {
  readonly kind: RoomKind;
  readonly habits: Habits;
  readonly sensor: SensorKind;
  readonly machines: readonly MachineKind[];
  /** Whether the controller gets an outdoor reading. */
  readonly outdoor: boolean;
}

export interface House {
  readonly name: string;
  readonly place: PlaceName;
  readonly rooms: readonly HouseRoom[];
}

const pi = (node: string): MachineKind => ({ node, cores: 4, idleW: 3, peakW: 7.5, caseS: 120 });
const laptop = (node: string): MachineKind => ({ node, cores: 4, idleW: 10, peakW: 46, caseS: 180 });
const mini = (node: string): MachineKind => ({ node, cores: 4, idleW: 9, peakW: 38, caseS: 180 });
const office = (node: string): MachineKind => ({ node, cores: 4, idleW: 34, peakW: 125, caseS: 420, plug: true });
const tower = (node: string): MachineKind => ({ node, cores: 8, idleW: 44, peakW: 205, caseS: 480, plug: true });
const station = (node: string): MachineKind => ({ node, cores: 16, idleW: 70, peakW: 390, caseS: 600, plug: true });
const server = (node: string): MachineKind => ({
  node,
  cores: 24,
  idleW: 95,
  peakW: 440,
  caseS: 420,
  loud: true,
  plug: true,
});
const gamer = (node: string): MachineKind => ({ node, cores: 6, idleW: 48, peakW: 260, caseS: 480, loud: true });

const study: Habits = {
  weekday: [[8, 18.5]],
  weekend: [[10, 16]],
  warmC: 21,
  coolC: 19,
  people: 1,
  devicesW: 40,
  airings: 1,
};
const living: Habits = {
  weekday: [[6.5, 22.5]],
  weekend: [[8, 23]],
  warmC: 21.5,
  coolC: 20.5,
  people: 3,
  devicesW: 80,
  airings: 1.3,
};
const bedroom: Habits = {
  weekday: [[6, 23]],
  weekend: [[6, 23]],
  warmC: 20,
  coolC: 19,
  people: 2,
  devicesW: 10,
  airings: 1,
  quiet: [23, 6],
};

/** Well-kept rooms of a flat, medium walls. */
export const flat: House = {
  name: 'flat',
  place: 'greensboro',
  rooms: [
    {
      kind: roomKind('study', 14, 'medium', { wallsOut: 11, airOut: 11, glass: 1.5, facing: 180 }),
      habits: study,
      sensor: zigbee,
      machines: [station('station'), office('office'), pi('pi')],
      outdoor: true,
    },
    {
      kind: roomKind('living', 22, 'medium', { wallsOut: 15, airOut: 14, glass: 2.4, facing: 240 }),
      habits: living,
      sensor: zigbee,
      machines: [server('server'), tower('tower'), mini('mini')],
      outdoor: true,
    },
    {
      kind: roomKind('bedroom', 12, 'medium', { wallsOut: 6.5, airOut: 6, glass: 1.2, facing: 90 }),
      habits: bedroom,
      sensor: wire,
      machines: [gamer('gamer'), laptop('laptop')],
      outdoor: false,
    },
  ],
};

/** An old house of heavy walls by a cold sea; a coarse thermometer; no weather station. */
export const cottage: House = {
  name: 'cottage',
  place: 'sand-point',
  rooms: [
    {
      kind: roomKind('workshop', 18, 'heavy', { wallsOut: 15, airOut: 11, glass: 1.6, facing: 200 }),
      habits: { ...study, warmC: 20.5, coolC: 18.5 },
      sensor: wire,
      machines: [server('server'), tower('tower'), mini('mini')],
      outdoor: false,
    },
    {
      kind: roomKind('kitchen', 16, 'heavy', { wallsOut: 11, airOut: 11, glass: 1.6, facing: 120 }),
      habits: { ...living, warmC: 20.5, coolC: 19 },
      sensor: zigbee,
      machines: [station('station'), office('office'), pi('pi')],
      outdoor: true,
    },
    {
      kind: roomKind('chamber', 10, 'heavy', { wallsOut: 6.5, airOut: 6, glass: 0.8, facing: 0 }),
      habits: bedroom,
      sensor: coarse,
      machines: [gamer('gamer'), laptop('laptop')],
      outdoor: false,
    },
  ],
};

/** A cabin of light walls and large windows: everything changes fast. */
export const cabin: House = {
  name: 'cabin',
  place: 'sand-point',
  rooms: [
    {
      kind: roomKind('office', 15, 'light', { wallsOut: 8, airOut: 12, glass: 1.8, facing: 170 }),
      habits: { ...study, airings: 2 },
      sensor: zigbee,
      machines: [station('station'), office('office2'), pi('pi')],
      outdoor: true,
    },
    {
      kind: roomKind('hall', 20, 'light', { wallsOut: 10, airOut: 16, glass: 2.4, facing: 225 }),
      habits: living,
      sensor: wire,
      machines: [server('server'), tower('tower'), mini('mini')],
      outdoor: false,
    },
    {
      kind: roomKind('loft', 11, 'light', { wallsOut: 5, airOut: 7, glass: 1, facing: 90 }),
      habits: bedroom,
      sensor: zigbee,
      machines: [gamer('gamer'), laptop('laptop')],
      outdoor: true,
    },
  ],
};
