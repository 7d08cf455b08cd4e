/** A cluster file, from its text to the documents that it says. Every mistake is told with its place, before anything is sent. */
import { basename, extname } from 'node:path';
import type { z } from 'zod';
import { isObject } from '../../shared/merge-patch.ts';
import { isItemName, printable } from '../../shared/names.ts';
import { clusterFile, clusterFileVersion } from '../../shared/schemas/cluster-file.ts';
import { UserError } from '../../shared/user-error.ts';
import { complaintsOf } from './complaints.ts';
import { type Document, type Noun, type NounPath, nouns } from './document.ts';
import { type Upload, withoutFrom } from './from-files.ts';
import { inputs, roomProblem } from './inputs.ts';
import { parseSource, refuse, type Source } from './source.ts';

/** What a file says of one role, node or room, as it will be accepted. */
export interface Said {
  readonly document: Document;
  /** Where in the file its name stands, as `cluster.yaml:12:3`. */
  readonly at: string;
}

export interface ClusterFile {
  /** Under which the cluster remembers what it put there; undefined where it came from standard input without one. */
  readonly name: string | undefined;
  readonly said: ReadonlyMap<NounPath, Said>;
  /** What its documents need of the artifact store, by SHA-256. */
  readonly uploads: ReadonlyMap<string, Upload>;
}

export interface FileText {
  readonly text: string;
  /** As in complaints: a path, or `standard input`. */
  readonly file: string;
  /** Where relative paths in it start. */
  readonly folder: string;
}

/** @throws UserError with every mistake. */
export async function readClusterFile({ text, file, folder }: FileText): Promise<ClusterFile> {
  const source = parseSource(text, file);
  const value = withoutBlanks(versioned(source, file));
  refuse(file, complaintsOf(clusterFile, value, source));
  const {
    nouns: all,
    uploads,
    mistakes,
  } = await withoutFrom(nounsOf(value as z.input<typeof clusterFile>), folder, source);
  refuse(file, mistakes);
  const said = new Map<NounPath, Said>();
  const wrong: string[] = [];
  for (const { path, noun, at, document } of all) {
    const schema: z.ZodType = inputs[noun];
    const complaints = complaintsOf(schema, document, source, at);
    wrong.push(...complaints);
    if (complaints.length > 0) continue;
    const read = schema.parse(document) as Document;
    const problem = noun === 'room' ? roomProblem(read) : undefined;
    if (problem) {
      const place = [...at, ...(problem.at ?? '').split('.')];
      wrong.push(`${source.at(place, 'value')}: ${place.join('.')}: ${printable(problem.message, 300)}`);
    } else said.set(path, { document: read, at: source.at(at, 'key') });
  }
  refuse(file, wrong);
  return { name: (value as { name?: string }).name ?? nameOf(file), said, uploads };
}

/** One role, node or room as the file has it. */
export interface Written {
  readonly path: NounPath;
  readonly noun: Noun;
  readonly at: readonly [`${Noun}s`, string];
  readonly document: Document;
}

const nounsOf = (file: z.input<typeof clusterFile>): readonly Written[] =>
  nouns.flatMap(noun =>
    Object.entries(file[`${noun}s`] ?? {}).map(([id, said]) => ({
      path: `${noun}/${id}` as const,
      noun,
      at: [`${noun}s`, id] as const,
      document: said as unknown as Document,
    })),
  );

/** A key with nothing after it, as is left when its last item is taken out, says nothing: down to the kinds of items. */
function withoutBlanks(value: object, depth = 0): object {
  const isOfNouns = depth === 1;
  const kept = Object.entries(value).flatMap(([key, said]): [string, unknown][] => {
    if (said === null) return isOfNouns ? [[key, {}]] : [];
    if (depth === 2 || (depth === 0 && !nouns.some(noun => key === `${noun}s`))) return [[key, said]];
    return [[key, isObject(said) ? withoutBlanks(said, depth + 1) : said]];
  });
  return Object.fromEntries(kept);
}

/** What is no such file at all, or one of a newer Hearth, is said in a sentence of its own. */
function versioned({ value }: Source, file: string): object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UserError(
      `${file} says nothing: it starts with "version: ${clusterFileVersion}", then "roles:", "nodes:" and "rooms:".`,
    );
  }
  if (!('version' in value)) {
    throw new UserError(`${file}:1:1: there is no version: write "version: ${clusterFileVersion}" at the top.`);
  }
  if (typeof value.version === 'number' && value.version > clusterFileVersion) {
    throw new UserError(
      `${file} has version ${value.version}, but this Hearth reads up to ${clusterFileVersion}: install the newer Hearth.`,
    );
  }
  return value;
}

export const standardInput = 'standard input';

/** `web-servers` of `conf/web servers.yaml`. */
function nameOf(file: string): string | undefined {
  if (file === standardInput) return undefined;
  const name = basename(file, extname(file))
    .replace(/[^A-Za-z0-9._@:~-]/g, '-')
    .slice(0, 64);
  if (isItemName(name)) return name;
  throw new UserError(`"${printable(file)}" makes no name for what it puts there: write "name: …" into it.`);
}
