/**
 * After a restore the journal knows nothing of the certificates that were given out since the backup was taken. They are this
 * cluster's all the same: a certificate from between backup and restore counts for a month, in which nodes renew and are
 * on record again. What was revoked in that time is not known either; docs/security.md says so. Pure.
 */
import { z } from 'zod';
import type { NodeRecord } from './records.ts';

export const amnestyKey = 'trust/restored';

/** When the backup was taken, and when it was restored: epoch ms. */
export const restoredSchema = z.object({
  from_ms: z.number().int().nonnegative(),
  to_ms: z.number().int().nonnegative(),
});
export type RestoreTimes = z.output<typeof restoredSchema>;

const lastsMs = 30 * 86_400_000;
/** Certificates say their time in whole seconds. */
const secondMs = 1000;

/** @param before of the folder that the backup is of: who had not renewed by then has not since. */
export const restoredAt = (backupMs: number, nowMs: number, before: RestoreTimes | undefined): RestoreTimes => ({
  from_ms: before && backupMs - before.to_ms < lastsMs ? before.from_ms : Math.floor(backupMs),
  to_ms: Math.floor(Math.max(nowMs, backupMs)),
});

export class Amnesty {
  readonly #restored: RestoreTimes | undefined;

  constructor(restored: RestoreTimes | undefined) {
    this.#restored = restored;
  }

  /** Whether there may still be certificates that nobody has on record. */
  lasts(now: number): boolean {
    return this.#restored !== undefined && now < this.#restored.to_ms + lastsMs;
  }

  /** Whether a certificate that is not on record counts. @param issuedMs when it was signed, to the second. */
  covers(issuedMs: number | undefined, record: NodeRecord | undefined, now: number): boolean {
    if (issuedMs === undefined || !this.#restored || !this.lasts(now)) return false;
    const { from_ms, to_ms } = this.#restored;
    // Whoever has the id by a newer word, or lost it, ends what was before.
    if (record && (record.state !== 'active' || record.joined_ms >= to_ms)) return false;
    return issuedMs >= from_ms - secondMs && issuedMs <= to_ms;
  }
}
