/** The mirror of packages: `/mirror/<upstream>/…`. Who may have what of it is decided in mirror/access.ts. */
import type { FastifyInstance } from 'fastify';
import { refusedMirror } from '../../mirror/access.ts';
import type { Mirror } from '../../mirror/mirror.ts';
import { type Doorkeeper, isKnown } from '../doorkeeper.ts';
import { turnAway } from '../gate.ts';
import { parseAddress } from '../origin.ts';

type Named = { Params: { name: string } };

export function mirrorRoutes(app: FastifyInstance, mirror: Mirror, doorkeeper: Doorkeeper): void {
  app.get('/mirror', { config: { needs: 'viewer' } }, (_request, reply) =>
    reply.header('cache-control', 'no-store').send(mirror.status()),
  );
  app.route<Named>({
    config: { needs: 'public', plain: true },
    method: ['GET', 'HEAD'],
    url: '/mirror/:name/*',
    async handler(request, reply) {
      const { headers, method, arrival, raw } = request;
      const { loopback, secure, address } = arrival;
      const upstream = mirror.upstreams.find(({ name }) => name === request.params.name);
      // On loopback nobody needs to be known, and without TLS nobody says who they are.
      const asker = secure && !loopback ? await doorkeeper.identify(raw, arrival) : undefined;
      if (asker && !isKnown(asker)) return turnAway(raw, reply, asker);
      const refused = upstream && refusedMirror({ loopback, secure, address, role: asker?.principal.role }, upstream);
      if (refused)
        return reply.code(refused.status).header('cache-control', 'no-store').send({ error: refused.sentence });
      // As it came: a name with an encoded slash is another than one with a slash.
      const [path = '', query] = (raw.url ?? '').split('?', 2);
      if (query !== undefined) return reply.code(404).send({ error: 'The mirror answers no queries.' });
      const { name } = request.params;
      const answer = await mirror.answer({
        method: method === 'HEAD' ? 'HEAD' : 'GET',
        name,
        path: path.slice(`/mirror/${name}`.length),
        accept: headers.accept,
        range: headers.range,
        ifRange: one(headers['if-range']),
        ifNoneMatch: headers['if-none-match'],
        ifModifiedSince: headers['if-modified-since'],
        base: `${secure ? 'https' : 'http'}://${hostOf(headers.host, secure)}/mirror`,
      });
      reply.code(answer.status).headers(answer.headers);
      if (answer.sentence === undefined) return reply.send(answer.body);
      return reply.header('cache-control', 'no-store').send({ error: answer.sentence });
    },
  });
}

const one = (header: string | string[] | undefined): string | undefined => (Array.isArray(header) ? header[0] : header);

/** Only what parses as a name is repeated. */
function hostOf(host: string | undefined, secure: boolean): string {
  const own = parseAddress(host ?? '', secure);
  return own ? `${own.name}:${own.port}` : 'localhost';
}
