/** What `hearth logs -f` does over hours: asks again in time, after a lost connection, an offline node, another agent. */
import { EventEmitter } from 'node:events';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readAddresses, readLines } from '../../cli/commands/logs.ts';
import { linesOf, Shown, shownLine } from '../../cli/log-lines.ts';
import { type LogClient, LogSource } from '../../cli/log-source.ts';
import { Time } from '../fixture/reconciled-node.ts';

const logs = suite('following logs');

/** A broker with a supervisor and a node that answer at once, unless told otherwise. */
class Far extends EventEmitter {
  readonly time = new Time();
  readonly printed: string[] = [];
  readonly warned: string[] = [];
  readonly orders: { lines: number; for_s: number; to: string; tx: string }[] = [];
  connected = true;
  options = { clientId: 'me', protocolVersion: 4 };
  /** Lines that the service has printed. */
  output: string[] = [];
  refuses: string | undefined;
  silent = false;
  readonly source: LogSource;

  constructor() {
    super();
    this.source = new LogSource({
      client: this as unknown as LogClient,
      clock: this.time,
      base: 'hearth',
      address: { node: 'n1', service: 'web' },
      print: line => this.printed.push(line),
      warn: text => this.warned.push(text),
    });
  }

  async subscribeAsync(): Promise<[]> {
    return [];
  }

  publish(topic: string, payload: string): void {
    assert.is(topic, 'hearth/node/n1/do/follow');
    const order = JSON.parse(payload) as (typeof this.orders)[0];
    this.orders.push(order);
    if (this.silent) return;
    queueMicrotask(() => this.answer(order));
  }

  answer({ lines, to, tx }: { lines: number; to: string; tx: string }): void {
    const result = { part: 'do', key: 'follow', at_ms: 1, tx };
    if (this.refuses !== undefined) {
      this.say('result', JSON.stringify({ ...result, ok: false, error: this.refuses }));
      return;
    }
    this.say('result', JSON.stringify({ ...result, ok: true, state: 'accepted' }));
    this.say(`log/web/${to}`, lines === 0 ? '' : this.output.slice(-lines).join('\n'));
    this.say('result', JSON.stringify({ ...result, ok: true, state: 'finished' }));
  }

  say(part: string, payload: string): void {
    this.emit('message', `hearth/node/n1/${part}`, Buffer.from(payload));
  }

  /** A new line, which followers get. */
  line(text: string): void {
    this.output.push(text);
    this.say('log/web', text);
  }

  async pass(ms: number): Promise<void> {
    this.time.pass(ms);
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  }
}

logs('asks again before the five minutes are over, for no lines of before, and goes on for hours', async () => {
  const far = new Far();
  far.output = ['a', 'b', 'c'];
  await far.source.ask(2, true);
  assert.equal(far.printed, ['b', 'c']);
  let last = 0;
  for (let minute = 1; minute <= 180; minute++) {
    await far.pass(60_000);
    if (far.orders.length > last) last = far.orders.length;
  }
  assert.is(far.orders.length, 1 + 45, 'every four minutes');
  assert.equal([far.orders[1]?.lines, far.orders[1]?.for_s], [0, 300]);
  far.line('d');
  assert.equal(far.printed, ['b', 'c', 'd']);
});

logs('a lost connection: what was printed meanwhile comes once; where that cannot be known it is said', async () => {
  const far = new Far();
  far.output = ['a'];
  await far.source.ask(20, true);
  far.line('b');
  far.output.push('c', 'd');
  far.source.connectedAgain();
  await far.pass(0);
  assert.equal(far.printed, ['a', 'b', 'c', 'd']);
  assert.equal(far.warned, []);
  far.output = ['x', 'y'];
  far.source.connectedAgain();
  await far.pass(0);
  assert.equal(far.printed.slice(4), ['x', 'y']);
  assert.equal(far.warned, ['n1/web: lines may be missing here']);
});

logs('a node that goes and comes, and another agent on it, are asked again', async () => {
  const far = new Far();
  await far.source.ask(20, true);
  far.say('status', 'online');
  far.say('status', 'offline');
  assert.equal(far.warned, ['n1/web: the node is offline; waiting for it …']);
  far.output = ['meanwhile'];
  far.say('status', 'online');
  await far.pass(0);
  assert.equal(far.printed, ['meanwhile']);
  const is = (epoch: number) =>
    far.say('is', JSON.stringify({ node: 'n1', epoch, state: 'ready', rev: 1, err: '', ver: '1', items: {} }));
  is(5);
  is(5);
  await far.pass(0);
  assert.is(far.orders.length, 2);
  is(6);
  await far.pass(0);
  assert.is(far.orders.length, 3);
});

