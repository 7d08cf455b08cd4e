/** One shim that was started ahead of its use (shim.ts), from the agent's side. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Service } from '../../../shared/schemas/service.ts';
import type { Unit } from '../host.ts';
import { commandOf, home, inherited } from './launch.ts';
import { lowerPriority } from './priority.ts';
import { type ProcessStat, parseStat, readProcess } from './processes.ts';
import { simpleCommand } from './simple-command.ts';
import { cannotStart, checkMachine, type ShimHandlers, type SpawnedShim } from './spawning.ts';
import type { StartedAt, UnitFolder } from './unit-folder.ts';

/** Shells read a socket byte by byte: above this it is no quicker than starting one. */
const longestTold = 2048;
/** More than this is no /proc/PID/stat. */
const longestStat = 4096;
/** Other bytes mean something inside one shell or another (dash: 0x81 to 0x88; bash: 0x01, 0x7f). */
const plain = /^[\t\n\x20-\x7e]*$/;

export class PrimedShim {
  readonly #folder: UnitFolder;
  readonly #shell: string;
  /** Becomes the unit's folder. */
  readonly #spare: string;
  readonly #child: ChildProcess;
  readonly #pid: number;
  readonly #tell: Socket;
  /** The process that will become a service; undefined until it has said so. */
  #main: ProcessStat | undefined;

  /**
   * Throws where the machine refuses. Nothing of it keeps the agent alive, and an agent that dies takes it along.
   * @param gone called when it cannot be used any more, without having been told anything.
   */
  constructor(folder: UnitFolder, boot: string, shell: string, gone: () => void) {
    this.#folder = folder;
    this.#shell = shell;
    this.#spare = folder.spares.make();
    const { primedShim, waitingShim, runs } = folder;
    this.#child = spawn(shell, [primedShim, shell, waitingShim, home, runs], {
      cwd: this.#spare,
      env: inherited,
      detached: true,
      stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    });
    this.#child.once('error', gone);
    this.#child.once('exit', gone);
    if (this.#child.pid === undefined) {
      folder.spares.remove(this.#spare);
      throw new Error('no shim could be started');
    }
    this.#pid = this.#child.pid;
    this.#tell = this.#child.stdio[3] as Socket;
    this.#child.unref();
    // What goes wrong here shows in the process that is gone.
    this.#tell.on('error', () => {});
    this.#tell.unref();
    this.#hear(boot, gone);
  }

  /** Whether it waits to be told. */
  get ready(): boolean {
    return this.#main !== undefined;
  }

  /** Whether it could be told: somebody else may have ended it, or its parent. */
  get there(): boolean {
    const main = this.#main;
    const now = main && readProcess(main.pid);
    // The child of a process that ends gets another parent at once.
    return main !== undefined && now?.start === main.start && now.parent === this.#pid;
  }

  /**
   * Becomes the unit, and is of no other use then. `unusable`: it cannot do that, or is not there any more, and nothing
   * was done; undefined: the unit cannot be started at all, and `failed` has been told.
   */
  become(unit: Unit, at: StartedAt, handlers: ShimHandlers): SpawnedShim | 'unusable' | undefined {
    const words = tellable(unit, this.#shell);
    if (words === undefined || !this.there) return 'unusable';
    try {
      checkMachine(unit.spec);
      this.#folder.createFrom(this.#spare, unit, at);
    } catch (error) {
      handlers.failed(cannotStart(error));
      this.close();
      return undefined;
    }
    this.#child.removeAllListeners();
    this.#child.once('exit', handlers.ended);
    this.#child.ref();
    this.#tell.write(words, () => this.#tell.destroy());
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
    this.#folder.spares.remove(this.#spare);
  }

  #hear(boot: string, gone: () => void): void {
    let said = '';
    this.#tell.on('data', chunk => {
      if (this.#main || said.length > longestStat) return;
      said += chunk.toString('latin1');
      const stat = said.endsWith('\n') ? parseStat(said) : undefined;
      if (stat?.parent !== this.#pid || stat.session !== this.#pid) return;
      try {
        this.#folder.recordSpare(this.#spare, boot, said);
      } catch {
        // The disk is full.
        this.close();
        gone();
        return;
      }
      this.#main = stat;
      lowerPriority(this.#pid);
      lowerPriority(stat.pid);
    });
  }
}

/** The words of shim.ts, or undefined where the unit cannot be put into them. */
export function tellable({ unit, service, spec }: Unit, shell: string): string | undefined {
  if (!/^[0-9a-f]{32}$/.test(unit) || service.includes('\n') || !isPlain(spec)) return undefined;
  const folder = spec.cwd === undefined ? [] : linesOf('=', spec.cwd);
  const simple = typeof spec.run === 'string' ? simpleCommand(spec.run) : undefined;
  const command = simple ? linesOf('!', simple) : commandOf(spec, shell).flatMap(argument => linesOf('+', argument));
  const words = [unit, service, ...folder, ...command, '.', ''].join('\n');
  return words.length <= longestTold && plain.test(words) ? words : undefined;
}

/**
 * No environment, as a shell keeps some names for itself, and PATH changes what it finds; and nothing that has to be done
 * before it becomes itself.
 */
const isPlain = ({ env, limits, user, image }: Service): boolean =>
  Object.keys(env ?? {}).length === 0 && limits === undefined && user === undefined && image === undefined;

function linesOf(mark: '=' | '+' | '!', text: string): string[] {
  const lines = text.split('\n');
  return lines.map((line, index) => (index < lines.length - 1 ? `-${line}` : `${mark}${line}`));
}
