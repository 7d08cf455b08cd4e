/** The folders of a task that is over. */
import { rm, rmdirSync } from 'node:fs';

/** Most leave nothing behind. */
export function removeFolder(path: string | undefined): void {
  if (path === undefined) return;
  try {
    rmdirSync(path);
  } catch {
    rm(path, { recursive: true, force: true }, () => {});
  }
}
