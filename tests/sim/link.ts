/** The Link seam of an agent on the simulated network. */
import type { Link, LinkConnect, LinkHandlers } from '../../shared/link.ts';
import { Client } from './client.ts';
import type { Process } from './clock.ts';
import type { Path } from './network.ts';
import type { World } from './world.ts';

export class SimLink implements Link {
  #client: Client;
  #world: World;
  #clientId = '';
  /** How often it came up. */
  ups = 0;
  /** Every message the agent was handed, for the properties. */
  readonly #heard: (topic: string, payload: Uint8Array) => void;

  constructor(world: World, process: Process, path: Path, heard: (topic: string, payload: Uint8Array) => void) {
    this.#world = world;
    this.#client = new Client(world, process, path);
    this.#heard = heard;
  }

  get up(): boolean {
    return this.#client.up;
  }

  connect(options: LinkConnect, handlers: LinkHandlers): void {
    const { breaks } = this.#world;
    this.#clientId = options.clientId;
    this.#client.connect(
      {
        clientId: options.clientId,
        will: options.will,
        filters: options.subscriptions,
        keepaliveMs: options.keepaliveS * 1000,
      },
      {
        up: () => {
          this.ups++;
          handlers.up();
        },
        down: why => handlers.down(why),
        message: ({ topic, bytes }) => {
          if (breaks === 'deaf-node' && topic.endsWith('/want')) return;
          this.#heard(topic, bytes);
          handlers.message(topic, bytes);
        },
      },
    );
  }

  publish(topic: string, payload: string, options: { readonly qos: 0 | 1; readonly retain?: boolean }): boolean {
    const retain = options.retain ?? false;
    if (this.#world.breaks === 'usurping-node' && topic.endsWith('/lwt') && this.#clientId.endsWith('1')) {
      this.#client.publish(topic.replace('/lwt', '/status'), 'online', 1, true);
    }
    return this.#client.publish(topic, payload, options.qos, retain);
  }

  close(graceful: boolean): void {
    this.#client.close(graceful);
  }

  die(power: boolean): void {
    this.#client.die(power);
  }
}
