/** `do`: from the question to the order, and from the node's `done` to the one result; through the whole supervisor. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { answerRates } from '../../broker/orders/answers.ts';
import { orderLimits } from '../../broker/orders/orders.ts';
import type { ResultMessage } from '../../shared/schemas/fabric.ts';
import { manualClock } from '../fixture/manual-clock.ts';
import { node, type Rig, rig } from '../fixture/supervisor-rig.ts';

const orders = suite('orders');

/** Results on an address since the start. */
const results = (it: Rig, address: string): ResultMessage[] =>
  it.broker.published
    .filter(one => one.topic === `hearth/${address}/result`)
    .map(one => JSON.parse(one.text) as ResultMessage);
const last = (it: Rig, address: string) => results(it, address).at(-1);

/** Asks, and gives the loop the turn in which orders leave. */
function ask(it: Rig, path: string, payload = ''): ResultMessage {
  const answer = it.ask(path, payload);
  it.clock.advance(1);
  return answer;
}

/** A supervisor and nodes that are online, each with a service `web`. */
function fleet(...ids: string[]) {
  const it = rig();
  const nodes = Object.fromEntries(
    ids.map(id => {
      const one = node(it.broker, id, 'aaaaaaaa', 3);
      one.birth();
      it.sync();
      ask(it, `node/${id}/set/services/web`, 'sleep 1');
      return [id, one] as const;
    }),
  );
  return { it, nodes, of: (id: string) => nodes[id] as ReturnType<typeof node> };
}

orders('do, cmd, done, result: accepted, then finished; the order names the session and rises', () => {
  const { it, of } = fleet('n1');
  const accepted = ask(it, 'node/n1/do/restart', '{"service":"web","tx":7}');
  assert.is(accepted.state, 'accepted');
  assert.ok(accepted.ok);
  assert.is(accepted.tx, '7');
  assert.is(accepted.key, 'restart');
  assert.is(accepted.by, 'person');
  assert.is(accepted.n, undefined, 'one node is not counted');
  const cmd = it.cmd('n1');
  assert.equal([cmd?.verb, cmd?.args, cmd?.inst, cmd?.epoch], ['restart', { service: 'web' }, 'aaaaaaaa', 3]);
  const before = results(it, 'node/n1').length;
  of('n1').done('another-id');
  assert.is(results(it, 'node/n1').length, before, 'an answer to nothing is nothing');
  of('n1').done(cmd?.id ?? '');
  const finished = last(it, 'node/n1');
  assert.equal([finished?.state, finished?.ok, finished?.tx], ['finished', true, '7']);
  of('n1').done(cmd?.id ?? '');
  assert.is(results(it, 'node/n1').length, before + 1, 'once');
  ask(it, 'node/n1/do/restart', 'web');
  const second = it.cmd('n1');
  assert.ok((second?.seq ?? 0) > (cmd?.seq ?? 0), 'seq rises');
  assert.is.not(second?.id, cmd?.id);
  const from = it.broker.published.length;
  for (let i = 0; i < 3; i++) it.ask('node/n1/do/restart', 'web');
  it.clock.advance(0);
  const seqs = it.broker.published
    .slice(from)
    .filter(one => one.topic === 'hearth/node/n1/cmd')
    .map(one => Number(/"seq":(\d+)/.exec(one.text)?.[1]));
  assert.is(new Set(seqs).size, 3, 'within one millisecond too');
});

orders('a node that cannot says why; one that does not say is named all the same', () => {
  const { it, of } = fleet('n1');
  ask(it, 'node/n1/do/restart', 'web');
  of('n1').done(it.cmd('n1')?.id ?? '', false, 'it burns');
  assert.equal([last(it, 'node/n1')?.ok, last(it, 'node/n1')?.error], [false, 'it burns']);
  ask(it, 'node/n1/do/rebirth', 'PRESS');
  of('n1').done(it.cmd('n1')?.id ?? '', false);
  assert.match(last(it, 'node/n1')?.error ?? '', /did not say why/);
});

orders("another node's answer does not count", () => {
  const { it, of } = fleet('n1', 'n2');
  ask(it, 'node/n1/do/rebirth');
  const id = it.cmd('n1')?.id ?? '';
  of('n2').done(id);
  assert.is(last(it, 'node/n1')?.state, 'accepted');
  of('n1').done(id);
  assert.is(last(it, 'node/n1')?.state, 'finished');
});

orders('no answer: finished with the deadline, and what comes later is late', () => {
  const { it, of } = fleet('n1');
  ask(it, 'node/n1/do/restart', 'web');
  const id = it.cmd('n1')?.id ?? '';
  for (let ms = 0; ms < orderLimits.deadlineMs - 1000; ms += 1000) {
    of('n1').load();
    it.clock.advance(1000);
  }
  assert.is(last(it, 'node/n1')?.state, 'accepted');
  of('n1').load();
  it.clock.advance(2000);
  const answer = last(it, 'node/n1');
  assert.equal([answer?.state, answer?.ok, answer?.error], ['finished', false, 'no answer within 10 s']);
  const before = results(it, 'node/n1').length;
  of('n1').done(id);
  assert.is(results(it, 'node/n1').length, before);
});

