/** Sessions of the web: secrets that only the cookie holds, and their ends. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { z } from 'zod';
import { createMemoryStore, type MemoryDisk, type MemoryStore } from '../../broker/store/memory.ts';
import { Records } from '../../broker/trust/accounts/records.ts';
import { type SessionLimits, Sessions, sessionLimits } from '../../broker/trust/accounts/sessions.ts';
import type { Principal } from '../../broker/trust/types.ts';

const hour = 3_600_000;
const anna: Principal = { role: 'operator', name: 'anna', how: 'password' };
const ben: Principal = { role: 'viewer', name: 'ben', how: 'password' };

interface Rig {
  readonly sessions: Sessions;
  readonly store: MemoryStore;
  readonly disk: MemoryDisk;
  readonly stamps: Map<string, string>;
  readonly ended: string[];
  now: number;
}

async function rigOf(disk: MemoryDisk = new Map(), limits: Partial<SessionLimits> = {}): Promise<Rig> {
  const store = createMemoryStore({ disk });
  const stamps = new Map([
    ['anna', 's1'],
    ['ben', 's1'],
  ]);
  const ended: string[] = [];
  const rig = { store, disk, stamps, ended, now: 1_800_000_000_000 };
  const sessions = await Sessions.load({
    store,
    now: () => rig.now,
    standing: user => {
      const stamp = stamps.get(user);
      return stamp === undefined ? undefined : { principal: user === 'anna' ? anna : ben, stamp };
    },
    limits: { ...sessionLimits, ...limits },
  });
  sessions.onEnded(key => void ended.push(key));
  return Object.assign(rig, { sessions });
}

const sessions = suite('accounts: sessions');

sessions('a session is found by its secret, of which neither memory nor disk tells anything', async () => {
  const rig = await rigOf();
  const { id, csrf, expiresMs } = await rig.sessions.open(anna, '10.0.0.1');
  assert.match(id, /^[A-Za-z0-9_-]{43}$/);
  const found = rig.sessions.find(id);
  assert.equal(found, { key: found?.key, principal: anna, csrf, expiresMs });
  const told = `${[...rig.disk].flat().join(' ')} ${found?.key}`;
  assert.not.ok(told.includes(id) || told.includes(csrf));
  assert.is.not(csrf, id);
  assert.is((await rigOf(rig.disk)).sessions.find(id)?.csrf, csrf, 'after a restart');
  for (const bad of [undefined, '', id.slice(1), `${id}A`, found?.key, '../x', 'A'.repeat(43)]) {
    assert.is(rig.sessions.find(bad), undefined);
  }
});

sessions('two sessions of one user are two', async () => {
  const { sessions: both, ended } = await rigOf();
  const first = await both.open(anna, '10.0.0.1');
  const second = await both.open(anna, '10.0.0.1');
  assert.is.not(first.csrf, second.csrf);
  const key = both.find(first.id)?.key;
  await both.close(first.id);
  assert.equal(ended, [key]);
  assert.is(both.find(first.id), undefined);
  assert.ok(both.find(second.id));
  assert.is(both.count('anna'), 1);
});

sessions('unused it ends after a day, used after two weeks', async () => {
  const rig = await rigOf();
  const idle = await rig.sessions.open(anna, '10.0.0.1');
  const used = await rig.sessions.open(ben, '10.0.0.1');
  rig.now += 23 * hour;
  assert.ok(rig.sessions.find(used.id));
  rig.now += hour;
  assert.is(rig.sessions.find(idle.id), undefined);
  for (let day = 0; day < 13; day++) {
    assert.ok(rig.sessions.find(used.id), `day ${day}`);
    rig.now += 23 * hour;
  }
  const next = await rigOf(rig.disk);
  next.now = rig.now;
  assert.ok(next.sessions.find(used.id), 'the disk knows that it was used');
  assert.ok(rig.sessions.find(used.id));
  rig.now = used.expiresMs - hour;
  assert.ok(rig.sessions.find(used.id));
  rig.now = used.expiresMs;
  assert.is(rig.sessions.find(used.id), undefined);
  assert.is(rig.ended.length, 2);
});

sessions('what expired is swept without anybody asking, and told', async () => {
  const rig = await rigOf();
  await rig.sessions.open(anna, '10.0.0.1');
  rig.now += 24 * hour;
  rig.sessions.sweep();
  assert.is(rig.ended.length, 1);
  await Promise.resolve();
  assert.is(rig.disk.size, 0);
});

sessions('with another password or role, or without the user, it is void, even if nobody ended it', async () => {
  const rig = await rigOf();
  const first = await rig.sessions.open(anna, '10.0.0.1');
  rig.stamps.set('anna', 's2');
  assert.is(rig.sessions.find(first.id), undefined);
  const second = await rig.sessions.open(ben, '10.0.0.1');
  rig.stamps.delete('ben');
  assert.is(rig.sessions.find(second.id), undefined);
  assert.is(rig.ended.length, 2);
});

sessions('all of a user end together, and no other', async () => {
  const rig = await rigOf();
  const mine = await rig.sessions.open(anna, '10.0.0.1');
  const other = await rig.sessions.open(ben, '10.0.0.1');
  await rig.sessions.closeAll('anna');
  assert.is(rig.sessions.find(mine.id), undefined);
  assert.ok(rig.sessions.find(other.id));
  assert.is((await rigOf(rig.disk)).sessions.find(mine.id), undefined, 'nor after a restart');
});

sessions('their number is bounded for one user and for all; the oldest goes', async () => {
  const rig = await rigOf(new Map(), { perUser: 3, total: 5 });
  const opened = [];
  for (let each = 0; each < 5; each++) {
    opened.push(await rig.sessions.open(anna, '10.0.0.1'));
    rig.now += 1;
  }
  assert.equal(
    opened.map(({ id }) => rig.sessions.find(id) !== undefined),
    [false, false, true, true, true],
  );
  for (let each = 0; each < 3; each++) {
    await rig.sessions.open(ben, '10.0.0.1');
    rig.now += 1;
  }
  assert.is(rig.sessions.count('anna') + rig.sessions.count('ben'), 5);
  assert.is(rig.sessions.count('ben'), 3);
});

sessions('who is no user gets none; nor does anybody while the disk refuses', async () => {
  const rig = await rigOf();
  const refused = async (principal: Principal) =>
    rig.sessions.open(principal, '10.0.0.1').then(
      () => '',
      error => error.message,
    );
  assert.match(await refused({ role: 'admin', name: 'owner', how: 'owner' }), /Only a user/);
  assert.match(await refused({ role: 'node', name: 'n1', how: 'certificate' }), /Only a user/);
  rig.store.failWrites(new Error('disk full'));
  assert.match(await refused(anna), /disk full/);
  assert.is(rig.sessions.count('anna'), 0);
});

sessions('a session that is closed while its use is being written does not come back', async () => {
  const rig = await rigOf();
  const { id } = await rig.sessions.open(anna, '10.0.0.1');
  rig.now += sessionLimits.touchMs;
  rig.sessions.find(id);
  await rig.sessions.close(id);
  assert.is(rig.sessions.find(id), undefined);
  assert.is(rig.disk.size, 0);
});
sessions('a record that is removed while it is on its way to the disk does not come back', async () => {
  const disk: MemoryDisk = new Map();
  const records = await Records.load(createMemoryStore({ disk }), 'x/', z.object({ n: z.number() }));
  const written = records.put('a', { n: 1 });
  assert.is(records.get('a'), undefined, 'it counts when it is on disk');
  const removed = records.remove('a');
  await Promise.all([written, removed]);
  assert.is(records.get('a'), undefined);
  assert.is(disk.size, 0);
  await records.put('a', { n: 2 });
  assert.equal(records.get('a'), { n: 2 });
});
sessions.run();
