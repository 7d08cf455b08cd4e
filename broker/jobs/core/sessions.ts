/**
 * Sessions of nodes, from birth to end.
 *
 *   ONLINE     a session begins; nothing is sent before its first report, which says what the node holds
 *   OFFLINE    what had not started is queued again at once; what had started is lost after 15 s, unless the node is back
 *   RESTART    of the supervisor: who had run for a second is held for its node, 30 s; then that counts as a loss
 */
import { dispatchTimes } from './limits.ts';
import { runKey } from './records.ts';
import { giveUpExpected } from './reports.ts';
import { askInventory, knowsNothing } from './sending.ts';
import { lose } from './settling.ts';
import type { Core, NodeRun } from './state.ts';

export function nodeOf(core: Core, id: string): NodeRun {
  let node = core.nodes.get(id);
  if (!node) {
    node = {
      id,
      view: undefined,
      session: undefined,
      sessions: 0,
      ready: false,
      seq: 0,
      slots: 0,
      credits: 0,
      held: new Map(),
      knows: new Set(),
      returns: new Map(),
      have: undefined,
      asked: undefined,
      askTimer: false,
      ranTimer: false,
      ran: '',
      disagreed: 0,
      heat: 0,
      expected: new Map(),
    };
    core.nodes.set(id, node);
  }
  return node;
}

export function online(core: Core, id: string, inst: string, epoch: number): void {
  const node = nodeOf(core, id);
  core.placer.offline(id);
  endSession(node);
  node.session = { inst, epoch };
  askUntilReady(core, node, dispatchTimes.first);
}

/** A node that had not obeyed anybody yet ignored the question: it is asked again, less and less often. */
function askUntilReady(core: Core, node: NodeRun, afterMs: number): void {
  const { sessions } = node;
  core.timers.at(core.now + afterMs, () => {
    if (node.sessions !== sessions || node.ready) return;
    askInventory(core, node);
    askUntilReady(core, node, Math.min(2 * afterMs, dispatchTimes.ask));
  });
}

function endSession(node: NodeRun): void {
  node.session = undefined;
  node.sessions++;
  node.ready = false;
  node.seq = 0;
  node.have = undefined;
  node.asked = undefined;
  knowsNothing(node);
  node.returns.clear();
}

export function offline(core: Core, id: string): void {
  const node = core.nodes.get(id);
  if (!node?.session) return;
  core.placer.offline(id);
  endSession(node);
  for (const attempt of node.held.values()) if (!attempt.started) lose(core, attempt, false);
  if (node.held.size === 0) return;
  const { sessions } = node;
  core.timers.at(core.now + dispatchTimes.lost, () => {
    if (node.sessions === sessions) loseAll(core, node);
  });
}

function loseAll(core: Core, node: NodeRun): void {
  for (const attempt of node.held.values()) lose(core, attempt, attempt.started);
}

/** A node is no more: what it held is lost now. */
export function forgotten(core: Core, id: string): void {
  const node = core.nodes.get(id);
  core.placer.node(id, undefined);
  if (!node) return;
  if (node.session) core.placer.offline(id);
  endSession(node);
  loseAll(core, node);
  giveUpExpected(core, node);
  if (node.ran !== '') core.journal.del(runKey(id));
  core.tellLeft();
  core.nodes.delete(id);
}
