/**
 * The one way from an older data folder to this version's: a list of steps, each from one format to the next. The number
 * is kept twice, in the file `format` (looked at before anything is opened) and in the journal; a step that was cut off
 * is done again at the next start, so each must stand being repeated.
 */
import { join } from 'node:path';
import { format } from '../shared/limits.ts';
import type { Log } from '../shared/log.ts';
import type { Store, StoreOp } from '../shared/store.ts';
import { UserError } from '../shared/user-error.ts';
import { type DataFolder, writeSafely } from './data-folder.ts';

interface Step {
  readonly from: number;
  /** For the log. */
  readonly what: string;
  /** What is written together with the new number. */
  ops(entries: readonly (readonly [key: string, value: string])[]): readonly StoreOp[];
}

const steps: readonly Step[] = [
  // Format 2 keeps users, tokens and nodes' certificates below `trust/`. A Hearth that knows only format 1 would open
  // such a cluster to everybody on its machine, so it must refuse it; there is nothing to convert.
  { from: 1, what: 'users and certificates have a place in the journal', ops: () => [] },
  // Format 3 has roles, and beside a node's document what was decided when it joined: the document is a key of its own.
  { from: 2, what: "a node's document is one part of its entry", ops: entries => entries.flatMap(documentApart) },
];

function documentApart([key, value]: readonly [string, string]): readonly StoreOp[] {
  if (!key.startsWith('doc/node/')) return [];
  const entry = JSON.parse(value) as { rev?: unknown; document?: unknown };
  // Done already, by a start that was cut off.
  if (typeof entry !== 'object' || entry === null || entry.document !== undefined) return [];
  const { rev, ...document } = entry;
  return [{ put: key, value: JSON.stringify({ document, rev }) }];
}

const read = (store: Store, prefix: string): Promise<readonly (readonly [string, string])[]> =>
  new Promise((resolve, reject) => store.read(prefix, (error, found) => (error ? reject(error) : resolve(found))));
const write = (store: Store, ops: readonly StoreOp[]): Promise<void> =>
  new Promise((resolve, reject) => store.write(ops, error => (error ? reject(error) : resolve())));

/** Brings journal and folder to this version's format. A journal that was never written to is left alone. */
export async function upgradeFormat(folder: DataFolder, store: Store, log: Log): Promise<void> {
  const [, text] = (await read(store, 'meta/format'))[0] ?? [];
  if (text === undefined) return;
  let found = Number(text);
  for (const step of steps) {
    if (found !== step.from) continue;
    const next = { put: 'meta/format', value: String(found + 1) };
    try {
      await write(store, [...step.ops(await read(store, '')), next]);
    } catch (error) {
      throw new UserError(
        `The data folder ${folder.path} could not be brought from format ${found} to ${found + 1} (${(error as Error).message}): nothing was changed; make room or restore it from a backup, and start again.`,
      );
    }
    log.info({ from: found, to: found + 1, what: step.what }, 'the data folder was brought to a newer format');
    found += 1;
  }
  if (found === format && !folder.fresh) writeSafely(join(folder.path, 'format'), `${format}\n`, 0o644);
}
