/** `hearth artifact`: files for nodes, in the supervisor's store. */
import { createHash } from 'node:crypto';
import {
  closeSync,
  createReadStream,
  createWriteStream,
  existsSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { printable } from '../../shared/names.ts';
import { UserError } from '../../shared/user-error.ts';
import { type AdminFlags, adminCall } from '../admin.ts';
import { inBytes, progressBar } from '../progress-bar.ts';
import { askSupervisor, refusalOf, told } from '../supervisor-request.ts';
import { ago, table } from '../table.ts';
import { upload } from './artifact-upload.ts';

/** Each is whole and compared before the next one begins; what was printed is there. */
export async function putArtifacts(
  files: readonly string[],
  flags: AdminFlags & { readonly quiet?: boolean },
): Promise<number> {
  for (const file of files) {
    const { sha256, size, fresh } = await bringArtifact(file, flags);
    if (flags.quiet) console.log(`artifact:${sha256}`);
    else {
      console.log(`${sha256}  ${printable(file, 200)} (${inBytes(size)}${fresh ? '' : ', was there already'})`);
      console.log(`  use it as  artifact:${sha256}`);
    }
  }
  return 0;
}

/** @returns its hash, and whether it was not there before. @throws UserError. */
export async function bringArtifact(file: string, flags: AdminFlags) {
  const size = await sizeOf(file);
  const sha256 = await hashOf(file, size);
  return { sha256, size, fresh: await upload(file, sha256, size, flags) };
}

async function sizeOf(file: string): Promise<number> {
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
    throw new UserError(`${printable(file, 200)} cannot be read (${error.code}).`);
  });
  if (!found.isFile()) throw new UserError(`${printable(file, 200)} is no file: a folder is brought as an archive.`);
  return found.size;
}

