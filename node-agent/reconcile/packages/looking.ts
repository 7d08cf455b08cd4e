/** Looks at managers, one command each, and not even that while the files that tell of a change are as they were. */
import type { Clock } from '../../../shared/clock.ts';
import type { Package, PackageProviderName } from '../../../shared/schemas/package.ts';
import type { Ledger } from './ledger.ts';
import type { PackageMachine } from './machine.ts';
import { type ManagerIs, managerOf } from './plan.ts';
import { type Look, type Manager, managerId } from './provider.ts';
import { providerOf } from './providers.ts';
import { drive } from './talk.ts';

/** What is to be known of one manager. */
export interface Question {
  readonly manager: Manager;
  readonly names: ReadonlySet<string>;
  /** Which are held matters. */
  readonly holds: boolean;
}

interface Known {
  readonly question: Question;
  readonly look: Look;
  readonly stamps: readonly string[];
}

/** What the wanted items and the ledger ask of each manager, by its id. */
export function questions(
  wanted: Readonly<Record<string, Package>>,
  ledger: Ledger,
  system: PackageProviderName | undefined,
): Map<string, Question> {
  const asked = new Map<string, { manager: Manager; names: Set<string>; holds: boolean }>();
  const add = (manager: Manager, name: string, holds: boolean) => {
    const id = managerId(manager);
    const one = asked.get(id) ?? { manager, names: new Set<string>(), holds: false };
    asked.set(id, one);
    one.names.add(name);
    one.holds ||= holds;
  };
  for (const [item, one] of Object.entries(wanted)) {
    const manager = managerOf(one, system);
    const name = one.name ?? item;
    const { version, into, hold, state } = one;
    // A name that its manager refuses is not asked for either: it may look like something else to it.
    if (!manager || providerOf(manager.provider).refuse({ name, version, into, hold: hold === true }) !== undefined)
      continue;
    add(manager, name, hold === true || version !== undefined || state === 'absent');
  }
  for (const { manager, name, held } of Object.values(ledger.packages)) add(manager, name, held);
  return asked;
}

export class Looking {
  readonly #machine: PackageMachine;
  readonly #clock: Clock;
  readonly #known = new Map<string, Known>();
  readonly #under = new Set<{ abandon(): void }>();

  constructor(machine: PackageMachine, clock: Clock) {
    this.#machine = machine;
    this.#clock = clock;
  }

  /** Calls `done` at once where nothing changed since. @param anew look in any case. */
  look(question: Question, anew: boolean, done: () => void): void {
    const id = managerId(question.manager);
    const before = this.#known.get(id);
    if (!this.#isThere(question.manager)) {
      this.#known.delete(id);
      done();
      return;
    }
    if (!anew && before && answers(before.question, question) && this.#unchanged(before)) {
      done();
      return;
    }
    // Taken before the look, so that what changes during it is seen by the next.
    const first = before?.look.files.map(file => this.#machine.stamp(file));
    const provider = providerOf(question.manager.provider);
    let talk: { abandon(): void } | undefined;
    let ended = false;
    talk = drive(
      provider.look(question.manager, [...question.names].sort(), question.holds),
      { clock: this.#clock, run: this.#machine.run, tell() {} },
      look => {
        ended = true;
        if (talk) this.#under.delete(talk);
        if (!look) return;
        const same = first && look.files.join('\n') === before?.look.files.join('\n');
        const stamps = same ? first : look.files.map(file => this.#machine.stamp(file));
        this.#known.set(id, { question, look, stamps });
        done();
      },
    );
    if (!ended) this.#under.add(talk);
  }

  /** Forgets managers that nobody asks about. */
  keep(ids: ReadonlySet<string>): void {
    for (const id of this.#known.keys()) if (!ids.has(id)) this.#known.delete(id);
  }

  is(manager: Manager, busy: boolean): ManagerIs {
    const { account, program } = providerOf(manager.provider);
    const look = this.#known.get(managerId(manager))?.look;
    const powerless =
      account === 'root' && !this.#machine.root
        ? 'needs root'
        : account === 'not-root' && this.#machine.root
          ? `${manager.provider} refuses to run as root: run an agent as the user whose it is`
          : undefined;
    const problem = this.#isThere(manager) ? look?.problem : `this machine has no ${program}`;
    return { manager, installed: look?.installed ?? new Map(), problem, powerless, busy };
  }

  /** All files that tell of a change. */
  files(): string[] {
    return [...new Set([...this.#known.values()].flatMap(known => known.look.files))].sort();
  }

  /** Managers whose files are no longer as they were. */
  changed(): string[] {
    return [...this.#known]
      .filter(([, known]) => known.look.files.length > 0 && !this.#unchanged(known))
      .map(([id]) => id);
  }

  close(): void {
    for (const talk of this.#under) talk.abandon();
  }

  #isThere(manager: Manager): boolean {
    return this.#machine.has(providerOf(manager.provider).program);
  }

  #unchanged({ look, stamps }: Known): boolean {
    return look.files.length > 0 && look.files.every((file, n) => this.#machine.stamp(file) === stamps[n]);
  }
}

const answers = (known: Question, asked: Question): boolean =>
  (known.holds || !asked.holds) && [...asked.names].every(name => known.names.has(name));
