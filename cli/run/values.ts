/**
 * The values of `hearth run`: from `--array`, `--lines`, `--files` and `--items` to a job's `array` or `items`. What is a
 * file here, or a pattern for files, is read here; nodes may not have it.
 */
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { sentence } from '../../shared/errors.ts';
import { anonymous, type CompiledArray, compileArray } from '../../shared/jobs/array.ts';
import { itemText } from '../../shared/jobs/placeholders.ts';
import { printable } from '../../shared/names.ts';
import { jobLimits } from '../../shared/schemas/job.ts';
import { UserError } from '../../shared/user-error.ts';

/** One option, in the order in which they were said: of named dimensions the last is the fastest. */
export interface Source {
  readonly kind: 'array' | 'lines' | 'files';
  /** As typed: `SPEC` or `name=SPEC`. */
  readonly text: string;
}

export type DimensionValue = string | readonly string[];

export interface TaskValues extends CompiledArray {
  /** By name, as they are sent; absent: `items`, or no values at all. */
  readonly dimensions?: Readonly<Record<string, DimensionValue>>;
  readonly items?: readonly unknown[];
}

const mostBytes = 512 * 1024 * 1024;
const named = /^([a-z][a-z0-9_]{0,31})=(.*)$/s;

/** A job without values is one task. */
export const single: TaskValues = { n: 1, names: [], at: () => ({}) };

/** @throws UserError. @returns undefined where there are no values, and so nothing to run. */
export async function readValues(
  sources: readonly Source[],
  items: string | undefined,
): Promise<TaskValues | undefined> {
  if (items !== undefined) {
    if (sources.length > 0) throw new UserError('--items stands alone: without --array, --lines and --files.', 2);
    return await readItems(items);
  }
  if (sources.length === 0) return single;
  if (sources.filter(({ text }) => (named.exec(text)?.[2] ?? text) === '-').length > 1) {
    throw new UserError('Standard input can be read once: only one option may say "-".', 2);
  }
  const dimensions: Record<string, DimensionValue> = {};
  for (const { kind, text } of sources) {
    const [, name = anonymous, spec = text] = named.exec(text) ?? [];
    if (Object.hasOwn(dimensions, name)) {
      throw new UserError(
        name === anonymous
          ? `Several dimensions need names: --${kind} NAME=${printable(text)}`
          : `There are two dimensions "${name}".`,
        2,
      );
    }
    dimensions[name] = await read(kind, spec);
  }
  const values = Object.values(dimensions);
  if (values.some(value => Array.isArray(value) && value.length === 0)) return undefined;
  const compiled = compileArray(dimensions as Record<string, string | string[]>);
  if (!compiled.ok) throw new UserError(`${sentence(compiled.error)}.`, 2);
  return { ...compiled.value, dimensions };
}

async function read(kind: Source['kind'], spec: string): Promise<DimensionValue> {
  if (kind === 'array') return wordsOrRanges(spec);
  if (kind === 'lines') return linesOf(await readText(spec, '--lines'));
  return await filesOf(spec);
}

/** `1-10,20` are ranges; `red,green` is a list. What begins like a number is meant to be one. */
function wordsOrRanges(spec: string): DimensionValue {
  const parts = spec.split(',');
  return parts.some(part => /^\s*-?\d/.test(part)) || spec === '' ? spec : parts;
}

/** As the supervisor reads the lines of an artifact: the last one may end with a newline, and all of them with CR LF. */
export function linesOf(text: string): readonly string[] {
  const lines = text.split('\n').map(line => (line.endsWith('\r') ? line.slice(0, -1) : line));
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

async function filesOf(pattern: string): Promise<readonly string[]> {
  const { glob } = await import('tinyglobby');
  const found = await glob(pattern, { absolute: true, expandDirectories: false, onlyFiles: true });
  if (found.length === 0) throw new UserError(`--files: no file matches "${printable(pattern, 200)}".`);
  return found.map(path => resolve(path)).sort();
}

async function readItems(file: string): Promise<TaskValues | undefined> {
  const items: unknown[] = [];
  for (const [index, line] of linesOf(await readText(file, '--items')).entries()) {
    if (line.trim() === '') continue;
    try {
      items.push(JSON.parse(line));
    } catch {
      throw new UserError(`--items: line ${index + 1} of ${printable(file, 200)} is not JSON: ${printable(line)}`);
    }
  }
  if (items.length > jobLimits.tasks) throw new UserError(`--items: a job has ${jobLimits.tasks} tasks at most.`);
  if (items.length === 0) return undefined;
  return { n: items.length, names: [anonymous], at: index => ({ [anonymous]: itemText(items[index]) }), items };
}

/** @param file `-` is standard input. */
export async function readText(file: string, option: string, most = mostBytes): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  try {
    const from: Readable = file === '-' ? process.stdin : createReadStream(file);
    for await (const piece of from as AsyncIterable<Buffer>) {
      bytes += piece.length;
      if (bytes > most) throw new UserError(`${option}: more than ${most / 1024} kB cannot be taken.`);
      pieces.push(piece);
    }
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw unreadable(file, option, error);
  }
  return Buffer.concat(pieces).toString('utf8');
}

const unreadable = (file: string, option: string, error: unknown): UserError =>
  new UserError(
    `${option}: ${printable(file, 200)} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'error'}).`,
  );

export async function readSmall(file: string, option: string, most: number): Promise<string> {
  const text = await (file === '-' ? readText('-', option, most) : readFile(file, 'utf8')).catch(error => {
    throw error instanceof UserError ? error : unreadable(file, option, error);
  });
  if (Buffer.byteLength(text) > most) throw new UserError(`${option}: more than ${most / 1024} kB cannot be taken.`);
  return text;
}
