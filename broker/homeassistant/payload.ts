/** What is announced to Home Assistant of a view of the cluster. Pure. */
import { isId } from '../../shared/names.ts';
import { announcementOf, type Device } from './component.ts';
import { hubDevice } from './hub-device.ts';
import { configTopic, hubObject, nodeObject } from './ids.ts';
import { nodeDevice } from './node-device.ts';
import { roomDevice } from './room-device.ts';
import type { HaView } from './view.ts';

export interface DiscoveryOptions {
  /** Keys of the components that were announced under this topic before. */
  known?(topic: string): ReadonlySet<string>;
  /**
   * Whether messages on this topic get to Home Assistant and back; absent: all do. A component that tells or is told by a
   * topic that does not, is not announced.
   */
  carries?(topic: string): boolean;
}

/** Machines that are announced: each is some fifteen entities, and Home Assistant slows down long before. */
export const mostNodes = 2000;

const nothing: ReadonlySet<string> = new Set();

/**
 * The config topics with their JSON, the hub first: the others refer to it, and Home Assistant makes a stub of what it does
 * not know yet. Empty where the prefix is `off`.
 */
export function discovery(view: HaView, options: DiscoveryOptions = {}): ReadonlyMap<string, string> {
  return new Map(devicesOf(view, options).map(device => announcementOf(view, device)));
}

function devicesOf(view: HaView, { known = () => nothing, carries = () => true }: DiscoveryOptions): readonly Device[] {
  if (view.prefix === 'off') return [];
  const devices: Device[] = [hubDevice(view, known(configTopic(view.prefix, hubObject(view.cluster))))];
  for (const room of view.rooms) if (isId(room.id)) devices.push(roomDevice(view, room));
  for (const node of view.nodes.slice(0, mostNodes)) {
    if (!node.info || !isId(node.id)) continue;
    devices.push(nodeDevice(view, node, node.info, known(nodeTopic(view, node.id))));
  }
  return devices.map(device => carried(device, carries)).filter(({ components }) => components.length > 0);
}

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
