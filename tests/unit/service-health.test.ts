import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { wakeAt } from '../../node-agent/reconcile/services/core.ts';
import { errorOf, standingOf } from '../../node-agent/reconcile/services/state.ts';
import type { Service } from '../../shared/schemas/service.ts';
import { found, Life } from '../fixture/service-life.ts';

const core = suite('service health');

const checked = (more: Partial<Service> = {}, health: Partial<Service['health']> = {}): Service => ({
  run: 'x',
  health: { tcp: 80, ...health },
  ...more,
});

/** Time passes to the next check, which says this. */
function check(life: Life, error?: string): Life {
  for (let turns = 0; !life.did.includes('check'); turns++) {
    assert.ok(turns < 5, 'a check is asked for');
    life.wake();
  }
  return life.send({ type: 'checked', unit: life.unit, ...(error === undefined ? {} : { error }) });
}

/** Fails checks until the unit is ended; and it is gone at once. */
function fail(life: Life): Life {
  const { unit } = life;
  for (let turns = 0; life.unit === unit; turns++) {
    assert.ok(turns < 50, 'it is ended');
    check(life, 'nobody listens');
  }
  return life;
}

core('starting until the check passes, then healthy; checked soon at first, then as often as it says', () => {
  const life = new Life().run(checked());
  assert.is(life.shown.health, 'starting');
  assert.is(life.shown.state, 'running');
  const times: number[] = [];
  for (let round = 0; round < 7; round++) {
    check(life, 'nobody listens');
    times.push(life.now);
  }
  assert.equal(times, [500, 1500, 3500, 7500, 15_500, 25_500, 35_500], 'twice as long, up to 10 s');
  check(life);
  assert.is(life.shown.health, 'healthy');
  assert.is(life.now, 45_500);
  check(life);
  assert.is(life.now, 55_500);
});

core('a failure while it starts does not count; after that three in a row do, and it starts again', () => {
  const life = new Life().run(checked());
  const first = life.unit;
  fail(life);
  assert.is(life.now, 55_500, '35.5, 45.5 and 55.5 s counted');
  assert.equal(life.leaving, [first]);
  assert.ok(life.did.includes('notice'));
  assert.is(life.shown.err, 'unhealthy after 55.5 s: nobody listens');
  life.send({ type: 'exited', unit: first, exit: { signal: 'TERM' } }).send({ type: 'stopped', unit: first });
  assert.is(life.shown.state, 'backoff');
  assert.is(life.state && (wakeAt(life.state) ?? 0) - life.now, 500);
  life.wake();
  assert.is(life.shown.state, 'starting');
  assert.is(life.started().shown.health, 'starting');
  assert.is(life.shown.restarts, 1);
});

core('one that passes between failures begins the row anew', () => {
  const life = new Life().run(checked({}, { fails: 2 }));
  check(life);
  const { unit } = life;
  for (let round = 0; round < 10; round++) {
    check(life, 'no');
    check(life);
  }
  assert.is(life.unit, unit);
  check(life, 'no');
  assert.is(life.shown.health, 'healthy', 'once is not twice');
  check(life, 'no');
  assert.is(life.unit, '');
  assert.match(life.shown.err ?? '', /^unhealthy after \d+\.\d s: no$/);
});

core(
  'never healthy five times in a row is a crash loop that the node tells of, and a check that passes ends it',
  () => {
    const life = new Life().run(checked({}, { start_s: 0, every_s: 20 }));
    const notices: string[] = [];
    for (let round = 1; round <= 5; round++) {
      assert.is(life.shown.state, 'running', String(round));
      const { unit } = life;
      fail(life);
      for (const effect of life.last) if (effect.do === 'notice') notices.push(effect.kind);
      life.send({ type: 'stopped', unit }).wake().started();
    }
    assert.equal(notices, ['unhealthy', 'unhealthy', 'unhealthy', 'unhealthy', 'unhealthy', 'crash-loop']);
    assert.is(life.shown.state, 'crash-loop');
    assert.match(life.state ? errorOf(life.state) : '', /^unhealthy after .* 5 times in a row: nobody listens$/);
    check(life);
    assert.is(life.shown.state, 'crash-loop', 'not before it has run for ten seconds');
    life.wake();
    assert.is(life.shown.state, 'running');
    assert.is(life.shown.err, undefined);
  },
);

