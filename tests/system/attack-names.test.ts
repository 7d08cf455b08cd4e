/** Names that are no names: wildcards, slashes, NUL, HTML, escapes of terminals. From everybody who may name something. */
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Browser } from 'playwright-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { isId } from '../../shared/names.ts';
import { parseTopic } from '../../shared/topics.ts';
import { ask, greet, steal, tlsPortOf, wireTls } from '../fixture/attacker.ts';
import { requester } from '../fixture/certificates.ts';
import { joiningAgent, type LanCluster, lanCluster } from '../fixture/lan-cluster.ts';
import { connectClient } from '../fixture/mqtt-client.ts';
import { patienceMs, until } from '../fixture/processes.ts';
import { findProgram, testWith } from '../fixture/programs.ts';
import { openBrowser } from './dashboard/browser.ts';
import { endAll, type Wire } from './mqtt/wire.ts';

const attack = suite('attack: names');
let cluster: LanCluster;
let node: Wire;
let browser: Browser | undefined;

const html = '<img src=x onerror="window.pwned=1"><script>window.pwned=2</script>"\'><svg onload=window.pwned=3>';
const terminal = '\u001b]0;owned\u0007\u001b[2J\u202egnp.exe\u2066x\u200f\u009b31m\r\nfake line';
const ids = [
  'a/b',
  '+',
  '#',
  'a+',
  'a#',
  'a\0b',
  '../..',
  'all',
  '@pi',
  'N1',
  '',
  '$SYS',
  'a b',
  html.slice(0, 20),
  'x'.repeat(21),
  'ä',
  '__proto__',
];
const names = [...ids, html.slice(0, 64), terminal.slice(0, 60), 'constructor/x', `${'../'.repeat(8)}etc/cron.d/x`];

attack.before(async () => {
  cluster = await lanCluster();
  const robbed = joiningAgent({ flags: ['--token', await cluster.token(), '--node', 'n1'] });
  await cluster.watcher.wait('n1 is online', m => m.topic === 'hearth/node/n1/status' && m.text === 'online');
  await robbed.stop();
  node = await wireTls(tlsPortOf(cluster), steal(robbed));
  assert.is(await greet(node, { clientId: 'hearth-n1' }), 0);
  if (findProgram('chromium')) browser = await openBrowser();
});
attack.after(async () => {
  await browser?.close();
  endAll();
  await cluster?.stop();
});

let machines = 0;
async function join(more: object, facts: object = {}) {
  const { csr } = await requester();
  const body = {
    ...{
      proto: 1,
      csr,
      seal_key: randomBytes(66).toString('base64url').slice(0, 87),
      inst: randomBytes(8).toString('hex'),
    },
    ...{ facts: { hostname: `m${machines++}`, macs: '', os: 'x', arch: 'x64', ver: '1', ...facts }, ...more },
  };
  const { status, body: text } = await ask(cluster, '/join', { body });
  return { status, ...(JSON.parse(text) as { node?: string; code?: string; error?: string }) };
}
let token: Promise<string> | undefined;
const spoken = async (): Promise<string> => {
  token ??= cluster.token('--uses', '100');
  return (await token).split('.').slice(2).join('.').split('@')[0] ?? '';
};
const verb = async (name: string, body: object) => (await ask(cluster, `/api/trust/${name}`, { body })).status;

/** Every retained topic is one of the contract, and every id in it is one. */
async function topicsAreSound(): Promise<void> {
  const late = await connectClient(cluster.url, ['#']);
  await late.publish('elsewhere/end', 'end');
  await late.wait('all that is retained', m => m.topic === 'elsewhere/end');
  for (const { topic } of [...late.heard, ...cluster.watcher.heard].filter(m => m.topic.startsWith('hearth/'))) {
    // What people ask for passes whatever it addresses; the answer says what is wrong.
    if (/\/(set|do|in)(\/|$)/.test(topic)) continue;
    const parsed = parseTopic(topic, 'hearth');
    assert.ok(parsed.ok, topic);
    if (parsed.value.kind === 'noun' && parsed.value.target.kind === 'one')
      assert.ok(isId(parsed.value.target.id), topic);
  }
  await late.close();
}

