/**
 * Sessions of the web: who logged in with a browser. The id that a cookie carries is a secret; memory and disk hold its
 * hash alone. A session ends when it was not used for a while, at its age, or when its user may not stay.
 */
import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { Store } from '../../../shared/store.ts';
import { UserError } from '../../../shared/user-error.ts';
import type { Principal } from '../types.ts';
import { Records } from './records.ts';

export interface SessionLimits {
  /** Unused for this long, it ends. */
  readonly idleMs: number;
  readonly absoluteMs: number;
  /** The oldest of a user gives way. */
  readonly perUser: number;
  /** Of all users together; the oldest gives way. */
  readonly total: number;
  /** Use is written to disk this often at most. */
  readonly touchMs: number;
}

export const sessionLimits: SessionLimits = {
  idleMs: 24 * 3_600_000,
  absoluteMs: 14 * 24 * 3_600_000,
  perUser: 20,
  total: 1000,
  touchMs: 10 * 60_000,
};

/** What lies in the store below `trust/session/<hash of the id>`. */
const sessionRecord = z.object({
  user: z.string().max(64),
  /** The user's, when it was opened: a change of password or role leaves it behind. */
  stamp: z.string().max(64),
  created_ms: z.number(),
  seen_ms: z.number(),
  from: z.string().max(64),
});
type SessionRecord = Readonly<z.output<typeof sessionRecord>>;

export interface OpenedSession {
  /** The secret for the cookie: 43 characters of base64url. */
  readonly id: string;
  readonly csrf: string;
  /** When it ends at the latest. */
  readonly expiresMs: number;
}

export interface LiveSession {
  /** Names the session where its secret may not be told, such as to {@link Sessions.onEnded}. */
  readonly key: string;
  readonly principal: Principal;
  /** What a request that changes something has to repeat. */
  readonly csrf: string;
  readonly expiresMs: number;
}

export interface SessionsParts {
  readonly store: Store;
  /** Wall clock, ms. */
  readonly now: () => number;
  /** Who a user is now; undefined where there is none of that name any more. The stamp changes with password and role. */
  readonly standing: (user: string) => { readonly principal: Principal; readonly stamp: string } | undefined;
  readonly limits?: SessionLimits;
}

const idShape = /^[A-Za-z0-9_-]{43}$/;
const prefix = 'trust/session/';

const keyOf = (id: string): string => createHash('sha256').update(`hearth/session\n${id}`).digest('hex');
/** Not to be computed without the cookie, and the cookie not from it. */
const csrfOf = (id: string): string => createHash('sha256').update(`hearth/csrf\n${id}`).digest('base64url');

export class Sessions {
  readonly #parts: SessionsParts;
  readonly #limits: SessionLimits;
  readonly #records: Records<SessionRecord>;
  /** When each was used last; the disk hears of it now and then. */
  readonly #seen = new Map<string, number>();
  readonly #listeners: ((key: string) => void)[] = [];

  static async load(parts: SessionsParts): Promise<Sessions> {
    return new Sessions(parts, await Records.load(parts.store, prefix, sessionRecord));
  }

  private constructor(parts: SessionsParts, records: Records<SessionRecord>) {
    this.#parts = parts;
    this.#limits = parts.limits ?? sessionLimits;
    this.#records = records;
    for (const [key, record] of records.all()) this.#seen.set(key, record.seen_ms);
  }

  /** For who has just logged in; resolves when it is on disk. Only users have sessions. */
  async open(principal: Principal, from: string): Promise<OpenedSession> {
    const { perUser, total, absoluteMs } = this.#limits;
    const id = randomBytes(32).toString('base64url');
    const now = this.#parts.now();
    const stamp = this.#parts.standing(principal.name)?.stamp;
    if (stamp === undefined || principal.how === 'owner') {
      throw new UserError('Only a user who logs in with a password can have a session.');
    }
    this.sweep();
    const oldestFirst = [...this.#records.all()].sort(([, a], [, b]) => a.created_ms - b.created_ms);
    const own = oldestFirst.filter(([, record]) => record.user === principal.name);
    const surplus = [
      ...own.slice(0, Math.max(0, own.length - perUser + 1)),
      ...(oldestFirst.length >= total ? oldestFirst.slice(0, oldestFirst.length - total + 1) : []),
    ];
    for (const key of new Set(surplus.map(([each]) => each))) this.#drop(key);
    const key = keyOf(id);
    this.#seen.set(key, now);
    await this.#records.put(key, { user: principal.name, stamp, created_ms: now, seen_ms: now, from });
    return { id, csrf: csrfOf(id), expiresMs: now + absoluteMs };
  }

  /** @param id as the cookie has it, whatever it is. Finding a session is using it. */
  find(id: string | undefined): LiveSession | undefined {
    if (id === undefined || !idShape.test(id)) return undefined;
    const key = keyOf(id);
    const record = this.#records.get(key);
    if (!record) return undefined;
    const now = this.#parts.now();
    const standing = this.#parts.standing(record.user);
    if (standing?.stamp !== record.stamp || this.#isOver(key, record, now)) {
      this.#drop(key);
      return undefined;
    }
    const { principal } = standing;
    this.#seen.set(key, Math.max(now, this.#seen.get(key) ?? 0));
    if (now - record.seen_ms >= this.#limits.touchMs) this.#records.putLater(key, { ...record, seen_ms: now });
    return { key, principal, csrf: csrfOf(id), expiresMs: record.created_ms + this.#limits.absoluteMs };
  }

  /** Log out. Resolves when the disk has it, so that a restart does not bring the session back. */
  async close(id: string): Promise<void> {
    if (idShape.test(id)) await this.#end(keyOf(id));
  }

  async closeAll(user: string): Promise<void> {
    const own = [...this.#records.all()].filter(([, record]) => record.user === user);
    await Promise.all(own.map(([key]) => this.#end(key)));
  }

  /** With the key of every session that ends: what hangs on it, such as a WebSocket, ends with it. */
  onEnded(listener: (key: string) => void): void {
    this.#listeners.push(listener);
  }

  /** How many a user has, for lists. */
  count(user: string): number {
    let count = 0;
    for (const [, record] of this.#records.all()) if (record.user === user) count++;
    return count;
  }

  /** Ends those whose time is over, used or not. */
  sweep(): void {
    const now = this.#parts.now();
    for (const [key, record] of [...this.#records.all()]) {
      const stale = this.#parts.standing(record.user)?.stamp !== record.stamp;
      if (stale || this.#isOver(key, record, now)) this.#drop(key);
    }
  }

  #isOver(key: string, record: SessionRecord, now: number): boolean {
    const seen = this.#seen.get(key) ?? record.seen_ms;
    return now - seen >= this.#limits.idleMs || now - record.created_ms >= this.#limits.absoluteMs;
  }

  /** Ends one whose time is over: where the disk does not hear of it, time is over after a restart, too. */
  #drop(key: string): void {
    this.#end(key).catch(() => {});
  }

  #end(key: string): Promise<void> {
    this.#seen.delete(key);
    const gone = this.#records.remove(key);
    for (const listener of this.#listeners) listener(key);
    return gone;
  }
}
