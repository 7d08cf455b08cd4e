/**
 * The answer to every `set` and `do`: on the address's `result`, and at the asker's own response topic (MQTT 5). What
 * names nobody known is answered too, but rate-limited, since anybody can send that without end.
 */
import type { Bus, BusConnection, BusMessage } from '../../shared/bus.ts';
import type { Clock } from '../../shared/clock.ts';
import { type ContractError, sentence } from '../../shared/errors.ts';
import { limits } from '../../shared/limits.ts';
import { printable } from '../../shared/names.ts';
import type { ResultMessage } from '../../shared/schemas/fabric.ts';
import { sealedMark } from '../../shared/sealed-value.ts';
import { type FabricTopic, formatTopic, type NounTopic } from '../../shared/topics.ts';
import { RateLimiter } from './token-bucket.ts';

export const answerRates = { perClient: { perSecond: 20, burst: 100 }, total: { perSecond: 100, burst: 500 } } as const;

/** Somebody's `set` or `do`. */
export interface Asked {
  readonly topic: NounTopic;
  readonly message: BusMessage;
  readonly tx?: string | undefined;
}

/** A `set` or `do` that was answered: for the audit. */
export interface Told {
  readonly what: 'set' | 'do';
  /** The address and key, without the base. */
  readonly target: string;
  readonly ok: boolean;
  readonly from: BusConnection | undefined;
}

type Fields = Partial<Omit<ResultMessage, 'ok' | 'part' | 'at_ms'>>;

export class Answers {
  readonly #base: string;
  readonly #bus: Bus;
  readonly #clock: Clock;
  readonly #limiter: RateLimiter;
  readonly #told: ((told: Told) => void) | undefined;
  #dropped = 0;

  constructor(base: string, bus: Bus, clock: Clock, told?: (told: Told) => void) {
    this.#told = told;
    this.#base = base;
    this.#bus = bus;
    this.#clock = clock;
    this.#limiter = new RateLimiter(answerRates.perClient, answerRates.total, clock.now());
  }

  reply(asked: Asked, ok: boolean, fields: Fields = {}): void {
    const { topic, message, tx } = asked;
    const to: NounTopic = { ...topic, part: 'result', rest: [] };
    // An order to nodes is answered twice; what changed, changed with the first answer.
    const first = fields.state !== 'finished' || topic.noun === 'job';
    if (this.#told && first && (topic.part === 'set' || topic.part === 'do')) {
      const target = printable(message.topic.slice(this.#base.length + 1), 160);
      this.#told({ what: topic.part, target, ok, from: message.from });
    }
    const key = topic.rest.join('.');
    const said = { ...(key === '' ? {} : { key }), ...echo(message.payload), ...fields };
    this.#publish(formatTopic(to, this.#base), message, { ok, part: topic.part, ...said }, tx);
  }

  refuse(asked: Asked, error: ContractError): void {
    this.reply(asked, false, { error: cut(sentence(error)) });
  }

  /** As {@link refuse}, for an address that names nobody known. `error` is only worked out when it will be said. */
  refuseStranger(asked: Asked, error: () => ContractError): void {
    if (this.#mayAnswer(asked.message)) this.refuse(asked, error());
  }

  /** For what has no valid address, and what the direction rules refused: on `<base>/result`, the topic named. */
  nowhere(message: BusMessage, part: string, error: string): void {
    if (!this.#mayAnswer(message)) return;
    const to: FabricTopic = { kind: 'fabric', part: 'result' };
    const fields = { topic: printable(message.topic, 128), ...echo(message.payload), error: cut(error) };
    this.#publish(formatTopic(to, this.#base), message, { ok: false, part, ...fields }, undefined);
  }

  /** Says, once and not more often than it is called, how many got no answer. */
  tellDropped(): void {
    if (this.#dropped === 0) return;
    const { perSecond } = answerRates.perClient;
    const error = `${this.#dropped} more refused messages were not answered one by one (at most ${perSecond} a second and client)`;
    this.#dropped = 0;
    const result: ResultMessage = { ok: false, part: 'dropped', error, at_ms: this.#clock.wall() };
    this.#bus.publish(`${this.#base}/result`, JSON.stringify(result), { qos: 1 });
  }

  #mayAnswer(message: BusMessage): boolean {
    if (this.#limiter.take(message.from?.clientId, this.#clock.now())) return true;
    this.#dropped++;
    return false;
  }

  #publish(
    to: string,
    message: BusMessage,
    said: Fields & { ok: boolean; part: string },
    tx: string | undefined,
  ): void {
    const by = message.from ? { by: nameOf(message.from) } : {};
    const result: ResultMessage = { ...said, ...by, at_ms: this.#clock.wall(), ...(tx === undefined ? {} : { tx }) };
    const text = JSON.stringify(result);
    this.#bus.publish(to, text, { qos: 1 });
    message.answered?.(result);
    const { respond } = message;
    if (!respond || respond.topic === to) return;
    const correlation = respond.correlation ? { correlation: respond.correlation } : {};
    this.#bus.publish(respond.topic, text, { qos: 1, ...correlation });
  }
}

/** Who it is by its login; of those without one, which program. */
export const nameOf = ({ user, how, clientId }: BusConnection): string =>
  printable(user === undefined || how === 'owner' ? clientId : user);

/** Bytes of a payload that an answer can show. */
const echoBytes = limits.echo * 4;

/**
 * What is remembered of a question until it is answered. Thousands may wait for a slow disk, or for nodes: of a long
 * payload, which was read by then, only what the answer shows is kept.
 */
export function remembered(question: Asked, tx: string | undefined): Asked {
  const { message } = question;
  if (message.payload.length <= echoBytes) return { ...question, tx };
  return { ...question, tx, message: { ...message, payload: new Uint8Array(message.payload.subarray(0, echoBytes)) } };
}

const lenient = new TextDecoder();

/** What was sent, escaped and cut; bytes that are no text become U+FFFD, and that is escaped. Nothing of what holds a secret. */
function echo(payload: Uint8Array): { readonly value?: string } {
  const text = lenient.decode(payload.subarray(0, echoBytes));
  return text.includes(sealedMark) ? {} : { value: printable(text, limits.echo) };
}

const cut = (text: string): string => (text.length <= 500 ? text : `${text.slice(0, 499)}…`);
