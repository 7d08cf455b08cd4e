/** What the supervisor says of itself and of the cluster as a whole: the topics right below the base. */
import type { Bus } from '../shared/bus.ts';
import type { Clock } from '../shared/clock.ts';
import type { FabricInfo } from '../shared/schemas/fabric.ts';
import { topicsOf } from '../shared/topics.ts';
import type { Authority } from './authority.ts';
import type { Journal } from './desired/journal.ts';
import type { FleetView } from './fleet/view.ts';

type Drawn = Required<Pick<FabricInfo, 'watts' | 'watts_source'>>;

export interface FabricParts {
  readonly base: string;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly authority: Authority;
  readonly journal: Journal;
  readonly view: FleetView;
  readonly labour: {
    /** Those that wait, and that run. */
    readonly jobs: { totals(): { readonly queued: number; readonly running: number } };
    /** What all machines draw, as far as it is known. */
    readonly heating: { readonly drawn: Drawn | undefined };
  };
}

export class Fabric {
  readonly #parts: FabricParts;
  readonly #topics: ReturnType<typeof topicsOf>;

  constructor(parts: FabricParts) {
    this.#parts = parts;
    this.#topics = topicsOf(parts.base);
  }

  hello(standing: Parameters<Authority['hello']>[3]): void {
    const { bus, clock, authority, journal } = this.#parts;
    const hello = authority.hello(journal.gen, journal.rev, clock.wall(), standing);
    bus.publish(this.#topics.fabric('hello'), hello, { qos: 1 });
  }

  status(status: 'online' | 'offline', done: () => void): void {
    this.#parts.bus.publish(this.#topics.fabric('status'), status, { qos: 1, retain: true }, () => done());
  }

  info(): void {
    const { bus, view, labour } = this.#parts;
    const info: FabricInfo = { ...view.totals(labour.jobs.totals()), ...labour.heating.drawn };
    bus.publish(this.#topics.fabric('info'), JSON.stringify(info), { qos: 1 });
  }
}
