/** `file`, `disk` and `mount`. */
import { createHash } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, open, stat, statfs } from 'node:fs/promises';
import type { Check } from '../../../shared/schemas/check.ts';
import { type Finding, fail, pass, unknown } from '../finding.ts';
import type { Machine } from '../machine.ts';
import type { Probe } from '../real-prober.ts';

const textBytes = 1024 * 1024;
const hashedBytes = 64 * 1024 * 1024;

const isMissing = (error: unknown) => ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');

export const file: Probe<'file'> = async (assertion, { files }, signal) => {
  const path = files.path(assertion.path);
  let found: Stats;
  try {
    found = await lstat(path);
    if (assertion.exists === false) return fail('it exists, and must not');
    if (found.isSymbolicLink()) found = await stat(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
    return assertion.exists === false ? pass('there is none') : fail('there is no such file');
  }
  const { mode, max_age_s: maxAge } = assertion;
  const is = (found.mode & 0o7777).toString(8).padStart(4, '0');
  if (mode !== undefined && is !== mode.padStart(4, '0')) return fail(`its permissions are ${is}, not ${mode}`);
  if (maxAge !== undefined) {
    const age = (Date.now() - found.mtimeMs) / 1000;
    if (age > maxAge) return fail(`last written ${rough(age)} ago, more than ${rough(maxAge)}`);
  }
  const { contains, absent, sha256 } = assertion;
  if (contains === undefined && absent === undefined && sha256 === undefined) return pass('as it should be');
  if (!found.isFile()) return fail('it is no regular file');
  // Without waiting: between the look and this somebody may have put a FIFO there.
  const opened = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return await judgeContent(assertion, opened, found.size, signal);
  } finally {
    await opened.close();
  }
};

/** What a file holds is never shown: it may be anything. */
async function judgeContent(
  { contains, absent, sha256 }: NonNullable<Check['file']>,
  opened: FileHandle,
  size: number,
  signal: AbortSignal,
): Promise<Finding> {
  if (contains !== undefined || absent !== undefined) {
    const text = (await read(opened, textBytes, signal)).toString();
    if (contains !== undefined && !text.includes(contains)) return fail('it lacks the text');
    if (absent !== undefined && text.includes(absent)) return fail('it has the text that it must not have');
    if (absent !== undefined && size > textBytes) return unknown('larger than 1 MB: the rest was not looked at');
  }
  if (sha256 !== undefined) {
    if (size > hashedBytes) return unknown('larger than 64 MB: not hashed');
    const hash = createHash('sha256');
    await read(opened, hashedBytes, signal, chunk => hash.update(chunk));
    if (hash.digest('hex') !== sha256) return fail('its SHA-256 is another one');
  }
  return pass('as it should be');
}

/** Piece by piece, so that a large file keeps nobody waiting. Without `each` it returns what it read. */
async function read(
  opened: FileHandle,
  most: number,
  signal: AbortSignal,
  each?: (chunk: Buffer) => void,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for (let at = 0; at < most; ) {
    if (signal.aborted) throw new Error('it could not be read in time');
    const { buffer, bytesRead } = await opened.read(Buffer.alloc(Math.min(64 * 1024, most - at)), 0, null, at);
    if (bytesRead === 0) break;
    at += bytesRead;
    const chunk = buffer.subarray(0, bytesRead);
    if (each) each(chunk);
    else chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

const rough = (seconds: number): string =>
  seconds >= 172_800 ? `${Math.floor(seconds / 86_400)} days` : `${Math.ceil(seconds / 60)} min`;

export interface Space {
  readonly bsize: number;
  readonly blocks: number;
  readonly bfree: number;
  readonly bavail: number;
  readonly files: number;
  readonly ffree: number;
}

export const disk: Probe<'disk'> = async (assertion, { files }) => {
  try {
    return judgeSpace(assertion, await statfs(files.path(assertion.path)));
  } catch (error) {
    if (!isMissing(error)) throw error;
    return unknown(`there is no ${assertion.path} here`);
  }
};

/** As df(1) counts: what root alone may use is neither used nor free. Pure. */
export function judgeSpace(assertion: NonNullable<Check['disk']>, space: Space): Finding {
  const { max_pct: maxPct, min_free_mb: minFree, max_inodes_pct: maxInodes } = assertion;
  const used = space.blocks - space.bfree;
  const whole = used + space.bavail;
  const pct = whole > 0 ? Math.ceil((used / whole) * 100) : undefined;
  const free = Math.floor((space.bavail * space.bsize) / (1024 * 1024));
  const inodes = space.files > 0 ? Math.ceil(((space.files - space.ffree) / space.files) * 100) : undefined;
  if (maxPct !== undefined && pct !== undefined && pct > maxPct) return fail(`${pct} % used, ${free} MB free`);
  if (minFree !== undefined && pct !== undefined && free < minFree)
    return fail(`${free} MB free, of at least ${minFree}`);
  if (maxInodes !== undefined && inodes !== undefined && inodes > maxInodes) return fail(`${inodes} % of inodes used`);
  if ((maxPct !== undefined || minFree !== undefined) && pct === undefined)
    return unknown('this file system has no size');
  if (maxInodes !== undefined && inodes === undefined) return unknown('this file system does not count inodes');
  if (maxPct !== undefined) return pass(`${pct} % used`);
  return pass(minFree === undefined ? `${inodes} % of inodes used` : 'enough is free');
}

interface Mount {
  readonly type: string;
  readonly options: readonly string[];
}

export const mount: Probe<'mount'> = async ({ path, type, rw }, machine) => {
  const table = mountsOf(machine);
  if (table === undefined) return unknown('this system does not tell what is mounted');
  const found = table.get(path === '/' ? path : path.replace(/\/+$/, ''));
  if (found === undefined) return fail('nothing is mounted there');
  const may = found.options.includes('rw') ? 'writable' : 'read-only';
  if (type !== undefined && found.type !== type) return fail(`it is ${found.type}, not ${type}`);
  if (rw !== undefined && rw !== (may === 'writable')) return fail(`it is ${may}`);
  return pass(`${found.type}, ${may}`);
};

/** proc(5), `mounts`: blanks in paths are octal. What was mounted last at a place hides what was there. */
function mountsOf({ files }: Machine): ReadonlyMap<string, Mount> | undefined {
  const text = files.text('proc/self/mounts', 4 * 1024 * 1024);
  if (text === undefined) return undefined;
  const table = new Map<string, Mount>();
  for (const line of Buffer.from(text, 'latin1').toString().split('\n')) {
    const [, escaped, type = '', options = ''] = line.split(' ');
    if (escaped === undefined) continue;
    const path = escaped.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));
    table.set(path, { type, options: options.split(',') });
  }
  return table;
}