attack('who joins gets an id that is one, whatever it calls itself', async () => {
  for (const name of ids) {
    const { status } = await join({ token: await spoken(), node: name });
    assert.is(status, 403, JSON.stringify(name));
  }
  for (const host of names) {
    const { status, node: got = '', error } = await join({ token: await spoken() }, { hostname: host });
    assert.is(status, 200, error);
    assert.ok(isId(got), `${JSON.stringify(host)} became ${got}`);
  }
  for (const wrong of ids) {
    assert.is(await verb('token.create', { node: wrong }), 400, `token for ${JSON.stringify(wrong)}`);
    assert.ok((await verb('rule.add', { subnet: '10.9.0.0/16', node: `${wrong}{n}/` })) >= 400);
    for (const place of ['room', 'zone']) {
      const status = await verb('rule.add', { subnet: '10.9.0.0/16', [place]: wrong });
      assert.ok(status >= 400 && status < 500, `${place} ${JSON.stringify(wrong)}: ${status}`);
    }
    assert.ok((await verb('rule.add', { subnet: '10.9.0.0/16', roles: [wrong, 'x'] })) >= 400);
    if (wrong !== '' && isLoginName(wrong)) continue;
    assert.is(await verb('user.add', { name: wrong, role: 'viewer', password: 'a long password' }), 400);
    assert.is(await verb('api.create', { name: wrong, role: 'viewer' }), 400);
  }
  await topicsAreSound();
});
const isLoginName = (name: string): boolean => /^[a-z0-9][a-z0-9._-]{0,31}$/.test(name);

