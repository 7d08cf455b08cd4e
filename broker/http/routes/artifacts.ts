/** The install script, and what is handed out by its hash. */
import type { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { answerArtifact } from '../../artifacts/answer.ts';
import { ArtifactError } from '../../artifacts/artifact-store.ts';
import { type Doorkeeper, isKnown } from '../doorkeeper.ts';
import { isBare, turnAway } from '../gate.ts';
import { isAllowed } from '../permission.ts';
import type { WebArtifacts } from '../seams.ts';

const fetchedMs = 10 * 60_000;

type Named = { Params: { sha256: string } };

export function artifactRoutes(app: FastifyInstance, artifacts: WebArtifacts, doorkeeper: Doorkeeper): void {
  const { store, distribution } = artifacts;
  const open = { config: { needs: 'public', plain: true } } as const;

  app.get('/install.sh', open, async (request, reply) => {
    // The first one waits until Node for other machines is fetched, and has nothing to send meanwhile.
    request.raw.setTimeout(fetchedMs);
    const { text, sha256 } = await distribution.installScript();
    const etag = `"${sha256}"`;
    reply.headers({ etag, 'cache-control': 'no-cache' });
    if (request.headers['if-none-match'] === etag) return reply.code(304).send();
    return reply.type('text/x-shellscript; charset=utf-8').send(text);
  });

  app.route<Named>({
    ...open,
    method: ['GET', 'HEAD'],
    url: '/artifacts/:sha256',
    async handler(request, reply) {
      const { headers, method, arrival } = request;
      // Without TLS nobody says who they are.
      const asker = isBare(arrival) ? undefined : await doorkeeper.identify(request.raw, arrival);
      if (asker && !isKnown(asker)) return turnAway(request.raw, reply, asker);
      const answer = await answerArtifact(store, {
        method: method === 'HEAD' ? 'HEAD' : 'GET',
        sha256: request.params.sha256,
        range: headers.range,
        ifRange: one(headers['if-range']),
        ifNoneMatch: one(headers['if-none-match']),
        openOnly: !isAllowed('artifacts', asker?.principal.role),
      });
      reply.code(answer.status).headers(answer.headers);
      if (answer.sentence === undefined) return reply.send(answer.body);
      return reply.header('cache-control', 'no-store').send({ error: answer.sentence });
    },
  });

  app.register(async bodies => {
    // As it comes: it may be larger than memory.
    bodies.removeAllContentTypeParsers();
    bodies.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
    bodies.put<Named>('/artifacts/:sha256', { config: { needs: 'operator' } }, async (request, reply) => {
      const length = request.headers['content-length'];
      const size = length === undefined ? undefined : Number(length);
      const body = (request.body ?? request.raw) as Readable;
      try {
        const stored = await store.put(body, { sha256: request.params.sha256, size });
        return reply.code(stored.fresh ? 201 : 200).send({ sha256: stored.sha256, size: stored.size });
      } finally {
        // What was not read is not waited for.
        if (!request.raw.complete) reply.header('connection', 'close');
      }
    });
  });
}

const one = (header: string | string[] | undefined): string | undefined => (Array.isArray(header) ? header[0] : header);

/** The status that an error of the store carries. */
export const artifactStatus = (error: unknown): number | undefined =>
  error instanceof ArtifactError ? error.status : undefined;
