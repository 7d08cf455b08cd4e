import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Service } from '../../shared/schemas/service.ts';
import { ServicesNode } from '../fixture/services-node.ts';

const needs = suite('service needs');

const minute = 60_000;
/** Says that it is ready after `seconds`. */
const ready = (seconds: number, more: Partial<Service> = {}): Service => ({
  run: `sleep ${seconds}; echo ready; sleep 100000`,
  ready: { log: 'ready' },
  ...more,
});
const forever = (more: Partial<Service> = {}): Service => ({ run: './serve', ...more });

needs('what is needed is waited for until it is ready, whatever the order of names; the wait is no error', () => {
  for (const key of ['needs', 'after'] as const) {
    const node = new ServicesNode();
    node.begin({ app: forever({ [key]: ['db'] }), db: ready(5) });
    node.time.pass(1000);
    assert.is(node.state('app'), 'waiting');
    assert.is(node.status('app')?.err, 'waits for services/db, which is not there yet');
    assert.is(node.table.error(), '');
    assert.is(node.outcome, undefined, 'the document is not attempted yet');
    node.time.pass(5000);
    assert.is(node.state('app'), 'running');
    assert.is(node.status('app')?.err, undefined);
    assert.equal(node.outcome, { app: undefined, db: undefined });
  }
});

needs('what is needed longer than a minute is an error that goes away by itself, an order alone is given up', () => {
  const node = new ServicesNode();
  node.begin({ app: forever({ needs: ['db'] }), log: forever({ after: ['db'] }), db: ready(100) });
  node.time.pass(59_000);
  assert.is(node.table.error(), '');
  assert.is(node.state('log'), 'waiting');
  node.time.pass(2000);
  assert.is(node.table.error(), 'services/app: waits for services/db, which is not there yet');
  assert.is(node.outcome?.app, 'waits for services/db, which is not there yet');
  assert.is(node.state('log'), 'running');
  node.time.pass(minute);
  assert.is(node.state('app'), 'running');
  assert.is(node.table.error(), '');
});

needs('what failed, or is not in the document, is an error at once for who needs it, and nothing for an order', () => {
  const node = new ServicesNode();
  node.begin({
    a: forever({ needs: ['gone'] }),
    b: forever({ after: ['gone'] }),
    c: forever({ needs: ['once'] }),
    d: forever({ after: ['once'] }),
    once: { run: 'exit 3', restart: 'never', ready: 'exit' },
  });
  node.time.pass(1000);
  assert.is(node.status('a')?.err, "waits for services/gone, which is not in this node's document");
  assert.is(node.status('c')?.err, 'waits for services/once, which failed');
  assert.is(node.table.error(), "services/a: waits for services/gone, which is not in this node's document");
  assert.is(node.state('b'), 'running');
  assert.is(node.state('d'), 'running');
  node.time.pass(100 * minute);
  assert.is(node.state('c'), 'waiting');
  assert.is(node.pid('c'), undefined);
});

needs('what is ready by its end is there when it has ended well, and not before', () => {
  const node = new ServicesNode();
  const migrate: Service = { run: 'sleep 5; exit 0', restart: 'never', ready: 'exit' };
  node.begin({ app: forever({ needs: ['migrate'] }), migrate });
  node.time.pass(4000);
  assert.is(node.state('migrate'), 'running');
  assert.is(node.state('app'), 'waiting');
  node.time.pass(2000);
  assert.is(node.state('app'), 'running');
  node.again();
  node.time.pass(1000);
  assert.is(node.state('migrate'), 'exited', 'another agent does not run it again');
  assert.is(node.state('app'), 'running');
});

needs('a needed service that restarts, fails or goes leaves a running one alone; a start waits', () => {
  const node = new ServicesNode();
  const db = ready(1);
  const services = { app: forever({ needs: ['db'] }), db };
  node.begin(services);
  node.time.pass(2000);
  const pid = node.pid('app');
  node.table.restart('db', () => {});
  node.time.pass(500);
  assert.is(node.pid('app'), pid);
  node.apply({ app: services.app });
  node.time.pass(1000);
  assert.is(node.pid('app'), pid);
  node.machine.kill(node.unit('app'), { code: 1 });
  node.time.pass(5000);
  assert.is(node.state('app'), 'waiting', 'it ended, and what it needs is not there');
  assert.is(node.pid('app'), undefined);
  node.apply(services);
  node.time.pass(5000);
  assert.is(node.state('app'), 'running');
});

