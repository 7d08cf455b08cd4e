import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { wakeAt } from '../../node-agent/reconcile/services/core.ts';
import type { Service } from '../../shared/schemas/service.ts';
import { Life, wallStart } from '../fixture/service-life.ts';

const core = suite('service core');

core('wanted, started, running: settled when the process exists, and not before', () => {
  const life = new Life().send({ type: 'want', spec: { run: 'x' } });
  assert.equal(life.did, ['start']);
  assert.is(life.shown.state, 'starting');
  life.now = 5;
  life.started();
  assert.equal(life.did, ['settled']);
  assert.equal(life.shown, { state: 'running', pid: 42, since_ms: wallStart + 5, restarts: 0 });
});

core('the backoff doubles from 0.5 s to 60 s, less up to half at random', () => {
  const life = new Life().run({ run: 'x' });
  const waits: number[] = [];
  for (let round = 0; round < 10; round++) {
    life.end(1, { code: 1 });
    assert.ok(life.state);
    waits.push((wakeAt(life.state) ?? 0) - life.now);
    life.wake().started();
  }
  assert.equal(waits, [500, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000]);
  life.chance = 0;
  life.end(1, { code: 1 });
  assert.is(life.state && (wakeAt(life.state) ?? 0) - life.now, 30_000);
});

core('five quick ends in a row are a crash loop that says why, once, and that a good run ends', () => {
  const life = new Life().run({ run: 'x' });
  const notices: string[] = [];
  for (let round = 0; round < 6; round++) {
    life.now += 200;
    life.send({ type: 'exited', unit: life.unit, exit: { code: 3 }, lastLine: 'no\u0007such device' });
    for (const effect of life.last) if (effect.do === 'notice') notices.push(effect.text);
    assert.is(life.shown.state, round < 4 ? 'backoff' : 'crash-loop');
    life.send({ type: 'stopped', unit: life.leaving[0] ?? '' });
    life.wake();
    if (round >= 4) assert.is(life.shown.state, 'crash-loop', 'no flicker while it is tried again');
    life.started();
    if (round >= 4) assert.is(life.shown.state, 'crash-loop');
  }
  assert.equal(notices, ['services/a: exit 3 after 0.2 s, 5 times in a row; last line: no\\u0007such device']);
  assert.is(life.shown.err, 'exit 3 after 0.2 s, 6 times in a row; last line: no\\u0007such device');
  assert.is(life.shown.restarts, 6);
  life.wake();
  assert.is(life.shown.state, 'running');
  assert.is(life.shown.err, undefined);
  life.end(1000, { code: 3 });
  assert.is(life.shown.state, 'backoff', 'the row began anew');
});

core('a unit that ran well starts the row anew', () => {
  const life = new Life().run({ run: 'x' });
  for (let round = 0; round < 20; round++) {
    life.end(10_000, { signal: 'SEGV' });
    assert.is(life.shown.state, 'backoff');
    assert.is(life.shown.signal, 'SEGV');
    assert.is(life.shown.err, 'killed by SEGV after 10.0 s');
    assert.is(life.state && (wakeAt(life.state) ?? 0) - life.now, 500);
    life.wake().started();
  }
  assert.is(life.shown.restarts, 20);
});

core('nothing starts before the last process of the unit before is gone', () => {
  const life = new Life().run({ run: 'x' });
  const first = life.unit;
  life.send({ type: 'exited', unit: first, exit: { code: 1 } });
  assert.equal(life.did, ['stop'], 'what it left behind is swept up');
  assert.is(life.state && wakeAt(life.state), undefined);
  life.now = 3600_000;
  life.send({ type: 'time' });
  assert.equal(life.did, []);
  life.send({ type: 'stopped', unit: first });
  assert.equal(life.did, ['discard', 'start']);
});

const policies: readonly [Service['restart'], { code?: number; signal?: string; unknown?: string }, string][] = [
  [undefined, { code: 0 }, 'backoff'],
  ['always', { code: 0 }, 'backoff'],
  ['on-failure', { code: 0 }, 'exited'],
  ['on-failure', { code: 1 }, 'backoff'],
  ['on-failure', { signal: 'KILL' }, 'backoff'],
  ['on-failure', { unknown: 'nobody saw' }, 'backoff'],
  ['never', { code: 0 }, 'exited'],
  ['never', { code: 7 }, 'failed'],
  ['never', { signal: 'TERM' }, 'failed'],
];
for (const [restart, exit, shown] of policies) {
  core(`restart ${restart ?? 'by default'} after ${JSON.stringify(exit)}: ${shown}`, () => {
    const life = new Life().run({ run: 'x', ...(restart ? { restart } : {}) }).end(100, exit);
    assert.is(life.shown.state, shown);
    assert.is(life.state && wakeAt(life.state) !== undefined, shown === 'backoff');
    assert.is(life.shown.exit, exit.code);
    assert.is(life.shown.signal, exit.signal);
  });
}

core('while it waits, it says until when, and no longer', () => {
  const life = new Life().run({ run: 'x' });
  assert.is(life.shown.next_ms, undefined);
  life.end(100, { code: 3 }).end(0, { code: 3 });
  assert.is(life.shown.state, 'backoff');
  assert.is(life.shown.err, 'exit 3 after 0.1 s');
  assert.is(life.shown.next_ms, wallStart + life.now + 500);
  life.wake();
  assert.is(life.shown.next_ms, undefined);
  const once = new Life().run({ run: 'x', restart: 'never' }).end(100, { code: 3 });
  assert.is(once.shown.next_ms, undefined);
  const failing = new Life().send({ type: 'want', spec: { run: 'x' } });
  failing.send({ type: 'start-failed', unit: failing.unit, error: 'no such folder' });
  assert.is(failing.shown.next_ms, wallStart + 500);
});

core.run();
