/**
 * Files as one kind of items: looked at, planned, made, watched. One plan at a time; its steps run a few at once, since
 * most of a step is waiting for the disk or the network.
 */
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock, Random, Timer } from '../../../shared/clock.ts';
import type { FileItem } from '../../../shared/schemas/file.ts';
import type { ItemStatus } from '../../../shared/schemas/observed.ts';
import type { Fetching } from '../../artifacts/fetching.ts';
import type { ExecutorsOf, ItemKind, KindHandlers } from '../kind.ts';
import { type ArchiveLimits, archiveLimits } from './archive/entries.ts';
import { repairFolder, unpackFolder } from './folder.ts';
import { FileHost } from './host.ts';
import { Lanes } from './lanes.ts';
import { Ledger } from './ledger.ts';
import { lookAt, type Seen } from './look.ts';
import { Manifests } from './manifest.ts';
import { Originals } from './originals.ts';
import { type FileSteps, type FilesIs, planFiles } from './plan.ts';
import { recoverAll } from './recover.ts';
import { restorePath } from './restore.ts';
import { Retries } from './retries.ts';
import { Rounds } from './rounds.ts';
import { Statuses } from './statuses.ts';
import type { Target } from './target.ts';
import type { Facts } from './template.ts';
import { textDiff } from './text-diff.ts';
import { type CopyLimits, copyLimits } from './trees.ts';
import { Verdicts } from './verdicts.ts';
import { FetchFailed, type Work, type Workshop } from './workshop.ts';
import { type Outcome, removeFile, writeFile } from './write.ts';
import { sentenceOf, shown } from './wrong.ts';

export interface FileTableOptions {
  /** The agent's data folder; what this table remembers is in `items/` of it. */
  readonly data: string;
  readonly fetching: Fetching;
  readonly clock: Clock;
  readonly random: Random;
  /** Facts that templates may name. Read at each look, and every 30 s. */
  readonly facts: () => Facts;
  /** The content at an item's path was changed by a step: made, replaced, put right or taken away. */
  readonly onChanged?: (name: string) => void;
  readonly host?: FileHost;
  readonly archives?: ArchiveLimits;
  readonly copies?: CopyLimits;
  /** Steps at the same time. */
  readonly lanes?: number;
  /** False: nothing is watched, and drift is seen by the rounds alone. */
  readonly hasEvents?: boolean;
}

/** How long after trouble with the ledger it is read again. */
const troubleMs = 30_000;

const nothing: Seen = {
  held: new Map(),
  targets: new Map(),
  there: new Set(),
  drifts: new Map(),
  wrong: new Map(),
  unseen: new Set(),
  said: new Map(),
};

export class FileTable implements ItemKind<FileItem, FilesIs, FileSteps> {
  readonly #options: FileTableOptions;
  readonly #folder: string;
  readonly #shop: Workshop;
  readonly #statuses: Statuses;
  readonly #retries: Retries;
  readonly #verdicts: Verdicts;
  readonly #lanes: Lanes;
  readonly #rounds: Rounds;
  #handlers: KindHandlers = { changed() {}, again() {}, notice() {} };
  #seen: Seen = nothing;
  #retry: Timer | undefined;
  #isClosed = false;
  #isStarted = false;
  /** Why nothing at all can be done for now. */
  #trouble = '';

