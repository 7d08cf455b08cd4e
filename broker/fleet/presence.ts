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
 *           same inst, an epoch that is over or lower     offline, suspect (see GRACE), or over a newer connection: a
 *                                                         restored disk image, `rebirth` tells it the epoch to rise
 *                                                         above. Online and no newer connection: a late copy; if it was
 *                                                         none, the rebirth follows as soon as the node is offline
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
import {
  fresh,
  type Node,
  type PresenceEffect,
  type PresenceEvent,
  type PresenceState,
  presenceTimes,
} from './presence-state.ts';

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
  } else if (!known.online || known.suspect || (serial !== undefined && serial > (known.serial ?? 0))) {
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
