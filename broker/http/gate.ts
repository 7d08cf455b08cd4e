/**
 * Before every route: what may go over plain HTTP, who asks, whether that role may, and whether a change that a session's
 * cookie vouches for was meant by our own page. A route that does not say whom it is for does not come into being.
 */
import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Audit, Principal } from '../trust/types.ts';
import { type Asker, type Doorkeeper, isKnown, type Known } from './doorkeeper.ts';
import { guardHeaders } from './files.ts';
import type { Arrival } from './front.ts';
import { httpsPage } from './https-page.ts';
import { isAllowed, type Permission } from './permission.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whom the route is for. */
    needs?: Permission;
    /** Also for the network without TLS. */
    plain?: boolean;
  }
  interface FastifyRequest {
    arrival: Arrival;
    /** Who asks; looked up already where the route needs somebody. */
    asker: Asker;
  }
}

/** What a page of ours sends with every change. */
export const csrfHeader = 'x-hearth-csrf';
export const loginPath = '/login';

const safeMethods = ['GET', 'HEAD', 'OPTIONS'];

export function guardRoutes(
  app: FastifyInstance,
  doorkeeper: Doorkeeper,
  arrivalOf: (request: IncomingMessage) => Arrival,
  port: () => number,
): void {
  app.decorateRequest('arrival');
  app.decorateRequest('asker');
  app.addHook('onRoute', route => {
    if (route.config?.needs === undefined) throw new Error(`the route ${route.url} does not say whom it is for`);
  });
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(guardHeaders);
    const arrival = arrivalOf(request.raw);
    request.arrival = arrival;
    const { needs, plain } = request.routeOptions.config;
    if (isBare(arrival) && plain !== true) {
      const { body, type } = httpsPage(request.headers, port());
      return refuse(request.raw, reply.code(403).type(type), body);
    }
    if (needs === undefined || needs === 'public') return;
    const asker = await doorkeeper.identify(request.raw, arrival);
    request.asker = asker;
    if (!isKnown(asker)) return turnAway(request.raw, reply, asker);
    if (!isAllowed(needs, asker.principal.role))
      return refuse(request.raw, reply.code(403), { error: tooLittle(asker) });
    if (!safeMethods.includes(request.method) && !isMeant(request.raw, asker)) {
      const error = `This change does not carry its session's ${csrfHeader}: load the page again.`;
      return refuse(request.raw, reply.code(403), { error });
    }
  });
}

/** From the network without TLS. */
export const isBare = (arrival: Arrival): boolean => !arrival.secure && !arrival.loopback;

/** 401 for who is not known; a browser that loads a page is shown the login instead. */
export function turnAway(request: IncomingMessage, reply: FastifyReply, asker: Exclude<Asker, Known>): FastifyReply {
  if (asker === undefined && request.method === 'GET' && request.headers.accept?.includes('text/html')) {
    return reply.code(303).header('location', loginPath).header('cache-control', 'no-store').send();
  }
  const { status, sentence, retryMs } = asker ?? {
    status: 401,
    sentence: 'Log in, or send an API token as "Authorization: Bearer TOKEN".',
  };
  if (status === 401) reply.header('www-authenticate', 'Bearer realm="hearth"');
  if (retryMs !== undefined) reply.header('retry-after', String(Math.ceil(retryMs / 1000)));
  return refuse(request, reply.code(status), { error: sentence });
}

export const tooLittle = ({ principal }: Known, least?: string): string =>
  `${principal.name} has the role ${principal.role}, which may not do this${least === undefined ? '' : `: it takes ${least}`}.`;

/** What follows is not read: the connection ends with the answer. */
function refuse(request: IncomingMessage, reply: FastifyReply, body: object | string): FastifyReply {
  if (hasBody(request)) reply.header('connection', 'close');
  return reply.header('cache-control', 'no-store').send(body);
}

export const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';

function isMeant(request: IncomingMessage, { session }: Known): boolean {
  if (!session) return true;
  const said = Buffer.from(String(request.headers[csrfHeader] ?? ''));
  const right = Buffer.from(session.csrf);
  return said.length === right.length && timingSafeEqual(said, right);
}

/** The audit's view of an asker. */
export const auditedAs = (
  principal: Principal,
  arrival: Arrival,
): Pick<Parameters<Audit['record']>[0], 'who' | 'how' | 'from'> => ({
  who: principal.name,
  how: principal.how,
  from: arrival.loopback ? 'local' : arrival.address,
});
