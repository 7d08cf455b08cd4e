/**
 * Services in containers. The unit's main process is the engine's client in the foreground, under the same shim as any
 * other service: it outlives the agent, its output is the container's, and its exit status too. What the client is not
 * told to end lives on in the engine, so a container is always ended and removed by name.
 */
import { createHash } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Log } from '../../../shared/log.ts';
import { printable } from '../../../shared/names.ts';
import type { Unit } from '../host.ts';
import {
  environmentFile,
  insideArguments,
  listArguments,
  removeArguments,
  runArguments,
  signalArguments,
  unitOfName,
} from './container-command.ts';
import { environmentOf } from './environment.ts';
import type { Launch } from './launch.ts';
import { ask, findProgram } from './programs.ts';
import type { Opened } from './secrets.ts';

export interface ContainersParts {
  /** The agent's folder for services. */
  readonly folder: string;
  /** Where a unit's environment file is. */
  environment(unit: string): string;
  /** What the client inherits: where its engine is, whose configuration it reads, and PATH to find it. */
  readonly inherited: Readonly<Record<string, string>>;
}

/** In this order: podman needs nobody running. */
const engines = ['podman', 'docker'] as const;
const versionMs = 10_000;
/** Ending and removing a container; a machine under load takes its time. */
const orderMs = 60_000;
/** Names a command line carries. */
const atOnce = 100;

export class Containers {
  readonly #parts: ContainersParts;
  readonly #mark: string;
  /** There where a container was ever started from this folder: only then is an engine looked for at a start. */
  readonly #used: string;
  #engine: string | undefined;

  constructor(parts: ContainersParts) {
    this.#parts = parts;
    this.#mark = createHash('sha256').update(parts.folder).digest('hex').slice(0, 16);
    this.#used = join(parts.folder, 'containers');
  }

  /** @throws with one sentence. */
  async launch(unit: Unit, opened: Opened): Promise<Launch> {
    const { environment, inherited } = this.#parts;
    const engine = await this.#find();
    const path = environment(unit.unit);
    // Before there is one: what is to be cleared up is known even if nobody lives to know more.
    if (!existsSync(this.#used)) writeFileSync(this.#used, '', { mode: 0o600 });
    const { unit: id, service } = unit;
    return {
      command: [engine, ...runArguments(unit, path, this.#mark, basename(engine) === 'docker')],
      cwd: '/',
      environment: { ...inherited, HEARTH_UNIT: id, HEARTH_SERVICE: service },
      file: environmentFile(environmentOf(unit, {}, opened)),
    };
  }

  /** Runs in the unit's container, whose environment it has there. @throws with one sentence. */
  async beside({ unit, spec }: Unit): Promise<Launch> {
    const { inherited } = this.#parts;
    return { command: [await this.#find(), ...insideArguments(unit, spec)], cwd: '/', environment: inherited };
  }

  /** Sends a signal to what runs in the container; false where nothing does, or its engine does not answer. */
  async signal(unit: string, signal: string): Promise<boolean> {
    const engine = await this.#find().catch(() => undefined);
    return engine !== undefined && (await this.#order(engine, signalArguments(unit, signal))).code === 0;
  }

  /** Resolves with one sentence where it is still there afterwards. */
  async remove(unit: string): Promise<string | undefined> {
    try {
      const engine = await this.#find();
      const { err } = await this.#order(engine, removeArguments([unit]));
      if (!(await this.#list(engine)).includes(unit)) return undefined;
      return `its container cannot be removed: ${firstLine(err)}`;
    } catch (error) {
      return `its container cannot be removed: ${(error as Error).message}`;
    }
  }

  /** Removes containers of this folder whose unit nobody knows, and says so in the log. */
  sweep(isKnown: (unit: string) => boolean, log: Log): void {
    if (!existsSync(this.#used)) return;
    this.#sweep(isKnown).then(
      swept => swept > 0 && log.info({ containers: swept }, 'containers without a unit are removed'),
      (error: Error) => log.warn({}, `containers that may be left over are not looked for: ${error.message}`),
    );
  }

  async #sweep(isKnown: (unit: string) => boolean): Promise<number> {
    const engine = await this.#find();
    const strays = (await this.#list(engine)).filter(unit => !isKnown(unit));
    for (let from = 0; from < strays.length; from += atOnce) {
      await this.#order(engine, removeArguments(strays.slice(from, from + atOnce)));
    }
    return strays.length;
  }

  async #list(engine: string): Promise<readonly string[]> {
    const { code, out, err } = await this.#order(engine, listArguments(this.#mark));
    if (code !== 0) throw new Error(firstLine(err));
    return out.split('\n').flatMap(name => unitOfName(name) ?? []);
  }

  #order(engine: string, args: readonly string[]) {
    return ask(engine, args, orderMs, this.#parts.inherited);
  }

  /** One that answers; asked again as long as none does. */
  async #find(): Promise<string> {
    if (this.#engine !== undefined) return this.#engine;
    const { inherited } = this.#parts;
    let silent: string | undefined;
    for (const name of engines) {
      const path = findProgram(name, inherited.PATH ?? '');
      if (path === undefined) continue;
      const { code, err } = await ask(path, ['version'], versionMs, inherited);
      if (code === 0) {
        this.#engine = path;
        return path;
      }
      silent ??= `${name} is installed, but does not answer: ${firstLine(err)}`;
    }
    throw new Error(`needs podman or docker: ${silent ?? 'neither is installed here'}`);
  }
}

const firstLine = (text: string): string => printable(text.trim().split('\n')[0] ?? '', 160) || 'it does not say why';
