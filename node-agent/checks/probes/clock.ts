/** `clock`: whether a time server sets it, how far it is off, and in which zone. */
import { readlinkSync } from 'node:fs';
import { rounded } from '../../telemetry/machine-files.ts';
import { fail, pass, unknown } from '../finding.ts';
import type { Machine } from '../machine.ts';
import type { Probe } from '../real-prober.ts';
import { runProgram } from '../run-program.ts';

export interface ClockState {
  readonly synchronised: boolean;
  /** Milliseconds from the time servers', without sign. */
  readonly offsetMs?: number;
}

/** `chronyc -c tracking` (chronyc(1)): the offset in seconds is the 5th field, the leap status the 14th. */
export function parseChrony(output: string): ClockState | undefined {
  const fields = output.trim().split('\n').at(-1)?.split(',') ?? [];
  const offset = Number(fields[4]);
  if (fields.length < 14 || !Number.isFinite(offset)) return undefined;
  if (fields[13] === 'Not synchronised') return { synchronised: false };
  return { synchronised: true, offsetMs: rounded(Math.abs(offset) * 1000, 3) };
}

/** `ntpq -c rv` (ntpq(8)): the offset is in milliseconds; `leap_alarm` or `sync_unspec` is not synchronised. */
export function parseNtpq(output: string): ClockState | undefined {
  if (!/^associd=/m.test(output)) return undefined;
  if (/leap_alarm|sync_unspec/.test(output)) return { synchronised: false };
  const offset = Number(/\boffset=([+-]?[\d.]+)/.exec(output)?.[1] ?? Number.NaN);
  return { synchronised: true, ...(Number.isFinite(offset) ? { offsetMs: Math.abs(offset) } : {}) };
}

/** `timedatectl show` asks the kernel (adjtimex(2)), whoever sets the clock. */
export function parseTimedatectl(output: string): ClockState | undefined {
  const said = /^NTPSynchronized=(yes|no)$/m.exec(output)?.[1];
  return said === undefined ? undefined : { synchronised: said === 'yes' };
}

/** Those that know the offset first. */
const sources = [
  { argv: ['chronyc', '-n', '-c', 'tracking'], parse: parseChrony },
  { argv: ['ntpq', '-n', '-c', 'rv'], parse: parseNtpq },
  { argv: ['timedatectl', 'show', '--property=NTPSynchronized'], parse: parseTimedatectl },
] as const;

const universal = /^(Etc\/)?(UTC|UCT|Universal|Zulu|GMT|Greenwich|GMT[+-]?0)$/;

export const clock: Probe<'clock'> = async (assertion, machine, signal) => {
  const { synchronised, max_offset_ms: maxOffset, zone } = assertion;
  const is = zone === undefined ? undefined : zoneOf(machine);
  if (zone !== undefined && is !== undefined && is !== zone && !(universal.test(is) && universal.test(zone)))
    return fail(`its zone is ${is}, not ${zone}`);
  if (synchronised || maxOffset !== undefined) {
    const state = await stateOf(machine, signal);
    if (state === undefined) return unknown('neither chrony, ntpd nor systemd is here to say whether it is set');
    if (!state.synchronised) return fail('no time server sets it');
    if (maxOffset !== undefined) {
      if (state.offsetMs === undefined) return unknown('it is set, but who sets it does not say how far it is off');
      if (state.offsetMs > maxOffset)
        return fail(`it is ${Math.round(state.offsetMs)} ms off, of at most ${maxOffset}`);
    }
  }
  if (zone !== undefined && is === undefined) return unknown('this system does not tell its time zone');
  return pass(zone === undefined ? 'a time server sets it' : `its zone is ${is}`);
};

async function stateOf(machine: Machine, signal: AbortSignal): Promise<ClockState | undefined> {
  for (const { argv, parse } of sources) {
    if (signal.aborted) throw new Error('it did not answer in time');
    const ran = await runProgram(argv, machine, signal);
    const state = ran.code === 0 ? parse(ran.output) : undefined;
    if (state) return state;
  }
  return undefined;
}

/** localtime(5): a link into the zones; none is UTC. Debian keeps the name in a file, too, where it is a copy. */
function zoneOf({ files }: Machine): string | undefined {
  if (!files.exists('etc')) return undefined;
  try {
    const zone = /zoneinfo\/(?:posix\/|right\/)?(.+)$/.exec(readlinkSync(files.path('etc/localtime')))?.[1];
    if (zone) return zone;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'UTC';
  }
  return files.text('etc/timezone', 100)?.trim() || undefined;
}
