/** The largest `is` that a node can come to say is one that a supervisor reads. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { reportLimits } from '../../broker/fleet/reports.ts';
import { cut, describeEnd } from '../../node-agent/reconcile/services/spec.ts';
import { isText } from '../../node-agent/session/reports.ts';
import { limits } from '../../shared/limits.ts';
import { isPayload } from '../../shared/schemas/observed.ts';

const size = suite('size of is');
const longest = { state: 'crash-loop', pid: 4_194_304, since_ms: 1.8e12, next_ms: 1.8e12, restarts: 1e9, exit: 127 };

for (const [what, character] of [
  ['ASCII', 'a'],
  ['quotes', '"'],
  ['control characters', '\u0000'],
  ['Chinese', '中'],
  ['emoji', '🔥'],
  ['half of one', '\ud83d'],
] as const) {
  size(`every service in a crash loop, its last words in ${what}`, () => {
    const words = character.repeat(5000);
    const unknown = 'nobody saw how: its shim was ended by somebody else';
    for (const err of [describeEnd({ unknown }, 1e9, 1e9, words), cut(`cannot be started: ${words}`)]) {
      assert.ok(err.length <= 300, String(err.length));
      const item = { ...longest, signal: 'STKFLT', err };
      const names = Array.from({ length: limits.services }, (_, index) => String(index).padStart(64, 'x'));
      const items = Object.fromEntries(names.map(name => [`services/${name}`, item]));
      const about = { node: 'n'.repeat(20), epoch: Number.MAX_SAFE_INTEGER, ver: '0'.repeat(32), rev: 1e15 };
      const text = isText({ ...about, state: 'ready', errors: ['中'.repeat(500)], items });
      assert.ok(Buffer.byteLength(text) <= reportLimits.is, `${Buffer.byteLength(text)} bytes`);
      isPayload.parse(JSON.parse(text));
    }
  });
}

size(
  'as many items as a node may have, each with as much to say as it may: cut as far as needed, none left out',
  () => {
    const words = '\u0000'.repeat(2000);
    const item = { ...longest, err: words.slice(0, 300), doing: words.slice(0, 160), ver: 'v'.repeat(128) };
    const counts = { packages: limits.packages, files: limits.files, services: limits.services, checks: limits.checks };
    const items = Object.fromEntries(
      Object.entries(counts).flatMap(([kind, count]) =>
        Array.from({ length: count }, (_, index) => [
          `${kind}/${String(index).padStart(64, 'x')}`,
          kind === 'checks'
            ? { state: 'fail', severity: 'critical' as const, saw: words.slice(0, 200), err: words.slice(0, 300) }
            : { ...item, diff: words.slice(0, 600) },
        ]),
      ),
    );
    const about = { node: 'n'.repeat(20), epoch: Number.MAX_SAFE_INTEGER, ver: '0'.repeat(32), rev: 1e15 };
    const text = isText({ ...about, state: 'ready', errors: ['中'.repeat(500)], items });
    assert.ok(Buffer.byteLength(text) <= reportLimits.is, `${Buffer.byteLength(text)} bytes`);
    const read = isPayload.parse(JSON.parse(text));
    assert.equal(Object.keys(read.items), Object.keys(items));
    assert.equal(read.items[`checks/${'0'.padStart(64, 'x')}`], { state: 'fail', severity: 'critical' });
  },
);

size('what fits is said whole; of what does not, diffs go first', () => {
  const about = { node: 'n', epoch: 1, ver: '1', rev: 1, state: 'ready' as const, errors: [] };
  const few = { 'files/a': { state: 'drifted', diff: 'd'.repeat(600), err: 'e' } };
  assert.equal(JSON.parse(isText({ ...about, items: few })).items, few);
  const many = Object.fromEntries(Array.from({ length: 400 }, (_, index) => [`files/${index}`, few['files/a']]));
  assert.equal(JSON.parse(isText({ ...about, items: many })).items['files/7'], { state: 'drifted', err: 'e' });
});

size.run();
