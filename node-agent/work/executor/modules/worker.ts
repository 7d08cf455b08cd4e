/** One worker process: what it is told, what it answers, and that it is gone with all it started when it ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { jobLimits } from '../../../../shared/schemas/job.ts';
import type { End } from '../../../../shared/schemas/work.ts';
import { isStopped, readProcess } from '../../../reconcile/services/processes.ts';
import type { Marks } from '../runner.ts';
import type { Launch } from './launch.ts';
import { type MemoryWatch, memoryEnd } from './memory-watch.ts';
import { type Answer, Lines, type Order, readAnswer, type Setup, type TaskLine } from './wire.ts';

export interface WorkerHandlers {
  began(at: number): void;
  /** @param ms as the worker says, no more than has passed. */
  ended(at: number, ms: number, end: End | undefined): void;
  checkpoint(at: number, base64: string): void;
  /** Never begun, and not going to be. */
  returned(at: number): void;
  /** It is no more, with all that it started; what it held was told of before. */
  gone(): void;
}

const silent: WorkerHandlers = { began() {}, ended() {}, checkpoint() {}, returned() {}, gone() {} };
/** Of what a task printed, characters. */
const mostPrinted = 8192;
/** A result, its escapes, and what stands around it. */
const mostLine = 6 * jobLimits.result + 64 * 1024;
/** Answers of short tasks are read at most so often: each look costs as much as many of them. */
const pauseMs = 1;

export interface WorkerParts {
  readonly marks: Marks;
  readonly watch: MemoryWatch;
  now(): number;
}

export class Worker {
  readonly name: string;
  handlers: WorkerHandlers = silent;
  /** It is no more; called after the handlers. */
  left: () => void = () => {};
  /** Tasks are so short that they are read in bunches. */
  isFast = false;
  readonly #parts: WorkerParts;
  readonly #launch: Launch;
  readonly #mark: string;
  readonly #child: ChildProcess;
  readonly #lines = new Lines(mostLine);
  readonly #recipes = new Set<number>();
  /** Handed, not begun, in order. */
  #waiting: number[] = [];
  #running: number | undefined;
  #beganAt = 0;
  #printed = '';
  #tail = '';
  /** It has come as far as a task. */
  #hasBegun = false;
  #reason: End | undefined;
  #startError = '';
  #isOver = false;
  #isEnding = false;
  #isFrozen = false;
  #unwatch: (() => void) | undefined;

