/** One shim that was started ahead of its use (shim.ts), from the agent's side. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { Service } from '../../../shared/schemas/service.ts';
import type { Unit } from '../host.ts';
import { lowerPriority } from './priority.ts';
import { type ProcessStat, parseStat, readProcess } from './processes.ts';
import {
  cannotStart,
  commandOf,
  home,
  inherited,
  prepare,
  type ShimHandlers,
  type SpawnedShim,
  type StartedAt,
} from './spawning.ts';
import type { UnitFolder } from './unit-folder.ts';

/** Shells read a socket byte by byte: above this it is no quicker than starting one. */
const longestTold = 2048;
/** More than this is no /proc/PID/stat. */
const longestStat = 4096;
/** Other bytes mean something inside one shell or another (dash: 0x81 to 0x88; bash: 0x01, 0x7f). */
const plain = /^[\t\n\x20-\x7e]*$/;

export class PrimedShim {
  readonly #folder: UnitFolder;
  readonly #shell: string;
  readonly #child: ChildProcess;
  readonly #pid: number;
  readonly #tell: Socket;
  readonly #end: Socket;
  /** The process that will become a service; undefined until it has said so. */
  #main: ProcessStat | undefined;

  /**
   * Throws where the machine refuses. Nothing of it keeps the agent alive, and an agent that dies takes it along.
   * @param gone called when it cannot be used any more, without having been told anything.
   */
  constructor(folder: UnitFolder, shell: string, gone: () => void) {
    this.#folder = folder;
    this.#shell = shell;
    this.#child = spawn(shell, [folder.primedShim, folder.runs, folder.units], {
      cwd: home,
      env: inherited,
      detached: true,
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    });
    this.#child.once('error', gone);
    this.#child.once('exit', gone);
    if (this.#child.pid === undefined) throw new Error('no shell could be started');
    this.#pid = this.#child.pid;
    [this.#tell, this.#end] = this.#child.stdio.slice(3) as [Socket, Socket];
    this.#child.unref();
    for (const socket of [this.#tell, this.#end]) {
      // What goes wrong here shows in the process that is gone.
      socket.on('error', () => {});
      socket.unref();
    }
    this.#hear();
  }

  /** Whether it waits to be told. */
  get ready(): boolean {
    return this.#main !== undefined;
  }

  /** Whether it could be told: somebody else may have ended it. */
  get there(): boolean {
    return this.#stillThere() !== undefined;
  }

  /**
   * Becomes the unit, and is of no other use then. `unusable`: it cannot do that, or is not there any more, and nothing
   * was done; undefined: the unit cannot be started at all, and `failed` has been told.
   */
  become(unit: Unit, at: StartedAt, handlers: ShimHandlers): SpawnedShim | 'unusable' | undefined {
    const words = tellable(unit, this.#shell);
    const stat = this.#stillThere();
    if (words === undefined || stat === undefined) return 'unusable';
    try {
      closeSync(prepare(this.#folder, unit, at));
      this.#folder.recordRun(unit.unit, at.boot, stat);
    } catch (error) {
      handlers.failed(cannotStart(error));
      this.close();
      return undefined;
    }
    this.#child.removeAllListeners();
    this.#child.once('exit', handlers.ended);
    this.#child.ref();
    // First whose end to wait for: a service whose end nobody would tell must not start.
    sayAndHangUp(this.#end, `${unit.unit}\n`);
    sayAndHangUp(this.#tell, words);
    return {
      pid: this.#pid,
      letGo: () => {
        this.#child.removeAllListeners();
        this.#child.unref();
      },
    };
  }

  /** It ends by itself, having nobody to wait for. */
  close(): void {
    this.#child.removeAllListeners();
    this.#main = undefined;
    this.#tell.destroy();
    this.#end.destroy();
  }

  /** The line of /proc/PID/stat of the process that will be the service; undefined where it or its parent has ended. */
  #stillThere(): string | undefined {
    const main = this.#main;
    if (!main || !readProcess(this.#pid)) return undefined;
    try {
      const text = readFileSync(`/proc/${main.pid}/stat`, 'utf8');
      const now = parseStat(text);
      const same = now?.start === main.start && now.parent === this.#pid && now.state !== 'Z';
      return same ? text : undefined;
    } catch {
      return undefined;
    }
  }

  #hear(): void {
    let said = '';
    this.#tell.on('data', chunk => {
      if (this.#main || said.length > longestStat) return;
      said += chunk.toString('latin1');
      const stat = said.endsWith('\n') ? parseStat(said) : undefined;
      if (stat?.parent !== this.#pid || stat.session !== this.#pid) return;
      this.#main = stat;
      lowerPriority(this.#pid);
      lowerPriority(stat.pid);
    });
  }
}

function sayAndHangUp(socket: Socket, text: string): void {
  socket.once('finish', () => socket.destroy());
  socket.end(text);
}

/** The words of shim.ts, or undefined where the unit cannot be put into them. */
export function tellable({ unit, service, spec }: Unit, shell: string): string | undefined {
  if (!/^[0-9a-f]{32}$/.test(unit) || service.includes('\n') || hasEnvironment(spec)) return undefined;
  const folder = spec.cwd === undefined ? [] : linesOf('=', spec.cwd);
  const command = commandOf(spec, shell).flatMap(argument => linesOf('+', argument));
  const words = [unit, service, ...folder, ...command, '.', ''].join('\n');
  return words.length <= longestTold && plain.test(words) ? words : undefined;
}

/** A shell keeps some names for itself, and PATH changes what it finds. */
const hasEnvironment = (spec: Service): boolean => Object.keys(spec.env ?? {}).length > 0;

function linesOf(mark: '=' | '+', text: string): string[] {
  const lines = text.split('\n');
  return lines.map((line, index) => (index < lines.length - 1 ? `-${line}` : `${mark}${line}`));
}
