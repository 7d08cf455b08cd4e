/**
 * What Hearth itself put on this machine: packages that were not there before, and holds that it set. Written before
 * the effect: "ours" means "was not there when we set out to install it", so that an agent killed at any moment finds
 * on its next look whether it came to that. Pure.
 */
import { z } from 'zod/mini';
import { packageProviders } from '../../../shared/schemas/package.ts';
import { type Change, type Installed, type Manager, managerId } from './provider.ts';

export interface Entry {
  readonly manager: Manager;
  readonly name: string;
  /** The item that asked for it: what its removal is told as. */
  readonly item: string;
  /** It was not there before. */
  readonly ours: boolean;
  /** Its hold is Hearth's. */
  readonly held: boolean;
}

export interface Ledger {
  /** By {@link entryKey}. */
  readonly packages: Readonly<Record<string, Entry>>;
  /** Items with `drift: report` -> the {@link itemKey} with which they were once as wanted. */
  readonly settled: Readonly<Record<string, string>>;
}

export const emptyLedger: Ledger = { packages: {}, settled: {} };

/** A name has no space. */
export const entryKey = (manager: Manager, name: string): string => `${name} ${managerId(manager)}`;

const entrySchema = z.object({
  manager: z.object({ provider: z.enum(packageProviders), into: z.optional(z.string()) }),
  name: z.string(),
  item: z.string(),
  ours: z.boolean(),
  held: z.boolean(),
});
const ledgerSchema = z.object({
  format: z.literal(1),
  packages: z.record(z.string(), entrySchema),
  settled: z.record(z.string(), z.string()),
});

/** Throws where the text is no ledger. */
export function parseLedger(text: string): Ledger {
  const { packages, settled } = ledgerSchema.parse(JSON.parse(text));
  return { packages, settled };
}

export const ledgerText = (ledger: Ledger): string => `${JSON.stringify({ format: 1, ...ledger })}\n`;

export const isEmpty = ({ packages, settled }: Ledger): boolean =>
  Object.keys(packages).length === 0 && Object.keys(settled).length === 0;

const without = <T>(record: Readonly<Record<string, T>>, keys: ReadonlySet<string>): Record<string, T> =>
  Object.fromEntries(Object.entries(record).filter(([key]) => !keys.has(key)));

/** The ledger as it must stand on disk before these changes are begun. */
export function intended(ledger: Ledger, manager: Manager, changes: readonly Change[]): Ledger {
  const packages = { ...ledger.packages };
  for (const change of changes) {
    const key = entryKey(manager, change.name);
    const before = packages[key];
    const ours = before?.ours === true || (change.action === 'install' && change.from === undefined);
    const held = before?.held === true || change.hold;
    if (!ours && !held) continue;
    packages[key] = { manager, name: change.name, item: change.item, ours, held };
  }
  return { ...ledger, packages };
}

/** After changes, when the machine was looked at: what is gone is no longer Hearth's. */
export function confirmed(
  ledger: Ledger,
  manager: Manager,
  changes: readonly Change[],
  installed: ReadonlyMap<string, Installed>,
): Ledger {
  const packages = { ...ledger.packages };
  for (const { name, action, hold } of changes) {
    const key = entryKey(manager, name);
    const entry = packages[key];
    if (!entry) continue;
    const is = installed.get(name);
    // An install that did not come to be leaves nothing that would be Hearth's.
    const ours = entry.ours && is !== undefined;
    const held = entry.held && (hold || is?.held === true) && is !== undefined;
    if (action === 'remove' && is !== undefined) continue;
    if (ours || held) packages[key] = { ...entry, ours, held };
    else delete packages[key];
  }
  return { ...ledger, packages };
}

/** Without what is no longer so, and with the items that are as wanted. */
export function noted(
  ledger: Ledger,
  forget: readonly string[],
  settled: Readonly<Record<string, string>>,
  unsettled: readonly string[],
): Ledger {
  return {
    packages: without(ledger.packages, new Set(forget)),
    settled: { ...without(ledger.settled, new Set(unsettled)), ...settled },
  };
}
