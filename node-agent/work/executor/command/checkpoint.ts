/** The file in which a task saves where it is: read again when it has changed. */
import { closeSync, constants, fstatSync, lstatSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { jobLimits } from '../../../../shared/schemas/job.ts';

export class Checkpoint {
  readonly path: string;
  #seen = '';

  constructor(path: string) {
    this.path = path;
  }

  /** What an earlier attempt saved. */
  begin(base64: string): void {
    writeFileSync(this.path, Buffer.from(base64, 'base64'), { mode: 0o600 });
    this.#seen = this.#state() ?? '';
  }

  /** What was saved since the last look, base64; undefined: nothing, or too much. */
  look(): string | undefined {
    const state = this.#state();
    if (state === undefined || state === this.#seen) return undefined;
    this.#seen = state;
    let file: number | undefined;
    try {
      // A pipe would never end, and a link could lead to what is not the task's.
      file = openSync(this.path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      const found = fstatSync(file);
      if (!found.isFile() || found.size > jobLimits.checkpoint) return undefined;
      const bytes = Buffer.alloc(found.size);
      return bytes.subarray(0, readSync(file, bytes, 0, bytes.length, 0)).toString('base64');
    } catch {
      return undefined;
    } finally {
      if (file !== undefined) closeSync(file);
    }
  }

  end(): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  #state(): string | undefined {
    const found = lstatSync(this.path, { throwIfNoEntry: false, bigint: true });
    return found && `${found.ino} ${found.size} ${found.mtimeNs}`;
  }
}
