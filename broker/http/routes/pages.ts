/** The dashboard's files. All of them are public but the page itself, and that one shows the login instead. */
import type { FastifyInstance } from 'fastify';
import type { StaticFile } from '../files.ts';
import { loginPath } from '../gate.ts';

const readers = ['/', '/index.html'];

export function pageRoutes(app: FastifyInstance, files: ReadonlyMap<string, StaticFile>): void {
  const serve = (path: string, file: StaticFile) =>
    app.get(path, { config: { needs: readers.includes(path) ? 'viewer' : 'public' } }, (request, reply) => {
      // Always asked again, so that a new version shows at the next load; 304 keeps that cheap.
      reply.headers({ etag: file.etag, 'cache-control': 'no-cache' });
      if (request.headers['if-none-match'] === file.etag) return reply.code(304).send();
      return reply.type(file.type).send(file.body);
    });
  for (const [path, file] of files) serve(path, file);
  const login = files.get('/login.html');
  if (login) serve(loginPath, login);
}
