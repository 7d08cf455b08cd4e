import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { FoundUnit } from '../../node-agent/reconcile/host.ts';
import { type ServiceEffect, type ServiceEvent, step, wakeAt } from '../../node-agent/reconcile/services/core.ts';
import { type ServiceState, statusOf } from '../../node-agent/reconcile/services/state.ts';
import type { Random } from '../../shared/clock.ts';
import type { Service } from '../../shared/schemas/service.ts';

const core = suite('service core');

const wallStart = 1_800_000_000_000;

/** One service in virtual time; `chance` is what the random source says, 1 being the longest backoff. */
class Life {
  now = 0;
  chance = 1;
  state: ServiceState | undefined;
  last: readonly ServiceEffect[] = [];
  #units = 0;
  readonly #random: Random = {
    next: () => this.chance,
    hex: bytes => String(++this.#units).padStart(bytes * 2, '0'),
  };

  send(event: ServiceEvent): this {
    const at = { now: this.now, wall: wallStart + this.now, random: this.#random };
    const stepped = step(this.state, 'a', event, at);
    this.state = stepped.state;
    this.last = stepped.effects;
    return this;
  }

  get did(): string[] {
    return this.last.map(effect => effect.do);
  }

  get shown() {
    assert.ok(this.state);
    return statusOf(this.state);
  }

  get unit(): string {
    return this.state?.current?.unit ?? '';
  }

  get leaving(): string[] {
    return (this.state?.leaving ?? []).map(({ unit }) => unit);
  }

  /** Started and running. */
  run(spec: Service): this {
    this.send({ type: 'want', spec });
    return this.started();
  }

  started(): this {
    return this.send({ type: 'started', unit: this.unit, pid: 42 });
  }

  /** The main process ends by itself after `ms`, and nobody is left of it. */
  end(ms: number, exit: { code?: number; signal?: string }, lastLine?: string): this {
    this.now += ms;
    const { unit } = this;
    this.send({ type: 'exited', unit, exit, ...(lastLine === undefined ? {} : { lastLine }) });
    return this.send({ type: 'stopped', unit });
  }

  /** Time passes to the next wake. */
  wake(): this {
    assert.ok(this.state);
    const at = wakeAt(this.state);
    assert.ok(at !== undefined && at >= this.now, 'there is something to wait for');
    this.now = at;
    return this.send({ type: 'time' });
  }
}

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

const found = (unit: string, more: Partial<FoundUnit> = {}): FoundUnit => ({
  unit,
  service: 'a',
  spec: { run: 'x' },
  pid: 7,
  started_ms: wallStart - 60_000,
  ...more,
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
