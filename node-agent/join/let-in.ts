/** Asks to be let in, with what this machine is and has: everything that joining needs and running does not. */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { hostname } from 'node:os';
import type { TrustedTime } from '../connection/trusted-time.ts';
import type { Surroundings } from '../run-agent.ts';
import { openSealKey } from '../seal-key.ts';
import { gatherFacts } from '../telemetry/facts.ts';
import { MachineFiles } from '../telemetry/machine-files.ts';
import type { JoinState } from './join-core.ts';
import { Joiner } from './joiner.ts';
import { joinFactsOf, type Machine } from './machine.ts';
import type { Membership } from './membership.ts';
import type { JoinPlan } from './start-way.ts';

export interface LetInParts {
  readonly around: Surroundings;
  readonly plan: JoinPlan;
  readonly key: KeyObject;
  readonly inst: string;
  readonly machine: Machine;
  readonly time: TrustedTime;
  say(state: JoinState, text: string, code?: string): void;
  clockOff(ms: number): void;
  joined(membership: Membership): void;
}

/** @returns how to stop asking. */
export function askToBeLetIn(parts: LetInParts): () => void {
  const { around, plan, machine, time } = parts;
  const { data, ver, verifier, clock, random } = around;
  let joiner: Joiner | undefined;
  let stopped = false;
  gatherFacts(new MachineFiles('/'), facts => {
    if (stopped) return;
    joiner = new Joiner({
      ...{ plan, verifier, clock, random, time, key: parts.key, inst: parts.inst },
      ...(plan.former ? { formerKey: createPrivateKey(plan.former.key) } : {}),
      sealKey: openSealKey(data).publicKey,
      facts: joinFactsOf(hostname(), machine, facts, ver),
      say: parts.say,
      clockOff: parts.clockOff,
      joined: (admitted, address) => {
        const tokens = plan.token ? [plan.token.id] : [];
        parts.joined({ ...admitted, supervisor: address, machine: { ...machine, macs: [...machine.macs] }, tokens });
      },
    });
    joiner.start();
  });
  return () => {
    stopped = true;
    joiner?.stop();
  };
}
