/** Services: never two of one, and nobody stops what nobody removed, whoever crashes. */
import type { Document } from '../../../node-agent/reconcile/reconciler.ts';
import type { Machine } from '../machine.ts';
import type { Property, Sight } from './eyes.ts';

/** A restart that was asked for may be done this much later (a grace period lies between). */
const restartWithinMs = 60_000;

export class Services implements Property {
  readonly name = 'services';
  #sight: Sight;
  #documents = new Map<Machine, Document>();
  #restarts = new Map<string, number>();

  constructor(sight: Sight) {
    this.#sight = sight;
  }

  applying(machine: Machine, document: Document): void {
    this.#documents.set(machine, document);
  }

  restarting(machine: Machine, service: string): void {
    this.#restarts.set(`${machine.name} ${service}`, this.#sight.world.timeline.now);
  }

  stopping(machine: Machine, unit: string): void {
    const { world } = this.#sight;
    const process = machine.simulated.processes.get(unit);
    if (!process?.running) return;
    const wanted = this.#documents.get(machine)?.services[process.service];
    const asked = this.#restarts.get(`${machine.name} ${process.service}`) ?? Number.NEGATIVE_INFINITY;
    if (world.timeline.now - asked < restartWithinMs) return;
    if (this.#documents.has(machine) && (!wanted || bare(wanted) !== bare(process.spec))) return;
    world.violate('undisturbed', `${machine.name} stops ${process.service}, which nobody asked for`);
  }

  reset(machine: Machine): void {
    this.#documents.delete(machine);
  }
}

/** A service without whose word it is. */
function bare(spec: object): string {
  const { from: _, ...rest } = spec as { from?: string };
  return JSON.stringify(rest);
}
