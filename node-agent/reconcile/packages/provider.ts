/**
 * The provider seam: what each package manager is asked and how its answers are read. No I/O here or in any provider: a
 * provider talks (talk.ts), and whoever runs the talk runs the commands, so recorded transcripts can be played to it.
 */
import type { PackageProviderName } from '../../../shared/schemas/package.ts';

/** One command of a package manager. Never a shell's. */
export interface Command {
  readonly argv: readonly string[];
  /**
   * `ask` changes nothing, `fetch` only what can be fetched again: both may be killed at any time. `change` is left to
   * end by itself, even when the agent does not live to see it: a manager killed while it configures leaves a mess.
   */
  readonly kind: 'ask' | 'fetch' | 'change';
  /** It has a descriptor 3 for how far it is, whose lines are read with its output. */
  readonly status?: true;
  /** Reads one line of its output. */
  readonly progress?: (line: string) => Progress | undefined;
}

/** How a command ended. */
export interface Finished {
  /** Exit code; -1 where it could not be started, was killed, or said more than is read of one command. */
  readonly code: number;
  /** Of a `change` both streams, as they came; else stdout alone. The last part of it, where it is long. */
  readonly out: string;
  /** stderr; of a command that could not be started why not, as one sentence. */
  readonly err: string;
}

export interface Progress {
  readonly phase?: 'downloading' | 'working';
  /** Package that it is about, as the manager writes it. */
  readonly name?: string;
  /** 0–100, of the phase. */
  readonly pct?: number;
  /** What it waits for: `another apt (pid 17)`. */
  readonly waiting?: string;
  /** Versions that will be installed, by package. */
  readonly versions?: ReadonlyMap<string, string>;
}

/** What a talk asks of whoever runs it: a command, a pause, or to tell people. */
export type Ask = Command | { readonly pauseMs: number } | { readonly tell: Progress };
export type Talk<T> = Generator<Ask, T, Finished>;

/** One package manager on this machine, with the place it works on. */
export interface Manager {
  readonly provider: PackageProviderName;
  /** Virtual environment of pip, prefix of npm. */
  readonly into?: string | undefined;
}

/** `apt`, `npm /opt/tools`: names a manager and its place in step ids and in the ledger. */
export const managerId = ({ provider, into }: Manager): string =>
  into === undefined ? provider : `${provider} ${into}`;

/** One thing to do to one package. */
export interface Change {
  /** Whose status tells of it. */
  readonly item: string;
  /** The manager's name of it. */
  readonly name: string;
  /** `keep`: only its hold changes. */
  readonly action: 'install' | 'remove' | 'keep';
  /** Exactly this one; absent: whichever the manager would take. */
  readonly version?: string | undefined;
  /** Installed before. */
  readonly from?: string | undefined;
  /** A hold of Hearth's own is taken off first. */
  readonly release: boolean;
  /** A hold is put on at the end. */
  readonly hold: boolean;
}

/** One installed package. */
export interface Installed {
  readonly ver: string;
  readonly held?: boolean;
  /** Begun and not finished: unpacked, not configured. */
  readonly broken?: boolean;
}

export interface Look {
  readonly installed: ReadonlyMap<string, Installed>;
  /** While these files (or folders) stay as they are, another look would see the same. Empty: nobody knows. */
  readonly files: readonly string[];
  /** Why nothing could be seen, one sentence. */
  readonly problem?: string;
}

/** Why something did not go as wanted. */
export interface Failure {
  /** One sentence, without the item's name. */
  readonly sentence: string;
  /** `network`: another try may go better. `lock`: another one is at work. `interrupted`: {@link Provider.repair} first. `stale`: refresh the lists first. */
  readonly why?: 'network' | 'lock' | 'interrupted' | 'stale' | 'disk';
  /** Who holds the lock: `another apt (pid 17)`. */
  readonly holder?: string;
}

/** What a manager could install of one name. */
export interface Offer {
  readonly candidate?: string | undefined;
  /** All that can be named, best first. */
  readonly versions: readonly string[];
}

export interface Provider {
  readonly name: PackageProviderName;
  /** Found on the machine: it is there. For pip with a place of its own it need not be. */
  readonly program: string;
  /** Whose rights changes take: root's, or not root's (brew refuses root). */
  readonly account: 'root' | 'not-root' | 'any';
  /** Why a package of this name, version and place cannot be asked of this manager; undefined: it can. */
  refuse(what: {
    name: string;
    version?: string | undefined;
    into?: string | undefined;
    hold: boolean;
  }): string | undefined;
  /** What is installed of `names`. `holds`: say which are held too, where that takes asking. */
  look(manager: Manager, names: readonly string[], holds: boolean): Talk<Look>;
  /** What can be installed of `names`; a name that is absent from the answer is unknown. */
  offers?(names: readonly string[]): Talk<ReadonlyMap<string, Offer>>;
  /** Fetches the lists of what there is. `lists`: paths whose age is the lists' age. */
  readonly lists?: readonly string[];
  /** What else may be the matter where a package is unknown. */
  readonly hint?: string;
  refresh?(): Talk<Failure | undefined>;
  /** Would it go, and would it take nothing with it that is not Hearth's to take? Changes nothing. */
  preview?(changes: readonly Change[]): Talk<Failure | undefined>;
  /** Downloads what the changes need, and changes nothing else. */
  fetch?(changes: readonly Change[]): Talk<Failure | undefined>;
  /** Does them all, in as few commands as the manager allows. What is already so is no failure. */
  apply(manager: Manager, changes: readonly Change[]): Talk<Failure | undefined>;
  /** Everything that is installed to the newest version in the lists; removes nothing. */
  upgrade?(): Talk<Failure | undefined>;
  /** Finishes what an earlier run was interrupted in. */
  repair?(): Talk<Failure | undefined>;
  hold?(names: readonly string[], on: boolean): Talk<Failure | undefined>;
}
