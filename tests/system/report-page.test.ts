/** The HTML of a report in a real browser: nothing runs, nothing is fetched, and it fits a phone. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser } from 'playwright-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { buildReport } from '../../cli/report/build.ts';
import { reportHtml } from '../../cli/report/html.ts';
import { folder } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';
import { openBrowser } from './dashboard/browser.ts';

const page = suite<{ browser?: Browser }>('report in a browser');
page.after(async ({ browser }) => browser?.close());

const attack = `<img src="http://127.0.0.1:1/x" onerror="document.title='broken in'"><script>document.title='broken in'</script>`;

testWith(page, ['chromium'], 'hostile words stay words, by day and by night, on a phone', async context => {
  const checks = {
    a: { command: { run: 'x' }, runbook: attack },
    b: { command: { run: 'x' }, runbook: 'http://127.0.0.1:1/book' },
  };
  const long = 'x'.repeat(139);
  const items = {
    'checks/a': { state: 'fail', severity: 'critical' as const, saw: attack, since_ms: 1 },
    'checks/b': { state: 'fail', severity: 'info' as const, saw: long },
    [long]: { state: attack.slice(0, 20), err: attack },
  };
  const is = { node: 'n1', epoch: 1, state: 'ready' as const, rev: 1, err: attack, ver: '0.1.0', items };
  const known = { nodes: new Map([['n1', { id: 'n1', online: true, is, info: { node: 'n1', os: attack } }]]) };
  const file = join(folder(), 'report.html');
  writeFileSync(
    file,
    reportHtml(buildReport(known, new Map([['n1', { rev: 1, checks }]]), { base: 'hearth', now: 2e12 })),
  );

  context.browser = await openBrowser();
  const opened = await context.browser.newPage({ viewport: { width: 390, height: 844 } });
  const asked: string[] = [];
  opened.on('request', request => asked.push(request.url()));
  const grounds = new Set<string>();
  for (const colorScheme of ['light', 'dark'] as const) {
    await opened.emulateMedia({ colorScheme });
    await opened.goto(pathToFileURL(file).href);
    grounds.add(await opened.evaluate('getComputedStyle(document.body).backgroundColor'));
  }
  assert.equal(new Set(asked), new Set([pathToFileURL(file).href]), 'nothing else is fetched');
  assert.match(await opened.title(), /^Report of hearth, /);
  assert.is(await opened.evaluate('document.querySelectorAll("script, img, iframe, object, link, form").length'), 0);
  assert.is(await opened.locator('a').count(), 1);
  assert.is((await opened.getByText(attack).count()) > 0, true, 'it is shown as it was said');
  assert.is(grounds.size, 2, 'dark is another colour');
  const wide = await opened.evaluate<number>('document.documentElement.scrollWidth');
  assert.ok(wide <= 390, `${wide} pixels wide`);
});

page.run();
