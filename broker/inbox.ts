/** Where each message goes: people's commands to the cores that answer them, nodes' reports to presence and the view. */
import type { BusMessage } from '../shared/bus.ts';
import { check, decode, decodeText, parseJson } from '../shared/codec.ts';
import { sentence } from '../shared/errors.ts';
import { limits } from '../shared/limits.ts';
import type { Log } from '../shared/log.ts';
import { isObject } from '../shared/merge-patch.ts';
import { lwtPayload } from '../shared/schemas/presence.ts';
import { donePayload } from '../shared/schemas/want.ts';
import { reportPayload } from '../shared/schemas/work.ts';
import { type NounTopic, parseTopic } from '../shared/topics.ts';
import type { Sets } from './desired/sets.ts';
import type { PresenceEvent } from './fleet/presence-state.ts';
import { isReportPart, type Reports } from './fleet/reports.ts';
import type { Heating } from './heat/heating.ts';
import type { Jobs } from './jobs/jobs.ts';
import type { Answers, Asked } from './orders/answers.ts';
import type { Orders } from './orders/orders.ts';
import type { RetainedCommands } from './orders/retained-commands.ts';
import type { Waking } from './power/waking.ts';

/** Bytes of an answer to an order. */
const doneBytes = 4096;
/** Nesting of a report of work: what tasks give back is in it. */
const reportDepth = 200;

export interface InboxParts {
  readonly base: string;
  readonly log: Log;
  readonly answers: Answers;
  readonly retained: RetainedCommands;
  readonly sets: Sets;
  readonly orders: Orders;
  readonly reports: Reports;
  readonly jobs: Pick<Jobs, 'set' | 'do' | 'found' | 'report'>;
  readonly heating: Pick<Heating, 'set' | 'do' | 'reading' | 'found' | 'sensors' | 'foreign' | 'order'>;
  readonly waking: Pick<Waking, 'answered'>;
  /** Whether what came over connection `serial` is the word of the node's current session. */
  speaksFor(node: string, serial: number | undefined): boolean;
  notice(event: PresenceEvent): void;
  /** A node answered an order. */
  answered(node: string): void;
}

/** Everything the supervisor subscribes to; no two of these filters overlap. */
export function subscriptions(base: string, kind: 'embedded' | 'outside'): string[] {
  const parts = ['lwt', 'load', 'heartbeat', 'cores', 'sensors', 'info', 'is', 'done'];
  const filters = [`${base}/+/+/set/#`, `${base}/+/+/do/#`, `${base}/room/+/in/+`];
  filters.push(`${base}/job/+/own`, `${base}/room/+/own`);
  filters.push(...parts.map(part => `${base}/node/+/${part}`));
  return kind === 'outside' ? [...filters, `${base}/hello`, `${base}/status`] : filters;
}

export class Inbox {
  readonly #parts: InboxParts;

  constructor(parts: InboxParts) {
    this.#parts = parts;
  }

  take(message: BusMessage): void {
    const { base, heating } = this.#parts;
    heating.foreign(message);
    if (!message.topic.startsWith(`${base}/`)) return;
    const topic = parseTopic(message.topic, base);
    if (!topic.ok) this.refused(message, sentence(topic.error));
    else if (topic.value.kind === 'noun') {
      const { part, target, noun } = topic.value;
      if (part === 'set' || part === 'do') this.#command({ topic: topic.value, message });
      else if (part === 'in') heating.reading({ topic: topic.value, message });
      else if (target.kind === 'one' && noun === 'job') this.#ofJob(target.id, message);
      else if (target.kind === 'one' && noun === 'room') this.#ofRoom(target.id, message);
      else if (target.kind === 'one') this.#fromNode(target.id, part, message);
    }
  }

  /** What has no valid address, or was refused by the direction rules. */
  refused(message: BusMessage, reason: string): void {
    const meant = message.topic.split('/', 5)[3];
    this.#parts.answers.nowhere(message, meant === 'set' || meant === 'do' ? meant : 'publish', reason);
  }

  #command(asked: Asked): void {
    const { answers, retained, sets, orders, jobs, heating } = this.#parts;
    const { noun, part } = asked.topic;
    const verdict = retained.judge(asked.message);
    if (verdict === 'swallow') return;
    if (verdict === 'refuse') {
      const message = 'retained: not run, and removed from the broker; publish commands without the retain flag';
      answers.refuseStranger(asked, () => ({ code: 'retained', message }));
    } else if (noun === 'role') {
      if (part === 'set') sets.role(asked);
      else sets.roleOrder(asked);
    } else if (noun === 'job') {
      if (part === 'set') jobs.set(asked);
      else jobs.do(asked);
    } else if (noun === 'room') {
      if (part === 'set') heating.set(asked);
      else heating.do(asked);
    } else if (noun !== 'node') {
      const message = `"${part}" of a ${noun} is not available yet: use …/node/ID/${part}`;
      answers.refuseStranger(asked, () => ({ code: 'not-available', message }));
    } else if (part === 'set') sets.node(asked);
    else if (!heating.order(asked)) orders.handle(asked);
  }

  #fromNode(node: string, part: NounTopic['part'], message: BusMessage): void {
    // An empty payload removes a retained message, and says nothing about the node.
    if (message.payload.length === 0) return;
    const serial = message.from?.serial;
    const { log, notice, reports, heating, speaksFor } = this.#parts;
    if (part === 'sensors') {
      if (!message.retain && speaksFor(node, serial)) heating.sensors(node, message.payload);
    } else if (isReportPart(part)) {
      // A retained load is of any age; retained is how `info` and `is` are meant to be.
      if (!message.retain || part === 'info' || part === 'is') reports.take(node, part, message.payload, serial);
    } else if (part === 'lwt' && !message.retain) {
      const lwt = decode(lwtPayload, message.payload, { maxBytes: 1024, maxDepth: 2 });
      if (lwt.ok) notice({ type: 'lwt', node, lwt: lwt.value, serial });
      else {
        log.debug({ node, error: sentence(lwt.error) }, 'a birth or will was not understood');
        reports.badBirth(node, lwt.error);
      }
    } else if (part === 'done') this.#done(node, message);
  }

  /** Answers to orders have an `id`; what has none is about work. */
  #done(node: string, { payload, from }: BusMessage): void {
    const { orders, jobs, waking, speaksFor } = this.#parts;
    const text = decodeText(payload, limits.work);
    const json = text.ok ? parseJson(text.value, reportDepth) : text;
    if (json.ok && isObject(json.value) && 'id' in json.value) {
      const done = payload.length <= doneBytes ? check(donePayload, json.value) : undefined;
      if (done?.ok && (orders.done(node, done.value) || waking.answered(node, done.value))) this.#parts.answered(node);
    } else if (speaksFor(node, from?.serial)) jobs.report(node, json.ok ? check(reportPayload, json.value) : json);
  }

  /** What is retained of a room comes at a start, too. */
  #ofRoom(room: string, { payload }: BusMessage): void {
    if (payload.length > 0) this.#parts.heating.found(room);
  }

  /** What is retained of a job comes at a start: it may be one that is gone. */
  #ofJob(job: string, { payload }: BusMessage): void {
    if (payload.length > 0) this.#parts.jobs.found(job);
  }
}
