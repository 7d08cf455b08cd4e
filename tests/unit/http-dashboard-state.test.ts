/** The page's own reducer and wording, run in Node against what shared/fleet-view.ts promises. */
import * as assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite as describe } from 'uvu';
import {
  coreBars,
  groupOf,
  matches,
  rate,
  servicesOf,
  size,
  span,
  stateOf,
  totals,
  wantOf,
} from '../../dashboard/describe.js';
import { applyChange, type FleetState, fromSnapshot, mostEvents } from '../../dashboard/fleet-state.js';
import type { FleetSnapshot, NodeView } from '../../shared/fleet-view.ts';
import { handFleet } from '../system/dashboard/hand-fleet.ts';

const suite = describe('dashboard: state and wording');

const id = fc.constantFrom('n1', 'n2', 'n3', 'constructor', '__proto__');
const part: fc.Arbitrary<Partial<NodeView>> = fc.record(
  {
    online: fc.boolean(),
    since_ms: fc.nat(),
    want_rev: fc.nat(9),
    cores: fc.array(fc.nat(100), { maxLength: 3 }),
    load: fc.record({ node: fc.constant('n'), epoch: fc.nat(), seq: fc.nat(), cpu_pct: fc.nat(100) }),
  },
  { requiredKeys: [] },
);
const event = fc.record({
  at_ms: fc.nat(),
  level: fc.constant('info' as const),
  kind: fc.constant('k'),
  text: fc.string(),
});
const step = fc.record({
  nodes: fc.array(fc.tuple(id, fc.option(part, { nil: null })), { maxLength: 4 }),
  events: fc.array(event, { maxLength: 90 }),
});

suite('a snapshot from any moment and every change after it give the present', () => {
  const history = fc.array(step, { maxLength: 20 });
  fc.assert(
    fc.property(history, history, (before, after) => {
      const fleet = handFleet();
      const play = (steps: typeof before) => {
        // fromEntries: `__proto__` becomes an own key, as JSON.parse makes it.
        for (const { nodes, events } of steps) fleet.change(Object.fromEntries(nodes), events);
      };
      play(before);
      let page: FleetState | undefined = fromSnapshot(JSON.parse(JSON.stringify(fleet.snapshot())));
      const stop = fleet.watch(change => {
        page = page && applyChange(page, JSON.parse(JSON.stringify(change)));
      });
      play(after);
      stop();
      const present: FleetSnapshot = JSON.parse(JSON.stringify(fleet.snapshot()));
      assert.ok(page);
      assert.equal(page.seq, present.seq);
      assert.deepEqual([...page.nodes.values()], present.nodes);
      assert.deepEqual(page.events, present.events);
    }),
    { numRuns: 300 },
  );
});

const snapshot = { seq: 5, base: 'hearth', ver: '1', nodes: [], rooms: [], events: [] };
const nodes = { n1: { online: true } };

suite('a change held already changes nothing, a missed one asks for a new snapshot', () => {
  const page = fromSnapshot(snapshot);
  assert.equal(applyChange(page, { seq: 5, nodes, events: [] }), page);
  assert.equal(page.nodes.size, 0);
  assert.equal(applyChange(page, { seq: 7, nodes, events: [] }), undefined);
  assert.equal(applyChange(page, { seq: 6, nodes, events: [] })?.nodes.get('n1')?.online, true);
});

suite('events are bounded', () => {
  const news = Array.from({ length: 900 }, (_, at_ms) => ({ at_ms, level: 'info' as const, kind: 'k', text: '' }));
  const page = applyChange(fromSnapshot(snapshot), { seq: 6, nodes: {}, events: news });
  assert.equal(page?.events.length, mostEvents);
  assert.equal(page?.events.at(-1)?.at_ms, 899);
});

const is = { node: 'n1', epoch: 1, state: 'ready' as const, rev: 4, err: '', ver: '1', items: {} };
const node: NodeView = { id: 'n1', online: true, since_ms: 1, want_rev: 4, is };
const withItems = (items: NonNullable<NodeView['is']>['items']): NodeView => ({ ...node, is: { ...is, items } });

suite('one word for a node', () => {
  assert.deepEqual(stateOf(node), { word: 'online', tone: 'good' });
  assert.deepEqual(stateOf({ ...node, online: false }), { word: 'offline', tone: 'off' });
  assert.deepEqual(stateOf({ ...node, is: { ...is, state: 'draining' } }), { word: 'draining', tone: 'busy' });
  assert.deepEqual(stateOf({ ...node, is: { ...is, state: 'init' } }), { word: 'starting', tone: 'busy' });
  const looping = withItems({ 'services/a': { state: 'backoff' }, 'services/b': { state: 'crash-loop' } });
  assert.deepEqual(stateOf(looping), { word: 'crash-loop', tone: 'bad' });
  assert.deepEqual(stateOf({ ...looping, online: false }).word, 'offline');
  assert.equal(groupOf(looping), 'trouble');
  assert.deepEqual(
    servicesOf(withItems({ 'services/z': { state: 'failed' }, 'services/a': { state: 'running' } })).map(s => s.name),
    ['z', 'a'],
  );
});

