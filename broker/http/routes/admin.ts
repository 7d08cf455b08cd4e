/** What people do to the cluster's trust: `POST /api/trust/<verb>` with the verb's arguments as JSON. */
import type { FastifyInstance } from 'fastify';
import { check } from '../../../shared/codec.ts';
import { sentence } from '../../../shared/errors.ts';
import type { Log } from '../../../shared/log.ts';
import { printable } from '../../../shared/names.ts';
import { UserError } from '../../../shared/user-error.ts';
import { isKnown } from '../doorkeeper.ts';
import { auditedAs, tooLittle } from '../gate.ts';
import { isAllowed } from '../permission.ts';
import type { WebTrust } from '../seams.ts';

const bodyLimit = 256 * 1024;

export function adminRoutes(app: FastifyInstance, { verbs, audit }: WebTrust, log: Log): void {
  const table = new Map(verbs.map(verb => [verb.name, verb]));
  if (table.size < verbs.length) throw new Error('two verbs of trust have one name');
  const options = { bodyLimit, config: { needs: 'viewer' } } as const;
  app.post<{ Params: { verb: string } }>('/api/trust/:verb', options, async (request, reply) => {
    reply.header('cache-control', 'no-store');
    const { asker, arrival } = request;
    const verb = table.get(request.params.verb);
    if (!verb) {
      const name = printable(request.params.verb, 64);
      return reply.code(404).send({ error: `This supervisor knows no "${name}": it may be older than the command.` });
    }
    if (!isKnown(asker)) return reply.code(401).send({ error: 'Log in first.' });
    const record = (target: string, ok: boolean, detail?: string) => {
      if (!verb.audit) return;
      const entry = { ...auditedAs(asker.principal, arrival), what: verb.name, target, ok };
      audit.record(detail === undefined ? entry : { ...entry, detail });
    };
    if (!isAllowed(verb.role, asker.principal.role)) {
      record('', false, `denied to the role ${asker.principal.role}`);
      return reply.code(403).send({ error: tooLittle(asker, verb.role) });
    }
    const args = check(verb.args, request.body ?? {});
    if (!args.ok) return reply.code(400).send({ error: sentence(args.error) });
    const target = verb.audit?.(args.value) ?? '';
    try {
      const answer = await verb.run(args.value, asker.principal);
      record(target, true);
      return reply.send(answer);
    } catch (error) {
      const known = error instanceof UserError;
      record(target, false, known ? error.message : 'internal error');
      if (known) return reply.code(422).send({ error: error.message });
      log.error({ verb: verb.name, error: (error as Error).stack }, 'a command failed');
      return reply.code(500).send({ error: 'internal error; the log says more' });
    }
  });
}
