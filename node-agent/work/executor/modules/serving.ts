/**
 * The program of a worker process. It is sent as text ({@link workerProgram}), because inline code runs where no file may be
 * read: so each function here stands by itself, and uses nothing but its parameters, what it defines and the language.
 */
import type { PluginContext } from '../../../../shared/jobs/plugin.ts';
import { confine } from './confine.ts';
import type { Answer, Order, Setup, TaskLine } from './wire.ts';

type Run = (data: unknown, ctx: PluginContext) => unknown;
/** Makes the process ready for the setup, and gives back how its function is loaded. */
export type Prepare = (need: NodeJS.Require, setup: Setup) => () => Promise<unknown>;

/** Loads a plugin's or package's module, and leaves the process as it is. */
export const free: Prepare = (_need, setup) => async () =>
  ((await import(setup.module ?? '')) as { default: unknown }).default;

/** Reads orders, runs tasks one after the other, and tells of them. */
export function serve(need: NodeJS.Require, prepare: Prepare): void {
  const fs = need('node:fs') as typeof import('node:fs');
  const net = need('node:net') as typeof import('node:net');
  const { stringify, parse } = JSON;
  const clock = globalThis.performance;
  const { Buffer: Bytes, setImmediate: soon, AbortController: Controller, process: self } = globalThis;
  /** The loop turns at least so often between tasks that never wait: orders have to be heard. */
  const turnMs = 2;

  /** Written before it returns: it waits where the owner reads slowly. */
  function write(text: string): void {
    // A whole text in one call is what nearly always happens, and costs least.
    const size = Bytes.byteLength(text);
    let bytes: Buffer | undefined;
    for (let sent = 0; sent < size; ) {
      try {
        if (sent === 0) sent += fs.writeSync(4, text);
        else {
          bytes ??= Bytes.from(text);
          sent += fs.writeSync(4, bytes, sent);
        }
      } catch (error) {
        // Nobody is there to hear it.
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') self.exit(1);
      }
    }
  }
  const line = (answer: Answer): string => `${stringify(answer)}\n`;

  /** What was thrown, whatever it is, as a sentence and a stack. */
  function told(error: unknown): [string, string] {
    try {
      if (error instanceof Error) {
        const stack = typeof error.stack === 'string' ? error.stack : '';
        return [`${error.name}: ${error.message}`.slice(0, 1000), stack.slice(0, 4000)];
      }
      return [`it threw ${typeof error === 'string' ? error : (stringify(error) ?? String(error))}`.slice(0, 1000), ''];
    } catch {
      return ['it threw what cannot be shown', ''];
    }
  }

  let setup: Setup | undefined;
  let load: (() => Promise<unknown>) | undefined;
  let run: Run | undefined;
  const recipes = new Map<number, { readonly job: string; readonly common?: unknown }>();
  let queue: TaskLine[] = [];
  let head = 0;
  let working = false;
  let current: TaskLine | undefined;
  let began = 0;
  let abort: AbortController | undefined;

  class Context {
    readonly job: string;
    readonly index: number;
    readonly attempt: number;
    readonly token: number;
    readonly common: unknown;
    readonly checkpoint: Uint8Array | undefined;
    readonly #task: TaskLine;
    #abort: AbortController | undefined;

    constructor(task: TaskLine) {
      this.#task = task;
      const recipe = recipes.get(task[1]);
      this.job = recipe?.job ?? '';
      this.common = recipe?.common;
      this.index = task[2];
      this.attempt = task[3];
      this.token = task[4];
      this.checkpoint = task[6] === null ? undefined : new Uint8Array(Bytes.from(task[6], 'base64'));
    }
    get signal(): AbortSignal {
      // Most tasks never look at it, and it costs as much as they do.
      this.#abort ??= new Controller();
      if (current === this.#task) abort = this.#abort;
      return this.#abort.signal;
    }
    save(bytes: Uint8Array): void {
      const most = setup?.mostCheckpoint ?? 0;
      if (!ArrayBuffer.isView(bytes)) throw new TypeError('save() takes a Uint8Array');
      if (bytes.byteLength > most)
        throw new RangeError(`a checkpoint has at most ${most} bytes, not ${bytes.byteLength}`);
      const text = Bytes.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
      if (current === this.#task) write(line(['c', this.#task[0], text]));
    }
    log(text: string): void {
      if (current === this.#task) print(`${text}\n`);
    }
  }
  /** Of what is printed the end is kept, so of one piece, too. */
  const print = (text: string): void => write(line(['p', text.length > 16_384 ? text.slice(-16_384) : text]));

  /** @returns the answer's line. */
  function succeeded(at: number, ms: number, value: unknown): string {
    if (value === undefined) return `["e",${at},${ms}]\n`;
    let json: string | undefined;
    try {
      json = stringify(value);
    } catch (error) {
      return line(['f', at, ms, 'error', `it gave back what JSON cannot hold: ${told(error)[0]}`, '']);
    }
    if (json === undefined)
      return line(['f', at, ms, 'error', `it gave back a ${typeof value}, which JSON cannot hold`, '']);
    const most = setup?.mostResult ?? 0;
    if (json.length * 3 > most && Bytes.byteLength(json) > most) {
      const sentence = `it gave back ${Bytes.byteLength(json)} bytes of JSON; a result has ${most} at most: keep larger ones as artifacts`;
      return line(['f', at, ms, 'output', sentence, '']);
    }
    return `["e",${at},${ms},${json}]\n`;
  }

  async function loaded(): Promise<Run> {
    let found = await load?.();
    // CommonJS that was made of an ES module.
    if (typeof found === 'object' && found !== null && 'default' in found) found = found.default;
    if (typeof found !== 'function') throw new TypeError('its default export is no function');
    run = found as Run;
    return run;
  }

  const spent = (): number => Math.round((clock.now() - began) * 1000) / 1000;

  async function work(): Promise<void> {
    working = true;
    let turned = clock.now();
    let answer = '';
    while (head < queue.length) {
      const task = queue[head++] as TaskLine;
      const at = task[0];
      // With the answer before it, in one write.
      write(`${answer}["s",${at}]\n`);
      current = task;
      abort = undefined;
      began = clock.now();
      try {
        const call = run ?? (await loaded());
        const value = await call(task[5] ?? undefined, new Context(task));
        answer = succeeded(at, spent(), value);
      } catch (error) {
        const [sentence, stack] = told(error);
        answer = line([
          'f',
          at,
          spent(),
          'error',
          run ? sentence : `${setup?.name} cannot be loaded: ${sentence}`,
          stack,
        ]);
      }
      current = undefined;
      if (clock.now() - turned > turnMs) {
        write(answer);
        answer = '';
        await new Promise<void>(resolve => soon(resolve));
        turned = clock.now();
      }
    }
    queue = [];
    head = 0;
    working = false;
    if (answer !== '') write(answer);
  }

  function obey(order: Order): void {
    switch (order[0]) {
      case 'setup':
        setup = order[1];
        load = prepare(need, setup);
        break;
      case 'recipe':
        recipes.set(order[1], order[2]);
        break;
      case 'forget':
        recipes.delete(order[1]);
        break;
      case 'tasks':
        for (const task of order[1]) queue[queue.length] = task;
        if (!working) void work();
        break;
      case 'back': {
        const found = queue.findIndex((task, n) => n >= head && task[0] === order[1]);
        if (found < 0) break;
        queue.splice(found, 1);
        write(line(['b', order[1]]));
        break;
      }
      case 'abort':
        if (current?.[0] === order[1]) abort?.abort();
        break;
    }
  }

  // Whose state nobody knows any more does not go on. The task that runs is taken to be the reason.
  const fall = (error: unknown): void => {
    const [sentence, stack] = told(error);
    if (current) write(line(['f', current[0], spent(), 'error', `outside of its call: ${sentence}`, stack]));
    else fs.writeSync(2, `${stack}\n${sentence}\n`);
    self.exit(1);
  };
  self.on('uncaughtException', fall);
  self.on('unhandledRejection', fall);
  for (const stream of [self.stdout, self.stderr]) {
    stream.write = ((chunk: string | Uint8Array, encoding?: unknown, done?: unknown): boolean => {
      print(typeof chunk === 'string' ? chunk : Bytes.from(chunk).toString());
      const call = typeof encoding === 'function' ? encoding : done;
      if (typeof call === 'function') soon(() => (call as () => void)());
      return true;
    }) as typeof stream.write;
  }

  const orders = new net.Socket({ fd: 3, readable: true, writable: false });
  orders.setEncoding('utf8');
  let rest = '';
  orders.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const each of lines) obey(parse(each) as Order);
  });
  // Its owner is gone.
  orders.on('error', () => self.exit(1));
  orders.on('close', () => self.exit(0));
  write(line(['h']));
}

// tsx names functions by a helper of its own, which is not there in the worker.
const program = (prepare: Prepare): string =>
  `{const __name=f=>f;(${serve.toString()})(require,${prepare.toString()})}`;

/** The text of a worker's program, for `node --eval`. */
export const workerProgram = (confined: boolean): string => program(confined ? confine : free);
