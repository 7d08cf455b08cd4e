/** The install script, what is handed out by its hash, and uploads, which go on where they were cut off. */
import type { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { answerArtifact } from '../../artifacts/answer.ts';
import { ArtifactError, type Stored } from '../../artifacts/artifact-store.ts';
import { type Doorkeeper, isKnown } from '../doorkeeper.ts';
import { auditedAs, isBare, turnAway } from '../gate.ts';
import { isAllowed } from '../permission.ts';
import type { WebArtifacts, WebTrust } from '../seams.ts';

const fetchedMs = 10 * 60_000;

type Named = { Params: { sha256: string } };

export function artifactRoutes(
  app: FastifyInstance,
  artifacts: WebArtifacts,
  doorkeeper: Doorkeeper,
  audit?: WebTrust['audit'],
): void {
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
    bodies.put<Named>('/artifacts/:sha256', { config: { needs: 'upload' } }, async (request, reply) => {
      const length = request.headers['content-length'];
      const size = length === undefined ? undefined : Number(length);
      const body = (request.body ?? request.raw) as Readable;
      try {
        const stored = await store.put(body, { sha256: request.params.sha256, size, name: nameOf(request) });
        return taken(request, reply, stored);
      } finally {
        // What was not read is not waited for.
        if (!request.raw.complete) reply.header('connection', 'close');
      }
    });

    bodies.head<Named>('/artifacts/:sha256/upload', { config: { needs: 'upload' } }, (request, reply) => {
      const { offset, complete } = store.offset(request.params.sha256);
      return reply
        .headers({ ...progress(offset, complete), 'cache-control': 'no-store' })
        .code(204)
        .send();
    });

    bodies.patch<Named>('/artifacts/:sha256/upload', { config: { needs: 'upload' } }, async (request, reply) => {
      const { sha256 } = request.params;
      const [offset, size] = [count(request, 'upload-offset'), count(request, 'upload-length')];
      const body = (request.body ?? request.raw) as Readable;
      try {
        const { offset: now, stored } = await store.append(body, { sha256, size, offset, name: nameOf(request) });
        reply.headers(progress(now, stored !== undefined));
        return stored ? taken(request, reply, stored) : reply.code(204).send();
      } catch (error) {
        if (error instanceof ArtifactError && error.offset !== undefined) reply.headers(progress(error.offset, false));
        throw error;
      } finally {
        if (!request.raw.complete) reply.header('connection', 'close');
      }
    });
  });

  function taken(request: FastifyRequest, reply: FastifyReply, { fresh, sha256, size, name }: Stored): FastifyReply {
    const { asker, arrival } = request;
    // What tasks leave on nodes may be thousands of files.
    if (fresh && isKnown(asker) && asker.principal.role !== 'node') {
      const detail = `${size} bytes${name === undefined ? '' : `, ${name}`}`;
      audit?.record({ ...auditedAs(asker.principal, arrival), what: 'artifact.put', target: sha256, ok: true, detail });
    }
    return reply.code(fresh ? 201 : 200).send({ sha256, size });
  }
}

/** As in the IETF's draft on resumable uploads (draft-ietf-httpbis-resumable-upload), structured fields (RFC 9651). */
const progress = (offset: number, complete: boolean) => ({
  'upload-offset': String(offset),
  'upload-complete': complete ? '?1' : '?0',
});

function count({ headers }: FastifyRequest, name: string): number {
  const text = one(headers[name]) ?? '';
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new ArtifactError(400, `An upload says where it goes on and how long it is: ${name} is missing, or no number.`);
}

/** The file's name, percent-encoded UTF-8, for people who look at the list. */
function nameOf({ headers }: FastifyRequest): string | undefined {
  try {
    return decodeURIComponent(one(headers['x-hearth-name']) ?? '') || undefined;
  } catch {
    return undefined;
  }
}

const one = (header: string | string[] | undefined): string | undefined => (Array.isArray(header) ? header[0] : header);

/** The status that an error of the store carries. */
export const artifactStatus = (error: unknown): number | undefined =>
  error instanceof ArtifactError ? error.status : undefined;
