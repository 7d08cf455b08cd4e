/** What changes in a file's inline text: short, safe for a terminal, and nothing of what may hold a secret. Pure. */
import { structuredPatch } from 'diff';
import { printable } from '../../shared/names.ts';
import type { FileItem } from '../../shared/schemas/file.ts';
import { sealedMark } from '../../shared/sealed-value.ts';

export interface FileDiff {
  /** Each begins with `+`, `-`, a blank, or `@@`. */
  readonly lines: readonly string[];
  /** Lines that are not shown. */
  readonly more: number;
  /** Why there are none. */
  readonly hidden?: string;
}

const mostLines = 40;
/** Lines added and removed beyond which nobody reads a diff, and making one takes long. */
const mostEdits = 1000;

/** @returns undefined where not both of them have a text of their own, or it is the same. */
export function diffOf(before: FileItem, after: FileItem): FileDiff | undefined {
  const [old, next] = [before.content, after.content];
  if (old === undefined || next === undefined || old === next) return undefined;
  if (old.includes(sealedMark) || next.includes(sealedMark))
    return { lines: [], more: 0, hidden: 'a sealed secret is in it: not shown' };
  const patch = structuredPatch('', '', old, next, undefined, undefined, { context: 2, maxEditLength: mostEdits });
  if (!patch) return { lines: [], more: 0, hidden: 'nearly every line differs: not shown' };
  const all = patch.hunks.flatMap(({ oldStart, newStart, lines }) => [`@@ -${oldStart} +${newStart} @@`, ...lines]);
  const lines = all.slice(0, mostLines).map(line => printable(line, 200));
  return { lines, more: Math.max(0, all.length - mostLines) };
}
