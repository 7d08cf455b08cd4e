/**
 * Each property must be able to fail: a part of the world is broken on purpose, and the simulator has to notice. Shares
 * cores: it keeps one busy all the time.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { report } from './report.ts';
import { run } from './run.ts';
import { type Breakage, breakages } from './world.ts';

const broken = suite('a broken part is noticed');
/** Seeds tried before a breakage counts as unnoticed. */
const seeds = 600;

/** What each breakage violates. */
const expected: Readonly<Record<Breakage, readonly string[]>> = {
  'phantom-wills': ['flap', 'offline-for-ever', 'presence'],
  'lost-offline': ['online-for-ever', 'presence'],
  'deaf-broker': ['offline-for-ever', 'presence'],
  'early-ack': ['synced-first'],
  'lost-batch': ['synced-first', 'kept', 'one-document'],
  'double-start': ['twin'],
  'replayed-want': ['rev-forward'],
  'deaf-node': ['reached'],
  'gullible-node': ['foreign'],
  'killing-adoption': ['undisturbed'],
  'impatient-clock': ['bounds'],
  'usurping-node': ['direction'],
  'mute-executor': ['jobs'],
  'forgotten-commits': ['committed-twice', 'jobs'],
};

for (const breaks of breakages) {
  broken(breaks, () => {
    for (let seed = 1; seed <= seeds; seed++) {
      const outcome = run({ seed, breaks });
      // A broken part has other consequences too; the one that names it has to be among the first violations.
      if (outcome.violation && expected[breaks].includes(outcome.violation.property)) return;
    }
    assert.unreachable(`not noticed in ${seeds} runs`);
  });
}

broken('the report names the property, the faults it needs and the way to see it again', () => {
  const options = { seed: 1, breaks: 'double-start' } as const;
  const outcome = run(options);
  assert.ok(outcome.violation);
  const text = report(options, outcome);
  assert.match(text, /VIOLATED twin at [\d.]+ s: n\d runs two of/);
  assert.match(text, /npm run sim -- --seed 1 --break double-start --trace/);
  assert.match(text, /faults it needs: none/);
  assert.match(text, /start \S+: serve \d+/);
});

broken.run();