async function hashOf(file: string, size: number): Promise<string> {
  const bar = progressBar(`reading ${basename(file)}`, size);
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    for await (const piece of createReadStream(file, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>) {
      hash.update(piece);
      bytes += piece.length;
      bar.at(bytes);
    }
  } catch (error) {
    throw new UserError(`${printable(file, 200)} cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  } finally {
    bar.end();
  }
  return hash.digest('hex');
}

interface Listed {
  readonly sha256: string;
  readonly size: number;
  readonly name?: string;
  readonly pinned: boolean;
  readonly used_ms: number;
  readonly uses: readonly string[];
}

interface Listing {
  readonly artifacts: readonly Listed[];
  readonly bytes: number;
  readonly most_bytes: number;
}

export async function listArtifacts(flags: AdminFlags & { readonly json?: boolean }): Promise<number> {
  const listing = await adminCall<Listing>(flags, 'artifact.list');
  if (flags.json) {
    console.log(JSON.stringify(listing, undefined, 2));
    return 0;
  }
  const { artifacts, bytes, most_bytes } = listing;
  const rows = artifacts.map(one => [
    one.sha256.slice(0, 12),
    inBytes(one.size),
    ago(Math.max(0, Date.now() - one.used_ms)),
    printable(one.name ?? '-', 40),
    one.pinned ? 'machines that join' : one.uses.map(use => printable(use, 60)).join(', ') || '-',
  ]);
  if (rows.length > 0) console.log(table(['SHA256', 'SIZE', 'USED', 'NAME', 'IN USE BY'], rows));
  const count = artifacts.length === 1 ? '1 artifact' : `${artifacts.length} artifacts`;
  console.log(`${count}, ${inBytes(bytes)} of ${inBytes(most_bytes)}`);
  return 0;
}

/** A whole hash is one; anything else is the beginning of exactly one, or the name of exactly one. */
async function meant(said: string, flags: AdminFlags): Promise<{ readonly sha256: string; readonly name?: string }> {
  const text = said.replace(/^artifact:/, '').toLowerCase();
  if (/^[0-9a-f]{64}$/.test(text)) return { sha256: text };
  const { artifacts } = await adminCall<Listing>(flags, 'artifact.list');
  const found = artifacts.filter(
    one => one.name === said || (/^[0-9a-f]{4,63}$/.test(text) && one.sha256.startsWith(text)),
  );
  const [only] = found;
  if (only && found.length === 1) return only;
  const why = found.length === 0 ? 'there is no artifact' : `there are ${found.length} artifacts`;
  throw new UserError(`"${printable(said)}": ${why} of that hash or name: "hearth artifact list" shows them.`);
}

export async function removeArtifact(said: string, flags: AdminFlags): Promise<number> {
  const { sha256 } = await meant(said, flags);
  await adminCall(flags, 'artifact.rm', { sha256 });
  console.log(`${sha256} is gone.`);
  return 0;
}

export async function getArtifact(
  said: string,
  flags: AdminFlags & { readonly output?: string; readonly force?: boolean },
): Promise<number> {
  const { sha256, name } = await meant(said, flags);
  const output = flags.output ?? safeName(name) ?? sha256;
  if (output === '-' && process.stdout.isTTY) {
    throw new UserError('An artifact is no text for a terminal: name a file, or send it into a program.', 2);
  }
  if (output !== '-' && !flags.force && existsSync(output)) {
    throw new UserError(`${printable(output, 200)} is there already: name another file with -o, or add --force.`);
  }
  const bytes = await fetchArtifact(sha256, output, flags);
  if (output !== '-') console.log(`${printable(output, 200)} (${inBytes(bytes)})`);
  return 0;
}

/** @param output a file, which is written over; `-` is standard output. @returns bytes. @throws UserError. */
export async function fetchArtifact(sha256: string, output: string, flags: AdminFlags): Promise<number> {
  const answer = await askSupervisor(flags, { method: 'GET', path: `/artifacts/${sha256}` }).catch(error => {
    throw told(error, flags);
  });
  if (answer.statusCode !== 200) throw await refusalOf(answer);
  if (output === '-') await receive(answer, sha256, process.stdout, flags);
  else await intoFile(answer, sha256, output, flags);
  return Number(answer.headers['content-length']);
}

/** Somebody else said the name: it may name nothing but a file here. */
const safeName = (name: string | undefined): string | undefined =>
  name !== undefined && basename(name) === name && !/^[.-]/.test(name) ? name : undefined;

type Answer = Awaited<ReturnType<typeof askSupervisor>>;

/** Never half a file under its name. */
async function intoFile(answer: Answer, sha256: string, output: string, flags: AdminFlags): Promise<void> {
  const beside = `${output}.part`;
  try {
    rmSync(beside, { force: true });
    await receive(answer, sha256, createWriteStream(beside, { flags: 'wx', mode: 0o644 }), flags);
    const handle = openSync(beside, 'r');
    fsyncSync(handle);
    closeSync(handle);
    renameSync(beside, output);
  } catch (error) {
    rmSync(beside, { force: true });
    if (error instanceof UserError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw new UserError(`${printable(output, 200)} cannot be written (${code}): name another file with -o.`);
  }
}

async function receive(answer: Answer, sha256: string, to: NodeJS.WritableStream, flags: AdminFlags): Promise<void> {
  const of = Number(answer.headers['content-length'] ?? 0);
  const bar = progressBar(sha256.slice(0, 12), of);
  const hash = createHash('sha256');
  let bytes = 0;
  const meter = new Transform({
    transform(piece: Buffer, _encoding, done) {
      hash.update(piece);
      bytes += piece.length;
      bar.at(bytes);
      done(null, piece);
    },
  });
  try {
    answer.once('error', error => meter.destroy(told(error, flags)));
    await pipeline(answer, meter, to, { end: to !== process.stdout });
  } finally {
    bar.end();
  }
  const is = hash.digest('hex');
  if (is !== sha256) throw new UserError(`What came has the SHA-256 ${is}, not ${sha256}: it is not kept.`);
}
