/** Checks of a want that this version of the agent does not understand are told as unknown, and keep no other from being looked at. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { pass } from '../../node-agent/checks/finding.ts';
import { createChecks, readChecks } from '../../node-agent/checks/index.ts';
import { wantPayload } from '../../shared/schemas/want.ts';
import { manualClock, seededRandom } from '../fixture/manual-clock.ts';

const test = suite('checks: read from a want');
const from = 'role/all';

test('a kind, a set and a value of a later version', () => {
  const wanted = {
    disk: { disk: { path: '/', max_pct: 90 }, severity: 'critical', from },
    later: { quantum: { entangled: true }, from },
    wrong: { disk: 5, from },
    set: { set: 'moonbase', from },
    nothing: { from },
  };
  const authority = { cluster: 'a'.repeat(32), key: 'k', gen: 0, rev: 1, node: 'n1', services: {} };
  const want = wantPayload.parse({ ...authority, checks: wanted });
  assert.equal(want.checks, wanted, 'the whole want is taken all the same');
  const read = readChecks(want.checks);
  assert.equal(read.disk, { disk: { path: '/', max_pct: 90 }, severity: 'critical' });
  for (const name of ['later', 'wrong', 'set', 'nothing']) assert.equal(read[name], {}, name);
  const clock = manualClock();
  const prober = {
    probe: (check: object, _: AbortSignal, done: (finding: ReturnType<typeof pass>) => void) =>
      done('disk' in check ? pass('fine') : { state: 'unknown', saw: 'this version does not know it' }),
  };
  const table = createChecks({ clock, random: seededRandom(), prober }, { changed() {}, notice() {} });
  table.set(read);
  clock.advance(120_000);
  const states = Object.fromEntries(Object.entries(table.items()).map(([path, { state }]) => [path, state]));
  assert.equal(states, {
    'checks/disk': 'pass',
    'checks/later': 'unknown',
    'checks/nothing': 'unknown',
    'checks/set': 'unknown',
    'checks/wrong': 'unknown',
  });
  table.close();
});

test.run();
