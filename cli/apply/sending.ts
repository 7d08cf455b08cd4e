/** Sends the patches of an `apply`, waits for every answer, and stops at the first that is not taken. */
import { randomBytes } from 'node:crypto';
import type { MqttClient } from 'mqtt';
import type { Json } from '../../shared/merge-patch.ts';
import { type ResultMessage, resultPayload } from '../../shared/schemas/fabric.ts';
import { matches, topicsOf } from '../../shared/topics.ts';
import { json } from '../fleet.ts';
import { idOf, type NounPath, nounOf, nouns } from './document.ts';

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
  /** By topic: what is refused before it is read has no mark. Only one set of a topic is on its way at a time. */
  readonly #refused = new Map<string, (answer: ResultMessage) => void>();
  #sent = 0;

  constructor(carrier: Carrier, options: SetsOptions) {
    this.#carrier = carrier;
    this.#options = options;
  }

  /** A message on a `result` topic, or on `<base>/result`: there it names the topic that was refused. */
  heard(payload: Uint8Array): void {
    const result = json(resultPayload, payload);
    if (result?.topic !== undefined && !result.ok) this.#refused.get(result.topic)?.(result);
    else if (result?.part === 'set' && result.tx !== undefined) this.#waiting.get(result.tx)?.(result);
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
    const topic = topicsOf(base).of(nounOf(path), idOf(path), 'set');
    const answered = new Promise<ResultMessage | undefined>(resolve => {
      const timer = setTimeout(() => resolve(undefined), patienceMs);
      const end = (answer: ResultMessage | undefined) => {
        clearTimeout(timer);
        resolve(answer);
      };
      this.#waiting.set(tx, end);
      this.#refused.set(topic, end);
    });
    try {
      await this.#carrier.publish(topic, JSON.stringify({ ...patch, ...(rev === undefined ? {} : { rev }), tx }));
    } catch (error) {
      this.#waiting.get(tx)?.(undefined);
      this.#forget(tx, topic);
      return { path, ...failure(error as Error) };
    }
    const answer = await answered;
    this.#forget(tx, topic);
    if (!answer) return { path, state: 'unknown', error: `no answer in ${patienceMs / 1000} s` };
    if (!answer.ok) return { path, state: 'refused', error: answer.error ?? 'no reason was given' };
    return { path, state: 'accepted', ...(answer.rev === undefined ? {} : { rev: answer.rev }) };
  }

  #forget(tx: string, topic: string): void {
    this.#waiting.delete(tx);
    this.#refused.delete(topic);
  }
}

/** MQTT 5, section 3.4.2.1: from 0x80 on, what the broker says of a publish is a refusal; 0x87 is "not authorized". */
function failure(error: Error & { readonly code?: unknown }): Pick<Outcome, 'state' | 'error'> {
  const { code, message } = error;
  if (typeof code !== 'number' || code < 0x80) return { state: 'unknown', error: message };
  const why = code === 0x87 ? 'this login may look and not change: it takes an operator' : message;
  return { state: 'refused', error: why };
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
  const filters = [...nouns.map(noun => `${base}/${noun}/+/result`), `${base}/result`];
  client.on('message', (topic, payload) => {
    if (filters.some(filter => matches(filter, topic))) sets.heard(payload);
  });
  await client.subscribeAsync(filters, { qos: 1 });
  return sets;
}
