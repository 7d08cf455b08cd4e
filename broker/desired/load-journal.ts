/** Reads the journal back at the start. What cannot be read is never guessed at: the supervisor does not start then. */
import { z } from 'zod';
import { check, parseJson } from '../../shared/codec.ts';
import { sentence } from '../../shared/errors.ts';
import { format } from '../../shared/limits.ts';
import { isId, printable } from '../../shared/names.ts';
import { serviceSchema } from '../../shared/schemas/service.ts';
import type { Store } from '../../shared/store.ts';
import type { NodeEntry } from './compile.ts';

export interface LoadedJournal {
  /** Nothing was ever written. */
  readonly fresh: boolean;
  readonly gen: number;
  readonly rev: number;
  readonly nodes: ReadonlyMap<string, NodeEntry>;
}

const count = z.number().int().nonnegative();
const entrySchema = z.object({ services: z.record(z.string(), serviceSchema), rev: count });
const documents = 'doc/node/';

export function loadJournal(store: Store, done: (error: string | undefined, found?: LoadedJournal) => void): void {
  store.read('meta/', (metaError, meta) => {
    if (metaError) return done(`the journal cannot be read: ${metaError.message}`);
    store.read(documents, (error, entries) => {
      if (error) return done(`the journal cannot be read: ${error.message}`);
      const numbers = new Map(meta.map(([key, value]) => [key.slice('meta/'.length), Number(value)]));
      const found = numbers.get('format');
      if (found === undefined && entries.length > 0) return done(damaged('meta/format', 'it is missing'));
      if (found !== undefined && found !== format) {
        return done(`the journal has format ${found}, this version of Hearth reads ${format}: update Hearth`);
      }
      const nodes = new Map<string, NodeEntry>();
      for (const [key, value] of entries) {
        const node = key.slice(documents.length);
        const json = parseJson(value);
        const entry = json.ok ? check(entrySchema, json.value) : json;
        if (!entry.ok) return done(damaged(key, sentence(entry.error)));
        if (!isId(node)) return done(damaged(key, 'it is no node id'));
        nodes.set(node, entry.value);
      }
      const rev = check(count, numbers.get('rev') ?? 0);
      const gen = check(count, numbers.get('gen') ?? 0);
      if (!rev.ok) return done(damaged('meta/rev', rev.error.message));
      if (!gen.ok) return done(damaged('meta/gen', gen.error.message));
      for (const [node, entry] of nodes) {
        if (entry.rev > rev.value) return done(damaged(`${documents}${node}`, 'it is newer than the journal'));
      }
      done(undefined, { fresh: found === undefined, gen: gen.value, rev: rev.value, nodes });
    });
  });
}

const damaged = (key: string, why: string): string =>
  `the journal's entry ${printable(key)} cannot be read (${why}): restore the data folder from a backup`;
