/**
 * Files as one kind of items: looked at, planned, made, watched. One plan at a time; its steps run a few at once, since
 * most of a step is waiting for the disk or the network.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
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
import { type FileSteps, type FilesIs, planFiles, restoreId } from './plan.ts';
import { recoverAll } from './recover.ts';
import { restorePath } from './restore.ts';
import { type Failure, fightSentence, Retries } from './retries.ts';
import { Rounds } from './rounds.ts';
import { Statuses } from './statuses.ts';
import type { Target } from './target.ts';
import type { Facts } from './template.ts';
import { textDiff } from './text-diff.ts';
import { type CopyLimits, copyLimits } from './trees.ts';
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
}

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
  readonly #lanes: Lanes;
  readonly #rounds: Rounds;
  #handlers: KindHandlers = { changed() {}, again() {}, notice() {} };
  #seen: Seen = nothing;
  /** Name of an item -> why what was at a former path of it is not back. */
  readonly #unrestored = new Map<string, Failure>();
  #retry: Timer | undefined;
  #isClosed = false;

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
    this.#lanes = new Lanes(options.lanes ?? 8);
    this.#rounds = new Rounds(this.#shop, options.clock, options.facts, options.data, () => this.#handlers.again());
  }

  start(handlers: KindHandlers, done: () => void): void {
    this.#handlers = handlers;
    this.#start()
      .catch(error =>
        handlers.notice('error', 'files', `files: ${sentenceOf(error, this.#folder, this.#shop.host.isRoot)}`),
      )
      .finally(done);
  }

  async #start(): Promise<void> {
    const { ledger, originals, manifests } = this.#shop;
    for (const folder of [this.#folder, originals.folder, manifests.folder]) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
    }
    const damaged = await ledger.load();
    if (damaged !== undefined) this.#handlers.notice('error', 'files', damaged);
    for (const sentence of await recoverAll(this.#shop)) this.#handlers.notice('warn', 'files', sentence);
  }

  look(wanted: Readonly<Record<string, FileItem>>, done: (is: FilesIs) => void): void {
    this.#rounds.pause();
    if (Object.keys(wanted).length === 0 && this.#shop.ledger.entries.size === 0 && this.#lanes.isIdle) {
      for (const name of this.#statuses.names()) this.#statuses.delete(name);
      this.#seen = nothing;
      done({ ...nothing, waiting: new Set() });
      return;
    }
    this.#look(wanted)
      .catch(error => {
        this.#handlers.notice('error', 'files', `files: ${sentenceOf(error, this.#folder, this.#shop.host.isRoot)}`);
        return { ...nothing, waiting: new Set<string>() };
      })
      .then(done);
  }

  async #look(wanted: Readonly<Record<string, FileItem>>): Promise<FilesIs> {
    // The plan before was given up: what is under way comes to its end, nothing more of it begins.
    await this.#lanes.giveUp();
    const { ledger } = this.#shop;
    await ledger.flush().catch(() => {});
    const failed = await recoverAll(this.#shop);
    for (const sentence of failed) this.#handlers.notice('warn', 'files', sentence);
    const seen = await lookAt(this.#shop, wanted, this.#options.facts(), this.#options.data, this.#rounds.suspects());
    this.#seen = seen;
    const waiting = await this.#judge(seen, wanted);
    const is: FilesIs = { ...seen, waiting };
    for (const { args } of planFiles(is, wanted)) this.#statuses.set(args.name, 'waiting');
    this.#rounds.begin(seen, wanted);
    this.#wake();
    return is;
  }

  /** Says of each item how it is. @returns what is not to be planned for now. */
  async #judge(
    { targets, wrong, unseen, drifts, held }: Seen,
    wanted: Readonly<Record<string, FileItem>>,
  ): Promise<Set<string>> {
    const now = this.#options.clock.now();
    const waiting = new Set<string>();
    const kept = new Set([...Object.keys(wanted), ...[...held.values()].map(({ item }) => item)]);
    for (const name of this.#statuses.names()) if (!kept.has(name)) this.#statuses.delete(name);
    this.#retries.keepOnly(new Set([...kept, ...[...held.keys()].map(restoreId)]));
    for (const [name, err] of wrong) {
      const failure = unseen.has(name) ? this.#retries.failed(name, 'look', err, true, now) : undefined;
      this.#statuses.set(name, 'failed', { err, ...(failure ? { next_ms: this.#wall(failure.nextAt) } : {}) });
    }
    this.#unrestored.clear();
    for (const [path, { item }] of held) {
      const failure = this.#retries.waiting(restoreId(path), '', now);
      if (!failure) continue;
      waiting.add(restoreId(path));
      this.#unrestored.set(item, failure);
    }
    for (const [name, target] of targets) {
      const failure = this.#retries.waiting(name, failureKey(target), now);
      const drift = drifts.get(target.path);
      const fightUntil = drift && !target.isReport ? this.#retries.fighting(name, now) : undefined;
      if (failure) {
        waiting.add(name);
        this.#statuses.set(name, 'failed', { err: failure.sentence, next_ms: this.#wall(failure.nextAt) });
      } else if (fightUntil !== undefined) {
        waiting.add(name);
        this.#statuses.set(name, 'drifted', {
          err: fightSentence(shown(target.path)),
          next_ms: this.#wall(fightUntil),
        });
      } else if (drift) {
        const diff = await this.#rounds.diff(target);
        this.#statuses.set(name, 'drifted', { doing: drift.why, ...(diff === undefined ? {} : { diff }) });
      } else this.#statuses.set(name, 'ok');
    }
    for (const name of this.#unrestored.keys()) this.#well(name);
    return waiting;
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
      const id = restoreId(path);
      const isWanted = [...this.#seen.targets.keys()].includes(name);
      this.#lanes.add(async signal => {
        const work = this.#work(name, signal);
        try {
          await restorePath(this.#shop, path, isWanted ? { ...work, doing: () => {} } : work);
          this.#retries.succeeded(id);
          this.#unrestored.delete(name);
          if (!isWanted) this.#statuses.delete(name);
          this.#options.onChanged?.(name);
          return undefined;
        } catch (error) {
          return this.#failed(id, name, '', path, error, signal);
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
      const now = this.#options.clock.now;
      try {
        const why = this.#seen.drifts.get(target.path)?.why ?? '';
        this.#statuses.set(name, 'changing', { doing: isRepair ? 'putting right' : 'changing' });
        const { isChanged, replaced } = await run(this.#work(name, signal));
        this.#retries.succeeded(name);
        this.#rounds.putRight(target.path);
        if (isRepair) this.#retries.repaired(name, now());
        if (isRepair)
          this.#handlers.notice('warn', 'drift', `files/${name}: ${shown(target.path)} was put right: ${why}`);
        const diff = replaced && (await textDiff(replaced.now, replaced.was, replaced.mode));
        this.#well(name, diff === undefined ? {} : { diff });
        if (isChanged) this.#options.onChanged?.(name);
        return undefined;
      } catch (error) {
        return this.#failed(name, name, failureKey(target), target.path, error, signal);
      }
    }, this.#ended(done));
  }

  /** As wanted; unless what the item once had elsewhere could not be taken away. */
  #well(name: string, details: { diff?: string } = {}): void {
    const failure = this.#unrestored.get(name);
    if (!failure) return this.#statuses.set(name, 'ok', details);
    this.#statuses.set(name, 'failed', { err: failure.sentence, next_ms: this.#wall(failure.nextAt) });
  }

  #failed(id: string, name: string, key: string, path: string, error: unknown, signal: AbortSignal): string {
    const sentence = sentenceOf(error, path, this.#shop.host.isRoot);
    if (signal.aborted) return sentence;
    const isLater = error instanceof FetchFailed ? error.isLater : true;
    const failure = this.#retries.failed(id, key, sentence, isLater, this.#options.clock.now());
    if (id !== name) this.#unrestored.set(name, failure);
    this.#statuses.set(name, 'failed', { err: sentence, next_ms: this.#wall(failure.nextAt) });
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

  #wall(at: number): number {
    return Math.round(this.#options.clock.wall() + at - this.#options.clock.now());
  }

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
    for (const { item, sha256, what } of this.#shop.ledger.entries.values()) if (item === name) return `${what} ${sha256}`;
    return undefined;
  }

  error(): string {
    return this.#statuses.error();
  }

  close(): void {
    this.#isClosed = true;
    this.#retry?.cancel();
    this.#rounds.close();
    void this.#lanes.giveUp();
  }
}

const failureKey = (target: Target): string => `${target.path} ${target.key}`;
