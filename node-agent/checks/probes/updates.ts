/** `updates`: what apt would upgrade, by the lists that it has. Nothing is fetched and nothing is changed. */
import { statSync } from 'node:fs';
import type { Check } from '../../../shared/schemas/check.ts';
import { type Finding, fail, pass, unknown } from '../finding.ts';
import type { Machine } from '../machine.ts';
import type { Probe } from '../real-prober.ts';
import { runProgram } from '../run-program.ts';

/** Simulated, without the lock: somebody else's apt is neither waited for nor hindered. */
const argv = ['apt-get', '-s', '-q', '-o', 'Debug::NoLocking=true', '-o', 'APT::Get::Show-User-Simulation-Note=false'];
/** What apt touches whenever it asks for new lists, also where there are none. */
const touched = ['partial', '', '../periodic/update-success-stamp'].map(name => `var/lib/apt/lists/${name}`);
const dayMs = 86_400_000;

export const updates: Probe<'updates'> = async (assertion, machine, signal) => {
  const age = listsAge(machine);
  if (age === undefined) return unknown('there are no lists of apt here to know it by');
  const { lists_days: listsDays = 14 } = assertion;
  if (age > listsDays) return unknown(`the lists are ${Math.floor(age)} days old: "apt-get update" fetches new ones`);
  const ran = await runProgram([...argv, 'dist-upgrade'], machine, signal, 4 * 1024 * 1024);
  if (ran.missing !== undefined) return unknown(ran.missing);
  if (ran.code !== 0 || ran.cut)
    return unknown(`apt-get does not say: ${ran.late ? 'not in time' : (ran.output.split('\n')[0] ?? '')}`);
  return judgeUpdates(assertion, ran.output);
};

function listsAge({ files }: Machine): number | undefined {
  const times = touched.flatMap(path => {
    try {
      return [statSync(files.path(path)).mtimeMs];
    } catch {
      return [];
    }
  });
  return times.length === 0 ? undefined : (Date.now() - Math.max(...times)) / dayMs;
}

/** Lines such as `Inst zip [3.0-13] (3.0-13+deb12u1 Debian-Security:12/oldstable-security [amd64])`. Pure. */
export function judgeUpdates(
  { max, max_security: maxSecurity = 0 }: NonNullable<Check['updates']>,
  output: string,
): Finding {
  const lines = output.split('\n').filter(line => /^Inst \S+ \[/.test(line));
  const security = lines.filter(line => /\([^)]*security/i.test(line));
  const names = (of: readonly string[]) => of.map(line => line.split(' ')[1]).join(', ');
  if (security.length > maxSecurity) return fail(`${security.length} security updates wait: ${names(security)}`);
  if (max !== undefined && lines.length > max) return fail(`${lines.length} updates wait: ${names(lines)}`);
  return pass(`${lines.length} updates wait, ${security.length} for security`);
}
