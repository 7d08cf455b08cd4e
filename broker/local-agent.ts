/**
 * The local node: an agent process with a folder of its own, below this one. It ends when this process does (its stdin
 * closes, however this one died); its services stay. When it crashes alone it is started again, with backoff; one that
 * ends with exit code 0 was told to end (forgotten, or by TERM), and stays ended until the next start of the supervisor.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Clock, Random, Timer } from '../shared/clock.ts';
import { fullJitter } from '../shared/clock.ts';
import type { Log } from '../shared/log.ts';
import { printable } from '../shared/names.ts';
import { openLogFile } from './log-file.ts';

export interface LocalAgentOptions {
  /** Program and arguments, whole. */
  readonly command: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly umask: number;
  readonly logFile: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface LocalAgent {
  /** TERM, and KILL after `limitMs`. Resolves when it is gone. */
  stop(limitMs: number): Promise<void>;
  /** Now, at any price. */
  kill(): void;
}

const firstBackoffMs = 500;
const mostBackoffMs = 30_000;
/** An agent that ran this long was well: the backoff begins anew. */
const steadyMs = 60_000;

export function startLocalAgent(options: LocalAgentOptions): LocalAgent {
  const { clock, random, log } = options;
  const out = openLogFile(options.logFile, { maxBytes: 1024 * 1024, maxWaiting: 256 * 1024 });
  let child: ChildProcess | undefined;
  let attempt = 0;
  let timer: Timer | undefined;
  let stopping = false;

  const launch = () => {
    const started = clock.now();
    const [program = process.execPath, ...args] = options.command;
    // A process group of its own: Ctrl-C in the terminal reaches the supervisor, which then ends the agent in order.
    const own = process.umask(options.umask);
    const current = spawn(program, args, { env: options.env, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    process.umask(own);
    child = current;
    let last = '';
    current.stdin?.on('error', () => {});
    for (const stream of [current.stdout, current.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        const text = chunk.toString();
        last = `${last}${text}`.slice(-2000);
        out.write(text);
      });
    }
    let over = false;
    const ended = (how: string, wanted = false) => {
      if (over) return;
      over = true;
      child = undefined;
      if (stopping) return;
      if (wanted) {
        log.warn({}, 'the local agent was told to end, and stays so until the next start');
        return;
      }
      if (clock.now() - started > steadyMs) attempt = 0;
      const ms = 100 + fullJitter(attempt++, firstBackoffMs, mostBackoffMs, random);
      const why = last.trim().split('\n').at(-1) ?? '';
      log.warn({ how, again_ms: Math.round(ms) }, `the local agent ended (${how})${why && `: ${printable(why, 300)}`}`);
      timer = clock.after(ms, launch);
    };
    current.once('error', error => ended(error.message));
    current.once('exit', (code, signal) => ended(signal ?? `exit code ${code}`, code === 0));
  };
  launch();

  return {
    async stop(limitMs) {
      stopping = true;
      timer?.cancel();
      const current = child;
      if (current) {
        await new Promise<void>(resolve => {
          const kill = clock.after(limitMs, () => {
            log.warn({ limitMs }, 'the local agent did not end in time and was killed');
            current.kill('SIGKILL');
          });
          const gone = () => {
            kill.cancel();
            resolve();
          };
          current.once('exit', gone);
          current.once('error', gone);
          current.kill('SIGTERM');
        });
      }
      out.close();
    },
    kill() {
      stopping = true;
      timer?.cancel();
      child?.kill('SIGKILL');
    },
  };
}
