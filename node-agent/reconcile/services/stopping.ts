/**
 * Ending a unit to its last process: the stop signal to each member once, new ones too; after the grace period KILL,
 * again and again, until a look at the whole machine finds nobody. The shim is spared: it ends by itself when its
 * service has, and tells how; only one that does not is ended as well.
 */
import type { ProcessStat } from './processes.ts';
import { isAlive } from './processes.ts';

export interface StopParts {
  /** Everybody who belongs to the unit at this moment; those of `known` who still run do, whatever they were found by. */
  members(known: readonly ProcessStat[]): readonly ProcessStat[];
  /**
   * Whether nobody found means nobody there. A process that forks and ends, or becomes another program, while the
   * processes of the machine are looked at is not seen, and its child may not be either: then nobody has to be found twice.
   */
  readonly certain: boolean;
  isShim(process: ProcessStat): boolean;
  /** KILLs the whole unit at once, where the system can (cgroup.kill). */
  killAll(): void;
}

/** A KILLed process that is still there after this long is stuck in the kernel. */
const stuckMs = 10_000;
/** A shim that outlives its service by this much does not work. */
const shimMs = 2_000;
const firstLookMs = 5;
const lookEveryMs = 250;
/** Between two looks that have to find nobody: somebody in the middle of becoming another program may wait for a core. */
const againMs = 25;

export class Stopping {
  readonly #parts: StopParts;
  readonly #signal: NodeJS.Signals;
  readonly #graceMs: number;
  /** The grace period begins with the signal: an agent that is held up before it takes none of it. */
  #killAt = Number.POSITIVE_INFINITY;
  readonly #done: (error?: string) => void;
  readonly #signalled = new Set<string>();
  /** At the last look: somebody's parent may be gone by the next one, and the session's leader. */
  #known: readonly ProcessStat[] = [];
  /** The last look found nobody. */
  #nobody = false;
  #alone: number | undefined;
  #denied: string | undefined;
  #wait = firstLookMs;
  #timer: NodeJS.Timeout | undefined;
  #over = false;

  constructor(parts: StopParts, signal: string, graceMs: number, done: (error?: string) => void) {
    this.#parts = parts;
    this.#signal = `SIG${signal}` as NodeJS.Signals;
    this.#graceMs = graceMs;
    this.#done = done;
    this.#timer = setTimeout(() => this.#look(), 0);
  }

  /** Something of the unit ended: look now. */
  poke(): void {
    if (this.#over) return;
    // What it left behind may just be becoming something.
    this.#nobody = false;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), 0);
  }

  /** Stops stopping; `done` is not called. */
  abandon(): void {
    this.#over = true;
    clearTimeout(this.#timer);
  }

  #look(): void {
    const members = this.#parts.members(this.#known);
    this.#known = members;
    const others = members.filter(member => !this.#parts.isShim(member));
    const now = performance.now();
    if (this.#killAt === Number.POSITIVE_INFINITY) this.#killAt = now + this.#graceMs;
    if (members.length === 0) {
      if (this.#parts.certain || this.#nobody) this.#finish();
      else this.#timer = setTimeout(() => this.#look(), againMs);
      this.#nobody = true;
      return;
    }
    this.#nobody = false;
    if (now > this.#killAt + stuckMs) {
      this.#finish(this.#stuck(members));
      return;
    }
    const kill = now >= this.#killAt;
    if (kill && others.length > 0) this.#parts.killAll();
    for (const member of others) this.#send(member, kill);
    if (others.length === 0) {
      this.#alone ??= now;
      if (now - this.#alone > shimMs) for (const member of members) this.#send(member, true);
    } else this.#alone = undefined;
    this.#sleep(members, kill ? this.#wait : Math.min(this.#wait, this.#killAt - now));
  }

  /** Waits until one of them is gone or it is time to look at everybody again; asking after a few is cheap. */
  #sleep(members: readonly ProcessStat[], ms: number): void {
    this.#wait = Math.min(this.#wait * 2, lookEveryMs);
    this.#timer = setTimeout(
      () => {
        const late = performance.now() >= this.#killAt || this.#wait >= lookEveryMs;
        if (late || members.some(member => !isAlive(member))) this.#look();
        else this.#sleep(members, Math.max(0, Math.min(this.#wait, this.#killAt - performance.now())));
      },
      Math.max(1, ms),
    );
  }

  #send(member: ProcessStat, kill: boolean): void {
    const key = `${member.pid} ${member.start}`;
    if (!kill && this.#signalled.has(key)) return;
    this.#signalled.add(key);
    // Its number may have passed to somebody else since it was listed.
    if (!isAlive(member)) return;
    try {
      process.kill(member.pid, kill ? 'SIGKILL' : this.#signal);
      // A stopped process would not notice.
      if (!kill) process.kill(member.pid, 'SIGCONT');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EPERM') this.#denied = `${member.pid} (${member.name})`;
    }
  }

  #stuck(members: readonly ProcessStat[]): string {
    if (this.#denied) return `process ${this.#denied} may not be ended by this agent: it runs as another user`;
    const [first] = members;
    const rest = members.length > 1 ? ` and ${members.length - 1} more` : '';
    return `process ${first?.pid} (${first?.name})${rest} did not end after KILL: stuck in the kernel`;
  }

  #finish(error?: string): void {
    if (this.#over) return;
    this.abandon();
    this.#done(error);
  }
}
