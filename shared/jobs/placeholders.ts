/**
 * `{…}` in a job's `run`: checked once, when the job is submitted, and filled in for every task. In a script a value
 * becomes one single-quoted word and nothing else, whatever is in it; in a program's arguments it stands as it is.
 */
import { fail, ok, type Result } from '../errors.ts';
import { nearest, printable } from '../names.ts';
import { anonymous } from './array.ts';
import { type Place, shellPlaces } from './shell-places.ts';

/** What one task puts in: values by the dimension's name, paths by the input's or output's, and its index (from 0). */
type Fill<T> = (
  values: Readonly<Record<string, string>>,
  paths: Readonly<Record<string, string>>,
  index: number,
) => Result<T>;

export type CompiledRun =
  /** For `/bin/sh -c`. */
  | { readonly kind: 'script'; readonly script: Fill<string> }
  /** A program and its arguments; no shell. */
  | { readonly kind: 'argv'; readonly argv: Fill<string[]> };

/**
 * `{name}`, `{}` and `{#}`; doubled, the braces stand for themselves. All other braces are no matter of ours, and `${name}`
 * is a shell's.
 */
const braces = /\{\{(#|[A-Za-z_][A-Za-z0-9_-]*|)\}\}|\{(#|[A-Za-z_][A-Za-z0-9_-]*|)\}/g;

/** Text, or what is to be put in its place. */
type Piece = string | { readonly name: string };

interface Names {
  readonly values: readonly string[];
  readonly files: readonly string[];
}

/** The name that `{…}` stands for; undefined: there is none. */
function known(inside: string, { values, files }: Names): string | undefined {
  const name = inside === '' ? anonymous : inside;
  return name === '#' || values.includes(name) || files.includes(name) ? name : undefined;
}

const literally = (inside: string): string => `write {{${inside}}} where the braces are meant`;

function unknown(inside: string, { values, files }: Names): string {
  const all = [...values, ...files, '#'].map(name => `{${name}}`).join(' ');
  if (inside === '' && values.length > 0) return `"{}" is of no dimension: use ${all}, or ${literally(inside)}`;
  if (inside === '') return `"{}" has no value: give the job an "array" or "items", or ${literally(inside)}`;
  const near = inside.length < 3 ? undefined : nearest(inside, [...values, ...files]);
  const meant = near === undefined ? `use ${all}` : `did you mean {${near}}? If not`;
  return `"{${printable(inside)}}" is not known: ${meant}, ${near === undefined ? 'or ' : ''}${literally(inside)}`;
}

const whereText: Readonly<Record<Exclude<Place, 'word' | 'escaped' | 'comment' | 'unsure'>, string>> = {
  single: 'in single quotes',
  double: 'in double quotes',
  backquote: 'in backquotes',
  parameter: 'in "$" and braces',
  arithmetic: 'in arithmetic',
};

/** @param name what it stands for. */
function misplaced(text: string, name: string, place: keyof typeof whereText | 'unsure', after: string, names: Names) {
  const variable = `$HEARTH_ARG_${name.toUpperCase()}`;
  const ways = [
    ...(place === 'single' || place === 'double' ? ['end the quotes before it and begin them again after it'] : []),
    ...(place === 'backquote' ? ['use "$( )" instead'] : []),
    ...(place === 'unsure' ? ['put it before that'] : []),
    // Shells compute what is in a variable: only a value that nobody else chose belongs in arithmetic.
    ...(names.values.includes(name) && place !== 'arithmetic' && place !== 'single' ? [`use "${variable}"`] : []),
    literally(text.slice(1, -1)),
  ];
  const where = place === 'unsure' ? `after ${after}` : whereText[place];
  return `"${text}" stands ${where}, where it cannot become one quoted word: ${ways.join(', or ')}`;
}

function scriptPieces(script: string, names: Names): Result<readonly Piece[]> {
  const pieces: Piece[] = [];
  const { at: places, unsureAfter = '' } = shellPlaces(script);
  let from = 0;
  for (const match of script.matchAll(braces)) {
    const [text, doubled, single = ''] = match;
    const end = match.index + text.length;
    const place = places[match.index] ?? 'unsure';
    if (place !== 'word' && script[match.index - 1] === '$') continue;
    if (place === 'escaped' || place === 'comment' || places.slice(match.index, end).some(other => other !== place)) {
      continue;
    }
    const name = known(doubled ?? single, names);
    // In quotes they are another language's, where they are not ours: awk '{print}', or a template's '{{title}}'.
    if (place !== 'word' && name === undefined) continue;
    if (place !== 'word' && doubled === undefined) {
      return fail('schema', misplaced(text, name ?? '', place, unsureAfter, names), 'run');
    }
    if (place === 'parameter' || place === 'arithmetic') continue;
    if (doubled === undefined && name === undefined) return fail('schema', unknown(single, names), 'run');
    pieces.push(script.slice(from, match.index), doubled === undefined ? { name: name ?? '' } : `{${doubled}}`);
    from = end;
  }
  pieces.push(script.slice(from));
  return ok(pieces);
}

function argumentPieces(argument: string, names: Names): Result<readonly Piece[]> {
  const pieces: Piece[] = [];
  let from = 0;
  for (const match of argument.matchAll(braces)) {
    const [text, doubled, single = ''] = match;
    if (argument[match.index - 1] === '$') continue;
    const name = known(single, names);
    if (doubled === undefined && name === undefined) return fail('schema', unknown(single, names), 'run');
    pieces.push(argument.slice(from, match.index), doubled === undefined ? { name: name ?? '' } : `{${doubled}}`);
    from = match.index + text.length;
  }
  pieces.push(argument.slice(from));
  return ok(pieces);
}

/** One word of a POSIX shell, whatever is in it (POSIX 2.2.2). */
export const shellWord = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** An item as `{}` puts it in: text as it is, anything else as JSON. */
export const itemText = (item: unknown): string => (typeof item === 'string' ? item : (JSON.stringify(item) ?? ''));

function filled(
  pieces: readonly Piece[],
  write: (text: string) => string,
  ...[values, paths, index]: Parameters<Fill<string>>
): Result<string> {
  let text = '';
  for (const piece of pieces) {
    if (typeof piece === 'string') {
      text += piece;
      continue;
    }
    const { name } = piece;
    const from = Object.hasOwn(values, name) ? values : paths;
    const value = name === '#' ? String(index + 1) : Object.hasOwn(from, name) ? from[name] : undefined;
    if (value === undefined) return fail('schema', `task ${index + 1} has no value for "{${name}}"`, 'run');
    if (value.includes('\0')) {
      return fail('schema', `the value of "{${name}}" of task ${index + 1} holds a NUL, which no command can be given`);
    }
    text += write(value);
  }
  return ok(text);
}

/**
 * @param run a script, or a program and its arguments.
 * @param names of the array's dimensions (`i` for the one without a name, and for items); none: there is no array.
 * @param files names of inputs and outputs.
 */
export function compileRun(
  run: string | readonly string[],
  names: readonly string[],
  files: readonly string[],
): Result<CompiledRun> {
  const all = [...names, ...files];
  const twice = all.find((name, at) => all.indexOf(name) !== at);
  if (twice !== undefined) return fail('schema', `"{${twice}}" stands for two things: name one of them otherwise`);
  if ((typeof run === 'string' ? run : run.join('')).includes('\0')) {
    return fail('schema', 'there is a NUL in it, which no command can hold', 'run');
  }
  if (typeof run === 'string') {
    const pieces = scriptPieces(run, { values: names, files });
    if (!pieces.ok) return pieces;
    return ok({ kind: 'script', script: (...fill) => filled(pieces.value, shellWord, ...fill) });
  }
  const each: (readonly Piece[])[] = [];
  for (const argument of run) {
    const pieces = argumentPieces(argument, { values: names, files });
    if (!pieces.ok) return pieces;
    each.push(pieces.value);
  }
  return ok({
    kind: 'argv',
    argv(...fill) {
      const words: string[] = [];
      for (const pieces of each) {
        const word = filled(pieces, text => text, ...fill);
        if (!word.ok) return word;
        words.push(word.value);
      }
      return words[0] === '' ? fail('schema', 'the name of the program is empty', 'run') : ok(words);
    },
  });
}
