/** Simulated people who send jobs, change their mind about them, and sometimes say the same thing twice, or another under the same id. */
import { Message } from './broker.ts';
import type { Dice } from './random.ts';
import type { World } from './world.ts';

/** A document that was sent, known by its mark. */
export interface Sent {
  readonly job: string;
  readonly tx: string;
  readonly document: string;
  readonly tasks: number;
  /** Tasks may end without success: they fail by chance, or the job may be canceled. */
  readonly mayFail: boolean;
}

interface Kind {
  readonly tasks: number;
  readonly mayFail?: boolean;
  /** Nodes that it needs. */
  readonly nodes?: number;
  readonly document: object;
}

const kinds: readonly Kind[] = [
  { tasks: 12, document: { plugin: 'sim', array: '1-12', common: { ms: 300 } } },
  { tasks: 1, document: { plugin: 'sim', common: { ms: 4000 } } },
  { tasks: 6, document: { plugin: 'sim', array: '1-6', common: { ms: 1500 }, speculate: true } },
  { tasks: 8, document: { plugin: 'sim', array: '1-8', common: { ms: 50 }, batch: 1, max_parallel: 2 } },
  {
    tasks: 8,
    mayFail: true,
    document: { plugin: 'sim', array: '1-8', common: { ms: 100, fail: 0.4 }, backoff_s: 0.5 },
  },
  {
    tasks: 5,
    document: { plugin: 'sim', items: [1, 2, 3, 4, 5], common: { ms: 200 }, reduce: { plugin: 'sim', fan_in: 2 } },
  },
  { tasks: 4, nodes: 2, document: { plugin: 'sim', array: '1-4', common: { ms: 400 }, replicas: 2, agree: 2 } },
];

export class Senders {
  readonly sent: Sent[] = [];
  readonly #world: World;
  readonly #dice: Dice;
  readonly #nodes: number;
  #count = 0;
  /** Jobs about which orders were given: what becomes of them is open. */
  readonly ordered = new Set<string>();
  readonly #paused = new Set<string>();

  constructor(world: World, nodes: number) {
    this.#world = world;
    this.#dice = world.stream('senders');
    this.#nodes = nodes;
  }

  plan(times: number, until: number): void {
    for (let index = 0; index < times; index++) {
      this.#world.timeline.at(this.#dice.between(500, until), () => this.#act());
    }
  }

  /** Whoever paused something lets it go on. */
  calm(): void {
    for (const job of this.#paused) this.#publish(`job/${job}/do/resume`, '');
  }

  #act(): void {
    const dice = this.#dice;
    const last = this.sent[this.sent.length - 1];
    const what = dice.next();
    if (!last || what < 0.55) this.#send(`j${++this.#count}`, last);
    else if (what < 0.65) this.#repeat(last);
    else if (what < 0.75) this.#send(last.job, undefined);
    else this.#order(dice.pick(this.sent).job);
  }

  #send(job: string, before: Sent | undefined): void {
    const dice = this.#dice;
    const fitting = kinds.filter(({ nodes = 1 }) => nodes <= this.#nodes);
    const { tasks, mayFail = false, document } = dice.pick(fitting);
    const needs = before && dice.chance(0.2) ? { needs: [before.job] } : {};
    const tx = `s${this.sent.length + 1}`;
    const sent = {
      job,
      tx,
      document: JSON.stringify({ ...document, ...needs, tx }),
      tasks,
      mayFail: mayFail || 'needs' in needs,
    };
    this.sent.push(sent);
    this.#publish(`job/${job}/set`, sent.document);
    // Nobody answered: it is sent again, which is what the id is for.
    if (dice.chance(0.5))
      this.#world.timeline.after(dice.between(500, 20_000), () => this.#publish(`job/${job}/set`, sent.document));
  }

  #repeat({ job, document }: Sent): void {
    this.#publish(`job/${job}/set`, document);
  }

  #order(job: string): void {
    const verb = this.#dice.pick(['pause', 'pause', 'resume', 'cancel', 'retry', 'out'] as const);
    if (verb === 'pause') this.#paused.add(job);
    if (verb === 'cancel') this.ordered.add(job);
    this.#publish(`job/${job}/do/${verb}`, '');
  }

  #publish(topic: string, payload: string): void {
    const message = new Message(`${this.#world.base}/${topic}`, payload, 1, false);
    this.#world.timeline.after(this.#dice.between(0, 30), () => {
      const broker = this.#world.brokerAt();
      if (broker === undefined || broker === 'dark' || !broker.listening) return;
      broker.process.arrive(message, () => {
        if (broker.listening) broker.publish(message, 'carla');
      });
    });
  }
}
