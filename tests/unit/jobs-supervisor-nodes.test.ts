/** Jobs as nodes meet them: what they are sent and how it is signed, what becomes of their reports, and what a restart knows. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { JobIs } from '../../shared/schemas/job.ts';
import type { JobOut } from '../../shared/schemas/job-out.ts';
import { spansOf, workNode } from '../fixture/jobs-rig.ts';
import { memoryBroker } from '../fixture/memory-bus.ts';
import { type Rig, rig } from '../fixture/supervisor-rig.ts';

const jobs = suite('jobs: nodes');

const isOf = (one: Rig, job: string): JobIs | undefined => {
  const text = one.broker.retained.get(`hearth/job/${job}/is`);
  return text === undefined ? undefined : (JSON.parse(text) as JobIs);
};
const outsOf = (one: Rig, job: string): readonly JobOut[] =>
  one.broker.published.filter(({ topic }) => topic === `hearth/job/${job}/out`).map(({ text }) => JSON.parse(text));
const indexes = (outs: readonly JobOut[]) => outs.flatMap(({ results }) => results.map(({ index }) => index)).sort();

/** Says of everything that the node was sent and has not answered that it succeeded. */
function finish(node: ReturnType<typeof workNode>, answered = new Set<number>()): void {
  for (const { t, n } of spansOf(node)) {
    if (answered.has(t)) continue;
    answered.add(t);
    const tokens = Array.from({ length: n }, (_, at) => t + at);
    node.report({ started: [[t, n]], results: tokens.map(token => [token, 5, 5, { exit: 0, out: `${token}` }]) });
  }
}

jobs(
  'work goes to who is born and has reported; the first message of a session is signed, and says that the others are not',
  () => {
    const one = rig();
    const node = workNode(one, 'n1');
    one.ask('job/j1/set', JSON.stringify({ run: 'echo {}', array: '1-3' }));
    finish(node);
    const work = node.work();
    assert.ok(work.length >= 2);
    const [first, ...others] = work;
    assert.equal([first?.signed, first?.plain, first?.inst, first?.epoch], [true, true, 'aaaaaaaa', 1]);
    assert.match(first?.cluster ?? '', /^[0-9a-f]{32}$/);
    for (const other of others) assert.equal([other.signed, other.plain, other.key], [false, undefined, undefined]);
    const seqs = work.map(({ seq }) => seq);
    assert.equal(
      seqs,
      [...seqs].sort((a, b) => a - b),
    );
    assert.is(new Set(seqs).size, seqs.length);
  },
);

jobs(
  'until a node has reported in a session, every message is signed: who has not joined yet takes none of them',
  () => {
    const one = rig();
    const node = workNode(one, 'n1', { silent: true });
    // Asked what it holds, again and again.
    one.clock.advance(8000);
    one.sync();
    const before = node.work().length;
    assert.ok(before >= 2, `${before} messages`);
    for (const { signed, plain } of node.work()) assert.equal([signed, plain], [true, true]);
    node.report({ have: [] });
    one.ask('job/j1/set', JSON.stringify({ run: 'echo {}', array: '1-3' }));
    finish(node);
    const [first, ...others] = node.work().slice(before);
    assert.equal([first?.signed, first?.plain], [true, true]);
    assert.ok(others.length > 0);
    for (const { signed, plain } of others) assert.equal([signed, plain], [false, undefined]);
  },
);

jobs('on an outside broker every message is signed', () => {
  const one = rig({ kind: 'outside' });
  one.clock.advance(20_000);
  one.sync();
  const node = workNode(one, 'n1');
  one.ask('job/j1/set', JSON.stringify({ run: 'echo {}', array: '1-3' }));
  finish(node);
  assert.ok(node.work().length >= 2);
  for (const { signed, plain } of node.work()) assert.equal([signed, plain], [true, undefined]);
});

jobs('an outside broker that was away may have lost work: nodes are asked what they hold, at once', () => {
  const one = rig({ kind: 'outside' });
  one.clock.advance(20_000);
  one.sync();
  const node = workNode(one, 'n1');
  const taken = one.clock.now();
  one.broker.setUp(false);
  one.deliver({ topic: 'hearth/job/j1/set', payload: Buffer.from('{"run":"true"}'), qos: 1, retain: false });
  one.sync();
  one.broker.setUp(true);
  one.sync();
  assert.ok(node.work().some(({ inventory }) => inventory === true));
  node.report({ have: [] });
  const [span] = spansOf(node);
  assert.ok(span, 'what never arrived is sent again');
  assert.is(one.clock.now(), taken);
  assert.is(span.a, 1, 'uncounted');
});

