/** The dashboard in a real browser, against the real HTTP port and a fleet driven by hand. */
import * as assert from 'node:assert/strict';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { suite as describe } from 'uvu';
import { type RunningHttp, startHttp } from '../../broker/http/server.ts';
import type { NodeView } from '../../shared/fleet-view.ts';
import { silentLog } from '../../shared/log.ts';
import { freePort, patienceMs, until } from '../fixture/processes.ts';
import { findProgram, testWith } from '../fixture/programs.ts';
import { openBrowser } from './dashboard/browser.ts';
import { type HandFleet, handFleet } from './dashboard/hand-fleet.ts';
import { sampleEvents, sampleFleet } from './dashboard/sample-fleet.ts';

const suite = describe('dashboard in a browser');
const dashboardFolder = join(import.meta.dirname, '../../dashboard');
let browser: Browser;
const servers = new Set<RunningHttp>();

suite.before(async () => {
  if (findProgram('chromium')) browser = await openBrowser();
});
suite.after.each(async () => {
  for (const context of browser?.contexts() ?? []) await context.close();
  for (const server of servers) await server.close();
  servers.clear();
});
suite.after(() => browser?.close());

async function serve(fleet: HandFleet, port = 0): Promise<RunningHttp> {
  const http = await startHttp({ host: '127.0.0.1', port, fleet, log: silentLog, dashboardFolder });
  servers.add(http);
  return http;
}

interface Opened {
  readonly page: Page;
  /** Errors on the console, uncaught ones, and requests to any other address. */
  readonly faults: string[];
}

