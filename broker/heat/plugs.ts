/** What plugs teach of their machines while these work, and which of them are not believed. */
import type { Events } from '../fleet/events.ts';
import type { MachineNow, Machines } from './machines.ts';
import type { HeatMemory } from './memory.ts';
import type { Drawn } from './power/draw.ts';

export class Plugs {
  readonly #machines: Machines;
  readonly #memory: Pick<HeatMemory, 'learning' | 'learned'>;
  readonly #events: Pick<Events, 'emit'>;
  /** Why a node's plug is not believed. */
  readonly #doubts = new Map<string, string>();

  constructor(machines: Machines, memory: Pick<HeatMemory, 'learning' | 'learned'>, events: Pick<Events, 'emit'>) {
    this.#machines = machines;
    this.#memory = memory;
    this.#events = events;
  }

  forget(node: string): void {
    this.#doubts.delete(node);
  }

  /** Once a round. */
  look(machine: MachineNow, draw: Drawn | undefined, now: number): void {
    const { node, load, meter, calibratingCores } = machine;
    this.#doubt(node, draw?.why);
    if (draw?.source !== 'meter' || !meter || load?.cpu_pct === undefined || calibratingCores !== undefined) return;
    const { learning, learned } = this.#memory;
    const seen = { watts: meter.watts, busyShare: load.cpu_pct / 100 };
    const taught = this.#machines.learn(machine, learning.get(node), seen, now);
    learning.set(node, taught.state);
    if (taught.model) learned.call(this.#memory, node, taught.model);
  }

  /** Said when it begins. */
  #doubt(node: string, why: string | undefined): void {
    if (why === undefined) this.#doubts.delete(node);
    else if (!this.#doubts.has(node)) this.#events.emit('warn', 'plug', why, node);
    if (why !== undefined) this.#doubts.set(node, why);
  }
}
