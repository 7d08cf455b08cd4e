/**
 * A log file of bounded size: at `maxBytes` it becomes `<file>.1` and a new one begins, so that two of them lie on disk
 * at most. Lines are gathered for a moment and written together; what a slow disk does not take is dropped and counted.
 */
import * as fs from 'node:fs';

export interface LogFile {
  /** Appends text that ends in a newline. */
  write(text: string): void;
  /** Writes what waits, for who reads the file next. */
  flush(): void;
  /** Writes what waits, now, and lets go of the file. */
  close(): void;
}

export interface LogFileOptions {
  readonly maxBytes?: number;
  /** Text that may wait for the disk, in characters. */
  readonly maxWaiting?: number;
  readonly flushMs?: number;
}

/** Throws where the file cannot be opened; later errors (a full disk) only lose lines. */
export function openLogFile(file: string, options: LogFileOptions = {}): LogFile {
  const { maxBytes = 4 * 1024 * 1024, maxWaiting = 1024 * 1024, flushMs = 100 } = options;
  let handle: number | undefined = fs.openSync(file, 'a', 0o600);
  let size = fs.fstatSync(handle).size;
  let waiting = '';
  let dropped = 0;
  let timer: NodeJS.Timeout | undefined;
  let writing = false;

  const rotate = () => {
    if (handle === undefined || size < maxBytes) return;
    fs.closeSync(handle);
    handle = undefined;
    fs.renameSync(file, `${file}.1`);
    handle = fs.openSync(file, 'a', 0o600);
    size = 0;
  };
  const take = (): Buffer => {
    const note =
      dropped > 0 ? `${JSON.stringify({ level: 40, time: Date.now(), dropped, msg: 'lines dropped' })}\n` : '';
    const bytes = Buffer.from(waiting + note);
    waiting = '';
    dropped = 0;
    return bytes;
  };
  const flush = () => {
    timer = undefined;
    if (writing || waiting === '' || handle === undefined) return;
    writing = true;
    const bytes = take();
    fs.write(handle, bytes, (error, written) => {
      writing = false;
      if (!error) size += written;
      try {
        rotate();
      } catch {}
      if (waiting !== '') later();
    });
  };
  const later = () => {
    timer ??= setTimeout(flush, flushMs).unref();
  };
  return {
    write(text) {
      if (waiting.length + text.length > maxWaiting) {
        dropped++;
        return;
      }
      waiting += text;
      later();
    },
    flush() {
      // Where a write is under way, the rest follows it.
      if (writing || waiting === '' || handle === undefined) return;
      try {
        size += fs.writeSync(handle, take());
        rotate();
      } catch {}
    },
    close() {
      if (handle === undefined) return;
      clearTimeout(timer);
      try {
        if (waiting !== '') fs.writeSync(handle, take());
        // A write under way keeps its own descriptor number: closing it now could hit another file.
        if (!writing) fs.closeSync(handle);
      } catch {}
      handle = undefined;
    },
  };
}