suite('of packages, files and checks only what needs a look is shown, and a check is as bad as it says', () => {
  const shown = (items: Parameters<typeof withItems>[0]) =>
    servicesOf(withItems(items)).map(s => `${s.name} ${s.tone}`);
  const fine = { 'packages/vim': { state: 'ok' }, 'files/motd': { state: 'ok' }, 'checks/disk': { state: 'pass' } };
  assert.deepEqual(shown({ ...fine, 'services/a': { state: 'running' } }), ['a good']);
  assert.equal(stateOf(withItems(fine)).word, 'online');
  const warned = { 'checks/load': { state: 'fail', severity: 'warning' as const }, 'checks/x': { state: 'unknown' } };
  assert.deepEqual(shown(warned), ['checks/load busy']);
  assert.equal(stateOf(withItems(warned)).word, 'online');
  const bad = { 'checks/disk': { state: 'fail', severity: 'critical' as const }, 'files/motd': { state: 'drifted' } };
  assert.deepEqual(shown({ ...bad, 'services/a': { state: 'running' } }), [
    'checks/disk bad',
    'files/motd bad',
    'a good',
  ]);
  assert.deepEqual(stateOf(withItems(bad)), { word: 'check fails', tone: 'bad' });
  const busy = { 'packages/vim': { state: 'changing', doing: 'installing vim' }, 'services/b': { state: 'waiting' } };
  assert.deepEqual(shown(busy), ['b busy', 'packages/vim busy']);
  const sick = withItems({ 'services/a': { state: 'running', health: 'unhealthy' as const } });
  assert.deepEqual([servicesOf(sick)[0]?.tone, groupOf(sick)], ['bad', 'trouble']);
});

suite('how far a node is from what is wanted', () => {
  assert.equal(wantOf(node).text, 'as wanted, revision 4');
  assert.equal(wantOf({ ...node, want_rev: 6 }).text, 'at revision 4, going to 6');
  assert.deepEqual(wantOf({ ...node, is: { ...is, err: 'x' } }), { text: 'x', tone: 'bad' });
  const { is: _said, ...silent } = node;
  assert.equal(wantOf({ ...silent, want_rev: 2 }).tone, 'busy');
  assert.equal(wantOf({ ...silent, want_rev: 0 }).tone, 'idle');
});

suite('totals count what is online, and what is converged', () => {
  const away: NodeView = {
    ...withItems({ 'services/a': { state: 'running' } }),
    id: 'n2',
    online: false,
    cores: [1, 2],
  };
  const here = { ...node, cores: [10, 20, 30], load: { node: 'n1', epoch: 1, seq: 1, cpu_pct: 50 } };
  const sum = totals([here, away]);
  const load = { ...here.load, watts: 8 };
  const plugged = { ...here, load, heat: { watts: 40, heat_w: 30 } };
  assert.equal(totals([plugged, { ...here, load }, away]).watts, 48, 'a plug knows better than a counter');
  assert.deepEqual([sum.nodes, sum.online, sum.cores, sum.converged, sum.services, sum.running], [2, 1, 3, 2, 1, 0]);
  assert.equal(sum.busyCores, 1.5);
});

suite('search finds every word anywhere, in any case', () => {
  const found: NodeView = {
    ...withItems({ 'services/solver': { state: 'running' } }),
    info: { node: 'n1', cpu: 'Ryzen 7', os: 'Debian' },
  };
  assert.ok(matches(found, 'SOLVER ryzen', 'all'));
  assert.ok(matches(found, '  ', 'online'));
  assert.ok(!matches(found, 'solver intel', 'all'));
  assert.ok(!matches(found, '', 'offline'));
  assert.ok(!matches(found, '', 'trouble'));
});

suite('bars for any number of cores', () => {
  for (const [count, rows] of [
    [1, 1],
    [64, 1],
    [65, 2],
    [256, 4],
    [4096, 4],
  ] as const) {
    const bars = coreBars(Array.from({ length: count }, () => 100));
    assert.equal(bars.height, rows, `${count} cores`);
    assert.equal(bars.paths.hot.split('M').length - 1, count);
    assert.equal(bars.paths.track.split('M').length - 1, count);
  }
  assert.match(coreBars([-5, Number.NaN, 1e9]).paths.hot, /^M2 1v-0\.92/);
});

suite('units', () => {
  assert.deepEqual([-3, 59, 60, 3600, 200_000].map(span), ['0 s', '59 s', '1 min', '1 h', '2 d']);
  assert.deepEqual([12.3, 1500, 2_500_000].map(rate), ['12 kb/s', '1.5 Mb/s', '2.5 Gb/s']);
  assert.deepEqual([512, 3793, 32_011].map(size), ['512 MB', '3.7 GB', '31 GB']);
});

suite.run();
