/** Services that wait for each other in a circle, and what a service may not say. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { circlesOf } from '../../shared/needs.ts';
import { type Service, serviceSchema } from '../../shared/schemas/service.ts';
import { ServicesNode } from '../fixture/services-node.ts';

const needs = suite('service circles');

const forever = (more: Partial<Service> = {}): Service => ({ run: './serve', ...more });

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
