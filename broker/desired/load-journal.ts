/** Reads the journal back at the start. What cannot be read is never guessed at: the supervisor does not start then. */
import { z } from 'zod';
import { check, parseJson } from '../../shared/codec.ts';
import { sentence } from '../../shared/errors.ts';
import { format } from '../../shared/limits.ts';
import { isId, printable } from '../../shared/names.ts';
import { nodeDocument, roleDocument } from '../../shared/schemas/node-document.ts';
import type { Store } from '../../shared/store.ts';
import { type RoomEntry, roomEntry } from '../heat/rooms/entry.ts';
import { newestRev, rolloutRecord } from '../rollout/record.ts';
import type { NodeEntry, RoleEntry } from './compile.ts';

export interface LoadedJournal {
  /** Nothing was ever written. */
  readonly fresh: boolean;
  readonly gen: number;
  readonly rev: number;
  readonly nodes: ReadonlyMap<string, NodeEntry>;
  readonly roles: ReadonlyMap<string, RoleEntry>;
  readonly rooms: ReadonlyMap<string, RoomEntry>;
}

const count = z.number().int().nonnegative();
const given = z.object({
  roles: z.array(z.string()).optional(),
  labels: z.record(z.string(), z.string()).optional(),
});
const nodeEntry = z.object({
  document: nodeDocument,
  rev: count,
  given: given.optional(),
  kept: z.record(z.string(), z.string()).optional(),
});
const roleEntry = z.object({
  document: roleDocument,
  rev: count,
  gone: z.literal(true).optional(),
  heard: count.optional(),
  rollout: rolloutRecord.optional(),
});
const documents = 'doc/';
const ofRooms = 'room/';

export function loadJournal(store: Store, done: (error: string | undefined, found?: LoadedJournal) => void): void {
  store.read('meta/', (metaError, meta) => {
    if (metaError) return done(`the journal cannot be read: ${metaError.message}`);
    readDocuments(store, (error, entries) => {
      if (error) return done(`the journal cannot be read: ${error.message}`);
      const numbers = new Map(meta.map(([key, value]) => [key.slice('meta/'.length), Number(value)]));
      const found = numbers.get('format');
      if (found === undefined && entries.length > 0) return done(damaged('meta/format', 'it is missing'));
      if (found !== undefined && found !== format) {
        return done(`the journal has format ${found}, this version of Hearth reads ${format}: update Hearth`);
      }
      const nodes = new Map<string, NodeEntry>();
      const roles = new Map<string, RoleEntry>();
      const rooms = new Map<string, RoomEntry>();
      for (const [key, value] of entries) {
        const isRoom = key.startsWith(ofRooms);
        const [noun = '', id = ''] = isRoom ? ['', key.slice(ofRooms.length)] : key.slice(documents.length).split('/');
        const json = parseJson(value);
        if (!json.ok) return done(damaged(key, sentence(json.error)));
        if (noun === 'node' && isId(id)) {
          const entry = check(nodeEntry, json.value);
          if (!entry.ok) return done(damaged(key, sentence(entry.error)));
          nodes.set(id, entry.value);
        } else if (noun === 'role' && (isId(id) || id === 'all')) {
          const entry = check(roleEntry, json.value);
          if (!entry.ok) return done(damaged(key, sentence(entry.error)));
          roles.set(id, entry.value);
        } else if (isRoom && isId(id)) {
          const entry = check(roomEntry, json.value);
          if (!entry.ok) return done(damaged(key, sentence(entry.error)));
          rooms.set(id, entry.value);
        } else return done(damaged(key, `it is no id of a ${isRoom ? 'room' : 'node or role'}`));
      }
      const rev = check(count, numbers.get('rev') ?? 0);
      const gen = check(count, numbers.get('gen') ?? 0);
      if (!rev.ok) return done(damaged('meta/rev', rev.error.message));
      if (!gen.ok) return done(damaged('meta/gen', gen.error.message));
      for (const [prefix, all] of [
        [`${documents}node/`, nodes],
        [`${documents}role/`, roles],
        [ofRooms, rooms],
      ] as const) {
        for (const [id, entry] of all) {
          const newest = 'rollout' in entry && entry.rollout ? newestRev(entry.rollout) : 0;
          if (Math.max(entry.rev, newest) > rev.value)
            return done(damaged(`${prefix}${id}`, 'it is newer than the journal'));
        }
      }
      done(undefined, { fresh: found === undefined, gen: gen.value, rev: rev.value, nodes, roles, rooms });
    });
  });
}

/** Documents of nodes and roles, then those of rooms. */
function readDocuments(store: Store, done: Parameters<Store['read']>[1]): void {
  store.read(documents, (error, entries) => {
    if (error) return done(error, []);
    store.read(ofRooms, (failure, rooms) => done(failure, [...entries, ...rooms]));
  });
}

const damaged = (key: string, why: string): string =>
  `the journal's entry ${printable(key)} cannot be read (${why}): restore the data folder from a backup`;
