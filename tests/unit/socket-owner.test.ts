import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect as connectTcp, createServer, type Socket } from 'node:net';
import { suite } from 'uvu';
import { addressBytes, isLoopback, ProcTcpScan, procKeys } from '../../broker/access/proc-tcp.ts';
import { createSocketOwners, endsOf, type OwnerParts, ProcSocketOwners } from '../../broker/access/socket-owner.ts';
import { testWith } from '../fixture/programs.ts';

const test = suite('owners of loopback connections');

const ends = { address: '127.0.0.1', port: 0xc350, localAddress: '127.0.0.1', localPort: 1883 };
const key = '0100007F:C350 0100007F:075B';
const wideKey = '0000000000000000FFFF00000100007F:C350 0000000000000000FFFF00000100007F:075B';
const head = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
const line = (ends: string, state = '01', uid = 1000, inode = 4711): string =>
  `  17: ${ends} ${state} 00000000:00000000 02:000A7214 00000000 ${String(uid).padStart(5)}        0 ${inode} 2 0000000000000000 20 4 30 10 -1\n`;

test('addresses', () => {
  for (const own of ['127.0.0.1', '127.9.8.7', '::1', '::ffff:127.0.0.1', '0:0:0:0:0:0:0:1'])
    assert.ok(isLoopback(own), own);
  const others = [
    '192.168.7.1',
    '::2',
    '::ffff:10.0.0.1',
    'fe80::1%eth0',
    '',
    'localhost',
    '127.0.0',
    '1::1',
    '127.0.0.256',
  ];
  for (const other of others) assert.ok(!isLoopback(other), other);
  assert.equal(addressBytes('2001:db8::1')?.toString('hex'), '20010db8000000000000000000000001');
  for (const none of ['1:2', '::1::', ':::', '12345::', '1:2:3:4:5:6:7:8:9', '::1.2.3.4', 'g::']) {
    assert.equal(addressBytes(none), undefined, none);
  }
});

test('the list is searched for the far end, as IPv4 and as IPv4 in IPv6', () => {
  assert.deepEqual(procKeys(ends), [key, wideKey]);
  assert.deepEqual(procKeys({ ...ends, address: '::ffff:127.0.0.1', localAddress: '::ffff:127.0.0.1' }), [
    key,
    wideKey,
  ]);
  assert.deepEqual(procKeys({ ...ends, address: '::1', localAddress: '::1' }), [
    '00000000000000000000000001000000:C350 00000000000000000000000001000000:075B',
  ]);
  assert.deepEqual(procKeys({ ...ends, address: '::1' }), []);
});

test('only an open socket of a process counts: what was let go of is shown as root, and is nobody', () => {
  const found = (text: string) => {
    const inPieces = (size: number) => {
      const uids: number[] = [];
      const scan = new ProcTcpScan(new Set([key, wideKey]), (_, uid) => uids.push(uid));
      const bytes = Buffer.from(head + text);
      const piece = Buffer.alloc(size);
      for (let at = 0; at < bytes.length; at += size) {
        // The same memory each time, as a reader has it.
        scan.feed(piece.subarray(0, bytes.copy(piece, 0, at)));
      }
      scan.end();
      return uids;
    };
    const whole = inPieces(8192);
    for (const size of [1, 7, 64, 150]) assert.deepEqual(inPieces(size), whole, `${size} bytes at a time`);
    return whole;
  };
  assert.deepEqual(found(line(key)), [1000]);
  assert.deepEqual(found(line(wideKey, '01', 1001).trimEnd()), [1001]);
  for (const state of ['02', '03', '04', '05', '06', '08', '0A', '11'])
    assert.deepEqual(found(line(key, state, 0)), [], state);
  assert.deepEqual(found(line(key, '01', 0, 0)), []);
  assert.deepEqual(found(line('0100007F:075B 0100007F:C350', '01', 0)), [], 'this end, not the other');
  assert.deepEqual(found(`x\n\n: \n   1: garbage\n${line(key)}`), [1000]);
  assert.deepEqual(found(''), []);
});

const reads =
  (text: (name: string) => string | Promise<string>): OwnerParts['read'] =>
  async (name, take) =>
    void take(Buffer.from(await text(name)));

const parts = (rest: Partial<OwnerParts>): OwnerParts => ({
  uid: 1000,
  now: () => 0,
  read: reads(name => head + (name === 'tcp' ? line(key) : '')),
  probe: async () => true,
  ...rest,
});

test("the supervisor's user and root are owners, nobody else is", async () => {
  const as = (uid: number, own = 1000) =>
    new ProcSocketOwners(parts({ uid: own, read: reads(() => head + line(key, '01', uid)) })).isOwner(ends);
  assert.equal(await as(1000), true);
  assert.equal(await as(0), true);
  assert.equal(await as(1001), false);
  assert.equal(await as(65534, 0), false);
  const owners = new ProcSocketOwners(parts({}));
  assert.equal(owners.isOwner({ ...ends, address: '192.168.7.2' }), false, 'at once');
  assert.equal(owners.readings, 0);
  assert.equal(await owners.isOwner({ ...ends, port: 99 }), false, 'not in the list');
  const broken = new ProcSocketOwners(parts({ read: () => Promise.reject(new Error('EACCES')) }));
  assert.equal(await broken.isOwner(ends), false, 'the list was readable before and is not now');
});

