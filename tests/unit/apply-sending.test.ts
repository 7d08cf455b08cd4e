/** Sending: each set is answered, somebody quicker is told, and what was taken and what not is said exactly. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { failureText, sendAll } from '../../cli/apply/delivery.ts';
import type { Document, NounPath } from '../../cli/apply/document.ts';
import { type Documents, type NounPlan, planAll } from '../../cli/apply/plan.ts';
import { type Outcome, type Sending, Sets } from '../../cli/apply/sending.ts';

const test = suite('apply: sending');

interface Asked {
  readonly topic: string;
  readonly body: { readonly tx: string; readonly rev?: number };
}

/** A supervisor that answers as it is told, a turn later; undefined: not at all. */
function supervisor(answer: (asked: Asked, nth: number) => object | undefined, patienceMs = 60_000) {
  const asked: Asked[] = [];
  let open = 0;
  let most = 0;
  const sets: Sets = new Sets(
    {
      async publish(topic, payload) {
        const one = { topic, body: JSON.parse(payload) } as Asked;
        asked.push(one);
        most = Math.max(most, ++open);
        const said = answer(one, asked.length);
        setImmediate(() => {
          open--;
          // Somebody else's answers on the same topics are none.
          sets.heard(Buffer.from(JSON.stringify({ ok: false, part: 'set', tx: 'other', at_ms: 1, error: 'other' })));
          sets.heard(Buffer.from(JSON.stringify({ ok: false, part: 'do', tx: one.body.tx, at_ms: 1, error: 'do' })));
          sets.heard(Buffer.from('{'));
          if (said) sets.heard(Buffer.from(JSON.stringify({ part: 'set', at_ms: 1, tx: one.body.tx, ...said })));
        });
      },
    },
    { base: 'hearth', mark: 'm', patienceMs },
  );
  return { sets, asked, most: () => most };
}

const many = (count: number): Sending[] =>
  Array.from({ length: count }, (_, index) => ({
    path: `role/r${index}` as const,
    patch: { services: {} },
    rev: index,
  }));
const states = (outcomes: readonly Outcome[]) => outcomes.map(({ state }) => state);

test('all are sent in their order, some at a time, each with its own mark, and each answer finds its set', async () => {
  const { sets, asked, most } = supervisor((_, nth) => ({ ok: true, rev: 100 + nth }));
  const told: Outcome[] = [];
  const outcomes = await sets.send(many(40), one => told.push(one));
  assert.equal(
    outcomes.map(({ path, state, rev }) => [path, state, rev]),
    Array.from({ length: 40 }, (_, index) => [`role/r${index}`, 'accepted', 101 + index]),
  );
  assert.is(told.length, 40);
  assert.is(most(), 16);
  assert.equal(
    asked.map(({ topic }) => topic),
    Array.from({ length: 40 }, (_, index) => `hearth/role/r${index}/set`),
  );
  assert.is(new Set(asked.map(({ body }) => body.tx)).size, 40);
  assert.equal(asked[3]?.body, { services: {}, rev: 3, tx: 'm-3' });
});

test('after one that is refused no other is sent, and what was on its way is waited for', async () => {
  const { sets, asked } = supervisor((_, nth) => (nth === 5 ? { ok: false, error: 'no' } : { ok: true, rev: nth }));
  const outcomes = await sets.send(many(40), () => {});
  assert.is(outcomes[4]?.state, 'refused');
  assert.is(outcomes[4]?.error, 'no');
  const sent = states(outcomes).filter(state => state !== 'unsent').length;
  assert.is(sent, asked.length);
  assert.ok(sent < 40 && states(outcomes).filter(state => state === 'accepted').length === sent - 1, `${sent}`);
});

test('no answer is neither yes nor no', async () => {
  const { sets } = supervisor(() => undefined, 30);
  const [outcome] = await sets.send(many(1), () => {});
  assert.equal([outcome?.state, outcome?.error], ['unknown', 'no answer in 0.03 s']);
});

test('a publish that fails is told, too', async () => {
  const sets = new Sets(
    { publish: () => Promise.reject(new Error('cable')) },
    { base: 'hearth', mark: 'm', patienceMs: 60_000 },
  );
  const [outcome] = await sets.send(many(1), () => {});
  assert.equal([outcome?.state, outcome?.error], ['unknown', 'cable']);
});

