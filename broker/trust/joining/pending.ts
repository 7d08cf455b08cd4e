/**
 * Machines that wait for a person. Kept in memory only: they ask again, and a supervisor that starts anew hears of them
 * within their next try. Bounded in all and per address, so that one machine on the network cannot fill the list for all.
 */
import { isIPv6 } from 'node:net';
import type { JoinRequest } from '../../../shared/schemas/trust.ts';
import type { JoinReply } from './desk.ts';
import { joiningLimits } from './records.ts';
import { plainAddress } from './rules.ts';

export interface Waiting {
  readonly ticket: string;
  readonly code: string;
  /** Hash of the machine's key. */
  readonly key: string;
  readonly address: string;
  readonly since: number;
  /** The last one: facts may change while it waits. */
  request: JoinRequest;
  seen: number;
  /** A person has answered, and certificate and record are on their way. */
  deciding: boolean;
}

export class PendingList {
  readonly #byTicket = new Map<string, Waiting>();
  readonly #byKey = new Map<string, Waiting>();
  readonly #perAddress = new Map<string, number>();
  readonly #answered = new Map<string, { readonly reply: JoinReply; readonly until: number }>();
  readonly #denied = new Map<string, number>();

  all(): Iterable<Waiting> {
    return this.#byKey.values();
  }

  byKey(key: string): Waiting | undefined {
    return this.#byKey.get(key);
  }

  /** @returns undefined where the list, or this address's part of it, is full. */
  add(waiting: Waiting): boolean {
    const from = neighbourhood(waiting.address);
    const others = this.#perAddress.get(from) ?? 0;
    if (this.#byKey.size >= joiningLimits.pending || others >= joiningLimits.pendingPerAddress) return false;
    this.#perAddress.set(from, others + 1);
    this.#byTicket.set(waiting.ticket, waiting);
    this.#byKey.set(waiting.key, waiting);
    return true;
  }

  byTicket(ticket: string): Waiting | undefined {
    return this.#byTicket.get(ticket);
  }

  /** What a ticket's machine was answered, for who did not get the answer. */
  answer(ticket: string, now: number): JoinReply | undefined {
    const answered = this.#answered.get(ticket);
    return answered && answered.until > now ? answered.reply : undefined;
  }

  /** Those of this code, or whose code begins so; dashes and case do not count. */
  find(code: string): Waiting[] {
    const start = plainCode(code);
    if (start.length < 4) return [];
    return [...this.#byKey.values()].filter(waiting => plainCode(waiting.code).startsWith(start));
  }

  settle(waiting: Waiting, reply: JoinReply, now: number): void {
    this.remove(waiting);
    putBounded(this.#answered, waiting.ticket, { reply, until: now + joiningLimits.answeredMs });
  }

  deny(waiting: Waiting, reply: JoinReply, now: number): void {
    this.settle(waiting, reply, now);
    putBounded(this.#denied, waiting.key, now + joiningLimits.deniedMs);
  }

  isDenied(key: string, now: number): boolean {
    return (this.#denied.get(key) ?? 0) > now;
  }

  remove(waiting: Waiting): void {
    if (!this.#byKey.delete(waiting.key)) return;
    this.#byTicket.delete(waiting.ticket);
    const from = neighbourhood(waiting.address);
    const others = (this.#perAddress.get(from) ?? 1) - 1;
    if (others > 0) this.#perAddress.set(from, others);
    else this.#perAddress.delete(from);
  }

  /** @returns whether somebody has gone. */
  sweep(now: number): boolean {
    const gone = [...this.#byKey.values()].filter(
      ({ seen, deciding }) => !deciding && now - seen > joiningLimits.pendingIdleMs,
    );
    for (const waiting of gone) this.remove(waiting);
    for (const [ticket, { until }] of this.#answered) if (until <= now) this.#answered.delete(ticket);
    for (const [key, until] of this.#denied) if (until <= now) this.#denied.delete(key);
    return gone.length > 0;
  }
}

/** When a machine that waits asks again: soon at first, since somebody may stand beside it. */
export const retryMs = (waitedMs: number): number => Math.max(2000, Math.min(30_000, Math.round(waitedMs / 30)));

const plainCode = (code: string): string => code.toLowerCase().replaceAll('-', '').trim();

/** Who can choose from a whole /64 is one asker all the same. */
function neighbourhood(address: string): string {
  const plain = plainAddress(address);
  if (!isIPv6(plain)) return plain;
  const [head = '', tail] = plain.toLowerCase().split('::');
  const start = head === '' ? [] : head.split(':');
  const end = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups = [...start, ...Array.from({ length: Math.max(0, 8 - start.length - end.length) }, () => '0'), ...end];
  return groups
    .slice(0, 4)
    .map(group => group.replace(/^0+(?=.)/, ''))
    .join(':');
}

function putBounded<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > joiningLimits.pending && oldest !== undefined) map.delete(oldest);
}
