/**
 * The Store seam on LevelDB (classic-level): every batch is written with `sync`, one fdatasync each.
 *
 * After a write that failed, LevelDB may have half a record in its log. What it wrote behind that and called synced
 * would be thrown away by its next recovery (log_reader.cc skips the rest of a block whose checksum is wrong). So the
 * store is opened again before the next batch: that recovers what is whole, and starts a new log.
 */
import { mkdirSync } from 'node:fs';
import { ClassicLevel } from 'classic-level';
import type { Store } from '../../shared/store.ts';
import { UserError } from '../../shared/user-error.ts';

/** Above every character that a key may hold: the end of a prefix's range. */
const last = '\uffff';

const codeOf = (error: unknown): string => {
  const { code, cause } = error as { code?: string; cause?: unknown };
  return cause === undefined ? String(code ?? '') : `${code ?? ''} ${codeOf(cause)}`;
};
const textOf = (error: unknown): string => {
  const { message, cause } = error as Error;
  return cause instanceof Error ? textOf(cause) : message;
};

type Operation =
  | { readonly type: 'put'; readonly key: string; readonly value: string }
  | { readonly type: 'del'; readonly key: string };

/**
 * Opens the journal's folder, which is made where it is missing.
 * @throws {UserError} one sentence: another process holds it, it is damaged, or it cannot be written.
 */
export async function openLevelStore(folder: string): Promise<Store> {
  const level = new ClassicLevel<string, string>(folder, { keyEncoding: 'utf8', valueEncoding: 'utf8' });
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    await level.open();
  } catch (error) {
    const code = codeOf(error);
    if (code.includes('LEVEL_LOCKED')) {
      throw new UserError(
        `another supervisor is using this data folder (${folder}): stop it, or choose another with --data`,
      );
    }
    if (code.includes('LEVEL_CORRUPTION')) {
      throw new UserError(
        `the journal in ${folder} is damaged (${textOf(error)}): restore the data folder from a backup`,
      );
    }
    throw new UserError(`the journal in ${folder} cannot be opened: ${textOf(error)}`);
  }
  let queue: Promise<void> = Promise.resolve();
  let torn = false;
  const write = async (batch: Operation[]): Promise<void> => {
    if (torn) {
      await level.close();
      await level.open();
      torn = false;
    }
    try {
      await level.batch(batch, { sync: true });
    } catch (error) {
      torn = true;
      throw error;
    }
  };
  const asError = (error: unknown): Error => new Error(textOf(error));
  return {
    read(prefix, done) {
      level
        .iterator({ gte: prefix, lt: prefix + last })
        .all()
        .then(
          entries => setImmediate(done, undefined, entries),
          error => setImmediate(done, asError(error), []),
        );
    },
    readRange(from, to, limit, done) {
      level
        .iterator({ gte: from, lt: to, limit })
        .all()
        .then(
          entries => setImmediate(done, undefined, entries),
          error => setImmediate(done, asError(error), []),
        );
    },
    get(keys, done) {
      level.getMany([...keys]).then(
        values => setImmediate(done, undefined, values),
        error => setImmediate(done, asError(error), []),
      );
    },
    write(ops, done) {
      const batch = ops.map(
        (op): Operation => ('put' in op ? { type: 'put', key: op.put, value: op.value } : { type: 'del', key: op.del }),
      );
      // One after the other: two batches at once would be two threads, and their order anybody's guess.
      queue = queue.then(() =>
        write(batch).then(
          // Outside the promise: an error thrown by `done` is a crash to be seen, not a failed write.
          () => process.nextTick(done),
          error => process.nextTick(done, asError(error)),
        ),
      );
    },
    close(done) {
      queue
        .then(() => level.close())
        .then(
          () => setImmediate(done),
          () => setImmediate(done),
        );
    },
  };
}
