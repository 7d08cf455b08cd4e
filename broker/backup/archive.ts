/**
 * A backup as one file: gzip over lines of JSON. A head line, a line per entry of the journal's store, a line per file of
 * the trust folder, and an end with the count and the hash of all lines before: a file that was cut off or changed is
 * told from a whole one. Pure.
 */
import { createHash } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import { z } from 'zod';
import { UserError } from '../../shared/user-error.ts';

export const backupVersion = 1;
/** What a backup may unpack to: a bomb ends here. */
export const mostBytes = 1024 * 1024 * 1024;

const head = z.object({
  hearth_backup: z.number().int(),
  format: z.number().int().positive(),
  cluster: z.string().regex(/^[0-9a-f]{32}$/),
  gen: z.number().int().nonnegative(),
  rev: z.number().int().nonnegative(),
  ver: z.string().max(32),
  base: z.string().max(9),
  at_ms: z.number(),
});
export type BackupHead = z.output<typeof head>;

/** One name, no path: a file of the trust folder, or `hearth.yaml`. */
const fileName = z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$/);
const entry = z.object({ key: z.string().min(1).max(1024), value: z.string() });
const file = z.object({
  file: fileName,
  in: z.enum(['trust', '.']),
  mode: z.number().int(),
  text: z.string().max(1 << 20),
});
const end = z.object({ end: z.number().int().nonnegative(), sha256: z.string().regex(/^[0-9a-f]{64}$/) });

export interface Backup {
  readonly head: BackupHead;
  readonly entries: readonly (readonly [key: string, value: string])[];
  readonly files: readonly z.output<typeof file>[];
}

export function packBackup({ head: about, entries, files }: Backup): Buffer {
  const lines = [
    JSON.stringify(about),
    ...entries.map(([key, value]) => JSON.stringify({ key, value })),
    ...files.map(one => JSON.stringify(one)),
  ];
  const body = `${lines.join('\n')}\n`;
  const sha256 = createHash('sha256').update(body).digest('hex');
  return gzipSync(`${body}${JSON.stringify({ end: lines.length, sha256 })}\n`);
}

/** @throws UserError where it is no backup, not whole, or of a newer version. */
export function unpackBackup(bytes: Uint8Array, name: string, limit = mostBytes): Backup {
  const broken = (why: string) =>
    new UserError(`${name} is no whole backup of Hearth: ${why}. Take another copy of it.`);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(gunzipSync(bytes, { maxOutputLength: limit }));
  } catch (error) {
    const { code } = error as { code?: string };
    throw broken(
      code === 'ERR_BUFFER_TOO_LARGE' ? `it unpacks to more than ${limit / 1024 ** 2} MB` : 'it cannot be unpacked',
    );
  }
  const cut = text.lastIndexOf('\n', text.length - 2) + 1;
  const body = text.slice(0, cut);
  const lines = body.split('\n').slice(0, -1);
  const parse = <T>(schema: z.ZodType<T>, line: string | undefined): T | undefined => {
    try {
      return schema.parse(JSON.parse(line ?? ''));
    } catch {
      return undefined;
    }
  };
  const version = parse(z.object({ hearth_backup: z.number() }), lines[0])?.hearth_backup;
  if (version === undefined) throw broken('its first line does not say so');
  if (version > backupVersion) {
    throw new UserError(
      `${name} has backup version ${version}, this Hearth reads up to ${backupVersion}: restore it with the newer Hearth that wrote it.`,
    );
  }
  const about = parse(head, lines[0]);
  if (!about) throw broken('its first line is damaged');
  const last = parse(end, text.slice(cut));
  if (!last || last.end !== lines.length) throw broken('its end is missing');
  if (createHash('sha256').update(body).digest('hex') !== last.sha256)
    throw broken('it was changed after it was written');
  const entries: (readonly [string, string])[] = [];
  const files: z.output<typeof file>[] = [];
  for (const [index, line] of lines.slice(1).entries()) {
    const pair = parse(entry, line);
    const one = pair ? undefined : parse(file, line);
    if (pair) entries.push([pair.key, pair.value]);
    else if (one) files.push(one);
    else throw broken(`line ${index + 2} is damaged`);
  }
  return { head: about, entries, files };
}
