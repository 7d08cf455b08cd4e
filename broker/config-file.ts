/** hearth.yaml: read, checked against its schema, and every complaint names file and line. */
import { readFileSync } from 'node:fs';
import { LineCounter, parseDocument } from 'yaml';
import { nearest, printable } from '../shared/names.ts';
import { type ConfigFile, configFile, configVersion, settings } from '../shared/schemas/config.ts';
import { UserError } from '../shared/user-error.ts';

/** Enough for any settings file; a disk image given by mistake is not read. */
const maxBytes = 256 * 1024;

/** @returns undefined where the file is not there. Throws a {@link UserError} naming the line. */
export function readConfigFile(file: string): ConfigFile | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT') return undefined;
    throw new UserError(`${file} cannot be read (${code ?? String(error)}): give this user the right to read it.`);
  }
  return parseConfigFile(text, file);
}

/** @param file its name in the complaints. */
export function parseConfigFile(text: string, file: string): ConfigFile {
  if (text.length > maxBytes) throw new UserError(`${file} is ${text.length} characters long: a settings file is not.`);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  const at = (offset: number): string => `${file}, line ${Math.max(1, lines.linePos(offset).line)}`;
  const broken = document.errors[0] ?? document.warnings[0];
  if (broken) throw new UserError(`${at(broken.pos[0])}: ${printable(firstLine(broken.message), 200)}`);
  const value = unfold(document, file);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UserError(`${file} holds no settings: it starts with "version: ${configVersion}".`);
  }
  if (!('version' in value)) {
    throw new UserError(`${file}, line 1: there is no version: write "version: ${configVersion}" at the top.`);
  }
  const version = (value as { version: unknown }).version;
  if (typeof version === 'number' && version > configVersion) {
    throw new UserError(
      `${file} has version ${version}, but this Hearth reads up to ${configVersion}: install the newer Hearth.`,
    );
  }
  const lineOf = (key: string): string => at(keyOffset(document, key));
  const parsed = configFile.safeParse(value);
  if (parsed.success) return parsed.data as ConfigFile;
  const issue = parsed.error.issues[0];
  if (issue?.code === 'unrecognized_keys') {
    const key = issue.keys[0] ?? '';
    throw new UserError(`${lineOf(key)}: there is no setting "${printable(key)}"${hint(key)}.`);
  }
  const key = String(issue?.path[0] ?? 'version');
  const wrong = printable(JSON.stringify((value as Record<string, unknown>)[key]) ?? '', 80);
  throw new UserError(
    `${lineOf(key)}: ${printable(key)}: ${wrong} does not do: ${printable(issue?.message ?? '', 200)}.`,
  );
}

function unfold(document: ReturnType<typeof parseDocument>, file: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 10 });
  } catch {
    throw new UserError(`${file} uses more aliases (*name) than a settings file needs: write the values out.`);
  }
}

function hint(key: string): string {
  const inFile = Object.values(settings).filter(one => one.inFile);
  const outside = Object.values(settings).find(one => !one.inFile && one.name === key);
  if (outside) return `: "${key}" is said with the flag --${key} or in the environment`;
  const near = nearest(key, ['version', ...inFile.map(one => one.name)]);
  return near
    ? `: did you mean "${near}"?`.slice(0, -1)
    : `; there are version, ${inFile.map(one => one.name).join(', ')}`;
}

const firstLine = (text: string): string => (text.split('\n')[0] ?? text).replace(/ at line \d+, column \d+:?$/, '');

function keyOffset(document: ReturnType<typeof parseDocument>, key: string): number {
  const contents = document.contents;
  if (!contents || !('items' in contents)) return 0;
  for (const item of contents.items as { key?: { value?: unknown; range?: [number, number, number] } }[]) {
    if (String(item.key?.value) === key) return item.key?.range?.[0] ?? 0;
  }
  return 0;
}
