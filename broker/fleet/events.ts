/** `<base>/event`: what people should know happened. Rate-limited; what is dropped is counted and told. */
import type { Clock } from '../../shared/clock.ts';
import { printable } from '../../shared/names.ts';
import type { FabricEvent } from '../../shared/schemas/fabric.ts';
import { TokenBucket } from '../orders/token-bucket.ts';

export const eventRate = { perSecond: 20, burst: 200 } as const;

export class Events {
  readonly #clock: Clock;
  readonly #out: (event: FabricEvent) => void;
  readonly #bucket: TokenBucket;
  #dropped = 0;

  constructor(clock: Clock, out: (event: FabricEvent) => void) {
    this.#clock = clock;
    this.#out = out;
    this.#bucket = new TokenBucket(eventRate, clock.now());
  }

  /** @param kind a stable word, such as `twin`. */
  emit(level: FabricEvent['level'], kind: string, text: string, node?: string): void {
    if (!this.#bucket.take(this.#clock.now())) {
      this.#dropped++;
      return;
    }
    const at_ms = this.#clock.wall();
    this.#out({ at_ms, level, kind, ...(node === undefined ? {} : { node }), text: printable(text, 500) });
  }

  tellDropped(): void {
    if (this.#dropped === 0) return;
    const text = `${this.#dropped} events were dropped: more than ${eventRate.perSecond} a second`;
    this.#dropped = 0;
    this.#out({ at_ms: this.#clock.wall(), level: 'warn', kind: 'events-dropped', text });
  }
}
