/** What the presence core (presence.ts) remembers, what it is told and what it answers, and the questions about it. */
import type { Lwt } from '../../shared/schemas/presence.ts';

export const presenceTimes = {
  /** How often `tick` is due. */
  sweepMs: 250,
  /** A sweep later than this was a stall. */
  stallMs: 1000,
  /** An agent reconnects within its jitter's cap of 10 s. */
  graceMs: 11_000,
  missedPeriods: 3,
  backoffMs: 60_000,
  /** Outside: how long the inst that was replaced counts as a twin. */
  twinMemoryMs: 120_000,
} as const;

export interface Node {
  online: boolean;
  /** False only for nodes nobody has judged since the start on an outside broker. */
  decided: boolean;
  inst: string | undefined;
  epoch: number;
  /** The highest epoch of `inst` that is known to be over. */
  ended: number;
  serial: number | undefined;
  periodMs: number;
  deadline: number;
  suspect: boolean;
  /** A birth of the same inst that was taken for a late copy. */
  ignored: number | undefined;
  /** When it was last declared offline. */
  offlineAt: number;
  /** The inst before this one, and when it was replaced or last refused. */
  previous: { readonly inst: string; readonly at: number } | undefined;
}

export interface PresenceState {
  readonly kind: 'embedded' | 'outside';
  readonly maxNodes: number;
  readonly nodes: Map<string, Node>;
  lastTick: number;
  /** 0: none. */
  graceUntil: number;
  linked: boolean;
  online: number;
}

export type PresenceEvent =
  /** A node of the journal, at the start. */
  | { readonly type: 'known'; readonly node: string }
  | { readonly type: 'forgotten'; readonly node: string }
  | { readonly type: 'lwt'; readonly node: string; readonly lwt: Lwt; readonly serial?: number | undefined }
  | { readonly type: 'sign'; readonly node: string; readonly epoch: number; readonly serial?: number | undefined }
  /** Embedded: the newest connection of its client id is gone. */
  | { readonly type: 'lost'; readonly node: string; readonly serial: number }
  | { readonly type: 'up' }
  | { readonly type: 'down' }
  | { readonly type: 'tick' };

export type PresenceEffect =
  | { readonly type: 'online'; readonly node: string }
  | { readonly type: 'offline'; readonly node: string; readonly why: string }
  | {
      readonly type: 'cmd';
      readonly node: string;
      readonly inst: string;
      readonly epoch: number;
      readonly verb: 'backoff' | 'rebirth';
      readonly args: Readonly<Record<string, number>>;
    }
  | {
      readonly type: 'event';
      readonly kind: 'twin' | 'restored' | 'full' | 'stalled';
      readonly node?: string;
      readonly text: string;
    };

export function createPresence(kind: 'embedded' | 'outside', maxNodes: number, now: number): PresenceState {
  return { kind, maxNodes, nodes: new Map(), lastTick: now, graceUntil: 0, linked: kind === 'embedded', online: 0 };
}

/** The current session of a node that is online: whom an order can be addressed to. */
export function sessionOf(state: PresenceState, node: string): { inst: string; epoch: number } | undefined {
  const known = state.nodes.get(node);
  return known?.online && known.inst !== undefined ? { inst: known.inst, epoch: known.epoch } : undefined;
}

export const isOnline = (state: PresenceState, node: string): boolean => state.nodes.get(node)?.online ?? false;

/** Whether it has been judged since the start; on an outside broker its status stands until then. */
export const isDecided = (state: PresenceState, node: string): boolean => state.nodes.get(node)?.decided ?? true;

/** Whether a message that came over connection `serial` is the word of the node's current session (and not a twin's). */
export function speaksFor(state: PresenceState, node: string, serial: number | undefined): boolean {
  const known = state.nodes.get(node);
  return known !== undefined && (serial === undefined || known.serial === serial);
}

/** A node nobody has heard of. */
export const fresh = (decided: boolean): Node => ({
  online: false,
  decided,
  inst: undefined,
  epoch: 0,
  ended: 0,
  serial: undefined,
  periodMs: 0,
  deadline: 0,
  suspect: false,
  ignored: undefined,
  offlineAt: Number.NEGATIVE_INFINITY,
  previous: undefined,
});
