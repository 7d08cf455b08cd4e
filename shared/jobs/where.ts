/**
 * Which nodes may: an expression over facts and labels, such as `cores>=4 && arch=="x64" && zone=="attic"`. The grammar is
 * that of CEL (https://cel.dev), read by a library; what an expression means here is our own, on a small part of it, so
 * that its time is bounded by its length (no loops, no regular expressions) and a "no" comes with its reason.
 *
 * What is not known never matches: a comparison with a missing fact, or of a text with a number, is false, and so is its
 * negation. `!has(gpu)` asks for the absence.
 */
import { type ASTNode, Environment } from '@marcbachmann/cel-js';
import { fail, ok, type Result } from '../errors.ts';
import { printable } from '../names.ts';
import {
  described,
  type Fact,
  type Facts,
  type Hint,
  missing,
  type Operand,
  operand,
  Refusal,
} from './where-values.ts';

export type { Fact, Facts } from './where-values.ts';

/** Characters of an expression. */
export const whereMost = 1000;

export interface Where {
  test(facts: Facts): boolean;
  /**
   * Why it is false: one clause about the first part that failed, `zone is "cellar", not "attic"`; undefined where it is
   * true. `hint` may know a better name for a fact that is not there.
   */
  why(facts: Facts, hint?: Hint): string | undefined;
}

/** One part of an expression, negations already pushed down to the leaves (De Morgan): so "unknown" is simply false. */
interface Part {
  test(facts: Facts): boolean;
  /** Only called where test() is false. */
  why(facts: Facts, hint?: Hint): string;
}

const parser = new Environment({
  unlistedVariablesAreDyn: true,
  homogeneousAggregateLiterals: false,
  limits: { maxAstNodes: 300, maxDepth: 30, maxListElements: 100, maxMapEntries: 0, maxCallArguments: 8 },
});

/**
 * Reads an expression.
 * @returns its test, or one sentence with the place where it is wrong (code `schema`, at `where`).
 */
export function compileWhere(text: string): Result<Where> {
  if (text.length > whereMost) return refuse(`it has ${text.length} characters, ${whereMost} are allowed`);
  try {
    const part = compile(parser.parse(text).ast, false);
    return ok({
      test: facts => part.test(facts),
      why: (facts, hint) => (part.test(facts) ? undefined : short(part.why(facts, hint), 240)),
    });
  } catch (error) {
    return refuse(complaint(text, error as Complaint));
  }
}

const refuse = (message: string) => fail('schema', message, 'where');

interface Complaint {
  readonly code?: unknown;
  readonly summary?: unknown;
  readonly message?: unknown;
  readonly range?: { readonly start: number };
}

/** One sentence of what the library or {@link compile} did not like. */
function complaint(text: string, { code, summary, message, range }: Complaint): string {
  if (code === 'limit_exceeded') return 'it is nested too deeply or has too many parts';
  const at = range?.start ?? 0;
  const place = at >= text.length ? 'at its end' : `at character ${at + 1}, "${printable(text.slice(at), 20)}"`;
  if (code === 'reserved_identifier') {
    const word = /^\w+/.exec(text.slice(at))?.[0] ?? '';
    return `"${word}" is a reserved word, ${place}: write facts["${word}"]`;
  }
  const what = String(summary ?? message ?? 'not an expression')
    .replace(/^Unexpected (?:character: .*|token: EOF)$/s, 'not understood')
    .replace(/^./, first => first.toLowerCase());
  return `${printable(what, 200)}, ${place}`;
}

