/** What `hearth apply` says, for people. Pure. */
import { isObject, type Json } from '../../shared/merge-patch.ts';
import { printable } from '../../shared/names.ts';
import { nounOf } from './document.ts';
import type { FileDiff } from './file-diff.ts';
import { countsOf, type NounPlan } from './plan.ts';
import type { NodeSteps } from './steps.ts';

export type Paint = (colour: 'red' | 'green' | 'dim', text: string) => string;

const codes = { red: 31, green: 32, dim: 2 } as const;
export const plainText: Paint = (_, text) => text;
/** ECMA-48, select graphic rendition. */
export const coloured: Paint = (colour, text) => `\u001b[${codes[colour]}m${text}\u001b[0m`;

/** Colours go to a terminal only, and not where NO_COLOR (no-color.org) is set and not empty. */
export const paintFor = (isTerminal: boolean, env: Readonly<Record<string, string | undefined>>): Paint =>
  isTerminal && !env.NO_COLOR && env.TERM !== 'dumb' ? coloured : plainText;

/** What every node would do, and what rooms would be told. @param online ids of the nodes that are there. */
export function dryRunLines(
  plans: readonly NounPlan[],
  nodes: readonly NodeSteps[],
  online: ReadonlySet<string>,
  total: number,
  paint: Paint,
): readonly string[] {
  const lines = plans.flatMap(plan => [`${plan.path}: ${countsOf(plan)}`, ...roomLines(plan, paint)]);
  for (const { node, steps, conflicts } of nodes) {
    const away = online.has(node) ? '' : ' (offline: when it is back)';
    lines.push('', `${node}${away}${steps.length === 0 ? ': nothing' : ' would'}`);
    for (const { text, diff } of steps) lines.push(`  ${text}`, ...(diff ? diffLines(diff, paint) : []));
    for (const conflict of conflicts) lines.push(`  conflict: ${conflict}`);
  }
  const idle = total - nodes.length;
  if (nodes.length > 0) lines.push('');
  const others = nodes.length > 0 ? 'other ' : '';
  if (idle > 0) lines.push(`${idle} ${others}${idle === 1 ? 'node' : 'nodes'}: nothing`);
  lines.push('Nothing was sent.');
  return lines;
}

/** What a room would be told; what that does to its nodes is decided when it is cold. */
function roomLines({ path, before, after, added, changed, removed }: NounPlan, paint: Paint): readonly string[] {
  if (nounOf(path) !== 'room') return [];
  const line = (colour: 'red' | 'green', sign: string, key: string, value: Json | undefined) =>
    `  ${paint(colour, printable(`${sign} ${key}: ${JSON.stringify(key === 'filler' ? withoutSecrets(value) : value)}`, 200))}`;
  const [old, next] = [new Set([...changed, ...removed]), new Set([...added, ...changed])];
  return [...new Set([...Object.keys(after), ...Object.keys(before)])].flatMap(key => [
    ...(old.has(key) ? [line('red', '-', key, before[key])] : []),
    ...(next.has(key) ? [line('green', '+', key, after[key])] : []),
  ]);
}

/** A password may stand in a command's environment. */
function withoutSecrets(filler: Json | undefined): Json | undefined {
  if (!isObject(filler) || !isObject(filler.env)) return filler;
  return { ...filler, env: Object.fromEntries(Object.keys(filler.env).map(name => [name, '…'])) };
}

function diffLines({ lines, more, hidden }: FileDiff, paint: Paint): readonly string[] {
  if (hidden !== undefined) return [`    ${paint('dim', `(${hidden})`)}`];
  const shown = lines.map(line => {
    const colour = line.startsWith('+') ? 'green' : line.startsWith('-') ? 'red' : 'dim';
    return `    ${line.startsWith(' ') ? line : paint(colour, line)}`;
  });
  return more > 0 ? [...shown, `    ${paint('dim', `(${more} more lines)`)}`] : shown;
}

/** What a person should know and no program need act on. */
export function hintsOf(plans: readonly NounPlan[], name: string, prune: boolean): readonly string[] {
  const hints: string[] = [];
  for (const { path, leftover, taken } of plans) {
    if (leftover.length > 0) {
      hints.push(
        `${path}: "${name}" put ${listed(leftover)} there and does not say it any more: --prune removes ${leftover.length === 1 ? 'it' : 'them'}`,
      );
    }
    for (const { entry, from } of taken)
      hints.push(`${path}: ${entry} is taken over from the file "${printable(from)}"`);
  }
  const foreign = plans.reduce((sum, plan) => sum + plan.foreign.length, 0);
  if (prune && foreign > 0) {
    const what = foreign === 1 ? 'an item of this file was' : `${foreign} items of this file were`;
    hints.push(`${what} there before it and would not be pruned: --adopt makes such items the file's`);
  }
  return hints;
}

const listed = (entries: readonly string[]): string => {
  const shown = entries.slice(0, 10).map(entry => printable(entry, 80));
  return entries.length > 10 ? `${shown.join(', ')} and ${entries.length - 10} more` : shown.join(', ');
};
