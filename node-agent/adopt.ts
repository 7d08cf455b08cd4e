/** `hearth agent adopt TOKEN`: moves this machine to the token's cluster, or brings it back to one that had revoked it. */
import { existsSync, readFileSync } from 'node:fs';
import { formatJoinToken, parseJoinToken } from '../shared/join-token.ts';
import { UserError } from '../shared/user-error.ts';
import { lockHolder } from './folder-lock.ts';
import { writeTokenFile } from './token-file.ts';

const most = 1024;

/** @param given the token, or `-` for standard input, where no list of processes shows it. @returns the sentence to print. */
export function adopt(given: string, folder: string): string {
  const text = given === '-' ? readFileSync(0, 'utf8').slice(0, most) : given;
  const token = parseJoinToken(text);
  if (!existsSync(folder)) {
    throw new UserError(`there is no agent's folder ${folder}: name it with --data, or start an agent with --token`);
  }
  writeTokenFile(folder, formatJoinToken(token));
  const holder = lockHolder(folder);
  if (holder === undefined)
    return `The agent of ${folder} does not run: it asks cluster ${token.cluster} when it starts.`;
  try {
    process.kill(holder, 'SIGUSR2');
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
    throw new UserError(`cannot tell the agent (process ${holder}, ${why}): restart it, and it asks the new cluster`);
  }
  return `The agent (process ${holder}) asks cluster ${token.cluster} now. It stays where it is until it is let in there; then it stops what the old cluster started and moves.`;
}
