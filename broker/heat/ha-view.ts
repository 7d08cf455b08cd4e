/** The cluster as Home Assistant is told of it, from the fleet and the rooms. */
import { type RoomDocument, roomDefaults, roomLimits } from '../../shared/schemas/room.ts';
import type { Info, Load } from '../../shared/schemas/telemetry.ts';
import type { Journal } from '../desired/journal.ts';
import type { FleetReader } from '../fleet/fleet.ts';
import {
  type HaNode,
  type HaRoom,
  type HaView,
  loadEveryMs,
  type TelemetryKey,
  telemetryKeys,
} from '../homeassistant/view.ts';
import { powerEveryMs } from './shown.ts';

export interface HaSources {
  readonly ver: string;
  readonly journal: Pick<Journal, 'durable' | 'durableRooms'>;
  readonly view: Pick<FleetReader, 'get'>;
  /** The room that the node is in. */
  room(node: string): string | undefined;
  /** Undefined: of no machine is known what it draws. */
  drawn(): object | undefined;
  /** Whether it can be woken. */
  wakes(node: string): boolean;
}

/** Remembers what each machine has shown: an entity whose key comes and goes is still one. */
export class ClusterForHa {
  readonly #sources: HaSources;
  readonly #has = new Map<string, Set<TelemetryKey>>();
  /** Facts as they were last seen: another agent, or another right, is news. */
  readonly #info = new Map<string, Info>();
  /** The last load of each, and how often one comes. */
  readonly #loads = new Map<string, { readonly load: Load; readonly everyMs: number | undefined }>();
  #watts = false;

  constructor(sources: HaSources) {
    this.#sources = sources;
  }

  /** @returns whether a key came that it did not have before, its facts are others, or how often its loads come. */
  heard(node: string, load: Load): boolean {
    const has = this.#has.get(node) ?? new Set<TelemetryKey>();
    const before = has.size + (this.#watts ? 1 : 0);
    for (const key of telemetryKeys) if (load[key] !== undefined) has.add(key);
    if (this.#sources.drawn() !== undefined) this.#watts = true;
    this.#has.set(node, has);
    const last = this.#loads.get(node);
    const everyMs = loadEveryMs(load, last?.load, last?.everyMs);
    this.#loads.set(node, { load, everyMs });
    if (everyMs !== last?.everyMs) return true;
    const info = this.#sources.view.get(node)?.info;
    const told = this.#info.get(node);
    if (info) this.#info.set(node, info);
    if (info !== told) return true;
    return has.size + (this.#watts ? 1 : 0) > before;
  }

  forget(node: string): void {
    this.#has.delete(node);
    this.#info.delete(node);
    this.#loads.delete(node);
  }

  view(): Omit<HaView, 'base' | 'prefix' | 'cluster'> {
    const { ver, journal } = this.#sources;
    return {
      ver,
      rooms: [...journal.durableRooms].map(([id, { document }]) => roomFor(id, document)),
      nodes: [...journal.durable.keys()].map(node => this.#node(node)),
      watts: this.#watts,
    };
  }

  #node(id: string): HaNode {
    const { view, room, wakes } = this.#sources;
    const info = view.get(id)?.info;
    const home = room(id);
    const everyMs = this.#loads.get(id)?.everyMs;
    return {
      id,
      ...(info === undefined ? {} : { info }),
      ...(home === undefined ? {} : { room: home }),
      has: this.#has.get(id) ?? new Set<TelemetryKey>(),
      power: info?.cores !== undefined,
      powerEveryMs: powerEveryMs(home),
      wakes: wakes(id),
      ...(everyMs === undefined ? {} : { loadEveryMs: everyMs }),
    };
  }
}

function roomFor(id: string, { name, outdoor, limit_c }: RoomDocument): HaRoom {
  return {
    id,
    ...(name === undefined ? {} : { name }),
    minC: roomLimits.coldest,
    maxC: Math.min(roomLimits.warmest, limit_c ?? roomDefaults.limit_c),
    outdoor: outdoor !== undefined,
  };
}
