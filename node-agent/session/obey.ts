/** What each verb of an order does. */
import type { Cmd } from '../../shared/schemas/node-document.ts';
import type { MachineActions } from '../machine-actions.ts';
import type { ReconcilerApi } from '../reconcile/reconciler.ts';
import { highestEpoch, type SessionEvent } from './session.ts';

const followMs = 5 * 60_000;
const backoffMs = { shortest: 1000, usual: 60_000, longest: 10 * 60_000 } as const;

export interface Obedient {
  readonly reconciler: ReconcilerApi;
  step(event: SessionEvent): void;
  /** Another host lives under this node's id. */
  giveWay(ms: number): void;
  forget(done: () => void): void;
  /** Ends safe mode. */
  goOn(): void;
  readonly machine: MachineActions | undefined;
}

/** Arguments are checked for their type by the schema, and for their range here. */
const within = (value: unknown, least: number, most: number, otherwise: number): number =>
  typeof value === 'number' && Number.isFinite(value) ? Math.min(most, Math.max(least, value)) : otherwise;

/** @param answer runs once, when the order is done or cannot be; before the connection ends where the order ends it. */
export function obey({ verb, args }: Cmd, node: Obedient, answer: (error?: string) => void): void {
  const service = typeof args.service === 'string' ? args.service : undefined;
  switch (verb) {
    case 'restart':
    case 'follow':
      if (service === undefined) answer(`${verb} which service? send its name as the payload`);
      else if (verb === 'restart') node.reconciler.restart(service, answer);
      else node.reconciler.follow(service, within(args.ms, 1000, followMs, followMs), answer);
      break;
    case 'rebirth':
      answer();
      node.step({ type: 'rebirth', above: Math.floor(within(args.epoch, 0, highestEpoch, 0)) });
      break;
    case 'backoff':
      answer();
      node.giveWay(within(args.ms, backoffMs.shortest, backoffMs.longest, backoffMs.usual));
      break;
    case 'resume':
      node.goOn();
      answer();
      break;
    case 'reboot':
    case 'shutdown':
    case 'identify':
      if (node.machine) node.machine[verb](answer);
      else answer(`a simulated node has no machine to ${verb}`);
      break;
    case 'forget':
      node.forget(() => answer());
  }
}
