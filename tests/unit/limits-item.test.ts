/** Limits on their way from a document to the host, and what the host says to them on the item. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Host } from '../../node-agent/reconcile/host.ts';
import { createReconciler } from '../../node-agent/reconcile/index.ts';
import { createSimulatedHost, SimulatedMachine } from '../../node-agent/reconcile/services/simulated-host.ts';
import { sameProcess, sameService } from '../../node-agent/reconcile/services/spec.ts';
import { itemStatus } from '../../shared/schemas/observed.ts';
import type { Service } from '../../shared/schemas/service.ts';
import { Node } from '../fixture/reconciled-node.ts';
import { Life } from '../fixture/service-life.ts';

const limits = suite('limits on items');

limits(
  'a change of limits, and of kept output, keeps the process and reaches the host once; its note is on the item',
  () => {
    const { time: clock, random } = new Node();
    const machine = new SimulatedMachine({ clock, random });
    const host = createSimulatedHost({ clock, random, machine });
    const adjusted: Service[] = [];
    let note: string | undefined;
    const watched: Host = Object.assign(host, {
      adjust: (_unit: string, spec: Service, done: () => void) => {
        adjusted.push(spec);
        note = 'pids not enforced: needs root';
        clock.after(0, done);
      },
      note: () => note,
    });
    let changes = 0;
    const reconciler = createReconciler({ host: watched, clock, random });
    reconciler.start(undefined, { changed: () => changes++, output: () => {}, notice: () => {} });
    const want = (rev: number, spec: Service) =>
      reconciler.apply({ rev, services: { a: { ...spec, from: 'node/n1' } } });
    const item = () => reconciler.items()['services/a'];
    want(1, { run: 'serve' });
    second(clock);
    const { pid } = item() ?? {};
    assert.type(pid, 'number');
    assert.is(item()?.note, undefined);
    const before = changes;
    want(2, { run: 'serve', limits: { pids: 9 } });
    second(clock);
    assert.equal(adjusted, [{ run: 'serve', limits: { pids: 9 } }]);
    assert.is(item()?.pid, pid);
    assert.is(item()?.note, note);
    assert.ok(changes > before, 'it is told');
    itemStatus.parse(item());
    want(3, { run: 'serve', limits: { pids: 9 }, log_mb: 5 });
    second(clock);
    want(4, { run: 'serve', limits: { pids: 9 }, log_mb: 5 });
    second(clock);
    assert.is(adjusted.length, 2);
    assert.is(item()?.pid, pid);
    assert.is(reconciler.attempted().rev, 4);
    const [process] = [...machine.processes.values()];
    machine.kill(process?.unit ?? '', { code: 1 });
    clock.pass(3000);
    assert.ok(item()?.pid !== pid && item()?.err, 'it runs again, and what happened is still told');
    assert.is(item()?.note, undefined, 'there is room for one of both');
    clock.pass(12_000);
    assert.equal([item()?.err, item()?.note], [undefined, note]);
  },
);

const second = (clock: Node['time']) => clock.pass(1000);

limits('limits that change while it is being started reach it as soon as it runs, and once', () => {
  const life = new Life().send({ type: 'want', spec: { run: 'x', limits: { pids: 5 } } });
  const { unit } = life;
  life.send({ type: 'want', spec: { run: 'x', limits: { pids: 6 } } });
  assert.equal(life.did, []);
  life.started();
  assert.equal(life.last, [{ do: 'adjust', unit, spec: { run: 'x', limits: { pids: 6 } } }, { do: 'settled' }]);
  life.send({ type: 'want', spec: { run: 'x', limits: { pids: 6 } } });
  assert.equal(life.did, ['settled']);
});

limits('what makes another process', () => {
  const plain: Service = { run: 'x', limits: { pids: 9 } };
  for (const change of [{ user: 'bob' }, { image: 'nginx' }] as const) {
    assert.not(sameProcess(plain, { ...plain, ...change }), JSON.stringify(change));
  }
  const other = { limits: { pids: 8 } };
  assert.ok(sameProcess(plain, { ...plain, ...other }));
  assert.not(sameService(plain, { ...plain, ...other }));
  const inside: Service = { image: 'nginx', limits: { pids: 9 } };
  for (const change of [other, { volumes: ['/a:/b'] }, { ports: ['80:80'] }]) {
    assert.not(sameProcess(inside, { ...inside, ...change }), JSON.stringify(change));
  }
  assert.ok(sameProcess(inside, { ...inside, log_mb: 2 }));
});

limits.run();