orders('everybody: one result with n, ok_n and who failed', () => {
  const { it, of } = fleet('n1', 'n2', 'n3', 'n4');
  of('n4').client.drop();
  const accepted = ask(it, 'node/all/do/restart', 'web');
  assert.equal([accepted.state, accepted.n, accepted.ok], ['accepted', 4, true]);
  of('n1').done(it.cmd('n1')?.id ?? '');
  of('n2').done(it.cmd('n2')?.id ?? '', false, 'it burns');
  assert.is(last(it, 'node/all')?.state, 'accepted', 'n3 has not answered yet');
  of('n3').done(it.cmd('n3')?.id ?? '');
  const end = last(it, 'node/all');
  assert.equal([end?.state, end?.ok, end?.n, end?.ok_n, end?.failed], ['finished', false, 4, 2, 'n4,n2']);
  assert.match(end?.error ?? '', /^n4: n4 is offline/);
  assert.is(results(it, 'node/all').length, 2);
});

orders('everybody in time and nobody failed: ok; the deadline counts who did not', () => {
  const { it, of } = fleet('n1', 'n2');
  ask(it, 'node/all/do/rebirth');
  for (const id of ['n1', 'n2']) of(id).done(it.cmd(id)?.id ?? '');
  const end = last(it, 'node/all');
  assert.equal([end?.ok, end?.n, end?.ok_n, end?.failed, end?.error], [true, 2, 2, undefined, undefined]);
  ask(it, 'node/all/do/rebirth');
  of('n2').done(it.cmd('n2')?.id ?? '');
  of('n1').load();
  it.clock.advance(8000);
  of('n1').load();
  it.clock.advance(4000);
  assert.equal([last(it, 'node/all')?.ok_n, last(it, 'node/all')?.failed], [1, 'n1']);
});

orders(
  'a role: the nodes of that moment, by what people said and not by what nodes say; a role nobody has is refused',
  () => {
    const { it, of } = fleet('n1', 'n2');
    of('n1').info({ roles: 'db' });
    it.person.publish('hearth/node/n2/set/roles', 'render,db');
    it.sync();
    const before = it.broker.count('hearth/node/n1/cmd');
    assert.is(ask(it, 'node/@db/do/rebirth').n, 1);
    assert.is(it.cmd('n2')?.verb, 'rebirth');
    assert.is(it.broker.count('hearth/node/n1/cmd'), before);
    const none = ask(it, 'node/@nobody/do/rebirth');
    assert.equal([none.ok, /no node has the role "nobody"/.test(none.error ?? '')], [false, true]);
  },
);

orders('offline: refused at once, orders are not kept', () => {
  const { it, of } = fleet('n1');
  of('n1').client.drop();
  const sent = it.broker.count('hearth/node/n1/cmd');
  const answer = ask(it, 'node/n1/do/restart', 'web');
  assert.not.ok(answer.ok);
  assert.match(answer.error ?? '', /n1 is offline, and orders are not kept/);
  node(it.broker, 'n1', 'aaaaaaaa', 4).birth();
  assert.is(it.broker.count('hearth/node/n1/cmd'), sent);
});

orders('offline while an order is out: finished at once', () => {
  const { it, of } = fleet('n1');
  ask(it, 'node/n1/do/restart', 'web');
  of('n1').will();
  const answer = last(it, 'node/n1');
  assert.equal([answer?.state, answer?.ok, answer?.error], ['finished', false, 'went offline before it answered']);
});

orders('what cannot be an order is refused with a hint, and reaches no node', () => {
  const { it } = fleet('n1');
  const sent = it.broker.count('hearth/node/n1/cmd');
  const refusals: [string, string, RegExp][] = [
    ['node/n1/do/restrat', 'web', /"restrat" is no verb of a node: did you mean "restart"/],
    ['node/n1/do/zzzzzz', '', /no verb of a node: known are restart, follow/],
    ['node/n1/do/suspend', '', /"suspend" is not available yet/],
    ['node/n1/do/exec', '{"run":"x"}', /"exec" is not available yet/],
    ['node/n1/do/restart', '', /"restart" needs a service/],
    ['node/n1/do/restart', 'wbe', /no service "wbe" on n1: did you mean "web"/],
    ['node/n1/do/restart', '{"service":"web","force":1}', /force/],
    ['node/n1/do/restart', '{"service":', /JSON/i],
    ['node/n1/do/rebirth', 'now', /takes no argument/],
    ['node/n2/do/restart', 'web', /unknown node "n2": did you mean "n1"/],
    ['node/all/do/forget', '', /forgotten one by one/],
    ['service/web/do/restart', '', /"do" of a service is not available yet/],
  ];
  for (const [path, payload, pattern] of refusals) {
    const answer = ask(it, path, payload);
    assert.not.ok(answer.ok, path);
    assert.match(answer.error ?? '', pattern, path);
    assert.is(answer.state, undefined);
  }
  assert.is(it.broker.count('hearth/node/n1/cmd'), sent);
});

