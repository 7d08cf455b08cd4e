import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { wakeAt } from '../../node-agent/reconcile/services/core.ts';
import { found, Life, wallStart } from '../fixture/service-life.ts';

const core = suite('service core, changes');

core('another process is wanted: the old one ends first, counted from zero', () => {
  const life = new Life()
    .run({ run: 'x', stop: { signal: 'INT', grace_s: 3 } })
    .end(1, { code: 1 })
    .wake()
    .started();
  const old = life.unit;
  life.send({ type: 'want', spec: { run: 'y' } });
  assert.equal(life.last, [{ do: 'stop', unit: old, signal: 'INT', graceMs: 3000 }]);
  assert.is(life.shown.state, 'stopping');
  life.send({ type: 'exited', unit: old, exit: { signal: 'INT' } });
  assert.equal(life.did, []);
  life.send({ type: 'stopped', unit: old });
  assert.equal(life.did, ['discard', 'start']);
  life.started();
  assert.equal(life.did, ['settled']);
  assert.equal(life.shown, { state: 'running', pid: 42, since_ms: wallStart + life.now, restarts: 0 });
});

core('another way to restart or stop it leaves the process, and is what happens from then on', () => {
  const life = new Life().run({ run: 'x' });
  const { unit } = life;
  life.send({ type: 'want', spec: { run: 'x', restart: 'never', stop: { signal: 'HUP', grace_s: 1 } } });
  assert.equal(life.did, ['settled']);
  assert.is(life.unit, unit);
  life.send({ type: 'exited', unit, exit: { code: 0 } });
  assert.equal(life.last[0], { do: 'stop', unit, signal: 'HUP', graceMs: 1000 });
  life.send({ type: 'stopped', unit });
  assert.is(life.shown.state, 'exited');
  life.send({ type: 'want', spec: { run: 'x' } });
  assert.equal(life.did, ['discard', 'start'], 'always after all: at once');
  assert.is(life.shown.restarts, 1);
});

core('removed while it starts: stopped when it has started, then forgotten', () => {
  const life = new Life().send({ type: 'want', spec: { run: 'x' } });
  life.send({ type: 'want', spec: undefined });
  assert.equal(life.did, []);
  const { unit } = life;
  life.started();
  assert.equal(life.did, ['stop']);
  assert.is(life.shown.state, 'stopping');
  life.send({ type: 'exited', unit, exit: { signal: 'TERM' } }).send({ type: 'stopped', unit });
  assert.equal(life.did, ['discard', 'settled', 'gone']);
});

core('removed while it starts, and the start fails: forgotten', () => {
  const life = new Life().send({ type: 'want', spec: { run: 'x' } });
  const { unit } = life;
  life.send({ type: 'want', spec: undefined }).send({ type: 'start-failed', unit, error: 'no' });
  assert.equal(life.did, ['discard', 'settled', 'gone']);
});

core('changed while it starts, and changed back: the process that came is kept', () => {
  const life = new Life().send({ type: 'want', spec: { run: 'x' } });
  life.send({ type: 'want', spec: { run: 'y' } }).send({ type: 'want', spec: { run: 'x' } });
  life.started();
  assert.equal(life.did, ['settled']);
});

core('changed while it stops: only the last word is started', () => {
  const life = new Life().run({ run: 'x' });
  const { unit } = life;
  life.send({ type: 'want', spec: undefined });
  life.send({ type: 'want', spec: { run: 'y' } }).send({ type: 'want', spec: { run: 'z' } });
  assert.equal(life.did, []);
  life.send({ type: 'stopped', unit });
  const started = life.last.flatMap(effect => (effect.do === 'start' ? [effect.unit.spec.run] : []));
  assert.equal(started, ['z']);
});

core('it ends while it is being stopped: not started again', () => {
  const life = new Life().run({ run: 'x' });
  const { unit } = life;
  life.send({ type: 'want', spec: undefined });
  life.send({ type: 'exited', unit, exit: { code: 1 } });
  assert.is(life.state && wakeAt(life.state), undefined);
  life.send({ type: 'stopped', unit });
  assert.equal(life.did, ['discard', 'settled', 'gone']);
});

core('a stop that fails is an error, is asked again, and keeps the next unit from starting', () => {
  const life = new Life().run({ run: 'x' });
  const { unit } = life;
  life.send({ type: 'want', spec: { run: 'y' } });
  life.send({ type: 'stopped', unit, error: 'process 42 did not end' });
  assert.equal(life.did, ['notice', 'settled']);
  assert.equal(life.last[1], { do: 'settled', error: 'process 42 did not end' });
  assert.is(life.shown.state, 'failed');
  assert.is(life.shown.err, 'process 42 did not end');
  life.wake();
  assert.is(life.now, 30_000);
  assert.equal(life.did, ['stop']);
  life.send({ type: 'stopped', unit });
  assert.equal(life.did, ['discard', 'start']);
  assert.is(life.started().shown.err, undefined);
});

