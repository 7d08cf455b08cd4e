/** Simulated people: they set and clear services, restart them, send nonsense, and sometimes the same thing twice. */
import type { Service } from '../../shared/schemas/service.ts';
import { Message } from './broker.ts';
import type { Asked } from './properties/desired.ts';
import type { Dice } from './random.ts';
import type { World } from './world.ts';

export interface PeopleParts {
  readonly world: World;
  readonly nodes: () => readonly string[];
  readonly asked: Asked[];
}

const services = ['solver', 'web', 'g-1'] as const;

const nonsense: readonly (readonly [topic: string, payload: string])[] = [
  ['node/NODE/set', '{"services":{"web":{"run":'],
  ['node/NODE/set', ''],
  ['node/NODE/set', '{"servcies":{}}'],
  ['node/NODE/set/services/web', '{"run":7}'],
  ['node/NODE/set/services/web', '{"run":"x","colour":"red"}'],
  ['node/NODE/set/services/we b', 'x'],
  ['node/NODE/set/packages/vim', '9'],
  ['node/NODE/set', `{"services":{"deep":${'['.repeat(40)}${']'.repeat(40)}}}`],
  ['node/nobody/set/services/web', 'x'],
  ['node/UPPER/set/services/web', 'x'],
  ['node/all/set/services/web', 'x'],
  ['node/NODE/do/explode', ''],
  ['node/NODE/do/restart', 'nothing-of-that-name'],
  ['node/NODE/do/rebirth', ''],
  ['node/all/do/restart', 'web'],
  ['node/NODE/lwt', '{"epoch":9007199254740991,"inst":"00000000","online":false,"period_ms":5000,"proto":1}'],
  ['node/NODE/status', 'offline'],
  ['node/NODE/want', '{}'],
  ['hello', 'moin'],
];

export class People {
  #parts: PeopleParts;
  #dice: Dice;
  #count = 0;

  constructor(parts: PeopleParts) {
    this.#parts = parts;
    this.#dice = parts.world.stream('people');
  }

  /** Acts `times` times, at moments of their own, before `until`. */
  plan(times: number, until: number): void {
    for (let index = 0; index < times; index++) {
      this.#parts.world.timeline.at(this.#dice.between(500, until), () => this.#act());
    }
  }

  #act(): void {
    const nodes = this.#parts.nodes();
    if (nodes.length === 0) return;
    const dice = this.#dice;
    const node = dice.pick(nodes);
    const service = dice.pick(services);
    const what = dice.next();
    if (what < 0.45) this.#set(node, service);
    else if (what < 0.65) this.#clear(node, service);
    else if (what < 0.75) this.#patch(node, service);
    else if (what < 0.85) this.#publish(`node/${node}/do/restart`, service, 0);
    else this.#nonsense(node);
  }

  #set(node: string, service: string): void {
    const run = `serve ${++this.#count}`;
    const asked = this.#ask({ node, service, run });
    this.#publish(`node/${node}/set/services/${service}`, run, 0.1, asked);
  }

  #clear(node: string, service: string): void {
    const asked = this.#ask({ node, service, run: undefined });
    this.#publish(`node/${node}/set/services/${service}`, '', 0.1, asked);
  }

  #patch(node: string, service: string): void {
    const tx = `t${++this.#count}`;
    const stubborn = this.#dice.chance(0.3);
    const run = `${stubborn ? "trap '' TERM; " : ''}serve ${this.#count}`;
    const spec: Service = { run, ...(stubborn ? { stop: { grace_s: 2 } } : {}) };
    this.#ask({ node, service, run, tx });
    this.#publish(`node/${node}/set`, JSON.stringify({ tx, services: { [service]: spec } }), 0);
  }

  #ask(what: Pick<Asked, 'node' | 'service' | 'run' | 'tx'>): Asked {
    const asked: Asked = { ...what, sent: 1, answered: 0 };
    this.#parts.asked.push(asked);
    return asked;
  }

  #nonsense(node: string): void {
    const [topic, payload] = this.#dice.pick(nonsense);
    const { kind } = this.#parts.world;
    // On an outside broker the direction rules are that broker's own: nothing here stops a person from a node's parts.
    if (kind === 'outside' && /\/(lwt|status|want)$|^hello$/.test(topic)) return;
    this.#publish(topic.replace('NODE', node), payload, 0);
  }

  #publish(topic: string, payload: string, twice: number, asked?: Asked): void {
    const { world } = this.#parts;
    const dice = this.#dice;
    const message = new Message(`${world.base}/${topic}`, payload, dice.chance(0.5) ? 1 : 0, dice.chance(0.03));
    const person = dice.chance(0.5) ? 'anna' : 'bert';
    const arrive = () => {
      const broker = world.brokerAt();
      // No broker, no luck: mosquitto_pub says so and ends.
      if (broker === undefined || broker === 'dark' || !broker.listening) return;
      broker.process.arrive(message, () => {
        if (broker.listening) broker.publish(message, person);
      });
    };
    world.timeline.after(dice.between(0, 30), arrive);
    if (!dice.chance(twice)) return;
    if (asked) asked.sent++;
    world.timeline.after(dice.between(0, 2000), arrive);
  }
}
