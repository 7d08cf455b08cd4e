/** Plugins that somebody put into the node's plugin folder: `NAME.mjs`, `NAME.js`, or a folder `NAME` with a package.json. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, realpathSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { isItemName } from '../../../../shared/names.ts';

export const pluginFolder = (data: string): string => join(data, 'plugins');

export interface FoundPlugin {
  readonly path: string;
  readonly isFolder: boolean;
}

/** Entries of a plugin's folder that are looked at for changes. */
const mostEntries = 2000;
/** The first of these that is there counts. */
const endings = ['.mjs', '.js', ''] as const;

function stat(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

/** @param data the agent's data folder. */
export function findPlugin(data: string, name: string): FoundPlugin | undefined {
  if (!isItemName(name) || name.startsWith('.')) return undefined;
  for (const ending of endings) {
    const path = join(pluginFolder(data), `${name}${ending}`);
    const found = stat(path);
    if (ending !== '' && found?.isFile()) return { path: realpathSync(path), isFolder: false };
    if (ending === '' && found?.isDirectory() && existsSync(join(path, 'package.json'))) {
      return { path: realpathSync(path), isFolder: true };
    }
  }
  return undefined;
}

/** Names of all that are there now, sorted. */
export function pluginNames(data: string): string[] {
  let entries: string[];
  try {
    entries = readdirSync(pluginFolder(data));
  } catch {
    return [];
  }
  const names = new Set(entries.map(entry => entry.replace(/\.m?js$/, '')));
  return [...names].filter(name => findPlugin(data, name) !== undefined).sort();
}

/** Changes when the plugin does: size, times and inode of its file, or of the files in its folder but installed packages. */
export function versionOf({ path, isFolder }: FoundPlugin): string {
  const hash = createHash('sha256');
  let entries = 0;
  const add = (file: string): void => {
    const found = stat(file);
    hash.update(`${file}\0${found?.ino} ${found?.size} ${found?.mtimeMs} ${found?.ctimeMs}\n`);
  };
  const visit = (folder: string): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (entry.name === '.git' || ++entries > mostEntries) continue;
      const full = join(folder, entry.name);
      if (!entry.isDirectory()) add(full);
      // npm writes down there what it has installed.
      else if (entry.name === 'node_modules') add(join(full, '.package-lock.json'));
      else visit(full);
    }
  };
  if (!isFolder) add(path);
  else {
    try {
      visit(path);
    } catch {
      // Somebody is at it: what was seen so far differs from what will be.
    }
  }
  return hash.digest('hex').slice(0, 24);
}
