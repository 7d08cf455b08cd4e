/**
 * Whether a password is the user's. The work is bounded, the same question asked many times at once is worked out once
 * (a fleet of displays that comes back after a power cut), and what was right a short while ago is known at once.
 */
import { createHmac, randomBytes } from 'node:crypto';
import type { Clock } from '../../../shared/clock.ts';
import { type Cost, hashPassword, isOutdated, presentCost, verifyPassword } from './password.ts';
import type { Users } from './users.ts';

/** scrypt at once: each takes 32 MB and a core for some tenths of a second. */
const atOnce = 2;
const mostWaiting = 64;
/** How long a right password is known without being worked out. */
const recentMs = 60 * 60_000;
const mostRecent = 2000;

interface Recent {
  /** The user's, when it was right: with another password or role it counts no more. */
  readonly stamp: string;
  readonly untilMs: number;
}

export class PasswordCheck {
  readonly #users: Users;
  readonly #clock: Clock;
  readonly #cost: Cost;
  /** Passwords are in memory as this only; it is gone with the process. */
  readonly #key = randomBytes(32);
  readonly #recent = new Map<string, Recent>();
  readonly #underWay = new Map<string, Promise<boolean | 'busy'>>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  /** For names that nobody has: takes as long. */
  readonly #nobody: string;

  constructor(users: Users, clock: Clock, cost: Cost = presentCost) {
    this.#users = users;
    this.#clock = clock;
    this.#cost = cost;
    this.#nobody = `$scrypt$ln=${cost.ln},r=${cost.r},p=${cost.p}$${'A'.repeat(22)}$${'A'.repeat(43)}`;
  }

  /** Whether this password was right a short while ago, and still is. */
  isRecent(name: string, password: string): boolean {
    const mark = this.#mark(name, password);
    const recent = this.#recent.get(mark);
    if (!recent) return false;
    if (this.#clock.now() < recent.untilMs && this.#users.get(name)?.stamp === recent.stamp) return true;
    this.#recent.delete(mark);
    return false;
  }

  /** The same question, where it is being worked out already. */
  underWay(name: string, password: string): Promise<boolean | 'busy'> | undefined {
    return this.#underWay.get(this.#mark(name, password));
  }

  /** Never rejects. `busy`: too many wait, ask again later. A user's absence takes as long as a wrong password. */
  check(name: string, password: string): Promise<boolean | 'busy'> {
    if (this.#waiting.length >= mostWaiting) return Promise.resolve('busy');
    const mark = this.#mark(name, password);
    const work = this.#inTurn(() => this.#work(name, password, mark)).finally(() => this.#underWay.delete(mark));
    this.#underWay.set(mark, work);
    return work;
  }

  /** A new password's hash, in turn with the checks. */
  hash(password: string): Promise<string> {
    return this.#inTurn(() => hashPassword(password, this.#cost));
  }

  async #work(name: string, password: string, mark: string): Promise<boolean> {
    const user = this.#users.get(name);
    if (user?.hash === undefined) {
      await verifyPassword(password, this.#nobody);
      return false;
    }
    const right = await verifyPassword(password, user.hash);
    // It was changed in the meantime: what is right now was not asked.
    if (!right || this.#users.get(name)?.stamp !== user.stamp) return false;
    if (isOutdated(user.hash, this.#cost)) {
      await this.#users.rehash(name, user.stamp, await hashPassword(password, this.#cost)).catch(() => {});
    }
    if (this.#recent.size >= mostRecent) {
      const oldest = this.#recent.keys().next().value;
      if (oldest !== undefined) this.#recent.delete(oldest);
    }
    this.#recent.set(mark, { stamp: user.stamp, untilMs: this.#clock.now() + recentMs });
    return true;
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= atOnce) await new Promise<void>(resolve => this.#waiting.push(resolve));
    else this.#running++;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }

  #mark(name: string, password: string): string {
    return createHmac('sha256', this.#key).update(`${name}\0${password}`).digest('base64');
  }
}
