/**
 * What a job's package is when the job is accepted: one version, its hash, and all that it depends on, as npm's own lock.
 * Nodes install just that, whatever the registry says later. The lock is kept as an artifact, which the job names.
 */
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fail, ok, type Result } from '../../shared/errors.ts';
import { mostLock, pinnedIn, wrongLock } from '../../shared/jobs/npm-lock.ts';
import type { ArtifactStore } from '../artifacts/artifact-store.ts';
import type { PinnedPackage } from './acceptance.ts';
import { npmLock } from './pin-npm.ts';

export interface PinParts {
  readonly store: Pick<ArtifactStore, 'find' | 'put'>;
  /** Scratch folders are made in it; default: the system's. */
  readonly folder?: string;
  /** Of npm: which registry, mirror, proxy. Default: this process's. */
  readonly environment?: NodeJS.ProcessEnv;
}

/** npm processes at the same time, and jobs that wait for one. */
const [mostAtOnce, mostWaiting] = [3, 100];

/** Never rejects. @param spec `npm:NAME`, `npm:NAME@RANGE` or `artifact:SHA256`, as the job's schema lets through. */
export type PinPackage = (spec: string) => Promise<Result<PinnedPackage>>;

export function createPinning(parts: PinParts): PinPackage {
  let running = 0;
  const waiting: (() => void)[] = [];
  const turn = async (): Promise<void> => {
    if (running >= mostAtOnce) await new Promise<void>(resolve => waiting.push(resolve));
    else running++;
  };
  const over = (): void => {
    const next = waiting.shift();
    if (next) next();
    else running--;
  };
  return async spec => {
    if (spec.startsWith('artifact:')) return known(spec, parts.store);
    if (waiting.length >= mostWaiting) {
      return fail('full', `${mostWaiting} jobs wait for npm to look up their packages: send it again in a while`);
    }
    await turn();
    try {
      return await pin(spec, parts);
    } catch (error) {
      return fail('not-available', `it cannot be pinned: ${(error as Error).message}`);
    } finally {
      over();
    }
  };
}

function known(spec: string, store: PinParts['store']): Result<PinnedPackage> {
  if (store.find(spec.slice('artifact:'.length))) return ok({ package: spec });
  return fail('not-available', 'there is no such artifact: upload it first, with "hearth artifact put"');
}

/** `npm:NAME@RANGE` in its parts; undefined for what npm might take for a path. */
export function readSpec(spec: string): { readonly name: string; readonly range: string } | undefined {
  const [, name, range = 'latest'] =
    /^npm:((?:@[a-z0-9~][a-z0-9._~-]*\/)?[a-z0-9~][a-z0-9._~-]*)(?:@(.+))?$/.exec(spec) ?? [];
  if (name === undefined || !/^[0-9A-Za-z^~<>=*][0-9A-Za-z.^~<>=|* +-]*$/.test(range)) return undefined;
  return /\.(tgz|tar|tar\.gz)$/i.test(range) || range.includes('..') ? undefined : { name, range };
}

async function pin(spec: string, parts: PinParts): Promise<Result<PinnedPackage>> {
  const asked = readSpec(spec);
  if (!asked) return fail('schema', 'names no package and version: write npm:NAME@1.2.3, npm:NAME@^1 or npm:NAME');
  const folder = await mkdtemp(join(parts.folder ?? tmpdir(), 'hearth-pin-'));
  try {
    await writeFile(join(folder, 'package.json'), '{"private":true}');
    const problem = await npmLock(folder, `${asked.name}@${asked.range}`, parts.environment ?? process.env);
    if (problem !== undefined) return fail('not-available', problem);
    const file = join(folder, 'package-lock.json');
    if ((await stat(file)).size > mostLock) return fail('too-large', 'it depends on too many packages');
    const text = onlyPackages(await readFile(file, 'utf8'), asked.name);
    const pinned = pinnedIn(text, asked.name);
    if (!pinned) return fail('not-available', 'the registry tells no version and hash of it');
    const wrong = wrongLock(text, pinned);
    if (wrong !== undefined) return fail('not-available', `it cannot be pinned to the byte: ${wrong}`);
    const lock = await keep(text, `lock of ${pinned.name}@${pinned.version}`, parts.store);
    return ok({ package: `npm:${pinned.name}@${pinned.version}`, integrity: pinned.integrity, lock });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The lock says what is to be had as npm ci wants it: with the very version. */
function onlyPackages(text: string, name: string): string {
  const lock = JSON.parse(text) as { packages?: Record<string, { version?: string }> };
  const version = lock.packages?.[`node_modules/${name}`]?.version;
  const packages = { ...lock.packages, '': { dependencies: { [name]: version } } };
  return JSON.stringify({ name: 'job', lockfileVersion: 3, requires: true, packages });
}

/** @returns its `artifact:SHA256`. */
async function keep(text: string, name: string, store: PinParts['store']): Promise<string> {
  const bytes = Buffer.from(text);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  await store.put(Readable.from([bytes]), { sha256, size: bytes.length, name });
  return `artifact:${sha256}`;
}
