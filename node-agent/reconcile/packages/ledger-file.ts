/** The ledger on disk: `packages.json` in the folder of items, synced before anything is changed that it tells of. */
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from '../../../shared/make-folder.ts';
import { readBounded, removeFiles, replaceFile } from '../../replace-file.ts';
import { emptyLedger, isEmpty, type Ledger, ledgerText, parseLedger } from './ledger.ts';

export interface LedgerDisk {
  /** `problem`: there was one that cannot be read; it is kept beside, and nothing in it is known any more. */
  load(): { readonly ledger: Ledger; readonly problem?: string };
  /** On stable storage on return. Throws where it cannot be written. */
  save(ledger: Ledger): void;
}

/** Entries of the most packages that a node may have, several times over. */
const mostBytes = 4 * 1024 * 1024;
const file = 'packages.json';

/** @param folder the agent's own for items, such as `<data>/items`; made where missing. */
export function createLedgerFile(folder: string): LedgerDisk {
  const path = join(folder, file);
  return {
    load() {
      try {
        const text = readBounded(path, mostBytes);
        return { ledger: text === undefined ? emptyLedger : parseLedger(text) };
      } catch (error) {
        const kept = `${path}.damaged`;
        try {
          renameSync(path, kept);
        } catch {}
        const reason = (error as NodeJS.ErrnoException).code ?? 'it is damaged';
        return {
          ledger: emptyLedger,
          problem: `cannot read ${path} (${reason}), which says what packages Hearth installed: it is kept as ${kept}, and what it names is left on this machine`,
        };
      }
    },
    save(ledger) {
      // With nothing to know there is no file, so that an agent without packages need not even load what reads it.
      if (isEmpty(ledger)) {
        removeFiles(folder, file);
        return;
      }
      makeFolder(folder);
      replaceFile(folder, file, ledgerText(ledger), true);
    },
  };
}

/** The ledger as it is, and on its disk: never the one without the other. */
export class Book {
  readonly #disk: LedgerDisk;
  #ledger: Ledger = emptyLedger;

  constructor(disk: LedgerDisk) {
    this.#disk = disk;
  }

  get ledger(): Ledger {
    return this.#ledger;
  }

  /** @returns one sentence where there was one that cannot be read. */
  open(): string | undefined {
    const { ledger, problem } = this.#disk.load();
    this.#ledger = ledger;
    return problem;
  }

  /** @returns one sentence where it cannot be written: nothing changed then. Writes nothing where nothing is to change. */
  write(ledger: Ledger): string | undefined {
    if (JSON.stringify(ledger) === JSON.stringify(this.#ledger)) return undefined;
    try {
      this.#disk.save(ledger);
      this.#ledger = ledger;
      return undefined;
    } catch (error) {
      const reason = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
      return `cannot write down what Hearth installs (${reason}): is the disk full or read-only?`;
    }
  }
}