jobs('results are on out, and acked, only after the sync; then the job has succeeded', () => {
  const one = rig();
  const node = workNode(one, 'n1');
  one.ask('job/j1/set', JSON.stringify({ run: 'echo {}', array: '1-2' }));
  const [span] = spansOf(node);
  assert.ok(span);
  const from = one.broker.published.length;
  const results = [span.t, span.t + 1].map(token => [token, 5, 5, { exit: 0, out: 'x' }]);
  node.client.part('done', {
    inst: 'aaaaaaaa',
    epoch: 1,
    seq: 1,
    slots: 4,
    credits: 4,
    started: [[span.t, 2]],
    results,
  });
  const promised = /"ack":|"seq":0,"results"/;
  const said = () => one.broker.published.slice(from).filter(({ text }) => promised.test(text));
  assert.equal(said(), []);
  one.sync();
  assert.is(said().length, 2);
  assert.equal(indexes(outsOf(one, 'j1')), [0, 1]);
  assert.ok(node.work().some(({ ack = [] }) => ack.length > 0));
  assert.is(isOf(one, 'j1')?.state, 'succeeded');
});

jobs('reports of another session, and of another connection, are nobody’s word', () => {
  const one = rig();
  const node = workNode(one, 'n1');
  one.ask('job/j1/set', JSON.stringify({ run: 'echo' }));
  const [span] = spansOf(node);
  assert.ok(span);
  const result = { slots: 4, credits: 4, results: [[span.t, 5, 5]] };
  node.client.part('done', { inst: 'aaaaaaaa', epoch: 2, seq: 1, ...result });
  node.client.part('done', { inst: 'bbbbbbbb', epoch: 1, seq: 1, ...result });
  const twin = one.broker.connect('hearth-n1');
  twin.publish('hearth/node/n1/done', JSON.stringify({ inst: 'aaaaaaaa', epoch: 1, seq: 1, ...result }));
  one.sync();
  assert.equal(outsOf(one, 'j1'), []);
});

jobs('what is no report is named once on event, and an answer to an order is none', () => {
  const one = rig();
  const node = workNode(one, 'n1');
  for (let i = 0; i < 3; i++) node.client.part('done', { inst: 'aaaaaaaa', epoch: 1, seq: 'x', slots: 4, credits: 4 });
  node.client.client.publish('hearth/node/n1/done', '['.repeat(5000));
  node.client.done('c1');
  const bad = one.broker.published.filter(({ topic, text }) => topic === 'hearth/event' && text.includes('bad-report'));
  assert.is(bad.length, 1);
  assert.match(bad[0]?.text ?? '', /seq/);
});

jobs('a session that takes over without the node being offline is a new one for jobs, too', () => {
  const one = rig();
  const node = workNode(one, 'n1');
  one.ask('job/j1/set', JSON.stringify({ run: 'echo' }));
  assert.is(spansOf(node).length, 1);
  const again = workNode(one, 'n1', { epoch: 2 });
  const sent = again.work().filter(({ epoch }) => epoch === 2);
  assert.ok(
    sent.some(({ spans = [] }) => spans.length === 1),
    'what had not started is sent again',
  );
  assert.is(sent[0]?.signed, true);
});

