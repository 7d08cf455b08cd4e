/** What machines that join are given: the install script, and the archives that it names. */
import { createReadStream } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Log } from '../../shared/log.ts';
import { UserError } from '../../shared/user-error.ts';
import { type AgentFiles, packAgent } from './agent-archive.ts';
import type { ArtifactStore } from './artifact-store.ts';
import { assembleScript } from './assemble-script.ts';
import {
  type Architecture,
  type Archive,
  architectures,
  type InstallScript,
  renderInstallScript,
  type ScriptParts,
} from './install-script.ts';
import { askedOnce, npmRegistry, type Registry } from './npm-registry.ts';
import { fetchRuntime, ownRuntime, type Runtime } from './runtimes.ts';

export interface Distribution {
  /**
   * `GET /install.sh`, and the hash that `hearth token` prints. The first one waits until runtimes are fetched; what could not be
   * fetched is told in the script, and tried again later. The same for as long as this supervisor's version is the same and
   * everything could be had.
   */
  installScript(): Promise<InstallScript>;
  /** The agent's archive, which is in the store then. */
  agent(): Promise<Archive>;
  /** What is fetched now, for who waits: most of a minute for each architecture on a slow line. */
  fetching(): Fetching | undefined;
  /** Ends what is being fetched. */
  close(): Promise<void>;
}

export interface Fetching {
  readonly arch: Architecture;
  /** It is the first, second ... of how many. */
  readonly number: number;
  readonly of: number;
}

export interface DistributionOptions extends AgentFiles {
  readonly store: ArtifactStore;
  /** For what is remembered, and for what is half done. */
  readonly folder: string;
  /** Of Hearth. */
  readonly ver: string;
  readonly log: Log;
  /** Wall clock. */
  readonly now: () => number;
  /** Default: npm's. */
  readonly registry?: Registry;
  /** How long after a runtime could not be had it is tried again. */
  readonly retryMs?: number;
}

const archive = z.object({ sha256: z.string().regex(/^[0-9a-f]{64}$/), size: z.number().int().positive() });
const runtime = archive.extend({ node: z.string().regex(/^\d+\.\d+\.\d+$/) });
/** Kept so that the script stays the same from one start to the next. */
const remembered = z.object({
  hearth: z.string(),
  runtimes: z.object({ x64: runtime, arm64: runtime, armv7l: runtime }).partial(),
  agent: archive.optional(),
});
type Remembered = z.output<typeof remembered>;

export function createDistribution(options: DistributionOptions): Distribution {
  return new KeptDistribution(options);
}

class KeptDistribution implements Distribution {
  readonly #options: DistributionOptions;
  readonly #end = new AbortController();
  #script: InstallScript | undefined;
  #agent: Promise<Archive> | undefined;
  #preparing: Promise<InstallScript> | undefined;
  #fetching: Fetching | undefined;
  /** When to try again for what is missing; infinity: nothing is. */
  #againAt = 0;

  constructor(options: DistributionOptions) {
    this.#options = options;
  }

