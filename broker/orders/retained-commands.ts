/**
 * Commands that an outside broker keeps. A retained `set` or `do` would run again at every reconnect, so one that
 * arrives as a retained copy is not run but answered and removed. The removal is an empty publish to the same topic,
 * which comes back to us and must not be taken for "clear this key": one empty message per removal is swallowed.
 */
import type { Bus, BusMessage } from '../../shared/bus.ts';
import type { Clock } from '../../shared/clock.ts';

/** Removals whose echo has not come yet; the oldest is given up beyond this. */
const maxEchoes = 10_000;
/** An echo that did not come by then was lost with its connection. */
const echoMs = 60_000;

export class RetainedCommands {
  readonly #bus: Bus;
  readonly #clock: Clock;
  /** Topic to when it was removed. */
  readonly #echoes = new Map<string, number>();

  constructor(bus: Bus, clock: Clock) {
    this.#bus = bus;
    this.#clock = clock;
  }

  /** `run`, `swallow` (our own removal coming back), or `refuse` (removed now, to be answered "retained"). */
  judge(message: BusMessage): 'run' | 'swallow' | 'refuse' {
    // Embedded: the flag was stripped, nothing was kept, and `mosquitto_pub -r` is as good as without -r.
    if (this.#bus.kind === 'embedded') return 'run';
    if (message.retain) {
      this.#remove(message.topic);
      return 'refuse';
    }
    if (message.payload.length > 0) return 'run';
    const at = this.#echoes.get(message.topic);
    if (at === undefined) return 'run';
    this.#echoes.delete(message.topic);
    return this.#clock.now() - at < echoMs ? 'swallow' : 'run';
  }

  /** The connection is gone, and with it every echo that was under way. */
  down(): void {
    this.#echoes.clear();
  }

  #remove(topic: string): void {
    const oldest = this.#echoes.size >= maxEchoes ? this.#echoes.keys().next().value : undefined;
    if (oldest !== undefined) this.#echoes.delete(oldest);
    this.#echoes.set(topic, this.#clock.now());
    this.#bus.publish(topic, '', { qos: 1, retain: true }, error => {
      if (error) this.#echoes.delete(topic);
    });
  }
}
