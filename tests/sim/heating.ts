/** A machine as a radiator: what its kernel does outlives the agent, until the lease's watchdog ends it. */

import type { HeatHandlers, HeatSide } from '../../node-agent/heat/side.ts';
import { SimulatedHeat } from '../../node-agent/heat/simulated-heat.ts';
import type { Clock } from '../../shared/clock.ts';
import type { HeatOrder } from '../../shared/schemas/heat.ts';
import type { Process } from './clock.ts';

export const simCores = 4;
/** Cores that are busy with nothing in particular. */
export const idleCores = 0.04;

/** Burning cores, and until when somebody may. */
export class KernelHeat {
  readonly #clock: Clock;
  #cores = 0;
  #until = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get cores(): number {
    return this.#clock.now() < this.#until ? this.#cores : 0;
  }

  burn(cores: number): void {
    this.#cores = cores;
  }

  lease(seconds: number): void {
    this.#until = this.#clock.now() + seconds * 1000;
  }

  powerCut(): void {
    this.#until = Number.NEGATIVE_INFINITY;
  }
}

/** The part of one life of the agent. */
export class SimHeat implements HeatSide {
  readonly #kernel: KernelHeat;
  readonly #inner: SimulatedHeat;

  constructor(process: Process, kernel: KernelHeat) {
    this.#kernel = kernel;
    this.#inner = new SimulatedHeat({
      clock: process.clock,
      cores: simCores,
      machine: () => ({ busyCores: idleCores, tempC: 50 }),
      heats: cores => kernel.burn(cores),
    });
  }

  get cores(): number | undefined {
    return this.#inner.cores;
  }

  get can(): readonly string[] {
    return this.#inner.can;
  }

  readonly error = '';

  start(handlers: HeatHandlers): void {
    this.#inner.start(handlers);
  }

  order(order: HeatOrder, done: (error?: string) => void): void {
    this.#kernel.lease(order.lease_s);
    this.#inner.order(order, done);
  }

  tasksThere(running: number, waiting: number): void {
    this.#inner.tasksThere(running, waiting);
  }

  forget(done: () => void): void {
    this.#kernel.powerCut();
    this.#inner.forget(done);
  }

  close(done: () => void): void {
    this.#inner.close(done);
  }
}
