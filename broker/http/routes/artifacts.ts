/** The install script, and what is handed out by its hash: with Range, so that what was cut off goes on. */
import type { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Artifact, ArtifactError } from '../../artifacts/artifact-store.ts';
import { type Doorkeeper, isKnown } from '../doorkeeper.ts';
import { isBare, tooLittle, turnAway } from '../gate.ts';
import { isAllowed } from '../permission.ts';
import { parseRange } from '../range.ts';
import type { WebArtifacts } from '../seams.ts';

type Named = { Params: { sha256: string } };

export function artifactRoutes(app: FastifyInstance, artifacts: WebArtifacts, doorkeeper: Doorkeeper): void {
  const { store, distribution } = artifacts;
  const open = { config: { needs: 'public', plain: true } } as const;

  app.get('/install.sh', open, async (request, reply) => {
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
      const artifact = store.find(request.params.sha256);
      if (!artifact?.open) {
        // Whoever may not read the others is not told which there are.
        if (isBare(request.arrival)) return nothing(reply);
        const asker = await doorkeeper.identify(request.raw, request.arrival);
        if (!isKnown(asker)) return turnAway(request.raw, reply, asker);
        if (!isAllowed('artifacts', asker.principal.role)) return reply.code(403).send({ error: tooLittle(asker) });
      }
      return artifact ? give(request, reply, artifact) : nothing(reply);
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

  async function give(request: FastifyRequest, reply: FastifyReply, artifact: Artifact): Promise<FastifyReply> {
    const { sha256, size, open: everybodys } = artifact;
    const etag = `"${sha256}"`;
    reply.headers({
      etag,
      'accept-ranges': 'bytes',
      'content-type': 'application/octet-stream',
      'content-disposition': 'attachment',
      'cache-control': `${everybodys ? 'public' : 'private'}, max-age=31536000, immutable`,
    });
    if (request.headers['if-none-match'] === etag) return reply.code(304).send();
    const since = request.headers['if-range'];
    const range = since === undefined || since === etag ? parseRange(request.headers.range, size) : undefined;
    if (range === 'none') {
      reply.removeHeader('content-disposition');
      reply.headers({
        'content-range': `bytes */${size}`,
        'cache-control': 'no-store',
        'content-type': 'application/json; charset=utf-8',
      });
      return reply.code(416).send({ error: `There are ${size} bytes.` });
    }
    if (range) reply.code(206).header('content-range', `bytes ${range.first}-${range.last}/${size}`);
    reply.header('content-length', range ? range.last - range.first + 1 : size);
    if (request.method === 'HEAD') return reply.send();
    return reply.send(await store.read(artifact, range));
  }
}

const nothing = (reply: FastifyReply): FastifyReply =>
  reply.code(404).header('cache-control', 'no-store').send({ error: 'There is nothing of this hash here.' });

/** The status that an error of the store carries. */
export const artifactStatus = (error: unknown): number | undefined =>
  error instanceof ArtifactError ? error.status : undefined;
