/** `do/follow` on its way: what may be asked, and what a node sends for it. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readArgs } from '../../broker/orders/verbs.ts';
import { Following } from '../../node-agent/reconcile/services/following.ts';
import { LogGate, lastPart, logLimits } from '../../node-agent/session/log-gate.ts';
import { obey } from '../../node-agent/session/obey.ts';
import type { Cmd } from '../../shared/schemas/want.ts';
import { parseTopic } from '../../shared/topics.ts';
import { Time } from '../fixture/reconciled-node.ts';

const order = suite('orders for output');

const read = (payload: string) => readArgs('follow', Buffer.from(payload)).args;

order('what may be asked', () => {
  assert.equal(read('web'), { ok: true, value: { service: 'web' } });
  const all = { service: 'web', lines: 2000, to: 'a1', for_s: 0 };
  assert.equal(read(JSON.stringify(all)), { ok: true, value: all });
  for (const bad of [
    { lines: 2001 },
    { lines: -1 },
    { lines: 1.5 },
    { to: 'A' },
    { to: 'a/b' },
    { to: '' },
    { for_s: 301 },
    { ms: 5 },
  ]) {
    assert.not(read(JSON.stringify({ service: 'web', ...bad })).ok, JSON.stringify(bad));
  }
  assert.ok(parseTopic('hearth/node/n1/log/web/a1', 'hearth').ok);
  for (const bad of ['log', 'log/web/A', 'log/web/a/b', 'log/web/']) {
    assert.not(parseTopic(`hearth/node/n1/${bad}`, 'hearth').ok, bad);
  }
});

/** Obeys an order, and says what it came to. */
function obeyed(args: Cmd['args'], { sends = true } = {}) {
  const seen = {
    ms: -1,
    lines: undefined as number | undefined,
    sent: [] as string[],
    answer: undefined as string | undefined,
  };
  const reconciler = {
    follow(
      _service: string,
      ms: number,
      done: (error?: string) => void,
      before?: { lines?: number; take?(lines: string[]): void },
    ) {
      seen.ms = ms;
      seen.lines = before?.lines;
      before?.take?.(['a', 'b']);
      done();
    },
  };
  const sender = {
    lastLines(service: string, to: string, lines: readonly string[]) {
      seen.sent.push(`${service}/${to}: ${lines.join(' ')}`);
      return sends;
    },
  };
  const cmd = { verb: 'follow', args: { service: 'web', ...args } } as unknown as Cmd;
  obey(cmd, { parts: { reconciler } } as never, sender, error => {
    seen.answer = error ?? 'done';
  });
  return seen;
}

order('a node sends what is asked for to who asked, and bounds what an order says', () => {
  assert.equal(obeyed({}), { ms: 300_000, lines: undefined, sent: [], answer: 'done' });
  assert.equal(obeyed({ lines: 5, to: 'a1', for_s: 0 }), { ms: 0, lines: 5, sent: ['web/a1: a b'], answer: 'done' });
  assert.equal(obeyed({ lines: 1e9, to: '../x', for_s: 1e9 }), { ms: 300_000, lines: 2000, sent: [], answer: 'done' });
  assert.match(obeyed({ lines: 5, to: 'a1' }, { sends: false }).answer ?? '', /ask again in a few seconds/);
});

order('last lines go to who asked alone; without anybody to follow, nothing is followed', () => {
  const calls: string[] = [];
  const host = {
    tail: (_unit: string, lines: number) => ['x', 'y', 'z'].slice(3 - Math.min(3, lines)),
    follow: (unit: string, on: boolean) => void calls.push(`${unit} ${on}`),
  };
  const out: string[] = [];
  const time = new Time();
  const following = new Following(host, time, (_service, lines) => void out.push(...lines));
  let taken: readonly string[] = [];
  const take = (lines: readonly string[]) => {
    taken = lines;
  };
  following.follow('web', 'u1', 0, { lines: 2, take });
  assert.equal([taken, out, calls], [['y', 'z'], [], []]);
  following.follow('web', 'u1', 1000, { lines: 1, take });
  assert.equal([taken, out, calls], [['z'], [], ['u1 true']]);
  following.follow('web', 'u1', 1000);
  assert.equal(out, [], 'a renewal says nothing again');
  following.follow('web', 'u1', 1000, { lines: 1 });
  assert.equal(out, ['z'], 'unless it is asked for');
  time.pass(1001);
  assert.equal(calls, ['u1 true', 'u1 false']);
});

order('what is asked for is on the account of the lines that follow, up to a bound', () => {
  const gate = new LogGate();
  let now = 0;
  const most = (logLimits.askedBytes + logLimits.bytesPerS) / 1000;
  let times = 0;
  while (gate.spend(1000, now)) times++;
  assert.ok(times >= most && times <= most + 2, `${times}`);
  gate.offer('web', ['line']);
  assert.equal(gate.take(now), [], 'lines wait until it is paid for');
  now += 1000;
  assert.ok(gate.spend(1000, now));
  now += 10_000;
  assert.equal(gate.take(now), [{ service: 'web', text: 'line' }]);
});

order('the last part of many lines', () => {
  assert.is(lastPart(['aa', 'b', 'c'], 4), 'b\nc');
  assert.is(lastPart(['é', 'é'], 3), 'é');
  assert.is(lastPart([], 10), '');
  assert.is(lastPart(['x'.repeat(20)], 10), '');
});

order.run();