attack('no name in a document becomes a topic level or a path', async () => {
  const { watcher } = cluster;
  for (const [index, name] of names.entries()) {
    const tx = `names-${index}`;
    const services = JSON.parse(`{${JSON.stringify(name)}:{"run":"true"}}`);
    await watcher.publish('hearth/node/n1/set', JSON.stringify({ services, tx }));
    const { text } = await watcher.wait(
      `the answer to ${JSON.stringify(name)}`,
      m => new RegExp(`${tx}\\\\?"`).test(m.text) && m.topic.endsWith('/result'),
    );
    const good = /^[A-Za-z0-9._@:~-]{1,64}$/.test(name) && name !== '__proto__';
    assert.is(text.includes('"ok":true'), good, `${JSON.stringify(name)}: ${text}`);
  }
  // A broker that took a wildcard for a topic would hand it to everybody, or keep it.
  const { Wire } = await import('./mqtt/wire.ts');
  const all = await connectClient(cluster.url, ['#']);
  for (const topic of [
    'hearth/node/+/set',
    'hearth/#',
    'a\0b',
    'hearth/node/n1/set/services/+',
    'elsewhere/+',
    '#',
    '+',
  ]) {
    const wire = await Wire.connect(cluster.ready.mqtt, { clientId: 'wild', version: 5 });
    const bytes = wire.bytes(wire.publishPacket('T'.repeat(topic.length), 'wild', 1, true));
    wire.socket.write(Buffer.from(bytes.toString('latin1').replace('T'.repeat(topic.length), topic), 'latin1'));
    const ack = () => wire.packets.find(({ cmd }) => cmd === 'puback');
    await until('an answer or the end', () => ack() !== undefined || wire.closed);
    assert.ok(wire.closed || (ack()?.reasonCode ?? 0) >= 0x80, topic);
    wire.end();
  }
  await all.publish('elsewhere/end', 'end');
  await all.wait('the end', m => m.topic === 'elsewhere/end');
  assert.equal(
    all.heard.filter(m => /[+#\0]/.test(m.topic) || m.text === 'wild'),
    [],
  );
  await all.close();
  await topicsAreSound();
  assert.not(readdirSync('/etc/cron.d').includes('x'));
});

attack('what is printed of a stranger’s words is one line of plain text', async () => {
  const facts = {
    hostname: terminal,
    os: terminal,
    arch: terminal.slice(0, 60),
    macs: terminal,
    ver: terminal.slice(0, 32),
  };
  const waits = await join({}, facts);
  assert.is(waits.status, 202);
  await join({ token: await spoken() }, facts);
  await node.publish(
    'hearth/node/n1/is',
    JSON.stringify({ node: 'n1', epoch: 1, state: 'ready', rev: 0, err: terminal, ver: terminal, items: {} }),
  );
  const printed = [
    await cluster.hearth('nodes', '--pending', '--data', cluster.data),
    await cluster.hearth('nodes', '--joined', '--data', cluster.data),
    await cluster.hearth('audit', '--data', cluster.data),
    await cluster.hearth('nodes', '--broker', cluster.url),
    ...cluster.watcher.heard.filter(m => m.topic === 'hearth/event').map(m => String(JSON.parse(m.text).text)),
    cluster.process.output(),
  ];
  for (const text of printed) {
    const odd = [...text].filter(char => isOdd(char.codePointAt(0) ?? 0));
    assert.equal(odd, [], text);
    assert.not.match(text, /^fake line/m);
  }
});
/** Control characters but the newline, and what turns or hides text (Unicode, UAX 9). */
const isOdd = (code: number): boolean =>
  (code < 0x20 && code !== 0x0a) ||
  (code >= 0x7f && code < 0xa0) ||
  [0x061c, 0x200e, 0x200f, 0x2028, 0x2029].includes(code) ||
  (code >= 0x202a && code <= 0x202e) ||
  (code >= 0x2066 && code <= 0x2069);

testWith(attack, ['chromium'], 'HTML is text on the dashboard, wherever it comes from', async () => {
  if (!browser) return;
  await ask(cluster, '/api/trust/user.add', { body: { name: 'anna', role: 'admin', password: 'a long password' } });
  const live = async () => {
    const inst = randomBytes(8).toString('hex');
    const birth = { epoch: 1e6, inst, online: true, period_ms: 60_000, proto: 1 };
    await node.publish('hearth/node/n1/lwt', JSON.stringify(birth));
    const text = html.slice(0, 60);
    const said = { node: 'n1', epoch: 1e6 };
    await node.publish(
      'hearth/node/n1/info',
      JSON.stringify({
        node: 'n1',
        os: html,
        arch: text,
        cpu: html,
        room: text,
        zone: text,
        roles: text,
        ver: text,
        macs: html,
      }),
    );
    const items = { [`services/${text}`]: { state: 'failed', err: html, since_ms: 1 } };
    await node.publish(
      'hearth/node/n1/is',
      JSON.stringify({ ...said, state: 'ready', rev: 0, err: html, ver: text, items }),
    );
    await node.publish('hearth/node/n1/load', JSON.stringify({ ...said, seq: 1, cpu_pct: 3, up_s: 1, [text]: html }));
  };
  await live();
  const { code = '' } = await join(
    {},
    { hostname: html, os: html, arch: html.slice(0, 90), macs: html, ver: html.slice(0, 32) },
  );
  const faults: string[] = [];
  const asked: string[] = [];
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  await context.addInitScript({
    content: `addEventListener('securitypolicyviolation', event =>
      console.error('policy: ' + event.violatedDirective + ' ' + event.blockedURI));`,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(patienceMs);
  page.on('console', message => {
    if (/policy|Refused|Trusted/i.test(message.text())) faults.push(message.text());
  });
  page.on('pageerror', error => faults.push(String(error)));
  page.on('dialog', dialog => {
    faults.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('request', request => asked.push(new URL(request.url()).pathname));
  const name = hostname().toLowerCase();
  for (const url of [
    `http://127.0.0.1:${cluster.ready.http}/`,
    `https://127.0.0.1:${cluster.ready.http}/?${encodeURIComponent(html)}#${html}`,
  ]) {
    await page.goto(url);
    await page.locator('body[data-link="live"]').waitFor();
    await page.locator(`[data-code="${code}"]`).waitFor();
    await page.locator('[data-node="n1"]', { hasText: 'onerror' }).first().waitFor();
    await page.fill('#search', html);
    await live();
    await page.locator('#events li', { hasText: 'onerror' }).first().waitFor();
    await page.fill('#search', '');
    await page.locator(`[data-code="${code}"] .approve`).waitFor();
    assert.is(await page.locator('main img, main script, aside img, aside script, main svg[onload]').count(), 0);
    assert.is(await page.evaluate('window.pwned'), undefined);
  }
  assert.equal(faults, [], name);
  assert.not(asked.includes('/x'), 'no picture was asked for');
  await until('it is still there', () => page.locator('body[data-link="live"]').count());
  await context.close();
});

attack.run();