jobs('a restart knows what was accepted and committed, clears what is gone, and sends again what was missed', () => {
  const broker = memoryBroker('embedded');
  const disk = new Map<string, string>();
  const before = rig({ broker, disk });
  const node = workNode(before, 'n1');
  before.ask('job/j1/set', JSON.stringify({ run: 'echo {}', array: '1-2' }));
  before.ask('job/j2/set', JSON.stringify({ run: 'echo', where: 'cores > 100' }));
  finish(node);
  assert.is(isOf(before, 'j1')?.state, 'succeeded');
  before.store.kill();
  broker.retained.delete('hearth/job/j1/own');
  broker.retained.delete('hearth/job/j2/is');
  for (const part of ['own', 'is']) broker.retained.set(`hearth/job/ghost/${part}`, '{}');
  const tokens = spansOf(node).map(({ t }) => t);

  const after = rig({ broker, disk });
  assert.is(after.ready(), '');
  assert.is(isOf(after, 'j1')?.state, 'succeeded');
  assert.is(isOf(after, 'j2')?.state, 'queued');
  assert.ok(broker.retained.has('hearth/job/j1/own'));
  assert.equal(
    [...broker.retained.keys()].filter(topic => topic.includes('ghost')),
    [],
  );
  const from = broker.published.length;
  const answer = after.ask('job/j1/do/out', '{"from":0,"to":9}');
  const outs = broker.published.slice(from).filter(({ topic }) => topic.endsWith('/out'));
  assert.is(answer.n, isOf(after, 'j1')?.outs);
  assert.equal(indexes(outs.map(({ text }) => JSON.parse(text))), [0, 1]);
  assert.is(after.ask('job/j1/set', JSON.stringify({ run: 'echo {}', array: '1-2' })).again, true);
  after.ask('job/j3/set', JSON.stringify({ run: 'echo' }));
  const again = workNode(after, 'n1', { epoch: 2 });
  const later = spansOf(again).at(-1)?.t ?? 0;
  assert.ok(later > Math.max(...tokens), 'tokens of a later start are higher');
});

jobs('a full disk: nothing new is accepted, what waits is written when there is room again', () => {
  const one = rig();
  const node = workNode(one, 'n1');
  one.ask('job/j1/set', JSON.stringify({ run: 'echo' }));
  one.store.failWrites(new Error('no space'));
  finish(node);
  assert.equal(outsOf(one, 'j1'), []);
  assert.match(one.ask('job/j2/set', JSON.stringify({ run: 'echo' })).error ?? '', /no space/);
  one.clock.advance(1000);
  one.sync();
  assert.equal(outsOf(one, 'j1'), []);
  one.store.failWrites(undefined);
  one.clock.advance(1000);
  one.sync();
  assert.equal(indexes(outsOf(one, 'j1')), [0]);
  assert.is(isOf(one, 'j1')?.state, 'succeeded');
  assert.is(one.ask('job/j2/set', JSON.stringify({ run: 'echo' })).ok, true);
});

jobs('artifacts that a job names are in use while it is kept, those that its tasks left while it lives', () => {
  const disk = new Map<string, string>();
  const [input, output] = ['a', 'b'].map(digit => digit.repeat(64)) as [string, string];
  const one = rig({ disk });
  const node = workNode(one, 'n1');
  one.ask('job/j1/set', JSON.stringify({ run: 'f {in}', array: '1-2', inputs: { in: `artifact:${input}` } }));
  const [span] = spansOf(node);
  assert.ok(span);
  node.report({ started: [[span.t, 1]], results: [[span.t, 5, 5, { exit: 0, files: { out: output } }]] });
  const used = (of: Rig) => [...of.supervisor.usedArtifacts()].map(({ sha256 }) => sha256).sort();
  assert.equal(used(one), [input, output]);
  one.store.kill();
  const after = rig({ disk });
  assert.equal(used(after), [input, output]);
  after.ask('job/j1/do/cancel');
  assert.equal(used(after), [input]);
  after.ask('job/j1/do/forget');
  assert.equal(used(after), []);
  assert.equal(
    [...disk.keys()].filter(key => key.startsWith('jobart/')),
    [],
  );
});

jobs('drained, and by its document', () => {
  const one = rig();
  const node = workNode(one, 'n1');
  one.ask('node/n1/do/drain');
  one.ask('job/j1/set', JSON.stringify({ run: 'echo' }));
  assert.match(one.ask('job/j1/do/explain').explain?.[0]?.why ?? '', /drained/);
  assert.equal(spansOf(node), []);
  one.ask('node/n1/do/resume');
  assert.is(spansOf(node).length, 1);
});

jobs('info counts jobs', () => {
  const one = rig();
  one.ask('job/j1/set', JSON.stringify({ run: 'echo' }));
  one.clock.advance(10_000);
  const info = one.broker.last<{ jobs_queued: number; jobs_running: number }>('hearth/info');
  assert.equal([info?.jobs_queued, info?.jobs_running], [1, 0]);
});

jobs.run();
