/** An item -> what exactly is to be at which path: templates filled in, owners as numbers, one key to compare. Pure. */
import { createHash } from 'node:crypto';
import type { FileItem } from '../../../shared/schemas/file.ts';
import { type Accounts, ownerOf } from './accounts.ts';
import { octal } from './fingerprint.ts';
import { type Facts, render } from './template.ts';

interface Common {
  readonly path: string;
  /** Two targets with the same key at the same path are the same. */
  readonly key: string;
  /** Drift is only reported. */
  readonly isReport: boolean;
  /** Undefined: whose it becomes by being made by the agent. */
  readonly uid: number | undefined;
  readonly gid: number | undefined;
}
export interface FileTarget extends Common {
  readonly what: 'file';
  readonly mode: number;
  /** Inline content, filled in. */
  readonly content?: string;
  readonly source?: string;
  /** Of the content; undefined for a source that says none. */
  readonly sha256: string | undefined;
}
export interface FolderTarget extends Common {
  readonly what: 'folder';
  readonly source: string;
  /** Of the archive. */
  readonly sha256: string | undefined;
  readonly strip: number;
}
export interface AbsentTarget extends Common {
  readonly what: 'absent';
}
export type Target = FileTarget | FolderTarget | AbsentTarget;

export interface Surroundings {
  readonly facts: Facts;
  readonly accounts: Accounts;
  /** What is known of a local file by looking at it: changes when the file does. `""`: there is none. */
  sourceSeen(path: string): string;
  /** The agent's own folder: no item may write there. */
  readonly ownFolder: string;
}

/** The path with single slashes. */
export const plainPath = (path: string): string =>
  `/${path
    .split('/')
    .filter(part => part !== '')
    .join('/')}`;

/** Whether `path` is below `folder`. */
export const isBelow = (path: string, folder: string): boolean => path.startsWith(folder === '/' ? '/' : `${folder}/`);

/** The local path of a `file:///…` source; undefined for others. */
export function localPath(source: string): string | undefined {
  if (!source.startsWith('file:///')) return undefined;
  try {
    return decodeURIComponent(source.slice('file://'.length));
  } catch {
    return source.slice('file://'.length);
  }
}

/** @returns the target, or one sentence why there can be none on this node. */
export function targetOf(item: FileItem, around: Surroundings): Target | { readonly wrong: string } {
  const path = plainPath(item.path);
  if (path === around.ownFolder || isBelow(path, around.ownFolder)) {
    return { wrong: `${path} is in the agent's own folder: name another path` };
  }
  const isReport = item.drift === 'report';
  if (item.state === 'absent') return { what: 'absent', path, key: 'absent', isReport, uid: undefined, gid: undefined };
  const owner = item.owner === undefined ? undefined : ownerOf(item.owner, around.accounts);
  if (typeof owner === 'string') return { wrong: owner };
  const { uid, gid } = owner ?? { uid: undefined, gid: undefined };
  const whose = `${uid ?? ''}:${gid ?? ''}`;
  const { source } = item;
  const sha256 = item.sha256 ?? /^artifact:([0-9a-f]{64})$/.exec(source ?? '')?.[1];
  const local = source === undefined || sha256 !== undefined ? undefined : localPath(source);
  const bytes = sha256 ?? (local === undefined ? '' : `${local} ${around.sourceSeen(local)}`);
  if (item.unpack === true && source !== undefined) {
    const strip = item.strip ?? 0;
    const key = `folder ${bytes} ${strip} ${whose}`;
    return { what: 'folder', path, key, isReport, uid, gid, source, sha256, strip };
  }
  const mode = Number.parseInt(item.mode ?? '0644', 8);
  const common = { what: 'file', path, isReport, uid, gid, mode } as const;
  if (source !== undefined) return { ...common, key: `file ${bytes} ${octal(mode)} ${whose}`, source, sha256 };
  const filled = item.template === true ? render(item.content ?? '', around.facts) : { text: item.content ?? '' };
  if ('wrong' in filled) return filled;
  const digest = createHash('sha256').update(filled.text).digest('hex');
  return { ...common, key: `file ${digest} ${octal(mode)} ${whose}`, content: filled.text, sha256: digest };
}
