import { writeFileSync } from 'node:fs';
import { reason } from './unit-folder.ts';

/** Why no file of a record's size can be written at `path`, which is left behind; undefined where one can. */
export function whyUnwritable(path: string): string | undefined {
  try {
    writeFileSync(path, 'x'.repeat(512), { mode: 0o600 });
    return undefined;
  } catch (error) {
    return reason(error);
  }
}
