/** What plugs teach of their machines while these work, and which of them are not believed. */
import type { Events } from '../fleet/events.ts';
import type { MachineNow, Machines } from './machines.ts';
import type { HeatMemory } from './memory.ts';
import type { Drawn } from './power/draw.ts';

export interface PlugsParts {
  readonly events: Pick<Events, 'emit'>;
  /** Why a plug's messages, or its answers, are not understood. */
  why(what: 'plug', node: string): string | undefined;
}

export class Plugs {
  readonly #machines: Machines;
  readonly #memory: Pick<HeatMemory, 'learning' | 'learned'>;
  readonly #parts: PlugsParts;
  /** Why a node's plug is not believed. */
  readonly #doubts = new Map<string, string>();

  constructor(machines: Machines, memory: Pick<HeatMemory, 'learning' | 'learned'>, parts: PlugsParts) {
    this.#machines = machines;
    this.#memory = memory;
    this.#parts = parts;
  }

  forget(node: string): void {
    this.#doubts.delete(node);
  }

  /** Once a round. */
  look(machine: MachineNow, draw: Drawn | undefined, now: number): void {
    const { node, online, load, meter, calibratingCores } = machine;
    // One bad message among good ones is nobody's concern.
    const unheard = online && draw?.source !== 'meter' ? this.#parts.why('plug', node) : undefined;
    this.#doubt(node, draw?.why ?? unheard);
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
    else if (!this.#doubts.has(node)) this.#parts.events.emit('warn', 'plug', why, node);
    if (why !== undefined) this.#doubts.set(node, why);
  }
}
