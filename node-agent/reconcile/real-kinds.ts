/** Packages and files of this machine, whose code is loaded when they are needed. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock, Random } from '../../shared/clock.ts';
import type { Log } from '../../shared/log.ts';
import type { WantedFile, WantedPackage } from '../../shared/schemas/want.ts';
import type { Fetching } from '../artifacts/fetching.ts';
import { slotOf } from './kind-slot.ts';
import { type LoadedKind, lazyKind } from './lazy-kind.ts';
import type { RunUpgrade } from './upgrading.ts';

export interface RealKindParts {
  /** The agent's data folder. */
  readonly data: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly fetching: Fetching;
  /** Facts that templates may name. */
  facts(): Readonly<Record<string, string | number | boolean>>;
}

export function realFiles({ data, clock, random, log, fetching, facts }: RealKindParts): LoadedKind<WantedFile> {
  return lazyKind<WantedFile>({
    ...{ kind: 'files', log },
    steps: ['file.write', 'file.remove', 'file.restore', 'folder.unpack', 'folder.repair'],
    left: () => existsSync(join(data, 'items/files.json')),
    async load() {
      const [{ FileTable }, { planFiles }] = await Promise.all([import('./files/table.ts'), import('./files/plan.ts')]);
      const table = new FileTable({ data, fetching, clock, random, facts });
      return { ...slotOf(table, planFiles), markOf: name => table.markOf(name) };
    },
  });
}

export function realPackages({ data, clock, random, log }: RealKindParts): LoadedKind<WantedPackage> {
  const folder = join(data, 'items');
  return lazyKind<WantedPackage>({
    ...{ kind: 'packages', log },
    steps: ['packages.change', 'packages.wait', 'packages.note'],
    left: () => existsSync(join(folder, 'packages.json')),
    async load() {
      const [{ PackageTable }, { planPackages }, { createRealMachine }, { createLedgerFile }] = await Promise.all([
        import('./packages/table.ts'),
        import('./packages/plan.ts'),
        import('./packages/real-machine.ts'),
        import('./packages/ledger-file.ts'),
      ]);
      const machine = createRealMachine({ folder });
      const table = new PackageTable({ machine, disk: createLedgerFile(folder), clock, random });
      const slot = slotOf(table, planPackages);
      return { ...slot, markOf: name => table.items()[`packages/${name}`]?.ver };
    },
  });
}

/** `do/upgrade` on this machine. */
export async function realUpgrade({ data, clock }: RealKindParts): Promise<RunUpgrade> {
  const [{ upgradeAll }, { drive }, { createRealMachine }, { providerOf, systemProvider }] = await Promise.all([
    import('./packages/upgrade.ts'),
    import('./packages/talk.ts'),
    import('./packages/real-machine.ts'),
    import('./packages/providers.ts'),
  ]);
  // A folder of its own: the package table takes what lies in its own for its own.
  const machine = createRealMachine({ folder: join(data, 'items/upgrade') });
  return (tell, done) => {
    const name = systemProvider(program => machine.has(program));
    if (name === undefined) return { refused: 'this machine has no package manager that Hearth knows' };
    const provider = providerOf(name);
    if (provider.account === 'root' && !machine.root) return { refused: `${name} needs root` };
    if (provider.account === 'not-root' && machine.root) return { refused: `${name} does not work as root` };
    return drive(upgradeAll(provider), { clock, run: machine.run, tell }, failure => done(failure));
  };
}
