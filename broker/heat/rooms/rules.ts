/**
 * Rules of a room: `{"if": "price > 0.35", "add_c": -1}`. The grammar is CEL's, as for `where` of jobs, and what it means is
 * read in the same way; here everything is a number, so that an expression that could never be true is refused when it is
 * said and not found out in winter.
 */
import { type ASTNode, Environment } from '@marcbachmann/cel-js';
import { type ContractError, fail, ok, type Result } from '../../../shared/errors.ts';
import { compileWhere, type Facts, type Where } from '../../../shared/jobs/where.ts';
import { nearest, printable } from '../../../shared/names.ts';
import type { RoomRule } from '../../../shared/schemas/room.ts';

/** What an expression may ask for; `hour` is that of the room's clock, 0 to 23. */
export const ruleNames = ['price', 'surplus_w', 'temp_c', 'outdoor_c', 'target_c', 'hour'] as const;
export type RuleName = (typeof ruleNames)[number];
export type RuleFacts = { readonly [K in RuleName]?: number | undefined };

export interface CompiledRule {
  readonly rule: RoomRule;
  readonly asks: ReadonlySet<RuleName>;
  test(facts: Facts): boolean;
}

const parser = new Environment({ unlistedVariablesAreDyn: true, homogeneousAggregateLiterals: false });

/** @returns the rules, or what is wrong with the first that is no rule, at `rules.0.if`. */
export function compileRules(rules: readonly RoomRule[]): Result<readonly CompiledRule[]> {
  const compiled: CompiledRule[] = [];
  for (const [index, rule] of rules.entries()) {
    const one = compileRule(rule);
    if (!one.ok) return fail('schema', one.error.message, `rules.${index}.if`);
    compiled.push(one.value);
  }
  return ok(compiled);
}

function compileRule(rule: RoomRule): Result<CompiledRule> {
  // Bounds on its length and depth are looked at first, and are the same.
  const where: Result<Where> = compileWhere(rule.if);
  if (!where.ok) return where;
  const asks = new Set<RuleName>();
  const found = kindOf(parser.parse(rule.if).ast, asks);
  if (typeof found !== 'string') return { ok: false, error: found };
  if (found !== 'truth') return fail('schema', 'it is a number: compare it, as in price > 0.3');
  return ok({ rule, asks, test: facts => where.value.test(facts) });
}

/** What a part of an expression gives: `list` stands only after `in`. */
type Kind = 'number' | 'truth' | 'list';

const complain = (message: string): ContractError => ({ code: 'schema', message });

/** What the node gives, or what is wrong below it; the names that it asks for are put into `asks`. */
function kindOf(node: ASTNode, asks: Set<RuleName>): Kind | ContractError {
  const all = (kind: Kind, given: Kind, nodes: readonly ASTNode[]): Kind | ContractError => {
    for (const one of nodes) {
      const found = kindOf(one, asks);
      if (typeof found !== 'string') return found;
      if (found !== kind) return complain(wrongKind(kind, one));
    }
    return given;
  };
  switch (node.op) {
    case 'value':
      if (typeof node.args === 'boolean') return 'truth';
      return typeof node.args === 'number' || typeof node.args === 'bigint'
        ? 'number'
        : complain(`"${shown(node)}" is no number`);
    case 'id':
      return named(node.args, asks);
    case '+':
    case '-':
    case '*':
    case '/':
    case '%':
      return all('number', 'number', node.args);
    case '-_':
      return all('number', 'number', [node.args]);
    case '==':
    case '!=':
    case '<':
    case '<=':
    case '>':
    case '>=':
      return all('number', 'truth', node.args);
    case '&&':
    case '||':
      return all('truth', 'truth', node.args);
    case '!_':
      return all('truth', 'truth', [node.args]);
    case 'in': {
      const [one, list] = node.args;
      if (list.op !== 'list') return complain('after "in" comes a list of numbers, as in hour in [22, 23]');
      return all('number', 'truth', [one, ...list.args]);
    }
    case 'call': {
      const [name, given] = node.args;
      if (name === 'has' && given[0]?.op === 'id') return all('number', 'truth', given);
      if (name === 'int' || name === 'double') return all('number', 'number', given);
      break;
    }
  }
  return complain(`"${shown(node)}" is not available in a rule: compare ${ruleNames.join(', ')} with numbers`);
}

function named(name: string, asks: Set<RuleName>): Kind | ContractError {
  const known = ruleNames.find(one => one === name);
  if (known === undefined) {
    const near = nearest(name, ruleNames);
    const hint = near === undefined ? `known are ${ruleNames.join(', ')}` : `did you mean "${near}"?`;
    return complain(`there is no "${printable(name)}" here: ${hint}`);
  }
  asks.add(known);
  return 'number';
}

const shown = (node: ASTNode): string => printable(node.input.slice(node.range.start, node.range.end), 40);

const wrongKind = (wanted: Kind, node: ASTNode): string =>
  wanted === 'number'
    ? `"${shown(node)}" is true or false, and a number is wanted there`
    : `"${shown(node)}" is a number, and true or false is wanted there: compare it`;
