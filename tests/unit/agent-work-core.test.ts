/** What a node holds of jobs, what becomes of it, and how much more it takes. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { WorkCore } from '../../node-agent/work/core.ts';
import type { WorkEffect, WorkEvent } from '../../node-agent/work/events.ts';
import { holdingLimits } from '../../node-agent/work/holding.ts';
import { WorkRig } from '../fixture/work-rig.ts';

const core = suite('agent work');
const online = (slots = 2) => new WorkRig(slots).start().up();
const long = { common: { ms: 60_000 } };

core('taken: what waits is given back and never runs, what runs goes on; unknown tokens are nothing', () => {
  const rig = online();
  rig.tasks(1, 4);
  rig.said(0);
  const asked: number[] = [];
  const { takeBack } = rig.executor;
  rig.executor.takeBack = tokens => {
    asked.push(...tokens);
    takeBack.call(rig.executor, tokens);
  };
  rig.work({
    take: [
      [1, 4],
      [77, 3],
    ],
  });
  assert.equal(asked, [3, 4]);
  const { returned, ended } = rig.said(100);
  assert.equal(returned, [3, 4]);
  assert.equal(ended, [1, 2]);
});

core('revoked: ended or dropped, nothing is said, and a result that waited is forgotten', () => {
  const rig = online();
  rig.tasks(1, 2);
  rig.said(50);
  assert.is(rig.outbox.kept.size, 2);
  rig.work({ spans: [{ t: 3, r: 1, i: 0, n: 4, a: 1 }] });
  rig.said(0);
  rig.work({
    revoke: [
      [1, 1],
      [3, 1],
      [5, 1],
      [99, 1],
    ],
  });
  assert.equal(rig.executor.held, [4, 6]);
  assert.equal([...rig.outbox.kept.keys()], [2]);
  const { ended, returned } = rig.said(100);
  assert.equal([ended, returned], [[4, 6], []]);
  rig.runner.down();
  rig.up();
  assert.equal(rig.said(50).ended.sort(), [2, 4, 6]);
});

core('a result whose task was revoked while it was on its way is taken and dropped', () => {
  const rig = online(1);
  rig.tasks(1, 1, { common: { ms: 20 } });
  rig.said(10);
  // It ends, and before that is heard the token is revoked.
  const { kill } = rig.executor;
  rig.executor.kill = () => {};
  rig.work({ revoke: [[1, 1]] });
  rig.executor.kill = kill;
  assert.equal(rig.said(100).ended, []);
  assert.equal(rig.executor.untaken, []);
  assert.is(rig.outbox.kept.size, 0);
});

core('a result is on the disk before it is said, and the executor forgets it only then', () => {
  const rig = online();
  const seen: string[] = [];
  const { append } = rig.outbox;
  rig.outbox.append = results => {
    append.call(rig.outbox, results);
    seen.push('disk');
  };
  const { taken } = rig.executor;
  rig.executor.taken = tokens => {
    seen.push('taken');
    taken.call(rig.executor, tokens);
  };
  rig.hear = ({ results }) => void (results && seen.push('said'));
  rig.tasks(1, 1);
  rig.said(50);
  assert.equal(seen, ['disk', 'taken', 'said']);
});

core('a full disk: no credits, no result lost, and the executor keeps what is not on it', () => {
  const rig = online();
  rig.said(50);
  rig.outbox.full = 'no space left on device';
  rig.tasks(1, 2);
  const said = rig.said(100);
  assert.equal(said.ended, [1, 2], 'the supervisor may have them all the same');
  assert.is(said.credits, 0);
  assert.match(rig.runner.error, /no space/);
  assert.equal(rig.executor.untaken, [1, 2]);
  rig.restart().up();
  assert.equal(rig.said(100).ended, [1, 2], 'and the next agent has them');
  rig.outbox.full = '';
  assert.ok((rig.said(6000).credits ?? 0) > 0, 'tried again');
  assert.equal([...rig.outbox.kept.keys()], [1, 2]);
  assert.equal(rig.executor.untaken, []);
  assert.is(rig.runner.error, '');
});

core(
  'a disk that takes results again gets at once what it refused; acknowledged before that, the executor forgets it',
  () => {
    const rig = online(1);
    rig.said(50);
    rig.outbox.full = 'no space left on device';
    rig.tasks(1, 2);
    rig.said(15);
    rig.outbox.full = '';
    const { credits } = rig.said(50);
    assert.equal([...rig.outbox.kept.keys()].sort(), [1, 2]);
    assert.ok((credits ?? 0) > 0);
    rig.outbox.full = 'no space left on device';
    rig.work({ spans: [{ t: 3, r: 1, i: 0, n: 1, a: 1 }] });
    rig.said(50);
    assert.equal(rig.executor.untaken, [3]);
    rig.work({ ack: [[3, 1]] });
    assert.equal(rig.executor.untaken, []);
  },
);

core('said twice by the executor it counts once; ended or revoked it is not held', () => {
  const ended = (token: number) => ({ token, r: 1, index: token, attempt: 1, ms: 1, shareMs: 1 });
  const adopted = (token: number) => ({ token, r: 1, index: token, attempt: 1, state: 'running' as const });
  const one = new WorkCore([ended(1)]);
  const step = (event: WorkEvent) => one.step(event, 1000);
  step({ type: 'settings', slots: 1, closed: false });
  step({ type: 'up', inst: 'i', epoch: 1, said: 0 });
  const have = (effects: readonly WorkEffect[]) =>
    effects.flatMap(effect => (effect.type === 'report' ? (effect.report.have ?? []) : [])).map(([token]) => token);
  assert.equal(have(step({ type: 'ready', tasks: [adopted(1), adopted(2), adopted(3)] })), [2, 3, 1]);
  step({ type: 'reported', epoch: 1, seq: 0, said: true });
  const keeps = (effects: readonly WorkEffect[]) => effects.filter(({ type }) => type === 'keep').length;
  assert.is(keeps(step({ type: 'ended', results: [ended(2)] })), 1);
  step({ type: 'unkept' });
  assert.is(keeps(step({ type: 'ended', results: [ended(2)] })), 0);
  const authority = { cluster: 'c', gen: 0, rev: 0, inst: 'i', epoch: 1 };
  step({ type: 'work', work: { ...authority, seq: 0, revoke: [[3, 1]] }, bytes: 10 });
  step({ type: 'ready', tasks: [adopted(3)] });
  assert.is(one.running, 0);
});

core('a full outbox takes the credits and drops nothing', () => {
  const rig = online(300);
  const value = 'x'.repeat(60_000);
  let ended = 0;
  let credits: number | undefined;
  for (let token = 1; token <= 1500; token += 300) {
    rig.tasks(token, 300, { common: { ms: 0 } }, Array(300).fill(value));
    const said = rig.said(100);
    ended += said.ended.length;
    credits = said.credits;
  }
  assert.is(ended, 1500);
  assert.is(credits, 0);
  assert.match(rig.runner.error, /wait for the supervisor/);
  assert.is(rig.outbox.kept.size, 1500);
  rig.work({ ack: [[1, 1000]] });
  assert.ok((rig.said(50).credits ?? 0) > 0, 'said at once when there is room again');
});

core('credits: what it would take beyond what it holds, by slots; none drained or for a node without slots', () => {
  const rig = online(4);
  assert.is(rig.said(50).credits, 4 + holdingLimits.ahead);
  rig.tasks(1, 10, { ...long, cpus: 2 });
  assert.is(rig.said(50).credits, 4 + holdingLimits.ahead - 20);
  assert.equal(rig.executor.running, [1, 2]);
  rig.runner.configure(undefined, true);
  const drained = rig.said(50);
  assert.is(drained.credits, 0, 'said at once');
  rig.runner.configure({ slots: 0 }, false);
  assert.is(rig.said(50).credits, 0);
  rig.runner.configure({ slots: 3 }, false);
  assert.equal([rig.said(50).reports.at(-1)?.slots], [3]);
});

core('beyond all bounds work is given back at once', () => {
  const rig = online(1);
  rig.tasks(1, 1000, long);
  for (let n = 1; n <= 50; n++) rig.work({ spans: [{ t: 1 + n * 1000, r: 1, i: 0, n: 1000, a: 1 }] });
  const { returned } = rig.said(100);
  assert.is(returned.length, 51_000 - holdingLimits.mostTasks);
  assert.is(rig.executor.held.length, holdingLimits.mostTasks);
});

core('tasks of a recipe that was never sent are given back, which is no fault of theirs', () => {
  const rig = online();
  rig.work({ spans: [{ t: 9, r: 5, i: 0, n: 2, a: 1 }] });
  const { results, returned, started } = rig.said(50);
  assert.equal([results, returned, started], [[], [9, 10], []]);
  assert.is(rig.outbox.kept.size, 0);
});

core('the executor dies: what ran is lost, what waited is given back, and the next task starts another', () => {
  const rig = online();
  rig.tasks(1, 5, long);
  rig.said(50);
  rig.executor.crash('killed');
  const { results, returned } = rig.said(50);
  assert.equal(
    results.map(([token, , , end]) => [token, end?.why, end?.err]),
    [
      [1, 'lost', 'killed'],
      [2, 'lost', 'killed'],
    ],
  );
  assert.equal(returned, [3, 4, 5]);
  // Its recipe is not sent again in this session.
  rig.work({ spans: [{ t: 6, r: 1, i: 0, n: 1, a: 1 }] });
  assert.equal(rig.said(60_100).ended, [6]);
});

core('the agent dies: the next one has what is on disk, what runs, and what ended meanwhile', () => {
  const rig = online();
  rig.tasks(1, 6, { common: { ms: 100 } });
  rig.said(150);
  assert.equal([...rig.outbox.kept.keys()], [1, 2]);
  rig.executor.detach();
  rig.clock.advance(100);
  assert.equal(rig.executor.untaken, [3, 4]);
  rig.restart();
  rig.up();
  const { have, ended } = rig.said(10);
  assert.equal(
    have.map(([token, , , , state]) => [token, state]),
    [
      [5, 1],
      [6, 1],
      [1, 2],
      [2, 2],
    ],
  );
  assert.equal(ended.sort(), [1, 2, 3, 4]);
  assert.is(rig.runner.running, 2);
});

/** Its executor has not said yet what it holds; `ready`: it does. */
function notReady(): { readonly rig: WorkRig; ready(): void } {
  const rig = new WorkRig();
  let ready = () => {};
  const { attach } = rig.executor;
  rig.executor.attach = handlers => {
    ready = () => attach.call(rig.executor, handlers);
  };
  rig.start().up();
  return { rig, ready: () => ready() };
}

