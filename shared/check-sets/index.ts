/** The shipped sets of checks, and how a document's checks become the ones that an agent looks at. Pure. */
import { limits } from '../limits.ts';
import { type Check, type CheckSetName, type CheckSeverity, checkDefaults } from '../schemas/check.ts';
import { machineSets } from './machine.ts';
import { roleSets } from './roles.ts';

export const checkSets: Readonly<Record<CheckSetName, Readonly<Record<string, Check>>>> = {
  ...machineSets,
  ...roleSets,
};

export interface Expanded {
  /** Assertions by name: `disk`, or `<item>:<name>` of a set's. */
  readonly checks: ReadonlyMap<string, Check>;
  /** Items of which nothing, or not all, became a check: one sentence each. */
  readonly odd: ReadonlyMap<string, string>;
}

export const severityOf = ({ severity }: Check): CheckSeverity => severity ?? checkDefaults.severity;

/**
 * Takes the sets apart. An own check called `<item>:<name>` stands in the place of the set's. At most `most` come of it,
 * own ones first, then the sets' in the order of names: what is left out is told.
 */
export function expandChecks(wanted: Readonly<Record<string, Check>>, most: number = limits.checks): Expanded {
  const checks = new Map<string, Check>();
  const odd = new Map<string, string>();
  const names = Object.keys(wanted).sort();
  const isSet = (name: string) => wanted[name]?.set !== undefined;
  const add = (item: string, name: string, check: Check) => {
    if (checks.has(name)) return;
    if (checks.size < most) checks.set(name, check);
    else odd.set(item, `not looked at: a node has at most ${most} checks, those of its sets included`);
  };
  for (const name of names) if (!isSet(name)) add(name, name, wanted[name] ?? {});
  for (const item of names.filter(isSet)) {
    const { set, skip = [] } = wanted[item] ?? {};
    // From a newer supervisor there may come a set that is not known here.
    const found = set !== undefined && Object.hasOwn(checkSets, set) ? checkSets[set] : undefined;
    if (found === undefined) {
      odd.set(item, `not looked at: this version knows no set "${set}"`);
      continue;
    }
    const unknown = skip.find(name => !Object.hasOwn(found, name));
    if (unknown !== undefined) odd.set(item, `the set "${set}" has no check "${unknown}" to skip`);
    for (const [name, check] of Object.entries(found)) {
      if (!skip.includes(name)) add(item, `${item}:${name}`, check);
    }
  }
  return { checks, odd };
}
