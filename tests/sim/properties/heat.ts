/**
 * Heat: nobody burns whom the true supervisor did not ask within the last minute, energy never falls, and in the end a cold
 * room with machines is heated.
 */
import type { Message } from '../broker.ts';
import type { Property, Sight } from './eyes.ts';

/** A lease, the way of the order that began it, and a stalled clock's grain. */
const longestMs = 60_000;

interface RoomSaid {
  readonly action: string;
  readonly energy_kwh: number;
  readonly nodes: number;
  readonly err: string;
}

export class Heat implements Property {
  readonly name = 'heat';
  /** Machines seen burning, for who wants to know whether anything happened. */
  burned = 0;
  readonly #sight: Sight;
  readonly #asked = new Map<string, number>();
  #room: RoomSaid | undefined;

  constructor(sight: Sight) {
    this.#sight = sight;
  }

  published(message: Message, who: string | undefined): void {
    if (!this.#sight.byAuthority(who)) return;
    const [, noun, id = '', part] = message.topic.split('/');
    if (noun === 'node' && part === 'cmd' && message.text.includes('"verb":"heat"')) {
      this.#asked.set(id, this.#sight.world.timeline.now);
    }
    if (noun !== 'room' || part !== 'is') return;
    if (message.text === '') {
      this.#room = undefined;
      return;
    }
    const is = JSON.parse(message.text) as RoomSaid;
    if (this.#room && is.energy_kwh < this.#room.energy_kwh) {
      this.#sight.world.violate('energy', `${is.energy_kwh} kWh after ${this.#room.energy_kwh}`);
    }
    this.#room = is;
  }

  tick(): void {
    const { world, machines } = this.#sight;
    for (const { name, node, heat } of machines) {
      if (heat.cores === 0) continue;
      this.burned++;
      const at = this.#asked.get(node ?? name);
      if (at === undefined) world.violate('unasked-heat', `${name} burns, and nobody asked for it`);
      else if (world.timeline.now - at > longestMs) {
        world.violate(
          'lease',
          `${name} burns ${Math.round((world.timeline.now - at) / 1000)} s after it was asked last`,
        );
      }
    }
  }

  unsettled(): readonly string[] {
    const room = this.#room;
    if (!room) return ['nothing is known of the room'];
    const machines = this.#sight.machines.filter(({ state }) => state === 'online');
    if (room.nodes < machines.length) return [`the room has ${room.nodes} of ${machines.length} machines`];
    // They were on before, and the thermometer, not a person, ended that.
    if (/^its machines rest/.test(room.err)) return [];
    if (room.action !== 'heating') return [`the room is cold and ${room.action}: ${room.err}`];
    return machines.some(({ heat }) => heat.cores > 0) ? [] : ['the room is heated, and no machine burns'];
  }
}