test('what the broker or the supervisor does not let through is refused, not unknown', async () => {
  const denied = Object.assign(new Error('Publish error: Not authorized'), { code: 0x87 });
  const options = { base: 'hearth', mark: 'm', patienceMs: 60_000 };
  const [first] = await new Sets({ publish: () => Promise.reject(denied) }, options).send(many(1), () => {});
  assert.equal([first?.state, first?.error], ['refused', 'this login may look and not change: it takes an operator']);
  const sets: Sets = new Sets(
    {
      async publish(topic) {
        const refusal = (named: string) => ({ ok: false, part: 'set', at_ms: 1, topic: named, error: 'not for you' });
        sets.heard(Buffer.from(JSON.stringify({ ...refusal('hearth/role/other/set'), error: 'another' })));
        setImmediate(() => sets.heard(Buffer.from(JSON.stringify(refusal(topic)))));
      },
    },
    options,
  );
  const [second] = await sets.send(many(1), () => {});
  assert.equal([second?.state, second?.error], ['refused', 'not for you']);
});

const at = (all: Record<NounPath, [Document, number]>): Documents =>
  new Map(
    (Object.entries(all) as [NounPath, [Document, number]][]).map(([path, [document, rev]]) => [
      path,
      { document, rev },
    ]),
  );
const service = (name: string): Document => ({ services: { [name]: { run: name } } });
const plansFor = (documents: Documents, said: Record<NounPath, Document>): readonly NounPlan[] =>
  planAll(documents, new Map(Object.entries(said) as [NounPath, Document][]), {
    name: 'main',
    prune: false,
    adopt: false,
  });
const stale = (rev: number | undefined, is: number) => ({
  ok: false,
  error: `rev ${rev} is stale: the document is at ${is}, read "own" and try again`,
});

test('somebody who was quicker is told with what he changed, and what was and was not taken', async () => {
  const before = at({ 'role/a': [{}, 3], 'role/b': [service('x'), 4], 'node/n1': [{}, 5] });
  const now = at({ 'role/a': [service('new'), 9], 'role/b': [service('y'), 10], 'node/n1': [{}, 5] });
  const plans = plansFor(before, { 'role/a': service('new'), 'role/b': service('new'), 'node/n1': service('new') });
  const { sets } = supervisor(({ topic, body }) =>
    topic.includes('role/b') ? stale(body.rev, 10) : { ok: true, rev: 11 },
  );
  // One at a time, so that there is one that is not sent.
  const slowly = {
    send: async (all: readonly Sending[], told: (one: Outcome) => void) => {
      const done: Outcome[] = [];
      for (const one of all) {
        const failed = done.some(({ state }) => state !== 'accepted');
        done.push(...(failed ? [{ path: one.path, state: 'unsent' } as const] : await sets.send([one], told)));
      }
      return done;
    },
  };
  const outcomes = new Map<NounPath, Outcome>();
  await sendAll(
    slowly,
    plans,
    before,
    one => void outcomes.set(one.path, one),
    async () => now,
  );
  assert.equal(
    [...outcomes].map(([path, { state }]) => [path, state]),
    [
      ['role/a', 'accepted'],
      ['role/b', 'refused'],
      ['node/n1', 'unsent'],
    ],
  );
  assert.is(
    failureText(plans, outcomes),
    `Not all of it was taken.
  role/b: refused: somebody else changed it in between (revision 4 became 10: services/x, services/y): look at it, and apply again
  Accepted, and staying so: role/a.
  Not sent: node/n1.`,
  );
});

test('a role that was not there is not written over when it came into being meanwhile', async () => {
  const before = at({ 'node/n1': [{}, 5] });
  const { sets, asked } = supervisor(({ body }) => stale(body.rev, 9));
  const outcomes: Outcome[] = [];
  await sendAll(
    sets,
    plansFor(before, { 'role/a': service('x') }),
    before,
    one => outcomes.push(one),
    async () => at({ 'role/a': [service('y'), 9] }),
  );
  assert.is(asked[0]?.body.rev, 5, 'the newest that was known');
  assert.match(outcomes[0]?.error ?? '', /revision 0 became 9: services\/y/);
});

test('a role that was forgotten at a higher revision than is known comes into being again', async () => {
  const before = at({ 'node/n1': [{}, 5] });
  const { sets, asked } = supervisor(({ body }) =>
    body.rev === undefined ? { ok: true, rev: 10 } : stale(body.rev, 9),
  );
  const outcomes: Outcome[] = [];
  await sendAll(
    sets,
    plansFor(before, { 'role/a': service('x') }),
    before,
    one => outcomes.push(one),
    async () => before,
  );
  assert.equal(
    asked.map(({ body }) => body.rev),
    [5, undefined],
  );
  assert.equal(outcomes, [{ path: 'role/a', state: 'accepted', rev: 10 }]);
});

test.run();
