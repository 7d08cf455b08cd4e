/** What is wrong with an `apply` although its file is right: told before anything is sent. Pure. */
import type { z } from 'zod';
import { check } from '../../shared/codec.ts';
import { sentence } from '../../shared/errors.ts';
import { limits } from '../../shared/limits.ts';
import { nearest } from '../../shared/names.ts';
import type { ClusterFile } from './cluster-file.ts';
import { idOf, nounOf } from './document.ts';
import { inputs, roomProblem } from './inputs.ts';
import type { Documents, NounPlan } from './plan.ts';
import type { Outlook } from './simulate.ts';

/** Nodes that nobody knows, each at its place. */
export function strangers({ said }: ClusterFile, documents: Documents): readonly string[] {
  const known = [...documents.keys()].flatMap(path => (nounOf(path) === 'node' ? [idOf(path)] : []));
  return [...said].flatMap(([path, { at }]) => {
    // Roles and rooms come into being by what is said of them.
    if (nounOf(path) !== 'node' || documents.has(path)) return [];
    const near = nearest(idOf(path), known);
    const hint = near === undefined ? '"hearth nodes" lists them' : `did you mean "${near}"?`;
    return [`${at}: there is no node "${idOf(path)}": ${hint}`];
  });
}

/** `rev`, `tx` and the braces around a patch. */
const aroundBytes = 128;

/** Why the supervisor would refuse the document as it will be, with what others said in it. */
export function problemOf({ path, after, patch }: NounPlan): string | undefined {
  const schema: z.ZodType = inputs[nounOf(path)];
  const checked = check(schema, after);
  if (!checked.ok) return `${path}: ${sentence(checked.error)}`;
  const problem = nounOf(path) === 'room' ? roomProblem(after) : undefined;
  if (problem) return `${path}: ${sentence(problem)}`;
  const bytes = Buffer.byteLength(JSON.stringify(patch ?? {})) + aroundBytes;
  if (bytes <= limits.message) return undefined;
  return `${path}: its change is ${Math.ceil(bytes / 1024)} kB, but a message may have at most ${limits.message / 1024} kB: let its files come from artifacts`;
}

/** Roles of the file that no node has, when all is accepted. */
export function rolesOfNobody({ said }: ClusterFile, { roles }: Outlook): readonly string[] {
  const had = new Set([...roles.values()].flat());
  return [...said].flatMap(([path, { at }]) =>
    nounOf(path) === 'role' && !had.has(idOf(path)) ? [`${at}: no node has the role "${idOf(path)}" yet`] : [],
  );
}
