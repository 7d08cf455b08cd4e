/** What a report says of what is known, and that nothing that a node says becomes markup. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Known, KnownNode } from '../../cli/fleet.ts';
import { buildReport, failsOn, type WantForReport } from '../../cli/report/build.ts';
import { reportHtml } from '../../cli/report/html.ts';
import { reportText } from '../../cli/report/text.ts';
import type { Is, ItemStatus } from '../../shared/schemas/observed.ts';
import { type Report, reportSchema } from '../../shared/schemas/report.ts';

const report = suite('report');
const now = Date.UTC(2026, 10, 21, 12);

function node(
  id: string,
  items: Record<string, ItemStatus> = {},
  over: Partial<Is> & { online?: boolean } = {},
): KnownNode {
  const { online = true, ...is } = over;
  return {
    id,
    online,
    info: { node: id, os: 'Debian 12', arch: 'arm64' },
    is: { node: id, epoch: 1, state: 'ready', rev: 5, err: '', ver: '0.1.0', items, ...is },
  };
}
function made(nodes: readonly KnownNode[], wants: Record<string, WantForReport> = {}, only?: string): Report {
  const known: Known = { supervisor: 'online', nodes: new Map(nodes.map(each => [each.id, each])) };
  const built = buildReport(known, new Map(Object.entries(wants)), { base: 'hearth', now, node: only });
  assert.equal(reportSchema.parse(built), built, 'it is what its schema says');
  return built;
}
const check = (state: string, severity: ItemStatus['severity'], saw = ''): ItemStatus => ({
  state,
  saw,
  since_ms: now - 120_000,
  ...(severity === undefined ? {} : { severity }),
});

report('a cluster that is well: nothing weighs anything', () => {
  const one = node('n1', {
    'services/a': { state: 'running' },
    'packages/b': { state: 'ok' },
    'checks/d': check('pass', 'critical'),
  });
  const built = made([one], { n1: { rev: 5 } });
  assert.is(built.summary.worst, undefined);
  assert.is(built.summary.converged, 1);
  assert.is(built.nodes[0]?.items_ok, 2);
  assert.not.ok(failsOn(built, 'info'));
});

const weights: readonly (readonly [string, KnownNode, Record<string, WantForReport>, string | undefined])[] = [
  ['a critical check', node('n', { 'checks/a': check('fail', 'critical') }), {}, 'critical'],
  ['a warning', node('n', { 'checks/a': check('fail', 'warning'), 'checks/b': check('fail', 'info') }), {}, 'warning'],
  ['a failing check of no great matter', node('n', { 'checks/a': check('fail', 'info') }), {}, 'info'],
  ['a critical check that cannot be told', node('n', { 'checks/a': check('unknown', 'critical') }), {}, undefined],
  ['a node that is offline', node('n', {}, { online: false }), {}, 'critical'],
  ['one that sleeps', node('n', {}, { online: false, state: 'sleeping' }), {}, undefined],
  ['one that left', node('n', {}, { online: false, state: 'left' }), {}, undefined],
  ['an error', node('n', {}, { err: 'no room' }), {}, 'warning'],
  ['an older revision', node('n'), { n: { rev: 6 } }, 'warning'],
  ['an item with an error', node('n', { 'files/a': { state: 'ok', err: 'drifted' } }), {}, 'warning'],
  ['an item that is broken', node('n', { 'services/a': { state: 'crash-loop' } }), {}, 'warning'],
  ['an item on its way', node('n', { 'services/a': { state: 'starting' } }), {}, undefined],
  ['a node that never said anything', { id: 'n', online: true }, {}, 'warning'],
];
for (const [what, one, wants, worst] of weights) {
  report(`what is wrong weighs: ${what}`, () => {
    const built = made([one], wants);
    assert.is(built.summary.worst, worst);
    assert.is(failsOn(built, 'warning'), worst === 'warning' || worst === 'critical');
    assert.is(failsOn(built, 'critical'), worst === 'critical');
  });
}

report('checks come with the runbook of the document, or of the shipped set', () => {
  const items = {
    'checks/web': check('fail', 'critical', 'status 503'),
    'checks/hw:temperature': check('fail', 'warning', '61 °C, of less than 55'),
  };
  const checks = {
    web: { http: { url: 'http://x/' }, severity: 'critical', runbook: 'http://wiki/web', from: 'node/n1', newer: true },
    hw: { set: 'pi', from: 'role/all' },
    broken: 'what is this',
  };
  const [one] = made([node('n1', items)], { n1: { rev: 5, checks } }).nodes;
  const found = Object.fromEntries((one?.checks ?? []).map(each => [each.check, each]));
  assert.is(found['checks/web']?.runbook, 'http://wiki/web');
  assert.match(found['checks/hw:temperature']?.runbook ?? '', /heat sink/);
  assert.equal(Object.keys(found), [
    'checks/hw:root-ext4',
    'checks/hw:temperature',
    'checks/hw:under-voltage',
    'checks/web',
  ]);
  assert.is(found['checks/hw:under-voltage']?.state, 'unknown');
  assert.is(found['checks/hw:under-voltage']?.saw, 'the node has not said');
  assert.is(found['checks/hw:under-voltage']?.severity, 'critical');
});

report('of a node that is offline nothing is known any more, only what it was', () => {
  const built = made([node('n1', { 'checks/a': check('pass', 'critical', '40 °C') }, { online: false })]);
  assert.equal(built.nodes[0]?.checks[0]?.state, 'unknown');
  assert.equal(built.nodes[0]?.checks[0]?.saw, 'offline; it was pass: 40 °C');
  assert.is(built.summary.pass, 0);
});

report('a state that only a newer node knows is no pass', () => {
  assert.is(made([node('n1', { 'checks/a': check('excellent', 'info') })]).summary.unknown, 1);
});

report('one node alone', () => {
  const built = made([node('a'), node('b', {}, { online: false })], {}, 'a');
  assert.equal(
    built.nodes.map(each => each.node),
    ['a'],
  );
  assert.is(built.summary.worst, undefined);
});

report('as text: what fails first, by its weight', () => {
  const items = {
    'services/web': { state: 'crash-loop', err: 'exit 1 5 times in a row', since_ms: now - 3_600_000 },
    'checks/disk': { ...check('fail', 'warning', '93 % used'), err: 'x' },
    'checks/power': check('fail', 'critical', 'the voltage is too low now'),
    'checks/clock': check('unknown', 'info', 'neither chrony nor ntpd'),
  };
  const text = reportText(made([node('n1', items), node('n2', {}, { err: 'no room on /' })]));
  assert.match(
    text,
    /^hearth: 2 nodes, 2 online, 1 as wanted, 1 items wrong; checks: 0 pass, 2 fail \(1 critical\), 1 cannot be told\.$/m,
  );
  assert.match(text, /^n1 +ready +yes +0\/1 +2 fail, 1 unknown +Debian 12 arm64$/m);
  assert.match(text, /^n1 +services\/web +crash-loop +1 h +exit 1 5 times in a row$/m);
  assert.match(text, /^n2 +no room on \/$/m);
  assert.ok(text.indexOf('power') < text.indexOf('disk'));
  assert.match(text, /^critical +n1 +power +2 min +the voltage is too low now$/m);
});

/** What our own markup is made of; attributes with these values only. */
const ownTags =
  /<\/?(html|head|meta|title|style|body|header|main|section|h1|h2|p|ul|li|strong|span|div|table|caption|thead|tbody|tr|th|td|time|small|a|!doctype)( [^<>]*)?>/g;
