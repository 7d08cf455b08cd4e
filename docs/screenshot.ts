/**
 * Draws docs/dashboard.png for the README from a made-up fleet: `node deploy/start.mjs --run docs/screenshot.ts`.
 * With a folder as argument, every view (desktop, phone, dark, empty) goes there instead, to look at while working on it.
 */
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { startHttp } from '../broker/http/server.ts';
import { silentLog } from '../shared/log.ts';
import { openBrowser } from '../tests/system/dashboard/browser.ts';
import { type HandFleet, handFleet } from '../tests/system/dashboard/hand-fleet.ts';
import { sampleEvents, sampleFleet, sampleRooms } from '../tests/system/dashboard/sample-fleet.ts';

const root = join(import.meta.dirname, '..');
const [folder] = process.argv.slice(2);

interface View {
  readonly file: string;
  readonly width: number;
  readonly height: number;
  readonly dark?: boolean;
  readonly full?: boolean;
}

const readme: View = { file: join(root, 'docs/dashboard.png'), width: 1340, height: 1040 };
const filled: readonly View[] = folder
  ? [
      { file: join(folder, 'desktop.png'), width: 1340, height: 800 },
      { file: join(folder, 'dark.png'), width: 1340, height: 800, dark: true },
      { file: join(folder, 'phone.png'), width: 390, height: 844 },
      { file: join(folder, 'phone-full-dark.png'), width: 390, height: 844, dark: true, full: true },
    ]
  : [readme];

const browser = await openBrowser();
try {
  const fleet = handFleet(sampleFleet(Date.now()));
  fleet.change({}, sampleEvents(Date.now()));
  for (const room of sampleRooms(Date.now())) fleet.putRoom(room.id, room);
  await draw(browser, fleet, filled);
  if (folder) await draw(browser, handFleet(), [{ file: join(folder, 'empty.png'), width: 390, height: 844 }]);
} finally {
  await browser.close();
}

async function draw(browser: Browser, fleet: HandFleet, views: readonly View[]): Promise<void> {
  const log = { ...silentLog, warn: console.error };
  const http = await startHttp({ host: '127.0.0.1', port: 0, fleet, log, dashboardFolder: join(root, 'dashboard') });
  for (const { file, width, height, dark, full } of views) {
    const page = await browser.newPage({ viewport: { width, height }, colorScheme: dark ? 'dark' : 'light' });
    page.on('console', message => console.log(message.text()));
    page.on('pageerror', error => console.log(error));
    await page.goto(`http://127.0.0.1:${http.port}/`);
    await page.locator(fleet.snapshot().nodes.length > 0 ? '.card .want >> nth=0' : '#start').waitFor();
    await page.screenshot({ path: file, fullPage: full ?? false });
    await page.close();
    console.log(file);
  }
  await http.close();
}
