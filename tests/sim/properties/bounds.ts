/** Nothing grows without end: timers per process, messages per sender. */
import type { Message } from '../broker.ts';
import type { Property, Sight } from './eyes.ts';

const windowMs = 10_000;
/** Messages of one sender in a window, and what each node adds to the supervisor's. */
const mostMessages = 250;
const perNode = 100;
const mostTimers = 400;

export class Bounds implements Property {
  readonly name = 'bounds';
  #sight: Sight;
  #sent = new Map<string, number>();
  #windowEnd = windowMs;

  constructor(sight: Sight) {
    this.#sight = sight;
  }

  published(message: Message, who: string | undefined): void {
    const { world, machines } = this.#sight;
    if (world.timeline.now > this.#windowEnd) {
      this.#windowEnd = world.timeline.now + windowMs;
      this.#sent.clear();
    }
    const sender = who ?? 'supervisor';
    const count = (this.#sent.get(sender) ?? 0) + 1;
    this.#sent.set(sender, count);
    if (count > mostMessages + perNode * machines.length) {
      world.violate('bounds', `${sender} sent ${count} messages in ${windowMs / 1000} s, the last on ${message.topic}`);
    }
  }

  tick(): void {
    const { world, machines, headquarters } = this.#sight;
    for (const process of [headquarters.process, ...machines.map(machine => machine.process)]) {
      if (process?.alive && process.timers > mostTimers) {
        world.violate('bounds', `${process.name} has ${process.timers} timers running`);
      }
    }
  }
}
