/** Logging in, looking after machines that ask to join, and logging out, in a real browser over TLS. */
import * as assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { Browser, Page } from 'playwright-core';
import { suite as describe } from 'uvu';
import { requester } from '../fixture/certificates.ts';
import { patienceMs, until } from '../fixture/processes.ts';
import { findProgram, testWith } from '../fixture/programs.ts';
import { networkAddress, passwordOf, type WebRig, webRig } from '../fixture/web-rig.ts';
import { openBrowser } from './dashboard/browser.ts';
import { handFleet } from './dashboard/hand-fleet.ts';
import { sampleRooms } from './dashboard/sample-fleet.ts';

const suite = describe('dashboard: login and joining');
const host = networkAddress('IPv4') ?? '127.0.0.1';
let browser: Browser;
let rig: WebRig;

suite.before(async () => {
  if (!findProgram('chromium')) return;
  browser = await openBrowser();
  rig = await webRig();
  for (const role of ['admin', 'viewer'] as const) await rig.user(role, role);
});
suite.before.each(() => {
  if (rig) rig.owner = false;
});
suite.after.each(async () => {
  for (const context of browser?.contexts() ?? []) await context.close();
});
suite.after(async () => {
  await browser?.close();
  await rig?.close();
});

interface Opened {
  readonly page: Page;
  /** Errors on the console but for answers that are refusals, uncaught ones, dialogs. */
  readonly faults: string[];
}

