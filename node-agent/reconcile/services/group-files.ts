/** The files of cgroups, as far as limits need them. In tests: a tree in memory that answers as the kernel does. */
import { mkdirSync, readFileSync, writeFile, writeFileSync } from 'node:fs';

/** All but `writeLater` throw what the file system throws. */
export interface GroupFiles {
  read(path: string): string;
  write(path: string, text: string): void;
  /** As `write`, off the event loop. */
  writeLater(path: string, text: string, done: (error: Error | null) => void): void;
  /** One that is there is fine. */
  makeFolder(path: string): void;
}

/** Writing makes no file: one that is not there is a limit that this kernel does not have. */
const flag = 'r+';

export const realGroupFiles: GroupFiles = {
  read: path => readFileSync(path, 'utf8'),
  write: (path, text) => writeFileSync(path, text, { flag }),
  writeLater: (path, text, done) => writeFile(path, text, { flag }, done),
  makeFolder(path) {
    try {
      mkdirSync(path, { mode: 0o755 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  },
};
