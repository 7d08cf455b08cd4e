/** Hearth's own way: thermometer, controller and allocator as the supervisor has them. */
import { type AllocationState, allocate, freshAllocation } from '../../broker/heat/allocation/allocate.ts';
import { type ControlState, control, freshControl } from '../../broker/heat/control/controller.ts';
import { freshThermometer, read, sense, type ThermometerState } from '../../broker/heat/control/thermometer.ts';
import type { AllocNode, AllocRoom, RoomAim } from '../../broker/heat/types.ts';
import type { House } from './house.ts';
import type { Heated, Heating, Told } from './season.ts';

const staleMs = 10 * 60_000;

interface RoomState {
  thermometer: ThermometerState;
  control: ControlState;
  readMs?: number;
}

export function aimOf(room: string, targetC: number, more: Partial<RoomAim> = {}): RoomAim {
  return {
    room,
    targetC,
    shownC: targetC,
    preset: 'none',
    mode: 'heat',
    limitC: 28,
    maxW: 100_000,
    minW: 0,
    factor: 1,
    priority: 50,
    quiet: false,
    ...more,
  };
}

export class Hearth implements Heating {
  readonly name = 'Hearth';
  readonly rooms: RoomState[];
  /** Steps in which a thermometer that had spoken was not believed. */
  doubted = 0;
  #allocation: AllocationState = freshAllocation();
  readonly #early: boolean;

  constructor(house: House, early = true) {
    this.#early = early;
    this.rooms = house.rooms.map(() => ({ thermometer: freshThermometer(), control: freshControl() }));
  }

  step(now: number, heated: readonly Heated[], told: readonly Told[]): number[] {
    const demands = heated.map((room, i) => this.#demand(now, room, told[i] as Told, this.rooms[i] as RoomState));
    const rooms = heated.map(
      ({ of }, i): AllocRoom => ({ room: of.kind.name, demandW: demands[i] as number, priority: 50, maxW: 100_000 }),
    );
    const nodes = heated.flatMap((room, i) => room.machines.map(machine => nodeOf(room, machine, told[i] as Told)));
    const { state, levels } = allocate(this.#allocation, { now, nodes, rooms });
    this.#allocation = state;
    const byNode = new Map(levels.map(level => [level.node, level.cores]));
    for (const { machines } of heated) for (const one of machines) one.order(byNode.get(one.kind.node) ?? 0);
    return demands;
  }

  ahead(room: number): boolean {
    return this.rooms[room]?.control.pace.early !== undefined;
  }

  #demand(now: number, { of, machines, reading }: Heated, told: Told, state: RoomState): number {
    let [minW, maxW, heatW] = [0, 0, 0];
    for (const { kind, model, watts } of machines) {
      minW += model.idleW;
      maxW += told.quiet && kind.loud ? model.idleW : model.peakW;
      heatW += watts;
    }
    if (reading !== undefined && reading.atMs !== state.readMs) {
      state.readMs = reading.atMs;
      state.thermometer = read(state.thermometer, { now, ...reading });
    }
    const { state: thermometer, sensed } = sense(state.thermometer, now, staleMs, heatW);
    state.thermometer = thermometer;
    if (!sensed.ok && state.readMs !== undefined) this.doubted++;
    const next = this.#early ? told.next : undefined;
    const answer = control(state.control, {
      now,
      aim: aimOf(of.kind.name, told.targetC),
      sensed,
      minW,
      maxW,
      heatW,
      ...(of.outdoor && { outdoorC: told.outdoorC }),
      ...(next && { next }),
    });
    state.control = answer.state;
    return answer.demandW;
  }
}

function nodeOf({ of }: Heated, machine: Heated['machines'][number], { quiet }: Told): AllocNode {
  const { kind, model, metered } = machine;
  return {
    node: kind.node,
    room: of.kind.name,
    cores: kind.cores,
    model,
    mostCores: quiet && kind.loud ? 0 : kind.cores,
    busyCores: 0,
    minOnMs: 600_000,
    minOffMs: 600_000,
    work: 0,
    ...(metered !== undefined && { draw: { watts: metered, source: 'meter', errW: metered * 0.01 } }),
  };
}
