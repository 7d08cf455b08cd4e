/**
 * What agent and executor say to each other, over a unix socket in the node's folder: a JSON list on each line, its kind
 * first. `hello`, `held`, `ended`, `taken`, `back`, `dropped`, `drain` and `end` never change: an agent that has become
 * another version takes the results of an executor that has not.
 *
 * Agent to executor:
 * ```
 * set SETTINGS                     run [RECIPE…] [TASK…]      forget [R…]
 * taken [TOKEN…]                   back [TOKEN…]              kill [TOKEN…]
 * fetched ID ERROR|null FILE       uploaded ID ERROR|null SHA256
 * heat MOST [FOLDER…]              urgent [R…]
 * drain                            nothing new comes: end when nothing is held
 * end                              end all tasks, then yourself
 * ```
 * Executor to agent:
 * ```
 * hello {proto, pid, held}         first, at once
 * started [TOKEN…]                 ended [RESULT…]            dropped [TOKEN…]       checkpoint TOKEN BASE64
 * frozen [TOKEN…]                  all that are, after `hello` too where there are some
 * fetch ID URL SHA256|null         upload ID FILE             forgo ID               release ID
 * ```
 */
import type { End } from '../../../shared/schemas/work.ts';
import type { AdoptedTask, Ended, ExecutorTask } from '../executor.ts';

/** 2: knows tasks of class `heat`. */
export const protocol = 2;
export const socketName = 'executor.sock';
/** Of one line, in bytes. */
export const longestLine = 32 * 1024 * 1024;

/** Token, recipe, index, attempt, value (as `[VALUE]`, or 0 for none), checkpoint. */
export type TaskTuple = readonly [number, number, number, number, (readonly [unknown] | 0)?, string?];
/** Token, recipe, index, attempt, own ms, share ms, end. */
export type EndedTuple = readonly [number, number, number, number, number, number, End?];
/** Token, recipe, index, attempt, whether it runs; and 1 where it is of class `heat`. */
export type HeldTuple = readonly [number, number, number, number, 0 | 1, 1?];
export interface Hello {
  readonly proto: number;
  readonly pid: number;
  readonly held: readonly HeldTuple[];
}

export function taskTuple({ token, r, index, attempt, value, checkpoint }: ExecutorTask): TaskTuple {
  if (checkpoint !== undefined) return [token, r, index, attempt, value === undefined ? 0 : [value], checkpoint];
  return value === undefined ? [token, r, index, attempt] : [token, r, index, attempt, [value]];
}

/** Undefined where it is none. */
export function taskOf(said: unknown): ExecutorTask | undefined {
  if (!Array.isArray(said)) return undefined;
  const [token, r, index, attempt, value, checkpoint] = said;
  if (!isToken(token) || !isToken(r) || !Number.isSafeInteger(index) || !Number.isSafeInteger(attempt))
    return undefined;
  return {
    ...{ token, r, index, attempt },
    ...(Array.isArray(value) ? { value: value[0] } : {}),
    ...(typeof checkpoint === 'string' ? { checkpoint } : {}),
  };
}

export const endedTuple = ({ token, r, index, attempt, ms, shareMs, end }: Ended): EndedTuple =>
  end === undefined
    ? [token, r, index, attempt, rounded(ms), rounded(shareMs)]
    : [token, r, index, attempt, rounded(ms), rounded(shareMs), end];

export const endedOf = ([token, r, index, attempt, ms, shareMs, end]: EndedTuple): Ended => ({
  ...{ token, r, index, attempt, ms, shareMs },
  ...(end ? { end } : {}),
});

export const adoptedOf = ([token, r, index, attempt, state, heat]: HeldTuple): AdoptedTask => ({
  ...{ token, r, index, attempt },
  state: state === 1 ? 'running' : 'waiting',
  ...(heat === 1 ? { heat: true } : {}),
});

/** Microseconds are enough. */
const rounded = (ms: number): number => Math.round(ms * 1000) / 1000;

export const isToken = (said: unknown): said is number => Number.isSafeInteger(said) && (said as number) > 0;
export const tokensOf = (said: unknown): number[] => (Array.isArray(said) ? said.filter(isToken) : []);

export const line = (...message: readonly unknown[]): string => `${JSON.stringify(message)}\n`;

/** Lines from what arrives in pieces. */
export class Lines {
  #parts: Buffer[] = [];
  #bytes = 0;

  /** The messages that are whole now. @throws where it is no message of this protocol; the connection is over then. */
  push(chunk: Buffer): unknown[][] {
    let from = 0;
    const messages: unknown[][] = [];
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
      this.#keep(chunk.subarray(from, at));
      from = at + 1;
      const text = this.#parts.length === 1 ? String(this.#parts[0]) : String(Buffer.concat(this.#parts));
      this.#parts = [];
      this.#bytes = 0;
      const message: unknown = JSON.parse(text);
      if (!Array.isArray(message) || typeof message[0] !== 'string') throw new Error('no message');
      messages.push(message);
    }
    if (from < chunk.length) this.#keep(chunk.subarray(from));
    return messages;
  }

  #keep(part: Buffer): void {
    this.#bytes += part.length;
    if (this.#bytes > longestLine) throw new Error(`a line of more than ${longestLine} bytes`);
    this.#parts.push(part);
  }
}
