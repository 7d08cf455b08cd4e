/** The values in a `where` expression: facts, constants, and what is computed of them. See where.ts. */
import type { ASTNode } from '@marcbachmann/cel-js';
import { printable } from '../names.ts';

export type Fact = string | number | boolean | readonly string[];
export type Facts = Readonly<Record<string, Fact>>;
/** A better name for a fact that nobody has. */
export type Hint = (name: string) => string | undefined;

/** What an expression may not say, and where; becomes one sentence. */
export class Refusal extends Error {
  readonly range: { readonly start: number };
  constructor(message: string, node: ASTNode) {
    super(message);
    this.range = { start: node.range.start };
  }
}

export interface Operand {
  /** As it stands in the expression, safe to show. */
  readonly text: string;
  /** The name, where it is a fact. */
  readonly fact?: string;
  /** Where it is the same on every node. */
  readonly constant?: Fact;
  /** undefined: not known, and {@link Operand.why} says the reason. */
  get(facts: Facts): Fact | undefined;
  why(facts: Facts, hint?: Hint): string;
}

/** A value as people write it, cut. */
export const described = (value: Fact): string =>
  typeof value === 'string'
    ? `"${printable(value, 40)}"`
    : typeof value === 'object'
      ? `[${printable(value.join(', '), 60)}]`
      : String(value);

/** @throws Refusal for what is no value, or not one that is available here. */
export function operand(node: ASTNode): Operand {
  switch (node.op) {
    case 'value':
      return constant(node);
    case 'id':
      if (node.args === 'facts' || node.args === 'label') {
        throw new Refusal(`"${node.args}" wants a name: ${node.args}.NAME or ${node.args}["NAME"]`, node);
      }
      return fact(node.args, node);
    case '.':
      return member(node, node.args[0], node.args[1]);
    case '[]': {
      const key = node.args[1];
      if (key.op !== 'value' || typeof key.args !== 'string') throw new Refusal('a name in quotes is missing', key);
      return member(node, node.args[0], key.args);
    }
    case '+':
    case '-':
    case '*':
    case '/':
    case '%':
      return arithmetic(node, node.op, operand(node.args[0]), operand(node.args[1]));
    case '-_':
      return arithmetic(node, '-', zero, operand(node.args));
    case 'call':
      if (node.args[1].length === 1) return converted(node, node.args[0], operand(node.args[1][0] as ASTNode));
      break;
    case 'rcall':
      if (node.args[0] === 'size' && node.args[2].length === 0) return converted(node, 'size', operand(node.args[1]));
      break;
    case 'list':
      throw new Refusal('a list stands only after "in"', node);
    case 'map':
      throw new Refusal('{} is not available', node);
    case '&&':
    case '||':
    case '!_':
    case '==':
    case '!=':
    case '<':
    case '<=':
    case '>':
    case '>=':
    case 'in':
      throw new Refusal('what is true or false cannot be compared again: use &&, || and !', node);
  }
  throw new Refusal('there is no such function here: has, size, int, double, contains, startsWith, endsWith', node);
}

const said = (node: ASTNode): string => printable(node.input.slice(node.range.start, node.range.end), 60);

function constant(node: ASTNode): Operand {
  const raw = node.args;
  const value = typeof raw === 'bigint' ? Number(raw) : raw;
  if (typeof raw === 'bigint' && !Number.isSafeInteger(value)) {
    throw new Refusal('the number is too large', node);
  }
  if (value === null) throw new Refusal('there is no null: use has(NAME) or !has(NAME)', node);
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') {
    throw new Refusal('write a text, a number, true or false', node);
  }
  return { text: described(value), constant: value, get: () => value, why: () => '' };
}

const zero: Operand = { text: '0', constant: 0, get: () => 0, why: () => '' };

function fact(name: string, node: ASTNode): Operand {
  return {
    text: node.op === 'id' ? name : said(node),
    fact: name,
    get: facts => (Object.hasOwn(facts, name) ? facts[name] : undefined),
    why: (_, hint) => missing(name, hint),
  };
}

/** Why a comparison with a fact that is not there is false. */
export function missing(name: string, hint?: Hint): string {
  const better = hint?.(name);
  return `no fact "${printable(name)}"${better === undefined ? '' : `, did you mean "${printable(better)}"?`}`;
}

/** `facts["gpu-model"]` is for names that are no words; `label.x` is the label x, whatever facts there are. */
function member(node: ASTNode, owner: ASTNode, name: string): Operand {
  if (owner.op === 'id' && owner.args === 'facts') return fact(name, node);
  if (owner.op === 'id' && owner.args === 'label') return fact(`label_${name}`, node);
  throw new Refusal('only facts.NAME and label.NAME have a "." or [ ]', node);
}

type Sign = '+' | '-' | '*' | '/' | '%';
const computed: Readonly<Record<Sign, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
};

function arithmetic(node: ASTNode, sign: Sign, left: Operand, right: Operand): Operand {
  const compute = computed[sign];
  const text = said(node);
  const get = (facts: Facts): number | undefined => {
    const a = left.get(facts);
    const b = right.get(facts);
    if (typeof a !== 'number' || typeof b !== 'number') return undefined;
    const value = compute(a, b);
    return Number.isFinite(value) ? value : undefined;
  };
  return {
    text,
    get,
    why(facts, hint) {
      for (const side of [left, right]) {
        const value = side.get(facts);
        if (value === undefined) return side.why(facts, hint);
        if (typeof value !== 'number') return `${side.text} is ${described(value)}, not a number`;
      }
      return `${text} has no value`;
    },
  };
}

const number = (value: Fact): number | undefined => {
  const found = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof found === 'number' && Number.isFinite(found) ? found : undefined;
};
const conversions: ReadonlyMap<string, readonly [(value: Fact) => number | undefined, string]> = new Map([
  [
    'size',
    [value => (typeof value === 'string' || typeof value === 'object' ? value.length : undefined), 'which has no size'],
  ],
  ['double', [number, 'not a number']],
  [
    'int',
    [
      value => {
        const found = number(value);
        return found === undefined ? undefined : Math.trunc(found);
      },
      'not a number',
    ],
  ],
]);

function converted(node: ASTNode, name: string, inner: Operand): Operand {
  const conversion = conversions.get(name);
  if (!conversion) throw new Refusal(`there is no function ${printable(name, 30)}(): has, size, int and double`, node);
  const [convert, lack] = conversion;
  return {
    text: said(node),
    get(facts) {
      const value = inner.get(facts);
      return value === undefined ? undefined : convert(value);
    },
    why(facts, hint) {
      const value = inner.get(facts);
      return value === undefined ? inner.why(facts, hint) : `${inner.text} is ${described(value)}, ${lack}`;
    },
  };
}
