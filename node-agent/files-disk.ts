/** The {@link AgentDisk} in a folder: `identity.json` (0600, synced), `want.json`, and a lock that names its holder. */
import { chmodSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod/mini';
import { limits } from '../shared/limits.ts';
import { makeFolder } from '../shared/make-folder.ts';
import { isId } from '../shared/names.ts';
import { UserError } from '../shared/user-error.ts';
import type { AgentDisk, AgentMemory } from './disk.ts';
import { readBounded, replaceFile } from './replace-file.ts';

const identitySchema = z.object({
  format: z.literal(1),
  node: z.string().check(z.refine(isId)),
  defaulted: z.optional(z.boolean()),
  inst: z.string().check(z.regex(/^[0-9a-f]{8,32}$/)),
  epochCeiling: z.int().check(z.nonnegative()),
  cluster: z.optional(
    z.object({ fingerprint: z.string().check(z.regex(/^[0-9a-f]{32}$/)), key: z.string().check(z.maxLength(64)) }),
  ),
});

/** `hearth-agent --safe` writes it, too (deploy/hearth-agent). */
const safeModeFile = 'safe-mode.json';
const safeModeSchema = z.object({ ends: z.int().check(z.nonnegative()), safe: z.boolean() });

const why = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? (error as Error).message;

/** Makes the folder, 0700. Throws a {@link UserError} where that cannot be. */
export function openAgentFolder(folder: string): void {
  try {
    makeFolder(folder);
    chmodSync(folder, 0o700);
  } catch (error) {
    throw new UserError(`cannot use the data folder ${folder} (${why(error)}): name a writable one with --data`);
  }
}

export function createFilesDisk(folder: string): AgentDisk {
  const identity = join(folder, 'identity.json');
  return {
    load(): AgentMemory | undefined {
      let text: string | undefined;
      let reason = 'it is damaged';
      try {
        text = readBounded(identity, 64 * 1024);
        if (text === undefined) return undefined;
        const json: unknown = JSON.parse(text);
        const found = (json as { format?: unknown } | null)?.format;
        if (typeof found === 'number' && found > 1) reason = `it is of format ${found}, written by a newer Hearth`;
        const { format: _, ...memory } = identitySchema.parse(json);
        return memory as AgentMemory;
      } catch (error) {
        if (text === undefined) reason = why(error);
        // A made-up identity would be another node under the same name, and would leave this one's services unclaimed.
        throw new UserError(
          `cannot read this node's identity in ${identity} (${reason}): put the file back from a copy, or remove it to join as a new node`,
        );
      }
    },
    save(memory) {
      try {
        replaceFile(folder, 'identity.json', `${JSON.stringify({ format: 1, ...memory })}\n`, true);
      } catch (error) {
        throw new UserError(
          `cannot write this node's identity in ${identity} (${why(error)}): is the disk full or read-only?`,
        );
      }
    },
    loadWant() {
      const path = join(folder, 'want.json');
      try {
        return readBounded(path, limits.message);
      } catch (error) {
        throw new UserError(`cannot read the kept document in ${path} (${why(error)})`);
      }
    },
    saveWant(text) {
      const path = join(folder, 'want.json');
      try {
        if (text === '') rmSync(path, { force: true });
        else replaceFile(folder, 'want.json', text, false);
      } catch (error) {
        throw new UserError(`cannot keep the document in ${path} (${why(error)}): is the disk full or read-only?`);
      }
    },
    loadSafeMode() {
      try {
        return safeModeSchema.parse(JSON.parse(readBounded(join(folder, safeModeFile), 1024) ?? '{}'));
      } catch {
        // Not there, or damaged: nothing is known of ends, and nobody asked.
        return { ends: 0, safe: false };
      }
    },
    saveSafeMode(memory) {
      if (memory.ends === 0 && !memory.safe) rmSync(join(folder, safeModeFile), { force: true });
      else replaceFile(folder, safeModeFile, `${JSON.stringify(memory)}\n`, false);
    },
  };
}
