/**
 * Where in a script for `/bin/sh` a quoted word may stand. What follows is no parser: shells differ, and a script may be
 * wrong. It walks along the quoting (POSIX.1-2024, XCU 2.2 and 2.3) as far as dash, bash, busybox and mksh agree on it,
 * and calls what comes after that `unsure`. Who replaces text does it in `word` alone, so that a place that is misjudged
 * is refused instead of becoming a hole.
 */

export type Place =
  | 'word'
  | 'single'
  | 'double'
  | 'backquote'
  | 'parameter'
  | 'arithmetic'
  | 'comment'
  | 'escaped'
  | 'unsure';

export interface ShellPlaces {
  /** Of every character (UTF-16 unit) of the script. */
  readonly at: readonly Place[];
  /** What made the rest unsure: completes "after …". */
  readonly unsureAfter?: string;
}

/** So many characters are such a place; or it is not sure what comes, and why. */
type Step = readonly [place: Place, length: number] | string;

/** What is open: the script itself, `(`, `$(`, and double quotes. */
type Frame = 'script' | 'parens' | 'substitution' | 'double';

interface Walk {
  readonly text: string;
  readonly places: Place[];
  readonly open: Frame[];
}

const blank = /[ \t\n]/;
/** After these a `#` starts a comment in every shell … */
const beforeComment = /[ \t\n;&|(]/;
/** … and after these in none. */
const beforeLiteralHash = /[A-Za-z0-9_./:=,%+@{}'"-]/;
/** `$x`, `$1`, `$?`; not `${`, `$(`, `$'` and `$[`. */
const variable = /\$(?:[A-Za-z_][A-Za-z0-9_]*|[0-9?!#@*$-])/y;
/** What matches these ends there in every shell: no quotes, no comments, no other substitution in it. */
const plainArithmetic = /\$\(\((?:[A-Za-z0-9_ $+*/%<>=!&|?:,^~-]|\([A-Za-z0-9_ $+*/%<>=!&|?:,^~-]*\))*\)\)/y;
const plainParameter =
  /\$\{(?=[A-Za-z0-9_@*#?!$-])(?:[^'"`\\${}()<>\n]|\$\{[A-Za-z0-9_][^'"`\\${}()<>\n]*\}|\$[A-Za-z_]|\$(?=\}))*\}/y;
const plainBackquote = /`(?:[^'"`\\#<$(]|\$(?![({]))*`/y;
const caseWord = /(?:case|esac)(?![A-Za-z0-9_])/y;

function lengthOf(pattern: RegExp, { text, places }: Walk): number {
  pattern.lastIndex = places.length;
  return pattern.exec(text)?.[0].length ?? 0;
}

function plain(place: Place, pattern: RegExp, what: string, walk: Walk): Step {
  const length = lengthOf(pattern, walk);
  return length > 0 ? [place, length] : what;
}

const upTo = (end: string, including: number, { text, places }: Walk): number => {
  const found = text.indexOf(end, places.length + 1);
  return (found < 0 ? text.length : found + including) - places.length;
};

function dollar(walk: Walk, quoted: boolean): Step {
  const { text, places, open } = walk;
  const after = text[places.length + 1] ?? ' ';
  const place = quoted ? 'double' : 'word';
  if (after === '{') return plain('parameter', plainParameter, 'a parameter in braces that is not a simple one', walk);
  if (after === '(' && text[places.length + 2] === '(') {
    return plain('arithmetic', plainArithmetic, '"$((" with more than numbers and names', walk);
  }
  if (after === '(') {
    open.push('substitution');
    return [place, 2];
  }
  if (after === '[' || after === '\\' || (after === "'" && !quoted)) return `"$${after}"`;
  return [place, lengthOf(variable, walk) || 1];
}

function hash(walk: Walk): Step {
  const { text, places, open } = walk;
  const before = text[places.length - 1] ?? '\n';
  if (places.at(-1) === 'escaped' || beforeLiteralHash.test(before)) return ['word', 1];
  // Shells find the end of a substitution with a comment in it each in its own way.
  if (!beforeComment.test(before) || open.length > 1) return 'a "#" that may start a comment';
  return ['comment', upTo('\n', 0, walk)];
}

function backslash({ text, places }: Walk): Step {
  const at = places.length;
  // A line that goes on may go on within an operator, or with what looks like a comment.
  if (text[at + 1] === '\n' && (!blank.test(text[at - 1] ?? ' ') || text[at + 2] === '#')) {
    return 'a line that goes on within a word';
  }
  return ['escaped', Math.min(2, text.length - at)];
}

function inDouble(walk: Walk): Step {
  const { text, places, open } = walk;
  switch (text[places.length]) {
    case '"':
      open.pop();
      return ['double', 1];
    case '\\':
      return ['escaped', Math.min(2, text.length - places.length)];
    case '`':
      return plain('backquote', plainBackquote, 'backquotes with more than plain words', walk);
    case '$':
      return dollar(walk, true);
    default:
      return ['double', 1];
  }
}

function inCommand(walk: Walk): Step {
  const { text, places, open } = walk;
  const after = text[places.length + 1];
  switch (text[places.length]) {
    case "'":
      return ['single', upTo("'", 1, walk)];
    case '"':
      open.push('double');
      return ['double', 1];
    case '\\':
      return backslash(walk);
    case '`':
      return plain('backquote', plainBackquote, 'backquotes with more than plain words', walk);
    case '$':
      return dollar(walk, false);
    case '#':
      return hash(walk);
    case '<':
      return after === '<' ? 'the beginning of a here-document' : ['word', 1];
    case '(':
      open.push('parens');
      return after === '(' ? '"(("' : ['word', 1];
    case ')':
      if (open.length > 1) open.pop();
      return ['word', 1];
    case 'c':
    case 'e':
      // The bracket after a pattern would be taken for the end of the substitution.
      if (open.includes('substitution') && lengthOf(caseWord, walk) > 0) return '"case" within "$( )"';
      return ['word', 1];
    default:
      return ['word', 1];
  }
}

export function shellPlaces(script: string): ShellPlaces {
  const walk: Walk = { text: script, places: [], open: ['script'] };
  const { places, open } = walk;
  const take = (place: Place, length: number) => {
    for (let n = 0; n < length; n++) places.push(place);
  };
  while (places.length < script.length) {
    const step = open.at(-1) === 'double' ? inDouble(walk) : inCommand(walk);
    if (typeof step === 'string') {
      take('unsure', script.length - places.length);
      return { at: places, unsureAfter: step };
    }
    take(...step);
  }
  return { at: places };
}
