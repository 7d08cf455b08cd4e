/** Asks to be let in, one request at a time, and tells how that stands: to people, and in `join.json` to programs. */
import type { KeyObject } from 'node:crypto';
import type { TrustedTime } from './connection/trusted-time.ts';
import type { JoinState } from './join/join-core.ts';
import { type Machine, thisMachine } from './join/machine.ts';
import type { Membership } from './join/membership.ts';
import type { JoinPlan } from './join/start-way.ts';
import { replaceFile } from './replace-file.ts';
import type { Surroundings } from './run-agent.ts';
import { readTokenFile, removeTokenFile } from './token-file.ts';

export interface AskingParts {
  readonly around: Surroundings;
  readonly inst: () => string;
  /** Ids of all tokens that were given here so far. */
  readonly given: () => readonly string[];
  /** @param time by whose supervisor. */
  clockOff(ms: number, time: TrustedTime): void;
}

export class Asking {
  readonly machine: Machine = thisMachine();
  readonly #parts: AskingParts;
  #stop: (() => void) | undefined;

  constructor(parts: AskingParts) {
    this.#parts = parts;
  }

  /** Takes the place of what was asked before. */
  ask(plan: JoinPlan, key: KeyObject, time: TrustedTime, joined: (membership: Membership) => void): void {
    this.stop();
    let stopped = false;
    let end: (() => void) | undefined;
    this.#stop = () => {
      stopped = true;
      end?.();
    };
    const { around } = this.#parts;
    const clockOff = (ms: number) => this.#parts.clockOff(ms, time);
    const { machine } = this;
    const inst = this.#parts.inst();
    // Only now: a member never needs it.
    import('./join/let-in.ts').then(({ askToBeLetIn }) => {
      if (stopped) return;
      const say = (state: JoinState, text: string, code?: string) => this.#say(state, text, code);
      const letIn = (membership: Membership) => joined({ ...membership, tokens: this.#tokens(plan) });
      end = askToBeLetIn({ around, plan, key, inst, machine, time, say, clockOff, joined: letIn });
    }, defect);
  }

  stop(): void {
    this.#stop?.();
    this.#stop = undefined;
  }

  /** What was asked for has been given, and kept. */
  done(plan: JoinPlan, node: string): void {
    const { data } = this.#parts.around;
    this.#note('joined', `joined as ${node}`);
    if (plan.token && readTokenFile(data)?.id === plan.token.id) removeTokenFile(data);
  }

  /** All that were ever given here: one that still stands in a start script when the node moves is no wish to move back. */
  #tokens(plan: JoinPlan): string[] {
    const given = [...this.#parts.given(), ...(plan.token ? [plan.token.id] : [])];
    return [...new Set(given)].slice(-16);
  }

  #say(state: JoinState, text: string, code?: string): void {
    this.#note(state, text, code);
    // What waits for a person is told like every other sentence for one.
    if (state === 'pending' || state === 'refused') console.error(`hearth: ${text}`);
    else this.#parts.around.log.info({ state }, text);
  }

  #note(state: JoinState, text: string, code?: string): void {
    try {
      const note = { state, text, code, at_ms: this.#parts.around.clock.wall() };
      replaceFile(this.#parts.around.data, 'join.json', `${JSON.stringify(note)}\n`, false);
    } catch {
      // The disk's troubles are told where they matter.
    }
  }
}

/** What failed without a sentence of its own ends the process, as every defect does. */
const defect = (error: Error): void => {
  setImmediate(() => {
    throw error;
  });
};
