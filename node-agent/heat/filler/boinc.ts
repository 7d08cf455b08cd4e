/**
 * BOINC as the filler, by its own command: its client is told to work for as long as a lease, again and again, and never
 * to do so by itself meanwhile (`boinccmd --set_run_mode MODE [SECONDS]`: after the seconds the mode of before holds). How
 * its owner had it is kept in `mode` in its folder and given back; what he has paused, before or meanwhile, is left alone.
 */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Clock } from '../../../shared/clock.ts';
import { makeFolder } from '../../../shared/make-folder.ts';
import type { Filler } from '../../../shared/schemas/room.ts';
import { Cgroups } from '../../reconcile/services/cgroup.ts';
import { hierarchiesOf } from '../../reconcile/services/hierarchies.ts';
import { listProcesses, type ProcessStat, processMs } from '../../reconcile/services/processes.ts';
import { findProgram } from '../../reconcile/services/programs.ts';
import type { HeatGroups } from '../groups.ts';
import { type RunMode, runModeOf } from './boinc-status.ts';
import type { FillerRun } from './filler.ts';

export type BoincSpec = Extract<Filler, { readonly boinc: unknown }>['boinc'];

export interface BoincParts {
  readonly folder: string;
  readonly groups: HeatGroups;
  readonly clock: Clock;
  /** Folders with programs, as in PATH. */
  readonly path: string;
}

/** As long as a lease. */
const grantS = 45;
const renewMs = 15_000;
/** What was told so long ago holds: less than what is left of a lease when it is renewed. */
const surelyMs = 25_000;
/** It starts and stops whole programs: no sooner again than after this. */
const pauseMs = 20_000;
const retryMs = 10_000;
const lookMs = 5000;
const askMs = 8000;
/** boinccmd(1) reads the password from this file in the folder that it runs in; Debian's client has it there. */
const passwordName = 'gui_rpc_auth.cfg';
const usual = ['/var/lib/boinc-client', '/var/lib/boinc', '/etc/boinc-client'];
const clientNames = new Set(['boinc', 'boinc_client', 'boinc-client']);

interface Call {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
}

export class BoincFiller implements FillerRun {
  readonly #parts: BoincParts;
  readonly #spec: BoincSpec;
  #cores = 0;
  /** What was said last, and when. */
  #told: { readonly mode: string; readonly at: number; readonly wall: number } | undefined;
  /** Its owner has paused it until then. */
  #snoozedTo = Number.NEGATIVE_INFINITY;
  /** Its owner's mode, to be given back; undefined: it is not in these hands. */
  #owner: RunMode['perm'] | undefined;
  #pausedAt = Number.NEGATIVE_INFINITY;
  #failedAt = Number.NEGATIVE_INFINITY;
  /** An answer of boinccmd is awaited. */
  asking = false;
  #error = '';
  #ending: (() => void) | undefined;
  #closed = false;
  #members: readonly ProcessStat[] = [];
  #membersAt = Number.NEGATIVE_INFINITY;
  readonly #spent = new Map<string, number>();
  /** Number -> the groups that it was in before. */
  readonly #joined = new Map<number, readonly string[]>();

