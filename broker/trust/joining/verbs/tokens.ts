/** `token.create`, `token.script`, `token.list`, `token.revoke`: the lines that let machines in. */
import { z } from 'zod';
import type { Clock, Random } from '../../../../shared/clock.ts';
import { formatJoinToken } from '../../../../shared/join-token.ts';
import { isId } from '../../../../shared/names.ts';
import { UserError } from '../../../../shared/user-error.ts';
import { type AdminVerb, adminVerb } from '../../types.ts';
import type { Change, Ledger } from '../ledger.ts';
import { joiningLimits, type TokenRecord } from '../records.ts';
import { base32, exhausted, tokenHash } from '../tokens.ts';

export interface TokenVerbParts {
  readonly ledger: Ledger;
  readonly cluster: string;
  readonly now: () => number;
  readonly random: Random;
  /** Where machines reach the supervisor's HTTP port, IPv6 in brackets; or the sentence why none can join. */
  readonly entrance: () => { readonly host: string; readonly port: number } | string;
  /** The first one waits until runtimes are fetched. */
  readonly installScript: () => Promise<{ readonly sha256: string }>;
  /** What is fetched for it now. */
  readonly fetching?: () => { readonly arch: string; readonly number: number; readonly of: number } | undefined;
  readonly clock: Pick<Clock, 'after'>;
}

/** How long a program waits for the script's hash; the token is good without. A person is told why, and asks again. */
const [scriptMs, lookMs] = [15_000, 2000];

/** An expired token is shown for a day, so that who looks why nobody comes in sees it. */
const shownMs = 86_400_000;
const longestS = 30 * 86_400;

export function tokenVerbs(parts: TokenVerbParts): AdminVerb[] {
  const { ledger, now } = parts;
  const create = adminVerb({
    name: 'token.create',
    role: 'admin',
    args: z.strictObject({
      uses: z.number().int().min(1).max(joiningLimits.nodes).default(1),
      ttl_s: z.number().int().min(60).max(longestS).default(3600),
      node: z.string().refine(isId, 'an id is 1 to 20 of a-z, 0-9 and "-", and not "all"').optional(),
      /** Another name or address of the supervisor than its own choice. */
      host: z
        .string()
        .regex(
          /^(\[[0-9a-f:.]{2,45}\]|[A-Za-z0-9.-]{1,253})$/,
          'must be a host name, an IPv4 address, or an IPv6 one in brackets',
        )
        .optional(),
    }),
    audit: ({ node, uses }) => node ?? `${uses} ${uses === 1 ? 'use' : 'uses'}`,
    async run({ uses, ttl_s, node, host }, by) {
      if (node !== undefined && uses !== 1) {
        throw new UserError('A token for one node has one use: leave out --uses, or --node.', 2);
      }
      const entrance = openEntrance(parts);
      // Before the token: it may have to wait for runtimes, and a token's time runs.
      const { sha256: script_sha256 } = await script(parts, scriptMs);
      const at = Math.floor(now());
      const gone: Change[] = [...ledger.tokens.values()]
        .filter(token => at > token.expires_ms + shownMs)
        .map(({ id }) => ({ kind: 'token', id, record: undefined }));
      if (ledger.tokens.size - gone.length >= joiningLimits.tokens) {
        throw new UserError(
          `There are ${joiningLimits.tokens} tokens: revoke some (hearth token list, hearth token revoke).`,
        );
      }
      const random = (bytes: number) => base32(Buffer.from(parts.random.hex(bytes), 'hex'));
      const id = random(5);
      const secret = random(20);
      const hash = tokenHash(secret);
      const record: TokenRecord = {
        ...{ id, hash, created_ms: at, expires_ms: at + ttl_s * 1000, uses, used: 0, by: by.name.slice(0, 64) },
        ...(node === undefined ? {} : { node }),
      };
      await ledger.write(...gone, { kind: 'token', id, record });
      const target = { host: host ?? entrance.host, port: entrance.port };
      const token = formatJoinToken({ cluster: parts.cluster, id, secret, ...target });
      return {
        id,
        token,
        ...target,
        ...(script_sha256 === undefined ? {} : { script_sha256 }),
        expires_ms: record.expires_ms,
        uses,
        node,
      };
    },
  });
  const about = adminVerb({
    name: 'token.script',
    role: 'admin',
    args: z.strictObject({}),
    run() {
      openEntrance(parts);
      return script(parts, lookMs);
    },
  });
  const list = adminVerb({
    name: 'token.list',
    role: 'admin',
    args: z.strictObject({}),
    run: () => ({
      tokens: [...ledger.tokens.values()]
        .filter(token => now() <= token.expires_ms + shownMs)
        .map(({ hash: _, ...token }) => ({ ...token, state: exhausted(token as TokenRecord, now()) ?? 'good' }))
        .sort((a, b) => a.created_ms - b.created_ms),
    }),
  });
  const revoke = adminVerb({
    name: 'token.revoke',
    role: 'admin',
    args: z.strictObject({ id: z.string().max(512) }),
    audit: ({ id }) => publicPart(id),
    async run({ id: text }) {
      const id = publicPart(text);
      if (!ledger.tokens.has(id)) throw new UserError('There is no such join token: "hearth token list" shows all.', 2);
      await ledger.write({ kind: 'token', id, record: undefined });
      return { id };
    },
  });
  return [create, about, list, revoke];
}

/** Of a whole token, too: one that was pasted where it should not be is what one wants to revoke most. */
const publicPart = (text: string): string =>
  /^(?:hearth1\.[0-9a-f]{32}\.)?([a-z2-7]{8})(?![^.])/.exec(text)?.[1] ?? '?';

function openEntrance({ entrance }: TokenVerbParts): { readonly host: string; readonly port: number } {
  const open = entrance();
  if (typeof open === 'string') throw new UserError(open);
  return open;
}

interface Script {
  /** Absent while it is being made. */
  readonly sha256?: string;
  /** What is fetched for it. */
  readonly fetching?: { readonly arch: string; readonly number: number; readonly of: number };
  /** Why there is none. */
  readonly error?: string;
}

/** How the install script is, after `ms` at most. */
function script({ installScript, fetching, clock }: TokenVerbParts, ms: number): Promise<Script> {
  return new Promise(resolve => {
    const late = clock.after(ms, () => {
      const what = fetching?.();
      resolve(what ? { fetching: what } : {});
    });
    const told = (how: Script) => {
      late.cancel();
      resolve(how);
    };
    installScript().then(
      ({ sha256 }) => told({ sha256 }),
      error => told({ error: error instanceof UserError ? error.message : 'The log of the supervisor says why.' }),
    );
  });
}
