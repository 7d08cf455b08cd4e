/** `hearth token`: the line to paste on a new machine, the way to check it first, and the tokens there are. */
import { printable } from '../../shared/names.ts';
import { UserError } from '../../shared/user-error.ts';
import { type AdminFlags, adminCall } from '../admin.ts';
import { ago, table } from '../table.ts';

export interface TokenFlags extends AdminFlags {
  readonly uses?: string;
  readonly ttl?: string;
  readonly node?: string;
  readonly host?: string;
  readonly json?: boolean;
}

interface Made {
  readonly token: string;
  readonly host: string;
  readonly port: number;
  /** Absent while the supervisor still fetches what the script hands out. */
  readonly script_sha256?: string;
  readonly expires_ms: number;
  readonly uses: number;
  readonly node?: string;
}

export async function create(flags: TokenFlags): Promise<number> {
  const { uses, ttl, node, host } = flags;
  const made = await adminCall<Made>(flags, 'token.create', {
    ...(uses === undefined ? {} : { uses: readCount(uses) }),
    ...(ttl === undefined ? {} : { ttl_s: readTime(ttl) }),
    ...(node === undefined ? {} : { node }),
    ...(host === undefined ? {} : { host: host.includes(':') && !host.startsWith('[') ? `[${host}]` : host }),
  });
  console.log(flags.json ? JSON.stringify(made, undefined, 2) : formatLines(made, Date.now()));
  return 0;
}

/** The token stands on the new machine's command line: so it is short-lived, and of few uses. */
export function formatLines({ token, host, port, script_sha256, expires_ms, uses, node }: Made, now: number): string {
  const script = `http://${host}:${port}/install.sh`;
  const who = node === undefined ? (uses === 1 ? 'one machine' : `up to ${uses} machines`) : `node ${node}`;
  const left = ago(Math.max(60_000, expires_ms - now + 500));
  const check =
    script_sha256 === undefined
      ? [
          'The supervisor still fetches Node for other machines, and the line waits for that. Run this again in a minute for',
          'the hash of the script.',
        ]
      : [
          'To check the script before it runs:',
          '',
          `  curl -fsSLo install.sh ${script} && echo '${script_sha256}  install.sh' | sha256sum -c - && sh install.sh --token ${token}`,
        ];
  return [
    `On the new machine, as root (or with --user at the end); for ${who}, within ${left}:`,
    '',
    `  curl -fsSL ${script} | sh -s -- --token ${token}`,
    '',
    ...check,
  ]
    .map(line => printable(line, 1000))
    .join('\n');
}

interface Listed {
  readonly id: string;
  readonly state: string;
  readonly uses: number;
  readonly used: number;
  readonly expires_ms: number;
  readonly by: string;
  readonly node?: string;
}

export async function list(flags: TokenFlags): Promise<number> {
  const { tokens } = await adminCall<{ tokens: readonly Listed[] }>(flags, 'token.list');
  if (flags.json) console.log(JSON.stringify(tokens, undefined, 2));
  else if (tokens.length === 0) console.error('hearth: there are no join tokens.');
  else {
    const rows = tokens.map(({ id, state, uses, used, expires_ms, by, node }) =>
      [
        id,
        state,
        `${used} of ${uses}`,
        state === 'good' ? `in ${ago(expires_ms - Date.now())}` : '',
        by,
        node ?? '',
      ].map(cell => printable(cell, 80)),
    );
    console.log(table(['TOKEN', 'STATE', 'USED', 'ENDS', 'MADE BY', 'FOR NODE'], rows));
  }
  return 0;
}

export async function revoke(id: string, flags: AdminFlags): Promise<number> {
  const answer = await adminCall<{ id: string }>(flags, 'token.revoke', { id });
  console.log(`The token ${printable(answer.id)} lets nobody in any more; who joined by it stays.`);
  return 0;
}

function readCount(text: string): number {
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text);
  throw new UserError(`--uses: "${printable(text)}" is no number of machines, such as 10.`, 2);
}

const seconds = { m: 60, h: 3600, d: 86_400 } as const;

export function readTime(text: string): number {
  const [, number, unit] = /^(\d{1,4})(m|h|d)$/.exec(text.trim()) ?? [];
  const time = Number(number) * seconds[unit as keyof typeof seconds];
  if (time >= 60 && time <= 30 * 86_400) return time;
  throw new UserError(`--ttl: "${printable(text)}" is no time between 1m and 30d: write 30m, 2h or 7d.`, 2);
}