async function open(path = '/', scheme = 'https', name = host): Promise<Opened> {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  page.setDefaultTimeout(patienceMs);
  const faults: string[] = [];
  page.on('console', message => {
    if (message.type() === 'error' && !/status of 4\d\d|net::ERR/.test(message.text())) faults.push(message.text());
  });
  page.on('pageerror', error => faults.push(String(error)));
  page.on('dialog', dialog => {
    faults.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.goto(`${scheme}://${name}:${rig.http.port}${path}`);
  return { page, faults };
}

async function enter(page: Page, name: string, password = passwordOf(name)): Promise<void> {
  await page.locator('#enter:enabled').waitFor();
  await page.fill('#name', name);
  await page.fill('#password', password);
  await page.keyboard.press('Enter');
}

async function loggedIn(name: string): Promise<Opened> {
  const opened = await open();
  await enter(opened.page, name);
  await opened.page.locator('body[data-link="live"]').waitFor();
  return opened;
}

async function askToJoin(facts: object = {}): Promise<{ ticket: string; code: string }> {
  const { csr } = await requester();
  const body = {
    ...{ proto: 1, csr, seal_key: randomBytes(65).toString('base64url'), inst: randomBytes(8).toString('hex') },
    facts: {
      hostname: 'barn',
      macs: 'aa:bb:cc:dd:ee:ff',
      os: 'Debian 12',
      arch: 'arm64',
      cores: 4,
      mem_mb: 3900,
      ver: '0.1.0',
      ...facts,
    },
  };
  const answer = await rig.ask('/join', { body });
  assert.equal(answer.status, 202, answer.body);
  return answer.json();
}

testWith(
  suite,
  ['chromium'],
  'the page leads to the login; a wrong word is told, the right one opens; out is out',
  async () => {
    const { page, faults } = await open();
    await page.waitForURL('**/login');
    await enter(page, 'viewer', '<b>wrong</b>');
    await page.locator('#fault', { hasText: 'The user name or the password is wrong.' }).waitFor();
    assert.equal(await page.inputValue('#password'), '');
    await enter(page, 'viewer');
    await page.locator('body[data-link="live"]').waitFor();
    assert.equal(new URL(page.url()).pathname, '/');
    await page.locator('#account', { hasText: /viewer\s+viewer/ }).waitFor();
    await page.locator('.card[data-node="attic-pi"]').waitFor();
    // No script gets at the session.
    assert.equal(await page.evaluate('document.cookie'), '');
    const [cookie, ...more] = await page.context().cookies();
    assert.deepEqual(more, []);
    assert.deepEqual(
      [cookie?.name, cookie?.httpOnly, cookie?.secure, cookie?.sameSite, cookie?.path, cookie?.domain],
      [`__Host-hearth-${rig.http.port}`, true, true, 'Strict', '/', host],
    );
    await page.reload();
    await page.locator('body[data-link="live"]').waitFor();
    await page.click('#logout');
    await page.waitForURL('**/login');
    assert.deepEqual(await page.context().cookies(), []);
    await page.goto(`https://${host}:${rig.http.port}/`);
    await page.waitForURL('**/login');
    await until('nobody watches', () => rig.fleet.watchers === 0);
    assert.deepEqual(faults, []);
  },
);

testWith(suite, ['chromium'], 'a logout leads to the login once, though the stream ends by it as well', async () => {
  const { page } = await loggedIn('viewer');
  let asked = 0;
  const toldOut = page.waitForResponse(answer => answer.url().endsWith('/api/me') && answer.status() === 401);
  // The login does not stand there before the stream's end is noticed, and the page has had time to do what it does then.
  await page.route('**/login', async route => {
    asked += 1;
    await toldOut;
    await setTimeout(200);
    await route.continue();
  });
  await page.click('#logout');
  await toldOut;
  await page.waitForURL('**/login');
  assert.equal(asked, 1);
});

testWith(suite, ['chromium'], 'a session that ends elsewhere brings the login', async () => {
  await rig.user('short-lived', 'viewer');
  const { page } = await loggedIn('short-lived');
  await rig.verb('user.remove', { name: 'short-lived' });
  await page.waitForURL('**/login');
});

testWith(suite, ['chromium'], 'an admin lets a machine in, or not; it shows and goes by itself', async () => {
  const { page, faults } = await loggedIn('admin');
  assert.equal(await page.locator('#pending').isVisible(), false);
  const evil = '<img src=x onerror=alert(1)>';
  const first = await askToJoin();
  const second = await askToJoin({ hostname: evil, os: evil, arch: evil, macs: evil });
  const row = (code: string) => page.locator(`.machine[data-code="${code}"]`);
  await row(first.code).waitFor();
  await row(second.code).waitFor();
  await page.locator('#pending-title', { hasText: '2 machines ask to join' }).waitFor();
  assert.match(
    await row(first.code).innerText(),
    /barn\s.*Debian 12 · arm64 · 4 cores · 3\.8 GB · aa:bb:cc:dd:ee:ff · asks for/s,
  );
  assert.equal(await page.locator('#pending img').count(), 0);
  assert.ok((await row(second.code).innerText()).includes(evil));
  await row(first.code).locator('input').fill('My Barn!');
  await row(first.code).getByText('Approve').click();
  await page.locator('#pending-fault', { hasText: 'an id is 1 to 20 of a-z' }).waitFor();
  await row(first.code).locator('input').fill('my-barn');
  await row(first.code).getByText('Approve').click();
  await row(first.code).waitFor({ state: 'detached' });
  assert.equal((await rig.ask(`/join/${first.ticket}`)).json<{ node: string }>().node, 'my-barn');
  await row(second.code).getByText('Deny').click();
  await page.locator('#pending').waitFor({ state: 'hidden' });
  const decided = () =>
    rig.audited().filter(({ what, who, ok }) => ok && who === 'admin' && /^join\.(approve|deny)$/.test(what));
  await until('both are audited', () => decided().length === 2);
  // What somebody else decides on the command line shows as well.
  const third = await askToJoin({ hostname: 'third' });
  await row(third.code).waitFor();
  await rig.verb('join.approve', { code: third.code });
  await page.locator('#pending').waitFor({ state: 'hidden' });
  assert.deepEqual(faults, []);
});

testWith(suite, ['chromium'], 'a viewer sees who asks and has nothing to press', async () => {
  const asking = await askToJoin({ hostname: 'fourth' });
  const { page } = await loggedIn('viewer');
  const row = page.locator(`.machine[data-code="${asking.code}"]`);
  await row.waitFor();
  assert.equal(await row.locator('button, input').count(), 0);
  const [study] = sampleRooms(Date.now());
  rig.fleet.putRoom('study', study);
  await page.locator('.room .plain', { hasText: '21.5 °C wanted' }).waitFor();
  assert.equal(await page.locator('.room :is(button, input, select)').count(), 0);
  rig.fleet.putRoom('study', undefined);
  await rig.verb('join.deny', { code: asking.code });
  await page.locator('#pending').waitFor({ state: 'hidden' });
});

testWith(suite, ['chromium'], 'an empty cluster that is open to the network tells how a machine joins', async () => {
  const empty = await webRig({ fleet: handFleet() });
  empty.owner = true;
  try {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(`http://127.0.0.1:${empty.http.port}/`);
    await page.locator('#line-agent', { hasText: /^hearth token$/ }).waitFor();
    await page.locator('#start-how', { hasText: 'On the supervisor' }).waitFor();
  } finally {
    await empty.close();
  }
});

testWith(suite, ['chromium'], 'a clock that is off is said on the card', async () => {
  rig.fleet.change({ 'attic-pi': { info: { node: 'attic-pi', clock_off_ms: -7_200_000 } } });
  const { page } = await loggedIn('viewer');
  const clock = page.locator('[data-node="attic-pi"] .clock');
  await page.locator('[data-node="attic-pi"] .clock', { hasText: 'clock 2 h behind: set it' }).waitFor();
  rig.fleet.change({ 'attic-pi': { info: { node: 'attic-pi', clock_off_ms: 100 } } });
  await clock.waitFor({ state: 'hidden' });
});

testWith(suite, ['chromium'], 'on plain loopback: the owner is in at once, another user logs in there', async () => {
  rig.owner = true;
  const owner = await open('/', 'http', '127.0.0.1');
  await owner.page.locator('body[data-link="live"]').waitFor();
  await owner.page.locator('#account', { hasText: 'owner' }).waitFor();
  assert.equal(await owner.page.locator('#logout').isVisible(), false);
  rig.owner = false;
  const { page, faults } = await open('/', 'http', 'localhost');
  await page.waitForURL('**/login');
  await enter(page, 'admin');
  await page.locator('body[data-link="live"]').waitFor();
  await page.click('#logout');
  await page.waitForURL('**/login');
  assert.deepEqual([...owner.faults, ...faults], []);
});

testWith(suite, ['chromium'], 'a page of another site can do nothing with the session', async () => {
  const { page } = await loggedIn('admin');
  const foreign = await page.context().newPage();
  // Another port of the same machine is another origin, and the same site: the cookie would come along.
  const { createServer } = await import('node:http');
  const other = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html');
    response.end('<!doctype html><title>other</title>');
  });
  await new Promise<void>(resolve => other.listen(0, '127.0.0.1', resolve));
  try {
    await foreign.goto(`http://127.0.0.1:${(other.address() as { port: number }).port}/`);
    const url = `https://${host}:${rig.http.port}`;
    const before = rig.audited().length;
    for (const init of [
      {
        method: 'POST',
        credentials: 'include',
        mode: 'no-cors',
        headers: { 'content-type': 'text/plain' },
        body: '{}',
      },
      {
        method: 'POST',
        credentials: 'include',
        headers: { 'content-type': 'application/json', 'x-hearth-csrf': 'x' },
        body: '{}',
      },
    ]) {
      await foreign.evaluate(`fetch('${url}/api/trust/token.create', ${JSON.stringify(init)}).then(() => 0, () => 0)`);
    }
    assert.equal(
      await foreign.evaluate(
        `fetch('${url}/api/fleet', { credentials: 'include' }).then(() => 'read', () => 'blocked')`,
      ),
      'blocked',
    );
    assert.equal(rig.audited().length, before);
  } finally {
    other.closeAllConnections();
    other.close();
  }
});

testWith(suite, ['chromium'], 'login and waiting machines fit a phone', async () => {
  await askToJoin({ hostname: 'x'.repeat(200), macs: Array(14).fill('aa:bb:cc:dd:ee:ff').join() });
  const { page } = await loggedIn('admin');
  await page.setViewportSize({ width: 320, height: 700 });
  await page.locator('.machine').first().waitFor();
  const wide = () => page.evaluate<number>('document.documentElement.scrollWidth');
  assert.ok((await wide()) <= 320, `${await wide()}`);
  await page.goto(`https://${host}:${rig.http.port}/login`);
  await page.locator('#already', { hasText: 'admin (admin)' }).waitFor();
  assert.ok((await wide()) <= 320, `${await wide()}`);
});

suite.run();
