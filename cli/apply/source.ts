/** A cluster file's text as a value, and where in the text each key and value of it stands. Pure. */
import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, visit } from 'yaml';
import { printable } from '../../shared/names.ts';
import { UserError } from '../../shared/user-error.ts';

export type Path = readonly PropertyKey[];

export interface Source {
  /** What the text says, aliases and merge keys resolved. */
  readonly value: unknown;
  /** `cluster.yaml:12:3` of the deepest part of the path that is there: of its key, or of its value. */
  at(path: Path, part: 'key' | 'value'): string;
}

/** Aliases (`*name`) that a file may use, those within anchors counted again. */
const mostAliases = 1000;
const mostTold = 20;
/** V8's word where a text is nested deeper than its reader can follow. */
const tooDeep = 'Maximum call stack';

/**
 * @param file its name in the complaints.
 * @throws UserError that names every mistake with its line and column.
 */
export function parseSource(text: string, file: string): Source {
  const lines = new LineCounter();
  const place = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${Math.max(1, line)}:${Math.max(1, col)}`;
  };
  try {
    const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, merge: true });
    if (document.errors.some(({ message }) => message.startsWith(tooDeep))) throw new RangeError(tooDeep);
    const wrong = [...document.errors, ...document.warnings].map(
      ({ pos, message }) => `${place(pos[0])}: ${printable(firstLine(message), 200)}`,
    );
    wrong.push(...strangeKeys(document).map(({ offset, message }) => `${place(offset)}: ${message}`));
    refuse(file, wrong);
    return {
      value: document.toJS({ maxAliasCount: mostAliases }),
      at: (path, part) => place(offsetOf(document, path, part)),
    };
  } catch (error) {
    if (error instanceof UserError) throw error;
    const why = error instanceof RangeError ? 'it is nested too deeply' : firstLine((error as Error).message);
    throw new UserError(`${file} cannot be read as YAML: ${printable(why, 200)}. Nothing was sent.`);
  }
}

/** @throws UserError with the mistakes, where there are any. */
export function refuse(file: string, mistakes: readonly string[]): void {
  if (mistakes.length === 0) return;
  const told = [...mistakes].sort(byPlace).slice(0, mostTold);
  if (mistakes.length > mostTold) told.push(`and ${mistakes.length - mostTold} more`);
  const count = mistakes.length === 1 ? 'a mistake' : `${mistakes.length} mistakes`;
  throw new UserError(`${file} has ${count}, so nothing was sent:\n  ${told.join('\n  ')}`);
}

function byPlace(a: string, b: string): number {
  const [lineA, columnA] = placeIn(a);
  const [lineB, columnB] = placeIn(b);
  return lineA - lineB || columnA - columnB;
}

const placeIn = (mistake: string): readonly [number, number] => {
  const [, line, column] = /:(\d+):(\d+): /.exec(mistake) ?? [];
  return [Number(line ?? 0), Number(column ?? 0)];
};

const firstLine = (text: string): string => (text.split('\n')[0] ?? text).replace(/ at line \d+, column \d+:?$/, '');

/** Keys that are no text, and the one that JavaScript objects inherit: they would vanish without a word. */
function strangeKeys(document: Document): { readonly offset: number; readonly message: string }[] {
  const found: { offset: number; message: string }[] = [];
  visit(document, {
    Pair(_, { key }) {
      const offset = (key as Node | null)?.range?.[0] ?? 0;
      if (!isScalar(key)) found.push({ offset, message: 'a key has to be a plain word' });
      else if (key.value === '__proto__') found.push({ offset, message: 'the key "__proto__" is not allowed' });
    },
  });
  return found;
}

function offsetOf(document: Document, path: Path, part: 'key' | 'value'): number {
  let node: unknown = document.contents;
  let offset = 0;
  for (const [index, key] of path.entries()) {
    const step = stepInto(document, node, key);
    if (step === undefined) return offset;
    const last = index === path.length - 1;
    offset = (last && part === 'value' ? step.valueAt : undefined) ?? step.keyAt ?? offset;
    node = step.value;
  }
  return offset;
}

interface Step {
  readonly keyAt: number | undefined;
  readonly valueAt: number | undefined;
  readonly value: unknown;
}

const startOf = (node: unknown): number | undefined => (node as Node | null | undefined)?.range?.[0];

function stepInto(document: Document, at: unknown, key: PropertyKey): Step | undefined {
  const node = isAlias(at) ? at.resolve(document) : at;
  if (isSeq(node)) {
    const value = node.items[Number(key)];
    return value === undefined ? undefined : { keyAt: startOf(value), valueAt: startOf(value), value };
  }
  if (!isMap(node)) return undefined;
  const merged: unknown[] = [];
  for (const pair of node.items) {
    const name = isScalar(pair.key) ? pair.key.value : pair.key;
    if (typeof name === 'symbol' || name === '<<') merged.push(pair.value);
    else if (String(name) === String(key)) {
      return { keyAt: startOf(pair.key), valueAt: startOf(pair.value), value: pair.value };
    }
  }
  for (const source of merged.flatMap(one => (isSeq(one) ? one.items : [one]))) {
    const step = stepInto(document, source, key);
    if (step) return step;
  }
  return undefined;
}
