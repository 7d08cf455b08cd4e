/** One look at a service from outside: an address, a port, a command. Each ends in time, and leaves nothing behind. */
import { spawn } from 'node:child_process';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { printable } from '../../../shared/names.ts';
import type { Health } from '../../../shared/schemas/service-life.ts';
import type { Launch } from './launch.ts';
import { lowerPriority } from './priority.ts';

/** `done` once, later, and not when cancelled: nothing, or one sentence what is wrong. */
export type Done = (error?: string) => void;
export interface Probe {
  cancel(): void;
}

/** Of an answer, as much is looked through. */
const bodyBytes = 64 * 1024;
/** Of a command's output, as much is kept for its last line. */
const outputBytes = 2048;
/** Between the end of a command and that of its output: somebody may still hold it open. */
const drainMs = 200;

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there',
  ECONNRESET: 'the connection was cut',
  EHOSTUNREACH: 'there is no way to that host',
  ENETUNREACH: 'there is no way to that network',
  ENOTFOUND: 'there is no such host',
  EAI_AGAIN: 'names cannot be looked up',
  ENOENT: 'there is no such program',
  EACCES: 'no permission',
};
const why = (error: unknown): string => {
  const { code, message } = error as NodeJS.ErrnoException;
  return reasons[code ?? ''] ?? printable(message, 160);
};
const late = (timeoutMs: number): string => `no answer in ${timeoutMs / 1000} s`;

/** Answers at most once, and cleans up before it does. */
class Answer {
  readonly #done: Done;
  readonly #cleanUp: () => void;
  readonly #timer: NodeJS.Timeout;
  #over = false;

  constructor(timeoutMs: number, said: string, cleanUp: () => void, done: Done) {
    this.#done = done;
    this.#cleanUp = cleanUp;
    this.#timer = setTimeout(() => this.give(said), timeoutMs);
  }

  get over(): boolean {
    return this.#over;
  }

  give(error?: string): void {
    if (this.#over) return;
    this.cancel();
    setImmediate(this.#done, error);
  }

  cancel(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    this.#cleanUp();
  }
}

export function askPort(tcp: NonNullable<Health['tcp']>, timeoutMs: number, done: Done): Probe {
  const { host, port } = placeOf(tcp);
  const name = printable(`${host}:${port}`, 100);
  const socket = connect({ host, port });
  const answer = new Answer(timeoutMs, `${name}: ${late(timeoutMs)}`, () => socket.destroy(), done);
  socket.on('error', error => answer.give(`${name}: ${why(error)}`));
  socket.on('connect', () => answer.give());
  return answer;
}

/** `5432`, `HOST:PORT`, `[ADDRESS]:PORT`, or an object. */
export function placeOf(tcp: NonNullable<Health['tcp']>): { readonly host: string; readonly port: number } {
  const here = '127.0.0.1';
  if (typeof tcp === 'number') return { host: here, port: tcp };
  if (typeof tcp === 'object') return { host: tcp.host ?? here, port: tcp.port };
  const colon = tcp.lastIndexOf(':');
  const host = tcp.slice(0, Math.max(0, colon)).replace(/^\[|\]$/g, '');
  return { host: host === '' ? here : host, port: Number(tcp.slice(colon + 1)) };
}

export function askAddress(http: NonNullable<Health['http']>, timeoutMs: number, done: Done): Probe {
  const { url, status, contains } = typeof http === 'string' ? { url: http } : http;
  const { protocol, origin, pathname } = new URL(url);
  // A query may hold what is not for everybody.
  const name = printable(`${origin}${pathname}`, 120);
  let clean = () => {};
  const answer = new Answer(timeoutMs, `${name}: ${late(timeoutMs)}`, () => clean(), done);
  const judge = (response: IncomingMessage) => {
    const { statusCode = 0 } = response;
    const good = status === undefined ? statusCode >= 200 && statusCode < 400 : statusCode === status;
    if (!good) answer.give(`${name} answered ${statusCode}`);
    else if (contains === undefined) answer.give();
    else {
      const missing = `the answer of ${name} does not have "${printable(contains, 60)}"`;
      const wanted = Buffer.from(contains);
      let body = Buffer.alloc(0);
      response.on('data', (chunk: Buffer) => {
        body = Buffer.concat([body, chunk.subarray(0, bodyBytes - body.length)]);
        if (body.includes(wanted)) answer.give();
        else if (body.length >= bodyBytes) answer.give(missing);
      });
      response.on('end', () => answer.give(missing));
      response.on('error', error => answer.give(`${name}: ${why(error)}`));
    }
  };
  // Most nodes never ask for an address.
  const library = protocol === 'https:' ? import('node:https') : import('node:http');
  library.then(({ request }) => {
    if (answer.over) return;
    const asked = request(url, { agent: false, headers: { 'user-agent': 'hearth-agent', connection: 'close' } }, judge);
    clean = () => asked.destroy();
    asked.on('error', error => answer.give(`${name}: ${why(error)}`));
    asked.end();
  });
  return answer;
}

/** Well when it ends with exit code 0. @param hide takes out of a line what nobody is to read. */
export function runCommand(launch: Launch, timeoutMs: number, hide: (line: string) => string, done: Done): Probe {
  const [file = '', ...args] = launch.command;
  const child = spawn(file, args, {
    cwd: launch.cwd,
    env: launch.environment,
    // A process group of its own, to be ended whole.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { pid } = child;
  if (pid !== undefined) lowerPriority(pid);
  let output = '';
  const keep = (chunk: Buffer) => {
    output = (output + chunk.toString('latin1')).slice(-outputBytes);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const clean = () => {
    // While its leader is not asked about, the number of the group is nobody else's.
    if (pid !== undefined && child.exitCode === null && child.signalCode === null) endGroup(pid);
    child.stdout.destroy();
    child.stderr.destroy();
  };
  const answer = new Answer(
    timeoutMs,
    `it had not ended after ${Number((timeoutMs / 1000).toFixed(1))} s`,
    clean,
    done,
  );
  child.on('error', error => answer.give(`cannot be run: ${why(error)}`));
  let drained: NodeJS.Timeout | undefined;
  const judge = (code: number | null, signal: NodeJS.Signals | null) => {
    clearTimeout(drained);
    if (code === 0) answer.give();
    else answer.give(`${code === null ? `killed by ${signal?.slice(3)}` : `exit ${code}`}${said()}`);
  };
  const said = () => {
    const line = Buffer.from(output, 'latin1').toString().trimEnd().split('\n').at(-1) ?? '';
    return line === '' ? '' : `; last line: ${printable(hide(line), 160)}`;
  };
  child.on('exit', (code, signal) => {
    // What it left in its group holds the output open, and is not wanted any more.
    if (pid !== undefined) endGroup(pid);
    drained = setTimeout(() => judge(code, signal), drainMs);
  });
  child.on('close', judge);
  return answer;
}

function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody is left.
  }
}
