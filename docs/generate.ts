/**
 * Writes docs/reference from shared/: `npm run docs`. With `--check` it writes nothing and fails where a file is not
 * what it would write, or does not belong there.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { referenceFiles } from './reference-files.ts';

const root = join(import.meta.dirname, '..');
const folder = join(import.meta.dirname, 'reference');

/** What is wrong with the files on disk, one line each. */
export function staleFiles(): readonly string[] {
  const wanted = referenceFiles();
  const problems: string[] = [];
  for (const [name, text] of wanted) {
    const found = read(join(folder, name));
    if (found === undefined) problems.push(`${name} is missing`);
    else if (found !== text) problems.push(`${name} is stale`);
  }
  for (const name of existing()) if (!wanted.has(name)) problems.push(`${name} is not generated any more`);
  return problems;
}

function existing(): readonly string[] {
  mkdirSync(folder, { recursive: true });
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => relative(folder, join(entry.parentPath, entry.name)));
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function write(): number {
  const wanted = referenceFiles();
  for (const name of existing()) if (!wanted.has(name)) rmSync(join(folder, name));
  let changed = 0;
  for (const [name, text] of wanted) {
    const file = join(folder, name);
    if (read(file) === text) continue;
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    changed++;
  }
  return changed;
}

if (process.argv[1] === import.meta.filename) {
  if (process.argv.includes('--check')) {
    const problems = staleFiles();
    for (const problem of problems) console.error(`docs/reference/${problem}`);
    if (problems.length > 0) console.error('The reference does not say what shared/ says: run "npm run docs".');
    process.exitCode = problems.length > 0 ? 1 : 0;
  } else {
    console.log(`${relative(root, folder)}: ${write()} files written`);
  }
}
