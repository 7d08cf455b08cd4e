/**
 * What the supervisor hands out by its hash: runtimes and agents for machines that join, later issues' job inputs and results.
 * Content-addressed, so that who knows the hash needs to trust neither the wire nor the server.
 */
import type { Readable } from 'node:stream';
import { UserError } from '../../shared/user-error.ts';

export interface Artifact {
  /** Of its bytes, hex, lower case. */
  readonly sha256: string;
  readonly size: number;
  /** Anybody on the network may read it without a login: what installs an agent, and nothing else. */
  readonly open: boolean;
}

/** Both ends included, as in HTTP. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

export interface ArtifactStore {
  /** @returns undefined where it is not here, or `sha256` is no hash. Counts as a use. */
  find(sha256: string): Artifact | undefined;
  /**
   * @param artifact from {@link find}; it can be read to its end even where it is thrown out meanwhile.
   * @throws ArtifactError 404 where it is gone.
   */
  read(artifact: Artifact, range?: ByteRange): Promise<Readable>;
  /**
   * Takes bytes in and keeps them if they have the hash and size that was said; nobody sees them before that. Bytes that are
   * there already are not read again.
   * @throws ArtifactError with the HTTP status that fits.
   */
  put(body: Readable, promised: Promised): Promise<Stored>;
  /** Pinned ones are never thrown out for room. `false` unpins. */
  pin(sha256: string, pinned: boolean): Promise<void>;
  /** Ends what is being taken in. */
  close(): Promise<void>;
}

export interface Promised {
  readonly sha256: string;
  /** From Content-Length, where it is known. */
  readonly size?: number | undefined;
  readonly open?: boolean;
  readonly pinned?: boolean;
}

export interface Stored extends Artifact {
  /** It was not there before. */
  readonly fresh: boolean;
}

/** `400` hash or size is not as promised, `404`, `413` larger than one may be, `429` too many at once, `507` no room. */
export class ArtifactError extends UserError {
  readonly status: 400 | 404 | 413 | 429 | 507;

  constructor(status: 400 | 404 | 413 | 429 | 507, message: string) {
    super(message);
    this.status = status;
  }
}
