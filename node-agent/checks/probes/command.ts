/** `command`: a program's exit code and output. */
import type { Check } from '../../../shared/schemas/check.ts';
import { simpleCommand } from '../../reconcile/services/simple-command.ts';
import { type Finding, fail, pass, unknown } from '../finding.ts';
import type { Probe } from '../real-prober.ts';
import { type Ran, runProgram } from '../run-program.ts';

type Assertion = NonNullable<Check['command']>;

/** POSIX.1-2017, XCU 2.8.2: what a shell exits with where there is no such command, or it may not be run. */
const notRunnable = [126, 127];

export const command: Probe<'command'> = async (assertion, machine, signal) => {
  const { run } = assertion;
  const argv = typeof run === 'string' ? [machine.shell, '-c', simpleCommand(run) ?? run] : run;
  return judgeCommand(assertion, await runProgram(argv, machine, signal));
};

/** What an end and an output mean. Pure. */
export function judgeCommand(assertion: Assertion, ran: Ran): Finding {
  const { contains, absent, max_lines: maxLines, quiet, unknown: cannotKnow = [] } = assertion;
  const lines = ran.output.split('\n').filter(line => line.trim() !== '');
  const said = quiet || lines[0] === undefined ? '' : `: ${withoutSecrets(lines[0])}`;
  if (ran.missing !== undefined) return unknown(ran.missing);
  if (ran.late) return fail(`did not end in time and was ended${said}`);
  if (ran.tooMuch) return fail('wrote more than 8 MB and was ended');
  if (ran.signal !== undefined) return fail(`was ended by ${ran.signal}${said}`);
  if (ran.code !== undefined && [...notRunnable, ...cannotKnow].includes(ran.code))
    return unknown(`exit code ${ran.code}${said || ', which says that it cannot know'}`);
  if (ran.code !== 0) return fail(`exit code ${ran.code}${said}`);
  if (contains !== undefined && !ran.output.includes(contains)) return fail(`its output lacks the text${said}`);
  if (absent !== undefined && ran.output.includes(absent)) return fail('its output has the text that it must not have');
  if (maxLines !== undefined && lines.length > maxLines)
    return fail(`${lines.length} lines, of at most ${maxLines}${said}`);
  if (ran.cut && (absent !== undefined || maxLines !== undefined))
    return unknown('its output is longer than 64 kB: the rest was not looked at');
  return pass(maxLines === undefined ? `exit code 0${said}` : `${lines.length} lines, of at most ${maxLines}`);
}

/** Whoever reads the node reads what a check saw: what looks like a password or token is left out of it. */
export const withoutSecrets = (line: string): string =>
  line
    .slice(0, 1000)
    .replace(/:\/\/[^\s/@]{1,200}@/g, '://…@')
    .replace(/\b((?:bearer|basic)\s+)[\w.~+/=-]{6,}/gi, '$1…')
    .replace(/((?:pass(?:word|wd|phrase)?|secret|token|api[-_]?key|credential)s?["']?\s{0,3}[=:]\s{0,3})\S+/gi, '$1…');
