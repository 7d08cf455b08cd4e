/** What a property can see, and when it is asked. */
import type { Document } from '../../../node-agent/reconcile/reconciler.ts';
import type { Broker, Message } from '../broker.ts';
import type { Headquarters } from '../headquarters.ts';
import type { Machine } from '../machine.ts';
import type { World } from '../world.ts';

/** How often properties look by themselves. */
export const tickMs = 250;

export interface Sight {
  readonly world: World;
  /** The true supervisor's. */
  readonly headquarters: Headquarters;
  readonly machines: readonly Machine[];
  /** The broker everybody talks to, if it is up. */
  readonly broker: Broker | undefined;
  /** Whether a message was published by the true supervisor. */
  byAuthority(who: string | undefined): boolean;
  /** The time of the last fault that touched this machine, or headquarters and what everybody shares. */
  disturbedAt(machine: Machine): number;
  sharedDisturbedAt(): number;
}

/** One part of what must hold. Every hook is optional. */
export interface Property {
  published?(message: Message, who: string | undefined): void;
  refused?(message: Message, who: string): void;
  /** A document is handed to the reconciler; `kept`: from the agent's own disk at its start. */
  applying?(machine: Machine, document: Document, kept: boolean): void;
  restarting?(machine: Machine, service: string): void;
  stopping?(machine: Machine, unit: string): void;
  reset?(machine: Machine): void;
  /** Every {@link tickMs}. */
  tick?(): void;
  /** Long after the last fault: what is still not as it has to be; empty for all is well. */
  unsettled?(): readonly string[];
  /** The name that {@link unsettled} is reported under. */
  readonly name: string;
}
