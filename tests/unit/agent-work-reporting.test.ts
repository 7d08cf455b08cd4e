/** What a node says of its jobs, when, and in which order. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { holdingLimits } from '../../node-agent/work/holding.ts';
import { reportLimits } from '../../node-agent/work/reporting.ts';
import { recipe, WorkRig } from '../fixture/work-rig.ts';

const core = suite('agent work: what is said');
const online = (slots = 2) => new WorkRig(slots).start().up();
const long = { common: { ms: 60_000 } };

core('the first report says everything that is held, and results come again until they are acknowledged', () => {
  const rig = online();
  const first = rig.said();
  const credits = 2 + holdingLimits.ahead;
  assert.equal(first.reports, [{ inst: 'i', epoch: 1, seq: 0, slots: 2, credits, have: [], answers: 0 }]);
  rig.tasks(1, 1, {}, ['a']);
  assert.equal(rig.said(50).results, [[1, 10, 10, { value: 'a' }]]);
  rig.tasks(2, 4, long);
  assert.equal(rig.said(50).started, [2, 3]);
  rig.runner.down();
  assert.equal(rig.said(50).reports, [], 'nothing without a session');
  rig.up();
  const again = rig.said(50);
  assert.is(again.reports[0]?.seq, 0);
  assert.equal(again.reports[0]?.have, [
    [2, 1, 1, 1, 1],
    [3, 1, 2, 1, 1],
    [4, 1, 3, 1, 0],
    [5, 1, 4, 1, 0],
    [1, 1, 0, 1, 2],
  ]);
  assert.equal(again.results, [[1, 10, 10, { value: 'a' }]]);
  rig.work({ ack: [[1, 1]] });
  assert.is(rig.outbox.kept.size, 0);
  rig.runner.down();
  rig.up();
  assert.equal(rig.said(50).ended, [], 'acknowledged');
});

core('a long inventory comes in parts, before anything that happened meanwhile', () => {
  const rig = online(1);
  rig.tasks(1, 1000, { common: { ms: 5 } });
  for (let n = 1; n < 7; n++) rig.work({ spans: [{ t: 1 + n * 1000, r: 1, i: 0, n: 1000, a: 1 }] });
  rig.said(20);
  rig.runner.down();
  rig.up();
  const said = rig.said(0);
  assert.is(said.have.length, 7000);
  assert.ok(said.ended.length > 0);
  assert.not(said.reports.some(({ more, results }) => more && results));
  const parts = said.reports.filter(({ have }) => have);
  assert.ok(parts.length >= 3 && parts.every(({ have = [] }) => have.length <= reportLimits.held));
  assert.equal(
    parts.map(({ more = false }) => more),
    [...parts.slice(1).map(() => true), false],
  );
  for (const report of said.reports) assert.ok(JSON.stringify(report).length <= 256 * 1024);
});

core('asked for it, everything is said again', () => {
  const rig = online();
  rig.tasks(1, 3, long);
  rig.said(50);
  rig.work({ inventory: true, question: 77 });
  const { have, reports } = rig.said(50);
  assert.equal(
    reports.map(({ answers }) => answers),
    [77],
  );
  rig.work({ inventory: true });
  assert.not('answers' in (rig.said(50).reports[0] ?? {}), 'a supervisor of before there were numbers');
  assert.equal(
    have.map(([token, , , , state]) => [token, state]),
    [
      [1, 1],
      [2, 1],
      [3, 0],
    ],
  );
});

core('work of another session, a copy and a late one are nothing', () => {
  const rig = online();
  rig.said(50);
  const spans = (t: number) => ({ recipes: [recipe()], spans: [{ t, r: 1, i: 0, n: 1, a: 1 }] });
  rig.work(spans(1), { epoch: 0 });
  rig.work(spans(2), { inst: 'other' });
  assert.equal(rig.said(50).reports, []);
  const sent = rig.work(spans(3));
  rig.work(spans(4));
  assert.equal(rig.said(50).ended, [3, 4]);
  rig.work({ ack: [[3, 2]] });
  // A copy, after its results were forgotten: a second run would be the harm.
  rig.runner.obey(sent, 100);
  assert.equal(rig.said(50).started, []);
  rig.work(spans(5), { seq: rig.seq + 10 });
  assert.equal(rig.said(50).ended, [5], 'a gap is nothing: on one connection nothing is lost');
});

core('idle, it answers at once; busy, it gathers', () => {
  const rig = online(1);
  rig.said(1000);
  rig.tasks(1, 1, { common: { ms: 0 } });
  const { reports } = rig.said(0);
  assert.is(reports.length, 1, 'start and result in one, without waiting');
  assert.equal(reports[0]?.started, [[1, 1]]);
  assert.is(reports[0]?.results?.length, 1);
  rig.tasks(2, 500, { common: { ms: 1 } });
  const busy = rig.said(400);
  assert.ok(busy.ended.length >= 380, `${busy.ended.length}`);
  assert.ok(busy.reports.length <= 45, `${busy.reports.length} reports in 400 ms`);
});

core('with 500 things or 200 kB to say nothing is waited for, and no report is larger', () => {
  const rig = online(600);
  rig.said(1000);
  rig.tasks(1, 600, { common: { ms: 0 } });
  const many = rig.said(0);
  assert.is(many.ended.length, 600, 'without a moment passing');
  rig.work({ ack: [[1, 600]] });
  rig.said(1000);
  rig.tasks(1001, 600, { common: { ms: 0 } }, Array(600).fill('x'.repeat(3000)));
  const large = rig.said(0);
  assert.ok(large.ended.length > 590, `${large.ended.length}`);
  assert.is(large.ended.length + rig.said(10).ended.length, 600, 'what fills no report waits its turn');
  assert.ok(large.reports.length >= 9);
  for (const report of large.reports) assert.ok(JSON.stringify(report).length <= 256 * 1024);
});

core('a result that no message can carry is a failure that says so', () => {
  const rig = online();
  rig.tasks(1, 1, {}, ['x'.repeat(600_000)]);
  const [result] = rig.said(50).results;
  assert.is(result?.[3]?.why, 'output');
  assert.match(result?.[3]?.err ?? '', /600\d\d\d bytes/);
});

core('what the link does not take is said later, once and in order', () => {
  const rig = online();
  rig.said(50);
  rig.takes = false;
  rig.tasks(1, 5);
  assert.equal(rig.said(500).reports, []);
  rig.takes = true;
  const { reports, started, ended } = rig.said(100);
  assert.equal(
    [started, ended],
    [
      [1, 2, 3, 4, 5],
      [1, 2, 3, 4, 5],
    ],
  );
  assert.is(reports[0]?.seq, 1);
});

core('however much has gathered, no result comes before its start', () => {
  const rig = online(1500);
  rig.said(50);
  rig.takes = false;
  rig.tasks(1, 1000, { common: { ms: 0 } });
  rig.work({ spans: [{ t: 1001, r: 1, i: 0, n: 500, a: 1 }] });
  rig.said(50);
  rig.takes = true;
  const started = new Set<number>();
  let results = 0;
  rig.hear = report => {
    for (const [first, n] of report.started ?? [])
      for (let token = first; token < first + n; token++) started.add(token);
    for (const [token] of report.results ?? []) {
      assert.ok(started.has(token), `${token}`);
      results++;
    }
  };
  rig.said(100);
  assert.is(results, 1500);
});

core('what tasks save goes before their end, and again in the next session', () => {
  const rig = online();
  rig.tasks(1, 1, { common: { ms: 1000, fail: 1 } });
  rig.said(50);
  rig.runner.down();
  rig.checkpoint(1, 'b25l');
  rig.checkpoint(99, 'bm9uZQ==');
  rig.up();
  assert.equal(rig.said(50).checkpoints, [[1, 'b25l']]);
  rig.checkpoint(1, 'dHdv');
  const { reports } = rig.said(2000);
  const at = (pick: 'checkpoints' | 'results') => reports.findIndex(report => report[pick]);
  assert.equal(reports[at('checkpoints')]?.checkpoints, [[1, 'dHdv']]);
  assert.ok(at('checkpoints') <= at('results'));
  rig.runner.down();
  rig.up();
  assert.equal(rig.said(50).checkpoints, [[1, 'dHdv']], 'until its end is acknowledged');
  rig.work({ ack: [[1, 1]] });
  rig.runner.down();
  rig.up();
  assert.equal(rig.said(50).checkpoints, []);
});

core('somebody asks who is there: a report, whose number tells who is new that it has missed some', () => {
  const rig = online();
  rig.said(50);
  rig.runner.up({ inst: 'i', epoch: rig.epoch });
  const { reports } = rig.said(50);
  assert.is(reports.length, 1);
  assert.is(reports[0]?.seq, 1);
  assert.is(reports[0]?.have, undefined);
});

core.run();