function compile(node: ASTNode, negated: boolean): Part {
  switch (node.op) {
    case '&&':
    case '||': {
      const parts = sides(node, node.op).map(side => compile(side, negated));
      return (node.op === '&&') === negated ? anyOf(parts) : allOf(parts);
    }
    case '!_':
      return compile(node.args, !negated);
    case '==':
    case '!=':
    case '<':
    case '<=':
    case '>':
    case '>=':
      return comparison(node.op, node.args[0], node.args[1], negated);
    case 'in':
      return membership(node.args[0], node.args[1], negated);
    case 'call':
      if (node.args[0] === 'has' && node.args[1].length === 1) return presence(node.args[1][0] as ASTNode, negated);
      break;
    case 'rcall': {
      const [method, receiver, [argument, ...more]] = node.args;
      const test = textTests.get(method);
      if (test && argument && more.length === 0) return textTest(test, method, receiver, argument, negated);
      if (method === 'matches')
        throw new Refusal('matches() is not available: use contains, startsWith or endsWith', node);
      break;
    }
    case '?:':
      throw new Refusal('"? :" is not available: use && and ||', node);
  }
  return truth(operand(node), node, negated);
}

/** The terms of `a && b && c`, which the parser nests to the left. */
function sides(node: ASTNode, op: '&&' | '||'): ASTNode[] {
  const found: ASTNode[] = [];
  let rest = node;
  for (; rest.op === op; rest = rest.args[0]) found.push(rest.args[1]);
  return [...found, rest].reverse();
}

const allOf = (parts: readonly Part[]): Part => ({
  test: facts => parts.every(part => part.test(facts)),
  why: (facts, hint) => parts.find(part => !part.test(facts))?.why(facts, hint) ?? '',
});

const anyOf = (parts: readonly Part[]): Part => ({
  test: facts => parts.some(part => part.test(facts)),
  why(facts, hint) {
    const reasons = [...new Set(parts.slice(0, 4).map(part => part.why(facts, hint)))];
    return reasons.join(', and ') + (parts.length > 4 ? ', and so on' : '');
  },
});

type Comparison = '==' | '!=' | '<' | '<=' | '>' | '>=';
const opposite = { '==': '!=', '!=': '==', '<': '>=', '<=': '>', '>': '<=', '>=': '<' } as const;
const mirrored = { '==': '==', '!=': '!=', '<': '>', '<=': '>=', '>': '<', '>=': '<=' } as const;
const holds: Readonly<Record<Comparison, (a: Fact, b: Fact) => boolean>> = {
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
};

function comparison(op: Comparison, one: ASTNode, other: ASTNode, negated: boolean): Part {
  const flip = one.op === 'value';
  const left = operand(flip ? other : one);
  const right = operand(flip ? one : other);
  const asked = flip ? mirrored[op] : op;
  const wanted = negated ? opposite[asked] : asked;
  const compare = holds[wanted];
  return {
    test(facts) {
      const a = left.get(facts);
      const b = right.get(facts);
      return a !== undefined && typeof a === typeof b && typeof a !== 'object' && compare(a, b as Fact);
    },
    why(facts, hint) {
      const a = left.get(facts);
      const b = right.get(facts);
      if (a === undefined) return left.why(facts, hint);
      if (b === undefined) return right.why(facts, hint);
      const is = `${left.text} is ${described(a)}`;
      if (typeof a === 'object') return `${is}, a list: use "in"`;
      if (typeof b === 'object') return `${right.text} is ${described(b)}, a list: use "in"`;
      if (typeof a !== typeof b) return `${is}, which is ${kind(a)}, and ${described(b)} is ${kind(b)}`;
      const than = right.constant ? described(b) : `${right.text}, which is ${described(b)}`;
      if (wanted === '==') return `${is}, not ${than}`;
      return wanted === '!=' ? (right.constant ? is : `${is}, as is ${right.text}`) : `${is}, needs ${wanted} ${than}`;
    },
  };
}

const kind = (value: Fact): string =>
  typeof value === 'string' ? 'text' : typeof value === 'number' ? 'a number' : 'true or false';

