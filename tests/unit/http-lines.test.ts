/** Streams and WebSockets end when who opened them would not be let in any more. */
import * as assert from 'node:assert/strict';
import { suite as describe } from 'uvu';
import type { Known } from '../../broker/http/doorkeeper.ts';
import { Lines } from '../../broker/http/lines.ts';
import type { WebTrust } from '../../broker/http/seams.ts';

const suite = describe('what stays open');

function rig() {
  let ended: (key: string) => void = () => {};
  let revoked: (who: { kind: 'node' | 'user'; name: string }) => void = () => {};
  const trust = {
    sessions: {
      onEnded(listener: typeof ended) {
        ended = listener;
      },
    },
    authenticator: {
      onRevoked(listener: typeof revoked) {
        revoked = listener;
      },
    },
  } as unknown as WebTrust;
  const lines = new Lines(trust);
  const over: string[] = [];
  const open = (mark: string, name: string, more: Partial<Known> & { role?: 'node' | 'viewer' } = {}) =>
    lines.add(
      { principal: { role: more.role ?? 'viewer', name, how: 'token' }, said: true, still: async () => true, ...more },
      () => void over.push(mark),
    );
  return {
    lines,
    over,
    open,
    ended: (key: string) => ended(key),
    revoked: (kind: 'node' | 'user', name: string) => revoked({ kind, name }),
  };
}

suite('a user who is revoked, and not the node of that name', () => {
  const { lines, over, open, revoked } = rig();
  open('user', 'barn');
  open('node', 'barn', { role: 'node' });
  open('other', 'shed');
  revoked('user', 'barn');
  assert.deepEqual(over, ['user']);
  revoked('node', 'barn');
  assert.deepEqual([...over, lines.size], ['user', 'node', 1]);
  lines.close();
});

suite('a session that ends, alone', () => {
  const { over, open, ended, lines } = rig();
  const session = (key: string) => ({
    session: { key, csrf: '', principal: { role: 'viewer', name: 'a', how: 'password' } as const },
  });
  open('one', 'a', session('k1'));
  open('two', 'a', session('k2'));
  open('token', 'a');
  ended('k1');
  assert.deepEqual(over, ['one']);
  lines.close();
});

suite('a look ends whose token or certificate has run out, or cannot be told', async () => {
  const { lines, over, open } = rig();
  open('good', 'a');
  open('expired', 'b', { still: async () => false });
  open('unknown', 'c', { still: () => Promise.reject(new Error('x')) });
  const gone = open('gone by itself', 'd', { still: async () => false });
  gone();
  await lines.look();
  assert.deepEqual([...over, lines.size], ['expired', 'unknown', 1]);
  lines.close();
});

suite.run();
