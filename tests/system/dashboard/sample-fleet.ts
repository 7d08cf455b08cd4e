/** Two rooms and six made-up machines of the kind that lies in a cupboard, for the picture in the README and for the tests. */
import type { NodeView, RoomView } from '../../../shared/fleet-view.ts';
import type { FabricEvent } from '../../../shared/schemas/fabric.ts';
import type { ItemStatus } from '../../../shared/schemas/observed.ts';
import { type RoomIs, roomDefaults } from '../../../shared/schemas/room.ts';

interface Machine {
  readonly id: string;
  readonly cpu: string;
  readonly arch: string;
  readonly os: string;
  readonly cores: number;
  readonly memMb: number;
  readonly mhz: number;
  readonly busy: number;
  readonly mem: number;
  readonly temp?: number;
  readonly rev?: readonly [is: number, want: number];
  readonly err?: string;
  readonly offlineMin?: number;
  readonly heat?: readonly [room: string, watts: number, heatW: number];
  readonly services: Readonly<Record<string, ItemStatus>>;
}

const running: ItemStatus = { state: 'running', pid: 4711 };

const machines: readonly Machine[] = [
  {
    ...{ id: 'attic-pi', cpu: 'Cortex-A72', arch: 'arm64', os: 'Debian 12', cores: 4, memMb: 3793, mhz: 1500 },
    ...{ busy: 22, mem: 31, temp: 52, services: { zigbee2mqtt: running, 'mdns-relay': running } },
  },
  {
    ...{ id: 'hall-thinkpad', cpu: 'Core i5-3320M', arch: 'x64', os: 'Debian 12', cores: 4, memMb: 7734, mhz: 2890 },
    ...{ busy: 91, mem: 62, temp: 83, heat: ['study', 42.6, 38.2], services: { blender: running, solver: running } },
  },
  {
    ...{
      id: 'office-xeon',
      cpu: 'Xeon E5-2670 ×2',
      arch: 'x64',
      os: 'Ubuntu 24.04',
      cores: 32,
      memMb: 128_000,
      mhz: 2610,
    },
    ...{
      busy: 58,
      mem: 44,
      temp: 66,
      heat: ['study', 298.1, 271.8],
      services: { render: running, folding: running, postgres: running },
    },
  },
  {
    ...{ id: 'cellar-ryzen', cpu: 'Ryzen 7 1700', arch: 'x64', os: 'Fedora 42', cores: 16, memMb: 32_011, mhz: 3190 },
    ...{ busy: 34, mem: 37, temp: 61, rev: [41, 42], err: 'services/indexer: crash-loop' },
    services: {
      build: running,
      indexer: { state: 'crash-loop', restarts: 5, exit: 1, err: 'cannot open /srv/index: No such file or directory' },
    },
  },
  {
    ...{
      id: 'kitchen-pixel',
      cpu: 'Snapdragon 765G',
      arch: 'arm64',
      os: 'Android 14',
      cores: 8,
      memMb: 7501,
      mhz: 1800,
    },
    ...{ busy: 12, mem: 55, rev: [39, 42], services: { camera: { state: 'starting' } } },
  },
  {
    ...{ id: 'shed-atom', cpu: 'Atom N450', arch: 'x64', os: 'Debian 12', cores: 2, memMb: 1985, mhz: 1660 },
    ...{ busy: 3, mem: 48, temp: 44, offlineMin: 12, services: { weather: running } },
  },
];

/** A wave over the cores whose mean is about `busy`, moving with `step`. */
const cores = (machine: Machine, step: number): number[] =>
  Array.from({ length: machine.cores }, (_, core) => {
    const wave = Math.sin(core * 1.7 + step * 0.9 + machine.id.length) * Math.min(machine.busy, 100 - machine.busy);
    return Math.round(Math.min(100, Math.max(0, machine.busy + wave)));
  });

