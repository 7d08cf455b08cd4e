/** Whole lines out of a growing file, and its last ones. Output is hostile: sizes are bounded, bytes need be no text. */
import { readPart, sizeOf } from './file-part.ts';

export type FollowedLines = readonly string[];

/** A longer line is cut. */
const lineLimit = 2000;
/** Read at one look; what a follower cannot be shown of a flood is counted. */
const lookBytes = 64 * 1024;
/** Enough for the last lines, where lines are as long as lines are: for a few, and for many. */
const [tailBytes, longTailBytes] = [32 * 1024, 256 * 1024];
const fewLines = 100;

const newline = 0x0a;

/** Holes of a cut file read as NULs and are dropped. */
const asLine = (bytes: Buffer): string => {
  const text = bytes.toString('utf8').replaceAll('\0', '').replace(/\r$/, '');
  return text.length > lineLimit ? `${text.slice(0, lineLimit - 1)}…` : text;
};

function asLines(bytes: Buffer): string[] {
  const lines: string[] = [];
  let from = 0;
  for (let to = bytes.indexOf(newline); to >= 0; to = bytes.indexOf(newline, from)) {
    lines.push(asLine(bytes.subarray(from, to)));
    from = to + 1;
  }
  if (from < bytes.length) lines.push(asLine(bytes.subarray(from)));
  return lines;
}

export class LineReader {
  readonly #path: string;
  #at: number;
  /** The line that begins at `#at` is already reported in part and cut. */
  #cut = false;

  /** @param from where to begin; inside a line, with the whole of that line. */
  constructor(path: string, from: number) {
    this.#path = path;
    const before = readPart(path, Math.max(0, from - lookBytes), Math.min(from, lookBytes));
    this.#at = from - (before.length - (before.lastIndexOf(newline) + 1));
  }

  /** Complete lines since the last call. */
  read(): FollowedLines {
    const skipped = this.#skip();
    const bytes = readPart(this.#path, this.#at, lookBytes);
    const end = bytes.lastIndexOf(newline) + 1;
    if (end === 0 && bytes.length < lookBytes) return skipped;
    // No end in sight: reported as far as it goes, the rest of that line is not.
    const used = end === 0 ? bytes : bytes.subarray(0, end);
    this.#at += used.length;
    const lines = asLines(used);
    if (this.#cut) lines.shift();
    this.#cut = end === 0;
    return [...skipped, ...lines];
  }

  /** Complete lines, and the last one as it is. */
  last(): FollowedLines {
    const lines = this.read();
    const rest = readPart(this.#path, this.#at, lookBytes);
    this.#at += rest.length;
    return this.#cut || rest.length === 0 ? lines : [...lines, ...asLines(rest)];
  }

  /** The file was emptied. */
  restart(): void {
    this.#at = 0;
    this.#cut = false;
  }

  /** Catches up with a flood. */
  #skip(): FollowedLines {
    const end = sizeOf(this.#path).end;
    if (end < this.#at) this.restart();
    const behind = end - this.#at - lookBytes;
    if (behind <= 0) return [];
    this.#at += behind;
    this.#cut = true;
    return [`… ${behind} bytes of output not shown …`];
  }
}

/** The last lines of a unit's output, oldest first; from the part before where the newest is short. */
export function lastLines(path: string, count: number): string[] {
  if (count <= 0) return [];
  const most = count <= fewLines ? tailBytes : longTailBytes;
  const newest = lastOf(path, most);
  // Long lines leave some of the newest part unread: then what is before that would not be what came before.
  const lines = newest.length >= count || sizeOf(path).end > most ? newest : [...lastOf(`${path}.1`, most), ...newest];
  return lines.slice(-count);
}

function lastOf(path: string, most: number): string[] {
  const from = Math.max(0, sizeOf(path).end - most);
  const lines = asLines(readPart(path, from, most));
  // The first is the end of a line.
  return from > 0 && lines.length > 1 ? lines.slice(1) : lines;
}
