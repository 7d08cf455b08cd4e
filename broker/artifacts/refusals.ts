/** What the store says to who brings something, one sentence each. */
import { ArtifactError } from './artifact-store.ts';

export const noHash = () => new ArtifactError(400, 'An artifact is named by its SHA-256: 64 of 0-9 and a-f.');

export const tooLarge = (one: number) => new ArtifactError(413, `An artifact may have ${one} bytes at most.`);

export const otherSize = (sha256: string, is: number, got: number) =>
  new ArtifactError(400, `The artifact ${sha256} has ${is} bytes, not ${got}: nothing was kept.`);

export const otherHash = (is: string, sha256: string) =>
  new ArtifactError(400, `These bytes have the SHA-256 ${is}, not ${sha256}: nothing was kept.`);

export const stoodStill = (ms: number) => new ArtifactError(400, `The upload stood still for ${ms} ms.`);

export const tooMany = (atOnce: number) =>
  new ArtifactError(429, `${atOnce} artifacts are being taken in already: try again in a moment.`);

export const noRoom = () =>
  new ArtifactError(
    507,
    'There is no room for this artifact: the disk is nearly full, or all that is here is in use ("hearth artifact list").',
  );

/** What ended an upload, as the one who sent it can understand it. */
export function readable(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') return new ArtifactError(507, "The supervisor's disk is full.");
  if (code === 'ERR_STREAM_PREMATURE_CLOSE' || code === 'ECONNRESET') {
    return new ArtifactError(400, 'The upload ended before its end: nothing was kept.');
  }
  return error;
}
