/** `hearth report` against a broker with the retained topics of a cluster: what it prints, writes, and exits with. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createEmbeddedBroker, type EmbeddedBroker } from '../../broker/mqtt/embedded.ts';
import { silentLog } from '../../shared/log.ts';
import type { Is } from '../../shared/schemas/observed.ts';
import { reportSchema } from '../../shared/schemas/report.ts';
import { hearthCommand, up } from '../fixture/cluster.ts';
import { folder, start } from '../fixture/processes.ts';

const report = suite<{ broker: EmbeddedBroker; url: string }>('hearth report');

async function run(url: string, args: readonly string[]): Promise<{ code: number | string; out: string }> {
  const env = { ...process.env, HOME: '/nonexistent', HEARTH_BROKER: url };
  const started = start(process.execPath, [hearthCommand, 'report', ...args], { env });
  const code = await started.ended;
  assert.not.match(started.output(), /^\s+at /m, 'no stack');
  return { code, out: started.output() };
}

report.before(async context => {
  context.broker = await createEmbeddedBroker({ base: 'hearth', log: silentLog, authenticator: 'open' });
  const port = await context.broker.listen({ host: '127.0.0.1', port: 0 });
  context.url = `mqtt://127.0.0.1:${port}`;
  const say = (topic: string, payload: object | string) =>
    context.broker.bus.publish(`hearth/${topic}`, typeof payload === 'string' ? payload : JSON.stringify(payload), {
      qos: 1,
      retain: true,
    });
  const is = (node: string, items: Is['items'], err = ''): Is => ({
    node,
    epoch: 1,
    state: 'ready',
    rev: 7,
    err,
    ver: '0.1.0',
    items,
  });
  say('status', 'online');
  for (const node of ['attic', 'cellar', 'shed']) say(`node/${node}/status`, node === 'shed' ? 'offline' : 'online');
  say('node/attic/info', { node: 'attic', os: 'Debian 12', arch: 'arm64' });
  say(
    'node/attic/is',
    is('attic', {
      'services/web': { state: 'running' },
      'checks/disk': { state: 'pass', severity: 'critical', saw: '40 % used' },
    }),
  );
  say('node/attic/want', {
    rev: 7,
    services: {},
    checks: { disk: { disk: { path: '/', max_pct: 90 }, severity: 'critical', from: 'role/all' } },
  });
  say(
    'node/cellar/is',
    is('cellar', { 'checks/hw:temperature': { state: 'fail', severity: 'warning', saw: '<b>61</b> °C', since_ms: 1 } }),
  );
  say('node/cellar/want', { rev: 7, services: {}, checks: { hw: { set: 'pi', from: 'role/all' } } });
  say('node/shed/is', is('shed', { 'checks/disk': { state: 'fail', severity: 'critical', saw: '99 % used' } }));
});
report.after(({ broker }) => broker.close());

report('a table for people, and exit code 0 whatever is wrong', async ({ url }) => {
  const { code, out } = await run(url, []);
  assert.is(code, 0, out);
  assert.match(out, /^hearth: 3 nodes, 2 online, 2 as wanted; checks: 1 pass, 1 fail, 3 cannot be told\.$/m);
  assert.match(out, /^cellar +ready +yes/m);
  assert.match(out, /^warning +cellar +hw:temperature .*<b>61<\/b> °C +give it air or a heat sink, or less work$/m);
  assert.match(out, /^critical +shed +disk .*offline; it was fail: 99 % used$/m);
});

report('--json is what its schema says', async ({ url }) => {
  const { code, out } = await run(url, ['--json']);
  assert.is(code, 0);
  const parsed = reportSchema.parse(JSON.parse(out));
  assert.equal(
    parsed.nodes.map(({ node }) => node),
    ['attic', 'cellar', 'shed'],
  );
  assert.is(parsed.nodes[0]?.want_rev, 7);
  assert.is(parsed.summary.worst, 'critical');
});

report('--node: that one alone, and the nearest where there is none', async ({ url }) => {
  const parsed = reportSchema.parse(JSON.parse((await run(url, ['--json', '--node', 'attic'])).out));
  assert.equal(
    parsed.nodes.map(({ node }) => node),
    ['attic'],
  );
  const { code, out } = await run(url, ['--node', 'atic']);
  assert.is(code, 1);
  assert.match(out, /No node "atic" is known at mqtt:.*: did you mean attic\?/);
});

for (const [args, expected] of [
  [['--fail-on', 'warning'], 1],
  [['--fail-on', 'critical'], 1],
  [['--fail-on', 'warning', '--node', 'cellar'], 1],
  [['--fail-on', 'critical', '--node', 'cellar'], 0],
  [['--fail-on', 'warning', '--node', 'attic'], 0],
  [['--fail-on', 'info', '--node', 'attic'], 2],
  [['--json', '--html'], 2],
  [['--node', 'Not An Id'], 2],
] as const) {
  report(`exit code ${expected}: ${args.join(' ')}`, async ({ url }) => {
    const { code, out } = await run(url, args);
    assert.is(code, expected, out);
    if (expected === 1) assert.match(out, /^hearth: \d nodes/, 'the report is made all the same');
  });
}

report('--out writes a whole file, in the form of its name, over the one before', async ({ url }) => {
  const at = folder();
  const html = join(at, 'report.html');
  writeFileSync(html, 'old');
  const { code, out } = await run(url, ['--out', html]);
  assert.is(code, 0, out);
  assert.match(out, /^hearth: 3 nodes/);
  const text = readFileSync(html, 'utf8');
  assert.match(text, /^<!doctype html>/);
  assert.match(text, '&lt;b&gt;61&lt;/b&gt; °C');
  assert.is((await run(url, ['--out', join(at, 'report.json')])).code, 0);
  reportSchema.parse(JSON.parse(readFileSync(join(at, 'report.json'), 'utf8')));
  assert.is((await run(url, ['--html', '--out', join(at, 'page')])).code, 0);
  assert.match(readFileSync(join(at, 'page'), 'utf8'), /^<!doctype html>/);
  assert.equal(readdirSync(at).sort(), ['page', 'report.html', 'report.json'], 'nothing is left beside them');
});

report('--out where nothing can be written is one sentence', async ({ url }) => {
  const at = folder();
  mkdirSync(join(at, 'taken'));
  for (const path of [join(at, 'no/such/report.html'), join(at, 'taken')]) {
    const { code, out } = await run(url, ['--out', path]);
    assert.is(code, 1);
    assert.match(out, /^hearth: The report cannot be written to .*(ENOENT|EISDIR)/m);
  }
  assert.ok(existsSync(at));
  assert.equal(readdirSync(at), ['taken']);
});

report('a real cluster: its own node, as wanted', async () => {
  const cluster = await up({ flags: ['--node', 'cellar', '--stop-services'] });
  const { code, out } = await run(cluster.url, ['--json', '--fail-on', 'critical']);
  const parsed = reportSchema.parse(JSON.parse(out));
  assert.is(code, 0, out);
  assert.is(parsed.supervisor, 'online');
  assert.equal(
    parsed.nodes.map(({ node, online }) => `${node} ${online}`),
    ['cellar true'],
  );
  assert.is(await cluster.process.stop(), 0);
});

report.run();
