/** API tokens, for programs: `hearth_<id>_<secret>`, 256 bits of secret, of which only the hash is kept. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { type UserRole, userRole } from '../../../shared/schemas/trust.ts';
import type { Store } from '../../../shared/store.ts';
import { UserError } from '../../../shared/user-error.ts';
import type { Principal } from '../types.ts';
import { Records } from './records.ts';

const tokenRecord = z.object({
  name: z.string().max(32),
  role: userRole,
  /** SHA-256 of the secret, hex: 256 random bits need no slow hash. */
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  created_ms: z.number(),
  expires_ms: z.number().optional(),
  /** Who made it. */
  by: z.string().max(64),
});
export type ApiTokenRecord = Readonly<z.output<typeof tokenRecord>>;

const shape = /^hearth_([0-9a-f]{8})_([0-9a-f]{64})$/;
const mostTokens = 1000;

/** Whether a password is meant as a token. Then it is never tried as a password. */
export const looksLikeToken = (text: string): boolean => /^hearth_[0-9a-f]{8}_/.test(text);

const hashOf = (secret: string): Buffer => createHash('sha256').update(secret).digest();

export class ApiTokens {
  readonly #records: Records<ApiTokenRecord>;
  readonly #now: () => number;
  readonly #lastUsed = new Map<string, number>();
  /** Expired ones that have been told. */
  readonly #told = new Set<string>();
  #queue: Promise<unknown> = Promise.resolve();

  static async load(store: Store, now: () => number): Promise<ApiTokens> {
    return new ApiTokens(await Records.load(store, 'trust/api/', tokenRecord), now);
  }

  private constructor(records: Records<ApiTokenRecord>, now: () => number) {
    this.#records = records;
    this.#now = now;
  }

  /** @returns the token, which nobody can be told again. */
  create(name: string, role: UserRole, expiresMs: number | undefined, by: string): Promise<string> {
    return this.#inTurn(async () => {
      const old = this.find(name);
      if (old && !this.#isOver(old[1])) {
        throw new UserError(`There is a token ${name} already: revoke it first ("hearth api revoke ${name}").`);
      }
      if (old) await this.#records.remove(old[0]);
      if (this.#records.size >= mostTokens) throw new UserError(`There are ${mostTokens} tokens already: revoke some.`);
      let id = randomBytes(4).toString('hex');
      while (this.#records.get(id)) id = randomBytes(4).toString('hex');
      const secret = randomBytes(32).toString('hex');
      const record = { name, role, hash: hashOf(secret).toString('hex'), created_ms: this.#now(), by };
      await this.#records.put(id, expiresMs === undefined ? record : { ...record, expires_ms: expiresMs });
      return `hearth_${id}_${secret}`;
    });
  }

  /** Whose token this is, where it is good. */
  principal(text: string): Principal | undefined {
    const [, id = '', secret = ''] = shape.exec(text) ?? [];
    const record = this.#records.get(id);
    if (!record || !timingSafeEqual(hashOf(secret), Buffer.from(record.hash, 'hex'))) return undefined;
    if (this.#isOver(record)) return undefined;
    this.#lastUsed.set(id, this.#now());
    return { role: record.role, name: record.name, how: 'token' };
  }

  /** By name or id. */
  find(nameOrId: string): readonly [id: string, record: ApiTokenRecord] | undefined {
    for (const entry of this.#records.all()) if (entry[1].name === nameOrId) return entry;
    const record = this.#records.get(nameOrId);
    return record && [nameOrId, record];
  }

  list(): readonly (ApiTokenRecord & { readonly id: string; readonly used_ms?: number })[] {
    return [...this.#records.all()].map(([id, record]) => {
      const used = this.#lastUsed.get(id);
      return used === undefined ? { id, ...record } : { id, ...record, used_ms: used };
    });
  }

  /** @returns the name. */
  revoke(nameOrId: string): { readonly name: string; readonly written: Promise<void> } {
    const found = this.find(nameOrId);
    if (!found) throw new UserError(`There is no token ${nameOrId}: "hearth api list" shows which are.`);
    const [id, { name }] = found;
    this.#lastUsed.delete(id);
    return { name, written: this.#records.remove(id) };
  }

  /** Names of those that expired since this was asked last. */
  expired(): readonly string[] {
    const over = [...this.#records.all()].filter(([id, record]) => this.#isOver(record) && !this.#told.has(id));
    for (const [id] of over) this.#told.add(id);
    for (const id of this.#told) if (!this.#records.get(id)) this.#told.delete(id);
    return over.map(([, record]) => record.name);
  }

  #isOver(record: ApiTokenRecord): boolean {
    return record.expires_ms !== undefined && this.#now() >= record.expires_ms;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(work);
    this.#queue = done.catch(() => {});
    return done;
  }
}
