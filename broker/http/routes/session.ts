/** Logging in with a browser, out again, and who one is. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { check } from '../../../shared/codec.ts';
import { sentence } from '../../../shared/errors.ts';
import { sessionCookie } from '../cookie.ts';
import { type Doorkeeper, isKnown } from '../doorkeeper.ts';
import { auditedAs, turnAway } from '../gate.ts';
import type { WebTrust } from '../seams.ts';

const login = z.strictObject({ name: z.string().min(1).max(64), password: z.string().min(1).max(1024) });

export function sessionRoutes(
  app: FastifyInstance,
  trust: WebTrust | undefined,
  doorkeeper: Doorkeeper,
  port: () => number,
): void {
  app.get('/api/me', { config: { needs: 'public' } }, async (request, reply) => {
    reply.header('cache-control', 'no-store');
    const asker = await doorkeeper.identify(request.raw, request.arrival);
    if (!isKnown(asker)) return turnAway(request.raw, reply, asker);
    const { principal, session } = asker;
    return reply.send({ ...principal, ...(session && { csrf: session.csrf }) });
  });
  if (!trust) return;
  const { authenticator, sessions, audit } = trust;

  app.post('/api/login', { bodyLimit: 8 * 1024, config: { needs: 'public' } }, async (request, reply) => {
    reply.header('cache-control', 'no-store');
    const { raw, arrival } = request;
    const said = check(login, request.body);
    if (!said.ok) return reply.code(400).send({ error: sentence(said.error) });
    const { name, password } = said.value;
    // Who says a name means that one, whoever owns the connection.
    const { transport, address } = await doorkeeper.peer(raw, arrival, 'http');
    const answer = await authenticator.authenticate(
      { transport, address, owner: false },
      { clientId: '', username: name, password },
    );
    if ('refused' in answer) {
      const { refused, retryMs } = answer;
      const status = refused === 'slow' ? 429 : 401;
      return turnAway(raw, reply, { status, sentence: answer.sentence, ...(retryMs !== undefined && { retryMs }) });
    }
    const { principal } = answer;
    if (principal.how !== 'password' || principal.role === 'node') {
      return reply
        .code(403)
        .send({ error: 'Only a user logs in here; an API token goes into the Authorization header.' });
    }
    // A session that was there before is not carried on: nobody can have planted this one's id.
    const before = doorkeeper.sessionId(raw, arrival);
    if (before !== undefined) await sessions.close(before);
    const opened = await sessions.open(principal, arrival.loopback ? 'local' : address);
    const lasts = (opened.expiresMs - Date.now()) / 1000;
    reply.header('set-cookie', sessionCookie(opened.id, arrival.secure, port(), lasts));
    return reply.send({ name: principal.name, role: principal.role });
  });

  app.post('/api/logout', { config: { needs: 'member' } }, async (request, reply) => {
    const id = doorkeeper.sessionId(request.raw, request.arrival);
    if (id !== undefined && isKnown(request.asker) && request.asker.session) {
      await sessions.close(id);
      const { principal } = request.asker;
      audit.record({ ...auditedAs(principal, request.arrival), what: 'logout', target: principal.name, ok: true });
    }
    reply.header('set-cookie', sessionCookie(undefined, request.arrival.secure, port(), 0));
    return reply.header('cache-control', 'no-store').send({ ok: true });
  });
}
