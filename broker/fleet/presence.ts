/**
 * Who is there. A node is *online* or *offline*; which, is decided here and nowhere else, from the contract's Presence
 * section. The core is pure but for one thing: `step` changes the maps inside its state, because copying thousands of
 * entries for every telemetry message would cost more than the rest of the supervisor; nothing else holds those maps.
 *
 * An installation of an agent has a random `inst`, and each CONNECT of it a higher `epoch`. (inst, epoch) is a session;
 * the node's *current* session is the one whose birth was accepted last. On the embedded broker a session also has the
 * serial of its connection, and what comes over any other connection is not of that session.
 *
 *   BIRTH   nothing known of the node                     accepted
 *           same inst, higher epoch                       accepted: it takes over, a node that is online stays so
 *           same inst, same epoch, same connection        a sign of life (the answer to `hello`)
 *           same inst, same epoch, another connection     online: a cloned disk, told to back off; offline: rebirth
 *           same inst, an epoch that is over or lower     offline, or over a newer connection: a restored disk image,
 *                                                         `rebirth` tells it the epoch to rise above. Online and no
 *                                                         newer connection: a late copy; if it was none, the rebirth
 *                                                         follows as soon as the node is offline
 *           another inst, node online                     a twin: `backoff`, named on `event`, changes nothing else
 *           another inst, node offline                    accepted, epochs start anew
 *   SIGN    (load, heartbeat) of the current session, or of a higher epoch: deadline moves; an offline node is online
 *           again unless that epoch is over
 *   END     a will or farewell of the current inst at or above the current epoch, or the loss of the current
 *           connection: that epoch is over, the node offline. Of an older epoch, another inst, another connection: nothing.
 *           (So a will that is delivered after the next birth, or belongs to a twin, changes nothing.)
 *   SILENCE three periods without a sign: offline; that epoch is not over, a sign brings it back.
 *   GRACE   begins when any event comes more than 1 s after the sweep was due (the process was stalled; or suspended,
 *           since the clock counts that), and when a lost outside broker is back. Nothing is decided on old evidence:
 *           deadlines start anew, ENDs only make a node *suspect*. A birth clears the suspicion; the grace's end makes
 *           who is still suspect offline. Whatever waited in sockets is read during it.
 *   DOWN    the outside broker is gone: nobody is judged until it is back.
 *   START   embedded: everybody known is offline. Outside: they are *undecided* until a birth or the end of the grace.
 *
 * On an outside broker a twin's CONNECT makes the broker send the first one's will, so both would take turns for ever as
 * "the new inst after the old one went offline". There, the inst that was replaced less than two minutes ago is a twin,
 * unless the one that replaced it has been gone for longer than the takeover itself explains.
 */
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

