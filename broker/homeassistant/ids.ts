/**
 * Names that Home Assistant keeps for ever. They are frozen: with another topic, component key or unique id it takes an
 * entity for a new one, and its history, its name and its place on dashboards are lost.
 *
 * - object id of a device, also its identifier: `hearth_<cluster>_hub`, `hearth_<cluster>_room_<id>`,
 *   `hearth_<cluster>_node_<id>`; `<cluster>` are the first 16 hex digits of the cluster's fingerprint, so that neither a
 *   new base, a new prefix nor a second cluster on the broker makes a difference.
 * - config topic: `<prefix>/device/<object id>/config`.
 * - component key: a word of `a-z_`, fixed in the device's file.
 * - unique id: `<object id>_<component key>`. Ids have no `_`, so two never meet.
 */
import { isId } from '../../shared/names.ts';

export const hubObject = (cluster: string): string => `${headOf(cluster)}hub`;
export const roomObject = (cluster: string, room: string): string => `${headOf(cluster)}room_${room}`;
export const nodeObject = (cluster: string, node: string): string => `${headOf(cluster)}node_${node}`;

const headOf = (cluster: string): string => `hearth_${cluster.slice(0, 16)}_`;

export const configTopic = (prefix: string, object: string): string => `${prefix}/device/${object}/config`;
export const uniqueId = (object: string, key: string): string => `${object}_${key}`;

/** The object id of a config topic of this very cluster, whatever the prefix; undefined for anything else. */
export function ownObject(topic: string, cluster: string): string | undefined {
  const levels = topic.split('/');
  const [, kind, object = '', config] = levels;
  if (levels.length !== 4 || kind !== 'device' || config !== 'config') return undefined;
  const head = headOf(cluster);
  if (!object.startsWith(head)) return undefined;
  const rest = object.slice(head.length);
  if (rest === 'hub') return object;
  const id = /^(?:room|node)_(.*)$/s.exec(rest)?.[1];
  return id !== undefined && isId(id) ? object : undefined;
}

/** `climate.hearth_study`: what an entity is called where nobody chose a name. Ids may have `-`, entity ids not. */
export const entityId = (platform: string, ...words: readonly string[]): string =>
  `${platform}.${words.filter(Boolean).join('_').replaceAll('-', '_')}`;