  constructor(options: FileTableOptions) {
    this.#options = options;
    this.#folder = join(options.data, 'items');
    const host = options.host ?? new FileHost();
    this.#shop = {
      host,
      ledger: new Ledger(host, this.#folder),
      originals: new Originals(host, this.#folder, options.copies ?? copyLimits),
      manifests: new Manifests(host, this.#folder),
      fetching: options.fetching,
      random: options.random,
      archives: options.archives ?? archiveLimits,
      fine: new Map(),
    };
    this.#statuses = new Statuses(options.clock.wall, () => this.#handlers.changed());
    this.#retries = new Retries(options.random);
    this.#verdicts = new Verdicts(this.#statuses, this.#retries, options.clock);
    this.#lanes = new Lanes(options.lanes ?? 8);
    this.#rounds = new Rounds(this.#shop, options, () => this.#handlers.again());
  }

  start(handlers: KindHandlers, done: () => void): void {
    this.#handlers = handlers;
    this.#start()
      .catch(error => this.#troubled(error))
      .finally(done);
  }

  /** Without its ledger the table does nothing at all: what is under way, and what was there before, is not known. */
  #troubled(error: unknown): void {
    this.#trouble = `files: ${sentenceOf(error, this.#folder, this.#shop.host.isRoot)}`;
    this.#handlers.notice('error', 'files', this.#trouble);
    this.#retry?.cancel();
    if (!this.#isClosed) this.#retry = this.#options.clock.after(troubleMs, () => this.#handlers.again());
  }

  async #start(): Promise<void> {
    const { ledger, originals, manifests } = this.#shop;
    for (const folder of [this.#folder, originals.folder, manifests.folder]) {
      const made = await mkdir(folder, { recursive: true, mode: 0o700 });
      if (made !== undefined) await this.#shop.host.syncFolder(dirname(folder));
    }
    const damaged = await ledger.load();
    if (damaged !== undefined) this.#handlers.notice('error', 'files', damaged);
    this.#isStarted = true;
    for (const sentence of await recoverAll(this.#shop)) this.#handlers.notice('warn', 'files', sentence);
  }

  look(wanted: Readonly<Record<string, FileItem>>, done: (is: FilesIs) => void): void {
    this.#rounds.pause();
    if (
      Object.keys(wanted).length === 0 &&
      this.#shop.ledger.entries.size === 0 &&
      this.#lanes.isIdle &&
      this.#isStarted
    ) {
      for (const name of this.#statuses.names()) this.#statuses.delete(name);
      this.#seen = nothing;
      done({ ...nothing, waiting: new Set() });
      return;
    }
    this.#look(wanted)
      .catch(error => {
        this.#troubled(error);
        return { ...nothing, waiting: new Set<string>() };
      })
      .then(done);
  }

  async #look(wanted: Readonly<Record<string, FileItem>>): Promise<FilesIs> {
    // The plan before was given up: what is under way comes to its end, nothing more of it begins.
    await this.#lanes.giveUp();
    if (!this.#isStarted) await this.#start();
    this.#trouble = '';
    const { ledger } = this.#shop;
    await ledger.flush().catch(() => {});
    const failed = await recoverAll(this.#shop);
    for (const sentence of failed) this.#handlers.notice('warn', 'files', sentence);
    const seen = await lookAt(this.#shop, wanted, this.#options.facts(), this.#options.data, this.#rounds.suspects());
    this.#seen = seen;
    const waiting = await this.#verdicts.judge(seen, wanted, target => this.#rounds.diff(target));
    const is: FilesIs = { ...seen, waiting };
    for (const { args } of planFiles(is, wanted)) this.#statuses.set(args.name, 'waiting');
    this.#rounds.begin(seen, wanted);
    this.#wake();
    return is;
  }

  readonly executors: ExecutorsOf<FileSteps> = {
    'file.write': (args, done) =>
      this.#make(args.name, args.target, args.isRepair, work => writeFile(this.#shop, args, work), done),
    'file.remove': (args, done) =>
      this.#make(args.name, args.target, args.isRepair, work => removeFile(this.#shop, args, work), done),
    'folder.unpack': (args, done) =>
      this.#make(args.name, args.target, false, work => unpackFolder(this.#shop, args, work), done),
    'folder.repair': (args, done) => {
      const inner = this.#seen.drifts.get(args.target.path)?.inner ?? [];
      this.#make(args.name, args.target, true, work => repairFolder(this.#shop, args, inner, work), done);
    },
    'file.restore': ({ name, path }, done) => {
      const isWanted = this.#seen.targets.has(name);
      this.#lanes.add(async signal => {
        const work = this.#work(name, signal);
        try {
          await restorePath(this.#shop, path, isWanted ? { ...work, doing: () => {} } : work);
          this.#verdicts.restored(name, path, isWanted);
          this.#options.onChanged?.(name);
          return undefined;
        } catch (error) {
          return this.#failed(name, path, undefined, error, signal);
        }
      }, this.#ended(done));
    },
  };

  #make(
    name: string,
    target: Target,
    isRepair: boolean,
    run: (work: Work) => Promise<Outcome>,
    done: (error?: string) => void,
  ): void {
    this.#lanes.add(async signal => {
      try {
        const why = this.#seen.drifts.get(target.path)?.why ?? '';
        this.#statuses.set(name, 'changing', { doing: isRepair ? 'putting right' : 'changing' });
        const { isChanged, replaced } = await run(this.#work(name, signal));
        this.#verdicts.made(name, isRepair);
        this.#rounds.putRight(target.path);
        if (isRepair)
          this.#handlers.notice('warn', 'drift', `files/${name}: ${shown(target.path)} was put right: ${why}`);
        const diff = replaced && (await textDiff(replaced.now, replaced.was, replaced.mode));
        this.#verdicts.well(name, diff === undefined ? {} : { diff });
        if (isChanged) this.#options.onChanged?.(name);
        return undefined;
      } catch (error) {
        return this.#failed(name, target.path, target, error, signal);
      }
    }, this.#ended(done));
  }

  #failed(name: string, path: string, target: Target | undefined, error: unknown, signal: AbortSignal): string {
    const sentence = sentenceOf(error, path, this.#shop.host.isRoot);
    if (signal.aborted) return sentence;
    this.#verdicts.failed(name, path, target, sentence, error instanceof FetchFailed ? error.isLater : true);
    this.#wake();
    return `files/${name}: ${sentence}`;
  }

  #work(name: string, signal: AbortSignal): Work {
    return {
      signal,
      doing: text => this.#statuses.set(name, 'changing', { doing: text }),
      notice: (level, text) => this.#handlers.notice(level, 'files', `files/${name}: ${text}`),
    };
  }

  /** The last step of a plan: what was made is watched. */
  readonly #ended = (done: (error?: string) => void) => (error?: string) => {
    done(error);
    if (this.#lanes.isIdle && !this.#isClosed) this.#rounds.made();
  };

  /** Looks again when the first thing that failed is due. */
  #wake(): void {
    this.#retry?.cancel();
    const now = this.#options.clock.now();
    const next = this.#retries.nextAt(now);
    if (next === undefined || this.#isClosed) return;
    this.#retry = this.#options.clock.after(next - now + 1, () => this.#handlers.again());
  }

  items(): Readonly<Record<string, ItemStatus>> {
    return this.#statuses.items();
  }

  /** Of the content that Hearth put at the item's path; the same after a restart. Undefined where there is none. */
  markOf(name: string): string | undefined {
    for (const { item, sha256, what } of this.#shop.ledger.entries.values())
      if (item === name) return `${what} ${sha256}`;
    return undefined;
  }

  error(): string {
    return this.#trouble === '' ? this.#statuses.error() : this.#trouble.slice(0, 500);
  }

  close(): void {
    this.#isClosed = true;
    this.#retry?.cancel();
    this.#rounds.close();
    void this.#lanes.giveUp();
  }
}
