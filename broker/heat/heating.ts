/**
 * Heating's front door for the supervisor: rooms and machines (heat.ts), what is measured elsewhere, and what Home
 * Assistant is told. Knows which message is whose.
 */
import type { BusMessage } from '../../shared/bus.ts';
import type { Random } from '../../shared/clock.ts';
import { matches } from '../../shared/topics.ts';
import { HomeAssistant } from '../homeassistant/announcer.ts';
import type { Asked } from '../orders/answers.ts';
import { ClusterForHa } from './ha-view.ts';
import { Heat, type HeatOptions, type HeatParts } from './heat.ts';

export interface HeatingOptions extends HeatOptions {
  /** Topic prefix of Home Assistant's discovery, or `off`. Default: `off`. */
  readonly discovery?: string | undefined;
}

export interface HeatingParts extends Omit<HeatParts, 'options' | 'roomsChanged'> {
  readonly ver: string;
  /** Fingerprint of the cluster's key. */
  readonly cluster: string;
  readonly random: Random;
  readonly options: HeatingOptions;
}

export class Heating {
  readonly #parts: HeatingParts;
  readonly #heat: Heat;
  readonly #ha: HomeAssistant;
  readonly #cluster: ClusterForHa;
  #attached = false;

  constructor(parts: HeatingParts) {
    this.#parts = parts;
    const { base, bus, store, clock, random, log, journal, view, ver, cluster, options, maySpeak } = parts;
    this.#heat = new Heat({ ...parts, roomsChanged: (room, gone) => this.#roomChanged(room, gone) });
    this.#cluster = new ClusterForHa({ ver, journal, view, room: node => this.#heat.roomOf(node) });
    this.#ha = new HomeAssistant({
      ...{ base, clock, random, log, store, cluster, prefix: options.discovery ?? 'off' },
      view: () => this.#cluster.view(),
      maySpeak,
    });
    bus.also(this.#ha.filters());
  }

  load(done: (error?: string) => void): void {
    this.#heat.load(done);
  }

  /** Alone on this base: rooms are shown again, `done`, and from then on it heats. */
  everything(done: () => void): void {
    this.#heat.rooms.everything(done);
  }

  begin(): void {
    this.#heat.begin();
    const { bus } = this.#parts;
    this.#attached = true;
    this.#ha.attach({
      name: 'own',
      publish: (topic, text, { retain, qos }) => bus.publish(topic, text, { retain, qos }),
    });
  }

  /** The broker is gone. */
  down(): void {
    if (this.#attached) this.#ha.detach({ name: 'own' });
    this.#attached = false;
  }

  set = (asked: Asked): void => this.#heat.rooms.set(asked);
  do = (asked: Asked): void => this.#heat.rooms.do(asked);
  reading = (asked: Asked): void => this.#heat.rooms.reading(asked);
  found = (room: string): void => this.#heat.rooms.found(room);

  /** What a node's own thermometers show. */
  sensors(_node: string, _payload: Uint8Array): void {}

  /** A message that may be somebody else's: a thermometer's, a plug's, Home Assistant's. */
  foreign({ topic, payload, retain, from }: BusMessage): void {
    // What the supervisor says itself comes back only to tell what is there.
    const isForHa = this.#ha.filters().some(filter => matches(filter, topic));
    if (isForHa && (from !== undefined || retain || this.#parts.bus.kind === 'outside'))
      this.#ha.take('own', topic, payload, retain);
  }

  nodeChanged(node: string): void {
    this.#heat.nodeChanged(node);
    const load = this.#parts.view.get(node)?.load;
    if (load && this.#cluster.heard(node, load)) this.#ha.changed();
  }

  changed(nodes: Iterable<string>): void {
    this.#heat.changed(nodes);
    this.#ha.changed();
  }

  nodeGone(node: string): void {
    this.#heat.nodeGone(node);
    this.#cluster.forget(node);
    this.#ha.forgotten('node', node);
  }

  #roomChanged(room: string, gone: boolean): void {
    if (gone) this.#ha.forgotten('room', room);
    else this.#ha.changed();
  }

  stop(done: () => void): void {
    this.#ha.stop();
    this.#heat.stop(done);
  }
}
