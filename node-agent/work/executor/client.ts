/**
 * The agent's side of the executor. It finds one that an earlier agent left, starts one with the first task, and takes
 * up what it says; files that tasks need or leave are fetched and uploaded here, where the node's credentials are.
 * An executor that speaks another protocol is drained: it ends what it runs, its results are taken, and new tasks wait
 * until it is gone.
 */
import { realpathSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { Log } from '../../../shared/log.ts';
import type { Executor, ExecutorHandlers } from '../executor.ts';
import { type FileParts, FileRequests } from './file-requests.ts';
import {
  type Bounds,
  find,
  killNamed,
  type NamedProcess,
  nameProcess,
  type Program,
  startExecutor,
  wasThere,
} from './starting.ts';
import { sweep } from './sweep.ts';
import { adoptedOf, type EndedTuple, endedOf, type Hello, Lines, line, protocol, taskTuple, tokensOf } from './wire.ts';

export interface ExecutorOptions extends Program, FileParts, Bounds {
  /** The agent's data folder: `work/` in it is the executor's. */
  readonly folder: string;
  readonly log: Log;
  /** Names of the plugins that are installed here. */
  plugins?(folder: string, done: (names: readonly string[]) => void): void;
}

/** `away`: none is there, as far as is known; `ending`: it ends, as it was told to. */
type State = 'away' | 'finding' | 'starting' | 'greeting' | 'up' | 'draining' | 'ending' | 'closed';

/** A process that was killed is gone by then. */
const endWithinMs = 15_000;

const againMs = 50;
const mostTries = 40;

class Client {
  readonly #options: ExecutorOptions;
  readonly #files: FileRequests;
  #handlers: ExecutorHandlers | undefined;
  #state: State = 'away';
  #socket: Socket | undefined;
  #process: NamedProcess | undefined;
  #settings: string | undefined;
  #heat: string | undefined;
  /** What is said once it is up. */
  #pending = '';
  #pendingCount = 0;
  #out = '';
  #said = 0;
  /** `ready` is owed. */
  #owed = true;
  #closed: (() => void) | undefined;
  #tries = 0;

  constructor(options: ExecutorOptions) {
    this.#options = options;
    this.#files = new FileRequests(options, (...message) => this.#sayNow(line(...message)));
  }

  attach(handlers: ExecutorHandlers): void {
    this.#handlers = handlers;
    this.#state = 'finding';
    this.#find();
  }

  configure(settings: Parameters<Executor['configure']>[0]): void {
    this.#settings = line('set', settings);
    if (this.#state === 'up') this.#sayNow(this.#settings);
  }

  heat(most: number, groups: readonly string[]): void {
    this.#heat = line('heat', most, groups);
    if (this.#state === 'up') this.#sayNow(this.#heat);
  }

  run(...[recipes, tasks]: Parameters<Executor['run']>): void {
    this.#say(line('run', recipes, tasks.map(taskTuple)));
    if (this.#state === 'away') this.#start();
  }

  /** To one that is there; if none is, there is nothing to say. */
  tell(kind: 'forget' | 'urgent' | 'taken' | 'back' | 'kill', numbers: readonly number[]): void {
    if (numbers.length === 0) return;
    const text = line(kind, numbers);
    if (this.#state === 'up') this.#sayNow(text);
    else if (this.#state === 'draining' && /^(taken|back|kill)$/.test(kind)) this.#sayNow(text);
    // What it is about is either in the line before it, or in an executor that is being found.
    if (this.#state !== 'up' && this.#state !== 'away') this.#say(text);
    // The protocol's promise for each that is ended, and here is nobody who could keep it.
    if (kind === 'kill' && this.#state === 'away') queueMicrotask(() => this.#handlers?.dropped(numbers));
  }

  close(keep: boolean, done: () => void): void {
    const socket = this.#socket;
    this.#closed = done;
    this.#files.close();
    if (!socket) {
      this.#gone();
      return;
    }
    if (!keep) this.#sayNow(line('end'));
    this.#flush();
    this.#state = 'closed';
    if (keep) socket.end(() => socket.destroy());
    else this.#killLate();
  }

  #find(): void {
    find(this.#options.folder, socket => {
      if (this.#closed) {
        socket?.destroy();
        return;
      }
      if (socket) this.#greet(socket);
      else if (this.#state === 'starting') this.#failed('it went away as soon as it had come');
      else this.#none();
    });
  }

  /** One that was killed together with its agent has left its tasks alone. */
  #none(): void {
    if (wasThere(this.#options.folder)) sweep(this.#options);
    this.#state = 'away';
    this.#ready([]);
    if (this.#pendingCount > 0) this.#start();
  }

  #start(): void {
    this.#state = 'starting';
    const { folder, idleMs, maxOutput, graceMs } = this.#options;
    startExecutor(realpathSync(folder), { idleMs, maxOutput, graceMs }, this.#options, error => {
      if (this.#closed) return;
      if (error === undefined) this.#find();
      else this.#failed(error);
    });
  }

  #failed(error: string): void {
    this.#state = 'away';
    [this.#pending, this.#pendingCount] = ['', 0];
    this.#owed = true;
    this.#options.log.error({}, `the executor of jobs: ${error}`);
    this.#handlers?.lost(error);
  }

  #greet(socket: Socket): void {
    this.#state = 'greeting';
    this.#socket = socket;
    [this.#out, this.#said] = ['', 0];
    const lines = new Lines();
    socket.on('error', () => {});
    socket.once('close', () => this.#gone());
    socket.on('data', chunk => {
      try {
        for (const message of lines.push(chunk)) this.#hear(message);
      } catch (error) {
        this.#options.log.error({}, `what the executor said cannot be read: ${(error as Error).message}`);
        socket.destroy();
      }
    });
  }

  #hear([kind, first, second, ...more]: readonly unknown[]): void {
    if (this.#state === 'closed') return;
    const handlers = this.#handlers;
    if (kind === 'hello') this.#hello(first as Hello);
    else if (kind === 'started') handlers?.started(tokensOf(first));
    else if (kind === 'ended') handlers?.ended((first as EndedTuple[]).map(endedOf));
    else if (kind === 'dropped') handlers?.dropped(tokensOf(first));
    else if (kind === 'frozen') handlers?.frozen(tokensOf(first));
    else if (kind === 'checkpoint') handlers?.checkpoint(first as number, String(second));
    else if (kind === 'idle') this.#idle(first);
    else this.#files.hear(String(kind), [first, second, ...more]);
  }

  #hello({ proto, pid, held }: Hello): void {
    this.#tries = 0;
    this.#process = nameProcess(pid);
    if (proto !== protocol) {
      this.#state = 'draining';
      this.#options.log.info(
        { pid },
        'the executor is of another version: it ends what it runs, then another takes over',
      );
      this.#sayNow(
        line(
          'back',
          held.filter(([, , , , state]) => state === 0).map(([token]) => token),
        ) + line('drain'),
      );
      this.#ready(held.filter(([, , , , state]) => state === 1));
      return;
    }
    this.#state = 'up';
    this.#ready(held);
    if (this.#settings !== undefined) this.#sayNow(this.#settings);
    if (this.#heat !== undefined) this.#sayNow(this.#heat);
    if (this.#pendingCount > 0) this.#sayNow(this.#pending, this.#pendingCount);
    [this.#pending, this.#pendingCount] = ['', 0];
  }

  #ready(held: Hello['held']): void {
    if (!this.#owed) return;
    this.#owed = false;
    this.#handlers?.ready(held.map(adoptedOf));
  }

  /** It may go, if it has heard everything that was said. */
  #idle(heard: unknown): void {
    if (heard !== this.#said || this.#state !== 'up') return;
    this.#state = 'ending';
    this.#sayNow(line('end'));
    this.#killLate();
  }

  /** The connection has ended. */
  #gone(): void {
    const [was, known] = [this.#state, this.#process];
    this.#socket = undefined;
    this.#process = undefined;
    this.#files.forget();
    if (this.#closed) {
      this.#state = 'closed';
      const done = this.#closed;
      this.#closed = undefined;
      done();
      this.#closed = () => {};
      return;
    }
    this.#state = 'away';
    if (was === 'ending' || was === 'draining') {
      if (this.#pendingCount > 0) this.#start();
      return;
    }
    // It was about to be gone: the socket of a killed process is there until its last thread is.
    if (was === 'greeting' && this.#tries++ < mostTries) {
      this.#state = 'finding';
      setTimeout(() => this.#find(), againMs);
      return;
    }
    killNamed(known);
    sweep(this.#options);
    this.#failed('it ended, and its tasks with it');
  }

  #killLate(): void {
    const known = this.#process;
    setTimeout(() => {
      if (known && this.#process === known) killNamed(known);
    }, endWithinMs).unref();
  }

  #say(text: string): void {
    if (this.#state === 'up') this.#sayNow(text);
    else {
      this.#pending += text;
      this.#pendingCount++;
    }
  }

  /** What is said in one turn goes as one write. */
  #sayNow(text: string, messages = 1): void {
    if (!this.#socket) return;
    if (this.#out === '') queueMicrotask(() => this.#flush());
    this.#out += text;
    this.#said += messages;
  }

  #flush(): void {
    if (this.#out !== '') this.#socket?.write(this.#out);
    this.#out = '';
  }
}

export function createExecutor(options: ExecutorOptions): Executor {
  const client = new Client(options);
  return {
    attach: handlers => client.attach(handlers),
    configure: settings => client.configure(settings),
    run: (recipes, tasks) => client.run(recipes, tasks),
    forget: recipes => client.tell('forget', recipes),
    heat: (most, groups) => client.heat(most, groups),
    urgent: recipes => client.tell('urgent', recipes),
    taken: tokens => client.tell('taken', tokens),
    takeBack: tokens => client.tell('back', tokens),
    kill: tokens => client.tell('kill', tokens),
    plugins(done) {
      if (options.plugins) options.plugins(options.folder, done);
      else queueMicrotask(() => done([]));
    },
    close: (keep, done) => client.close(keep, done),
  };
}
