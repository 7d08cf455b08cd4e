/** The supervisor: wires the cores of presence, desired state and orders to a bus and a store. */
import type { Signer } from '../shared/authority.ts';
import type { Bus } from '../shared/bus.ts';
import type { Clock, Random } from '../shared/clock.ts';
import type { Log } from '../shared/log.ts';
import type { Store } from '../shared/store.ts';
import type { FleetReader } from './fleet/fleet.ts';

export interface SupervisorParts {
  /** Topic base, such as `hearth`. */
  readonly base: string;
  readonly ver: string;
  readonly bus: Bus;
  readonly store: Store;
  readonly signer: Signer;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export class Supervisor {
  readonly fleet: FleetReader;

  constructor(parts: SupervisorParts) {
    this.fleet = {
      snapshot: () => ({ seq: 0, base: parts.base, ver: parts.ver, nodes: [], events: [] }),
      watch: () => () => {},
    };
  }

  /** `ready` runs once: without an error when everything retained is right and agents may come, or with one sentence. */
  start(ready: (error?: string) => void): void {
    ready();
  }

  stop(done: () => void): void {
    done();
  }
}
