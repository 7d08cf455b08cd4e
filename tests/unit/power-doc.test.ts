/** What docs/power.md shows is accepted, and its figures are those of the code. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { calibrationRules } from '../../broker/heat/power/calibration.ts';
import { staleMs } from '../../broker/heat/power/draw.ts';
import { longestGapMs } from '../../broker/heat/power/ledger.ts';
import { nodeHeatInput, powerPayload } from '../../shared/schemas/heat.ts';
import { plugInput } from '../../shared/schemas/reading.ts';

const doc = suite('docs/power.md');
const page = readFileSync(join(import.meta.dirname, '../../docs/power.md'), 'utf8');

doc('commands are accepted', () => {
  const sets = [...page.matchAll(/-t hearth\/node\/n3\/set(\S*) -m '([^']+)'/g)];
  assert.is(sets.length, 4);
  for (const [, path, text = ''] of sets) {
    const value: unknown = text.startsWith('{') ? JSON.parse(text) : text;
    if (path === '/heat/plug') plugInput.parse(value);
    else nodeHeatInput.parse((value as { heat: unknown }).heat);
  }
});

doc('messages are what is published', () => {
  const shown = [...page.matchAll(/^hearth\/node\/n3\/power (\{.*\})$/gm)];
  assert.is(shown.length, 1);
  powerPayload.parse(JSON.parse(shown[0]?.[1] ?? ''));
});

doc('figures are those of the code', () => {
  const { shares, settleMs, readMs } = calibrationRules;
  assert.equal(shares, [0, 0.1, 0.3, 0.5, 0.7, 1]);
  assert.match(page, `${settleMs / 1000} s to settle, ${readMs / 1000} s to read`);
  assert.is(staleMs, 120_000);
  assert.is(longestGapMs, 30_000);
});

doc.run();
