/**
 * What the supervisor hands out by its hash: runtimes and agents for machines that join, later issues' job inputs and results.
 * Content-addressed, so that who knows the hash needs to trust neither the wire nor the server.
 */
import type { Readable } from 'node:stream';
import { UserError } from '../../shared/user-error.ts';
import type { UsesOf } from './uses.ts';

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
  /** How much of an upload that was cut off is here, or that all of it is. */
  offset(sha256: string): { readonly offset: number; readonly complete: boolean };
  /**
   * Goes on with an upload from where {@link offset} says. What came is kept where the body is cut off or ends early; all of it
   * is kept as an artifact if it has the hash. An upload of the same that is under way ends.
   * @throws ArtifactError; 409 with the right `offset`.
   */
  append(body: Readable, promised: Promised & { readonly size: number; readonly offset: number }): Promise<Appended>;
  /** The one used last first. */
  list(): readonly Listed[];
  /** @throws ArtifactError 404, or 409 where it is in use. */
  remove(sha256: string): Promise<void>;
  /** From now on what these name is neither thrown out nor removed. */
  keepUsed(uses: UsesOf): void;
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
  /** What people call it: the file's name. */
  readonly name?: string | undefined;
}

/** What an upload has come to. */
export type Appended = { readonly offset: number; readonly stored?: Stored };

export interface Listed extends Artifact {
  readonly name?: string;
  /** Of the install script, and never thrown out. */
  readonly pinned: boolean;
  /** Wall clock. */
  readonly usedAt: number;
  /** Where documents name it. */
  readonly uses: readonly string[];
}

export interface Stored extends Artifact {
  /** It was not there before. */
  readonly fresh: boolean;
  readonly name?: string;
}

/** `400` hash or size is not as promised, `404`, `409` it is in use, or not there where an upload goes on, `413` larger than one may be, `429` too many at once, `507` no room. */
export class ArtifactError extends UserError {
  readonly status: ArtifactStatus;
  /** Where an upload has to go on. */
  readonly offset?: number;

  constructor(status: ArtifactStatus, message: string, offset?: number) {
    super(message);
    this.status = status;
    if (offset !== undefined) this.offset = offset;
  }
}

export type ArtifactStatus = 400 | 404 | 409 | 413 | 429 | 507;
