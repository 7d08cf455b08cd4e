/** The filler that is a service of this node: its reconciler starts and restarts it, and here is said how far it runs. */
import type { Dimmed } from '../../reconcile/host.ts';
import { type FillerRun, heldOf } from './filler.ts';

export type DimService = (cores: number | undefined) => Dimmed;

export class ServiceFiller implements FillerRun {
  readonly #name: string;
  readonly #dim: DimService;
  #last: Dimmed = {};

  constructor(name: string, dim: DimService) {
    this.#name = name;
    this.#dim = dim;
  }

  get error(): string {
    const there = this.#last.freezing !== undefined || this.#last.processes !== undefined;
    return there ? '' : `the filler is the service "${this.#name}", which does not run on this node`;
  }

  set(cores: number): void {
    this.#last = this.#dim(cores);
  }

  usedMs(): number | undefined {
    return this.#last.usedMs;
  }

  held(): readonly string[] {
    return heldOf(this.#last);
  }

  end(done: () => void): void {
    this.#dim(undefined);
    done();
  }

  close(): void {}
}
