/** The other end of workers: sends jobs by name, and says who is there. */
import { EventEmitter } from 'node:events';
import { decode } from '../../shared/codec.ts';
import { type Info, infoPayload, type Load, loadPayload } from '../../shared/schemas/telemetry.ts';
import { parseTopic } from '../../shared/topics.ts';
import { type ConnectOptions, openConnection } from '../connect.ts';
import { Hearth } from '../hearth.ts';
import { Session } from '../session.ts';
import type { MapOptions } from '../work.ts';

export interface ManagerOptions extends ConnectOptions {
  /** Default `mqtt://127.0.0.1:1883`. */
  readonly broker?: string;
}

export interface WorkerState {
  readonly node: string;
  readonly online: boolean;
  /** Names of the jobs that it has. */
  readonly jobs: readonly string[];
  readonly info: Info | undefined;
}

interface ManagerEvents {
  /** Connected, and the first node is there; once. */
  ready: [];
  /** A node came, went, or has other jobs than before. */
  worker: [worker: WorkerState];
  /** What a node measures of itself, every few seconds. */
  heartbeat: [load: Load];
}

const mostNodes = 10_000;
const nobody = (node: string): WorkerState => ({ node, online: false, jobs: [], info: undefined });

export class Manager extends EventEmitter<ManagerEvents> {
  readonly #options: ManagerOptions;
  readonly #workers = new Map<string, WorkerState>();
  #hearth: Hearth | undefined;
  #ready = false;

  constructor(options: ManagerOptions = {}) {
    super();
    this.#options = options;
  }

  /** Nodes that were heard of, by their id. */
  get workers(): ReadonlyMap<string, WorkerState> {
    return this.#workers;
  }

  /** @throws HearthError `connect` */
  async start(): Promise<this> {
    const { broker = 'mqtt://127.0.0.1:1883', base = 'hearth', ...options } = this.#options;
    const client = await openConnection(broker, options);
    this.#hearth = new Hearth(new Session(client, base));
    client.on('message', (topic, payload) => this.#heard(base, topic, payload));
    await client.subscribeAsync(
      ['info', 'status', 'load'].map(part => `${base}/node/+/${part}`),
      { qos: 0 },
    );
    return this;
  }

  /** One task, on whichever node has the job and room; it may wait for one. Resolves with what it gave back. @throws JobError */
  async sendJob<T = unknown>(name: string, payload: unknown, options: MapOptions = {}): Promise<T> {
    if (!this.#hearth) await this.start();
    const [result] = await (this.#hearth as Hearth).map<T>(name, [payload], options);
    return result as T;
  }

  /** What was sent goes on. */
  async stop(): Promise<void> {
    await this.#hearth?.close();
    this.#hearth = undefined;
  }

  #heard(base: string, topic: string, payload: Uint8Array): void {
    const parsed = parseTopic(topic, base);
    if (!parsed.ok || parsed.value.kind !== 'noun' || parsed.value.noun !== 'node') return;
    const { target, part } = parsed.value;
    if (target.kind !== 'one') return;
    const worker = this.#workers.get(target.id) ?? nobody(target.id);
    if (part === 'status') this.#is({ ...worker, online: Buffer.from(payload).toString() === 'online' });
    else if (part === 'info') {
      const info = decode(infoPayload, payload);
      if (info.ok) this.#is({ ...worker, info: info.value, jobs: namesIn(info.value.plugins) });
    } else if (part === 'load') {
      const load = decode(loadPayload, payload);
      if (load.ok) this.emit('heartbeat', load.value);
    }
  }

  #is(worker: WorkerState): void {
    const { node, online, jobs } = worker;
    const before = this.#workers.get(node);
    if (!before && this.#workers.size >= mostNodes) return;
    this.#workers.set(node, worker);
    if (before?.online === online && before.jobs.join() === jobs.join()) return;
    if (before || online) this.emit('worker', worker);
    if (this.#ready || !online) return;
    this.#ready = true;
    this.emit('ready');
  }
}

const namesIn = (text: unknown): readonly string[] => (typeof text === 'string' && text !== '' ? text.split(',') : []);
