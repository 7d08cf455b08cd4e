/**
 * Who changed what: one line each in `logs/audit.log`, and on `<base>/audit`. What strangers can cause, a refused login,
 * is written at a bounded rate, so that nobody can push the traces of a change out of the file.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { z } from 'zod';
import type { Clock } from '../../../shared/clock.ts';
import { parseJson } from '../../../shared/codec.ts';
import { printable } from '../../../shared/names.ts';
import { auditPayload } from '../../../shared/schemas/fabric.ts';
import { openLogFile } from '../../log-file.ts';
import { RateLimiter } from '../../orders/token-bucket.ts';
import type { Audit, AuditEntry } from '../types.ts';

export interface AuditParts {
  /** `<data>/logs/audit.log`. */
  readonly file: string;
  readonly clock: Clock;
  /** To `<base>/audit`; set once the bus is there. */
  readonly publish?: (text: string) => void;
  readonly maxBytes?: number;
}

export interface OpenAudit extends Audit {
  /** From now on entries go to the bus too. */
  publishTo(publish: (text: string) => void): void;
  /** The last `n` lines of the file, the oldest first. */
  tail(n: number): readonly AuditEntry[];
  close(): void;
}

/** Refusals of one address, and of all together. */
const refusalsOfOne = { perSecond: 1 / 30, burst: 5 };
const refusalsOfAll = { perSecond: 0.5, burst: 60 };
/** Longest part of the file that a look at its end reads. */
const tailBytes = 1024 * 1024;

/** @throws where the file cannot be opened. */
export function openAudit(parts: AuditParts): OpenAudit {
  const { file, clock } = parts;
  const out = openLogFile(file, { maxBytes: parts.maxBytes ?? 16 * 1024 * 1024, flushMs: 20 });
  const refusals = new RateLimiter(refusalsOfOne, refusalsOfAll, clock.now());
  let { publish } = parts;
  /** Refusals since the last one that was written. */
  let untold = 0;

  return {
    record(entry) {
      let detail = entry.detail;
      if (!entry.ok && (entry.how === 'none' || entry.what === 'login')) {
        if (!refusals.take(entry.from, clock.now())) {
          untold++;
          return;
        }
        if (untold > 0) detail = `${detail === undefined ? '' : `${detail}; `}and ${untold} more refusals before`;
        untold = 0;
      }
      const text = JSON.stringify(clean({ ...entry, at_ms: clock.wall() }, detail));
      out.write(`${text}\n`);
      publish?.(text);
    },
    publishTo(to) {
      publish = to;
    },
    tail(n) {
      out.flush();
      const lines = [...readEnd(`${file}.1`), ...readEnd(file)];
      return lines.slice(-n);
    },
    close: () => out.close(),
  };
}

/** Names in it may come from anybody: cut, and without control characters. */
const clean = (entry: AuditEntry, detail: string | undefined): AuditEntry => ({
  at_ms: entry.at_ms,
  who: printable(entry.who),
  how: entry.how,
  // A listener for IPv6 tells addresses of IPv4 so.
  from: printable(entry.from.replace(/^::ffff:(?=\d+\.)/i, '')),
  what: printable(entry.what),
  target: printable(entry.target, 200),
  ok: entry.ok,
  ...(detail === undefined ? {} : { detail: printable(detail, 300) }),
});

function readEnd(file: string): AuditEntry[] {
  let bytes: Buffer;
  let cut: boolean;
  try {
    const handle = openSync(file, 'r');
    try {
      const { size } = fstatSync(handle);
      bytes = Buffer.alloc(Math.min(size, tailBytes));
      cut = size > tailBytes;
      readSync(handle, bytes, 0, bytes.length, size - bytes.length);
    } finally {
      closeSync(handle);
    }
  } catch {
    return [];
  }
  const lines = bytes.toString('utf8').split('\n');
  return lines.slice(cut ? 1 : 0).flatMap(line => {
    const json = parseJson(line);
    const entry = json.ok ? auditPayload.safeParse(json.value) : undefined;
    return entry?.success ? [entry.data as z.output<typeof auditPayload> as AuditEntry] : [];
  });
}