logs('who is refused later is told why, and tries on', async () => {
  const far = new Far();
  await far.source.ask(20, true);
  far.refuses = 'there is no service "web" on n1';
  await far.pass(240_000);
  assert.match(far.warned[0] ?? '', /there is no service "web" on n1; trying again/);
  far.refuses = undefined;
  far.output = ['back'];
  await far.pass(15_000);
  assert.equal(far.printed, ['back']);
});

logs('refused at first, and no answer at all, are errors', async () => {
  const refused = new Far();
  refused.refuses = 'it \u001b[31mis not there';
  const error = await refused.source.ask(20, true).catch((failed: Error) => failed.message);
  assert.is(error, 'n1/web: it \\u001b[31mis not there');
  const silent = new Far();
  silent.silent = true;
  const asked = silent.source.ask(20, false).catch((failed: Error) => failed.message);
  await silent.pass(0);
  await silent.pass(12_000);
  assert.is(await asked, 'n1/web: no answer: is the supervisor there?');
});

logs('lines on the way: those before the last ones came are among them, later ones are new', async () => {
  const far = new Far();
  far.silent = true;
  const asked = far.source.ask(20, true);
  await far.pass(0);
  const [order] = far.orders;
  assert.ok(order);
  far.line('old');
  far.say(`log/web/${order.to}`, far.output.join('\n'));
  far.line('new');
  far.say(
    'result',
    JSON.stringify({ ok: true, part: 'do', key: 'follow', at_ms: 1, tx: 'another', state: 'finished' }),
  );
  far.say('result', JSON.stringify({ ok: true, part: 'do', key: 'follow', at_ms: 1, tx: order.tx, state: 'finished' }));
  await asked;
  assert.equal(far.printed, ['old', 'new']);
});

logs('an older agent sends its lines to everybody: then those are shown', async () => {
  const far = new Far();
  far.silent = true;
  const asked = far.source.ask(2, false);
  await far.pass(0);
  const [order] = far.orders;
  far.say('log/web', 'a\nb\nc');
  far.say(
    'result',
    JSON.stringify({ ok: true, part: 'do', key: 'follow', at_ms: 1, tx: order?.tx, state: 'finished' }),
  );
  await asked;
  assert.equal(far.printed, ['b', 'c']);
});

logs('nothing of a line is obeyed by a terminal, and nothing is cut', () => {
  assert.is(shownLine('a\tb\u001b[2J\u0007\u202e\u009b1m é'), 'a\tb\\u001b[2J\\u0007\\u202e\\u009b1m é');
  assert.is(shownLine('x'.repeat(5000)).length, 5000);
  assert.equal(linesOf(Buffer.from('')), []);
  assert.equal(linesOf(Buffer.from('a\n\nb')), ['a', '', 'b']);
});

logs('where a place is found again', () => {
  const shown = new Shown();
  assert.equal(shown.after(['a', 'b']), { fresh: ['a', 'b'], gap: false });
  shown.add(['a', 'b', 'a']);
  assert.equal(shown.after(['b', 'a', 'c']), { fresh: ['c'], gap: false });
  assert.equal(shown.after(['a', 'b', 'a']), { fresh: [], gap: false });
  assert.equal(shown.after([]), { fresh: [], gap: false });
  assert.equal(shown.after(['x']), { fresh: ['x'], gap: true });
});

logs('which services are meant', () => {
  assert.equal(readAddresses(['n1', 'web', 'db']), [
    { node: 'n1', service: 'web' },
    { node: 'n1', service: 'db' },
  ]);
  assert.equal(readAddresses(['n1/web', 'n2/web']), [
    { node: 'n1', service: 'web' },
    { node: 'n2', service: 'web' },
  ]);
  for (const words of [['n1/web', 'db'], ['n1'], ['n1/a/b'], ['all/web'], ['n1/'], ['/web'], ['n1', '+']]) {
    assert.throws(() => readAddresses(words), undefined, words.join(' '));
  }
  assert.equal([readLines(undefined), readLines('0'), readLines('2000')], [20, 0, 2000]);
  for (const text of ['-1', '2001', '1.5', '', 'all', '0x10']) assert.throws(() => readLines(text), /--lines/, text);
});

logs.run();