test('where owners cannot be known: open, but not for root; tried again after a while', async () => {
  let now = 0;
  let able = false;
  const probe = async () => able;
  const user = new ProcSocketOwners(parts({ probe, now: () => now, read: reads(() => head) }));
  const root = new ProcSocketOwners(parts({ uid: 0, probe: () => Promise.reject(new Error('EACCES')) }));
  assert.equal(await user.isOwner(ends), true);
  assert.equal(await root.isOwner(ends), false);
  assert.equal(await new ProcSocketOwners(parts({ uid: undefined })).isOwner(ends), true, 'no user ids at all');
  able = true;
  assert.equal(await user.isOwner(ends), true, 'not asked each time');
  now = 61_000;
  assert.equal(await user.isOwner(ends), false);
});

test('who is passed over in one reading, since others come and go, is looked for in another; then they are nobody', async () => {
  let readings = 0;
  const owners = (found: number) =>
    new ProcSocketOwners({
      uid: 1000,
      now: () => 0,
      probe: async () => true,
      async read(name, take) {
        if (name === 'tcp' && ++readings >= found) take(Buffer.from(head + line(key)));
      },
    });
  assert.equal(await owners(2).isOwner(ends), true);
  readings = 0;
  assert.equal(await owners(99).isOwner(ends), false);
  assert.equal(readings, 2, 'not looked for without end');
});

test('many at once share one reading, later ones the next, and a slow reading is followed by a pause', async () => {
  let now = 0;
  const texts: ((text: string) => void)[] = [];
  const owners = new ProcSocketOwners(
    parts({
      now: () => now,
      read: reads(name => (name === 'tcp6' ? head : new Promise(resolve => texts.push(resolve)))),
    }),
  );
  const first = Array.from({ length: 500 }, () => owners.isOwner(ends));
  const reading = async (many: number) => {
    while (texts.length < many) await new Promise(resolve => setImmediate(resolve));
  };
  await reading(1);
  const late = owners.isOwner(ends);
  now = 20;
  texts[0]?.(head + line(key));
  assert.ok((await Promise.all(first)).every(owner => owner));
  const began = performance.now();
  await reading(2);
  assert.ok(performance.now() - began > 40, 'it pauses for three times as long as it read');
  texts[1]?.(head + line(key, '01', 7));
  assert.equal(await late, false, 'what was read before it came does not count for it');
  assert.equal(owners.readings, 2);
});

test('a reading that took a minute, since there was much else to do, is followed by a short pause all the same', async () => {
  let now = 0;
  let readings = 0;
  const owners = new ProcSocketOwners(
    parts({
      now: () => now,
      read: reads(name => {
        if (name === 'tcp' && ++readings === 1) now += 60_000;
        return head + line(readings === 1 ? '0100007F:0001 0100007F:0002' : key);
      }),
    }),
  );
  const began = performance.now();
  assert.equal(await owners.isOwner(ends), true, 'found in the second reading');
  assert.ok(performance.now() - began < 30_000, 'who logs in does not wait for minutes');
});

const accepting = async (host: string): Promise<{ port: number; next: () => Promise<Socket>; close: () => void }> => {
  const server = createServer();
  server.listen(0, host);
  await once(server, 'listening');
  const at = server.address();
  return {
    port: typeof at === 'object' && at ? at.port : 0,
    next: async () => (await once(server, 'connection'))[0] as Socket,
    close: () => server.close(),
  };
};

test("this process's own connections, by the kernel's list, over IPv4 and IPv6", async () => {
  const owners = createSocketOwners();
  for (const host of ['127.0.0.1', '::1']) {
    const server = await accepting(host).catch(() => undefined);
    if (!server) continue;
    const next = server.next();
    const mine = connectTcp(server.port, host);
    const socket = await next;
    assert.equal(await owners.isOwner(endsOf(socket)), true, host);
    mine.destroy();
    socket.destroy();
    server.close();
  }
});

const client = `
  const s = require('node:net').connect(+process.argv[1], '127.0.0.1', () => s.write('x'));
  s.on('error', () => {});
  process.stdin.resume().on('end', () => process.exit());
`;

testWith(
  test,
  ['root'],
  'another user of this machine is no owner, not even when it has let go of its socket',
  async () => {
    const owners = createSocketOwners();
    const server = await accepting('127.0.0.1');
    const connect = async (uid: number) => {
      const next = server.next();
      const child = spawn(process.execPath, ['-e', client, String(server.port)], {
        uid,
        stdio: ['pipe', 'inherit', 'inherit'],
      });
      return { socket: (await next).on('error', () => {}), child };
    };
    const other = await connect(65_534);
    assert.equal(await owners.isOwner(endsOf(other.socket)), false);
    const root = await connect(0);
    assert.equal(await owners.isOwner(endsOf(root.socket)), true);
    // Its process ends while what it sent is still unread: the kernel shows what is left of the socket as root's.
    other.child.stdin.end();
    await once(other.child, 'exit');
    assert.equal(await owners.isOwner(endsOf(other.socket)), false);
    root.child.stdin.end();
    for (const { socket } of [other, root]) socket.destroy();
    server.close();
  },
);

test.run();
