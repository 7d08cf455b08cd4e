/** What is announced to Home Assistant of a view of the cluster. Pure. */
import { isId } from '../../shared/names.ts';
import { announcementOf, type Device, type Known } from './component.ts';
import { hubDevice } from './hub-device.ts';
import { configTopic, hubObject, nodeObject, roomObject } from './ids.ts';
import { nodeDevice, onceThere } from './node-device.ts';
import { roomDevice } from './room-device.ts';
import type { HaView } from './view.ts';

export interface DiscoveryOptions {
  /** What was announced under this topic before. */
  known?(topic: string): Known;
  /**
   * Whether messages on this topic get to Home Assistant and back; absent: all do. A component that tells or is told by a
   * topic that does not, is not announced.
   */
  carries?(topic: string): boolean;
}

/** Machines that are announced: each is some fifteen entities, and Home Assistant slows down long before. */
export const mostNodes = 2000;

const nothing = new Set<string>();

/**
 * The config topics with their JSON, the hub first: the others refer to it, and Home Assistant makes a stub of what it does
 * not know yet. Empty where the prefix is `off`.
 */
export function discovery(view: HaView, options: DiscoveryOptions = {}): ReadonlyMap<string, string> {
  const steps = new Announcements().read(view, options);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** {@link discovery} that makes only what is new since the last time, and can be made in pieces. */
export class Announcements {
  /** Topic to what it was made of, and the JSON. */
  #made: ReadonlyMap<string, Made> = new Map();

  /** Yields after each device that had to be made anew: some tenths of a millisecond. */
  *read(
    view: HaView,
    { known = () => nothing, carries = () => true }: DiscoveryOptions,
  ): Generator<void, ReadonlyMap<string, string>> {
    const made = new Map<string, Made>();
    const texts = new Map<string, string>();
    for (const { topic, of, make } of plans(view, known)) {
      const before = this.#made.get(topic);
      const fresh = before?.of !== of;
      const one = fresh ? { of, text: textOf(view, carried(make(), carries)) } : before;
      made.set(topic, one);
      if (one.text !== undefined) texts.set(topic, one.text);
      if (fresh) yield;
    }
    this.#made = made;
    return texts;
  }
}

interface Made {
  readonly of: string;
  /** Undefined: nothing of it gets to this Home Assistant. */
  readonly text: string | undefined;
}

interface Plan {
  readonly topic: string;
  /** Everything that it is made of: the same again makes the same. */
  readonly of: string;
  make(): Device;
}

function* plans(view: HaView, known: (topic: string) => Known): Generator<Plan> {
  const { base, prefix, cluster, ver, url, rooms, watts } = view;
  if (prefix === 'off') return;
  const all = [base, cluster, ver, url];
  const of = (...parts: readonly unknown[]) => JSON.stringify([all, parts]);
  const hub = configTopic(prefix, hubObject(cluster));
  const ofHub = known(hub);
  yield { topic: hub, of: of(watts || ofHub.has('power')), make: () => hubDevice(view, ofHub) };
  for (const room of rooms) {
    if (!isId(room.id)) continue;
    yield {
      topic: configTopic(prefix, roomObject(cluster, room.id)),
      of: of(room.id, room.name, room.minC, room.maxC, room.outdoor),
      make: () => roomDevice(view, room),
    };
  }
  const names = new Map(rooms.map(({ id, name }) => [id, name]));
  for (const node of view.nodes.slice(0, mostNodes)) {
    const { id, info, room = '', has, power, wakes, loadEveryMs, powerEveryMs } = node;
    if (!info || !isId(id)) continue;
    const topic = nodeTopic(view, id);
    const ofNode = known(topic);
    const once = onceThere.filter(key => ofNode.has(key));
    yield {
      topic,
      of: of(
        id,
        info.cpu,
        info.arch,
        info.ver,
        info.caps,
        room,
        names.get(room),
        [...has],
        power,
        wakes,
        loadEveryMs,
        powerEveryMs,
        once,
        ofNode.expireS,
      ),
      make: () => nodeDevice(view, node, info, ofNode),
    };
  }
}

const textOf = (view: HaView, device: Device): string | undefined =>
  device.components.length === 0 ? undefined : announcementOf(view, device);

const nodeTopic = ({ prefix, cluster }: HaView, node: string): string => configTopic(prefix, nodeObject(cluster, node));

/** Config topics of nodes that have not said what they are: neither to be announced nor to be cleared. */
export const silentTopics = (view: HaView): readonly string[] =>
  view.prefix === 'off' ? [] : view.nodes.filter(({ info }) => !info).map(({ id }) => nodeTopic(view, id));

function carried(device: Device, carries: (topic: string) => boolean): Device {
  const components = device.components.filter(({ config }) =>
    Object.entries(config).every(
      ([key, value]) => !key.endsWith('_topic') || typeof value !== 'string' || carries(value),
    ),
  );
  // A topic that nobody hears would keep everything unavailable for ever.
  return { ...device, availability: device.availability.filter(carries), components };
}
