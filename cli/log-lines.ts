/** Output of services on its way to a terminal: which lines are new, and how they may look. Pure. */
import { printable } from '../shared/names.ts';

/** Enough to recognise a place in an output again. */
const overlap = 20;

/** Output is hostile: a terminal gets no control character of it but the tab. */
export const shownLine = (line: string): string =>
  line
    .split('\t')
    .map(part => printable(part, Number.POSITIVE_INFINITY))
    .join('\t');

/** A message of `log/<service>` as lines. */
export const linesOf = (payload: Uint8Array): readonly string[] => {
  const text = Buffer.from(payload).toString();
  return text === '' ? [] : text.split('\n');
};

/** What was shown last, to go on from there after the connection was lost. */
export class Shown {
  #last: readonly string[] = [];

  add(lines: readonly string[]): void {
    this.#last = [...this.#last, ...lines].slice(-overlap);
  }

  /** Of an output's last lines those that come after what was shown; `gap`: that is not among them. */
  after(lines: readonly string[]): { readonly fresh: readonly string[]; readonly gap: boolean } {
    const last = this.#last;
    if (last.length === 0) return { fresh: lines, gap: false };
    for (let end = lines.length; end > 0; end--) {
      const known = Math.min(end, last.length);
      if (last.slice(-known).every((line, index) => line === lines[end - known + index])) {
        return { fresh: lines.slice(end), gap: false };
      }
    }
    return { fresh: lines, gap: lines.length > 0 };
  }
}
