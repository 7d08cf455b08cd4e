/**
 * Heating's front door for the supervisor: rooms and machines (heat.ts), what is measured elsewhere, and what Home
 * Assistant is told. Knows which message is whose.
 */
import type { BusMessage } from '../../shared/bus.ts';
import type { Random } from '../../shared/clock.ts';
import { matches } from '../../shared/topics.ts';
import { HomeAssistant } from '../homeassistant/announcer.ts';
import type { Outlet } from '../homeassistant/outlet.ts';
import type { Asked } from '../orders/answers.ts';
import { heatingVerbs } from '../orders/verbs.ts';
import { carries } from '../uplink/topics.ts';
import { ClusterForHa } from './ha-view.ts';
import { Heat, type HeatOptions, type HeatParts } from './heat.ts';
import { type Ask, type BrokerName, Sources, WemoPolls } from './sources/index.ts';

export interface HeatingOptions extends HeatOptions {
  /** Topic prefix of Home Assistant's discovery, or `off`. Default: `off`. */
  readonly discovery?: string | undefined;
  /** The way to the user's own broker. */
  readonly uplink?: HeatUplink | undefined;
  /** Asks a Wemo Insight; absent: none is asked. */
  readonly askWemo?: Ask | undefined;
}

export interface HeatUplink {
  readonly outlet: Outlet;
  also(filters: readonly string[]): void;
}

export interface HeatingParts extends Omit<HeatParts, 'options' | 'roomsChanged' | 'why'> {
  readonly ver: string;
  /** Fingerprint of the cluster's key. */
  readonly cluster: string;
  readonly random: Random;
  readonly options: HeatingOptions;
  /** Whether the node can be woken, as far as one knows. */
  wakes(node: string): boolean;
}

export class Heating {
  readonly #parts: HeatingParts;
  readonly #heat: Heat;
  readonly #ha: HomeAssistant;
  readonly #cluster: ClusterForHa;
  readonly #sources: Sources;
  readonly #wemos: WemoPolls | undefined;
  #attached = false;

  constructor(parts: HeatingParts) {
    this.#parts = parts;
    const { base, store, clock, random, log, journal, view, ver, cluster, options, maySpeak } = parts;
    this.#heat = new Heat({
      ...parts,
      roomsChanged: (room, gone) => this.#roomChanged(room, gone),
      why: (what, id) => {
        if (what === 'plug') return this.#sources.whyPlug(id) ?? this.#wemos?.why(id);
        return what === 'outdoor' ? this.#sources.whyOutdoor(id) : this.#sources.whyRoom(id);
      },
    });
    const { temp, outdoor, meter } = this.#heat;
    this.#sources = new Sources(clock, { temp, outdoor, meter });
    const ask = options.askWemo;
    this.#wemos = ask && new WemoPolls({ clock, ask, meter });
    this.#cluster = new ClusterForHa({
      ver,
      journal,
      view,
      room: node => this.#heat.roomOf(node),
      drawn: () => this.drawn,
      wakes: parts.wakes,
    });
    this.#ha = new HomeAssistant({
      ...{ base, clock, random, log, store, cluster, prefix: options.discovery ?? 'off' },
      view: () => this.#cluster.view(),
      carries: (outlet, topic) => outlet === 'own' || carries(topic, base),
      maySpeak,
    });
    this.#listen();
  }

  load(done: (error?: string) => void): void {
    this.#heat.load(error => {
      this.#listen();
      done(error);
    });
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
  /** A `do` on a node that is heating's to do. @returns false where it is none. */
  order(asked: Asked): boolean {
    const { target, rest } = asked.topic;
    const isOwn = heatingVerbs.some(verb => verb === rest[0]);
    if (!isOwn || target.kind !== 'one' || !this.#parts.journal.nodes.has(target.id)) return false;
    if (rest[0] === 'calibrate') this.#heat.calibrating.do(asked);
    else this.#rediscover(asked);
    return true;
  }

  /** What all machines draw. */
  get drawn() {
    return this.#heat.drawn;
  }

  reading = (asked: Asked): void => this.#heat.rooms.reading(asked);
  found = (room: string): void => this.#heat.rooms.found(room);

  /** What a node's own thermometers show. */
  sensors = (node: string, payload: Uint8Array): void => this.#sources.sensors(node, payload);

  /** A message that may be somebody else's: a thermometer's, a plug's, Home Assistant's. */
  foreign(message: BusMessage): void {
    this.#sources.take('own', message);
    this.#told('own', message.topic, message.payload, message.retain);
  }

  /** The same, from the user's own broker. */
  uplinkHeard(topic: string, payload: Uint8Array, retain: boolean): void {
    this.#sources.take('uplink', { topic, payload, retain });
    this.#told('uplink', topic, payload, retain);
  }

  unheard(broker: BrokerName, filter: string, reason: string): void {
    this.#sources.unheard(broker, filter, reason);
  }

  uplinkUp(): void {
    const { uplink } = this.#parts.options;
    if (uplink) this.#ha.attach(uplink.outlet);
  }

  uplinkDown(): void {
    this.#ha.detach({ name: 'uplink' });
  }

  #told(broker: BrokerName, topic: string, payload: Uint8Array, retain: boolean): void {
    const isForHa = this.#ha.filters().some(filter => matches(filter, topic));
    if (isForHa) this.#ha.take(broker, topic, payload, retain);
  }

  /** Thermometers and plugs may be others. */
  #listen(): void {
    const { journal, bus, options } = this.#parts;
    this.#sources.replace({
      rooms: [...journal.durableRooms].map(([room, { document }]) => ({ room, ...document })),
      plugs: this.#heat.plugs(),
    });
    this.#wemos?.replace(this.#sources.wemos);
    bus.also([...this.#ha.filters(), ...this.#sources.filters('own')]);
    options.uplink?.also([...this.#ha.filters(), ...this.#sources.filters('uplink')]);
  }

  nodeChanged(node: string): void {
    this.#heat.nodeChanged(node);
    const load = this.#parts.view.get(node)?.load;
    if (load && this.#cluster.heard(node, load)) this.#ha.changed();
  }

  changed(nodes: Iterable<string>): void {
    this.#heat.changed(nodes);
    this.#listen();
    this.#ha.changed();
  }

  nodeGone(node: string): void {
    this.#heat.nodeGone(node);
    this.#cluster.forget(node);
    this.#ha.forgotten('node', node);
  }

  /** Home Assistant is told of everything again, of what people removed there, too. */
  #rediscover(asked: Asked): void {
    this.#ha.rediscover();
    this.#parts.answers.reply(asked, true, { state: 'finished' });
  }

  #roomChanged(room: string, gone: boolean): void {
    this.#listen();
    if (gone) this.#ha.forgotten('room', room);
    else this.#ha.changed();
  }

  stop(done: () => void): void {
    this.#ha.stop();
    this.#wemos?.stop();
    this.#heat.stop(done);
  }
}