needs('a chain starts from its end, and an error in it reaches to the beginning', () => {
  const node = new ServicesNode();
  node.begin({ a: forever({ needs: ['b'] }), b: forever({ needs: ['c'] }), c: ready(2) });
  node.time.pass(1000);
  assert.is(node.state('a'), 'waiting');
  node.time.pass(2000);
  assert.is(node.state('a'), 'running');
  const broken = new ServicesNode();
  broken.begin({ a: forever({ needs: ['b'] }), b: forever({ needs: ['c'] }) });
  broken.time.pass(1);
  assert.is(broken.status('a')?.err, 'waits for services/b, which failed');
});

needs('services that wait for each other all run, each says so, and the rest of the order is kept', () => {
  const node = new ServicesNode();
  node.begin({
    a: forever({ needs: ['b'] }),
    b: forever({ after: ['c'] }),
    c: forever({ needs: ['a', 'slow'] }),
    self: forever({ needs: ['self'] }),
    slow: ready(5),
    user: forever({ needs: ['a'] }),
  });
  node.time.pass(1000);
  assert.is(node.state('a'), 'running');
  assert.is(node.state('c'), 'waiting', 'for what is not in the circle');
  assert.is(node.state('user'), 'running');
  node.time.pass(10_000);
  for (const name of ['a', 'b', 'c', 'self', 'user']) assert.is(node.state(name), 'running', name);
  assert.match(node.status('b')?.err ?? '', /^waits for itself, in a circle of a, b, c: take one/);
  assert.match(node.table.error(), /^services\/a: waits for itself, in a circle/);
  assert.match(node.status('self')?.err ?? '', /^waits for itself: take it out/);
  assert.is(node.status('user')?.err, undefined);
  node.apply({ a: forever(), b: forever({ after: ['c'] }), c: forever({ needs: ['a'] }) });
  node.time.pass(1000);
  assert.is(node.table.error(), '');
});

needs('only how it starts and how it is known to be well changed: the process stays', () => {
  const node = new ServicesNode();
  node.begin({ app: forever() });
  const first = node.pid('app');
  const more: Partial<Service>[] = [
    { after: ['db'] },
    { needs: ['files/none'] },
    { health: { tcp: 80 } },
    { health: { tcp: 80 }, ready: 'health' },
    { ready: { delay_s: 5 } },
    { reload: 'HUP' },
    { schedule: '@daily' },
  ];
  for (const each of more) {
    node.apply({ app: forever(each) });
    node.time.pass(1000);
    assert.is(node.pid('app'), first, JSON.stringify(each));
    assert.equal(node.outcome, { app: undefined }, JSON.stringify(each));
  }
});

needs('a service removed while it waits is gone, and one that waits is told otherwise', () => {
  const node = new ServicesNode();
  node.begin({ app: forever({ needs: ['gone'] }) });
  node.apply({});
  assert.equal(node.table.items(), {});
  node.apply({ app: forever({ needs: ['gone'] }) });
  node.apply({ app: forever() });
  node.time.pass(10);
  assert.is(node.state('app'), 'running');
});

needs('people who follow a service hear it once, whether or not somebody waits for a line of it', () => {
  const node = new ServicesNode();
  node.begin({
    app: { run: 'sleep 5; echo one; sleep 5; echo ready; sleep 5; echo two; sleep 1000', ready: { log: 'ready' } },
  });
  node.table.follow('app', 7000, () => {});
  node.time.pass(6000);
  assert.equal(node.lines, ['app: one']);
  node.time.pass(2000);
  assert.equal(node.lines, ['app: one'], 'nobody follows any more');
  node.time.pass(3000);
  node.table.follow('app', 60_000, () => {});
  node.time.pass(10_000);
  assert.equal(node.lines, ['app: one', 'app: one', 'app: ready', 'app: two']);
  const other = new ServicesNode();
  const run = 'sleep 5; echo one; sleep 1000';
  other.begin({ app: { run, ready: { log: 'ready' } } });
  other.table.follow('app', 60_000, () => {});
  other.apply({ app: { run } });
  other.time.pass(10_000);
  assert.equal(other.lines, ['app: one'], 'the watch is over, and people hear on');
});

needs.run();
