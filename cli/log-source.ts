/**
 * One service's output, asked for at its node: the last lines come on a topic of this asker's own, new ones on the
 * service's. Whoever follows asks again before the time is up, and when the connection or the node was away.
 */
import { randomBytes } from 'node:crypto';
import type { MqttClient } from 'mqtt';
import type { Clock, Timer } from '../shared/clock.ts';
import { followLimits } from '../shared/limits.ts';
import { printable } from '../shared/names.ts';
import { type ResultMessage, resultPayload } from '../shared/schemas/fabric.ts';
import { isPayload } from '../shared/schemas/observed.ts';
import { topicsOf } from '../shared/topics.ts';
import { UserError } from '../shared/user-error.ts';
import { json } from './fleet.ts';
import { linesOf, Shown, shownLine } from './log-lines.ts';

export interface ServiceAddress {
  readonly node: string;
  readonly service: string;
}

/** What of an MQTT client is used. */
export type LogClient = Pick<MqttClient, 'connected' | 'options' | 'on' | 'off' | 'publish' | 'subscribeAsync'>;

export interface LogSourceParts {
  readonly client: LogClient;
  readonly clock: Clock;
  readonly base: string;
  readonly address: ServiceAddress;
  /** One line, safe to print. */
  print(line: string): void;
  /** What became of following, for people. */
  warn(text: string): void;
}

/** `first`: what was asked for; `again`: what was missed; `renew`: nothing of before. */
type Reason = 'first' | 'again' | 'renew';

interface Asking {
  readonly reason: Reason;
  readonly tx: string;
  /** The last lines, once they have come. */
  last: readonly string[] | undefined;
  /** New ones since then; of an agent that sends no last lines, those that it sends. */
  early: string[];
  over(error?: string): void;
}

/** A node's answer takes 10 s at most, then the supervisor says so. */
const answerMs = 12_000;
/** Before its five minutes are over. */
const renewMs = (followLimits.seconds - 60) * 1000;
const retryMs = 15_000;
/** Looked through for what was missed. */
const missedLines = 1000;

export class LogSource {
  readonly #client: LogClient;
  readonly #clock: Clock;
  readonly #address: ServiceAddress;
  readonly #print: (line: string) => void;
  readonly #warn: (text: string) => void;
  readonly #topics;
  readonly #tag = randomBytes(5).toString('hex');
  readonly #shown = new Shown();
  #asking: Asking | undefined;
  #following = false;
  #timer: Timer | undefined;
  #online = true;
  #epoch: number | undefined;
  #closed = false;

