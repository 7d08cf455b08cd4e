/** Rooms on the dashboard: a real browser, a real supervisor; and what only a fleet driven by hand can show. */
import * as assert from 'node:assert/strict';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { suite as describe } from 'uvu';
import { startHttp } from '../../broker/http/server.ts';
import { silentLog } from '../../shared/log.ts';
import { up } from '../fixture/cluster.ts';
import { connectClient } from '../fixture/mqtt-client.ts';
import { patienceMs, until } from '../fixture/processes.ts';
import { findProgram, testWith } from '../fixture/programs.ts';
import { openBrowser } from './dashboard/browser.ts';
import { handFleet } from './dashboard/hand-fleet.ts';
import { sampleFleet, sampleRooms } from './dashboard/sample-fleet.ts';

const suite = describe('dashboard: rooms');
let browser: Browser;

suite.before(async () => {
  if (findProgram('chromium')) browser = await openBrowser();
});
suite.after.each(async () => {
  for (const context of browser?.contexts() ?? []) await context.close();
});
suite.after(() => browser?.close());

async function open(port: number, width = 1280): Promise<{ page: Page; faults: string[] }> {
  const page = await (await browser.newContext({ viewport: { width, height: 800 } })).newPage();
  page.setDefaultTimeout(patienceMs);
  const faults: string[] = [];
  page.on('console', message => {
    // The browser itself tells of every answer that is a refusal.
    if (message.type() === 'error' && !/status of 422/.test(message.text())) faults.push(message.text());
  });
  page.on('pageerror', error => faults.push(String(error)));
  await page.goto(`http://127.0.0.1:${port}/`);
  await page.locator('body[data-link="live"]').waitFor();
  return { page, faults };
}

const card = (page: Page, id: string) => page.locator(`.room[data-room="${id}"]`);
async function says(page: Page, part: string, text: string | RegExp): Promise<void> {
  const there = page.locator(`.room ${part}`);
  await there
    .filter({ hasText: text })
    .first()
    .waitFor()
    .catch(async () => assert.fail(`${part} says ${JSON.stringify(await there.allTextContents())}, not ${text}`));
}

testWith(suite, ['chromium'], 'a room appears, is turned with the mouse and by keys, refuses, and goes', async () => {
  const cluster = await up({ flags: ['--no-agent'] });
  const topics = ['own', 'result'].map(part => `hearth/room/attic/${part}`);
  const broker = await connectClient(cluster.url, topics);
  const evil = '<img src=x onerror=alert(1)>';
  const { page, faults } = await open(cluster.ready.http);
  assert.equal(await page.locator('#rooms').isVisible(), false, 'without rooms there is no band');
  const set = (document: object) => broker.publish('hearth/room/attic/set', JSON.stringify(document), { qos: 1 });
  await set({ name: evil, target_c: 20 });
  await broker.publish('hearth/room/attic/in/temp_c', '18.5', { qos: 1 });
  await set({ mode: 'heat' });
  await says(page, 'h3', evil);
  await says(page, '.temperature', '18.5 °C');
  await says(page, '.badge', /^offline$/);
  await says(page, '.facts', 'no node online');
  const attic = card(page, 'attic');
  const field = attic.getByLabel(`Target of ${evil} in °C`);
  const target = (text: string) => until(`the field shows ${text}`, async () => (await field.inputValue()) === text);
  const own = (what: string, holds: (own: Record<string, unknown>) => boolean) =>
    broker.wait(what, ({ topic, text }) => topic.endsWith('/own') && text !== '' && holds(JSON.parse(text)));
  const answers = () => broker.heard.filter(({ topic }) => topic.endsWith('/result'));
  await target('20.0');

  broker.forget();
  const warmer = attic.getByRole('button', { name: `Warmer: ${evil}` });
  // In one turn of the page: presses that come slower than it waits for another are changes of their own.
  await warmer.evaluate(button => {
    for (let press = 0; press < 3; press++) button.click();
  });
  await target('21.5');
  await own('three presses', ({ target_c }) => target_c === 21.5);
  // Pending until `is` follows.
  await until('nothing is pending', async () => (await attic.locator('.turning').textContent()) === '');
  assert.equal(await field.inputValue(), '21.5');
  const said = answers().map(({ text }) => JSON.parse(text));
  assert.deepEqual([said.length, said[0]?.ok, said[0]?.value], [1, true, '{"target_c":21.5}'], 'one set');
  await attic.getByRole('button', { name: `Colder: ${evil}` }).focus();
  await page.keyboard.press('Enter');
  await own('a key', ({ target_c }) => target_c === 21);

  // What is being typed stays, whatever comes in; what is refused is told, and the old value is back.
  await field.fill('40');
  await set({ target_c: 19 });
  await own('the other one', ({ target_c }) => target_c === 19);
  await set({ max_w: 300 });
  await says(page, '.facts', 'at most 300 W');
  assert.equal(await field.inputValue(), '40');
  await field.press('Enter');
  await says(page, '.fault', '40.0 °C was not set: target_c: at most 30 °C');
  await target('19.0');
  await field.fill('warm');
  await field.press('Enter');
  await says(page, '.fault', '"warm" is no temperature: write it as 21.5.');
  await target('19.0');

  await attic.getByLabel(`Preset of ${evil}`).selectOption('eco');
  await own('the preset', ({ preset }) => preset === 'eco');
  await target('17.0');
  await attic.getByLabel('Off', { exact: true }).check();
  await own('off', ({ mode }) => mode === 'off');
  await says(page, '.badge', /^off$/);
  assert.equal(await attic.locator('.fault').textContent(), '', 'what was refused is history');
  // What is no JSON is refused on the broker and nothing to the page. What was refused before is not meant.
  broker.forget();
  await broker.publish('hearth/room/attic/set', '{"mode":', { qos: 1 });
  await broker.wait('a refusal', ({ topic, text }) => topic.endsWith('/result') && text.includes('"ok":false'));

  await broker.publish('hearth/room/attic/do/forget', '', { qos: 1 });
  await attic.waitFor({ state: 'detached' });
  assert.equal(await page.locator('#rooms').isVisible(), false);
  assert.deepEqual(faults, []);
  await broker.close();
  assert.equal(await cluster.process.stop(), 0);
});