async function open(port: number, width = 1280, height = 800): Promise<Opened> {
  const context = await browser.newContext({ viewport: { width, height } });
  const page = await context.newPage();
  page.setDefaultTimeout(patienceMs);
  const faults: string[] = [];
  page.on('console', message => {
    if (message.type() === 'error' || message.type() === 'warning') faults.push(message.text());
  });
  page.on('pageerror', error => faults.push(String(error)));
  page.on('dialog', dialog => {
    faults.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('request', request => {
    if (new URL(request.url()).host !== `127.0.0.1:${port}`) faults.push(`request to ${request.url()}`);
  });
  await page.goto(`http://127.0.0.1:${port}/`);
  await page.locator('body[data-link="live"]').waitFor();
  return { page, faults };
}

const card = (page: Page, id: string) => page.locator(`.card[data-node="${id}"]`);
/** Waits for the text, and fails with what was there instead. */
async function says(page: Page, selector: string, text: string | RegExp): Promise<void> {
  try {
    await page.locator(selector, { hasText: text }).first().waitFor();
  } catch {
    const there = await page.locator(selector).allTextContents();
    assert.fail(`${selector} says ${JSON.stringify(there)}, not ${text}`);
  }
}
const shown = (page: Page) => page.locator('.card:visible').evaluateAll(all => all.map(one => one.dataset.node));

testWith(suite, ['chromium'], 'cards appear, change live, and go', async () => {
  const fleet = handFleet(sampleFleet(Date.now()));
  fleet.change({}, sampleEvents(Date.now()));
  const { port } = await serve(fleet);
  const { page, faults } = await open(port);
  await says(page, '[data-node="attic-pi"] .badge', /^online$/);
  await says(page, '[data-node="shed-atom"] .badge', /^offline$/);
  await says(page, '[data-node="cellar-ryzen"] .badge', /^crash-loop$/);
  await says(page, '[data-service="indexer"]', /5 restarts · exit code 1 · cannot open/);
  await says(page, '[data-node="cellar-ryzen"] .want', 'services/indexer: crash-loop');
  await says(page, '[data-node="kitchen-pixel"] .want', 'at revision 39, going to 42');
  await says(page, '[data-node="attic-pi"] .facts', 'Cortex-A72 · 4 cores · 3.7 GB · Debian 12 · arm64');
  await says(page, '#total-online', '5 / 6');
  await says(page, '#total-cores', '64');
  await says(page, '#events li >> nth=0', 'indexer ended 5 times');
  // No key, no meter: this one has no thermometer.
  assert.equal(await card(page, 'kitchen-pixel').locator('.meter', { hasText: 'Temp.' }).isVisible(), false);
  assert.equal(await card(page, 'attic-pi').locator('.meter', { hasText: 'Temp.' }).isVisible(), true);

  const load = { node: 'attic-pi', epoch: 3, seq: 9, cpu_pct: 77, temp_c: 71.6, mem_pct: 12, up_s: 7200 };
  fleet.change({ 'attic-pi': { load, cores: [100, 100, 100, 100] } });
  await says(page, '[data-node="attic-pi"] .meter', /CPU77 %/);
  await says(page, '[data-node="attic-pi"] .meter', /72 °C/);
  await says(page, '[data-node="attic-pi"] .flow', /^up 2 h$/);
  const hot = () => card(page, 'attic-pi').locator('path.hot').getAttribute('d');
  await until('four bars', async () => (await hot())?.split('M').length === 5);

  fleet.change({ 'attic-pi': { online: false, since_ms: Date.now() } });
  await says(page, '[data-node="attic-pi"] .badge', /^offline$/);
  await says(page, '[data-node="attic-pi"] .since', /^offline for (\d+ s|\d min)$/);
  await says(page, '#total-online', '4 / 6');
  await says(page, '#spoken', 'attic-pi offline');

  fleet.change({ 'attic-pi': null, n10: { online: true }, n2: { online: true } });
  await card(page, 'n10').waitFor();
  await card(page, 'attic-pi').waitFor({ state: 'detached' });
  const inOrder = 'cellar-ryzen hall-thinkpad kitchen-pixel n2 n10 office-xeon shed-atom';
  await until(`in order: ${inOrder}`, async () => (await shown(page)).join(' ') === inOrder);
  assert.deepEqual(faults, []);
});

testWith(suite, ['chromium'], 'search and filter', async () => {
  const fleet = handFleet(sampleFleet(Date.now()));
  const { page } = await open((await serve(fleet)).port);
  await card(page, 'attic-pi').waitFor();
  // The tools come with the first frame, a moment after the cards; a key before that is for nobody.
  await page.locator('#search').waitFor();
  await page.keyboard.press('/');
  await page.keyboard.type('debian running');
  assert.equal(await page.inputValue('#search'), 'debian running');
  await until('three fit', async () => (await shown(page)).join(' ') === 'attic-pi hall-thinkpad shed-atom');
  // A change moves a node into the search and out of it.
  fleet.change({ 'attic-pi': { info: { node: 'attic-pi', os: 'Alpine' } } });
  await until('two fit', async () => (await shown(page)).length === 2);
  await page.fill('#search', 'no such thing');
  await page.locator('#none').waitFor();
  await page.fill('#search', '');
  await page.getByLabel('Trouble').check();
  await until('one fits', async () => (await shown(page)).join() === 'cellar-ryzen');
  await page.getByLabel('Offline').check();
  await until('the other', async () => (await shown(page)).join() === 'shed-atom');
});

testWith(suite, ['chromium'], 'HTML from a node is text', async () => {
  const evil = '<img src=x onerror=alert(1)><script>alert(2)</script>';
  const now = Date.now();
  const items = { [`services/${evil}`]: { state: evil, err: evil, signal: evil, restarts: 1 } };
  const node: NodeView = {
    ...{ id: 'n1', online: true, since_ms: now, want_rev: 1 },
    info: { node: 'n1', cpu: evil, os: evil, arch: evil, room: evil, ver: evil },
    is: { node: 'n1', epoch: 1, state: 'ready', rev: 1, err: evil, ver: evil, items },
  };
  const fleet = handFleet([node, { ...node, id: evil }, { ...node, id: '__proto__' }, { ...node, id: '"]{}</style>' }]);
  fleet.change({}, [{ at_ms: now, level: 'error', kind: evil, node: evil, text: evil }]);
  const { page, faults } = await open((await serve(fleet)).port);
  await says(page, '[data-node="n1"] .services .name', evil);
  await says(page, '[data-node="n1"] .want', evil);
  await says(page, '#events li', evil);
  await until('four cards', async () => (await page.locator('.card').count()) === 4);
  assert.equal(await page.locator('main img, main script, aside img, aside script').count(), 0);
  assert.deepEqual(faults, []);
});

testWith(suite, ['chromium'], 'the line comes back after the supervisor was away, with the present', async () => {
  const port = await freePort();
  const first = handFleet(sampleFleet(Date.now()), 500);
  const before = await serve(first, port);
  const { page } = await open(port);
  await card(page, 'attic-pi').waitFor();
  servers.delete(before);
  await before.close();
  await says(page, '#link', 'reconnecting…');
  const grey = () => page.evaluate("getComputedStyle(document.getElementById('grid')).filter");
  await until('grey', async () => (await grey()) === 'grayscale(1)');
  await says(page, '[data-node="attic-pi"] .badge', /^online$/);
  // Another process: its sequence begins anew, one node is gone and one is new.
  const second = handFleet([
    ...sampleFleet(Date.now()).slice(1),
    { id: 'new-one', online: true, since_ms: 1, want_rev: 0 },
  ]);
  await serve(second, port);
  await page.locator('body[data-link="live"]').waitFor();
  await card(page, 'new-one').waitFor();
  await card(page, 'attic-pi').waitFor({ state: 'detached' });
  await until('no longer grey', async () => (await grey()) === 'none');
  second.change({ 'new-one': { online: false } });
  await says(page, '[data-node="new-one"] .badge', /^offline$/);
});

testWith(suite, ['chromium'], 'a missed change brings a fresh snapshot', async () => {
  const fleet = handFleet(sampleFleet(Date.now()));
  const { port } = await serve(fleet);
  const { page } = await open(port);
  await card(page, 'attic-pi').waitFor();
  fleet.skip();
  fleet.change({ 'attic-pi': { online: false } });
  await says(page, '[data-node="attic-pi"] .badge', /^offline$/);
  await page.locator('body[data-link="live"]').waitFor();
});

testWith(suite, ['chromium'], 'an empty cluster tells how to begin, and the lines are right', async () => {
  const fleet = handFleet();
  const { page, faults } = await open((await serve(fleet)).port);
  await says(page, '#start-title', 'No node has joined yet');
  await says(page, '#line-agent', 'hearth agent --broker mqtt://localhost:1883 --node n1');
  fleet.change({ pi4: { online: true } });
  await says(page, '#line-set', "mosquitto_pub -t hearth/node/pi4/set/services/hello -m 'sleep 1000'");
  await says(page, '#line-clear', 'mosquitto_pub -t hearth/node/pi4/set/services/hello -n');
  assert.equal(await page.locator('#line-agent').isVisible(), false);
  const [pi] = sampleFleet(1);
  if (pi) fleet.change({ pi4: { is: pi.is } as Partial<NodeView> });
  await page.locator('#start').waitFor({ state: 'hidden' });
  assert.deepEqual(faults, []);
});

testWith(suite, ['chromium'], 'nothing is wider than a phone', async () => {
  const long = 'x'.repeat(64);
  const node: NodeView = {
    ...{ id: 'a-rather-long-node-1', online: true, since_ms: Date.now(), want_rev: 1, cores: Array(256).fill(50) },
    info: { node: 'n', cpu: 'C'.repeat(256), os: 'O'.repeat(256) },
    is: {
      ...{ node: 'n', epoch: 1, state: 'ready', rev: 1, err: 'e'.repeat(500), ver: 'v'.repeat(32) },
      items: { [`services/${long}`]: { state: 'crash-loop', err: 'e'.repeat(300) } },
    },
  };
  for (const [fleet, width] of [
    [handFleet([...sampleFleet(Date.now()), node]), 360],
    [handFleet(), 360],
    [handFleet(), 320],
  ] as const) {
    fleet.change({}, [{ at_ms: 1, level: 'warn', kind: 'k'.repeat(40), node: 'n'.repeat(20), text: 't'.repeat(500) }]);
    const http = await serve(fleet);
    const { page } = await open(http.port, width, 740);
    await page.locator('#events li').waitFor();
    if (fleet.snapshot().nodes.length > 0) await says(page, '.card .want', 'eeee');
    const wide = await page.evaluate<number>('document.documentElement.scrollWidth');
    assert.ok(wide <= width, `${wide} > ${width}`);
    const over = await page
      .locator('.card > *')
      .evaluateAll(all => all.filter(one => one.scrollWidth > one.clientWidth + 1).map(one => one.className));
    assert.deepEqual(over, [], 'parts of cards that stick out');
  }
});

testWith(
  suite,
  ['chromium'],
  '2,000 nodes: shown soon, a change to 100 of them costs little, only near ones are built',
  async () => {
    const [one] = sampleFleet(Date.now());
    assert.ok(one);
    const nodes = Array.from({ length: 2000 }, (_, index) => ({ ...one, id: `n${index}` }));
    const fleet = handFleet(nodes);
    const { port } = await serve(fleet);
    const { page, faults } = await open(port);
    await says(page, '[data-node="n0"] .want', 'as wanted');
    await until('a card each', async () => (await page.locator('.card').count()) === 2000);
    const built = await page.locator('.card .want').count();
    assert.ok(built < 200, `${built} cards have a body`);
    // As text: the tests' types know no browser.
    await page.evaluate(`{
      window.longest = 0;
      const watch = new PerformanceObserver(list => {
        for (const { duration } of list.getEntries()) window.longest = Math.max(window.longest, duration);
      });
      watch.observe({ entryTypes: ['longtask'] });
      window.touched = new Set();
      new MutationObserver(records => {
        for (const { target } of records) {
          const element = target.nodeType === 1 ? target : target.parentElement;
          window.touched.add(element?.closest('.card')?.dataset.node ?? 'the grid itself');
        }
      }).observe(document.getElementById('grid'), { subtree: true, childList: true, attributes: true, characterData: true });
    }`);
    for (let round = 1; round <= 20; round += 1) {
      const ids = Array.from({ length: 100 }, (_, index) => `n${(index * 20 + round) % 2000}`).concat('n0');
      const load = { node: 'n0', epoch: 1, seq: round, cpu_pct: round };
      fleet.change(Object.fromEntries(ids.map(id => [id, { load, cores: [round, 1, 2, 3] }])));
      await says(page, '[data-node="n0"] .meter', new RegExp(`CPU${round} %`));
      const touched = await page.evaluate<string[]>(
        '{ const all = [...window.touched]; window.touched.clear(); all; }',
      );
      assert.ok(!touched.includes('the grid itself'), 'cards were moved');
      // Cards that are built tell ages, too, and those go on by themselves.
      assert.ok(touched.includes('n0') && touched.length <= ids.length + built, `${touched.length} cards were touched`);
    }
    const longest = await page.evaluate<number>('window.longest');
    console.log(`longest task while 100 of 2,000 nodes change: ${Math.round(longest)} ms`);
    await page.locator('.card[data-node="n1999"]').scrollIntoViewIfNeeded();
    await says(page, '[data-node="n1999"] .want', 'as wanted');
    assert.deepEqual(faults, []);
  },
);

suite.run();
