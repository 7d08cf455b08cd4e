/**
 * What nodes say. A report counts only in the session that is current (inst and epoch); inside it, tokens decide: what a
 * report says of a token that is not live, or not in that node's hands, changes nothing, so copies and late ones do no
 * harm. Numbers have to follow one another: after a gap the node is asked what it holds, since the missing one may have
 * said anything.
 *
 *   HAVE       attempts in its hands that it does not have are lost. What it has and is live goes on. What is not live (it
 *              was queued again meanwhile, or the supervisor is a new one) becomes live again under its token, if its task
 *              is of a job that goes on, is not done and not in other hands, and was not revoked; else it is revoked, or,
 *              where it has ended already, acknowledged.
 *   ANEW       a session's first report once more: a late copy, or another life in the same session, as two copies of one disk
 *              have one after the other where connections cannot be told apart. Numbers begin anew, and it is asked
 */
import type { Held, Report } from '../../../shared/schemas/work.ts';
import { heardFrozen } from './heat.ts';
import { disagreements, dispatchLimits, dispatchTimes } from './limits.ts';
import { runKey } from './records.ts';
import { askInventory, hold, knowsNothing } from './sending.ts';
import { checkpoint, countStart, heldLost, lose, settle } from './settling.ts';
import type { Attempt, Core, NodeRun, RecipeRun } from './state.ts';
import { isOver } from './state.ts';
import { watchStragglers } from './stragglers.ts';
import { task } from './tasks.ts';
import { openTask, suits } from './votes.ts';

export function report(core: Core, id: string, said: Report): void {
  const node = core.nodes.get(id);
  const session = node?.session;
  if (!node || !session || session.inst !== said.inst || session.epoch !== said.epoch) return;
  const isAnew = said.seq === 0 && node.seq > 0;
  const isAnswer = said.answers !== undefined && said.answers === node.asked?.question;
  // Whatever its number: it was made after the question.
  const isLate = said.seq < node.seq && !isAnew && !isAnswer;
  const isGap = said.seq > node.seq;
  if (!isLate) {
    node.seq = said.seq + 1;
    node.slots = said.slots;
    node.credits = said.credits;
  }
  for (const [first, n] of said.started ?? []) each(node, first, n, attempt => started(core, node, attempt));
  for (const [token, bytes] of said.checkpoints ?? []) {
    const attempt = node.held.get(token);
    if (attempt) checkpoint(core, attempt, bytes);
  }
  if (!isLate && !isAnew && said.have) inventory(core, node, said, isGap);
  else if (isGap || isAnew) askInventory(core, node);
  if (said.results) results(core, node, said.results);
  if (!isLate && said.frozen) heardFrozen(core, node, said.frozen);
  for (const [first, n] of said.returned ?? []) {
    each(node, first, n, attempt => returned(core, node, attempt));
  }
  core.tellLeft();
  if (node.ready) core.placer.room(id, node.slots, node.disagreed < disagreements ? node.credits : 0);
}

function each(node: NodeRun, first: number, n: number, run: (attempt: Attempt) => void): void {
  for (let token = first; token < first + n; token++) {
    const attempt = node.held.get(token);
    if (attempt) run(attempt);
  }
}

function started(core: Core, node: NodeRun, attempt: Attempt): void {
  if (attempt.started) return;
  attempt.started = true;
  attempt.taken = false;
  attempt.at = core.now;
  attempt.run.started++;
  if (node.returns.size > 0) node.returns.delete(attempt.run);
  countStart(core, attempt.run);
  watchRunning(core, node);
  if (attempt.run.job.document.speculate) watchStragglers(core, attempt.run);
}

/**
 * Unasked: its executor went, it is full, or the message that told the recipe was lost. That goes out once more with the
 * next tasks; and a node that starts none all the same is not asked for ever.
 */
function returned(core: Core, node: NodeRun, attempt: Attempt): void {
  if (attempt.started) return;
  if (attempt.taken) {
    lose(core, attempt, false);
    return;
  }
  const { run } = attempt;
  let said = node.returns.get(run);
  if (!said || attempt.token >= said.from) {
    said = { n: (said?.n ?? 0) + 1, from: core.nextToken() };
    node.returns.set(run, said);
    node.knows.delete(run);
  }
  if (said.n <= dispatchLimits.returns) lose(core, attempt, false);
  else
    settle(core, attempt, 0, 0, { why: 'setup', err: `${node.id} gave it back unstarted, ${said.n} times in a row` });
}

