/** Runs one program for a check: no input, bounded output, low priority, and nobody of it is left when it is over. */
import { type ChildProcess, spawn } from 'node:child_process';
import { lowerPriority } from '../reconcile/services/priority.ts';
import type { Machine } from './machine.ts';

/** Kept of the output, where nobody wants more. */
const shortBytes = 64 * 1024;
/** A program that writes more than this is ended: reading it all would cost more than the check is worth. */
const mostBytes = 8 * 1024 * 1024;

export interface Ran {
  /** Absent where it was ended by a signal, or could not be started. */
  readonly code?: number;
  readonly signal?: string;
  /** The first 64 kB (or what was asked for) of both streams, in the order in which they came. */
  readonly output: string;
  /** There was more of it. */
  readonly cut: boolean;
  /** The time was over, and it was ended. */
  readonly late: boolean;
  /** It wrote without end, and was ended. */
  readonly tooMuch: boolean;
  /** Why there was nothing to run: there is no such program, or it may not be run. */
  readonly missing?: string;
}

/** @param signal its abort ends the program and all that it started in its process group. */
export function runProgram(
  argv: readonly string[],
  machine: Machine,
  signal: AbortSignal,
  keptBytes = shortBytes,
): Promise<Ran> {
  const [program = '', ...args] = [...machine.under, ...argv];
  return new Promise(resolve => {
    let child: ChildProcess;
    try {
      // A process group of its own (setsid): what ends it ends its children, too.
      child = spawn(program, args, { cwd: '/', env: machine.env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    } catch (error) {
      resolve({
        output: '',
        cut: false,
        late: false,
        tooMuch: false,
        missing: `cannot be run: ${(error as Error).message}`,
      });
      return;
    }
    const chunks: Buffer[] = [];
    let kept = 0;
    let heard = 0;
    let late = false;
    let tooMuch = false;
    const endGroup = () => {
      if (child.pid === undefined) return;
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // Nobody is left of it.
      }
    };
    const abort = () => {
      late = true;
      endGroup();
    };
    const keep = (chunk: Buffer) => {
      heard += chunk.length;
      if (kept < keptBytes) {
        chunks.push(chunk.subarray(0, keptBytes - kept));
        kept += Math.min(chunk.length, keptBytes - kept);
      }
      if (heard > mostBytes && !tooMuch) {
        tooMuch = true;
        endGroup();
      }
    };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort);
    const over = (end: Pick<Ran, 'code' | 'signal' | 'missing'>) => {
      signal.removeEventListener('abort', abort);
      child.stdout?.destroy();
      child.stderr?.destroy();
      resolve({ ...end, output: Buffer.concat(chunks).toString(), cut: heard > kept, late, tooMuch });
    };
    child.once('error', error => {
      if (child.pid !== undefined) return;
      const code = (error as NodeJS.ErrnoException).code;
      const why = code === 'ENOENT' ? `there is no program "${program}" here` : `"${program}" cannot be run: ${code}`;
      over({ missing: why });
    });
    if (child.pid === undefined) return;
    lowerPriority(child.pid);
    child.once('exit', (code, by) => {
      // What it left running in its group ends with it, and with that the pipes do; who fled from the group (setsid)
      // may hold them open, and is not waited for.
      endGroup();
      const end = { ...(code === null ? {} : { code }), ...(by === null ? {} : { signal: by }) };
      const enough = setTimeout(() => over(end), 250);
      child.once('close', () => {
        clearTimeout(enough);
        over(end);
      });
    });
  });
}
