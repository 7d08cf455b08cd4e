/** What an earlier agent left burning: ended before anything begins anew. Job tasks and fillers stay, frozen or not. */
import { readFileSync } from 'node:fs';
import { kill } from './beside.ts';

/** @param held lines as the watchdog reads them (scripts.ts). */
export function sweep(held: readonly string[]): void {
  for (const line of held) {
    const [what, word = '', ...rest] = line.split(' ');
    const path = rest.join(' ');
    if (what === 'end' && /^\d+$/.test(path)) kill({ pid: Number(path), start: word === '-' ? '-' : Number(word) });
    if (what === 'kill') for (const pid of pidsOf(path)) signal(pid);
  }
}

function pidsOf(path: string): readonly number[] {
  try {
    return readFileSync(path, 'utf8').split('\n').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

function signal(pid: number): void {
  if (!Number.isSafeInteger(pid) || pid <= 1 || pid === process.pid) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}