/** `x in [a, b]`, `"gpu" in roles`; a text on the right is a comma-joined list, as facts have them. */
function membership(one: ASTNode, list: ASTNode, negated: boolean): Part {
  const left = operand(one);
  const items = list.op === 'list' ? list.args.map(operand) : undefined;
  const right = items ? undefined : operand(list);
  const among = (facts: Facts): readonly (Fact | undefined)[] | undefined => {
    if (items) return items.map(item => item.get(facts));
    const value = right?.get(facts);
    return typeof value === 'string' ? value.split(',') : typeof value === 'object' ? value : undefined;
  };
  return {
    test(facts) {
      const value = left.get(facts);
      const all = among(facts);
      return value !== undefined && all !== undefined && all.includes(value) !== negated;
    },
    why(facts, hint) {
      const value = left.get(facts);
      if (value === undefined) return left.why(facts, hint);
      if (right && among(facts) === undefined) {
        const found = right.get(facts);
        return found === undefined
          ? right.why(facts, hint)
          : `${right.text} is ${described(found)}, which is not a list`;
      }
      if (right) return `${right.text} ${negated ? 'has' : 'lacks'} ${described(value)}`;
      if (negated) return `${left.text} is ${described(value)}`;
      return `${left.text} is ${described(value)}, not one of ${items?.map(item => item.text).join(', ')}`;
    },
  };
}

function presence(node: ASTNode, negated: boolean): Part {
  const { fact } = operand(node);
  if (fact === undefined) throw new Refusal('has() takes the name of a fact', node);
  return {
    test: facts => Object.hasOwn(facts, fact) !== negated,
    why: (_, hint) => (negated ? `it has a fact "${printable(fact)}"` : missing(fact, hint)),
  };
}

const textTests: ReadonlyMap<string, (text: string, part: string) => boolean> = new Map([
  ['contains', (text: string, part: string) => text.includes(part)],
  ['startsWith', (text: string, part: string) => text.startsWith(part)],
  ['endsWith', (text: string, part: string) => text.endsWith(part)],
]);
const textClauses: Readonly<Record<string, string>> = {
  contains: 'which contains',
  startsWith: 'which starts with',
  endsWith: 'which ends with',
};
const textClausesNot: Readonly<Record<string, string>> = {
  contains: 'which does not contain',
  startsWith: 'which does not start with',
  endsWith: 'which does not end with',
};

function textTest(
  test: (text: string, part: string) => boolean,
  method: string,
  one: ASTNode,
  other: ASTNode,
  negated: boolean,
): Part {
  const left = operand(one);
  const right = operand(other);
  return {
    test(facts) {
      const text = left.get(facts);
      const part = right.get(facts);
      return typeof text === 'string' && typeof part === 'string' && test(text, part) !== negated;
    },
    why(facts, hint) {
      for (const side of [left, right]) {
        const value = side.get(facts);
        if (value === undefined) return side.why(facts, hint);
        if (typeof value !== 'string') return `${side.text} is ${described(value)}, which is not text`;
      }
      const clause = (negated ? textClauses : textClausesNot)[method];
      return `${left.text} is ${described(left.get(facts) as Fact)}, ${clause} ${described(right.get(facts) as Fact)}`;
    },
  };
}

/** A fact alone, or `true` and `false`. */
function truth(value: Operand, node: ASTNode, negated: boolean): Part {
  if (value.fact === undefined && typeof value.constant !== 'boolean') {
    throw new Refusal('a comparison is missing', node);
  }
  return {
    test: facts => value.get(facts) === !negated,
    why(facts, hint) {
      const found = value.get(facts);
      if (found === undefined) return value.why(facts, hint);
      if (value.constant !== undefined) return `it says ${negated ? '!' : ''}${value.text}`;
      const is = `${value.text} is ${described(found)}`;
      return typeof found === 'boolean' ? is : `${is}, not true or false: compare it`;
    },
  };
}

const short = (text: string, most: number): string => (text.length <= most ? text : `${text.slice(0, most - 1)}…`);
