/** What each verb of an order does. */
import { check } from '../../shared/codec.ts';
import { sentence } from '../../shared/errors.ts';
import { followLimits } from '../../shared/limits.ts';
import { heatOrderArgs } from '../../shared/schemas/heat.ts';
import type { Cmd } from '../../shared/schemas/want.ts';
import { mostRelayed, readMacs } from '../../shared/wake/magic-packet.ts';
import type { WakeSender } from '../../shared/wake/sender.ts';
import type { HeatSide } from '../heat/side.ts';
import type { MachineActions } from '../machine-actions.ts';
import type { ReconcilerApi } from '../reconcile/reconciler.ts';
import { highestEpoch, type SessionEvent } from './session.ts';

const followMs = followLimits.seconds * 1000;
const backoffMs = { shortest: 1000, usual: 60_000, longest: 10 * 60_000 } as const;

export interface Obedient {
  readonly parts: {
    readonly reconciler: ReconcilerApi;
    readonly machine?: MachineActions;
    readonly heat?: HeatSide;
    readonly waker?: WakeSender;
  };
  step(event: SessionEvent): void;
  /** Another host lives under this node's id. */
  giveWay(ms: number): void;
  forget(done: () => void): void;
  /** Ends safe mode. */
  goOn(): void;
}

export interface Sender {
  /** The last lines of a service, for one asker. False: so much was sent that it has to wait. */
  lastLines(service: string, to: string, lines: readonly string[]): boolean;
}

/** Arguments are checked for their type by the schema, and for their range here. */
const within = (value: unknown, least: number, most: number, otherwise: number): number =>
  typeof value === 'number' && Number.isFinite(value) ? Math.min(most, Math.max(least, value)) : otherwise;

/** Tags are topic levels: what is none is not one. */
const tag = /^[a-z0-9]{1,20}$/;

function followOutput(
  service: string,
  args: Cmd['args'],
  { reconciler }: Obedient['parts'],
  sender: Sender,
  answer: (error?: string) => void,
): void {
  const forMs = typeof args.for_s === 'number' ? args.for_s * 1000 : args.ms;
  const ms = forMs === 0 ? 0 : within(forMs, 1000, followMs, followMs);
  const to = typeof args.to === 'string' && tag.test(args.to) ? args.to : undefined;
  const lines = args.lines === undefined ? undefined : Math.floor(within(args.lines, 0, followLimits.lines, 0));
  let refused: string | undefined;
  const take = (last: readonly string[]) => {
    if (to === undefined || sender.lastLines(service, to, last)) return;
    refused = 'more output was asked for than this node may send at once: ask again in a few seconds';
  };
  reconciler.follow(service, ms, error => answer(error ?? refused), {
    ...(lines === undefined ? {} : { lines }),
    ...(to === undefined ? {} : { take }),
  });
}

function giveHeat(args: Cmd['args'], heat: HeatSide | undefined, answer: (error?: string) => void): void {
  const order = check(heatOrderArgs, args);
  if (!order.ok) answer(`the order to heat cannot be read: ${sentence(order.error)}`);
  else if (!heat) answer('this node gives no heat');
  else heat.order(order.value, answer);
}

/** Sends magic packets for nodes that are asleep in this one's networks. */
function wakeOthers(args: Cmd['args'], waker: WakeSender | undefined, answer: (error?: string) => void): void {
  const macs = readMacs(typeof args.macs === 'string' ? args.macs : '');
  if (macs.length === 0) answer('wake whom? no MAC address came with the order');
  else if (macs.length > mostRelayed) answer(`more than ${mostRelayed} MAC addresses in one order`);
  else if (!waker) answer('this node sends no magic packets');
  else
    waker.send(macs, ({ sent, failed }) => {
      if (sent.length > 0) answer();
      else answer(failed[0] ?? 'it is in no IPv4 network');
    });
}

/** @param answer runs once, when the order is done or cannot be; before the connection ends where the order ends it. */
export function obey({ verb, args }: Cmd, node: Obedient, sender: Sender, answer: (error?: string) => void): void {
  const service = typeof args.service === 'string' ? args.service : undefined;
  switch (verb) {
    case 'restart':
    case 'follow':
      if (service === undefined) answer(`${verb} which service? send its name as the payload`);
      else if (verb === 'restart') node.parts.reconciler.restart(service, answer);
      else followOutput(service, args, node.parts, sender, answer);
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
    case 'upgrade':
      if (node.parts.machine) node.parts.machine[verb](answer);
      else answer(`a simulated node has no machine to ${verb}`);
      break;
    case 'heat':
      giveHeat(args, node.parts.heat, answer);
      break;
    case 'wake':
      wakeOthers(args, node.parts.waker, answer);
      break;
    case 'forget':
      node.forget(() => answer());
  }
}
