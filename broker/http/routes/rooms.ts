/** What people turn at a room: `POST /api/room/ID/set` with a few keys of its document as JSON. */
import type { FastifyInstance } from 'fastify';
import { printable } from '../../../shared/names.ts';
import { roomDials } from '../../access/integration.ts';
import type { FleetReader } from '../../fleet/fleet.ts';
import { isKnown } from '../doorkeeper.ts';
import { auditedAs } from '../gate.ts';
import type { WebRooms } from '../seams.ts';

export function roomRoutes(app: FastifyInstance, rooms: WebRooms, fleet: FleetReader): void {
  const options = { config: { needs: 'operator' } } as const;
  app.post<{ Params: { room: string } }>('/api/room/:room/set', options, async (request, reply) => {
    reply.header('cache-control', 'no-store');
    const { asker, arrival, body, params } = request;
    if (!isKnown(asker)) return reply.code(401).send({ error: 'Log in first.' });
    const said = typeof body === 'object' && body !== null && !Array.isArray(body) ? Object.keys(body) : [];
    const strange = said.find(key => !(roomDials as readonly string[]).includes(key));
    if (said.length === 0 || strange !== undefined) {
      const wrong = strange === undefined ? 'Nothing is said' : `"${printable(strange, 40)}" is not said here`;
      return reply.code(400).send({ error: `${wrong}: send an object with some of ${roomDials.join(', ')}.` });
    }
    // A set makes a room; who turns a dial means one that is there.
    if (!fleet.room(params.room)) {
      return reply.code(404).send({ error: `There is no room "${printable(params.room, 40)}" any more.` });
    }
    const { from } = auditedAs(asker.principal, arrival);
    const answer = await rooms.set(params.room, body as object, asker.principal, from);
    if (!answer) {
      return reply.code(504).send({ error: 'no answer came in time; look what the room says.' });
    }
    if (answer.ok) return reply.send({ rev: answer.rev });
    return reply.code(answer.away ? 503 : 422).send({ error: answer.sentence });
  });
}
