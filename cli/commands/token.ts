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
  const args = {
    ...(uses === undefined ? {} : { uses: readCount(uses) }),
    ...(ttl === undefined ? {} : { ttl_s: readTime(ttl) }),
    ...(node === undefined ? {} : { node }),
    ...(host === undefined ? {} : { host: host.includes(':') && !host.startsWith('[') ? `[${host}]` : host }),
  };
  // Before the token, whose time runs. A program does not wait: it asks again when it likes.
  const script = flags.json ? {} : await scriptIsReady(flags);
  const made = await adminCall<Made>(flags, 'token.create', args);
  console.log(flags.json ? JSON.stringify(made, undefined, 2) : formatLines(made, Date.now(), script.error));
  return 0;
}

interface Script {
  readonly sha256?: string;
  readonly fetching?: { readonly arch: string; readonly number: number; readonly of: number };
  readonly error?: string;
}

/** At its first start with --lan the supervisor fetches what it hands out, some 120 MB; nobody waits longer than this. */
const scriptMs = 120_000;

/** Waits until the lines can be printed with the hash of the script, and says why that takes time. */
async function scriptIsReady(flags: TokenFlags): Promise<Script> {
  const since = performance.now();
  let said = '';
  for (;;) {
    const script = await adminCall<Script>(flags, 'token.script');
    if (script.sha256 !== undefined || script.error !== undefined) return script;
    if (performance.now() - since > scriptMs) return script;
    const { arch, number, of } = script.fetching ?? {};
    const what = arch === undefined ? 'what it hands out' : `Node for ${printable(arch)} machines (${number} of ${of})`;
    if (what !== said) console.error(`hearth: the supervisor fetches ${what}, once per version; please wait`);
    said = what;
  }
}

/** The token stands on the new machine's command line: so it is short-lived, and of few uses. */
export function formatLines(
  { token, host, port, script_sha256, expires_ms, uses, node }: Made,
  now: number,
  error?: string,
): string {
  const script = `http://${host}:${port}/install.sh`;
  const who = node === undefined ? (uses === 1 ? 'one machine' : `up to ${uses} machines`) : `node ${node}`;
  const left = ago(Math.max(60_000, expires_ms - now + 500));
  const check =
    script_sha256 === undefined
      ? error !== undefined
        ? [`That line does not work yet, since the supervisor has no install script: ${error}`]
        : [
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
