/** Machines that join, and run as nodes afterwards: the agent's own code down to its connections, only the host is made up. */
import { createECDH, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { Agent } from '../../../node-agent/agent.ts';
import { createMqttLink } from '../../../node-agent/connection/mqtt-link.ts';
import { TrustedTime } from '../../../node-agent/connection/trusted-time.ts';
import { Joiner } from '../../../node-agent/join/joiner.ts';
import { Member } from '../../../node-agent/join/member.ts';
import type { Membership } from '../../../node-agent/join/membership.ts';
import { createMemoryDisk } from '../../../node-agent/memory-disk.ts';
import { createReconciler } from '../../../node-agent/reconcile/index.ts';
import { createSimulatedHost, SimulatedMachine } from '../../../node-agent/reconcile/services/simulated-host.ts';
import { createSyntheticTelemetry } from '../../../node-agent/telemetry/synthetic.ts';
import { builtMs } from '../../../shared/built.ts';
import { ed25519Verifier } from '../../../shared/ed25519.ts';
import { parseJoinToken } from '../../../shared/join-token.ts';
import { silentLog } from '../../../shared/log.ts';
import { systemClock, systemRandom } from '../../../shared/system-clock.ts';

const clock = systemClock();
const random = systemRandom();
const verifier = ed25519Verifier();
const ver = '0.0.0';
const periodMs = 10_000;

export interface Joined {
  readonly membership: Membership;
  readonly key: KeyObject;
  readonly time: TrustedTime;
}

export interface Asking {
  /** Resolves when the certificate is there and has been checked. Rejects where the supervisor refuses. */
  join(): Promise<Joined>;
  /** Answers that did not come, or not in time. */
  failures(): number;
}

/** A machine with keys of its own, which take it a moment: made before anything is measured. */
export function machine(number: number, line: string): Asking {
  const token = parseJoinToken(line);
  const { privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const seal = createECDH('prime256v1');
  seal.generateKeys();
  const digits = number.toString(16).padStart(6, '0');
  const own = { id: digits.repeat(11).slice(0, 64), macs: [`52:54:00:${digits.match(/../g)?.join(':')}`] };
  const inst = random.hex(8);
  let failures = 0;
  const join = () =>
    new Promise<Joined>((resolve, reject) => {
      const time = new TrustedTime(clock, builtMs);
      const joiner = new Joiner({
        plan: { address: `${token.host}:${token.port}`, cluster: token.cluster, token },
        ...{ key, inst, verifier, clock, random, time },
        sealKey: seal.getPublicKey().toString('base64url'),
        facts: {
          ...{ hostname: `bench-${number}`, machine: own.id, macs: own.macs.join(), os: 'linux', arch: 'x64', ver },
        },
        say(state, text) {
          if (state === 'refused' || state === 'pending') reject(new Error(text));
          else if (state === 'asking') failures++;
        },
        clockOff() {},
        joined: (admitted, address) =>
          resolve({
            ...{ key, time },
            membership: { ...admitted, supervisor: address, machine: own, tokens: [token.id] },
          }),
      });
      joiner.start();
    });
  return { join, failures: () => failures };
}

/** @param broker where it connects first, `mqtts://…`. */
export function nodeOf({ membership, key, time }: Joined, broker: string): Agent {
  const member = new Member({
    ...{ member: membership, key, time, verifier, clock, random, first: broker, log: silentLog },
    files: { saveMember() {} },
    clockOff() {},
    stayAway() {},
    refused() {},
  });
  const disk = createMemoryDisk();
  disk.save({ node: membership.node, inst: random.hex(8), epochCeiling: 0, cluster: membership.cluster });
  const host = createSimulatedHost({ clock, random, machine: new SimulatedMachine({ clock, random }) });
  return new Agent({
    ...{ base: membership.base, ver, clock, random, verifier, periodMs, disk, log: silentLog },
    link: createMqttLink(member),
    reconciler: createReconciler({ host, clock, random }),
    telemetry: createSyntheticTelemetry({ clock, random }),
    trustFirst: false,
  });
}
