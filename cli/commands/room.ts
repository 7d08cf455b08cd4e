/** `hearth room`: how rooms are, and what is wanted of one. */
import { randomBytes } from 'node:crypto';
import type { IPublishPacket, MqttClient } from 'mqtt';
import { isId, printable } from '../../shared/names.ts';
import { type ResultMessage, resultPayload } from '../../shared/schemas/fabric.ts';
import { UserError } from '../../shared/user-error.ts';
import { type ClientFlags, connect, disconnect } from '../connection.ts';
import { json } from '../fleet.ts';
import { describeRoom, formatRooms, gatherRooms } from '../room/seen.ts';
import { readWish, type Wish, wishTopic } from '../room/wish.ts';
import { supervisorAway } from './nodes.ts';

export interface RoomFlags extends ClientFlags {
  readonly json?: boolean;
}

const answerMs = 10_000;

/** @returns 0; a refusal is a UserError. */
export async function room(
  id: string | undefined,
  what: string | undefined,
  words: readonly string[],
  flags: RoomFlags,
): Promise<number> {
  if (id !== undefined && !isId(id)) {
    throw new UserError(`"${printable(id)}" is no id of a room: use 1 to 20 of a-z, 0-9 and "-".`, 2);
  }
  // Read before anybody is asked: what was typed wrongly needs no broker.
  const wish = what === undefined ? undefined : await readWish(what, words);
  const { client, base, broker } = await connect(flags);
  try {
    if (id !== undefined && wish) return await say(client, base, id, wish);
    const { known, rooms } = await gatherRooms(client, base, id ?? '+');
    if (known.supervisor !== 'online') console.error(`hearth: ${supervisorAway(known, base, broker)}`);
    if (id === undefined) {
      if (flags.json) console.log(JSON.stringify(rooms, undefined, 2));
      else if (rooms.length > 0) console.log(formatRooms(rooms));
      else console.error('hearth: there is no room: "hearth room NAME heat 21" makes one.');
      return 0;
    }
    const [one] = rooms;
    if (!one) throw new UserError(`There is no room ${id}: "hearth room ${id} heat 21" makes it.`);
    console.log(flags.json ? JSON.stringify(one, undefined, 2) : describeRoom(one));
    return 0;
  } finally {
    await disconnect(client);
  }
}

async function say(client: MqttClient, base: string, id: string, wish: Wish): Promise<number> {
  const topic = wishTopic(base, id, wish);
  const mark = randomBytes(8);
  const reply = `hearth-cli/${mark.toString('hex')}`;
  let late: NodeJS.Timeout | undefined;
  const answer = new Promise<ResultMessage | undefined>(resolve => {
    late = setTimeout(() => resolve(undefined), answerMs);
    client.on('message', (on: string, payload: Buffer, packet: IPublishPacket) => {
      const result = json(resultPayload, payload);
      if (!result || result.state === 'accepted' || packet.retain) return;
      const correlation = packet.properties?.correlationData;
      const marked = on === reply && (correlation === undefined || mark.equals(correlation));
      // A broker that does not tell who asked: by what was asked.
      const alike = result.by === undefined && result.part === wish.part && (result.key ?? '') === wish.rest.join('.');
      if (marked || result.by === client.options.clientId || (on !== reply && alike)) resolve(result);
    });
  });
  await client.subscribeAsync([`${base}/room/${id}/result`, `${base}/result`, reply], { qos: 1 });
  const properties = { responseTopic: reply, correlationData: mark };
  await client.publishAsync(topic, wish.payload, {
    qos: 1,
    ...(client.options.protocolVersion === 5 ? { properties } : {}),
  });
  const result = await answer;
  clearTimeout(late);
  if (!result) throw new UserError(`No answer in ${answerMs / 1000} s: is the supervisor there? "hearth doctor" says.`);
  if (!result.ok) throw new UserError(`Refused: ${result.error ?? 'no reason was given'}`);
  console.log(`${id}: ${wish.done} (revision ${result.rev ?? '?'}).`);
  return 0;
}
