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

size.run();
