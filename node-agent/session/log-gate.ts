/**
 * Output of followed services on its way to `log/<service>`: at most 64 kB a second for the whole node, the oldest lines
 * dropped first and counted, and the count said in place of the lines. Pure; the agent takes what is due.
 */
import { printable } from '../../shared/names.ts';

export const logLimits = {
  /** Bytes a second, and the most that may go at once after a rest. */
  bytesPerS: 64 * 1024,
  /** Kept per service while the rate is used up. */
  keptBytes: 64 * 1024,
  /** A longer line is cut. */
  lineBytes: 8 * 1024,
  /** Output of before that may go on credit, at the expense of the lines that come. */
  askedBytes: 256 * 1024,
  /** One message. */
  messageBytes: 32 * 1024,
  /** Services with lines waiting. */
  services: 200,
} as const;

interface Waiting {
  lines: string[];
  bytes: number;
  dropped: number;
}

export interface LogMessage {
  readonly service: string;
  /** Lines, each ended by a newline but the last. */
  readonly text: string;
}

export class LogGate {
  readonly #waiting = new Map<string, Waiting>();
  #tokens: number = logLimits.bytesPerS;
  #filledAt: number | undefined;

  /** Takes new lines in; nothing is sent by this. */
  offer(service: string, lines: readonly string[]): void {
    let waiting = this.#waiting.get(service);
    if (!waiting) {
      if (this.#waiting.size >= logLimits.services) return;
      waiting = { lines: [], bytes: 0, dropped: 0 };
      this.#waiting.set(service, waiting);
    }
    for (const line of lines) {
      const kept = Buffer.byteLength(line) > logLimits.lineBytes ? printable(line, logLimits.lineBytes / 4) : line;
      waiting.lines.push(kept);
      waiting.bytes += Buffer.byteLength(kept) + 1;
    }
    let gone = 0;
    while (waiting.bytes > logLimits.keptBytes && gone < waiting.lines.length) {
      waiting.bytes -= Buffer.byteLength(waiting.lines[gone] ?? '') + 1;
      gone++;
    }
    if (gone > 0) {
      waiting.lines.splice(0, gone);
      waiting.dropped += gone;
    }
  }

  /** The messages that may go now, services in turn. */
  take(now: number): readonly LogMessage[] {
    this.#fill(now);
    const messages: LogMessage[] = [];
    for (const [service, waiting] of this.#waiting) {
      const text = this.#next(waiting);
      if (text === undefined) break;
      messages.push({ service, text });
      // To the end of the queue, so that one loud service does not silence the others.
      this.#waiting.delete(service);
      if (waiting.lines.length > 0 || waiting.dropped > 0) this.#waiting.set(service, waiting);
    }
    return messages;
  }

  /** Charges what goes out beside the lines; false where that has to wait, as others used up what may be sent. */
  spend(bytes: number, now: number): boolean {
    this.#fill(now);
    if (this.#tokens < -logLimits.askedBytes) return false;
    this.#tokens -= bytes;
    return true;
  }

  /** When to call `take` again; infinite when nothing waits. */
  deadline(now: number): number {
    if (this.#waiting.size === 0) return Number.POSITIVE_INFINITY;
    const missing = Math.min(logLimits.lineBytes, logLimits.bytesPerS) - this.#tokens;
    return now + Math.max(50, (Math.max(0, missing) / logLimits.bytesPerS) * 1000);
  }

  /** Late lines are lost: nobody is there to follow them. */
  clear(): void {
    this.#waiting.clear();
  }

  #fill(now: number): void {
    const since = now - (this.#filledAt ?? now);
    this.#filledAt = now;
    this.#tokens = Math.min(logLimits.bytesPerS, this.#tokens + (since / 1000) * logLimits.bytesPerS);
  }

  #next(waiting: Waiting): string | undefined {
    if (this.#tokens < logLimits.lineBytes) return undefined;
    const out: string[] = [];
    let bytes = 0;
    if (waiting.dropped > 0) {
      out.push(`… ${waiting.dropped} lines dropped: more than ${logLimits.bytesPerS / 1024} kB a second`);
      bytes += 80;
      waiting.dropped = 0;
    }
    const most = Math.min(logLimits.messageBytes, this.#tokens);
    let taken = 0;
    for (const line of waiting.lines) {
      const size = Buffer.byteLength(line) + 1;
      if (bytes + size > most && taken > 0) break;
      out.push(line);
      bytes += size;
      taken++;
    }
    waiting.lines.splice(0, taken);
    waiting.bytes = waiting.lines.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0);
    this.#tokens -= bytes;
    return out.join('\n');
  }
}

/** The last lines that fit into so many bytes, each ended by a newline but the last. */
export function lastPart(lines: readonly string[], most: number): string {
  let from = lines.length;
  for (let bytes = 0; from > 0; from--) {
    bytes += Buffer.byteLength(lines[from - 1] ?? '') + 1;
    if (bytes > most) break;
  }
  return lines.slice(from).join('\n');
}