core('what cannot be started says so, settles with the reason, and is tried again', () => {
  const life = new Life().send({ type: 'want', spec: { run: 'x', cwd: '/nosuch' } });
  life.send({ type: 'start-failed', unit: life.unit, error: 'no such folder' });
  assert.equal(life.did, ['discard', 'notice', 'settled']);
  assert.equal(life.last[2], { do: 'settled', error: 'no such folder' });
  assert.is(life.shown.state, 'failed');
  life.wake();
  assert.equal(life.did, ['start']);
  assert.is(life.shown.state, 'failed', 'no flicker');
  life.started();
  assert.is(life.shown.state, 'running');
  assert.is(life.shown.err, undefined);
});

core('restart: stops and starts what runs, starts what waits or has ended, and counts', () => {
  const life = new Life().run({ run: 'x', restart: 'never' });
  const { unit } = life;
  life.send({ type: 'restart' });
  assert.equal(life.did, ['stop']);
  life.send({ type: 'stopped', unit }).started();
  assert.equal(life.did, ['settled']);
  assert.is(life.shown.restarts, 1);
  life.end(1, { code: 0 });
  assert.is(life.shown.state, 'exited');
  life.send({ type: 'restart' });
  assert.equal(life.did, ['discard', 'start']);
  const nobody = new Life().send({ type: 'restart' });
  assert.not.ok(nobody.did.includes('start'), 'what nobody wants is not started');
});

core('adopted: nothing is done until a document comes, and then nothing if it says the same', () => {
  const life = new Life().send({ type: 'found', units: [found('u', { restarts: 4 })] });
  assert.equal(life.did, ['notice']);
  assert.equal(life.shown, { state: 'running', pid: 7, since_ms: wallStart - 60_000, restarts: 4 });
  life.send({ type: 'want', spec: { run: 'x' } });
  assert.equal(life.did, ['settled']);
  assert.is(life.unit, 'u');
});

core('adopted and wanted differently: replaced; not wanted: stopped', () => {
  const life = new Life().send({ type: 'found', units: [found('u')] }).send({ type: 'want', spec: { run: 'y' } });
  assert.equal(life.did, ['stop']);
  const gone = new Life().send({ type: 'found', units: [found('u')] }).send({ type: 'want', spec: undefined });
  assert.equal(gone.did, ['stop']);
});

core('without a document an adopted service that ends is left alone; the document starts it again', () => {
  const life = new Life().send({ type: 'found', units: [found('u')] });
  life.send({ type: 'exited', unit: 'u', exit: { code: 1 } });
  assert.equal(life.did, []);
  assert.is(life.state && wakeAt(life.state), undefined);
  life.send({ type: 'want', spec: { run: 'x' } });
  assert.equal(life.did, ['stop'], 'what it left behind goes first');
  life.send({ type: 'stopped', unit: 'u' });
  assert.equal(life.did, ['discard', 'start']);
});

core('found ended: kept ended where it runs once, started again otherwise, with its exit code', () => {
  const ended = found('u', { exit: { code: 0 } });
  const once = new Life().send({ type: 'found', units: [ended] });
  once.send({ type: 'want', spec: { run: 'x', restart: 'never' } });
  assert.equal(once.did, ['stop', 'settled']);
  once.send({ type: 'stopped', unit: 'u' });
  assert.equal(once.did, []);
  assert.is(once.shown.state, 'exited');
  assert.is(once.shown.exit, 0);
  const always = new Life().send({ type: 'found', units: [ended] }).send({ type: 'want', spec: { run: 'x' } });
  always.send({ type: 'stopped', unit: 'u' });
  assert.equal(always.did, ['discard', 'start']);
});

core('of several units of one service the one that fits is kept, the others are stopped before anything starts', () => {
  const units = [found('old', { started_ms: 1 }), found('new', { spec: { run: 'y' } }), found('dead', { exit: {} })];
  const life = new Life().send({ type: 'found', units });
  life.send({ type: 'want', spec: { run: 'x' } });
  assert.is(life.unit, 'old');
  assert.equal(life.leaving.sort(), ['dead', 'new']);
  assert.ok(life.did.includes('settled'));
  const other = new Life().send({ type: 'found', units }).send({ type: 'want', spec: { run: 'z' } });
  assert.equal(other.leaving.sort(), ['dead', 'new', 'old']);
  for (const unit of ['old', 'dead']) {
    other.send({ type: 'stopped', unit });
    assert.not.ok(other.did.includes('start'));
  }
  other.send({ type: 'stopped', unit: 'new' });
  assert.ok(other.did.includes('start'));
});

core('reports about units of the past change nothing', () => {
  const life = new Life().run({ run: 'x' });
  const before = life.state;
  for (const event of [
    { type: 'exited', unit: 'other', exit: { code: 1 } },
    { type: 'stopped', unit: 'other' },
    { type: 'started', unit: 'other', pid: 1 },
    { type: 'start-failed', unit: 'other', error: 'no' },
  ] as const) {
    life.send(event);
    assert.equal(life.did, []);
    assert.equal(life.state, before);
  }
});

core('the reason fits in its field, whatever was printed', () => {
  const life = new Life().run({ run: 'x' }).end(1, { code: 1 }, '\u0000'.repeat(5000));
  assert.ok((life.shown.err ?? '').length <= 300);
});

core.run();
