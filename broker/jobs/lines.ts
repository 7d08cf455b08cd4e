/** The lines of an artifact, for a job whose values they are. */
import { decodeText } from '../../shared/codec.ts';
import { fail, ok, type Result } from '../../shared/errors.ts';
import { jobLimits } from '../../shared/schemas/job.ts';
import type { ArtifactStore } from '../artifacts/artifact-store.ts';

/** Bytes of such an artifact: its lines stay in memory as long as the job is kept. */
const most = 16 * 1024 * 1024;

/** @returns the lines without their ends; what follows the last newline is one, too, where there is something. */
export async function readLines(
  store: Pick<ArtifactStore, 'find' | 'read'>,
  sha256: string,
): Promise<Result<readonly string[]>> {
  const artifact = store.find(sha256);
  if (!artifact) {
    return fail('not-available', `there is no artifact ${sha256} here: send it first (hearth artifact put)`);
  }
  if (artifact.size > most) {
    return fail('too-large', `the artifact ${sha256} has ${artifact.size} bytes; lines are read of up to ${most}`);
  }
  const pieces: Buffer[] = [];
  for await (const piece of await store.read(artifact)) pieces.push(piece as Buffer);
  const text = decodeText(Buffer.concat(pieces), most);
  if (!text.ok) return fail(text.error.code, `the artifact ${sha256} is no UTF-8 text`);
  const lines = text.value.split('\n');
  if (lines.at(-1) === '') lines.pop();
  if (lines.length === 0) return fail('empty', `the artifact ${sha256} has no lines`);
  const long = lines.findIndex(line => line.length > jobLimits.value);
  if (long >= 0) return fail('too-large', `line ${long + 1} has more than ${jobLimits.value} characters`);
  return ok(lines);
}
