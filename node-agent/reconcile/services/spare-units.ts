/**
 * Folders of units to be, made before anybody waits for them: a new file costs ext4 up to half a millisecond, and a unit
 * has three of them and a folder. Each belongs to the agent whose pid its name begins with; the rest is swept away.
 */
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Waiting ones of this process, and how many there ever were. */
const made = new Set<string>();
let count = 0;

export class SpareUnits {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** The path of a new one. Throws what the file system throws. */
  make(): string {
    const path = join(this.#path, `${process.pid}-${count++}`);
    made.add(path);
    mkdirSync(path, { recursive: true, mode: 0o700 });
    for (const name of ['unit.json', 'output', 'run']) writeFileSync(join(path, name), '', { mode: 0o600 });
    return path;
  }

  /** It becomes a unit's folder. Throws what the file system throws. */
  use(path: string, unit: string): void {
    renameSync(path, unit);
    made.delete(path);
  }

  /** One that a disk gone read-only does not let go stays, for the next agent's sweep. */
  remove(path: string): void {
    made.delete(path);
    try {
      rmSync(path, { recursive: true, force: true });
    } catch {}
  }

  /** Removes what agents have left that were killed. */
  sweep(): void {
    let names: string[];
    try {
      names = readdirSync(this.#path);
    } catch {
      return;
    }
    for (const name of names) {
      const path = join(this.#path, name);
      if (!made.has(path) && !isOthers(Number.parseInt(name, 10))) this.remove(path);
    }
  }
}

/** Whether another agent with that pid may be running; one with this pid was in an earlier life of it. */
function isOthers(pid: number): boolean {
  if (!(pid > 0) || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