testWith(
  suite,
  ['chromium'],
  'hostile rooms fit a phone; machines show their part; an answer may be long in coming',
  async () => {
    const fleet = handFleet(sampleFleet(Date.now()));
    for (const room of sampleRooms(Date.now())) fleet.putRoom(room.id, room);
    let answer = () => {};
    const asked: object[] = [];
    const http = await startHttp({
      ...{
        host: '127.0.0.1',
        port: 0,
        fleet,
        log: silentLog,
        dashboardFolder: join(import.meta.dirname, '../../dashboard'),
      },
      rooms: {
        set: (_room, patch) => {
          asked.push(patch);
          return new Promise(resolve => {
            answer = () => resolve({ ok: true, rev: 5 });
          });
        },
      },
    });
    const { page, faults } = await open(http.port, 320);
    const [study] = sampleRooms(Date.now());
    assert.ok(study?.is);
    await page.locator('[data-node="hall-thinkpad"] .flow', { hasText: '43 W   heat 38 W' }).waitFor();
    await page.locator('[data-node="hall-thinkpad"] .facts', { hasText: 'room study' }).waitFor();
    await says(page, '.age', 'no reading for 25 min');
    // Pressed while the answer is awaited: it goes after it, and the room's older word does not turn it back.
    const field = card(page, 'study').locator('input[inputmode]');
    const warmer = card(page, 'study').getByRole('button', { name: 'Warmer: Study' });
    await warmer.click();
    await until('it is asked', () => asked.length === 1);
    await says(page, '.turning', 'setting 22.0 °C …');
    await warmer.click();
    fleet.putRoom('study', { ...study, is: { ...study.is, heat_w: 111 } });
    await says(page, '.figures', '111 W');
    assert.equal(await field.inputValue(), '22.5');
    assert.equal(asked.length, 1);
    answer();
    await until('it is asked again', () => asked.length === 2);
    answer();
    fleet.putRoom('study', { ...study, is_rev: 5, is: { ...study.is, target_c: 22.5 } });
    await until('nothing is pending', async () => (await card(page, 'study').locator('.turning').textContent()) === '');
    assert.deepEqual([asked, await field.inputValue()], [[{ target_c: 22 }, { target_c: 22.5 }], '22.5']);

    const long = 'x'.repeat(64);
    fleet.putRoom('__proto__', { ...study, id: '__proto__', name: long, is: { ...study.is, err: 'e'.repeat(300) } });
    await says(page, 'h3', long);
    const wide = await page.evaluate<number>('document.documentElement.scrollWidth');
    assert.ok(wide <= 320, `${wide} > 320`);
    const over = await page
      .locator('.room > *')
      .evaluateAll(all => all.filter(one => one.scrollWidth > one.clientWidth + 1).map(one => one.className));
    assert.deepEqual(over, [], 'parts of rooms that stick out');
    assert.deepEqual(faults, []);
    await http.close();
  },
);

suite.run();
