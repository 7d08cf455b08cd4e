/** The journal: groups, one sync each; nobody is told before it, and a batch that fails takes everything back. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Journal, journalLimits } from '../../broker/desired/journal.ts';
import { createMemoryStore, type MemoryDisk } from '../../broker/store/memory.ts';
import type { ContractError } from '../../shared/errors.ts';
import { silentLog } from '../../shared/log.ts';
import type { Store, StoreOp } from '../../shared/store.ts';

const journal = suite('journal');

/** A journal on a disk that is as slow as the test says. */
function rig(disk: MemoryDisk = new Map()) {
  const queue: (() => void)[] = [];
  const memory = createMemoryStore({ disk, later: run => void queue.push(run) });
  const batches: (readonly StoreOp[])[] = [];
  const store: Store = {
    ...memory,
    write(ops, done) {
      batches.push(ops);
      memory.write(ops, done);
    },
  };
  /** What people and nodes got to know, in order. */
  const told: string[] = [];
  /** Nodes whose documents were on their way to the disk. */
  const ready: string[] = [];
  const under = new Journal({
    store,
    log: silentLog,
    writing: touched => void ready.push(...touched.nodes.keys()),
    synced: touched => {
      for (const [node, entry] of touched.nodes) told.push(`publish ${node} ${entry ? entry.rev : 'gone'}`);
      for (const [role, { rev }] of touched.roles) told.push(`publish role ${role} ${rev}`);
    },
  });
  const turn = () => queue.shift()?.();
  const sync = () => {
    while (queue.length > 0) turn();
  };
  let started: string | undefined;
  under.load(error => {
    started = error ?? '';
  });
  sync();
  batches.length = 0;
  const submit = (node: string, run: string | undefined) =>
    under.submit(
      {
        ...{ noun: 'node', id: node, what: 'set', by: 'me', key: 'k', atMs: 9 },
        entry: run === undefined ? undefined : { document: { services: { s: { run } } } },
      },
      (error: ContractError | undefined, rev) => void told.push(error ? `${error.code} ${node} ${run}` : `ok ${rev}`),
    );
  const run = (from: 'nodes' | 'durable', node: string) => under[from].get(node)?.document.services?.s?.run;
  const keys = (prefix: string) => [...disk.keys()].filter(key => key.startsWith(prefix)).sort();
  return { disk, memory, batches, told, ready, under, turn, sync, started: () => started, submit, run, keys };
}

journal('the first start writes its format; a second one finds it and writes nothing', () => {
  const first = rig();
  assert.is(first.started(), '');
  assert.equal(Object.fromEntries(first.disk), { 'meta/format': '3', 'meta/gen': '0', 'meta/rev': '0' });
  const before = new Map(first.disk);
  const second = rig(first.disk);
  assert.is(second.started(), '');
  assert.equal(second.disk, before);
});

journal('nobody is told, and nothing may be published, before the sync', () => {
  const it = rig();
  it.submit('n1', 'a');
  assert.equal(it.told, []);
  assert.equal(it.ready, ['n1'], 'but what will be published can be made ready');
  assert.is(it.run('nodes', 'n1'), 'a', 'the next change is built on it');
  assert.is(it.under.durable.size, 0);
  assert.is(it.under.rev, 0);
  it.sync();
  assert.equal(it.told, ['publish n1 1', 'ok 1']);
  assert.is(it.run('durable', 'n1'), 'a');
  assert.is(it.under.rev, 1);
  assert.equal(JSON.parse(it.disk.get('doc/node/n1') ?? ''), { document: { services: { s: { run: 'a' } } }, rev: 1 });
  assert.is(it.disk.get('meta/rev'), '1');
});

journal('while one batch is being synced the next collects: a hundred changes, two syncs', () => {
  const it = rig();
  for (let i = 1; i <= 100; i++) it.submit(`n${i % 3}`, `r${i}`);
  it.turn();
  assert.equal(it.told, ['publish n1 1', 'ok 1']);
  it.sync();
  assert.is(it.batches.length, 2);
  assert.is(it.told.filter(word => word.startsWith('ok')).length, 100);
  assert.equal(it.told.slice(2, 5).sort(), ['publish n0 99', 'publish n1 100', 'publish n2 98'], 'the newest of each');
  assert.is(it.batches[1]?.filter(op => 'put' in op && op.put.startsWith('doc/')).length, 3, 'each document once');
  assert.is(it.keys('j/').length, 100, 'and every change in the history');
});

