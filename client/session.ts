/**
 * What a program says to the supervisor about jobs, and hears, over one MQTT connection: submissions and orders with
 * their answers, told by `tx`, and what jobs publish. A connection that is lost comes back, and what was not answered by
 * then is said again: every order of a job may be said twice.
 */
import { randomBytes } from 'node:crypto';
import type { MqttClient } from 'mqtt';
import { decode } from '../shared/codec.ts';
import { limits } from '../shared/limits.ts';
import { isJobId, printable } from '../shared/names.ts';
import { type ResultMessage, resultPayload } from '../shared/schemas/fabric.ts';
import { type JobIs, jobIsPayload } from '../shared/schemas/job.ts';
import { type JobOut, jobOutPayload } from '../shared/schemas/job-out.ts';
import { HearthError } from './errors.ts';

export const sessionTimes = {
  /** Without an answer it is said again. */
  againMs: 3000,
  /** The supervisor may be restarting: longer than that it is given up. */
  patienceMs: 60_000,
} as const;

/** Results are data, and may be nested deeper than what people write. */
const deepest = 200;

/** What a job publishes. All of it may come twice, and batches of `out` may be missing. */
export interface JobListener {
  /** undefined: the job was forgotten. */
  is?(is: JobIs | undefined): void;
  out?(batch: JobOut): void;
  /** The connection is back: what was published meanwhile is lost, but for the last `is`, which comes again. */
  up?(): void;
  /** It will not come back. */
  closed?(error: HearthError): void;
}

export type JobVerb = 'cancel' | 'retry' | 'pause' | 'resume' | 'forget' | 'explain' | 'out';

interface Question {
  readonly job: string;
  readonly topic: string;
  readonly payload: string;
  readonly settle: (answer: ResultMessage | HearthError) => void;
}

interface Watched {
  readonly listeners: Set<JobListener>;
  /** The last, for those who come later. */
  is: JobIs | undefined;
}

export interface AskOptions {
  readonly signal?: AbortSignal | undefined;
  readonly patienceMs?: number;
}

export class Session {
  readonly client: MqttClient;
  readonly base: string;
  readonly #watched = new Map<string, Watched>();
  readonly #questions = new Map<string, Question>();
  #ready: Promise<unknown>;
  #closed: HearthError | undefined;