core('restart: never leaves it unhealthy, says so, looks on, and takes it back', () => {
  const life = new Life().run(checked({ restart: 'never' }, { start_s: 0, fails: 1 }));
  const { unit } = life;
  check(life, 'no');
  assert.is(life.unit, unit);
  assert.is(life.shown.health, 'unhealthy');
  assert.is(life.shown.state, 'running');
  assert.is(life.state && errorOf(life.state), 'unhealthy: no');
  assert.is(life.state && standingOf(life.state), 'failed');
  check(life, 'no');
  assert.not.ok(life.did.includes('notice'), 'said once');
  check(life);
  assert.is(life.shown.health, 'healthy');
  assert.is(life.shown.err, undefined);
});

core('two checks of one unit never run at a time, and what a check of another unit says is not heard', () => {
  const life = new Life().run(checked());
  life.wake();
  assert.ok(life.did.includes('check'));
  assert.is(life.state && wakeAt(life.state), undefined, 'nothing to wait for but its answer');
  life.now += 3_600_000;
  life.send({ type: 'time' });
  assert.not.ok(life.did.includes('check'));
  life.send({ type: 'checked', unit: 'other' });
  assert.is(life.shown.health, 'starting');
});

core('a unit that ends while it is checked: the check is cancelled, and the end counts once', () => {
  const life = new Life().run(checked()).wake();
  const { unit } = life;
  life.send({ type: 'exited', unit, exit: { code: 1 } });
  assert.ok(life.did.includes('cancel-check'));
  const { failures } = life.state ?? { failures: 0 };
  life.send({ type: 'checked', unit, error: 'no' });
  assert.is(life.state?.failures, failures);
});

core('a unit that was never healthy has not run well, however long it ran', () => {
  const life = new Life().run(checked());
  for (let round = 1; round <= 3; round++) {
    life.end(20_000, { code: 1 });
    assert.is(life.state?.failures, round);
    life.wake().started();
  }
  check(life);
  life.end(20_000, { code: 1 });
  assert.is(life.state?.failures, 1);
});

core('another check leaves the process, and the check begins anew; without one nothing is left to wait for', () => {
  const life = new Life().run(checked());
  check(life);
  const { unit } = life;
  life.send({ type: 'want', spec: checked({}, { every_s: 60 }) });
  assert.is(life.unit, unit);
  assert.is(life.shown.health, 'starting');
  life.send({ type: 'want', spec: { run: 'x' } });
  assert.is(life.unit, unit);
  assert.is(life.shown.health, undefined);
  assert.is(life.state && wakeAt(life.state), undefined);
});

core('every time to wake is one at which something happens, to the last digit', () => {
  // Ten seconds later, and a minute, the numbers have one digit less behind the point.
  for (let start = 1_040_000.1; start < 1_040_200; start += 0.7) {
    const life = new Life();
    life.now = start;
    life.run({ run: 'x' }).end(1.3, { code: 1 }).wake().started().wake();
    assert.is(life.state?.failures, 0, `started at ${start}`);
    const waiting = new Life();
    waiting.now = start;
    const around = { after: { path: 'files/x', why: 'pending' as const }, marks: {} };
    waiting.send({ type: 'want', spec: { run: 'x', after: ['files/x'] }, around }).wake();
    assert.ok(waiting.did.includes('start'), `waits since ${start}`);
  }
});

