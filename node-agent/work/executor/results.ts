/** Results that the agent has not taken yet: as the text in which they are told, again where an agent comes anew. */
import type { Ended } from '../executor.ts';
import { endedTuple } from './wire.ts';

/** More than this is kept nowhere: nothing new begins until some were taken. */
const fullBytes = 64 * 1024 * 1024;
/** Of one line, about. */
const lineBytes = 512 * 1024;

export class Results {
  readonly #kept = new Map<number, string>();
  #bytes = 0;

  get size(): number {
    return this.#kept.size;
  }

  get full(): boolean {
    return this.#bytes > fullBytes;
  }

  /** @returns its text. */
  keep(result: Ended): string {
    const text = JSON.stringify(endedTuple(result));
    this.taken([result.token]);
    this.#kept.set(result.token, text);
    this.#bytes += text.length;
    return text;
  }

  taken(tokens: readonly number[]): void {
    for (const token of tokens) {
      const text = this.#kept.get(token);
      if (text === undefined) continue;
      this.#kept.delete(token);
      this.#bytes -= text.length;
    }
  }

  all(): string[] {
    return [...this.#kept.values()];
  }
}

/** Results as messages, in bounded lines. */
export function endedLines(texts: readonly string[]): string {
  let lines = '';
  let part: string[] = [];
  let bytes = 0;
  const cut = () => {
    if (part.length > 0) lines += `["ended",[${part.join(',')}]]\n`;
    part = [];
    bytes = 0;
  };
  for (const text of texts) {
    if (bytes + text.length > lineBytes) cut();
    part.push(text);
    bytes += text.length;
  }
  cut();
  return lines;
}
