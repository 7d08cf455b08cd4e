/** Presence when the evidence is old: after a stall, a lost broker, a start; and twins on an outside broker. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { isDecided, presenceTimes } from '../../broker/fleet/presence-state.ts';
import { A, B, backOff, presenceCore } from '../fixture/presence-core.ts';

const presence = suite('presence, old evidence');
const { graceMs, twinMemoryMs } = presenceTimes;

presence('after a stall, wills and disconnects only make suspect; a birth within the grace clears that', () => {
  for (const how of ['will', 'lost'] as const) {
    const it = presenceCore('embedded');
    it.birth(A, 1, 1);
    it.said();
    it.stall(10_000);
    if (how === 'will') it.will(A, 1, 1);
    else it.lost(1);
    assert.equal(it.said(), ['stalled']);
    assert.ok(it.online(), 'judged on what is behind it only');
    it.pass(3000);
    it.birth(A, 2, 2);
    it.pass(5000);
    it.sign(2, 2);
    it.pass(graceMs);
    assert.equal(it.said(), [], `no flap after a ${how}`);
  }
});

presence('who is still suspect when the grace ends is offline', () => {
  const it = presenceCore('embedded');
  it.birth(A, 1, 1);
  it.said();
  it.stall(10_000);
  it.lost(1);
  it.pass(graceMs - 250);
  assert.equal(it.said(), ['stalled']);
  it.pass(250);
  assert.match(it.text(), /did not come back/);
  assert.equal(it.said(), ['offline']);
});

presence('a restored disk in the epoch of a suspect is told at once, and is back before the grace’s end', () => {
  const it = presenceCore('outside');
  it.tell({ type: 'up' });
  it.birth(A, 65);
  it.pass(graceMs);
  it.sign(65);
  it.said();
  it.stall(5000);
  it.will(A, 65);
  it.birth(A, 65);
  assert.equal(it.said(), ['stalled', 'rebirth a65 65', 'restored']);
  it.pass(2000);
  it.birth(A, 66);
  it.pass(5000);
  it.sign(66);
  it.pass(graceMs);
  assert.equal(it.said(), []);
});

presence('loads of the epoch that a suspect ended clear nothing: they waited in the same socket', () => {
  const it = presenceCore('embedded');
  it.birth(A, 1, 1);
  it.said();
  it.stall(5000);
  it.will(A, 1, 1);
  it.sign(1, 1);
  it.pass(graceMs);
  assert.equal(it.said(), ['stalled', 'offline']);
});

presence('after the grace an end counts at once again', () => {
  const it = presenceCore('embedded');
  it.birth(A, 1, 1);
  it.stall(5000);
  it.sign(1, 1);
  it.pass(graceMs + 250);
  it.sign(1, 1);
  it.said();
  it.will(A, 1, 1);
  assert.equal(it.said(), ['offline']);
});

presence('a birth or load is accepted within the grace as at any time', () => {
  const it = presenceCore('embedded');
  it.birth(A, 1, 1);
  it.will(A, 1, 1);
  it.stall(5000);
  it.birth(A, 2, 2);
  it.birth(B, 1, 3, 'n2');
  assert.equal(it.said(), ['online', 'offline', 'online', 'online'], 'nobody was online: no stall to tell of');
});

presence('a stall grants every node a fresh period, whichever event comes first', () => {
  const first: ((it: ReturnType<typeof presenceCore>) => void)[] = [
    it => it.tell({ type: 'tick' }),
    it => it.sign(1, 2, 'n2'),
    it => it.birth(A, 1, 9, 'n9'),
    it => it.tell({ type: 'known', node: 'n8' }),
  ];
  for (const event of first) {
    const it = presenceCore('embedded');
    it.birth(A, 1, 1, 'n1');
    it.birth(A, 1, 2, 'n2');
    it.pass(14_000);
    it.stall(60_000);
    event(it);
    it.pass(14_750);
    assert.ok(it.online('n1') && it.online('n2'), 'three periods from the moment it reads again');
    it.pass(500);
    assert.not.ok(it.online('n1'));
  }
});

presence('a short period does not shorten the grace: who comes back needs its reconnect jitter', () => {
  const it = presenceCore('embedded');
  const quick = { inst: A, epoch: 1, online: true, period_ms: 500, proto: 1 };
  it.tell({ type: 'lwt', node: 'n1', lwt: quick, serial: 1 });
  it.said();
  it.stall(5000);
  it.tell({ type: 'tick' });
  it.pass(graceMs - 250);
  assert.equal(it.said(), ['stalled']);
  it.pass(250);
  assert.equal(it.said(), ['offline']);
  it.stall(5000);
  it.sign(1, 1);
  it.pass(graceMs - 250);
  assert.equal(it.said(), ['online'], 'one that is heard once within it too');
  it.pass(250);
  assert.equal(it.said(), ['offline']);
});

presence('a sweep late by less than a second is no stall, by more it is; it is told where somebody is online', () => {
  const it = presenceCore('embedded');
  it.birth(A, 1, 1);
  it.said();
  it.stall(1250);
  it.tell({ type: 'tick' });
  assert.equal(it.said(), []);
  it.stall(1251);
  it.tell({ type: 'tick' });
  assert.match(it.text(), /stood still for 1251 ms/);
  assert.equal(it.said(), ['stalled']);
  it.tell({ type: 'tick' });
  assert.equal(it.said(), [], 'told once');
});

presence('a second stall within the grace begins it anew', () => {
  const it = presenceCore('embedded');
  it.birth(A, 1, 1);
  it.stall(5000);
  it.lost(1);
  it.pass(8000);
  it.stall(5000);
  it.tell({ type: 'tick' });
  it.said();
  it.pass(graceMs - 250);
  assert.ok(it.online());
  it.pass(250);
  assert.equal(it.said(), ['offline']);
});

// DOWN, START

presence('outside broker gone: nobody is judged until it is back, then everybody has a fresh period', () => {
  const it = presenceCore('outside');
  it.tell({ type: 'up' });
  it.birth(A, 1);
  it.said();
  it.pass(5000);
  it.tell({ type: 'down' });
  it.pass(600_000);
  assert.equal(it.said(), []);
  it.tell({ type: 'up' });
  it.will(A, 1);
  it.pass(2000);
  assert.ok(it.online(), 'a retained or late end is not believed at once');
  it.birth(A, 2);
  it.pass(graceMs + 2000);
  assert.equal(it.said(), []);
  it.pass(15_000);
  assert.equal(it.said(), ['offline']);
});

presence('outside start: undecided until a birth or the end of the grace', () => {
  const it = presenceCore('outside');
  it.tell({ type: 'known', node: 'n1' });
  it.tell({ type: 'known', node: 'n2' });
  it.pass(60_000);
  assert.not.ok(isDecided(it.state, 'n1'), 'the broker is not there yet');
  it.tell({ type: 'up' });
  it.pass(5000);
  it.birth(A, 1);
  assert.ok(isDecided(it.state, 'n1') && !isDecided(it.state, 'n2'));
  it.pass(graceMs - 5250);
  assert.equal(it.said(), ['online']);
  it.pass(250);
  assert.match(it.text(), /did not answer/);
  assert.equal(it.said(), ['offline']);
  assert.ok(isDecided(it.state, 'n2'));
});

presence('forgotten is forgotten: a load of it does nothing, a birth begins anew', () => {
  const it = presenceCore('embedded');
  it.birth(A, 5, 1);
  it.tell({ type: 'forgotten', node: 'n1' });
  it.tell({ type: 'forgotten', node: 'n1' });
  assert.is(it.state.online, 0);
  it.said();
  it.sign(5, 1);
  it.lost(1);
  assert.equal(it.said(), []);
  it.birth(A, 1, 1);
  assert.equal(it.said(), ['online']);
  assert.is(it.state.online, 1);
});

// Twins on an outside broker: each CONNECT makes the broker send the other's will.

/** A is replaced by B as an outside broker shows it: A's will, then B's birth. */
function replaced() {
  const it = presenceCore('outside');
  it.tell({ type: 'up' });
  it.pass(graceMs);
  it.birth(A, 1);
  it.will(A, 1);
  it.birth(B, 1);
  assert.equal(it.said(), ['online', 'offline', 'online']);
  return it;
}