/** The fleet at a wall-clock time in epoch milliseconds. */
export function sampleFleet(wallMs: number, step = 0): NodeView[] {
  return machines.map((machine, index): NodeView => {
    const { id, offlineMin, temp } = machine;
    const pct = cores(machine, step);
    const [rev, wanted] = machine.rev ?? [42, 42];
    const items = Object.entries(machine.services).map(([name, status]) => [`services/${name}`, status]);
    return {
      id,
      online: offlineMin === undefined,
      since_ms: wallMs - (offlineMin ?? 60 * 7 * (index + 1)) * 60_000,
      want_rev: wanted,
      ...(machine.heat && { heat: { room: machine.heat[0], watts: machine.heat[1], heat_w: machine.heat[2] } }),
      cores: pct,
      info: {
        node: id,
        os: machine.os,
        arch: machine.arch,
        cpu: machine.cpu,
        cores: machine.cores,
        mem_mb: machine.memMb,
      },
      load: {
        ...{ node: id, epoch: 3, seq: step, cpu_pct: pct.reduce((sum, share) => sum + share, 0) / pct.length },
        ...{ mem_pct: machine.mem, disk_pct: 28 + index * 9, cpu_mhz: machine.mhz, up_s: 86_400 * (index + 2) },
        ...{
          rx_kbps: 14 + machine.busy * 31,
          tx_kbps: 6 + machine.busy * 9,
          ...(temp === undefined ? {} : { temp_c: temp }),
        },
      },
      is: {
        ...{ node: id, epoch: 3, state: 'ready', rev, err: machine.err ?? '', ver: '0.1.0' },
        items: Object.fromEntries(items) as Record<string, ItemStatus>,
      },
    };
  });
}

const roomOf = (wallMs: number, id: string, is: Partial<RoomIs>, more: Partial<RoomView> = {}): RoomView => ({
  ...{ id, online: true, min_c: 5, max_c: 28, presets: roomDefaults.presets, is_at_ms: wallMs, is_rev: 4 },
  is: {
    ...{ room: id, mode: 'heat', target_c: 21, temp_c: 19.2, preset: 'none', action: 'heating', demand_w: 310 },
    ...{ heat_w: 296, energy_kwh: 12.3451, nodes: 2, temp_age_s: 7, jobs: 6, err: '', ...is },
  },
  ...more,
});

/** One that is heated, and one whose thermometer is away. */
export function sampleRooms(wallMs: number): RoomView[] {
  const said = { heat_w: 340.7, demand_w: 345, energy_kwh: 128.31, max_w: 800, outdoor_c: 3.5 };
  const { temp_c: _, ...lost } = roomOf(wallMs, 'workshop', {}).is as RoomIs;
  return [
    roomOf(wallMs, 'study', { ...said, target_c: 21.5, temp_c: 19.6 }, { name: 'Study' }),
    roomOf(
      wallMs,
      'workshop',
      {},
      {
        ...{ name: 'Workshop', online: false },
        is: {
          ...{ ...lost, action: 'idle', target_c: 17, preset: 'eco', demand_w: 0, heat_w: 0, energy_kwh: 41.7 },
          ...{ nodes: 1, jobs: 0, temp_age_s: 1500, err: 'the thermometer has said nothing for 25 minutes' },
        },
      },
    ),
  ];
}

export const sampleEvents = (wallMs: number): FabricEvent[] => [
  { at_ms: wallMs - 3_900_000, level: 'info', kind: 'node-online', node: 'attic-pi', text: 'attic-pi is online' },
  {
    at_ms: wallMs - 3_200_000,
    level: 'info',
    kind: 'node-online',
    node: 'kitchen-pixel',
    text: 'kitchen-pixel is online',
  },
  {
    at_ms: wallMs - 720_000,
    level: 'warn',
    kind: 'node-offline',
    node: 'shed-atom',
    text: 'three periods without a word',
  },
  {
    ...{ at_ms: wallMs - 95_000, level: 'error', kind: 'crash-loop', node: 'cellar-ryzen' },
    text: 'indexer ended 5 times in a minute, last with exit code 1',
  },
];