function results(core: Core, node: NodeRun, said: NonNullable<Report['results']>): void {
  const { sessions } = node;
  for (const [token, ms, shareMs, end] of said) {
    const attempt = node.held.get(token);
    if (attempt) settle(core, attempt, ms, shareMs, end);
  }
  core.journal.promise(() => {
    // A later session is told everything anew, and told again.
    if (node.sessions === sessions) for (const [token] of said) core.outgoing.ack(node, token);
  });
}

function inventory(core: Core, node: NodeRun, { have = [], more, seq, answers }: Report, isGap: boolean): void {
  if (seq === 0) node.asked = { question: answers ?? 0, from: node.asked?.from ?? core.nextToken() };
  const { asked } = node;
  // An agent of before questions had numbers says none.
  const isAnswer = answers === undefined || answers === asked?.question;
  if (!asked || !isAnswer || (isGap && node.have)) {
    // To the last question the answer is still to come.
    if (!asked || isGap) askInventory(core, node);
    return;
  }
  const all = [...(node.have ?? []), ...have];
  if (more) {
    node.have = all;
    return;
  }
  node.have = undefined;
  node.asked = undefined;
  const tokens = new Set(all.map(([token]) => token));
  for (const attempt of node.held.values()) {
    if (attempt.token >= asked.from || tokens.has(attempt.token)) continue;
    lose(core, attempt, attempt.started);
    // The message that was lost may have had recipes in it.
    knowsNothing(node);
  }
  for (const held of all) adopt(core, node, held);
  giveUpExpected(core, node);
  node.ready = true;
  // Copies of one task may have been waiting for this node.
  watchRunning(core, node);
}

function adopt(core: Core, node: NodeRun, [token, r, index, number, state]: Held): void {
  const live = node.held.get(token);
  if (live) {
    if (state > 0) started(core, node, live);
    return;
  }
  const run = core.recipes.get(r);
  if (!run || !isWanted(node, run, token, index, state)) {
    if (state === 2) core.journal.promise(() => core.outgoing.ack(node, token));
    else core.outgoing.revoke(node, token);
    return;
  }
  if (run.replicas > 1) {
    const open = run.open.get(index) ?? openTask(core, run, index, run.replicas);
    open.wants--;
    run.wants--;
    open.copies++;
  }
  hold(core, { token, run, index, number, node, at: core.now, started: false, taken: false, twin: undefined });
  core.placer.given(node.id, r, 1);
  core.dirtyRecipes.add(run);
  // It may have been away when that was said.
  if (run.job.urgent) core.outgoing.urgent(node, r);
  const attempt = node.held.get(token);
  if (attempt && state > 0) started(core, node, attempt);
}

function isWanted(node: NodeRun, run: RecipeRun, token: number, index: number, state: number): boolean {
  const { job, tasks } = run;
  if (isOver(job) || index >= tasks.n || token <= run.fence || (job.paused && state === 0)) return false;
  if (run.replicas === 1) {
    const now = tasks.state(index);
    return now !== task.live && now !== task.succeeded && now !== task.failed;
  }
  if (node.disagreed > 0) return false;
  const open = run.open.get(index);
  return open ? open.wants > 0 && suits(run, open, index, node) : tasks.state(index) === task.waiting;
}

export function giveUpExpected(core: Core, node: NodeRun): void {
  for (const [run, indexes] of node.expected) for (const index of indexes) heldLost(core, run, index, node);
  node.expected.clear();
}

/** Which tasks have run for a second is written down, once a second at most and only where it changed. */
function watchRunning(core: Core, node: NodeRun): void {
  if (node.ranTimer) return;
  node.ranTimer = true;
  core.timers.at(core.now + dispatchTimes.ran, () => {
    node.ranTimer = false;
    const tasks: [number, number][] = [];
    let isMore = false;
    for (const { started, at, run, index } of node.held.values()) {
      if (!started) continue;
      if (core.now - at >= dispatchTimes.ran) tasks.push([run.r, index]);
      else isMore = true;
    }
    const text = tasks.length > 0 ? JSON.stringify(tasks) : '';
    if (text !== node.ran && core.nodes.get(node.id) === node) {
      node.ran = text;
      if (text === '') core.journal.del(runKey(node.id));
      else core.journal.put(runKey(node.id), text);
    }
    if (isMore || tasks.length > 0) watchRunning(core, node);
  });
}
