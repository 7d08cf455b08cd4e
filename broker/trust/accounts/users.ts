/** The users: role, password's hash, and the certificates that count. Kept in the store below `trust/user/<name>`. */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { type UserRole, userRole } from '../../../shared/schemas/trust.ts';
import type { Store } from '../../../shared/store.ts';
import { UserError } from '../../../shared/user-error.ts';
import type { Principal } from '../types.ts';
import { isHash } from './password.ts';
import { Records } from './records.ts';

const userRecord = z.object({
  role: userRole,
  /** Absent: this user comes with a certificate only. */
  hash: z.string().max(300).refine(isHash).optional(),
  /** Changes with password and role: what was granted before is void. */
  stamp: z.string().max(64),
  created_ms: z.number(),
  changed_ms: z.number(),
  certs: z.array(z.object({ serial: z.string().max(64), expires_ms: z.number() })).max(64),
});
export type UserRecord = Readonly<z.output<typeof userRecord>>;

const mostUsers = 1000;
const mostCertificates = 20;

/** As programs write the same number: in capitals, or with zeros before it. */
const plainSerial = (serial: string): string => serial.toLowerCase().replace(/^0+(?=.)/, '');
const newStamp = (): string => randomBytes(12).toString('hex');

export class Users {
  readonly #records: Records<UserRecord>;
  readonly #now: () => number;
  /** One change after the other: each looks at what the one before left. */
  #queue: Promise<unknown> = Promise.resolve();

  static async load(store: Store, now: () => number): Promise<Users> {
    return new Users(await Records.load(store, 'trust/user/', userRecord), now);
  }

  private constructor(records: Records<UserRecord>, now: () => number) {
    this.#records = records;
    this.#now = now;
  }

  get(name: string): UserRecord | undefined {
    return this.#records.get(name);
  }

  all(): IterableIterator<[string, UserRecord]> {
    return this.#records.all();
  }

  /** Who the user is now, and what says that it is still the same. */
  standing(name: string): { readonly principal: Principal; readonly stamp: string } | undefined {
    const user = this.#records.get(name);
    return user && { principal: { role: user.role, name, how: 'password' }, stamp: user.stamp };
  }

  add(name: string, role: UserRole, hash: string | undefined): Promise<void> {
    return this.#inTurn(() => {
      if (this.#records.get(name)) throw new UserError(`There is a user ${name} already.`);
      if (this.#records.size >= mostUsers) throw new UserError(`There are ${mostUsers} users already: remove some.`);
      const at = this.#now();
      const who = { role, stamp: newStamp(), created_ms: at, changed_ms: at, certs: [] };
      return this.#records.put(name, hash === undefined ? who : { ...who, hash });
    });
  }

  setPassword(name: string, hash: string): Promise<void> {
    return this.#change(name, user => ({ ...user, hash, stamp: newStamp(), changed_ms: this.#now() }));
  }

  setRole(name: string, role: UserRole): Promise<void> {
    return this.#change(name, user => ({ ...user, role, stamp: newStamp(), changed_ms: this.#now() }));
  }

  /** Voids certificates and all that was granted; the password stays. */
  revoke(name: string): Promise<void> {
    return this.#change(name, user => ({ ...user, certs: [], stamp: newStamp(), changed_ms: this.#now() }));
  }

  /** The same password, hashed anew. */
  rehash(name: string, stamp: string, hash: string): Promise<void> {
    return this.#change(name, user => (user.stamp === stamp ? { ...user, hash } : user));
  }

  addCertificate(name: string, serial: string, expiresMs: number): Promise<void> {
    return this.#change(name, user => {
      const live = user.certs.filter(cert => cert.expires_ms > this.#now());
      if (live.length >= mostCertificates) {
        throw new UserError(
          `${name} has ${live.length} certificates already: end them with "hearth user revoke ${name}".`,
        );
      }
      return { ...user, certs: [...live, { serial: plainSerial(serial), expires_ms: expiresMs }] };
    });
  }

  hasCertificate(name: string, serial: string): boolean {
    return this.#records.get(name)?.certs.some(cert => cert.serial === plainSerial(serial)) ?? false;
  }

  remove(name: string): Promise<void> {
    return this.#inTurn(() => {
      this.#mustBe(name);
      return this.#records.remove(name);
    });
  }

  #mustBe(name: string): UserRecord {
    const user = this.#records.get(name);
    if (!user) throw new UserError(`There is no user ${name}: "hearth user list" shows who is.`);
    return user;
  }

  #change(name: string, change: (user: UserRecord) => UserRecord): Promise<void> {
    return this.#inTurn(() => this.#records.put(name, change(this.#mustBe(name))));
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#queue.then(work);
    this.#queue = done.catch(() => {});
    return done;
  }
}
