/** Sends the patches of an `apply`, waits for every answer, and stops at the first that is not taken. */
import { randomBytes } from 'node:crypto';
import type { MqttClient } from 'mqtt';
import type { Json } from '../../shared/merge-patch.ts';
import { type ResultMessage, resultPayload } from '../../shared/schemas/fabric.ts';
import { topicsOf } from '../../shared/topics.ts';
import { json } from '../fleet.ts';
import { idOf, type NounPath, nounOf } from './document.ts';

/** One `set` of a whole noun. */
export interface Sending {
  readonly path: NounPath;
  readonly patch: { readonly [key: string]: Json };
  /** Refused where the document is at a higher one; undefined: taken whatever it is. */
  readonly rev: number | undefined;
}

export interface Outcome {
  readonly path: NounPath;
  /** `unknown`: no answer came, so it may have been taken or not. */
  readonly state: 'accepted' | 'refused' | 'unknown' | 'unsent';
  readonly rev?: number;
  readonly error?: string;
}

/** What carries the messages: topics in, answers out. */
export interface Carrier {
  publish(topic: string, payload: string): Promise<void>;
}

export interface SetsOptions {
  readonly base: string;
  /** Begins every `tx`, so that answers to others are none to these. */
  readonly mark: string;
  /** Milliseconds to wait for one answer. */
  readonly patienceMs: number;
}

/** Sets that are on their way at a time: enough that the journal writes them together. */
const window = 16;

export class Sets {
  readonly #carrier: Carrier;
  readonly #options: SetsOptions;
  readonly #waiting = new Map<string, (answer: ResultMessage | undefined) => void>();
  #sent = 0;

  constructor(carrier: Carrier, options: SetsOptions) {
    this.#carrier = carrier;
    this.#options = options;
  }

  /** A message on a `result` topic. */
  heard(payload: Uint8Array): void {
    const result = json(resultPayload, payload);
    if (result?.part === 'set' && result.tx !== undefined) this.#waiting.get(result.tx)?.(result);
  }

  /**
   * All of them in their order, several on the way at a time.
   * @param told runs at each answer.
   * @returns one outcome for each, in their order. After one that was not taken no other is sent.
   */
  async send(all: readonly Sending[], told: (outcome: Outcome) => void): Promise<readonly Outcome[]> {
    const outcomes: Outcome[] = all.map(({ path }) => ({ path, state: 'unsent' }));
    let next = 0;
    let failed = false;
    const work = async () => {
      while (!failed && next < all.length) {
        const index = next++;
        const outcome = await this.#one(all[index] as Sending);
        if (outcome.state !== 'accepted') failed = true;
        outcomes[index] = outcome;
        told(outcome);
      }
    };
    await Promise.all(Array.from({ length: Math.min(window, all.length) }, work));
    return outcomes;
  }

  async #one({ path, patch, rev }: Sending): Promise<Outcome> {
    const { base, mark, patienceMs } = this.#options;
    const tx = `${mark}-${this.#sent++}`;
    const answered = new Promise<ResultMessage | undefined>(resolve => {
      const timer = setTimeout(() => resolve(undefined), patienceMs);
      this.#waiting.set(tx, answer => {
        clearTimeout(timer);
        resolve(answer);
      });
    });
    const topic = topicsOf(base).of(nounOf(path), idOf(path), 'set');
    try {
      await this.#carrier.publish(topic, JSON.stringify({ ...patch, ...(rev === undefined ? {} : { rev }), tx }));
    } catch (error) {
      this.#waiting.get(tx)?.(undefined);
      this.#waiting.delete(tx);
      return { path, state: 'unknown', error: (error as Error).message };
    }
    const answer = await answered;
    this.#waiting.delete(tx);
    if (!answer) return { path, state: 'unknown', error: `no answer in ${patienceMs / 1000} s` };
    if (!answer.ok) return { path, state: 'refused', error: answer.error ?? 'no reason was given' };
    return { path, state: 'accepted', ...(answer.rev === undefined ? {} : { rev: answer.rev }) };
  }
}

const answerMs = 15_000;

/** Over a connection to the broker, that of one command. */
export async function openSets(client: MqttClient, base: string): Promise<Sets> {
  const carrier = {
    publish: async (topic: string, payload: string) => {
      await client.publishAsync(topic, payload, { qos: 1 });
    },
  };
  const sets = new Sets(carrier, { base, mark: `apply-${randomBytes(6).toString('hex')}`, patienceMs: answerMs });
  const results = new Set(['role', 'node']);
  client.on('message', (topic, payload) => {
    const [head, noun = '', , part, ...rest] = topic.split('/');
    if (head === base && results.has(noun) && part === 'result' && rest.length === 0) sets.heard(payload);
  });
  await client.subscribeAsync([`${base}/role/+/result`, `${base}/node/+/result`], { qos: 1 });
  return sets;
}
