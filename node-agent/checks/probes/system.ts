/** `units_failed`, `processes` and `user`: who runs, and who there is. */

import type { Check } from '../../../shared/schemas/check.ts';
import { type ProcessStat, parseStat } from '../../reconcile/services/processes.ts';
import type { Finding } from '../finding.ts';
import { fail, pass, unknown } from '../finding.ts';
import type { Machine } from '../machine.ts';
import type { Probe } from '../real-prober.ts';
import { type Ran, runProgram } from '../run-program.ts';

export const unitsFailed: Probe<'units_failed'> = async ({ max = 0 }, machine, signal) => {
  // sd_booted(3): systemd is there where this folder is.
  if (!machine.files.exists('run/systemd/system')) return unknown('there is no systemd here');
  const argv = ['systemctl', 'list-units', '--state=failed', '--all', '--plain', '--no-legend', '--no-pager'];
  const ran = await runProgram(argv, machine, signal);
  if (ran.missing !== undefined || ran.code !== 0) return unknown(`systemctl does not answer: ${firstLine(ran)}`);
  const failed = ran.output
    .split('\n')
    .map(line => line.trim().split(/\s+/)[0] ?? '')
    .filter(Boolean);
  if (failed.length > max) return fail(`failed: ${failed.sort().join(', ')}`);
  return pass(failed.length === 0 ? 'none failed' : `${failed.length} failed, of at most ${max}`);
};

const firstLine = (ran: Ran): string => ran.missing ?? (ran.late ? 'not in time' : (ran.output.split('\n')[0] ?? ''));

/** Between two pieces of /proc others get their turn. */
const pieceOfProc = 100;

export const processes: Probe<'processes'> = async (assertion, machine, signal) => {
  const all = await processesOf(machine, signal);
  if (all === undefined) return unknown('this system has no /proc to count in');
  // mount(8), `hidepid`: who is not root may see nobody but itself.
  return judgeProcesses(assertion, all, machine.files.exists('proc/1/stat'));
};

async function processesOf({ files }: Machine, signal: AbortSignal): Promise<ProcessStat[] | undefined> {
  const pids = files.names('proc').filter(name => /^\d+$/.test(name));
  if (pids.length === 0) return undefined;
  const found: ProcessStat[] = [];
  for (const [index, pid] of pids.entries()) {
    if (index % pieceOfProc === pieceOfProc - 1) await new Promise(resolve => setImmediate(resolve));
    if (signal.aborted) throw new Error('they could not be counted in time');
    const stat = parseStat(files.text(`proc/${pid}/stat`, 4096) ?? '');
    if (stat && !stat.kernel) found.push(stat);
  }
  return found;
}

/** @param everybody whether all processes of the machine are among them. Pure. */
export function judgeProcesses(
  { max, max_zombies: maxZombies, running = [], absent = [] }: NonNullable<Check['processes']>,
  all: readonly Pick<ProcessStat, 'name' | 'state'>[],
  everybody: boolean,
): Finding {
  const zombies = all.filter(({ state }) => state === 'Z').length;
  const alive = all.length - zombies;
  // The kernel cuts names at 15 bytes.
  const names = new Set(all.filter(({ state }) => state !== 'Z').map(({ name }) => name));
  const runs = (name: string) => names.has(Buffer.from(name).subarray(0, 15).toString('latin1'));
  const present = absent.filter(runs);
  const missing = running.filter(name => !runs(name));
  if (present.length > 0) return fail(`runs and must not: ${present.join(', ')}`);
  if (max !== undefined && alive > max) return fail(`${alive} processes, of at most ${max}`);
  if (maxZombies !== undefined && zombies > maxZombies) return fail(`${zombies} zombies, of at most ${maxZombies}`);
  const hidden = 'this user does not see the processes of others';
  if (missing.length > 0) return everybody ? fail(`does not run: ${missing.join(', ')}`) : unknown(hidden);
  const counts = max !== undefined || maxZombies !== undefined || absent.length > 0;
  if (!everybody && counts) return unknown(hidden);
  if (running.length > 0) return pass(`runs: ${running.join(', ')}`);
  return pass(absent.length > 0 ? 'none of them runs' : 'not too many');
}

export const user: Probe<'user'> = async ({ name, exists = true }, machine, signal) => {
  const passwd = machine.files.text('etc/passwd');
  const listed = passwd?.split('\n').some(line => line.startsWith(`${name}:`)) ?? false;
  // Others than those of the file (LDAP) are asked for by getent(1): 0 is found, 2 is not found.
  const ran = listed ? undefined : await runProgram(['getent', 'passwd', name], machine, signal);
  const found = listed || ran?.code === 0;
  const sure = found || ran?.code === 2 || (ran?.missing !== undefined && passwd !== undefined);
  if (!sure) return unknown('this system does not tell its users');
  if (found === exists) return pass(found ? `there is a user ${name}` : `there is no user ${name}`);
  return fail(found ? `there is a user ${name}, and must not be` : `there is no user ${name}`);
};
