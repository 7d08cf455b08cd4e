import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { forever, Node, want } from '../fixture/reconciled-node.ts';

const reconcile = suite('reconcile');

reconcile('a document is made so, its revision is told when every step was attempted, and not before', () => {
  const node = new Node();
  node.machine.faults.delayMs = 500;
  node.start({ rev: 7, services: { a: forever, b: want({ run: 'sleep 1; exit 3' }) } });
  assert.equal(node.agent.attempted(), { rev: 0, err: '' });
  node.time.pass(1100);
  assert.equal(node.agent.attempted(), { rev: 7, err: '' });
  assert.equal(node.states(), { 'services/a': 'running', 'services/b': 'running' });
  node.time.pass(1000);
  assert.is(node.agent.items()['services/b']?.exit, 3);
});

reconcile('a new agent without a document touches nothing, not even what ends', () => {
  const node = new Node();
  node.start({ rev: 1, services: { a: forever, b: want({ run: 'sleep 60' }) } });
  node.time.pass(100);
  const before = node.running();
  node.again();
  node.time.pass(1000);
  assert.equal(node.running(), before);
  assert.equal(node.agent.attempted(), { rev: 0, err: '' });
  node.time.pass(120_000);
  assert.equal(node.states(), { 'services/a': 'running', 'services/b': 'exited' });
  node.agent.apply({ rev: 2, services: { a: forever, b: want({ run: 'sleep 60' }) } });
  node.time.pass(100);
  assert.equal(node.running(), before);
  assert.is(node.agent.attempted().rev, 2);
});

reconcile('a document given while adoption is under way is the one obeyed', () => {
  const node = new Node();
  node.machine.faults.delayMs = 100;
  node.start({ rev: 1, services: { a: forever } });
  node.agent.apply({ rev: 2, services: { b: forever } });
  node.time.pass(1000);
  assert.equal(node.running(), { b: './serve' });
  assert.is(node.agent.attempted().rev, 2);
});

reconcile('adoption: the same stays with its pid, the changed is replaced, the unwanted stopped', () => {
  const node = new Node();
  node.start({ rev: 1, services: { same: forever, other: forever, gone: forever } });
  node.time.pass(100);
  const { pid } = node.agent.items()['services/same'] ?? {};
  node.again({ rev: 2, services: { same: { ...forever, from: 'role/all' }, other: want({ run: './other' }) } });
  node.time.pass(100);
  assert.equal(node.running(), { same: './serve', other: './other' });
  assert.is(node.agent.items()['services/same']?.pid, pid);
  assert.equal(
    node.notices.filter(notice => notice.includes('same')),
    [`adopted services/same: adopted, process ${pid}`],
  );
});

reconcile('the same document again does nothing, and is answered', () => {
  const node = new Node();
  const services = { a: forever };
  node.start({ rev: 1, services });
  node.time.pass(100);
  const before = [...node.machine.processes.keys()];
  node.agent.apply({ rev: 2, services });
  node.time.pass(1);
  assert.is(node.agent.attempted().rev, 2);
  assert.equal([...node.machine.processes.keys()], before);
});

reconcile('a stop in its grace period holds up nothing but the revision', () => {
  const node = new Node();
  const stubborn = want({ run: "trap '' TERM; sleep 100000" });
  node.start({ rev: 1, services: { stubborn } });
  node.time.pass(100);
  node.agent.apply({ rev: 2, services: { a: forever } });
  node.time.pass(1000);
  assert.equal(node.states(), { 'services/a': 'running', 'services/stubborn': 'stopping' });
  assert.is(node.agent.attempted().rev, 1);
  node.time.pass(10_000);
  assert.equal(node.states(), { 'services/a': 'running' });
  assert.is(node.agent.attempted().rev, 2);
});

reconcile('what cannot be started is the error of the revision until it can', () => {
  const node = new Node();
  node.machine.faults.startFails = 1;
  node.start({ rev: 1, services: { b: forever, a: forever } });
  node.time.pass(300);
  assert.equal(node.agent.attempted(), { rev: 1, err: 'services/a: simulated: the start failed' });
  assert.is(node.states()['services/a'], 'failed');
  node.machine.faults.startFails = 0;
  node.time.pass(2000);
  assert.equal(node.agent.attempted(), { rev: 1, err: '' });
});

reconcile('a crash loop is told: state, reason, error and one notice', () => {
  const node = new Node();
  node.start({ rev: 1, services: { a: want({ run: 'echo no such device; exit 4' }) } });
  node.time.pass(60_000);
  assert.is(node.states()['services/a'], 'crash-loop');
  assert.match(node.agent.attempted().err, /^services\/a: exit 4 .* times in a row; last line: no such device$/);
  assert.is(node.notices.length, 1);
  const before = node.agent.items()['services/a']?.restarts ?? 0;
  node.time.pass(10 * 60_000);
  const after = node.agent.items()['services/a']?.restarts ?? 0;
  assert.ok(after - before >= 9 && after - before <= 21, `slowly: ${after - before} times in ten minutes`);
});

reconcile('restart answers when the new process runs; an unknown service is named', () => {
  const node = new Node();
  node.start({ rev: 1, services: { a: forever } });
  node.time.pass(100);
  const { pid } = node.agent.items()['services/a'] ?? {};
  const answers: (string | undefined)[] = [];
  node.agent.restart('a', error => answers.push(error));
  node.agent.restart('b', error => answers.push(error));
  assert.equal(answers, ['there is no service "b" on this node']);
  node.time.pass(100);
  assert.equal(answers.slice(1), [undefined]);
  assert.is.not(node.agent.items()['services/a']?.pid, pid);
  assert.is(node.agent.items()['services/a']?.restarts, 1);
});

reconcile('following shows the last lines, then the new ones, over a restart, until its time is over', () => {
  const node = new Node();
  node.start({ rev: 1, services: { a: want({ run: 'echo up; sleep 20; echo down; exit 1' }) } });
  node.time.pass(1000);
  node.agent.follow('a', 60_000, () => {});
  assert.equal(node.lines, ['a: up']);
  node.time.pass(25_000);
  assert.equal(node.lines, ['a: up', 'a: down', 'a: up']);
  node.agent.follow('a', 30_000, () => {});
  node.time.pass(20_000);
  assert.equal(node.lines, ['a: up', 'a: down', 'a: up', 'a: down', 'a: up']);
  node.time.pass(60_000);
  assert.is(node.lines.length, 5);
  let error: string | undefined;
  node.agent.follow('b', 1000, said => {
    error = said;
  });
  assert.is(error, 'there is no service "b" on this node');
});

reconcile('stopping all ends everything, the stubborn too, and starts nothing that was under way', () => {
  const node = new Node();
  node.machine.faults.delayMs = 300;
  node.start({
    rev: 1,
    services: { a: forever, b: want({ run: "trap '' TERM; sleep 1000" }), c: want({ run: 'exit 1' }) },
  });
  node.time.pass(450);
  let done = 0;
  node.agent.stopAll(() => done++);
  node.time.pass(12_000);
  assert.is(done, 1);
  assert.equal(node.running(), {});
  node.time.pass(100_000);
  assert.equal(node.running(), {});
  assert.equal(node.agent.items(), {});
});

reconcile('changes are told, at most once per turn, and not when nothing changed', () => {
  const node = new Node();
  node.start({ rev: 1, services: Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`s${i}`, forever])) });
  node.time.pass(1000);
  assert.ok(node.changes > 0 && node.changes < 10, String(node.changes));
  const { changes } = node;
  node.time.pass(3600_000);
  assert.is(node.changes, changes);
});

reconcile.run();
