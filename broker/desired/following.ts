/**
 * Keeps documents that say `agent: follow` at the agent that this supervisor hands out: it says so in their name, by a
 * `set` like anybody's, so that a role's nodes get a new agent as they get any change of the role.
 */
import type { Clock, Timer } from '../../shared/clock.ts';
import type { Log } from '../../shared/log.ts';
import type { NounTopic } from '../../shared/topics.ts';
import type { Asked } from '../orders/answers.ts';
import type { NodeEntry, RoleEntry } from './compile.ts';
import type { Journal } from './journal.ts';

/** An agent's archive in the artifact store. */
export interface AgentRelease {
  readonly ver: string;
  readonly sha256: string;
}

export interface FollowingParts {
  readonly journal: Journal;
  readonly clock: Clock;
  readonly log: Log;
  /** Makes the archive, the first time: a second or two. */
  release(): Promise<AgentRelease>;
  set(asked: Asked): void;
}

/** Between a change of documents and the look at them; and after a release that could not be made. */
const soonMs = 50;
const retryMs = 10 * 60_000;

export class Following {
  readonly #parts: FollowingParts;
  #release: AgentRelease | undefined;
  #asking = false;
  #timer: Timer | undefined;

  constructor(parts: FollowingParts) {
    this.#parts = parts;
  }

  /** Documents may be others than before. */
  look(): void {
    this.#timer ??= this.#parts.clock.after(soonMs, () => this.#look());
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #look(): void {
    this.#timer = undefined;
    const behind = [...this.#behind('node'), ...this.#behind('role')];
    if (behind.length === 0) return;
    if (this.#release) for (const topic of behind) this.#say(topic, this.#release);
    else this.#ask();
  }

  *#behind(noun: 'node' | 'role'): Iterable<NounTopic> {
    const { journal } = this.#parts;
    const entries: Iterable<[string, NodeEntry | RoleEntry]> = noun === 'node' ? journal.nodes : journal.roles;
    for (const [id, entry] of entries) {
      const { agent } = entry.document;
      if (!agent?.follow || (this.#release && agent.sha256 === this.#release.sha256)) continue;
      // What a rollout put back is not said again by itself: that would go on for ever.
      const lost = 'rollout' in entry ? entry.rollout?.lost?.document.agent : undefined;
      if (this.#release && lost?.sha256 === this.#release.sha256) continue;
      yield { kind: 'noun', noun, target: { kind: 'one', id }, part: 'set', rest: ['agent'] };
    }
  }

  #ask(): void {
    if (this.#asking) return;
    this.#asking = true;
    const { release, log, clock } = this.#parts;
    release().then(
      found => {
        this.#asking = false;
        this.#release = found;
        this.look();
      },
      (error: Error) => {
        this.#asking = false;
        log.error({ error: error.message }, 'the agent that nodes should follow to cannot be made');
        this.#timer ??= clock.after(retryMs, () => this.#look());
      },
    );
  }

  #say(topic: NounTopic, { ver, sha256 }: AgentRelease): void {
    const payload = Buffer.from(JSON.stringify({ follow: true, ver, sha256 }));
    this.#parts.set({ topic, message: { topic: '', payload, qos: 1, retain: false } });
  }
}
