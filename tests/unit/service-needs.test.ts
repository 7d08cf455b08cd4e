import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { circlesOf } from '../../shared/needs.ts';
import { type Service, serviceSchema } from '../../shared/schemas/service.ts';
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

needs('packages and files: waited for, and a change restarts who needs them, once', () => {
  const node = new ServicesNode();
  node.others.set('packages/chuffed', { state: 'pending' });
  node.others.set('files/conf', { state: 'ok', mark: 'one' });
  const services = { app: forever({ needs: ['packages/chuffed', 'files/conf'] }), other: forever() };
  node.begin(services);
  assert.is(node.status('app')?.err, 'waits for packages/chuffed, which is not there yet');
  node.item('packages/chuffed', 'ok', '0.10.3');
  node.time.pass(1000);
  const first = node.pid('app');
  const other = node.pid('other');
  assert.type(first, 'number');
  node.item('files/conf', 'ok', 'one').item('packages/chuffed', 'pending');
  node.time.pass(1000);
  assert.is(node.pid('app'), first, 'the same content, and one that is being changed, are no change');
  node.item('files/conf', 'ok', 'two');
  node.time.pass(1000);
  assert.is(node.pid('app'), first, 'it could not start again yet');
  node.item('packages/chuffed', 'ok', '0.10.4');
  node.time.pass(1000);
  assert.is.not(node.pid('app'), first);
  assert.is(node.status('app')?.restarts, 1);
  assert.ok(node.notices.includes('changed services/app: restarted, as packages/chuffed and 1 more changed'));
  assert.is(node.pid('other'), other);
  node.item('files/conf', 'failed');
  node.time.pass(1000);
  assert.is(node.state('app'), 'running', 'what runs stays');
});

needs('a file that changed while the agent was away, or killed before the restart, restarts who needs it', () => {
  const node = new ServicesNode();
  node.others.set('files/conf', { state: 'ok', mark: 'one' });
  node.begin({ app: forever({ needs: ['files/conf'] }) });
  node.time.pass(1000);
  const first = node.pid('app');
  node.again();
  node.time.pass(1000);
  assert.is(node.pid('app'), first, 'another agent alone is no change');
  node.others.set('files/conf', { state: 'ok', mark: 'two' });
  node.again();
  node.time.pass(1000);
  assert.is.not(node.pid('app'), first);
});

needs('a need that is new, or whose mark nobody knew, restarts nothing, and its next change does', () => {
  const node = new ServicesNode();
  node.others.set('files/conf', { state: 'ok', mark: 'one' });
  node.begin({ app: forever() });
  const first = node.pid('app');
  node.apply({ app: forever({ needs: ['files/conf'] }) });
  node.time.pass(1000);
  assert.is(node.pid('app'), first);
  assert.ok(node.caretaker.done.includes('remember app {"files/conf":"one"}'));
  node.item('files/conf', 'ok', 'two');
  node.time.pass(1000);
  assert.is.not(node.pid('app'), first);
});

needs('reload: a signal instead of the restart for a file, not for a package, and what fails is said', () => {
  const node = new ServicesNode();
  node.others.set('files/conf', { state: 'ok', mark: 'one' });
  node.others.set('packages/p', { state: 'ok', mark: '1' });
  node.begin({ app: forever({ needs: ['files/conf', 'packages/p'], reload: 'HUP' }) });
  node.time.pass(1000);
  const first = node.pid('app');
  node.item('files/conf', 'ok', 'two');
  node.time.pass(1000);
  assert.is(node.pid('app'), first);
  assert.equal(node.caretaker.done, ['remember app {"files/conf":"two","packages/p":"1"}', 'reload app HUP']);
  node.caretaker.wrong.set('app', 'exit 1; last line: no such key');
  node.item('files/conf', 'ok', 'three');
  node.time.pass(1000);
  assert.is(node.table.error(), 'services/app: could not be reloaded: exit 1; last line: no such key');
  assert.is(node.state('app'), 'running');
  node.caretaker.wrong.clear();
  node.item('files/conf', 'ok', 'four');
  node.time.pass(1000);
  assert.is(node.table.error(), '');
  node.item('packages/p', 'ok', '2');
  node.time.pass(1000);
  assert.is.not(node.pid('app'), first);
});

