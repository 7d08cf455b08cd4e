/** The fleet as JSON and as a stream. */
import type { FastifyInstance } from 'fastify';
import type { FleetReader } from '../../fleet/fleet.ts';
import { isKnown } from '../doorkeeper.ts';
import { guardHeaders } from '../files.ts';
import type { Lines } from '../lines.ts';
import type { FleetStream } from '../stream.ts';

export function fleetRoutes(app: FastifyInstance, fleet: FleetReader, stream: FleetStream, lines: Lines): void {
  app.get('/api/fleet', { config: { needs: 'viewer' } }, (_request, reply) =>
    reply.header('cache-control', 'no-store').send(fleet.snapshot()),
  );
  app.get('/api/fleet/stream', { exposeHeadRoute: false, config: { needs: 'viewer' } }, (request, reply) => {
    const { raw } = reply;
    if (stream.open(raw, guardHeaders)) {
      reply.hijack();
      if (isKnown(request.asker))
        raw.once(
          'close',
          lines.add(request.asker, () => raw.destroy()),
        );
    } else reply.code(503).header('retry-after', '5').send({ error: 'too many dashboards are open; close one' });
  });
}