core('a plain service has nothing to be looked after', () => {
  const life = new Life().run({ run: 'x' });
  assert.is(life.state?.vital, undefined);
  assert.is(life.state && wakeAt(life.state), undefined);
});

core('a line makes it healthy; none in time makes it unhealthy', () => {
  const spec: Service = { run: 'x', health: { log: 'listening', within_s: 20 } };
  const life = new Life().send({ type: 'want', spec });
  assert.equal(life.last[1], { do: 'watch', unit: life.unit, texts: ['listening'] });
  life.started();
  assert.is(life.shown.health, 'starting');
  life.now = 5000;
  life.send({ type: 'saw', unit: life.unit, text: 'listening' });
  assert.is(life.shown.health, 'healthy');
  assert.is(life.state && wakeAt(life.state), undefined);
  const silent = new Life().run(spec);
  silent.wake();
  assert.is(silent.now, 20_000);
  assert.is(silent.unit, '');
  assert.is(silent.shown.err, 'unhealthy after 20.0 s: no line of its output has "listening" after 20 s');
});

core('a line that may not come makes it unhealthy, also while it starts', () => {
  const spec: Service = { run: 'x', health: { no_log: 'FATAL' } };
  const life = new Life().run(spec);
  assert.is(life.shown.health, 'healthy');
  life.send({ type: 'saw', unit: life.unit, text: 'FATAL' });
  assert.is(life.unit, '');
  assert.is(life.shown.err, 'unhealthy after 0.0 s: its output has "FATAL"');
  const early = new Life().send({ type: 'want', spec });
  early.send({ type: 'saw', unit: early.unit, text: 'FATAL' });
  assert.is(early.shown.state, 'starting', 'the host is let finish');
  early.started();
  assert.equal(early.shown.err, 'unhealthy after 0.0 s: its output has "FATAL"');
});

core('ready: when it runs, after a delay, by a line, or once its check has passed', () => {
  const standing = (life: Life) => life.state && standingOf(life.state);
  const plain = new Life().send({ type: 'want', spec: { run: 'x' } });
  assert.is(standing(plain), 'pending');
  assert.is(standing(plain.started()), 'ok');
  const delayed = new Life().run({ run: 'x', ready: { delay_s: 5 } });
  assert.is(standing(delayed), 'pending');
  assert.is(standing(delayed.wake()), 'ok');
  assert.is(delayed.now, 5000);
  const spoken = new Life().run({ run: 'x', ready: { log: 'up' } });
  assert.is(standing(spoken), 'pending');
  assert.is(standing(spoken.send({ type: 'saw', unit: spoken.unit, text: 'up' })), 'ok');
  const healthy = new Life().run(checked({ ready: 'health' }));
  assert.is(standing(healthy), 'pending');
  assert.is(standing(check(healthy, 'no')), 'pending');
  assert.is(standing(check(healthy)), 'ok');
  assert.is(standing(check(healthy, 'no')), 'ok', 'once is enough');
  const either = new Life().run(checked());
  assert.is(standing(either), 'ok', 'health alone keeps nobody waiting');
});

core('adopted: what a unit had time to say it said; a younger one is listened to', () => {
  const spec: Service = { run: 'x', health: { log: 'up', within_s: 30 }, ready: { log: 'up' } };
  const old = new Life().send({ type: 'found', units: [found('u', { spec, started_ms: 1_800_000_000_000 - 61_000 })] });
  assert.is(old.state?.vital, undefined, 'nothing is done before a document says so');
  old.send({ type: 'want', spec });
  assert.is(old.shown.health, 'healthy');
  assert.is(old.state && standingOf(old.state), 'ok');
  const young = new Life().send({ type: 'found', units: [found('u', { spec, started_ms: 1_800_000_000_000 - 1000 })] });
  young.send({ type: 'want', spec });
  assert.is(young.shown.health, 'starting');
  young.wake();
  assert.is(young.now, 29_000);
  assert.is(young.unit, '');
});

core.run();
