/** All packages of a node: looked at, judged, and changed in one transaction per manager. Decisions are in plan.ts and transaction.ts. */
import type { Clock, Random, Timer } from '../../../shared/clock.ts';
import type { ItemStatus } from '../../../shared/schemas/observed.ts';
import type { Package, PackageProviderName } from '../../../shared/schemas/package.ts';
import type { ExecutorsOf, ItemKind, KindHandlers } from '../kind.ts';
import { confirmed, intended, isEmpty, noted } from './ledger.ts';
import { Book, type LedgerDisk } from './ledger-file.ts';
import { Looking, type Question, questions } from './looking.ts';
import type { PackageMachine } from './machine.ts';
import { itemKey, judge, type PackageSteps, type PackagesIs, type Verdict, type Wanted, wantsOf } from './plan.ts';
import { type Change, type Failure, type Manager, managerId } from './provider.ts';
import { providerOf, systemProvider } from './providers.ts';
import { shortfall } from './shortfall.ts';
import { itemsOf, type Told, toldMore } from './status.ts';
import { drive } from './talk.ts';
import { type Failures, transact } from './transaction.ts';
import { Tries } from './tries.ts';

export interface PackageParts {
  readonly machine: PackageMachine;
  readonly disk: LedgerDisk;
  readonly clock: Clock;
  readonly random: Random;
}

interface Running {
  readonly manager: Manager;
  readonly changes: readonly Change[];
  /** What was wanted of this manager when it began. */
  readonly wants: string;
  told: Told;
  talk?: { abandon(): void };
  readonly waiters: ((error?: string) => void)[];
}

/** How often people are told of progress, at most. */
const tellEveryMs = 300;
/** A manager that is missing, or cannot say what is installed, is looked for again after this: nothing tells when it can. */
const blindMs = 5 * 60_000;

export class PackageTable implements ItemKind<Package, PackagesIs, PackageSteps> {
  readonly #parts: PackageParts;
  readonly #looking: Looking;
  readonly #tries: Tries;
  readonly #book: Book;
  readonly #running = new Map<string, Running>();
  #handlers: KindHandlers = { changed() {}, again() {}, notice() {} };
  #system: PackageProviderName | undefined;
  #wanted: Wanted = {};
  #questions = new Map<string, Question>();
  #verdicts: readonly Verdict[] = [];
  #items: Record<string, ItemStatus> = {};
  /** The last look that was asked for: an earlier one is no longer of interest. */
  #turn = 0;
  #watch: { readonly files: string; close(): void } | undefined;
  #telling: Timer | undefined;
  #blind: Timer | undefined;
  #closed = false;

  constructor(parts: PackageParts) {
    this.#parts = parts;
    this.#book = new Book(parts.disk);
    this.#looking = new Looking(parts.machine, parts.clock);
    this.#tries = new Tries(parts.clock, parts.random, () => this.#again());
  }

  start(handlers: KindHandlers, done: () => void): void {
    this.#handlers = handlers;
    // What an agent that was killed left half done is in the ledger as if it were done: the first look tells.
    const problem = this.#book.open();
    if (problem !== undefined) handlers.notice('error', 'packages', problem);
    this.#parts.clock.after(0, () => !this.#closed && done());
  }