presence('outside: twins do not take turns; the one replaced lately is the twin', () => {
  const it = replaced();
  it.pass(5000);
  it.will(B, 1);
  it.birth(A, 2);
  assert.equal(it.said(), ['offline', ...backOff('a2')]);
  it.birth(B, 2);
  assert.equal(it.said(), ['online'], 'the other is back within its reconnect jitter');
  it.pass(1000);
  it.birth(A, 3);
  assert.equal(it.said(), backOff('a3'), 'while the other is online as well');
});

presence('outside: a twin that keeps knocking stays a twin, for two minutes after its last try', () => {
  const it = replaced();
  for (let turn = 0; turn < 4; turn++) {
    for (let i = 0; i < 10; i++) {
      it.pass(6000);
      it.sign(turn + 1);
    }
    it.will(B, turn + 1);
    it.birth(A, turn + 2);
    assert.equal(it.said(), ['offline', ...backOff(`a${turn + 2}`)]);
    it.birth(B, turn + 2);
    assert.equal(it.said(), ['online']);
    it.sign(turn + 2);
  }
});

presence('outside: once the one that replaced it is gone for good, the first comes back at once', () => {
  const it = replaced();
  it.will(B, 1);
  it.pass(graceMs);
  it.said();
  it.birth(A, 2);
  assert.equal(it.said(), ['online']);
});

presence('outside: replaced more than two minutes ago is history', () => {
  const it = replaced();
  for (let ms = 0; ms < twinMemoryMs; ms += 6000) {
    it.pass(6000);
    it.sign(1);
  }
  it.will(B, 1);
  it.birth(A, 2);
  assert.equal(it.said(), ['offline', 'online']);
});

presence('embedded: the inst before is no twin, its connection says who is there', () => {
  const it = presenceCore('embedded');
  it.birth(A, 1, 1);
  it.lost(1);
  it.birth(B, 1, 2);
  it.lost(2);
  it.birth(A, 2, 3);
  assert.equal(it.said(), ['online', 'offline', 'online', 'offline', 'online']);
});

presence.run();
