/**
 * A unit's output: a file that its processes append to, watched and kept bounded from outside. It can be cut at any
 * moment because every writer has it open with O_APPEND and goes on at the new end.
 *
 * Quiet, it costs one inotify watch and no timer. The first write ends the watch and begins a series of looks, close
 * together as long as it grows, so that neither a program that writes a byte at a time nor one that writes a gigabyte a
 * second keeps the agent busy; when it is quiet again, it is watched again.
 */
import { appendFileSync, copyFile, type FSWatcher, truncate, truncateSync, watch, writeFileSync } from 'node:fs';
import { readPart, sizeOf } from './file-part.ts';
import { type FollowedLines, LineReader } from './line-reader.ts';

/** Looks at a growing file, milliseconds apart. */
const lookMs = 40;
const lookFastMs = 5;
/** Of a flood, a file that is far above the limit at one look, only this much is kept: copying costs the agent time. */
const floodKept = 64 * 1024;
const floodTimes = 4;
/** The same where all of it is copied. */
const largeFloodTimes = 1.5;
/** Up to this limit a file is copied at once. */
const quickBytes = 2 * 1024 * 1024;
/** Of the part before, so much is for what is written while it is copied; a writer that never pauses is not waited for. */
const catchUpShare = 1 / 8;
const catchUpRounds = 4;
/** Growth between two looks from which on they are close together, bytes. */
const fastBytes = 128 * 1024;

export class OutputFile {
  readonly #path: string;
  readonly #lines: (lines: FollowedLines) => void;
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #reader: LineReader | undefined;
  #size = 0;
  #cutting = false;
  #closed = false;
  /** Bytes; above this the file is cut, and the same again may be kept as the part before. */
  limit: number;

  constructor(path: string, limit: number, lines: (lines: FollowedLines) => void) {
    this.#path = path;
    this.limit = limit;
    this.#lines = lines;
    this.#look();
  }

  follow(on: boolean, fromStart: boolean): void {
    if (!on) this.#reader = undefined;
    else if (!this.#reader) {
      this.#reader = new LineReader(this.#path, fromStart ? 0 : sizeOf(this.#path).end);
      if (fromStart) this.#soon(0);
    }
  }

  /** Reports what is left to report, a last line without its end too, and watches no more. */
  finish(): void {
    if (this.#closed) return;
    if (this.#reader) this.#report(this.#reader.last());
    this.close();
  }

  close(): void {
    this.#closed = true;
    this.#watcher?.close();
    clearTimeout(this.#timer);
  }

  #watch(): void {
    try {
      this.#watcher = watch(this.#path, () => this.#look());
      this.#watcher.on('error', () => this.#soon(1000));
    } catch {
      // Out of inotify watches, or no such thing here: look once a second.
      this.#soon(1000);
    }
  }

  #soon(ms: number): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    clearTimeout(this.#timer);
    if (!this.#closed) this.#timer = setTimeout(() => this.#look(), ms);
  }

  #look(): void {
    if (this.#closed) return;
    const { end, stored } = sizeOf(this.#path);
    const grown = end - this.#size;
    this.#size = end;
    if (this.#reader) this.#report(this.#reader.read());
    if (stored > this.limit) {
      this.#cut(end);
      return;
    }
    if (grown === 0) {
      if (this.#watcher) return;
      clearTimeout(this.#timer);
      this.#watch();
      // What was written between the look and the watch.
      if (this.#watcher && sizeOf(this.#path).end !== end) this.#soon(lookMs);
      return;
    }
    this.#soon(grown > fastBytes ? lookFastMs : lookMs);
  }

  /**
   * Copies the newest part and empties the file. What is written meanwhile is copied too, until a look finds nothing more:
   * lost is only what comes between that and the emptying.
   */
  #cut(end: number): void {
    if (this.#cutting) return;
    this.#cutting = true;
    this.#watcher?.close();
    this.#watcher = undefined;
    const large = this.limit > quickBytes;
    const flood = end > (large ? largeFloodTimes : floodTimes) * this.limit;
    const before = `${this.#path}.1`;
    const emptied = () => {
      this.#cutting = false;
      this.#size = 0;
      this.#reader?.restart();
      this.#soon(lookFastMs);
    };
    // Copying and giving back many megabytes takes a while, which the event loop does not wait for.
    if (!flood && large) {
      copyFile(this.#path, before, () => {
        this.#catchUp(sizeOf(before).end);
        truncate(this.#path, 0, emptied);
      });
      return;
    }
    const kept = flood ? floodKept : Math.min(end, this.limit * (1 - catchUpShare));
    try {
      writeFileSync(before, readPart(this.#path, end - kept, kept), { mode: 0o600 });
    } catch {
      // No room for the part before: then it goes without.
    }
    this.#catchUp(end);
    if (flood) {
      truncate(this.#path, 0, emptied);
      return;
    }
    try {
      truncateSync(this.#path, 0);
    } catch {}
    emptied();
  }

  /** @param from up to where it is copied already. */
  #catchUp(from: number): void {
    let at = from;
    for (let round = 0; round < catchUpRounds; round++) {
      const more = readPart(this.#path, at, (this.limit * catchUpShare) / catchUpRounds);
      if (more.length === 0) return;
      try {
        appendFileSync(`${this.#path}.1`, more, { mode: 0o600 });
      } catch {
        return;
      }
      at += more.length;
    }
  }

  #report(lines: FollowedLines): void {
    if (lines.length > 0) this.#lines(lines);
  }
}
