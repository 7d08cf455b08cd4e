/**
 * The planner of files: what is, what is wanted -> typed steps. Pure. What is no longer wanted is restored first, inner
 * paths before outer ones; then files and folders are made, a folder before the files that are put into it.
 */
import type { FileItem } from '../../../shared/schemas/file.ts';
import type { StepOf } from '../kind.ts';
import { type AbsentTarget, type FileTarget, type FolderTarget, isBelow, plainPath, type Target } from './target.ts';

export interface FileSteps {
  /** The file as it is to be: new, changed, or put right (`isRepair`). */
  'file.write': { readonly name: string; readonly target: FileTarget; readonly isRepair: boolean };
  /** Nothing is to be there; what was is kept. */
  'file.remove': { readonly name: string; readonly target: AbsentTarget; readonly isRepair: boolean };
  /** Hearth no longer looks after the path: what it put there goes, what was there before comes back. */
  'file.restore': { readonly name: string; readonly path: string };
  /** The whole folder, from an archive, in the place of whatever was there. */
  'folder.unpack': { readonly name: string; readonly target: FolderTarget };
  /** What differs in the folder is put right, one file at a time. */
  'folder.repair': { readonly name: string; readonly target: FolderTarget };
}

/** A path that Hearth looks after, as far as planning goes. */
export interface HeldIs {
  readonly item: string;
  readonly what: Target['what'];
  /** Of the target that it was made to be. */
  readonly key: string;
  /** It is not as Hearth left it. */
  readonly isDrifted: boolean;
}

export interface FilesIs {
  readonly held: ReadonlyMap<string, HeldIs>;
  /** By name. What is wanted and not here cannot be made for now (an unknown owner, a fact that is not there). */
  readonly targets: ReadonlyMap<string, Target>;
  /** Paths that are to be absent, are not held, and are there. */
  readonly there: ReadonlySet<string>;
  /** Names of items, and `restoreId` of paths, that failed and whose next try is not due. */
  readonly waiting: ReadonlySet<string>;
}

export const restoreId = (path: string): string => `restore:${path}`;
const fileId = (name: string): string => `files/${name}`;

type FileStep = StepOf<FileSteps>;

/** The second of two items with one path, by name -> one sentence. */
export function clashes(wanted: Readonly<Record<string, FileItem>>): Map<string, string> {
  const first = new Map<string, string>();
  const found = new Map<string, string>();
  for (const name of Object.keys(wanted).sort()) {
    const path = plainPath(wanted[name]?.path ?? '');
    const other = first.get(path);
    if (other === undefined) first.set(path, name);
    else found.set(name, `${path} is already that of files/${other}: name another path`);
  }
  return found;
}

/** Steps from `is` to `wanted`. The same again plans nothing. */
export function planFiles(is: FilesIs, wanted: Readonly<Record<string, FileItem>>): FileStep[] {
  const clashed = clashes(wanted);
  const names = Object.keys(wanted)
    .filter(name => !clashed.has(name))
    .sort();
  const nameOf = new Map(names.map(name => [plainPath(wanted[name]?.path ?? ''), name]));
  const targets = new Map<string, Target>();
  for (const name of names) {
    const target = is.targets.get(name);
    if (target && !is.waiting.has(name)) targets.set(target.path, target);
  }
  const restores = planRestores(is, nameOf, targets);
  const unpacks: FileStep[] = [];
  const writes: FileStep[] = [];
  const made: { readonly path: string; readonly id: string }[] = [];
  // Outer paths first, so that each knows which folders around it are made anew.
  for (const path of [...targets.keys()].sort()) {
    const target = targets.get(path);
    const name = nameOf.get(path);
    if (!target || name === undefined) continue;
    const around = made.filter(folder => isBelow(path, folder.path)).map(folder => folder.id);
    const step = stepFor(is, name, target, around.length > 0);
    if (!step) continue;
    const before = restores.filter(({ args }) => touches(args.path, path)).map(restore => restore.id);
    const whole = { ...step, id: fileId(name), after: [...before, ...around] } as FileStep;
    if (whole.step === 'folder.unpack') made.push({ path, id: whole.id });
    (target.what === 'folder' ? unpacks : writes).push(whole);
  }
  const byName = (a: FileStep, b: FileStep) => (a.id < b.id ? -1 : 1);
  return [...restores, ...unpacks.sort(byName), ...writes.sort(byName)];
}

type Restore = Extract<FileStep, { step: 'file.restore' }>;

function planRestores(
  is: FilesIs,
  nameOf: ReadonlyMap<string, string>,
  targets: ReadonlyMap<string, Target>,
): Restore[] {
  const restores: Restore[] = [];
  for (const path of [...is.held.keys()].sort().reverse()) {
    const held = is.held.get(path);
    const target = targets.get(path);
    if (!held || is.waiting.has(restoreId(path))) continue;
    // A file that becomes a folder, or the reverse: what was there before is the same, and is kept anew.
    const isOther = target !== undefined && target.what !== held.what;
    if (nameOf.has(path) && !isOther) continue;
    const inner = restores.filter(({ args }) => isBelow(args.path, path)).map(restore => restore.id);
    restores.push({ id: restoreId(path), step: 'file.restore', args: { name: held.item, path }, after: inner });
  }
  return restores;
}

const touches = (a: string, b: string): boolean => a === b || isBelow(a, b) || isBelow(b, a);

/** @param isSwept the folder around it is made anew, and it with it. */
function stepFor(is: FilesIs, name: string, target: Target, isSwept: boolean) {
  const held = is.held.get(target.path);
  const isHeld = held !== undefined && held.what === target.what && !isSwept;
  const isSame = isHeld && held.key === target.key;
  if (isSame && (!held.isDrifted || target.isReport)) return undefined;
  switch (target.what) {
    case 'file':
      return { step: 'file.write', args: { name, target, isRepair: isSame } } as const;
    case 'folder':
      return { step: isSame ? 'folder.repair' : 'folder.unpack', args: { name, target } } as const;
    case 'absent':
      // Nothing there and nothing held: it is as wanted already.
      if (!isHeld && !isSwept && held === undefined && !is.there.has(target.path)) return undefined;
      return { step: 'file.remove', args: { name, target, isRepair: isSame } } as const;
  }
}
