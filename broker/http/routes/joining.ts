/** Where machines ask to become nodes, and what everybody may know of whom this cluster trusts. */
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { JoinReply, WebTrust } from '../seams.ts';

const bodyLimit = 64 * 1024;

export function joiningRoutes(app: FastifyInstance, { desk, authority }: WebTrust): void {
  // Signed by the cluster's key, so the wire need not be trusted.
  const open = { config: { needs: 'public', plain: true } } as const;
  // What holds a token, or a ticket, goes over TLS alone.
  const secret = { bodyLimit, config: { needs: 'public' } } as const;

  app.get('/trust/bundle', open, (_request, reply) => fresh(reply).send(desk.bundle()));
  app.get<{ Querystring: { nonce?: unknown } }>('/trust/time', open, (request, reply) => {
    const { nonce } = request.query;
    const answer = typeof nonce === 'string' ? desk.time(nonce) : undefined;
    if (!answer)
      return fresh(reply).code(400).send({ error: 'Give a nonce of 16 to 64 letters, digits, "-" and "_".' });
    return fresh(reply).send(answer);
  });
  app.get('/ca.pem', open, (_request, reply) =>
    fresh(reply).type('application/x-pem-file').send(authority.certificates().map(withNewline).join('')),
  );
  app.post('/join', secret, async ({ body, arrival }, reply) => answer(reply, await desk.ask(body, arrival.address)));
  app.get<{ Params: { ticket: string } }>('/join/:ticket', secret, (request, reply) => {
    const found = desk.again(request.params.ticket);
    if (!found) return fresh(reply).code(404).send({ error: 'No such request is known any more: ask to join again.' });
    return answer(reply, found);
  });
  app.post('/renew', secret, async ({ body, arrival }, reply) =>
    answer(reply, await desk.renew(body, arrival.address)),
  );
}

function answer(reply: FastifyReply, said: JoinReply): FastifyReply {
  fresh(reply);
  if (said.state === 'joined') return reply.send(said);
  if (said.state === 'pending') return reply.code(202).send(said);
  if (said.retryMs === undefined) return reply.code(403).send({ error: said.sentence });
  return reply
    .code(429)
    .header('retry-after', String(Math.ceil(said.retryMs / 1000)))
    .send({ error: said.sentence, retry_ms: said.retryMs });
}

const fresh = (reply: FastifyReply): FastifyReply => reply.header('cache-control', 'no-store');
const withNewline = (pem: string): string => (pem.endsWith('\n') ? pem : `${pem}\n`);
