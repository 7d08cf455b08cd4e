/** Whose work a node takes. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { judgeWork } from '../../node-agent/work/judge.ts';
import { seal } from '../../shared/authority.ts';
import { ed25519Verifier } from '../../shared/ed25519.ts';
import { limits } from '../../shared/limits.ts';
import type { Work } from '../../shared/schemas/work.ts';
import { newSigner } from '../fixture/agent-rig.ts';
import { recipe, WorkRig } from '../fixture/work-rig.ts';

const judging = suite('agent work: whose it is');
const signer = newSigner();
const other = newSigner();
const pin = { fingerprint: signer.cluster, key: signer.key };
const allegiance = { node: 'n1', verifier: ed25519Verifier(), pin, expected: undefined, trustFirst: true };
const session = { inst: 'i', epoch: 3 };
const body = { cluster: signer.cluster, gen: 2, rev: 7, inst: 'i', epoch: 3, seq: 0 };
const signed = { ...body, key: signer.key };
const judge = (text: string, plain = false, gen = 2) =>
  judgeWork({ allegiance, gen }, session, plain, Buffer.from(text)).kind;
const sealed = (work: object, by = signer, node = 'n1') => seal(by, 'work', node, work);

judging('signed by its cluster, for this node and this session', () => {
  assert.is(judge(sealed(signed)), 'take');
  assert.is(judge(sealed(signed), true), 'take');
  assert.is(judge(sealed({ ...signed, gen: 3 })), 'take', 'a restore raises the generation');
  const bad: readonly (readonly [string, string])[] = [
    ['changed', sealed(signed).replace('"rev":7', '"rev":8')],
    ['another cluster', sealed({ ...signed, cluster: other.cluster, key: other.key }, other)],
    ['our name, their key', sealed({ ...signed, key: other.key }, other)],
    ['their signature under our names', sealed(signed, other)],
    ['for another node', sealed(signed, signer, 'n2')],
    ['another kind', seal(signer, 'cmd', 'n1', signed)],
    ['an old generation', sealed({ ...signed, gen: 1 })],
    ['another session', sealed({ ...signed, epoch: 2 })],
    ['another installation', sealed({ ...signed, inst: 'j' })],
    ['a key, and no signature', JSON.stringify(signed)],
    ['too large', sealed({ ...signed, pad: 'x'.repeat(limits.work) })],
    ['too deep', sealed({ ...signed, pad: JSON.parse('['.repeat(60) + ']'.repeat(60)) })],
    ['no spans', sealed({ ...signed, spans: [{ t: 1 }] })],
    ['no JSON', 'work!'],
    ['nothing', ''],
    ['a list', '[]'],
    ['null', 'null'],
  ];
  for (const [name, text] of bad) {
    assert.is(judge(text), 'ignored', name);
    assert.is(judge(text, true), 'ignored', `${name}, where nothing has to be signed`);
  }
  const deep = JSON.parse('['.repeat(limits.depth - 1) + ']'.repeat(limits.depth - 1));
  assert.is(judge(sealed({ ...signed, spans: [{ t: 1, r: 1, i: 0, n: 1, a: 1, v: [deep] }] })), 'take');
});

judging('without a signature only after the supervisor said so, signed; whoever owns the broker cannot', () => {
  const text = JSON.stringify(body);
  assert.is(judge(text), 'ignored');
  assert.is(judge(JSON.stringify({ ...body, plain: true })), 'ignored');
  assert.is(judge(text, true), 'take');
  const foreign: readonly (readonly [string, object])[] = [
    ['another cluster', { cluster: other.cluster }],
    ['an old generation', { gen: 1 }],
    ['another session', { epoch: 2 }],
  ];
  for (const [name, change] of foreign) assert.is(judge(JSON.stringify({ ...body, ...change }), true), 'ignored', name);
});

judging('a node that has joined nobody takes nothing', () => {
  const fresh = { ...allegiance, pin: undefined };
  assert.is(judgeWork({ allegiance: fresh, gen: 0 }, session, true, Buffer.from(sealed(signed))).kind, 'ignored');
});

judging('the word counts for its session alone', () => {
  const rig = new WorkRig(2);
  rig.start();
  const trust = { allegiance, gen: 0 };
  const say = (work: Work, sign: boolean) => {
    const text = sign ? sealed({ ...work, key: signer.key }) : JSON.stringify(work);
    rig.runner.take(Buffer.from(text), trust);
  };
  const task = (t: number): Partial<Work> => ({ recipes: [recipe()], spans: [{ t, r: 1, i: 0, n: 1, a: 1 }] });
  const work = (t: number, more: Partial<Work> = {}) => rig.message(task(t), { cluster: signer.cluster, ...more });
  rig.up();
  say(work(1), false);
  say(work(2), true);
  say(work(3), false);
  const first = rig.message({}, { cluster: signer.cluster, plain: true });
  say(first, true);
  say(work(4), false);
  assert.equal(rig.said(50).ended, [2, 4]);
  rig.runner.down();
  rig.up();
  say(first, true);
  say(work(5), false);
  assert.equal(rig.said(50).started, [], 'replayed in the next session it says nothing');
  rig.runner.down();
  say(work(6), true);
  rig.up();
  assert.equal(rig.said(50).started, []);
});

judging.run();
