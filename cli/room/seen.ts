/** What is retained about rooms: gathered once, and as text. */
import type { MqttClient } from 'mqtt';
import { z } from 'zod';
import { printable } from '../../shared/names.ts';
import { type RoomIs, roomIsPayload } from '../../shared/schemas/room.ts';
import { parseTopic } from '../../shared/topics.ts';
import { json, type Known, learn } from '../fleet.ts';
import { gatherRetained } from '../retained.ts';
import { table } from '../table.ts';

export interface RoomSeen {
  readonly room: string;
  online: boolean;
  is?: RoomIs | undefined;
  own?: { readonly [key: string]: unknown } | undefined;
}

const mostRooms = 5000;
/** A supervisor that is newer may know more keys. */
const anyDocument = z.looseObject({});

/** @param room an id, or `+` for all. */
export async function gatherRooms(
  client: MqttClient,
  base: string,
  room: string,
): Promise<{ readonly known: Known; readonly rooms: readonly RoomSeen[] }> {
  const known: Known = { nodes: new Map() };
  const rooms = new Map<string, RoomSeen>();
  const topics = ['own', 'is', 'status'].map(part => `${base}/room/${room}/${part}`);
  await gatherRetained(client, base, topics, (topic, payload) => {
    learn(known, base, topic, payload);
    note(rooms, base, topic, payload);
  });
  const list = [...rooms.values()].filter(({ own }) => own !== undefined);
  return { known, rooms: list.sort((a, b) => (a.room < b.room ? -1 : 1)) };
}

function note(rooms: Map<string, RoomSeen>, base: string, topic: string, payload: Buffer): void {
  const parsed = parseTopic(topic, base);
  if (!parsed.ok || parsed.value.kind !== 'noun' || parsed.value.noun !== 'room' || payload.length === 0) return;
  const { target, part } = parsed.value;
  if (target.kind !== 'one' || rooms.size >= mostRooms) return;
  const seen = rooms.get(target.id) ?? { room: target.id, online: false };
  if (part === 'is') seen.is = json(roomIsPayload, payload);
  else if (part === 'own') seen.own = json(anyDocument, payload);
  else if (part === 'status') seen.online = payload.toString() === 'online';
  rooms.set(target.id, seen);
}

const degrees = (value: number | undefined): string => (value === undefined ? '' : `${value.toFixed(1)} °C`);
const watts = (value: number | undefined): string => (value === undefined ? '' : `${Math.round(value)} W`);

/** `off`, `heating`, or why nothing is heated. */
const stateOf = ({ is, online }: RoomSeen): string =>
  is === undefined ? 'not looked at yet' : is.mode === 'off' ? 'off' : online ? is.action : 'no thermometer or node';

export function formatRooms(list: readonly RoomSeen[]): string {
  const rows = list.map(seen => {
    const { is } = seen;
    return [
      seen.room,
      stateOf(seen),
      degrees(is?.target_c),
      is === undefined || is.preset === 'none' ? '' : is.preset,
      degrees(is?.temp_c),
      watts(is?.demand_w),
      watts(is?.heat_w),
      is === undefined ? '' : `${is.energy_kwh.toFixed(1)} kWh`,
      is === undefined ? '' : String(is.nodes),
      is?.err ?? '',
    ].map(cell => printable(cell, 80));
  });
  const head = ['ROOM', 'STATE', 'TARGET', 'PRESET', 'IS', 'WANTS', 'GETS', 'ENERGY', 'NODES', 'ERROR'];
  return table(head, rows);
}

/** A few lines about one room. */
export function describeRoom(seen: RoomSeen): string {
  const { room, is, own = {} } = seen;
  const { rev, applied: _, ...document } = own;
  const lines = [`${room}: ${stateOf(seen)}${is === undefined || is.err === '' ? '' : `: ${is.err}`}`];
  if (is) {
    const preset = is.preset === 'none' ? '' : ` (${is.preset})`;
    const aim = is.aim_c === undefined ? '' : `, by its rules ${degrees(is.aim_c)}`;
    const age = is.temp_age_s === undefined ? '' : `, ${Math.round(is.temp_age_s)} s ago`;
    const now = is.temp_c === undefined ? 'not known' : `${degrees(is.temp_c)}${age}`;
    const outside = is.outdoor_c === undefined ? '' : `, ${degrees(is.outdoor_c)} outdoors`;
    lines.push(`  Target ${degrees(is.target_c)}${preset}${aim}. It is ${now}${outside}.`);
    const most = is.max_w === undefined ? '' : `, ${watts(is.max_w)} at most`;
    const jobs = is.jobs === 0 ? '' : `, with ${is.jobs} tasks of jobs`;
    lines.push(`  Wants ${watts(is.demand_w)}${most}, gets ${watts(is.heat_w)} from ${is.nodes} nodes${jobs}.`);
    lines.push(`  ${is.energy_kwh.toFixed(2)} kWh so far.`);
  }
  lines.push(`  ${JSON.stringify(document)} (revision ${rev ?? '?'})`);
  return lines.map(line => printable(line, 4000)).join('\n');
}
