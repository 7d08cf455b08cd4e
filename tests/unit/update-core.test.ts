/** How an agent becomes another version of itself: the way there, and every way back. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type At,
  begin,
  type PutBack,
  type Release,
  step,
  type UpdateEvent,
  type UpdateState,
  updateTimes,
  wakeAt,
} from '../../node-agent/update/core.ts';

const test = suite('update of the agent');

const own: Release = { ver: '1', sha256: 'a'.repeat(64) };
const next: Release = { ver: '2', sha256: 'b'.repeat(64) };
const third: Release = { ver: '3', sha256: 'c'.repeat(64) };
const at = (now: number, putBack: readonly PutBack[] = []): At => ({
  ...{ now, wall: 1_700_000_000_000 + now, own: own.sha256.slice(0, 16), putBack },
});
const putBackAt = (now: number): PutBack => ({
  ...{ sha16: next.sha256.slice(0, 16), ver: '2', at: 1_700_000_000_000 + now, why: 'it ended' },
});

/** Feeds events; the effects of each, in words. */
function story(
  state: UpdateState,
  ...events: readonly (readonly [now: number, event: UpdateEvent, putBack?: PutBack[]])[]
) {
  const did: string[] = [];
  for (const [now, event, putBack] of events) {
    const stepped = step(state, event, at(now, putBack));
    state = stepped.state;
    did.push(...stepped.effects.map(effect => effect.do));
  }
  return { state, did };
}
const want = (release: Release | undefined) => ({ type: 'want', release }) as const;
const settled = begin(false, 0);

test('fetched, staged, on trial; nothing is done about the one that runs', () => {
  assert.equal(story(settled, [0, want(own)], [1, want(undefined)]).did, []);
  const { state, did } = story(
    settled,
    [0, want(next)],
    [1, want(next)],
    [2, { type: 'fetched' }],
    [3, { type: 'staged' }],
  );
  assert.equal(did, ['fetch', 'stage', 'switch']);
  assert.is(state.kind, 'ending');
});

test('another release, or none, while one is fetched: that one is given up', () => {
  assert.equal(story(settled, [0, want(next)], [1, want(third)]).did, ['fetch', 'cancel', 'fetch']);
  const { state, did } = story(settled, [0, want(next)], [1, want(own)]);
  assert.equal([did, state.kind], [['fetch', 'cancel'], 'idle']);
});

test('a network that is away is tried again in a minute, a release that does not run here in an hour', () => {
  const failed = (later: boolean) => ({ type: 'failed', why: 'x', later }) as const;
  const wait = (later: boolean) => story(settled, [0, want(next)], [10, failed(later)]).state;
  assert.is(wakeAt(wait(true), at(10)), 10 + 60_000);
  assert.is(wakeAt(wait(false), at(10)), 10 + 3_600_000);
  assert.equal(story(wait(true), [60_011, { type: 'time' }]).did, ['fetch']);
  assert.equal(story(wait(true), [59_000, { type: 'time' }]).did, []);
});

test('on trial: well for a minute without interruption, then it is the one, and later the old one goes', () => {
  const well = (yes: boolean) => ({ type: 'well', well: yes }) as const;
  const trial = begin(true, 0);
  const { state, did } = story(
    trial,
    [1000, well(true)],
    [50_000, well(false)],
    [60_000, well(true)],
    [110_000, { type: 'time' }],
    [120_000, { type: 'time' }],
  );
  assert.equal([did, state.kind], [['commit'], 'settling']);
  assert.is(wakeAt(state, at(120_000)), 120_000 + updateTimes.keepOldMs);
  assert.equal(story(state, [120_000 + updateTimes.keepOldMs, { type: 'time' }]).did, ['drop-old']);
});

test('on trial and not well in time: it gives itself up; one that was well late has its minute', () => {
  const trial = begin(true, 0);
  const end = updateTimes.trialMs;
  assert.equal(story(trial, [end - 1, { type: 'time' }]).did, []);
  assert.equal(story(trial, [end, { type: 'time' }]).did, ['give-up']);
  const late = story(trial, [end - 1000, { type: 'well', well: true }], [end, { type: 'time' }]);
  assert.equal(late.did, []);
  assert.equal(story(late.state, [end + 59_000, { type: 'time' }]).did, ['commit']);
  assert.equal(story(late.state, [end + 1, { type: 'well', well: false }]).did, ['give-up']);
});

test('what the document says during a trial is heard by the one that stays', () => {
  assert.equal(story(begin(true, 0), [0, want(third)], [1, want(undefined)]).did, []);
});

test('what was put back waits longer each time, and another release is tried at once', () => {
  for (const [index, pause] of [...updateTimes.againMs, updateTimes.againMs[2]].entries()) {
    const notes = Array.from({ length: index + 1 }, () => putBackAt(0));
    const { state, did } = story(settled, [1000, want(next), notes]);
    assert.equal([did, state.kind], [[], 'waiting']);
    assert.is(wakeAt(state, at(1000)), pause);
    assert.match(state.kind === 'waiting' ? state.why : '', /^2 was tried and put back: it ended$/);
    assert.equal(story(state, [pause, { type: 'time' }]).did, ['fetch']);
    assert.equal(story(state, [2000, want(third), notes]).did, ['fetch']);
  }
});

test('a clock that went back keeps nobody waiting longer than the pause', () => {
  const { state } = story(settled, [0, want(next), [putBackAt(10 * 365 * 86_400_000)]]);
  assert.is(wakeAt(state, at(0)), updateTimes.againMs[0]);
});

test('whatever happens, an agent ends only for a release that was fetched and staged, or to put itself back', () => {
  const release = fc.constantFrom(own, next, third, undefined);
  const event: fc.Arbitrary<UpdateEvent> = fc.oneof(
    release.map(want),
    fc.constantFrom<UpdateEvent>({ type: 'fetched' }, { type: 'staged' }, { type: 'time' }),
    fc.boolean().map(later => ({ type: 'failed', why: 'x', later }) as const),
    fc.boolean().map(well => ({ type: 'well', well }) as const),
  );
  fc.assert(
    fc.property(fc.boolean(), fc.array(fc.tuple(fc.nat(400_000), event), { maxLength: 40 }), (onTrial, events) => {
      let state = begin(onTrial, 0);
      let now = 0;
      let ready: Release | undefined;
      let fetched: Release | undefined;
      for (const [ms, one] of events) {
        now += ms;
        if (one.type === 'fetched' && state.kind === 'fetching') fetched = state.release;
        if (one.type === 'staged' && state.kind === 'staging') ready = state.release;
        const stepped = step(state, one, at(now));
        state = stepped.state;
        for (const effect of stepped.effects) {
          if (effect.do === 'stage') assert.is(effect.release, fetched);
          if (effect.do === 'switch') assert.is(effect.release, ready);
          if (effect.do === 'give-up' || effect.do === 'commit') assert.ok(onTrial);
          if (effect.do === 'fetch') assert.is.not(effect.release, own);
        }
      }
    }),
  );
});

test.run();
