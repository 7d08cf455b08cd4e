/** The {@link Fleet} of a cluster: orders over MQTT, and what nodes say retained. */
import { randomBytes } from 'node:crypto';
import type { MqttClient } from 'mqtt';
import { resultPayload } from '../../shared/schemas/fabric.ts';
import { topicsOf } from '../../shared/topics.ts';
import { json, type Known, learn } from '../fleet.ts';
import type { Fleet, NodeNow } from './one-node.ts';

/** The supervisor gives a node 10 s; it may itself be restarting. */
const answerMs = 20_000;

export class MqttFleet implements Fleet {
  readonly #client: MqttClient;
  readonly #base: string;
  readonly #known: Known;
  readonly #say: (node: string, text: string) => void;
  readonly #looks = new Set<() => void>();
  readonly #answers = new Map<string, (why: string | undefined) => void>();

  /** @param known as it was gathered; kept up to date from here on. */
  constructor(client: MqttClient, base: string, known: Known, say: (node: string, text: string) => void) {
    this.#client = client;
    this.#base = base;
    this.#known = known;
    this.#say = say;
    client.on('message', (topic, payload) => {
      learn(known, base, topic, payload);
      if (topic.endsWith('/result')) this.#answered(payload);
      for (const look of this.#looks) look();
    });
  }

  async start(): Promise<void> {
    const parts = ['status', 'info', 'is', 'result'];
    await this.#client.subscribeAsync(
      parts.map(part => `${this.#base}/node/+/${part}`),
      { qos: 1 },
    );
  }

  now(node: string): NodeNow {
    return this.#known.nodes.get(node) ?? { online: false };
  }

  say(node: string, text: string): void {
    this.#say(node, text);
  }

  order(node: string, verb: string): Promise<string | undefined> {
    const tx = randomBytes(6).toString('hex');
    return new Promise(resolve => {
      const end = (why: string | undefined) => {
        clearTimeout(late);
        this.#answers.delete(tx);
        resolve(why);
      };
      const late = setTimeout(() => end(`no answer within ${answerMs / 1000} s`), answerMs);
      this.#answers.set(tx, end);
      const topic = topicsOf(this.#base).node(node, 'do', verb);
      this.#client.publish(topic, JSON.stringify({ tx }), { qos: 1 }, error => {
        if (error) end(`the order could not be sent: ${error.message}`);
      });
    });
  }

  until<T>(node: string, ms: number, pick: (now: NodeNow) => T | undefined): Promise<T | undefined> {
    return new Promise(resolve => {
      const end = (value: T | undefined) => {
        clearTimeout(late);
        this.#looks.delete(look);
        resolve(value);
      };
      const look = () => {
        const value = pick(this.now(node));
        if (value !== undefined) end(value);
      };
      const late = setTimeout(() => end(undefined), ms);
      this.#looks.add(look);
      look();
    });
  }

  #answered(payload: Uint8Array): void {
    const result = json(resultPayload, payload);
    const end = result?.tx === undefined ? undefined : this.#answers.get(result.tx);
    if (!result || !end) return;
    if (!result.ok) end(result.error ?? 'refused');
    else if (result.state === 'finished') end(undefined);
  }
}