core('nothing is said before the executor has said what it holds', () => {
  const { rig, ready } = notReady();
  assert.equal(rig.said(1000).reports, []);
  ready();
  assert.is(rig.said(50).reports[0]?.have?.length, 0);
});

core('who asked before the executor had said what it holds is answered', () => {
  const { rig, ready } = notReady();
  rig.work({ inventory: true, question: 7 });
  ready();
  assert.is(rig.said(50).reports[0]?.answers, 7);
});

core('the node leaves its cluster: its tasks end, and nothing of them is left', () => {
  const rig = online();
  rig.tasks(1, 2);
  rig.said(50);
  rig.work({ spans: [{ t: 3, r: 1, i: 0, n: 5, a: 1 }] });
  rig.said(0);
  let left = false;
  rig.runner.forget(() => {
    left = true;
  });
  assert.ok(left);
  assert.equal([rig.executor.held, rig.executor.untaken, [...rig.outbox.kept.keys()]], [[], [], []]);
  assert.equal(rig.said(1000).reports, []);
});

core('the agent ends: tasks go on', () => {
  const rig = online();
  rig.tasks(1, 3);
  rig.said(0);
  rig.runner.close(true, () => {});
  rig.clock.advance(1000);
  assert.equal(rig.executor.untaken, [1, 2, 3]);
});

core.run();