  constructor(parts: WorkerParts, launch: Launch, setup: Setup) {
    this.#parts = parts;
    this.#launch = launch;
    this.name = setup.name;
    this.#mark = parts.marks.take();
    const [program = '', ...args] = launch.argv;
    this.#child = spawn(program, args, {
      cwd: launch.cwd,
      env: { ...launch.env, HEARTH_UNIT: this.#mark },
      stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
      detached: true,
    });
    this.#child.on('error', error => {
      this.#startError = error.message;
      this.#finish();
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.#tail = `${this.#tail}${chunk.toString()}`.slice(-mostPrinted);
      });
    }
    const answers = this.#child.stdio[4] as Socket;
    answers.on('data', (chunk: Buffer) => {
      this.#lines.read(chunk, line => this.#hear(line));
      if (!this.isFast || this.#waiting.length === 0) return;
      answers.pause();
      setTimeout(() => answers.resume(), pauseMs);
    });
    for (const stream of this.#child.stdio) stream?.on('error', () => {});
    // All that it wrote was read by then.
    this.#child.on('close', () => this.#finish());
    // A child of its own may hold the pipes open for longer than it lives: that one is ended.
    this.#child.on('exit', () => this.#parts.marks.end(this.#mark, this.#child.pid ?? 0, 0, () => {}));
    if (launch.mostMb !== undefined && this.#child.pid !== undefined) {
      const { mostMb } = launch;
      this.#unwatch = parts.watch.add(this.#child.pid, mostMb, () => this.kill(memoryEnd(launch.memMb)));
    }
    this.#send(['setup', setup]);
  }

  /** Tasks that it has, the running one included. */
  get held(): number {
    return this.#waiting.length + (this.#running === undefined ? 0 : 1);
  }
  get running(): number | undefined {
    return this.#running;
  }
  /** It takes tasks. */
  get isAlive(): boolean {
    return !this.#isEnding && !this.#isOver;
  }

  run(r: number, recipe: { readonly job: string; readonly common?: unknown }, tasks: readonly TaskLine[]): void {
    if (!this.#recipes.has(r)) {
      this.#recipes.add(r);
      this.#send(['recipe', r, recipe]);
    }
    for (const [at] of tasks) this.#waiting.push(at);
    this.#send(['tasks', tasks]);
  }
  /** All its processes stand still, or go on. */
  freeze(on: boolean): void {
    if (!this.isAlive) return;
    this.#isFrozen = on;
    this.#parts.marks[on ? 'freeze' : 'thaw'](this.#mark, this.#child.pid ?? 0);
  }
  /** Somebody else has stopped it. */
  get stopped(): boolean {
    const process = this.#isFrozen || !this.isAlive ? undefined : readProcess(this.#child.pid ?? 0);
    return process !== undefined && isStopped(process);
  }
  get pids(): readonly number[] {
    return this.isAlive ? this.#parts.marks.members(this.#mark, this.#child.pid ?? 0) : [];
  }
  forget(r: number): void {
    if (this.#recipes.delete(r)) this.#send(['forget', r]);
  }
  /** Nobody listens any more. */
  mute(): void {
    this.handlers = silent;
  }
  giveBack(at: number): void {
    this.#send(['back', at]);
  }
  abort(at: number): void {
    this.#send(['abort', at]);
  }
  /** @param reason how the task that runs ended; without: as the process tells. */
  kill(reason?: End): void {
    this.#reason ??= reason;
    if (!this.isAlive) return;
    this.#isEnding = true;
    this.#parts.marks.end(this.#mark, this.#child.pid ?? 0, 0, () => {});
  }

  #send(order: Order): void {
    (this.#child.stdio[3] as Socket).write(`${JSON.stringify(order)}\n`);
  }

  #hear(line: string | undefined): void {
    if (this.#isOver) return;
    const answer = line === undefined ? undefined : readAnswer(line);
    if (answer && this.#take(answer)) return;
    this.kill({ why: 'error', err: `${this.name} said what no worker says, and was ended` });
  }

  /** @returns false for what it cannot have done. */
  #take(answer: Answer): boolean {
    switch (answer[0]) {
      case 'h':
        return true;
      case 's':
        if (this.#running !== undefined || this.#waiting[0] !== answer[1]) return false;
        this.#waiting.shift();
        this.#begin(answer[1]);
        return true;
      case 'e':
        if (answer.length === 3) return this.#end(answer[1], answer[2], undefined);
        return this.#end(answer[1], answer[2], { value: answer[3] });
      case 'f': {
        const end: End = { why: answer[3], err: answer[4].slice(0, 2000) };
        if (answer[5] !== '') this.#printed += answer[5];
        return this.#end(answer[1], answer[2], end);
      }
      case 'p':
        this.#printed = `${this.#printed}${answer[1]}`.slice(-mostPrinted);
        return true;
      case 'c':
        if (answer[1] !== this.#running || answer[2].length > jobLimits.checkpoint * 1.4) return false;
        this.handlers.checkpoint(answer[1], answer[2]);
        return true;
      case 'b':
        if (!this.#waiting.includes(answer[1])) return false;
        this.#waiting = this.#waiting.filter(at => at !== answer[1]);
        this.handlers.returned(answer[1]);
        return true;
    }
  }

  #begin(at: number): void {
    this.#running = at;
    this.#hasBegun = true;
    this.#printed = '';
    this.#beganAt = this.#parts.now();
    this.handlers.began(at);
  }

  #end(at: number, ms: number, end: End | undefined): boolean {
    if (at !== this.#running) return false;
    this.#running = undefined;
    const errout = this.#printed.slice(-mostPrinted);
    this.#printed = '';
    const told = errout === '' ? end : { ...end, errout };
    // Answers come in bunches, so it may have taken longer than the time since they were read; but not for ever.
    this.handlers.ended(at, Math.min(ms, 1000 + this.#parts.now() - this.#beganAt), told);
    return true;
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isEnding = true;
    this.#unwatch?.();
    this.#parts.marks.end(this.#mark, this.#child.pid ?? 0, 0, () => {
      if (this.#isOver) return;
      const [first] = this.#waiting;
      if (!this.#hasBegun && this.#reason === undefined && first !== undefined) {
        this.#waiting.shift();
        this.#begin(first);
        this.#printed = this.#tail;
        const said = this.#startError || this.#tail.trim().split('\n').at(-1) || this.#outcome();
        this.#end(first, 0, {
          why: 'setup',
          err: `the process of ${this.name} does not start: ${said}`.slice(0, 2000),
        });
      }
      if (this.#running !== undefined) {
        this.#printed += this.#tail;
        this.#end(this.#running, this.#parts.now() - this.#beganAt, this.#reason ?? this.#cause());
      }
      this.#isOver = true;
      for (const at of this.#waiting) this.handlers.returned(at);
      this.#waiting = [];
      this.#launch.release();
      this.handlers.gone();
      this.mute();
      this.left();
    });
  }

  #outcome(): string {
    const { exitCode, signalCode } = this.#child;
    return signalCode ? `it was ended by ${signalCode}` : `it ended with exit status ${exitCode}`;
  }

  /** Why a task's process ended in the middle of it. */
  #cause(): End {
    const { signalCode } = this.#child;
    if (signalCode === 'SIGABRT' || signalCode === 'SIGTRAP' || signalCode === 'SIGILL' || signalCode === 'SIGSEGV') {
      if (/out of memory|heap limit|allocation failed/i.test(this.#tail)) return memoryEnd(this.#launch.memMb);
    }
    const err = `${this.name} took its process with it: ${this.#outcome()}`;
    return signalCode ? { why: 'signal', signal: signalCode, err } : { why: 'error', err };
  }
}
