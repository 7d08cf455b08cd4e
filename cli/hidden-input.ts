/** What nobody may look at while it is typed, and what may not stand on a command line: there every user sees it. */
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { UserError } from '../shared/user-error.ts';

/** Bytes: more than any secret or password has. */
const most = 64 * 1024;

/**
 * Asks on the terminal without showing what is typed; where standard input is no terminal, all of it less one final
 * newline. @throws UserError
 */
export async function readHidden(prompt: string): Promise<string> {
  return process.stdin.isTTY ? await ask(prompt) : await readAll();
}

/** {@link readHidden} twice on a terminal, since nobody sees a slip. */
export async function readNewHidden(prompt: string, again: string): Promise<string> {
  const first = await readHidden(prompt);
  if (process.stdin.isTTY && (await ask(again)) !== first) throw new UserError('The two are not the same: try again.');
  return first;
}

function ask(prompt: string): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true, historySize: 0 });
  // After the terminal has stopped to echo.
  process.stderr.write(prompt);
  return new Promise((resolve, reject) => {
    const end = (then: () => void) => {
      lines.removeAllListeners();
      lines.close();
      process.stderr.write('\n');
      then();
    };
    lines.once('line', line => end(() => resolve(line)));
    lines.once('SIGINT', () => end(() => reject(new UserError('Nothing was done.', 130))));
    lines.once('close', () => end(() => reject(new UserError('Nothing was typed.'))));
  });
}

async function readAll(): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of process.stdin) {
    size += chunk.length;
    if (size > most) throw new UserError(`Standard input is longer than ${most} bytes.`);
    chunks.push(Buffer.from(chunk));
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(chunks)).replace(/\n$/, '');
  } catch {
    throw new UserError('Standard input is no UTF-8 text.');
  }
}
