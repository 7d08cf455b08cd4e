/**
 * The join token in an agent's folder, `join-token` (0600): put there by the installer or by `hearth agent adopt`, so that it
 * stands in no command line, and removed when it has been used.
 */
import { join } from 'node:path';
import { type JoinToken, parseJoinToken } from '../shared/join-token.ts';
import { UserError } from '../shared/user-error.ts';
import { readBounded, removeFiles, replaceFile } from './replace-file.ts';

export const tokenFile = 'join-token';

/** @throws UserError that names the file. */
export function readTokenFile(folder: string): JoinToken | undefined {
  const path = join(folder, tokenFile);
  let text: string | undefined;
  try {
    text = readBounded(path, 1024)?.trim();
  } catch (error) {
    throw new UserError(`cannot read the join token in ${path} (${(error as NodeJS.ErrnoException).code ?? error})`);
  }
  if (text === undefined || text === '') return undefined;
  try {
    return parseJoinToken(text);
  } catch (error) {
    throw new UserError(`${path}: ${(error as Error).message}`);
  }
}

export function writeTokenFile(folder: string, token: string): void {
  try {
    replaceFile(folder, tokenFile, `${token}\n`, true);
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
    throw new UserError(`cannot write ${join(folder, tokenFile)} (${why}): run this as the user whose agent it is`);
  }
}

export const removeTokenFile = (folder: string): void => removeFiles(folder, tokenFile);