journal('the history says what changed and by whom, and is bounded', () => {
  const it = rig();
  it.submit('n1', 'a');
  it.sync();
  assert.equal(JSON.parse(it.disk.get('j/0000000000000001') ?? ''), {
    node: 'n1',
    what: 'set',
    key: 'k',
    by: 'me',
    at_ms: 9,
  });
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < journalLimits.pending / 2; i++) it.submit('n1', `${i}`);
    it.sync();
  }
  const kept = it.keys('j/');
  assert.is(kept.length, journalLimits.history);
  assert.is(Number(kept.at(-1)?.slice(2)), it.under.rev);
});

journal('a failed write: the senders are told `journal`, and the state is the disk again', () => {
  const it = rig();
  it.submit('n1', 'a');
  it.submit('n2', 'a');
  it.sync();
  it.told.length = 0;
  it.memory.failWrites(new Error('no space left on device'));
  it.submit('n1', 'b');
  it.submit('n2', undefined);
  it.submit('n3', 'new');
  it.submit('n1', 'c');
  it.sync();
  assert.equal(it.told, ['journal n1 b', 'journal n2 undefined', 'journal n3 new', 'journal n1 c']);
  for (const from of ['nodes', 'durable'] as const) {
    assert.equal([...it.under[from].keys()].sort(), ['n1', 'n2']);
    assert.is(it.run(from, 'n1'), 'a');
  }
  assert.is(it.under.rev, 2);
  it.memory.failWrites(undefined);
  it.submit('n1', 'd');
  it.sync();
  assert.equal(it.told.slice(-2), ['publish n1 3', 'ok 3'], 'numbers go on from the last synced one');
  assert.is(rig(it.disk).run('durable', 'n1'), 'd');
});

journal('the reason of a failed write is in the answer', () => {
  const it = rig();
  it.memory.failWrites(new Error('no space left on device'));
  let said: ContractError | undefined;
  it.under.submit({ noun: 'node', id: 'n1', entry: { document: {} }, what: 'seen', atMs: 1 }, error => {
    said = error;
  });
  it.sync();
  assert.is(said?.code, 'journal');
  assert.match(said?.message ?? '', /not accepted, the journal could not be written: no space left on device/);
});

journal('a failed batch that reached the disk all the same is overwritten by the next one', () => {
  const it = rig();
  it.submit('n1', 'a');
  it.submit('n2', 'a');
  it.sync();
  it.memory.failWrites(new Error('sync failed'));
  it.submit('n1', 'refused');
  it.submit('ghost', 'refused');
  it.sync();
  // The write was on the disk, only its sync failed.
  const entry = (rev: number) => JSON.stringify({ document: { services: { s: { run: 'refused' } } }, rev });
  it.disk.set('doc/node/n1', entry(3));
  it.disk.set('doc/node/ghost', entry(4));
  it.memory.failWrites(undefined);
  it.submit('n2', 'b');
  it.sync();
  const again = rig(it.disk);
  assert.is(again.started(), '');
  assert.equal([...again.under.durable.keys()].sort(), ['n1', 'n2']);
  assert.is(again.run('durable', 'n1'), 'a', 'what was called not accepted stays so');
  assert.is(again.run('durable', 'n2'), 'b');
  it.submit('n2', 'c');
  it.sync();
  const puts = it.batches.at(-1)?.filter(op => 'put' in op && op.put === 'doc/node/n1');
  assert.equal(puts, [], 'repaired once');
});

journal('what a failed batch wrote stays to be repaired until a batch is synced', () => {
  const it = rig();
  it.submit('n1', 'a');
  it.sync();
  it.memory.failWrites(new Error('sync failed'));
  it.submit('n1', 'refused');
  it.sync();
  it.submit('n2', 'refused too');
  it.sync();
  it.disk.set('doc/node/n1', JSON.stringify({ document: { services: { s: { run: 'refused' } } }, rev: 2 }));
  it.memory.failWrites(undefined);
  it.submit('n3', 'b');
  it.sync();
  assert.is(rig(it.disk).run('durable', 'n1'), 'a');
});

journal('forgotten: the document leaves the disk, and its node says so', () => {
  const it = rig();
  it.submit('n1', 'a');
  it.submit('n1', undefined);
  it.sync();
  assert.equal(it.told.slice(-2), ['publish n1 gone', 'ok 2']);
  assert.equal(it.keys('doc/'), []);
  assert.is(rig(it.disk).under.rev, 2, 'the sequence goes on');
});