needs('what waits for another try after a crash, or has ended, is started by a change at once', () => {
  const node = new ServicesNode();
  node.others.set('files/conf', { state: 'ok', mark: 'one' });
  const failing = { run: 'exit 1', needs: ['files/conf'] };
  node.begin({ again: failing, once: { ...failing, restart: 'never' }, timed: { ...failing, schedule: '0 0 1 1 *' } });
  node.time.pass(10 * minute);
  const restarts = node.status('again')?.restarts ?? 0;
  assert.is(node.state('once'), 'failed');
  node.item('files/conf', 'ok', 'two');
  node.time.pass(10);
  assert.is(node.status('again')?.restarts, restarts + 1);
  assert.is(node.status('once')?.restarts, 1);
  assert.is(node.status('timed')?.exit, undefined, 'what has a schedule waits for its time');
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
});

const names = ['a', 'b', 'c', 'd', 'e'];
const waits = fc.record({ after: fc.subarray(names), needs: fc.subarray(names) });

needs('in a circle is who can be reached from itself, and nobody else', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...names), waits), services => {
      const reach = (from: string) => {
        const seen = new Set<string>();
        const go = (name: string) => {
          for (const other of [...(services[name]?.after ?? []), ...(services[name]?.needs ?? [])]) {
            if (!Object.hasOwn(services, other) || seen.has(other)) continue;
            seen.add(other);
            go(other);
          }
        };
        go(from);
        return seen;
      };
      const circles = circlesOf(services);
      for (const name of Object.keys(services)) {
        const reached = reach(name);
        const expected = reached.has(name) ? [...reached].filter(other => reach(other).has(name)).sort() : undefined;
        assert.equal(circles.get(name), expected, name);
      }
    }),
    { numRuns: 500 },
  );
  const chain = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`s${i}`, { needs: [`s${i + 1}`] }]));
  assert.is(circlesOf(chain).size, 0, 'a long chain is no deep recursion');
});

needs('never a deadlock: whoever waits for whom, everything runs or says what it needs', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...names), waits, { minKeys: 1 }), services => {
      const node = new ServicesNode();
      node.begin(Object.fromEntries(Object.entries(services).map(([name, each]) => [name, forever(each)])));
      node.time.pass(10);
      for (const [name, each] of Object.entries(services)) {
        if (node.state(name) === 'running') continue;
        assert.match(node.status(name)?.err ?? '', /^waits for services\/[a-e], which (is not in|failed)/);
        assert.ok(
          each.needs.some(other => node.state(other) !== 'running'),
          name,
        );
      }
    }),
    { numRuns: 300 },
  );
});

const refused: readonly [Record<string, unknown>, RegExp][] = [
  [{ needs: ['files/../x'] }, /not an item/],
  [{ needs: ['jobs/x'] }, /not an item/],
  [{ after: ['a b'] }, /not an item/],
  [{ needs: ['__proto__'] }, /not an item/],
  [{ needs: 'db' }, /array/],
  [{ ready: 'health' }, /no "health"/],
  [{ ready: {} }, /one of/],
  [{ ready: 'exit' }, /has to end/],
  [{ health: {} }, /a health check is one of/],
  [{ health: { tcp: 80, http: 'http://x/' } }, /a health check is one of/],
  [{ health: { http: 'file:///etc/passwd' } }, /./],
  [{ health: { http: 'http://user:pass@x/' } }, /./],
  [{ health: { tcp: 'host:port' } }, /./],
  [{ health: { tcp: 80, within_s: 5 } }, /is of "log"/],
  [{ health: { log: 'x', every_s: 5 } }, /as they come/],
  [{ health: { log: 'two\nlines' } }, /one line/],
  [{ schedule: '@daily', restart: 'always' }, /always started again/],
  [{ schedule: { cron: '@daily', timezone: 'Mars/Olympus' } }, /not a time zone/],
];
needs('what cannot be meant is refused with a reason', () => {
  for (const [more, reason] of refused) {
    const parsed = serviceSchema.safeParse({ run: 'x', ...more });
    assert.not.ok(parsed.success, JSON.stringify(more));
    assert.match(parsed.error?.issues.map(({ message }) => message).join() ?? '', reason, JSON.stringify(more));
  }
  for (const tcp of [5432, '5432', 'db.local:5432', '[::1]:5432', { port: 80 }, { host: '::1', port: 80 }]) {
    assert.ok(serviceSchema.safeParse({ run: 'x', health: { tcp } }).success, JSON.stringify(tcp));
  }
});

needs.run();