const ownAttributes =
  /^( (lang="en"|charset="utf-8"|http-equiv="Content-Security-Policy"|content="[^"<>]*"|name="(referrer|viewport)"|class="(good|busy|bad|idle|about|totals|wide)"|scope="col"|datetime="[0-9TZ:.+-]+"|href="https?:\/\/[^"<>\s]+"|rel="noopener noreferrer"|html))*$/;

function assertHarmless(html: string): void {
  const body = html.replace(/<style>[\s\S]*?<\/style>/, '');
  for (const [, , attributes = ''] of body.matchAll(ownTags)) assert.match(attributes, ownAttributes);
  const rest = body.replace(ownTags, '');
  assert.not.match(rest, /[<>]/, 'no other tag');
  assert.not.match(html, /<script/i);
  assert.not.match(/<style>([\s\S]*?)<\/style>/.exec(html)?.[1] ?? 'url(', /url\(|@import/);
}

const hostile = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "'><svg/onload=alert(1)>",
  'javascript:alert(1)',
  '</style><script>x</script>',
  '&lt;b&gt; \u202egnp.exe',
  'https://evil.example/"onmouseover="alert(1)',
  'https://me@evil.example/',
];
report('as HTML: nothing that a node or a document says becomes markup', () => {
  for (const said of hostile) {
    const items = {
      [`services/${said}`.slice(0, 140)]: { state: said.slice(0, 20), err: said, doing: said },
      [`checks/${said}`]: check('fail', 'critical', said),
      'checks/a': check('fail', 'critical', said),
    };
    const one = {
      ...node('n1', items, { err: said, ver: said.slice(0, 32) }),
      info: { node: 'n1', os: said, arch: said, room: said },
    };
    const built = made([one], { n1: { rev: 5, checks: { a: { command: { run: 'x' }, runbook: said } } } });
    const html = reportHtml(built);
    assertHarmless(html);
    assert.not.match(html, /\u202e/);
    assert.not.match(html, /href="[^"]*(evil|javascript)/);
    const text = reportText(built);
    assert.not.match(text, /\u202e/);
  }
});

report('as HTML: any text at all', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.double(), (said, since) => {
      const items = { 'checks/a': { ...check('fail', 'info', said.slice(0, 200)), since_ms: since } };
      const one = node('n1', items, { err: said });
      const known: Known = { nodes: new Map([['n1', one]]) };
      const checks = { a: { command: { run: 'x' }, runbook: said.slice(0, 200) || 'x' } };
      const built = buildReport(known, new Map([['n1', { rev: 1, checks }]]), { base: 'hearth', now });
      assertHarmless(reportHtml(built));
      reportText(built);
    }),
  );
});

report('as HTML: a runbook that is plainly an address is a link, and it has a policy that lets nothing in', () => {
  const items = { 'checks/a': check('fail', 'critical') };
  const checks = { a: { command: { run: 'x' }, runbook: 'https://wiki.example:8443/run?a=1&b=2' } };
  const html = reportHtml(made([node('n1', items)], { n1: { rev: 5, checks } }));
  assert.match(html, '<a href="https://wiki.example:8443/run?a=1&amp;b=2" rel="noopener noreferrer">');
  assert.match(html, /Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'/);
  assert.match(html, '2 min</small>');
  assert.match(html, /prefers-color-scheme: dark[\s\S]*@media print/);
});

report('no nodes, no supervisor', () => {
  const built = buildReport({ nodes: new Map() }, new Map(), { base: 'hearth', now });
  assert.is(built.supervisor, 'unknown');
  assert.match(reportText(built), /^hearth: 0 nodes, 0 online, 0 as wanted, supervisor unknown; checks: 0 pass/);
  assertHarmless(reportHtml(built));
});

report.run();
