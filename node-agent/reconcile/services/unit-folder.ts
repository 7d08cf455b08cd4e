/**
 * What the real host keeps on disk, so that the next agent finds what this one started:
 * ```
 * units/<unit>/unit.json   what was started, when, and in which boot of the machine
 * units/<unit>/output      stdout and stderr; output.1 the part before
 * runs/<unit>.run          written before the service starts, by the shim or for a primed one by the agent (shim.ts)
 * runs/<unit>.end          written by the shim after: the exit status
 * spare/<pid>-<n>          a unit to be, of the agent with that pid: `unit.json`, `output` and its `.run`, to be filled in
 * shim-<hash>.sh           the shims; a new version is a new file, as shells read scripts while they run them
 * ```
 * `runs` is flat so that one watch tells of every start and end.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { serviceNameSchema, serviceSchema } from '../../../shared/schemas/service.ts';
import type { Unit, UnitExit } from '../host.ts';
import { type ProcessStat, parseStat } from './processes.ts';
import { primedShim, shim, waitingShim } from './shim.ts';
import { SpareUnits } from './spare-units.ts';

const storedUnit = z.object({
  unit: z.string().regex(/^[0-9a-f]{32}$/),
  service: serviceNameSchema,
  spec: serviceSchema,
  restarts: z.number().int().nonnegative().optional(),
  marks: z.record(z.string(), z.string()).optional(),
  started_ms: z.number(),
  /** /proc/sys/kernel/random/boot_id at its start. */
  boot: z.string(),
  /** The cgroup made for it, where one could be made. */
  cgroup: z.string().startsWith('/').optional(),
  /** Those that limit it. */
  groups: z.array(z.string().startsWith('/')).optional(),
  /** What of its limits is not enforced. */
  note: z.string().optional(),
});
export type StoredUnit = z.output<typeof storedUnit>;
export type StartedAt = Pick<StoredUnit, 'started_ms' | 'boot' | 'cgroup' | 'groups' | 'note'>;
/** What may become other while it runs. */
export type StoredChange = Partial<Pick<StoredUnit, 'spec' | 'marks' | 'cgroup' | 'groups' | 'note'>>;

/** The record of a start: the service's own process as it was just before it became the service. */
export interface RunRecord {
  readonly boot: string;
  readonly main: ProcessStat;
}

export class UnitFolder {
  readonly path: string;
  readonly runs: string;
  readonly shim: string;
  readonly primedShim: string;
  readonly waitingShim: string;
  readonly units: string;
  readonly spares: SpareUnits;

  /** Makes the folder where needed. Throws with one sentence where it cannot be written. */
  constructor(folder: string) {
    const path = resolve(folder);
    this.path = path;
    this.units = join(path, 'units');
    this.runs = join(path, 'runs');
    const scriptPath = (text: string) =>
      join(path, `shim-${createHash('sha256').update(text).digest('hex').slice(0, 8)}.sh`);
    this.shim = scriptPath(shim);
    this.primedShim = scriptPath(primedShim);
    this.waitingShim = scriptPath(waitingShim);
    this.spares = new SpareUnits(join(path, 'spare'));
    try {
      mkdirSync(this.units, { recursive: true, mode: 0o700 });
      mkdirSync(this.runs, { recursive: true, mode: 0o700 });
      keepScript(this.shim, shim);
      keepScript(this.primedShim, primedShim);
      keepScript(this.waitingShim, waitingShim);
    } catch (error) {
      throw new Error(`services cannot be kept in ${path}: ${reason(error)}`);
    }
  }

  runFile(unit: string): string {
    return join(this.runs, `${unit}.run`);
  }

  endFile(unit: string): string {
    return join(this.runs, `${unit}.end`);
  }

  output(unit: string): string {
    return join(this.units, unit, 'output');
  }

  /** A container's environment. */
  environment(unit: string): string {
    return join(this.units, unit, 'env');
  }

  /** Throws what the file system throws. */
  create(unit: Unit, at: StartedAt): void {
    mkdirSync(join(this.units, unit.unit), { mode: 0o700 });
    writeFileSync(join(this.units, unit.unit, 'unit.json'), describe(unit, at), { mode: 0o600 });
  }