interface Node {
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

export function step(state: PresenceState, event: PresenceEvent, now: number): PresenceEffect[] {
  const effects: PresenceEffect[] = [];
  if (now - state.lastTick > presenceTimes.sweepMs + presenceTimes.stallMs) {
    const late = Math.round(now - state.lastTick);
    state.lastTick = now;
    beginGrace(state, now);
    if (state.online > 0)
      effects.push({ type: 'event', kind: 'stalled', text: `the supervisor stood still for ${late} ms` });
  }
  switch (event.type) {
    case 'known':
      if (!state.nodes.has(event.node)) state.nodes.set(event.node, fresh(state.kind === 'embedded'));
      break;
    case 'forgotten':
      if (state.nodes.get(event.node)?.online) state.online--;
      state.nodes.delete(event.node);
      break;
    case 'lwt':
      if (event.lwt.online) birth(state, event, now, effects);
      else {
        const known = state.nodes.get(event.node);
        if (known && known.inst === event.lwt.inst && event.lwt.epoch >= known.epoch) {
          end(state, event.node, known, event.lwt.epoch, 'its last will or farewell', now, effects);
        }
      }
      break;
    case 'sign':
      sign(state, event, now, effects);
      break;
    case 'lost': {
      const known = state.nodes.get(event.node);
      if (known?.inst !== undefined && known.serial === event.serial) {
        end(state, event.node, known, known.epoch, 'its connection is gone', now, effects);
      }
      break;
    }
    case 'up':
      state.linked = true;
      if (state.kind === 'outside') beginGrace(state, now);
      break;
    case 'down':
      state.linked = false;
      break;
    case 'tick':
      state.lastTick = now;
      if (state.linked) sweep(state, now, effects);
      break;
  }
  return effects;
}

const fresh = (decided: boolean): Node => ({
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

const patience = (node: Node): number => presenceTimes.missedPeriods * node.periodMs;

function beginGrace(state: PresenceState, now: number): void {
  state.graceUntil = now + presenceTimes.graceMs;
  for (const node of state.nodes.values()) {
    if (node.online) node.deadline = now + Math.max(patience(node), presenceTimes.graceMs);
  }
}

function birth(state: PresenceState, event: PresenceEvent & { type: 'lwt' }, now: number, effects: PresenceEffect[]) {
  const { node: id, lwt, serial } = event;
  const known = state.nodes.get(id);
  if (!known) {
    if (state.nodes.size >= state.maxNodes) {
      const text = `not taken in: there are ${state.maxNodes} nodes already, forget one with do/forget`;
      effects.push({ type: 'event', kind: 'full', node: id, text });
      return;
    }
    const node = fresh(true);
    state.nodes.set(id, node);
    accept(state, id, node, event, now, effects);
    return;
  }
  const otherConnection = serial !== undefined && serial !== known.serial;
  if (known.inst === undefined) accept(state, id, known, event, now, effects);
  else if (known.inst !== lwt.inst) {
    const replaced = serial === undefined && known.previous?.inst === lwt.inst;
    const recent = now - (known.previous?.at ?? 0) < presenceTimes.twinMemoryMs;
    // One that lives comes back within its reconnect jitter; one that does not has left the id to the first.
    const lives = now - known.offlineAt < presenceTimes.graceMs;
    if (known.online || (replaced && recent && lives)) {
      if (replaced) known.previous = { inst: lwt.inst, at: now };
      backOff(id, known, event, effects);
    } else accept(state, id, known, event, now, effects);
  } else if (lwt.epoch > known.epoch) accept(state, id, known, event, now, effects);
  else if (lwt.epoch === known.epoch && lwt.epoch > known.ended) {
    if (!otherConnection) accept(state, id, known, event, now, effects);
    else if (known.online) backOff(id, known, event, effects);
    else rebirth(id, known, lwt.epoch, effects);
  } else if (!known.online || (serial !== undefined && serial > (known.serial ?? 0))) {
    rebirth(id, known, lwt.epoch, effects);
  } else known.ignored = lwt.epoch;
}

function accept(
  state: PresenceState,
  id: string,
  node: Node,
  event: PresenceEvent & { type: 'lwt' },
  now: number,
  effects: PresenceEffect[],
) {
  if (node.inst !== event.lwt.inst) {
    if (node.inst !== undefined) node.previous = { inst: node.inst, at: now };
    node.inst = event.lwt.inst;
    node.ended = 0;
  }
  node.epoch = event.lwt.epoch;
  node.serial = event.serial;
  node.periodMs = event.lwt.period_ms;
  node.suspect = false;
  node.ignored = undefined;
  alive(state, id, node, now, effects);
}

function alive(state: PresenceState, id: string, node: Node, now: number, effects: PresenceEffect[]) {
  const inGrace = now < state.graceUntil;
  node.deadline = Math.max(now + patience(node), inGrace ? state.graceUntil : 0);
  if (node.online) return;
  node.online = true;
  node.decided = true;
  state.online++;
  effects.push({ type: 'online', node: id });
}

function sign(state: PresenceState, event: PresenceEvent & { type: 'sign' }, now: number, effects: PresenceEffect[]) {
  const node = state.nodes.get(event.node);
  if (node?.inst === undefined) return;
  if (event.epoch < node.epoch || event.epoch <= node.ended) {
    // Alive long after its epoch was over: a restored or cloned disk used it again, and the other one's will came after.
    if (!node.online && now - node.offlineAt > presenceTimes.stallMs * 3) {
      rebirth(event.node, node, event.epoch, effects);
    }
    return;
  }
  if (event.serial !== undefined && event.serial !== node.serial) return;
  // The epoch is not raised: a load does not name its inst, and a twin's must not fence the node out.
  alive(state, event.node, node, now, effects);
}

function end(
  state: PresenceState,
  id: string,
  node: Node,
  epoch: number,
  why: string,
  now: number,
  effects: PresenceEffect[],
) {
  node.epoch = epoch;
  node.ended = epoch;
  if (node.online && state.graceUntil > 0) node.suspect = true;
  else goOffline(state, id, node, why, now, effects);
}

function goOffline(state: PresenceState, id: string, node: Node, why: string, now: number, effects: PresenceEffect[]) {
  if (!node.online && node.decided) return;
  if (node.online) state.online--;
  node.online = false;
  node.decided = true;
  node.suspect = false;
  node.offlineAt = now;
  effects.push({ type: 'offline', node: id, why });
  if (node.ignored !== undefined) rebirth(id, node, node.ignored, effects);
}

function backOff(id: string, known: Node, event: PresenceEvent & { type: 'lwt' }, effects: PresenceEffect[]) {
  const { inst, epoch } = event.lwt;
  const args = { ms: presenceTimes.backoffMs };
  effects.push({ type: 'cmd', node: id, inst, epoch, verb: 'backoff', args });
  const both = `${known.inst} (which stays) and ${inst} (told to wait ${presenceTimes.backoffMs / 1000} s)`;
  const text = `two machines claim the id ${id}: installations ${both}; give one another id with --node`;
  effects.push({ type: 'event', kind: 'twin', node: id, text });
}

function rebirth(id: string, node: Node, epoch: number, effects: PresenceEffect[]) {
  node.ignored = undefined;
  const inst = node.inst ?? '';
  effects.push({ type: 'cmd', node: id, inst, epoch, verb: 'rebirth', args: { epoch: node.epoch } });
  const text = `its epoch ${epoch} is behind ${node.epoch}, as after a restored disk; told to go on above it`;
  effects.push({ type: 'event', kind: 'restored', node: id, text });
}

function sweep(state: PresenceState, now: number, effects: PresenceEffect[]) {
  const graceIsOver = state.graceUntil > 0 && now >= state.graceUntil;
  if (graceIsOver) state.graceUntil = 0;
  for (const [id, node] of state.nodes) {
    if (graceIsOver && node.suspect) goOffline(state, id, node, 'it did not come back', now, effects);
    else if (graceIsOver && !node.decided) goOffline(state, id, node, 'it did not answer', now, effects);
    else if (node.online && now >= node.deadline) goOffline(state, id, node, 'silent for three periods', now, effects);
  }
}
