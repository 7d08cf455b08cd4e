/**
 * Checks: named assertions about a node. A check holds one kind of assertion under the kind's key, such as
 * `{"disk": {"path": "/", "max_pct": 90}}`, or names a shipped set (`{"set": "base"}`), which the agent expands.
 */
import { z } from 'zod';
import { isItemName } from '../names.ts';
import { assertions } from './assertions.ts';
import { runSchema } from './service.ts';

export const checkSeverities = ['info', 'warning', 'critical'] as const;
export type CheckSeverity = (typeof checkSeverities)[number];

/** Shipped sets; what is in them stands in shared/check-sets/. */
export const checkSetNames = [
  'base',
  'pi',
  'time',
  'network',
  'hardening',
  'ipv6-off',
  'intrusion',
  'ufw',
  'ssh',
  'dns-server',
  'dhcp-server',
  'web-server',
  'keepalived',
  'containers',
  'distcc',
  'redis',
] as const;
export type CheckSetName = (typeof checkSetNames)[number];

/** What holds where a check does not say it. */
export const checkDefaults = { severity: 'warning', every_s: 60, timeout_s: 10 } as const;

export type CheckKind = keyof typeof assertions;
export const checkKinds = Object.keys(assertions) as readonly CheckKind[];

const optionalAssertions = Object.fromEntries(
  Object.entries(assertions).map(([kind, schema]) => [kind, schema.optional()]),
) as unknown as { readonly [Kind in CheckKind]: z.ZodOptional<(typeof assertions)[Kind]> };

/** The keys alone, for a `want`, whose reader judges nothing anew. */
export const checkFields = z.strictObject({
  /** What its failing means. Default `warning`. */
  severity: z.enum(checkSeverities).optional(),
  /** Seconds between two looks, give or take a tenth. Default 60. */
  every_s: z.number().min(5, 'at least 5 seconds').max(86_400, 'at most a day (86400 seconds)').optional(),
  /** Seconds that one look may take. Default 10. */
  timeout_s: z.number().min(1, 'at least one second').max(600, 'at most 600 seconds').optional(),
  /** What to do when it fails: a sentence or an address. */
  runbook: z.string().min(1).max(200).optional(),
  /** A shipped set instead of an assertion: its checks become items `<this item>:<name>`. */
  set: z.enum(checkSetNames).optional(),
  /** Checks of the set that are left out. */
  skip: z.array(z.string().refine(isItemName, 'not the name of a check')).max(32).optional(),
  ...optionalAssertions,
});
export type Check = z.output<typeof checkFields>;

/** The kind of a check; undefined for a set, and for a kind that only a newer Hearth knows. */
export const kindOf = (check: Check): CheckKind | undefined => checkKinds.find(kind => check[kind] !== undefined);

/** What goes with what. */
export const checkSchema = checkFields.superRefine((check, context) => {
  const wrong = (key: string, message: string) => context.addIssue({ code: 'custom', path: [key], message });
  const kinds = checkKinds.filter(kind => check[kind] !== undefined);
  if (check.set === undefined) {
    if (check.skip !== undefined) wrong('skip', 'is of a set');
    if (kinds.length === 0) {
      context.addIssue({ code: 'custom', message: `says nothing: give it one of ${checkKinds.join(', ')}, or a set` });
    }
  } else {
    for (const key of [...kinds, 'severity', 'every_s', 'timeout_s', 'runbook'] as const)
      if (check[key] !== undefined) wrong(key, 'a set brings its own: skip its check, and write one of yours');
  }
  const [, second] = kinds;
  if (check.set === undefined && second !== undefined)
    wrong(second, `one check is one kind of assertion, and this one has ${kinds.join(' and ')}`);
});

/** A check as set: a bare command line is short for `{"command": {"run": …}}`. */
export const checkInput = z.union(
  [runSchema.transform((run): Check => ({ command: { run } })), checkSchema],
  'a command line, a list of arguments, or an object with one kind of check',
);