  /** The start record of a unit to be: `stat` is the /proc/PID/stat of the process that will become its service. */
  recordSpare(spare: string, boot: string, stat: string): void {
    writeFileSync(join(spare, 'run'), `${boot} ${stat.trimEnd()}\n`);
  }

  /** The same out of a spare one with its record. Throws what the file system throws. */
  createFrom(spare: string, unit: Unit, at: StartedAt): void {
    // Files that are there already: on ext4 a new one costs five times as much as writing and renaming.
    writeFileSync(join(spare, 'unit.json'), describe(unit, at));
    const path = join(this.units, unit.unit);
    this.spares.use(spare, path);
    renameSync(join(path, 'run'), this.runFile(unit.unit));
  }

  /** Rewrites the description of a unit. Throws what the file system throws. */
  change(unit: string, change: StoredChange): void {
    const stored = this.#read(unit);
    if (!stored) return;
    const path = join(this.units, unit, 'unit.json');
    writeFileSync(`${path}.new`, JSON.stringify({ ...stored, ...change }), { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }

  /** Every unit there is a readable description of, and the names of those without. */
  list(): { units: StoredUnit[]; broken: string[] } {
    const units: StoredUnit[] = [];
    const broken: string[] = [];
    for (const name of readdirSync(this.units)) {
      const unit = this.#read(name);
      if (unit) units.push(unit);
      else broken.push(name);
    }
    return { units, broken };
  }

  #read(name: string): StoredUnit | undefined {
    try {
      const parsed = storedUnit.safeParse(JSON.parse(readFileSync(join(this.units, name, 'unit.json'), 'utf8')));
      return parsed.success && parsed.data.unit === name ? parsed.data : undefined;
    } catch {
      return undefined;
    }
  }

  /** The start record, undefined while there is none or it is not complete. */
  run(unit: string): RunRecord | undefined {
    const text = readLine(this.runFile(unit));
    if (text === undefined) return undefined;
    const blank = text.indexOf(' ');
    const main = parseStat(text.slice(blank + 1));
    return main && { boot: text.slice(0, blank), main };
  }

  /** How it ended, undefined while it is not known to have. */
  end(unit: string): UnitExit | undefined {
    const text = readLine(this.endFile(unit));
    return text !== undefined && /^\d{1,3}$/.test(text) ? exitFromStatus(Number(text)) : undefined;
  }

  remove(unit: string): void {
    rmSync(this.runFile(unit), { force: true });
    rmSync(this.endFile(unit), { force: true });
    rmSync(join(this.units, unit), { recursive: true, force: true });
  }
}

const describe = ({ unit, service, spec, restarts, marks }: Unit, at: StartedAt): string =>
  JSON.stringify({ unit, service, spec, restarts, marks, ...at });

function keepScript(path: string, text: string): void {
  if (existsSync(path)) return;
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** A line is complete when its newline is there: the shim writes it with one call. */
function readLine(path: string): string | undefined {
  try {
    const text = readFileSync(path, 'utf8');
    return text.endsWith('\n') ? text.slice(0, -1) : undefined;
  } catch {
    return undefined;
  }
}

const signalNames = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name.slice(3)]));

/** A shell's `$?`: 128 + n is signal n (POSIX.1-2017, XCU 2.8.2); a service that exits with such a code looks the same. */
export function exitFromStatus(status: number): UnitExit {
  if (status <= 128 || status > 128 + 64) return { code: status };
  return { signal: signalNames.get(status - 128) ?? String(status - 128) };
}

/** What went wrong with a file, for people, without Node's `ENOENT: …, open '…'`. */
export function reason(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
  const known: Record<string, string> = {
    ENOENT: 'it does not exist',
    ENOTDIR: 'it is no folder',
    EACCES: 'no permission',
    EPERM: 'no permission',
    ENOSPC: 'the disk is full',
    EROFS: 'the disk is read-only',
    EMFILE: 'too many open files',
    EAGAIN: 'too many processes',
    ENOMEM: 'not enough memory',
    E2BIG: 'the command and its environment are too long',
  };
  return (code && known[code]) ?? (error instanceof Error ? error.message : String(error));
}