  /** @param client connected, and told to connect again by itself (`reconnectPeriod`) where the session is to last. */
  constructor(client: MqttClient, base = 'hearth') {
    this.client = client;
    this.base = base;
    client.on('message', (topic, payload) => this.#heard(topic, payload));
    client.on('error', () => {});
    client.on('connect', () => this.#up());
    client.on('close', () => {
      if (client.options.reconnectPeriod === 0) this.#end(new HearthError('connect', 'The connection was lost.'));
    });
    client.on('end', () => this.#end(new HearthError('closed', 'The connection was closed.')));
    // What this client may not say is answered there.
    this.#ready = this.#subscribe([`${base}/result`]);
  }

  /** Everything that was subscribed to so far is in place. */
  get ready(): Promise<unknown> {
    return this.#ready;
  }

  /** Listens to a job, until the returned function is called. What is retained of it comes first. */
  watch(job: string, listener: JobListener): () => void {
    if (this.#closed) throw this.#closed;
    let watched = this.#watched.get(job);
    if (!watched) {
      watched = { listeners: new Set(), is: undefined };
      this.#watched.set(job, watched);
      this.#ready = Promise.all([this.#ready, this.#subscribe(this.#filters(job))]);
    }
    const { listeners } = watched;
    listeners.add(listener);
    if (watched.is) listener.is?.(watched.is);
    return () => {
      if (!listeners.delete(listener) || listeners.size > 0 || this.#watched.get(job) !== watched) return;
      this.#watched.delete(job);
      this.client.unsubscribe(this.#filters(job), () => {});
    };
  }

  /**
   * Sends a job. The same document twice under an id is one job.
   * @returns once it is in the supervisor's journal. @throws HearthError `refused` with the reason.
   */
  submit(id: string, document: object, options: AskOptions = {}): Promise<ResultMessage> {
    return this.#ask(id, 'set', document, options);
  }

  /** @throws HearthError `refused` with the reason. */
  order(id: string, verb: JobVerb, args: object = {}, options: AskOptions = {}): Promise<ResultMessage> {
    return this.#ask(id, `do/${verb}`, args, options);
  }

  async close(): Promise<void> {
    this.#end(new HearthError('closed', 'The connection was closed.'));
    await new Promise<void>(resolve => {
      const late = setTimeout(resolve, 1000);
      this.client.end(false, {}, () => {
        clearTimeout(late);
        resolve();
      });
    });
  }

  #filters(job: string): string[] {
    return ['result', 'is', 'out'].map(part => `${this.base}/job/${job}/${part}`);
  }

  async #subscribe(filters: string[]): Promise<void> {
    // Refused (a login that may not read) or cut off: who waits for an answer hears of it by its absence, or by `closed`.
    await this.client.subscribeAsync(filters, { qos: 1 }).catch(() => {});
  }

  #ask(job: string, part: string, args: object, { signal, patienceMs }: AskOptions): Promise<ResultMessage> {
    const tx = randomBytes(8).toString('hex');
    const payload = JSON.stringify({ ...args, tx });
    const size = Buffer.byteLength(payload);
    return new Promise((resolve, reject) => {
      if (this.#closed) throw this.#closed;
      signal?.throwIfAborted();
      if (!isJobId(job)) throw new HearthError('input', `"${printable(job)}" is not a job id: ${idRule}.`);
      if (size > limits.message) {
        throw new HearthError('input', `${job} has ${size} bytes, and a message at most ${limits.message}.`);
      }
      const unwatch = this.watch(job, {});
      const end = (then: () => void) => {
        clearInterval(again);
        clearTimeout(late);
        signal?.removeEventListener('abort', aborted);
        this.#questions.delete(tx);
        unwatch();
        then();
      };
      const aborted = () => end(() => reject(signal?.reason));
      const settle = (answer: ResultMessage | HearthError) =>
        end(() => {
          if (answer instanceof Error) reject(answer);
          else if (answer.ok) resolve(answer);
          else reject(refusal(job, part, answer.error));
        });
      const question = { job, topic: `${this.base}/job/${job}/${part}`, payload, settle };
      const again = setInterval(() => this.#say(question), sessionTimes.againMs);
      const ms = patienceMs ?? sessionTimes.patienceMs;
      const late = setTimeout(() => settle(noAnswer(job, part, ms)), ms);
      signal?.addEventListener('abort', aborted);
      this.#questions.set(tx, question);
      // Sent behind the SUBSCRIBE without waiting for its answer: brokers take packets in their order.
      this.#say(question);
    });
  }

  #say({ topic, payload }: Question): void {
    // While there is no connection nothing is put into MQTT.js's queue: #up says it then, and once is enough.
    if (this.client.connected) this.client.publish(topic, payload, { qos: 1 }, () => {});
  }

  #up(): void {
    for (const { listeners } of this.#watched.values()) for (const listener of listeners) listener.up?.();
    for (const question of this.#questions.values()) this.#say(question);
  }

  #heard(topic: string, payload: Uint8Array): void {
    const [, noun, job = '', part] = topic.slice(this.base.length).split('/');
    if (part === 'result' || noun === 'result') this.#answered(payload);
    const watched = noun === 'job' ? this.#watched.get(job) : undefined;
    if (!watched) return;
    if (part === 'is') {
      const is = payload.length === 0 ? undefined : decode(jobIsPayload, payload);
      if (is && !is.ok) return;
      watched.is = is?.value;
      for (const listener of [...watched.listeners]) listener.is?.(is?.value);
    } else if (part === 'out') {
      const batch = decode(jobOutPayload, payload, { maxBytes: limits.work, maxDepth: deepest });
      if (batch.ok) for (const listener of [...watched.listeners]) listener.out?.(batch.value);
    }
  }

  #answered(payload: Uint8Array): void {
    const answer = decode(resultPayload, payload);
    if (!answer.ok) return;
    const { tx, topic, by } = answer.value;
    if (tx !== undefined) {
      this.#questions.get(tx)?.settle(answer.value);
      return;
    }
    // What was refused before anybody read it is known by its topic, and by who said it.
    const { clientId, username } = this.client.options;
    if (topic === undefined || (by !== undefined && by !== clientId && by !== username)) return;
    for (const question of [...this.#questions.values()]) if (question.topic === topic) question.settle(answer.value);
  }

  #end(error: HearthError): void {
    if (this.#closed) return;
    this.#closed = error;
    for (const question of [...this.#questions.values()]) question.settle(error);
    const all = [...this.#watched.values()];
    this.#watched.clear();
    for (const { listeners } of all) for (const listener of [...listeners]) listener.closed?.(error);
  }
}

const idRule = 'use 1 to 64 of a-z, 0-9 and "-"';

const refusal = (job: string, part: string, why: string | undefined): HearthError =>
  new HearthError('refused', `${job}: ${part} was refused: ${why ?? 'no reason was given'}`);

const noAnswer = (job: string, part: string, ms: number): HearthError =>
  new HearthError('no-answer', `${job}: no answer to ${part} in ${ms / 1000} s: is the supervisor running?`);
