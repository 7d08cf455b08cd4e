/** Presence, decided by the pure core: signs of life and ends, one test per line of its table. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { presenceTimes, sessionOf } from '../../broker/fleet/presence-state.ts';
import { A, B, presenceCore } from '../fixture/presence-core.ts';

const presence = suite('presence, signs and ends');
const { graceMs } = presenceTimes;

presence('a load brings a silent node back, a load of a stranger does nothing', () => {
  const it = presenceCore('embedded');
  it.sign(1, 1);
  assert.is(it.state.nodes.size, 0);
  it.birth(A, 1, 1);
  it.pass(15_000);
  assert.equal(it.said(), ['online', 'offline']);
  it.sign(1, 1);
  assert.equal(it.said(), ['online']);
});

presence('signs within three periods keep a node online, and not one sweep longer', () => {
  const it = presenceCore('embedded');
  it.birth(A, 1, 1);
  for (let i = 0; i < 10; i++) {
    it.pass(14_750);
    it.sign(1, 1);
  }
  assert.equal(it.said(), ['online']);
  it.pass(14_750);
  assert.ok(it.online());
  it.pass(250);
  assert.match(it.text(), /silent for three periods/);
  assert.equal(it.said(), ['offline']);
});

presence('a load of an old epoch does not count', () => {
  const it = presenceCore('outside');
  it.tell({ type: 'up' });
  it.pass(graceMs);
  it.birth(A, 5);
  it.said();
  it.pass(10_000);
  it.sign(4);
  it.pass(5000);
  assert.equal(it.said(), ['offline'], 'it moved no deadline');
  it.sign(4);
  assert.equal(it.said(), [], 'and brings nobody back at once');
  assert.not.ok(it.online());
});

presence('a load of an epoch that is over does not count: it was under way when the will was sent', () => {
  const it = presenceCore('embedded');
  it.birth(A, 5, 1);
  it.will(A, 5, 1);
  it.said();
  it.sign(5, 1);
  it.pass(2900);
  it.sign(5, 1);
  assert.equal(it.said(), []);
  assert.not.ok(it.online());
});

presence('loads long after their epoch was over: somebody lives on in it, and is told to go on above', () => {
  const it = presenceCore('outside');
  it.tell({ type: 'up' });
  it.pass(graceMs);
  it.birth(A, 5);
  it.will(A, 5);
  it.said();
  it.pass(3100);
  it.sign(5);
  assert.equal(it.said(), ['rebirth a5 5', 'restored']);
  assert.not.ok(it.online());
  it.birth(A, 6);
  it.sign(6);
  assert.equal(it.said(), ['online']);
});

presence("a load over another connection does not count: a twin's", () => {
  const it = presenceCore('embedded');
  it.birth(A, 1, 1);
  it.pass(10_000);
  it.sign(1, 2);
  it.sign(9, 2);
  it.pass(5000);
  assert.equal(it.said(), ['online', 'offline']);
});

presence('a load of a higher epoch is a sign of life and raises no epoch', () => {
  const it = presenceCore('outside');
  it.tell({ type: 'up' });
  it.pass(graceMs);
  it.birth(A, 5);
  it.pass(10_000);
  it.sign(8);
  it.pass(10_000);
  assert.equal(it.said(), ['online']);
  assert.equal(sessionOf(it.state, 'n1'), { inst: A, epoch: 5 });
  it.birth(A, 6);
  assert.equal(sessionOf(it.state, 'n1'), { inst: A, epoch: 6 });
});

presence('a will of the current epoch: offline at once, and that epoch is over', () => {
  const it = presenceCore('embedded');
  it.birth(A, 5, 1);
  it.will(A, 5, 1);
  assert.match(it.text(), /its last will or farewell/);
  assert.is(sessionOf(it.state, 'n1'), undefined, 'nobody whom an order could reach');
  assert.equal(it.said(), ['online', 'offline']);
  it.will(A, 5, 1);
  it.lost(1);
  assert.equal(it.said(), [], 'said once');
});

presence('a will of an older epoch, delivered after the next birth, does not count', () => {
  for (const kind of ['embedded', 'outside'] as const) {
    const it = presenceCore(kind);
    if (kind === 'outside') it.tell({ type: 'up' });
    it.pass(graceMs + 500);
    const serial = kind === 'embedded' ? 1 : undefined;
    it.birth(A, 5, serial);
    it.birth(A, 6, serial && 2);
    it.will(A, 5, serial);
    it.pass(1000);
    assert.equal(it.said(), ['online']);
    it.will(A, 6, serial && 2);
    assert.equal(it.said(), ['offline']);
  }
});

presence('a will of a higher epoch ends that one: its birth was lost, or comes behind it', () => {
  const it = presenceCore('outside');
  it.tell({ type: 'up' });
  it.pass(graceMs);
  it.birth(A, 5);
  it.will(A, 6);
  assert.equal(it.said(), ['online', 'offline']);
  it.sign(6);
  assert.not.ok(it.online());
  it.birth(A, 6);
  assert.equal(it.said(), ['rebirth a6 6', 'restored'], 'a birth of an epoch that is over');
});

presence("a will of another inst does not count: a twin's, whatever its epoch", () => {
  const it = presenceCore('outside');
  it.tell({ type: 'up' });
  it.pass(graceMs);
  it.birth(A, 5);
  it.will(B, 5);
  it.will(B, 99);
  it.will(B, 1, undefined, 'stranger');
  assert.equal(it.said(), ['online']);
});

presence('loss of the current connection: offline, and that epoch is over', () => {
  const it = presenceCore('embedded');
  it.birth(A, 5, 1);
  it.lost(1);
  assert.match(it.text(), /its connection is gone/);
  assert.equal(it.said(), ['online', 'offline']);
  it.sign(5, 1);
  assert.not.ok(it.online());
});

presence('loss of a connection that was replaced does not count', () => {
  const it = presenceCore('embedded');
  it.birth(A, 5, 1);
  it.birth(A, 6, 2);
  it.lost(1);
  assert.equal(it.said(), ['online']);
  it.lost(3);
  it.lost(9, 'stranger');
  assert.ok(it.online());
});

presence('half-open socket and another client id: the old one gone late changes nothing', () => {
  const it = presenceCore('embedded');
  it.birth(A, 1, 1);
  it.pass(1500);
  it.birth(A, 2, 2);
  it.pass(3000);
  // Keepalive runs out on the old socket: its will, then its end.
  it.will(A, 1, 1);
  it.lost(1);
  it.pass(1000);
  assert.equal(it.said(), ['online']);
});

presence.run();
