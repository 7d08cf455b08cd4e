/** Home Assistant's own pages in a browser that is logged in. */
import type { Browser, Page } from 'playwright-core';
import { patienceMs } from '../../fixture/processes.ts';
import type { HomeAssistant } from './home-assistant.ts';

/** A dashboard of its own with this one view. @returns the view's path. */
export async function addView(home: HomeAssistant, view: Readonly<Record<string, unknown>>): Promise<string> {
  await home.ask('lovelace/dashboards/create', {
    ...{ url_path: 'hearth-test', title: 'Hearth', mode: 'storage' },
    ...{ require_admin: false, show_in_sidebar: true },
  });
  await home.ask('lovelace/config/save', { url_path: 'hearth-test', config: { views: [view] } });
  return `/hearth-test/${view.path}`;
}

export async function openPage(
  browser: Browser,
  home: HomeAssistant,
  path: string,
  { width = 1280, height = 900 } = {},
): Promise<Page> {
  const page = await browser.newPage({ viewport: { width, height }, deviceScaleFactor: 2, locale: 'en' });
  page.setDefaultTimeout(2 * patienceMs);
  const tokens = JSON.stringify(JSON.stringify(home.tokens()));
  await page.addInitScript(`localStorage.setItem('hassTokens', ${tokens})`);
  await page.goto(`${home.url}${path}?kiosk`);
  return page;
}
