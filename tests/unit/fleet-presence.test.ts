/** Presence, decided by the pure core: births, one test per line of its table. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { isDecided, presenceTimes, sessionOf, speaksFor } from '../../broker/fleet/presence-state.ts';
import { A, B, backOff, presenceCore } from '../fixture/presence-core.ts';

const presence = suite('presence');
const { graceMs } = presenceTimes;

presence('birth of nobody known: accepted, over either broker', () => {
  for (const [kind, serial] of [
    ['embedded', 1],
    ['outside', undefined],
  ] as const) {
    const it = presenceCore(kind);
    if (kind === 'outside') it.tell({ type: 'up' });
    assert.is(sessionOf(it.state, 'n1'), undefined);
    it.birth(A, 7, serial);
    assert.equal(it.said(), ['online']);
    assert.equal(sessionOf(it.state, 'n1'), { inst: A, epoch: 7 });
  }
});

presence('a node of the journal is offline until its birth', () => {
  const it = presenceCore('embedded');
  it.tell({ type: 'known', node: 'n1' });
  assert.not.ok(it.online());
  assert.ok(isDecided(it.state, 'n1'));
  it.sign(1, 1);
  it.will(A, 1, 1);
  assert.equal(it.said(), []);
  it.birth(A, 1, 1);
  assert.equal(it.said(), ['online']);
  it.tell({ type: 'known', node: 'n1' });
  assert.ok(it.online(), 'known again changes nothing');
});

presence('same inst, higher epoch takes over: no flap, and the new connection is the one that counts', () => {
  const it = presenceCore('embedded');
  it.birth(A, 1, 1);
  it.birth(A, 2, 2);
  assert.equal(it.said(), ['online']);
  assert.equal(sessionOf(it.state, 'n1'), { inst: A, epoch: 2 });
  assert.ok(speaksFor(it.state, 'n1', 2) && !speaksFor(it.state, 'n1', 1));
  assert.not.ok(speaksFor(it.state, 'n2', undefined), 'a stranger speaks for nobody');
  it.lost(2);
  assert.equal(it.said(), ['offline']);
});

presence('same session again is a sign of life: the answer to hello', () => {
  const it = presenceCore('embedded');
  it.birth(A, 1, 1);
  it.pass(14_000);
  it.birth(A, 1, 1);
  it.pass(14_000);
  assert.equal(it.said(), ['online']);
  it.pass(2000);
  assert.equal(it.said(), ['offline']);
  it.birth(A, 1, 1);
  assert.equal(it.said(), ['online'], 'silence does not end an epoch');
});

presence('same inst and epoch over another connection: a cloned disk while online is told to back off', () => {
  const it = presenceCore('embedded');
  it.birth(A, 3, 1);
  it.said();
  it.birth(A, 3, 2);
  assert.equal(it.said(), backOff('a3'));
  assert.ok(it.online() && speaksFor(it.state, 'n1', 1) && !speaksFor(it.state, 'n1', 2));
  it.pass(16_000);
  assert.equal(it.said(), ['offline']);
  it.birth(A, 3, 3);
  assert.equal(it.said(), ['rebirth a3 3', 'restored'], 'offline: it is told to go on above');
  assert.not.ok(it.online());
});

presence('an epoch that is over or lower while offline: a restored disk is told the epoch to rise above', () => {
  for (const [again, serial] of [
    [9, 5],
    [4, 5],
    [4, undefined],
  ] as const) {
    const it = presenceCore(serial ? 'embedded' : 'outside');
    it.birth(A, 9, serial && 1);
    it.will(A, 9, serial && 1);
    it.said();
    it.birth(A, again, serial);
    assert.equal(it.said(), [`rebirth a${again} 9`, 'restored']);
    assert.not.ok(it.online());
    it.birth(A, 10, serial && 6);
    assert.equal(it.said(), ['online']);
  }
});

presence('a lower epoch while online, over a newer connection: a restored disk, told at once', () => {
  const it = presenceCore('embedded');
  it.birth(A, 9, 2);
  it.said();
  it.birth(A, 4, 3);
  assert.equal(it.said(), ['rebirth a4 9', 'restored']);
  assert.equal(sessionOf(it.state, 'n1'), { inst: A, epoch: 9 });
});

presence('a lower epoch while online, over no newer connection: a late copy; if it was none, told when offline', () => {
  for (const serial of [1, undefined]) {
    const it = presenceCore(serial ? 'embedded' : 'outside');
    if (!serial) it.tell({ type: 'up' });
    it.pass(graceMs + 500);
    it.birth(A, 9, serial && 2);
    it.said();
    it.birth(A, 4, serial);
    assert.equal(it.said(), [], 'nothing is said of a copy');
    it.will(A, 9, serial && 2);
    assert.equal(it.said(), ['offline', 'rebirth a4 9', 'restored']);
    it.birth(A, 10, 3);
    it.will(A, 10, 3);
    assert.equal(it.said(), ['online', 'offline'], 'once');
  }
});

presence('a late copy is forgotten with the next birth that counts', () => {
  const it = presenceCore('embedded');
  it.birth(A, 9, 2);
  it.birth(A, 4, 1);
  it.birth(A, 10, 3);
  it.will(A, 10, 3);
  assert.equal(it.said(), ['online', 'offline']);
});

presence('who was told is not told again when the node is offline', () => {
  const it = presenceCore('embedded');
  it.birth(A, 9, 2);
  it.birth(A, 4, 1);
  it.birth(A, 5, 3);
  it.will(A, 9, 2);
  assert.equal(it.said(), ['online', 'rebirth a5 9', 'restored', 'offline']);
});

presence('another inst while online is a twin: backed off, named, and changes nothing else', () => {
  const it = presenceCore('embedded');
  it.birth(A, 1, 1);
  it.said();
  it.birth(B, 50, 2);
  assert.match(
    it.text(),
    /two machines claim the id n1: installations aaaaaaaa \(which stays\) and bbbbbbbb \(told to/,
  );
  assert.equal(it.said(), backOff('b50'));
  assert.equal(sessionOf(it.state, 'n1'), { inst: A, epoch: 1 });
  it.will(B, 50, 2);
  it.lost(2);
  it.sign(50, 2);
  assert.equal(it.said(), []);
  // The first comes back at once, taken over as it was.
  it.birth(A, 2, 3);
  assert.equal(it.said(), []);
  assert.ok(it.online());
});

presence('another inst while offline: accepted, epochs start anew (a reinstalled node)', () => {
  const it = presenceCore('embedded');
  it.birth(A, 900, 1);
  it.will(A, 900, 1);
  it.said();
  it.birth(B, 1, 2);
  assert.equal(it.said(), ['online']);
  it.pass(14_000);
  it.sign(1, 2);
  it.pass(14_000);
  assert.equal(it.said(), [], 'its loads count');
  it.lost(2);
  assert.equal(it.said(), ['offline']);
  it.birth(B, 2, 3);
  assert.equal(it.said(), ['online'], 'what was over of the old inst says nothing of the new one');
});

presence('a full fleet takes nobody in, and says so; who is known stays welcome', () => {
  const it = presenceCore('embedded', 2);
  it.birth(A, 1, 1, 'n1');
  it.birth(A, 1, 2, 'n2');
  it.said();
  it.birth(A, 1, 3, 'n3');
  assert.match(it.text(), /not taken in: there are 2 nodes already, forget one with do\/forget/);
  assert.equal(it.said(), ['full']);
  it.sign(1, 3, 'n3');
  assert.is(it.state.nodes.size, 2);
  it.birth(A, 2, 4, 'n2');
  it.tell({ type: 'forgotten', node: 'n1' });
  it.birth(A, 1, 3, 'n3');
  assert.equal(it.said(), ['online']);
});

presence.run();