journal('a restart restores what was synced and nothing else', () => {
  const it = rig();
  it.submit('n1', 'a');
  it.turn();
  it.submit('n1', 'b');
  it.submit('n2', 'b');
  it.memory.kill();
  it.sync();
  const again = rig(it.disk);
  assert.equal([...again.under.nodes.keys()], ['n1']);
  assert.is(again.run('nodes', 'n1'), 'a');
  assert.is(again.under.rev, 1);
  again.submit('n1', 'c');
  again.sync();
  assert.equal(again.told, ['publish n1 2', 'ok 2']);
});

journal('"the same again" is answered after the sync of what it equals, and fails with it', () => {
  const it = rig();
  const after = () => it.under.afterPending(1, error => void it.told.push(error ? `same ${error.code}` : 'same ok'));
  after();
  assert.equal(it.told.splice(0), ['same ok'], 'nothing waits');
  it.submit('n1', 'a');
  after();
  assert.equal(it.told, []);
  it.sync();
  assert.equal(it.told.splice(0), ['publish n1 1', 'ok 1', 'same ok']);
  it.memory.failWrites(new Error('full'));
  it.submit('n1', 'b');
  it.submit('n1', 'c');
  after();
  it.sync();
  assert.equal(it.told, ['journal n1 b', 'journal n1 c', 'same journal']);
});

journal('changes that wait are bounded, and refused with the limit named', () => {
  const it = rig();
  for (let i = 0; i < journalLimits.pending; i++) it.submit('n1', `${i}`);
  it.submit('n1', 'one too many');
  it.under.afterPending(1, error => void it.told.push(`same ${error?.code}`));
  assert.equal(it.told, ['full n1 one too many', 'same full']);
  assert.is(it.run('nodes', 'n1'), `${journalLimits.pending - 1}`);
  it.sync();
  it.submit('n1', 'later');
  it.sync();
  assert.is(it.run('durable', 'n1'), 'later');
});

journal('closing waits for the batches under way', () => {
  const it = rig();
  it.submit('n1', 'a');
  it.submit('n1', 'b');
  it.under.close(() => void it.told.push('closed'));
  it.sync();
  assert.equal(it.told, ['publish n1 1', 'ok 1', 'publish n1 2', 'ok 2', 'closed']);
  const idle = rig();
  idle.under.close(() => void idle.told.push('closed'));
  idle.sync();
  assert.equal(idle.told, ['closed']);
});

journal('what cannot be read is named, and never guessed at', () => {
  const good = { 'meta/format': '3', 'meta/gen': '0', 'meta/rev': '5' };
  const start = (more: Record<string, string>) => rig(new Map(Object.entries({ ...good, ...more }))).started();
  assert.is(start({}), '');
  assert.match(start({ 'doc/node/n1': '{"services":' }) ?? '', /entry doc\/node\/n1 cannot be read .*backup/);
  assert.match(
    start({ 'doc/node/n1': '{"document":{"services":{"s":{"run":7}}},"rev":1}' }) ?? '',
    /n1 cannot be read/,
  );
  assert.match(start({ 'doc/node/N1': '{"document":{},"rev":1}' }) ?? '', /no id of a node or role/);
  assert.match(start({ 'doc/node/n1': '{"document":{},"rev":6}' }) ?? '', /newer than the journal/);
  assert.match(start({ 'meta/rev': 'x' }) ?? '', /meta\/rev cannot be read/);
  assert.match(start({ 'meta/gen': '-1' }) ?? '', /meta\/gen cannot be read/);
  assert.match(start({ 'meta/format': '4' }) ?? '', /has format 4, this version of Hearth reads 3: update Hearth/);
  const orphan = rig(new Map([['doc/node/n1', '{"document":{},"rev":1}']]));
  assert.match(orphan.started() ?? '', /meta\/format cannot be read \(it is missing\)/);
});

journal('a disk that is full at the first start is a sentence', () => {
  const queue: (() => void)[] = [];
  const store = createMemoryStore({ later: run => void queue.push(run) });
  store.failWrites(new Error('no space left'));
  let said: string | undefined;
  new Journal({ store, log: silentLog, writing: () => {}, synced: () => {} }).load(error => {
    said = error;
  });
  for (let run = queue.shift(); run; run = queue.shift()) run();
  assert.is(said, 'the journal cannot be written: no space left');
});

journal.run();