orders('orders of one client are limited, and others still get theirs', () => {
  const { it } = fleet('n1');
  const sent = it.broker.count('hearth/node/n1/cmd');
  for (let i = 0; i < 300; i++) it.person.publish('hearth/node/n1/do/rebirth', '');
  it.clock.advance(10);
  assert.is(it.broker.count('hearth/node/n1/cmd') - sent, orderLimits.perClient.burst);
  assert.match(last(it, 'node/n1')?.error ?? '', /more than 50 orders a second/);
  it.broker.connect('somebody-else').publish('hearth/node/n1/do/rebirth', '');
  assert.is(last(it, 'node/n1')?.state, 'accepted');
});

orders('an order to many leaves in pieces, one each turn of the loop', () => {
  const turns: (() => void)[] = [];
  const clock = manualClock();
  const after: typeof clock.after = (ms, fn) => {
    if (ms > 0) return clock.after(ms, fn);
    turns.push(fn);
    return { cancel() {} };
  };
  const it = rig({ clock: { ...clock, after } });
  const n = orderLimits.perTurn * 2 + 50;
  for (let i = 0; i < n; i++) node(it.broker, `n${i}`).birth();
  it.sync();
  const sent = () => it.broker.published.filter(one => one.topic.endsWith('/cmd')).length;
  it.ask('node/all/do/rebirth');
  const steps: number[] = [];
  for (let turn = turns.shift(); turn; turn = turns.shift()) {
    const before = sent();
    turn();
    steps.push(sent() - before);
  }
  assert.is(sent(), n);
  assert.ok(steps.filter(step => step > 0).length >= 3 && Math.max(...steps) <= orderLimits.perTurn, steps.join());
});

orders('forget: the document, what is retained and the view go, and the node is told', () => {
  const { it, of } = fleet('n1');
  of('n1').info();
  assert.ok(it.broker.retained.has('hearth/node/n1/own'));
  const answer = ask(it, 'node/n1/do/forget');
  assert.equal([answer.ok, answer.state], [true, 'accepted']);
  const cmd = it.cmd('n1');
  assert.is(cmd?.verb, 'forget');
  // It says farewell to what it was, retained, before it ends.
  of('n1').part('is', { node: 'n1', epoch: 3, state: 'left', rev: 1, err: '', ver: '1', items: {} }, true);
  of('n1').done(cmd?.id ?? '');
  assert.equal([last(it, 'node/n1')?.state, last(it, 'node/n1')?.ok], ['finished', true]);
  assert.equal(
    [...it.broker.retained.keys()].filter(topic => topic.startsWith('hearth/node/n1/')),
    [],
  );
  assert.equal(it.supervisor.fleet.snapshot().nodes, []);
  assert.match(ask(it, 'node/n1/set/services/web', 'x').error ?? '', /unknown node "n1"/);
});

orders('forget of a node that is offline is finished at once; with a full disk nothing is forgotten', () => {
  const { it, of } = fleet('n1');
  of('n1').client.drop();
  it.store.failWrites(new Error('full'));
  assert.match(ask(it, 'node/n1/do/forget').error ?? '', /journal could not be written: full/);
  assert.ok(it.broker.retained.has('hearth/node/n1/want'));
  it.store.failWrites(undefined);
  assert.equal([ask(it, 'node/n1/do/forget').state, it.status('n1')], ['finished', undefined]);
});

orders('strangers are answered, but not without end, and the dropped ones are counted aloud', () => {
  const { it } = fleet('n1');
  const total = answerRates.perClient.burst + 250;
  for (let i = 0; i < total; i++) it.person.publish(`hearth/node/no${i}/do/restart`, '');
  const answered = it.broker.published.filter(one => /^hearth\/node\/no\d+\/result$/.test(one.topic)).length;
  assert.is(answered, answerRates.perClient.burst);
  it.clock.advance(1000);
  const told = it.broker.published.filter(one => one.topic === 'hearth/result').map(one => JSON.parse(one.text));
  assert.is(told.length, 1);
  assert.match(told[0].error, /^250 more refused messages were not answered/);
  it.clock.advance(1000);
  assert.is(it.broker.count('hearth/result'), 1, 'said once');
  assert.ok(ask(it, 'node/n1/do/rebirth').ok, 'who names a node is answered as ever');
});

orders.run();
