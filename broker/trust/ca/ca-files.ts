/**
 * What the certificate authority keeps in `trust/`: `ca.json` says which CA issues and which are trusted; a change counts
 * from the moment when that file is replaced. CA number n is `ca-n.pem`, `ca-n-key.pem` while it issues, and `ca-n-cross.pem`
 * where it replaced another. `server.pem` holds the server's key and certificate together, so that they always match.
 */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { check, parseJson } from '../../../shared/codec.ts';
import { UserError } from '../../../shared/user-error.ts';
import { writeSafely } from '../../data-folder.ts';

const number = z.number().int().min(1).max(1_000_000);
const caState = z.object({
  version: z.literal(1),
  /** Of the trust bundle. Seconds since 1970 at least, so that it rises even where an old backup was restored. */
  serial: z.number().int().nonnegative(),
  issuing: number,
  /** The one before, trusted until it is retired. */
  previous: number.optional(),
  rotated_ms: z.number().optional(),
  /** No longer trusted, but who holds an old certificate of theirs may show it to renew. The newest first. */
  retired: z.array(number).max(8),
});
export type CaState = z.output<typeof caState>;

const stateFile = 'ca.json';
const longestFile = 64 * 1024;

export class CaFiles {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** @returns undefined where there never was a CA. @throws UserError where there was one and it is not whole. */
  readState(): CaState | undefined {
    const text = this.read(stateFile);
    if (text === undefined) {
      // A first start that was cut off leaves files of number 1, and nothing else.
      const later = fs.readdirSync(this.folder).some(name => /^ca-\d+-key\.pem$/.test(name) && name !== 'ca-1-key.pem');
      if (!later) return undefined;
      throw this.#broken(stateFile, 'is gone');
    }
    const json = parseJson(text);
    const state = json.ok ? check(caState, json.value) : json;
    if (state.ok) return state.value;
    throw this.#broken(stateFile, 'cannot be read');
  }

  writeState(state: CaState): void {
    writeSafely(this.path(stateFile), `${JSON.stringify(state)}\n`);
  }

  /** @throws UserError where it is missing. */
  demand(name: string): string {
    const text = this.read(name);
    if (text !== undefined) return text;
    throw this.#broken(name, 'is gone');
  }

  read(name: string): string | undefined {
    const path = this.path(name);
    try {
      const stat = fs.statSync(path);
      if (!stat.isFile() || stat.size > longestFile) throw this.#broken(name, 'is no file of Hearth');
      if ((stat.mode & 0o077) !== 0) fs.chmodSync(path, 0o600);
      return fs.readFileSync(path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  write(name: string, text: string): void {
    writeSafely(this.path(name), text);
  }

  /** Keys of CAs that do not issue (any more, or not yet: a rotation that was cut off) are of use to a thief alone. */
  removeOtherKeys(issuing: number): void {
    for (const name of fs.readdirSync(this.folder)) {
      if (/^ca-\d+-key\.pem(\.new)?$/.test(name) && name !== `ca-${issuing}-key.pem`) this.remove(name);
    }
  }

  remove(name: string): void {
    fs.rmSync(this.path(name), { force: true });
  }

  broken(name: string): UserError {
    return this.#broken(name, 'cannot be read');
  }

  #broken(name: string, what: string): UserError {
    return new UserError(
      `${this.path(name)}, a part of this cluster's certificate authority, ${what}: restore ${this.folder} from a backup.`,
    );
  }
}

/** Of the bundle that follows `before`. */
export const nextSerial = (before: number, now: number): number => Math.max(before + 1, Math.floor(now / 1000));

/**
 * After a restore: nodes may know a later bundle than the backup has, and would ignore this one.
 * @param folder a restored `trust/`, perhaps of before there was a CA.
 */
export function raiseBundleSerial(folder: string, now: number): void {
  const files = new CaFiles(folder);
  const state = files.readState();
  if (state) files.writeState({ ...state, serial: nextSerial(state.serial, now) });
}