  async installScript(): Promise<InstallScript> {
    if (this.#end.signal.aborted) throw new UserError('The supervisor is stopping.');
    if (this.#preparing === undefined && this.#options.now() >= this.#againAt) {
      this.#preparing = this.#prepare().finally(() => {
        this.#preparing = undefined;
        this.#fetching = undefined;
      });
      this.#preparing.catch(error => {
        if (!this.#end.signal.aborted) this.#options.log.error({ error }, 'the install script cannot be made');
      });
    }
    // While something missing is tried again, the last one will do.
    const script = this.#script ?? (await this.#preparing);
    if (!script) throw new UserError('The install script could not be made: the log says why.');
    return script;
  }

  agent(): Promise<Archive> {
    this.#agent ??= this.#packAgent().catch(error => {
      this.#agent = undefined;
      throw error;
    });
    return this.#agent;
  }

  async #packAgent(): Promise<Archive> {
    await mkdir(this.#options.folder, { recursive: true, mode: 0o700 });
    return packAgent(this.#options, join(this.#options.folder, 'packing'), this.#keep);
  }

  fetching(): Fetching | undefined {
    return this.#fetching;
  }

  async close(): Promise<void> {
    this.#end.abort();
    await this.#preparing?.catch(() => {});
  }

  async #prepare(): Promise<InstallScript> {
    const { folder, ver, store, deploy, retryMs = 10 * 60_000, now } = this.#options;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await rm(this.#scratch, { recursive: true, force: true });
    const before = await this.#recall();
    const agent = await this.agent();
    const runtimes: Partial<Record<Architecture, Runtime>> = {};
    const parts: ScriptParts = { ver, agent, runtimes: { x64: none, arm64: none, armv7l: none } };
    const registry = askedOnce(this.#options.registry ?? npmRegistry(folder));
    for (const arch of architectures) {
      const one = await this.#runtime(arch, before, registry);
      if (!('missing' in one)) runtimes[arch] = one;
      Object.assign(parts.runtimes, { [arch]: one });
    }
    await this.#remember({ hearth: ver, runtimes, agent }, before);
    this.#againAt = Object.keys(runtimes).length === architectures.length ? Number.POSITIVE_INFINITY : now() + retryMs;
    const template = await assembleScript(join(deploy, 'install.sh'));
    for (const { sha256 } of [agent, ...Object.values(runtimes)]) store.find(sha256);
    this.#script = renderInstallScript(template, parts);
    return this.#script;
  }

  /** The one that was handed out before where there is one and it is of this version, else a new one, else the old one. */
  async #runtime(
    arch: Architecture,
    before: Remembered | undefined,
    registry: Registry,
  ): Promise<Runtime | { readonly missing: string }> {
    const { store, ver, log, now } = this.#options;
    const old = before?.runtimes[arch];
    const there = old && store.find(old.sha256)?.open ? old : undefined;
    if (there && before?.hearth === ver) return there;
    this.#fetching = { arch, number: architectures.indexOf(arch) + 1, of: architectures.length };
    const { signal } = this.#end;
    const own = there ? undefined : ownRuntime();
    try {
      const parts = { registry, folder: this.#scratch, now, log, signal, own, keep: this.#keep };
      const one = await fetchRuntime(arch, parts);
      log.info({ arch, node: one.node, bytes: one.size }, 'a Node runtime for machines that join is ready');
      return one;
    } catch (error) {
      if (signal.aborted) throw error;
      log.warn({ arch, error }, `no new Node runtime for ${arch} machines that join`);
      return there ?? { missing: error instanceof UserError ? error.message : 'The supervisor could not get one.' };
    }
  }

  get #scratch(): string {
    return join(this.#options.folder, 'scratch');
  }

  get #memory(): string {
    return join(this.#options.folder, 'distribution.json');
  }

  readonly #keep = async (file: string, { sha256, size }: Archive): Promise<void> => {
    await this.#options.store.put(createReadStream(file), { sha256, size, open: true, pinned: true });
  };

  async #recall(): Promise<Remembered | undefined> {
    try {
      return remembered.parse(JSON.parse(await readFile(this.#memory, 'utf8')));
    } catch {
      // Not there or not readable: everything is fetched anew.
      return undefined;
    }
  }

  async #remember(state: Remembered, before: Remembered | undefined): Promise<void> {
    const beside = `${this.#memory}.new`;
    await writeFile(beside, `${JSON.stringify(state)}\n`, { mode: 0o600 });
    await rename(beside, this.#memory);
    const used = new Set(hashes(state));
    for (const sha256 of before ? hashes(before) : []) {
      if (!used.has(sha256)) await this.#options.store.pin(sha256, false);
    }
  }
}

const none = { missing: '' };
const hashes = ({ agent, runtimes }: Remembered): string[] =>
  [agent, ...Object.values(runtimes)].flatMap(one => (one ? [one.sha256] : []));
