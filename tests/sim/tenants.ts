/** Simulated people who live with the machines: a room, its thermometer, and what they want of it; and what else is sent there. */
import { Message } from './broker.ts';
import type { Dice } from './random.ts';
import type { World } from './world.ts';

const readingMs = 20_000;

export class Tenants {
  readonly #world: World;
  readonly #dice: Dice;
  readonly #nodes: () => readonly string[];
  #calm = false;
  /** What the thermometer shows. */
  #tempC = 18;

  constructor(world: World, nodes: () => readonly string[]) {
    this.#world = world;
    this.#dice = world.stream('tenants');
    this.#nodes = nodes;
  }

  plan(times: number, until: number): void {
    const { timeline } = this.#world;
    timeline.at(this.#dice.between(1000, 6000), () => this.#moveIn());
    for (let index = 0; index < times; index++) timeline.at(this.#dice.between(500, until), () => this.#act());
    this.#read();
  }

  /** From now on they want it warm, and nothing else. */
  calm(): void {
    this.#calm = true;
    this.#moveIn();
    this.#publish('room/attic/in/temp_c', String(this.#tempC));
  }

  #moveIn(): void {
    for (const node of this.#nodes()) this.#publish(`node/${node}/set/labels`, '{"room":"attic"}');
    this.#publish('room/attic/set', '{"mode":"heat","target_c":22,"preset":"none"}');
  }

  #read(): void {
    this.#world.timeline.after(readingMs, () => this.#read());
    // As a room is: it does not jump, which a thermometer would not be believed.
    if (!this.#calm) this.#tempC = Math.round((this.#tempC + this.#dice.between(-0.04, 0.04)) * 100) / 100;
    this.#publish('room/attic/in/temp_c', String(this.#tempC));
    if (this.#calm) this.#sayAgain();
  }

  /** A machine that nobody knew yet was refused: who put it there says again where it is. */
  #sayAgain(): void {
    const broker = this.#world.brokerAt();
    if (broker === undefined || broker === 'dark') return;
    for (const node of this.#nodes()) {
      const own = broker.retained.get(`${this.#world.base}/node/${node}/own`)?.text;
      if (own !== undefined && !own.includes('"attic"')) this.#publish(`node/${node}/set/labels`, '{"room":"attic"}');
    }
  }

  #act(): void {
    const [topic, payload] = this.#dice.pick([
      ['set/mode', 'off'],
      ['set/mode', 'heat'],
      ['set/target_c', '24'],
      ['set/target_c', '16'],
      ['set/preset', 'eco'],
      ['set/preset', 'boost'],
      ['set/target_c', 'warm'],
      ['set', '{"mode":"heat","rules":[{"if":"price >"}]}'],
      ['in/temp_c', '-127'],
      ['in/temp_c', 'unavailable'],
      ['do/forget', ''],
      ['do/explode', ''],
    ] as const);
    this.#publish(`room/attic/${topic}`, payload);
  }

  #publish(topic: string, payload: string): void {
    const message = new Message(`${this.#world.base}/${topic}`, payload, 1, this.#dice.chance(0.02));
    this.#world.timeline.after(this.#dice.between(0, 30), () => {
      const broker = this.#world.brokerAt();
      if (broker === undefined || broker === 'dark' || !broker.listening) return;
      broker.process.arrive(message, () => {
        if (broker.listening) broker.publish(message, 'dora');
      });
    });
  }
}
