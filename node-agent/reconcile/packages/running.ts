/**
 * Runs commands of package managers, each in a process group of its own with no standard input. A `change` writes to a
 * file and not to a pipe, so that it goes on, and ends well, when the agent does not live to see its end.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, fstatSync, ftruncateSync, openSync, readdirSync, readSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { makeFolder } from '../../../shared/make-folder.ts';
import type { Command, Finished } from './provider.ts';
import type { RunCommand } from './talk.ts';

export interface RunningParts {
  /** For the output of changes; made where missing. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
}

/** An answer is read whole, up to here; of what only works, the last part is kept. */
const mostAnswer = 16 * 1024 * 1024;
const mostKept = 256 * 1024;
const longestLine = 8 * 1024;
const limitMs = { ask: 5 * 60_000, fetch: 2 * 3_600_000 };
/** Between TERM and KILL, and between the end of a command and of its pipes. */
const graceMs = 5_000;
const readEveryMs = 250;

/** What was read so far, and its lines. */
class Output {
  text = '';
  readonly #decoder = new StringDecoder();
  readonly #line: (line: string) => void;
  #rest = '';

  constructor(line: (line: string) => void) {
    this.#line = line;
  }

  add(chunk: Buffer, most: number): void {
    const piece = this.#decoder.write(chunk);
    this.text += piece;
    if (this.text.length > most * 1.5) this.text = this.text.slice(-most);
    const lines = (this.#rest + piece).split(/[\r\n]/);
    this.#rest = (lines.pop() ?? '').slice(-longestLine);
    for (const line of lines) this.#line(line.slice(0, longestLine));
  }
}

/** @returns how to run a command. Removes what an earlier agent's commands wrote. */
export function createRunning(parts: RunningParts): RunCommand {
  let serial = 0;
  const nameOf = (n: number) => `packages-${process.pid}-${n}.out`;
  let tidied = false;
  const tidy = () => {
    if (tidied) return;
    tidied = true;
    makeFolder(parts.folder);
    for (const name of readdirSync(parts.folder)) {
      if (/^packages-\d+-\d+\.out$/.test(name)) rmSync(join(parts.folder, name), { force: true });
    }
  };
  return (command, line, done) => {
    try {
      if (command.kind !== 'change') return runPiped(command, parts.env, line, done);
      tidy();
      return runToFile(command, parts.env, join(parts.folder, nameOf(serial++)), line, done);
    } catch (error) {
      setTimeout(done, 0, cannotStart(command, error));
      return { kill() {} };
    }
  };
}

const cannotStart = ({ argv }: Command, error: unknown): Finished => ({
  code: -1,
  out: '',
  err: `cannot run ${argv[0]} (${(error as NodeJS.ErrnoException).code ?? (error as Error).message})`,
});

const begin = ({ argv, status }: Command, env: RunningParts['env'], out: 'pipe' | number): ChildProcess =>
  spawn(argv[0] ?? '', argv.slice(1), {
    env: { ...env },
    cwd: '/',
    detached: true,
    stdio: ['ignore', out, out, ...(status ? [out] : [])],
  });

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal);
  } catch {}
}

function runPiped(
  command: Command,
  env: RunningParts['env'],
  line: (line: string) => void,
  done: (f: Finished) => void,
) {
  const child = begin(command, env, 'pipe');
  const most = command.kind === 'ask' ? mostAnswer : mostKept;
  const out = new Output(line);
  const err = new Output(line);
  let why = '';
  let over = false;
  let killing: NodeJS.Timeout | undefined;
  const finish = (code: number, said: string) => {
    if (over) return;
    over = true;
    clearTimeout(limit);
    clearTimeout(killing);
    child.stdout?.destroy();
    child.stderr?.destroy();
    child.stdio[3]?.destroy();
    done({ code: why === '' ? code : -1, out: out.text, err: why === '' ? said : why });
  };
  const kill = (reason: string) => {
    if (over || why !== '') return;
    why = reason;
    killGroup(child, 'SIGTERM');
    killing = setTimeout(killGroup, graceMs, child, 'SIGKILL');
  };
  const limit = setTimeout(
    kill,
    limitMs[command.kind === 'ask' ? 'ask' : 'fetch'],
    `${command.argv[0]} did not end in time`,
  );
  const hear = (output: Output) => (chunk: Buffer) => {
    output.add(chunk, most);
    if (command.kind === 'ask' && output.text.length > most) kill(`${command.argv[0]} said more than can be read`);
  };
  child.stdout?.on('data', hear(out));
  child.stderr?.on('data', hear(err));
  // Only its lines matter.
  child.stdio[3]?.on('data', hear(new Output(line)));
  child.once('error', error => finish(-1, cannotStart(command, error).err));
  const ended = (code: number | null, signal: string | null) =>
    finish(code ?? -1, code === null ? `${command.argv[0]} was ended by ${signal}` : err.text);
  child.once('close', ended);
  // Something that it left running may hold the pipes open for ever.
  child.once('exit', (code, signal) => {
    clearTimeout(killing);
    killing = setTimeout(ended, graceMs, code, signal);
  });
  return { kill: () => kill(`${command.argv[0]} was given up`) };
}

function runToFile(
  command: Command,
  env: RunningParts['env'],
  path: string,
  line: (line: string) => void,
  done: (f: Finished) => void,
) {
  // Appending, so that the file can be cut short below its writer.
  const file = openSync(path, 'ax+', 0o600);
  const output = new Output(line);
  const buffer = Buffer.allocUnsafe(64 * 1024);
  let at = 0;
  const read = () => {
    try {
      readOn();
    } catch {
      // What it says is lost then; how it ends is not.
    }
  };
  const readOn = () => {
    for (;;) {
      const got = readSync(file, buffer, 0, buffer.length, at);
      if (got === 0) break;
      at += got;
      output.add(buffer.subarray(0, got), mostKept);
    }
    if (fstatSync(file).size < mostAnswer) return;
    ftruncateSync(file, 0);
    at = 0;
  };
  const timer = setInterval(read, readEveryMs);
  let over = false;
  const finish = (code: number, err: string) => {
    if (over) return;
    over = true;
    clearInterval(timer);
    read();
    closeSync(file);
    rmSync(path, { force: true });
    done({ code, out: output.text, err });
  };
  try {
    const child = begin(command, env, file);
    child.once('error', error => finish(-1, cannotStart(command, error).err));
    child.once('exit', (code, signal) =>
      finish(code ?? -1, code === null ? `${command.argv[0]} was ended by ${signal}` : ''),
    );
  } catch (error) {
    setTimeout(finish, 0, -1, cannotStart(command, error).err);
  }
  // It ends by itself: a manager that is killed while it configures leaves a mess.
  return { kill() {} };
}