  /** A look that another one follows before it is done never calls its `done`. */
  look(wanted: Wanted, done: (is: PackagesIs) => void): void {
    const turn = ++this.#turn;
    this.#wanted = wanted;
    const nothing = Object.keys(wanted).length === 0 && isEmpty(this.#book.ledger) && this.#running.size === 0;
    if (!nothing) this.#system = systemProvider(program => this.#parts.machine.has(program));
    this.#questions = nothing ? new Map() : questions(wanted, this.#book.ledger, this.#system);
    this.#looking.keep(new Set([...this.#questions.keys(), ...this.#running.keys()]));
    let left = 1;
    const seen = () => {
      if (--left > 0 || turn !== this.#turn || this.#closed) return;
      this.#follow();
      this.#judge(true);
      done(this.#is());
    };
    for (const [id, running] of this.#running) if (running.wants !== this.#wantsOf(id)) running.talk?.abandon();
    for (const [id, question] of this.#questions) {
      if (this.#running.has(id)) continue;
      left++;
      this.#looking.look(question, false, seen);
    }
    seen();
  }

  readonly executors: ExecutorsOf<PackageSteps> = {
    'packages.change': ({ manager, changes }, done) => this.#change(manager, changes, done),
    'packages.wait': ({ manager }, done) => {
      const running = this.#running.get(managerId(manager));
      if (running) running.waiters.push(done);
      else done();
    },
    'packages.note': ({ forget, settled, unsettled }, done) => {
      done(this.#book.write(noted(this.#book.ledger, forget, settled, unsettled)));
      this.#judge(false);
    },
  };

  items(): Readonly<Record<string, ItemStatus>> {
    return this.#items;
  }

  error(): string {
    const bad = this.#verdicts.find(({ item, err }) => err !== undefined && !this.#underWay(item));
    return bad ? `packages/${bad.item}: ${bad.err}` : '';
  }

  close(): void {
    this.#closed = true;
    this.#telling?.cancel();
    this.#blind?.cancel();
    this.#tries.close();
    this.#watch?.close();
    this.#looking.close();
    for (const { talk } of this.#running.values()) talk?.abandon();
  }

  #is(): PackagesIs {
    const managers = [...this.#questions].map(
      ([id, { manager }]) => [id, this.#looking.is(manager, this.#running.has(id))] as const,
    );
    return {
      system: this.#system,
      managers: new Map(managers),
      ledger: this.#book.ledger,
      waiting: this.#tries.waiting(one => this.#wantsOf(one)),
    };
  }

  #wantsOf(id: string): string {
    return wantsOf(this.#wanted, this.#system, id);
  }

  #change(manager: Manager, changes: readonly Change[], done: (error?: string) => void): void {
    const id = managerId(manager);
    const under = this.#running.get(id);
    if (under) {
      under.waiters.push(done);
      return;
    }
    const unwritten = this.#book.write(intended(this.#book.ledger, manager, changes));
    if (unwritten !== undefined) {
      this.#tries.fail(
        id,
        this.#wantsOf(id),
        changes.map(change => ({ change, failure: { sentence: unwritten, why: 'disk' } })),
      );
      this.#judge(false);
      done(unwritten);
      return;
    }
    const provider = providerOf(manager.provider);
    const ages = (provider.lists ?? []).flatMap(path => this.#parts.machine.age(path) ?? []);
    const listsAgeMs = ages.length === 0 ? undefined : Math.min(...ages);
    const running: Running = { manager, changes, wants: this.#wantsOf(id), told: {}, waiters: [done] };
    this.#running.set(id, running);
    this.#judge(false);
    running.talk = drive(
      transact({ provider, manager, changes, listsAgeMs }),
      {
        clock: this.#parts.clock,
        run: this.#parts.machine.run,
        tell: progress => {
          running.told = toldMore(running.told, progress);
          this.#tellSoon();
        },
      },
      failures => this.#ended(running, failures),
    );
  }

  /** The machine itself says what came of it. */
  #ended(running: Running, failures: Failures | undefined): void {
    if (this.#closed) return;
    const { manager, changes } = running;
    const id = managerId(manager);
    const asked = this.#questions.get(id);
    const names = new Set([...(asked?.names ?? []), ...changes.map(change => change.name)]);
    const holds = asked?.holds === true || changes.some(change => change.hold || change.release);
    this.#looking.look({ manager, names, holds }, true, () => {
      if (this.#closed) return;
      const { installed, problem } = this.#looking.is(manager, false);
      const failed: { change: Change; failure: Failure }[] = [];
      const settled: Record<string, string> = {};
      for (const change of changes) {
        const said = problem ?? shortfall(change, installed.get(change.name));
        const wanted = this.#wanted[change.item];
        if (said === undefined) {
          this.#tries.succeed(change.item);
          if (wanted?.drift === 'report') settled[change.item] = itemKey(wanted);
        } else if (failures) failed.push({ change, failure: failures.get(change.item) ?? { sentence: said } });
      }
      // What nobody can see is not known to be gone.
      const seen = problem === undefined ? changes : [];
      const unwritten = this.#book.write(
        noted(confirmed(this.#book.ledger, manager, seen, installed), [], settled, []),
      );
      if (unwritten !== undefined) this.#handlers.notice('warn', 'packages', unwritten);
      this.#tries.fail(id, running.wants, failed);
      this.#running.delete(id);
      this.#tellOutcome(running, failed);
      this.#follow();
      this.#judge(false);
      const first = failed[0];
      const [begun, ...others] = running.waiters;
      begun?.(first && `packages/${first.change.item}: ${first.failure.sentence}`);
      for (const other of others) other();
      // Given up half way, overtaken by another document, or what another manager was missing came with it.
      const overtaken = failures === undefined || others.length > 0 || running.wants !== this.#wantsOf(id);
      if (overtaken || this.#cameToBe()) this.#again();
    });
  }

  /** A manager that was missing is there now: node's npm, say, came from apt. */
  #cameToBe(): boolean {
    return this.#verdicts.some(({ manager, err }) => {
      if (!manager || err === undefined) return false;
      const { problem } = this.#looking.is(manager, false);
      return err !== problem && err.startsWith('this machine has no ');
    });
  }

  #tellOutcome({ changes }: Running, failed: readonly { change: Change; failure: Failure }[]): void {
    const bad = new Set(failed.map(one => one.change.item));
    const good = changes.filter(change => !bad.has(change.item)).map(({ action, name }) => `${action} ${name}`);
    if (good.length > 0) this.#handlers.notice('info', 'packages', `done: ${good.slice(0, 20).join(', ')}`);
    for (const { change, failure } of failed.slice(0, 20)) {
      this.#handlers.notice('warn', 'packages', `packages/${change.item}: ${failure.sentence}`);
    }
  }

  #underWay(item: string): boolean {
    return [...this.#running.values()].some(({ changes }) => changes.some(change => change.item === item));
  }

  /** @param looked the machine was looked at anew: what was right before and is not is somebody else's doing. */
  #judge(looked: boolean): void {
    if (this.#closed) return;
    const before = new Map(this.#verdicts.map(verdict => [verdict.item, verdict]));
    this.#verdicts = judge(this.#is(), this.#wanted);
    this.#tries.keep(new Set(this.#verdicts.map(verdict => verdict.item)));
    this.#blind?.cancel();
    const blind = [...this.#questions.values()].some(one => this.#looking.is(one.manager, false).problem !== undefined);
    this.#blind = blind ? this.#parts.clock.after(blindMs, () => this.#again()) : undefined;
    for (const { item, state, key, err } of this.#verdicts) {
      const was = before.get(item);
      if (!looked || was?.state !== 'ok' || was.key !== key || state === 'ok') continue;
      const text = `packages/${item} is no longer as wanted${err === undefined ? ': it is put right' : `: ${err}`}`;
      this.#handlers.notice('warn', 'drift', text);
    }
    this.#tell();
  }

  #tellSoon(): void {
    this.#telling ??= this.#parts.clock.after(tellEveryMs, () => this.#tell());
  }

  #tell(): void {
    this.#telling?.cancel();
    this.#telling = undefined;
    if (this.#closed) return;
    const items = itemsOf(this.#verdicts, this.#running, this.#items, this.#parts.clock.wall());
    const same = JSON.stringify(items) === JSON.stringify(this.#items);
    this.#items = items;
    if (!same) this.#handlers.changed();
  }

  /** Watches what tells of changes by others. */
  #follow(): void {
    const files = this.#looking.files();
    const key = files.join('\n');
    if (this.#watch?.files === key) return;
    this.#watch?.close();
    this.#watch = undefined;
    if (files.length === 0) return;
    const watch = this.#parts.machine.watch(files, () => {
      if (this.#looking.changed().some(id => !this.#running.has(id))) this.#again();
    });
    this.#watch = { files: key, close: () => watch.close() };
  }

  #again(): void {
    if (!this.#closed) this.#handlers.again();
  }
}
