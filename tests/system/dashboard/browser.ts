/** A real browser of the test's own: its own profile, no request of its own to anywhere. */
import { type Browser, chromium } from 'playwright-core';
import { patienceMs } from '../../fixture/processes.ts';
import { findProgram } from '../../fixture/programs.ts';

export function openBrowser(further: readonly string[] = []): Promise<Browser> {
  const executablePath = findProgram('chromium');
  if (!executablePath) throw new Error('chromium is not installed');
  return chromium.launch({
    executablePath,
    headless: true,
    timeout: 2 * patienceMs,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...further,
    ],
  });
}
