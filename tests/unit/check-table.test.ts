import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fail, pass, unknown } from '../../node-agent/checks/finding.ts';
import { itemStatus } from '../../shared/schemas/observed.ts';
import { Checked, doing } from '../fixture/check-table.ts';
import { startOfTest } from '../fixture/manual-clock.ts';

const table = suite('checks: what is told');

table('results are told when they change, other words alone once a minute', () => {
  const node = new Checked();
  let words = 0;
  node.answer = () => pass(`used ${words++} %`);
  node.table.set({ a: doing('a', { every_s: 5 }) });
  node.clock.advance(10_000);
  node.told.splice(0);
  node.clock.advance(600_000);
  assert.ok(words > 100);
  assert.ok(node.told.length >= 8 && node.told.length <= 11, String(node.told.length));
  for (const [index, at] of node.told.entries()) {
    if (index > 0) assert.ok(at - (node.told[index - 1] ?? 0) >= 60_000);
  }
  node.answer = () => fail('full');
  node.told.splice(0);
  node.clock.advance(6000);
  assert.is(node.told.length, 1, 'a change of state at once');
  node.told.splice(0);
  node.clock.advance(600_000);
  assert.is(node.told.length, 0, 'the same again is nothing new');
});

table('a failure is one notice of its severity, and so is its end', () => {
  for (const [severity, level] of [
    ['info', 'info'],
    ['warning', 'warn'],
    ['critical', 'error'],
  ] as const) {
    const node = new Checked();
    node.answer = () => pass('');
    node.table.set({ a: doing('a', { severity, every_s: 5 }) });
    node.clock.advance(30_000);
    assert.equal(node.notices, [], 'well from the start is no news');
    node.answer = () => fail('95 % used');
    node.clock.advance(60_000);
    assert.equal(node.notices, [`${level} check-fail checks/a fails: 95 % used`]);
    node.answer = () => unknown('no answer');
    node.clock.advance(60_000);
    node.answer = () => pass('50 % used');
    node.clock.advance(60_000);
    assert.equal(node.notices.slice(1), [
      'warn check-unknown checks/a cannot be told: no answer',
      'info check-pass checks/a is well again: 50 % used',
    ]);
  }
});

table('fails from the start is news', () => {
  const node = new Checked();
  node.answer = () => fail('no');
  node.table.set({ a: doing('a') });
  node.clock.advance(10_000);
  assert.equal(node.notices, ['warn check-fail checks/a fails: no']);
});

table('a check that flaps is told with its last change, and noticed seldom', () => {
  const node = new Checked();
  let bad = false;
  node.answer = () => {
    bad = !bad;
    return bad ? fail('down') : pass('up');
  };
  node.table.set({ a: doing('a', { every_s: 10 }) });
  node.clock.advance(3_600_000);
  assert.ok(node.looks.length > 300);
  assert.ok(node.notices.length >= 6 && node.notices.length <= 12, String(node.notices.length));
  assert.match(node.notices.at(-1) ?? '', /it changed \d+ times within the last hour/);
  const item = node.table.items()['checks/a'];
  assert.is(item?.since_ms, startOfTest + (node.looks.at(-1)?.at ?? 0), 'since its last change');
  if (item?.state === 'pass') node.clock.advance(11_000);
  assert.match(node.table.items()['checks/a']?.err ?? '', /^down; it changed \d+ times within an hour$/);
  node.answer = () => fail('down');
  node.clock.advance(7_200_000);
  assert.is(node.table.items()['checks/a']?.err, 'down', 'quiet for an hour is quiet');
});

table('failing: at least so severe; unknown is no failure', () => {
  const node = new Checked();
  node.answer = check => (JSON.stringify(check).includes('"u"') ? unknown('') : fail(''));
  node.table.set({
    i: doing('i', { severity: 'info' }),
    w: doing('w'),
    c: doing('c', { severity: 'critical' }),
    u: doing('u', { severity: 'critical' }),
  });
  node.clock.advance(10_000);
  assert.equal(node.table.failing('info'), ['checks/c', 'checks/i', 'checks/w']);
  assert.equal(node.table.failing('warning'), ['checks/c', 'checks/w']);
  assert.equal(node.table.failing('critical'), ['checks/c']);
});

table('the runbook stands in what fails, within its bounds', () => {
  const node = new Checked();
  node.answer = () => fail('x'.repeat(500));
  node.table.set({ a: doing('a', { runbook: 'r'.repeat(200) }), b: doing('b', { runbook: 'turn it off and on' }) });
  node.clock.advance(10_000);
  for (const item of Object.values(node.table.items())) itemStatus.parse(item);
  node.answer = () => fail('no answer');
  node.clock.advance(70_000);
  assert.is(node.table.items()['checks/b']?.err, 'no answer; what to do: turn it off and on');
});

table('the same document again, and other words about a check, keep what is known of it', () => {
  const node = new Checked();
  node.answer = () => fail('no');
  node.table.set({ a: doing('a', { every_s: 3600 }) });
  node.clock.advance(10_000);
  const { since_ms: since } = node.table.items()['checks/a'] ?? {};
  node.told.splice(0);
  node.table.set({ a: doing('a', { every_s: 3600 }) });
  assert.is(node.told.length, 0);
  node.table.set({ a: doing('a', { every_s: 60, severity: 'critical', runbook: 'run' }) });
  assert.equal(node.table.items()['checks/a'], {
    state: 'fail',
    severity: 'critical',
    saw: 'no',
    since_ms: since,
    err: 'no; what to do: run',
  });
  assert.is(node.looks.length, 1);
  node.clock.advance(60_000);
  assert.is(node.looks.length, 2, 'the shorter period counts at once');
});

table('run looks now and answers with what it found; of a set with what fails', () => {
  const node = new Checked();
  node.answer = check => (check.under_voltage ? fail('low') : pass('fine'));
  node.table.set({ a: doing('a', { every_s: 86_400 }), p: { set: 'pi' } });
  const answers: unknown[] = [];
  node.table.run('a', (error, item) => answers.push(error ?? item?.state));
  assert.equal(answers, ['pass'], 'without waiting for its time');
  node.table.run('p', (error, item) => answers.push(error ?? `${item?.state} ${item?.saw}`));
  node.table.run('p:temperature', (error, item) => answers.push(error ?? item?.state));
  node.table.run('b', error => answers.push(error));
  assert.equal(answers.slice(1), ['fail low', 'pass', 'there is no check "b" on this node']);
});

table('run waits for the look that goes on, is told when the check goes away, and is bounded', () => {
  const node = new Checked();
  node.table.set({ a: doing('a'), b: doing('b') });
  node.clock.advance(10_000);
  const answers: unknown[] = [];
  node.table.run('a', (error, item) => answers.push(error ?? item?.state));
  node.table.run('b', error => answers.push(error));
  assert.equal(answers, []);
  node.looks.find(({ check }) => JSON.stringify(check).includes('"a"'))?.found(pass(''));
  node.table.set({ a: doing('a') });
  assert.equal(answers, ['pass', 'the check "b" was taken away']);
  for (let i = 0; i < 64; i++) node.table.run('a', () => {});
  node.table.run('a', error => answers.push(error));
  assert.is(answers.at(-1), 'too many wait for the check "a" already');
});

table.run();
