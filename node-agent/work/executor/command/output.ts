/** What a command writes: into files, as nobody has to be there to read them; told in its result as far as it fits there. */
import { closeSync, fstatSync, openSync, readSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';

/** Of stdout and stderr together, in one result; both as JSON. */
const inlineBytes = 60 * 1024;
/** What stderr gets of that, at most, where stdout needs the rest. */
const errorBytes = 16 * 1024;

export class Output {
  readonly path: string;
  readonly out: number;
  readonly err: number;

  /** Throws where the disk refuses. */
  constructor(folder: string, name: string) {
    this.path = join(folder, `${name}.out`);
    this.out = openSync(this.path, 'ax+', 0o600);
    try {
      const errors = join(folder, `${name}.err`);
      this.err = openSync(errors, 'ax+', 0o600);
      // Nobody asks for it by its name.
      unlinkSync(errors);
    } catch (error) {
      closeSync(this.out);
      unlinkSync(this.path);
      throw error;
    }
  }

  /** Bytes so far, both together. */
  get bytes(): number {
    return fstatSync(this.out).size + fstatSync(this.err).size;
  }

  /** `long`: there is more on stdout than this tells, or it is no text: the whole is at `path`. */
  read(): { readonly out?: string; readonly errout?: string; readonly long: boolean } {
    const errout = tail(this.err, errorBytes);
    const out = tail(this.out, inlineBytes - errout.bytes);
    return {
      ...(out.text === '' ? {} : { out: out.text }),
      ...(errout.text === '' ? {} : { errout: errout.text }),
      long: out.cut,
    };
  }

  close(): void {
    closeSync(this.out);
    closeSync(this.err);
    try {
      unlinkSync(this.path);
    } catch {
      // The disk has gone read-only: the next executor sweeps.
    }
  }
}

/** @param most bytes as JSON. */
function tail(file: number, most: number): { readonly text: string; readonly bytes: number; readonly cut: boolean } {
  const { size } = fstatSync(file);
  if (size === 0) return { text: '', bytes: 0, cut: false };
  const buffer = Buffer.alloc(Math.min(size, most));
  const read = buffer.subarray(0, readSync(file, buffer, 0, buffer.length, size - buffer.length));
  let from = 0;
  // Not in the middle of a character.
  if (read.length < size) while (from < 4 && ((read[from] ?? 0) & 0xc0) === 0x80) from++;
  let text = read.toString('utf8', from);
  let cut = read.length < size || !Buffer.from(text).equals(read.subarray(from));
  let bytes = jsonBytes(text);
  while (bytes > most) {
    cut = true;
    text = text.slice(Math.ceil(text.length * (1 - most / bytes)) || 1);
    if (/^[\udc00-\udfff]/.test(text)) text = text.slice(1);
    bytes = jsonBytes(text);
  }
  return { text, bytes, cut };
}

const jsonBytes = (text: string): number => Buffer.byteLength(JSON.stringify(text)) - 2;
