/**
 * Templates as people of Home Assistant write them, of which only the result counts: one number out of one payload.
 * `value_json.temperature`, `{{ value_json["ENERGY"].Power | float }}`, `value_json.sensors[0].t | float + 0.5`,
 * `(value_json.temp_f - 32) * 5 / 9`, `value | replace(",", ".") | float | round(1)`.
 *
 * What is understood is Jinja's expression grammar without conditions, loops, calls and assignment (Jinja, Template Designer
 * Documentation): `value`, `value_json` with `.name`, `["name"]` and `[0]`, numbers, texts, `+ - * / // %`, parentheses, and
 * the filters below. A filter binds tighter than arithmetic. Two things are kinder than Jinja: a text that is a number counts
 * as one in arithmetic, and what cannot be worked out is undefined, never an error. A template is compiled once; it is at
 * most 300 characters long, and no payload makes it take longer than its own length and that payload's.
 *
 * No template engine: those of JavaScript run what they are given as code, and none is safe against a template's author.
 */
import { decodeText, parseJson } from '../codec.ts';
import { fail, ok, type Result } from '../errors.ts';
import { nearest, printable } from '../names.ts';
import { mostPayload } from './number.ts';
import { filters, numeric } from './template-filters.ts';

/** A number, or undefined where the payload has none there. */
export type Template = (payload: Uint8Array) => number | undefined;

const mostTemplate = 300;

interface Scope {
  readonly value: string;
  /** Undefined where the payload is no JSON, and parsed when it is asked for. */
  readonly json: () => unknown;
}
type Expression = (scope: Scope) => unknown;
/** Only what the payload itself holds, never what JavaScript's objects inherit. */
function member(of: unknown, key: string | number): unknown {
  if (Array.isArray(of))
    return typeof key === 'number' ? of.at(key) : /^\d{1,6}$/.test(key) ? of[Number(key)] : undefined;
  if (typeof of !== 'object' || of === null || typeof key !== 'string' || !Object.hasOwn(of, key)) return undefined;
  return (of as Record<string, unknown>)[key];
}

