/**
 * The order `heat` is a lease: it says how many cores a machine is to keep busy, and for how long. This decides when it
 * is said again. Pure.
 */
import { type HeatOrder, heatDefaults, type NodeHeat } from '../../shared/schemas/heat.ts';
import type { RoomDocument } from '../../shared/schemas/room.ts';
import { roomDefaults } from '../../shared/schemas/room.ts';
import { type MachineNow, roomOf } from './machines.ts';

/** Whoever hears nothing new for so long gives no heat any more; with the watchdog's own looks it is below a minute. */
export const leaseS = 45;
/** Twice in a lease one may be lost. */
const againMs = 15_000;
/** Cores; less is no news. */
const newsCores = 0.02;

/** The lease, and what the watchdog takes to see its end. */
const surelyOverMs = 60_000;

type LeasedTo = Pick<MachineNow, 'node' | 'online' | 'labels'>;

interface Told {
  readonly session: string;
  readonly cores: number;
  readonly text: string;
  readonly at: number;
}

const isDue = (told: Told, order: HeatOrder, now: number): boolean =>
  Math.abs(told.cores - order.cores) >= newsCores || now - told.at >= againMs;

export function orderFor(cores: number, heat: NodeHeat, { filler, burner }: RoomDocument): HeatOrder {
  return {
    cores: Math.round(cores * 1000) / 1000,
    lease_s: leaseS,
    max_temp_c: heat.max_temp_c ?? heatDefaults.max_temp_c,
    burner: burner ?? roomDefaults.burner,
    // A service that is a filler rests while nobody asks for heat: who runs it has to know that it is one.
    ...(filler === undefined || (cores === 0 && !('service' in filler)) ? {} : { filler: JSON.stringify(filler) }),
  };
}

export class Leases {
  readonly #told = new Map<string, Told>();
  readonly #fillers: Set<string>;

  /** @param fillers nodes that were told of a filler last, kept over restarts: what rests there does until it is named no more. */
  constructor(fillers: Set<string> = new Set()) {
    this.#fillers = fillers;
  }

  /**
   * Whether the order is to be sent now; it counts as sent then. No heat is said once to a session that was asked for some.
   * @param session names the node's connection: a new one has heard nothing.
   */
  due(node: string, session: string, order: HeatOrder, now: number): boolean {
    const told = this.#told.get(node);
    if (order.cores === 0 && !this.#concerns(node, told, order)) return false;
    const { cores: _, ...rest } = order;
    const text = JSON.stringify(rest);
    const isNew = told?.session !== session;
    const isSame = !isNew && told.text === text && (told.cores === 0) === (order.cores === 0);
    if (isSame && (order.cores === 0 || !isDue(told, order, now))) return false;
    this.#told.set(node, { session, cores: order.cores, text, at: now });
    if (order.filler === undefined) this.#fillers.delete(node);
    else this.#fillers.add(node);
    return true;
  }

  /** No heat is news to whom some was asked of, and to whom a filler's name says what rests. */
  #concerns(node: string, told: Told | undefined, { filler }: HeatOrder): boolean {
    return filler !== undefined || this.#fillers.has(node) || (told !== undefined && told.cores > 0);
  }

  /**
   * Orders of a supervisor that ran before: who was asked for heat then may hold its lease still.
   * @param nodes what each was told last
   * @param now taken for the moment when that was: it is not known any better
   */
  resume(nodes: Readonly<Record<string, { readonly on: boolean; readonly cores: number }>>, now: number): void {
    for (const [node, { on, cores }] of Object.entries(nodes))
      if (on && cores > 0) this.#told.set(node, { session: '', cores, text: '', at: now });
  }

  /**
   * What machines that are out of reach may still draw for heat: nobody can end their leases but they themselves.
   * @param wattsOf watts of a machine with so many busy cores
   * @returns watts by room; '': in none
   */
  heldW<M extends LeasedTo>(
    machines: readonly M[],
    wattsOf: (machine: M, cores: number) => number,
    now: number,
  ): ReadonlyMap<string, number> {
    const watts = new Map<string, number>();
    for (const machine of machines) {
      const told = machine.online ? undefined : this.#told.get(machine.node);
      if (!told || told.cores === 0 || now - told.at >= surelyOverMs) continue;
      const room = roomOf(machine) ?? '';
      watts.set(room, (watts.get(room) ?? 0) + wattsOf(machine, told.cores));
    }
    return watts;
  }

  forget(node: string): void {
    this.#told.delete(node);
    this.#fillers.delete(node);
  }
}