  constructor(parts: BoincParts, spec: BoincSpec) {
    this.#parts = parts;
    this.#spec = spec;
    makeFolder(parts.folder);
    const kept = read(this.#kept);
    this.#owner = kept === 'auto' || kept === 'always' ? kept : undefined;
  }

  get #kept(): string {
    return join(this.#parts.folder, 'mode');
  }

  get error(): string {
    return this.#error;
  }

  set(cores: number): void {
    this.#cores = cores;
    this.#next();
    if (this.#spec.host === undefined) this.#dim();
  }

  usedMs(): number | undefined {
    if (this.#spec.host !== undefined) return undefined;
    for (const { pid, start } of this.#members) {
      const ms = processMs(pid);
      if (ms !== undefined) this.#spent.set(`${pid} ${start}`, ms);
    }
    return [...this.#spent.values()].reduce((sum, each) => sum + each, 0);
  }

  /** Its own end of the seconds is on the wall clock: the watchdog says it once more. */
  held(): readonly string[] {
    const call = this.#owner && this.#call('--set_run_mode', 'never');
    if (!call) return [];
    const path = join(this.#parts.folder, 'never.sh');
    const words = [call.program, ...call.args].map(word => `'${word.replaceAll("'", "'\\''")}'`);
    const text = `cd '${call.cwd.replaceAll("'", "'\\''")}' && ${words.join(' ')}\n`;
    if (read(path) !== text) writeFileSync(path, text, { mode: 0o600 });
    return [`sh - ${path}`];
  }

  end(done: () => void): void {
    this.#ending = done;
    this.#next();
  }

  close(): void {
    this.#closed = true;
  }

  #next(): void {
    if (this.asking || this.#closed) return;
    const now = this.#parts.clock.now();
    if (this.#ending) {
      this.#release(this.#ending);
      return;
    }
    if (now - this.#failedAt < retryMs || now < this.#snoozedTo) return;
    const mode = this.#told?.mode;
    if (this.#owner === undefined) this.#look();
    else if (this.#cores <= 0) {
      if (mode !== 'never') this.#pausedAt = now;
      if (mode !== 'never') this.#ask('never');
    } else if (mode === undefined) {
      // What holds after the seconds.
      this.#ask('never');
    } else if (mode === 'always') {
      if (now - (this.#told?.at ?? 0) >= renewMs) this.#look();
    } else if (now - this.#pausedAt >= pauseMs) this.#ask('always', grantS);
  }

  /** As its owner had it. */
  #release(done: () => void): void {
    const cgroups = new Cgroups(undefined);
    for (const [pid, from] of this.#joined) for (const each of from) cgroups.hold(each, pid, () => {});
    this.#joined.clear();
    const owner = this.#owner;
    if (owner === undefined) done();
    else {
      this.#ask(owner, undefined, () => {
        this.#own(undefined);
        done();
      });
    }
  }

  #own(mode: RunMode['perm'] | undefined): void {
    if (mode === this.#owner) return;
    this.#owner = mode;
    if (mode === undefined) rmSync(this.#kept, { force: true });
    else writeFileSync(this.#kept, mode, { mode: 0o600 });
  }

  /** How it stands, before it is taken, and each time before it is told to go on: what its owner has paused is left alone. */
  #look(): void {
    this.#run(this.#call('--get_cc_status'), out => {
      const { current, perm, forS } = runModeOf(out);
      const mine = this.#owner !== undefined;
      if (current === 'never' && (!mine || this.#justTold())) {
        if (mine && forS > 0) this.#snoozedTo = this.#parts.clock.now() + forS * 1000;
        else this.#own(undefined);
        this.#told = undefined;
        this.#failed('BOINC is paused by its owner, and left alone: resume it there, or boinccmd --set_run_mode auto');
        return;
      }
      if (!mine || perm !== 'never') this.#own(perm === 'never' ? 'auto' : perm);
      if (mine && perm === 'never') this.#ask('always', grantS);
      else this.#ask('never');
    });
  }

  /** Its seconds cannot be over, nor can the watchdog have paused it: whoever did was somebody else. */
  #justTold(): boolean {
    const { at = Number.NEGATIVE_INFINITY, wall = 0 } = this.#told ?? {};
    const { clock } = this.#parts;
    return clock.now() - at < surelyMs && Math.abs(clock.wall() - wall) < surelyMs;
  }

  #ask(mode: string, seconds?: number, over?: () => void): void {
    const words = ['--set_run_mode', mode, ...(seconds === undefined ? [] : [String(seconds)])];
    const told = () => {
      this.#told = { mode, at: this.#parts.clock.now(), wall: this.#parts.clock.wall() };
      this.#error = '';
    };
    this.#run(this.#call(...words), told, over);
  }

  #run(call: Call | undefined, said: (out: string) => void, over?: () => void): void {
    if (!call) {
      this.#failed('there is no boinccmd on this machine: install it (Debian: boinc-client)');
      over?.();
      return;
    }
    this.asking = true;
    const { program, args, cwd } = call;
    execFile(program, args, { cwd, timeout: askMs, killSignal: 'SIGKILL', maxBuffer: 65_536 }, (error, out, err) => {
      this.asking = false;
      if (error)
        this.#failed(`boinccmd: ${(String(err).trim() || String(out).trim() || error.message).split('\n')[0]}`);
      else said(String(out));
      if (over) over();
      else if (!error || this.#ending) this.#next();
    });
  }

  #failed(why: string): void {
    this.#failedAt = this.#parts.clock.now();
    this.#error = why.slice(0, 300);
  }

  #call(...words: readonly string[]): Call | undefined {
    const program = findProgram('boinccmd', this.#parts.path);
    if (program === undefined) return undefined;
    const { host } = this.#spec;
    const args = [...(host === undefined ? [] : ['--host', host]), ...words];
    return { program, args, cwd: this.#passwordFolder() };
  }

  /** A password on a command line could be read by anybody on the machine: it is found by its file's folder. */
  #passwordFolder(): string {
    const { password_file: file } = this.#spec;
    if (file === undefined) return usual.find(each => existsSync(join(each, passwordName))) ?? this.#parts.folder;
    if (basename(file) === passwordName) return dirname(file);
    const link = join(this.#parts.folder, passwordName);
    rmSync(link, { force: true });
    symlinkSync(file, link);
    return this.#parts.folder;
  }

  /** The client's processes go into the groups of version 1 that have a quota; systemd keeps them by others. */
  #dim(): void {
    const now = this.#parts.clock.now();
    if (now - this.#membersAt < lookMs) return;
    this.#membersAt = now;
    this.#members = clientProcesses(listProcesses());
    const { groups } = this.#parts;
    const cgroups = new Cgroups(undefined);
    for (const { pid } of this.#members) {
      if (this.#joined.has(pid)) continue;
      const into = groups.folders('filler').filter(folder => folder !== groups.second('filler'));
      this.#joined.set(
        pid,
        groupsOf(pid).filter(own => into.some(folder => own.startsWith(topOf(folder)))),
      );
      for (const folder of into) cgroups.hold(folder, pid, () => {});
    }
    for (const pid of this.#joined.keys()) if (!this.#members.some(each => each.pid === pid)) this.#joined.delete(pid);
  }
}

/** `/sys/fs/cgroup/cpu/` of a folder below it. */
const topOf = (folder: string): string => `${folder.split('/').slice(0, 5).join('/')}/`;

/** The groups that a process is in, as folders. */
function groupsOf(pid: number): readonly string[] {
  const [mounts, own] = [read('/proc/self/mountinfo'), read(`/proc/${pid}/cgroup`)];
  if (mounts === undefined || own === undefined) return [];
  return hierarchiesOf(mounts, own).map(each => (each.own.endsWith('/') ? each.own : `${each.own}/`));
}

/** The client and all that it started. */
export function clientProcesses(all: readonly ProcessStat[]): readonly ProcessStat[] {
  const found = new Map(all.filter(({ name }) => clientNames.has(name)).map(each => [each.pid, each]));
  for (let before = -1; before !== found.size; ) {
    before = found.size;
    for (const each of all) if (found.has(each.parent)) found.set(each.pid, each);
  }
  return [...found.values()];
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