/** What is wrong, and where. */
class Wrong extends Error {}

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): Expression {
    const braces = this.#takes(/\{\{-?/y) !== undefined;
    const expression = this.#sum();
    if (braces && this.#takes(/-?\}\}/y) === undefined) throw this.#wrong('"}}" is missing');
    if (this.#rest() !== '') throw this.#wrong(`"${printable(this.#rest(), 20)}" cannot stand here`);
    return expression;
  }

  #sum(): Expression {
    let left = this.#product();
    for (;;) {
      const sign = this.#takes(/\+|-(?!\}\})/y);
      if (sign === undefined) return left;
      left = arithmetic(left, this.#product(), sign === '+' ? (a, b) => a + b : (a, b) => a - b);
    }
  }

  #product(): Expression {
    let left = this.#filtered();
    for (;;) {
      const sign = this.#takes(/\*(?!\*)|\/\/|\/|%(?!\})/y);
      if (sign === undefined) return left;
      left = arithmetic(left, this.#filtered(), operations[sign] as (a: number, b: number) => number);
    }
  }

  /** A sign binds tighter than a filter: `-5 | abs` is 5. */
  #filtered(): Expression {
    let input = this.#signed();
    while (this.#takes(/\|/y) !== undefined) input = this.#filter(input);
    return input;
  }

  #signed(): Expression {
    const sign = this.#takes(/[+-]/y);
    if (sign === undefined) return this.#operand();
    const of = this.#signed();
    return arithmetic(() => 0, of, sign === '+' ? (_, b) => b : (_, b) => -b);
  }

  #filter(input: Expression): Expression {
    const at = this.#next();
    const name = this.#takes(/[A-Za-z_]\w*/y) ?? '';
    const filter = filters.get(name);
    if (!filter) {
      const near = nearest(name, filters.keys());
      const hint = near === undefined ? `known are ${[...filters.keys()].join(', ')}` : `did you mean "${near}"?`;
      throw this.#wrong(`there is no filter "${printable(name, 20)}": ${hint}`, at);
    }
    const args = this.#takes(/\(/y) === undefined ? [] : this.#arguments();
    const { most, least = 0, run } = filter;
    if (args.length > most || args.length < least) {
      throw this.#wrong(`"${name}" takes ${least === most ? '' : 'at most '}${most} in parentheses`, at);
    }
    return scope =>
      run(
        input(scope),
        args.map(arg => arg(scope)),
      );
  }

  #arguments(): Expression[] {
    const args: Expression[] = [];
    if (this.#takes(/\)/y) !== undefined) return args;
    do args.push(this.#sum());
    while (this.#takes(/,/y) !== undefined);
    if (this.#takes(/\)/y) === undefined) throw this.#wrong('")" is missing');
    return args;
  }

  #operand(): Expression {
    if (this.#takes(/\(/y) !== undefined) {
      const inner = this.#sum();
      if (this.#takes(/\)/y) === undefined) throw this.#wrong('")" is missing');
      return this.#members(inner);
    }
    const number = this.#takes(/\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?/y);
    if (number !== undefined) {
      const value = Number(number);
      if (!Number.isFinite(value)) throw this.#wrong(`${number} is too large`);
      return () => value;
    }
    const text = this.#quoted();
    if (text !== undefined) return () => text;
    const at = this.#next();
    const word = this.#takes(/[A-Za-z_]\w*/y);
    if (word === 'value_json') return this.#members(scope => scope.json());
    if (word === 'value') return this.#members(scope => scope.value);
    if (word !== undefined && /^true$/i.test(word)) return () => true;
    if (word !== undefined && /^false$/i.test(word)) return () => false;
    if (word !== undefined) throw this.#wrong(`"${printable(word, 20)}" is not known: use value or value_json`, at);
    throw this.#wrong(this.#rest() === '' ? 'it ends too early' : `"${printable(this.#rest(), 20)}" cannot stand here`);
  }

  #members(of: Expression): Expression {
    let found = of;
    for (;;) {
      const before = found;
      if (this.#takes(/\./y) !== undefined) {
        const name = this.#takes(/\w+/y);
        if (name === undefined) throw this.#wrong('after "." comes a name: others are written ["so"]');
        if (this.#rest().startsWith('(')) throw this.#wrong(`"${printable(name, 20)}" cannot be called`);
        found = scope => member(before(scope), name);
      } else if (this.#takes(/\[/y) !== undefined) {
        const key = this.#quoted() ?? this.#index();
        if (this.#takes(/\]/y) === undefined) throw this.#wrong('"]" is missing');
        found = scope => member(before(scope), key);
      } else return found;
    }
  }

  #index(): number {
    const digits = this.#takes(/-?\d{1,6}/y);
    if (digits === undefined) throw this.#wrong('between "[" and "]" stands a text in quotes, or a number');
    return Number(digits);
  }

  #quoted(): string | undefined {
    const text = this.#takes(/"[^"\\]*"|'[^'\\]*'/y);
    if (text === undefined && /^["']/.test(this.#rest())) throw this.#wrong('a text has no end, or a "\\" in it');
    return text?.slice(1, -1);
  }

  /** The next word, where it is of that kind; spaces before it are skipped. */
  #takes(kind: RegExp): string | undefined {
    this.#skip();
    kind.lastIndex = this.#at;
    const found = kind.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #skip(): void {
    while (/\s/.test(this.#text.charAt(this.#at))) this.#at++;
  }

  #rest(): string {
    this.#skip();
    return this.#text.slice(this.#at);
  }

  /** Where the next word begins. */
  #next(): number {
    this.#skip();
    return this.#at;
  }

  #wrong(what: string, at = this.#at): Wrong {
    return new Wrong(`the template is not understood at character ${at + 1}: ${what}`);
  }
}

/** Python's `//` and `%` go towards minus infinity. */
const floorMod = (a: number, b: number) => a - b * Math.floor(a / b);

const operations: Readonly<Record<string, (a: number, b: number) => number>> = {
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '//': (a, b) => Math.floor(a / b),
  '%': floorMod,
};

const arithmetic =
  (left: Expression, right: Expression, work: (a: number, b: number) => number): Expression =>
  scope => {
    const [a, b] = [numeric(left(scope)), numeric(right(scope))];
    return a === undefined || b === undefined ? undefined : work(a, b);
  };

/** @returns what reads payloads by it, or a sentence that says which character is wrong. Never throws. */
export function compileTemplate(text: string): Result<Template> {
  if (text.length > mostTemplate) return fail('schema', `a template is at most ${mostTemplate} characters long`);
  let expression: Expression;
  try {
    expression = new Parser(text).whole();
  } catch (error) {
    if (error instanceof Wrong) return fail('schema', error.message);
    throw error;
  }
  return ok(payload => {
    const value = decodeText(payload, mostPayload);
    if (!value.ok) return undefined;
    const found = numeric(expression({ value: value.value, json: once(value.value) }));
    return found !== undefined && Number.isFinite(found) ? found : undefined;
  });
}

function once(text: string): () => unknown {
  let parsed: { readonly json: unknown } | undefined;
  return () => {
    if (!parsed) {
      const json = parseJson(text);
      parsed = { json: json.ok ? json.value : undefined };
    }
    return parsed.json;
  };
}
