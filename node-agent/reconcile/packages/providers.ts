/** All package managers that an agent can drive. */
import type { PackageProviderName } from '../../../shared/schemas/package.ts';
import { apk } from './apk.ts';
import { apt } from './apt.ts';
import { brew } from './brew.ts';
import { dnf } from './dnf.ts';
import { npm } from './npm.ts';
import { pacman } from './pacman.ts';
import { pip } from './pip.ts';
import type { Provider } from './provider.ts';

const providers: Readonly<Record<PackageProviderName, Provider>> = { apt, dnf, pacman, apk, brew, npm, pip };

/** One of them is the system's own: the first that is there. */
const systemProviders: readonly PackageProviderName[] = ['apt', 'dnf', 'pacman', 'apk', 'brew'];

export const providerOf = (name: PackageProviderName): Provider => providers[name];

export const systemProvider = (has: (program: string) => boolean): PackageProviderName | undefined =>
  systemProviders.find(name => has(providers[name].program));
