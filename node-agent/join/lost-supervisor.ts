/** Nobody answers at any address that is known: the supervisor may have another one, which the network can show. */
import type { Clock, Timer } from '../../shared/clock.ts';
import type { Browsing } from '../discovery/browse.ts';

/** Failures in a row before the network is asked, and how long it is asked. */
const failures = 6;
const listenMs = 10_000;
const pauseMs = 300_000;

export class LostSupervisor {
  readonly #cluster: string;
  readonly #clock: Clock;
  readonly #tell: (hosts: readonly string[]) => void;
  #failed = 0;
  #nextAt = Number.NEGATIVE_INFINITY;
  #browsing: Browsing | undefined;
  #timer: Timer | undefined;
  #closed = false;

  /** @param tell hears hosts, as they stand in a URL. */
  constructor(cluster: string, clock: Clock, tell: (hosts: readonly string[]) => void) {
    this.#cluster = cluster;
    this.#clock = clock;
    this.#tell = tell;
  }

  found(): void {
    this.#failed = 0;
    this.#end();
  }

  failed(): void {
    const now = this.#clock.now();
    if (++this.#failed < failures || now < this.#nextAt || this.#closed) return;
    this.#nextAt = now + pauseMs;
    import('../discovery/browse.ts').then(
      ({ browse }) => {
        if (this.#closed || this.#failed === 0) return;
        this.#end();
        this.#timer = this.#clock.after(listenMs, () => this.#end());
        this.#browsing = browse({
          clock: this.#clock,
          cluster: this.#cluster,
          // Without multicast there is nothing to be found; the known addresses are tried on.
          trouble: () => this.#end(),
          chosen: choice => choice.kind === 'one' && this.#tell(choice.supervisor.addresses),
        });
      },
      () => {},
    );
  }

  close(): void {
    this.#closed = true;
    this.#end();
  }

  #end(): void {
    this.#timer?.cancel();
    this.#browsing?.close();
    this.#browsing = undefined;
  }
}
