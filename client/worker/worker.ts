/** A program as a node: its jobs are plugins that no other node has to have. */
import { EventEmitter } from 'node:events';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { Worker as Thread } from 'node:worker_threads';
import { jobLimits } from '../../shared/schemas/job.ts';
import { HearthError } from '../errors.ts';
import type { Job } from './job.ts';
import type { ThreadSettings, ToProgram, ToThread } from './messages.ts';

export interface WorkerOptions {
  readonly jobs?: readonly Job[];
  /** `mqtt://127.0.0.1:1883`, or another broker. Left out, the node is found as `hearth agent` finds it. */
  readonly broker?: string;
  /** From another machine: a join token (`hearth token`), needed once. */
  readonly token?: string;
  /** Id of the node; default: of the host name, with a number where that is taken. */
  readonly node?: string;
  /** Where it keeps identity, certificate and results that wait: one worker a folder. Default: `~/.local/share/hearth/worker`. */
  readonly data?: string;
  readonly base?: string;
  /** Tasks at the same time; default 1. More is of use where jobs wait for something. */
  readonly concurrency?: number;
}

interface WorkerEvents {
  /** It is a node of the cluster, under this id. */
  ready: [node: string];
  /** It is not, for now: results are kept until it is again. */
  offline: [node: string];
  /** Something is not as it should be, such as a disk that takes no results. */
  warning: [text: string];
  /** It cannot go on, or was told not to. */
  end: [reason: HearthError | undefined];
}

const mostLogged = 8192;

export class Worker extends EventEmitter<WorkerEvents> {
  readonly #jobs = new Map<string, Job>();
  readonly #options: WorkerOptions;
  readonly #running = new Map<number, AbortController>();
  #thread: Thread | undefined;

  constructor(options: WorkerOptions = {}) {
    super();
    this.#options = options;
    this.registerJobs(options.jobs ?? []);
  }

  registerJob(job: Job): this {
    if (this.#thread) throw new HearthError('input', 'Jobs are registered before the worker is started.');
    if (this.#jobs.has(job.name)) throw new HearthError('input', `There is a job "${job.name}" already.`);
    this.#jobs.set(job.name, job);
    return this;
  }

  registerJobs(jobs: readonly Job[]): this {
    for (const job of jobs) this.registerJob(job);
    return this;
  }

  /** Resolves with the node's id when it is part of the cluster: waits for as long as there is none. @throws HearthError `connect` */
  start(): Promise<string> {
    if (this.#thread) throw new HearthError('input', 'The worker has been started.');
    const here = import.meta.url;
    const isSource = here.endsWith('.ts');
    const program = new URL(isSource ? './thread.ts' : './client-worker.js', here);
    const { concurrency = 1 } = this.#options;
    const workerData: ThreadSettings = { argv: this.#argv(), jobs: [...this.#jobs.keys()], concurrency };
    // What the program was started with (-e, --input-type) is not for the thread; from source the loader is.
    const thread = new Thread(program, { workerData, ...(isSource ? {} : { execArgv: [] }) });
    this.#thread = thread;
    return new Promise((resolve, reject) => {
      let reason: HearthError | undefined;
      thread.on('message', (message: ToProgram) => {
        if (message.type === 'run') void this.#run(message);
        else if (message.type === 'abort') this.#running.get(message.token)?.abort(new Error(message.reason));
        else if (message.type === 'state') {
          if (message.online) resolve(message.node);
          this.emit(message.online ? 'ready' : 'offline', message.node);
        } else if (message.type === 'warning') this.emit('warning', message.text);
        else if (message.sentence !== undefined) reason = new HearthError('connect', message.sentence);
      });
      thread.on('error', error => {
        reason = new HearthError('connect', `The worker's node is gone: ${(error as Error).message}`, { cause: error });
      });
      thread.on('exit', () => {
        this.#thread = undefined;
        for (const controller of this.#running.values()) controller.abort(reason);
        reject(reason ?? new HearthError('closed', 'The worker was stopped.'));
        this.emit('end', reason);
      });
    });
  }

  /** Says goodbye. What runs is told by its signal, and done again elsewhere. */
  async stop(): Promise<void> {
    const thread = this.#thread;
    if (!thread) return;
    const gone = new Promise<void>(resolve => thread.once('exit', () => resolve()));
    this.#say({ type: 'stop' });
    await gone;
  }

  #argv(): string[] {
    const { broker, token, node, base, data = defaultFolder() } = this.#options;
    const flags = Object.entries({ broker, token, node, base, data });
    return flags.flatMap(([name, value]) => (value === undefined ? [] : [`--${name}=${value}`]));
  }

  #say(message: ToThread): void {
    this.#thread?.postMessage(message);
  }

  async #run(message: Extract<ToProgram, { readonly type: 'run' }>): Promise<void> {
    const { token, name, job, index, attempt, value, common, checkpoint } = message;
    const controller = new AbortController();
    let logged = '';
    this.#running.set(token, controller);
    this.#say({ type: 'began', token });
    const ctx = {
      ...{ job, index, attempt, token, common, signal: controller.signal },
      checkpoint: checkpoint === undefined ? undefined : new Uint8Array(Buffer.from(checkpoint, 'base64')),
      save: (bytes: Uint8Array) => {
        if (bytes.length > jobLimits.checkpoint)
          throw new RangeError(`a checkpoint has at most ${jobLimits.checkpoint} bytes`);
        this.#say({ type: 'checkpoint', token, base64: Buffer.from(bytes).toString('base64') });
      },
      log: (text: string) => {
        logged = `${logged}${text}\n`.slice(-mostLogged);
      },
    };
    const log = () => (logged === '' ? {} : { log: logged });
    try {
      const result = asJson(await this.#jobs.get(name)?.run(value, ctx));
      this.#say({ type: 'ended', token, ...(result === undefined ? {} : { value: result }), ...log() });
    } catch (error) {
      this.#say({ type: 'ended', token, error: error instanceof Error ? error.message : String(error), ...log() });
    } finally {
      this.#running.delete(token);
    }
  }
}

/** What of a result travels. @throws Error where it is no JSON, or too large. */
function asJson(value: unknown): unknown {
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) return undefined;
  const bytes = Buffer.byteLength(text);
  if (bytes > jobLimits.result)
    throw new Error(`it gave back ${bytes} bytes, and at most ${jobLimits.result} are a result`);
  return JSON.parse(text);
}

const defaultFolder = (): string => join(process.env.XDG_DATA_HOME || join(homedir(), '.local/share'), 'hearth/worker');