  constructor({ client, clock, base, address, print, warn }: LogSourceParts) {
    const { node, service } = address;
    this.#client = client;
    this.#clock = clock;
    this.#address = address;
    this.#print = print;
    this.#warn = text => warn(`${node}/${service}: ${text}`);
    const topics = topicsOf(base);
    this.#topics = {
      log: topics.node(node, 'log', service),
      last: topics.node(node, 'log', service, this.#tag),
      result: topics.node(node, 'result'),
      status: topics.node(node, 'status'),
      is: topics.node(node, 'is'),
      order: topics.node(node, 'do', 'follow'),
      reply: `hearth-cli/${randomBytes(8).toString('hex')}`,
    };
    client.on('message', this.#hear);
  }

  /** Shows the last lines, and with `follow` goes on. Rejects with one sentence where they cannot be had. */
  async ask(lines: number, follow: boolean): Promise<void> {
    await this.#subscribe(follow);
    const error = await this.#order('first', lines, follow);
    if (error !== undefined) throw new UserError(`${this.#address.node}/${this.#address.service}: ${error}`);
    this.#following = follow;
    if (follow) this.#later(renewMs, 'renew');
  }

  /** Subscriptions end with a connection; what was missed is asked for. */
  connectedAgain(): void {
    if (this.#following) this.#later(0, 'again');
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#client.off('message', this.#hear);
    this.#asking?.over();
  }

  #later(ms: number, reason: Reason): void {
    this.#timer?.cancel();
    if (!this.#closed) this.#timer = this.#clock.after(ms, () => void this.#askAgain(reason));
  }

  async #askAgain(reason: Reason): Promise<void> {
    if (!this.#client.connected) return;
    const asked = this.#timer;
    if (reason === 'again') await this.#subscribe(true).catch(() => {});
    const error = await this.#order(reason, reason === 'renew' ? 0 : missedLines, true);
    // Something else came in between, and is due now.
    if (this.#closed || this.#timer !== asked) return;
    if (error !== undefined) this.#warn(`${error}; trying again …`);
    this.#later(error === undefined ? renewMs : retryMs, error === undefined ? 'renew' : 'again');
  }

  async #subscribe(follow: boolean): Promise<void> {
    const { log, last, result, reply, status, is } = this.#topics;
    const more = follow ? [status, is] : [];
    await this.#client.subscribeAsync([log, last, result, reply, ...more], { qos: 1 });
  }

  /** Resolves with a sentence where it was refused. */
  #order(reason: Reason, lines: number, follow: boolean): Promise<string | undefined> {
    this.#asking?.over();
    const tx = randomBytes(8).toString('hex');
    const { service } = this.#address;
    const order = { service, lines, to: this.#tag, for_s: follow ? followLimits.seconds : 0, tx };
    const properties = { responseTopic: this.#topics.reply, correlationData: Buffer.from(tx) };
    return new Promise(resolve => {
      const asking: Asking = {
        ...{ reason, tx, last: undefined, early: [] },
        over: error => {
          late.cancel();
          if (this.#asking === asking) this.#asking = undefined;
          this.#take(asking, lines);
          resolve(error);
        },
      };
      const late = this.#clock.after(answerMs, () => asking.over('no answer: is the supervisor there?'));
      this.#asking = asking;
      this.#client.publish(
        this.#topics.order,
        JSON.stringify(order),
        { qos: 1, ...(this.#client.options.protocolVersion === 5 ? { properties } : {}) },
        error => error && asking.over(printable(error.message, 200)),
      );
    });
  }

  #take({ reason, last, early }: Asking, lines: number): void {
    if (reason === 'again' && last) {
      const { fresh, gap } = this.#shown.after(last);
      if (gap) this.#warn('lines may be missing here');
      this.#show(fresh);
    } else if (last) this.#show(last);
    this.#show(last || reason !== 'first' ? early : early.slice(-lines || early.length));
  }

  #show(lines: readonly string[]): void {
    this.#shown.add(lines);
    for (const line of lines) this.#print(shownLine(line));
  }

  readonly #hear = (topic: string, payload: Buffer): void => {
    const asking = this.#asking;
    switch (topic) {
      case this.#topics.last:
        if (!asking) return;
        asking.last = linesOf(payload);
        // They are among the last ones.
        asking.early = [];
        return;
      case this.#topics.log:
        if (asking) asking.early = [...asking.early, ...linesOf(payload)].slice(-followLimits.lines);
        else if (this.#following) this.#show(linesOf(payload));
        return;
      case this.#topics.reply:
      case this.#topics.result: {
        const result = json(resultPayload, payload);
        if (asking && result && this.#isAnswer(topic, result, asking)) this.#answered(result, asking);
        return;
      }
      case this.#topics.status:
        this.#present(payload.toString() === 'online');
        return;
      case this.#topics.is: {
        const epoch = json(isPayload, payload)?.epoch;
        // Another agent, or another connection of it, knows nothing of who follows.
        if (epoch !== undefined && this.#epoch !== undefined && epoch !== this.#epoch) this.connectedAgain();
        this.#epoch = epoch ?? this.#epoch;
      }
    }
  };

  #present(online: boolean): void {
    if (this.#following && online && !this.#online) this.connectedAgain();
    if (this.#following && !online && this.#online) this.#warn('the node is offline; waiting for it …');
    this.#online = online;
  }

  /** What was refused before it was read has no mark of ours. */
  #isAnswer(topic: string, result: ResultMessage, asking: Asking): boolean {
    if (result.part !== 'do' || result.key !== 'follow') return false;
    if (result.tx !== undefined) return result.tx === asking.tx;
    return topic === this.#topics.reply || result.by === this.#client.options.clientId;
  }

  #answered(result: ResultMessage, asking: Asking): void {
    if (!result.ok) asking.over(printable(result.error ?? 'refused, and it is not said why', 500));
    else if (result.state === 'finished') asking.over();
  }
}
