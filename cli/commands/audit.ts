/** `hearth audit`: who changed what. */
import { printable } from '../../shared/names.ts';
import { UserError } from '../../shared/user-error.ts';
import { type AdminFlags, adminCall } from '../admin.ts';
import { table } from '../table.ts';

interface Line {
  readonly at_ms: number;
  readonly who: string;
  readonly how: string;
  readonly from: string;
  readonly what: string;
  readonly target: string;
  readonly ok: boolean;
  readonly detail?: string;
}

export async function audit(flags: AdminFlags & { readonly lines?: string; readonly json?: boolean }): Promise<number> {
  const { lines } = flags;
  if (lines !== undefined && !/^\d{1,4}$/.test(lines)) {
    throw new UserError(`--lines: "${printable(lines)}" is no number of lines: write 1 to 1000.`, 2);
  }
  const ask = lines === undefined ? {} : { n: Number(lines) };
  const { entries } = await adminCall<{ entries: readonly Line[] }>(flags, 'audit.tail', ask);
  if (flags.json) for (const entry of entries) console.log(JSON.stringify(entry));
  else if (entries.length > 0) console.log(formatAudit(entries));
  return 0;
}

export const formatAudit = (entries: readonly Line[]): string =>
  table(
    ['WHEN', 'WHO', 'BY', 'FROM', 'WHAT', 'TARGET', 'DONE'],
    entries.map(({ at_ms, who, how, from, what, target, ok, detail }) =>
      [
        new Date(at_ms).toISOString().replace('T', ' ').slice(0, 19),
        who,
        how,
        from,
        what,
        target,
        `${ok ? 'yes' : 'no'}${detail === undefined ? '' : ` (${detail})`}`,
      ].map(cell => printable(cell, 120)),
    ),
  );
