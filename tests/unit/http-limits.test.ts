/** What one address may have of the HTTP port, how addresses are counted, and what a role may have. */
import * as assert from 'node:assert/strict';
import { suite as describe } from 'uvu';
import { addressNetwork, isLoopbackAddress, plainAddress } from '../../broker/http/address.ts';
import { AddressBook, type AddressLimits } from '../../broker/http/address-limits.ts';
import { readSessionCookie, sessionCookie } from '../../broker/http/cookie.ts';
import { isAllowed, type Permission } from '../../broker/http/permission.ts';

const suite = describe('limits of an address');
const limits: AddressLimits = { connections: 20, reserved: 5, perAddress: 3, requests: { perSecond: 1, burst: 4 } };
const enter = (book: AddressBook, address: string, times: number) =>
  Array.from({ length: times }, () => book.enter(address, 0)).filter(Boolean).length;

suite('so many connections for one address, and each that ends makes room', () => {
  const book = new AddressBook(limits);
  assert.equal(enter(book, '10.0.0.1', 5), 3);
  assert.equal(enter(book, '10.0.0.2', 5), 3);
  book.leave('10.0.0.1', 0);
  assert.equal(enter(book, '10.0.0.1', 5), 1);
  assert.equal(book.connections, 6);
});

suite('an IPv6 network has four times that, however many addresses one machine takes', () => {
  const book = new AddressBook(limits);
  let sum = 0;
  for (let index = 1; index < 100; index += 1) sum += enter(book, `2001:db8::${index.toString(16)}`, 3);
  assert.equal(sum, 12);
  assert.equal(enter(book, '2001:db8:0:1::1', 5), 3, 'the network beside it');
});

suite('this machine has no limit of its own, and places that nobody else gets', () => {
  const book = new AddressBook(limits);
  for (let index = 1; index < 100; index += 1) enter(book, `10.0.0.${index}`, 1);
  assert.equal(book.connections, 15);
  assert.equal(enter(book, '127.0.0.1', 100), 5);
  assert.equal(enter(book, '::1', 1), 0);
});

suite('requests come back with time, each address its own', () => {
  const book = new AddressBook(limits);
  const ask = (address: string, now: number, times: number) =>
    Array.from({ length: times }, () => book.request(address, now)).filter(Boolean).length;
  assert.equal(ask('10.0.0.1', 0, 10), 4);
  assert.equal(ask('10.0.0.2', 0, 10), 4);
  assert.equal(ask('10.0.0.1', 2000, 10), 2);
  let sum = 0;
  for (let index = 1; index < 100; index += 1) sum += ask(`2001:db8::${index.toString(16)}`, 0, 1);
  assert.equal(sum, 16, 'the network as a whole');
});

suite('addresses without a connection are forgotten, those with one never', () => {
  const book = new AddressBook({ ...limits, connections: 100_000 });
  assert.equal(enter(book, '10.9.9.9', 3), 3);
  for (let index = 0; index < 20_000; index += 1)
    book.request(`10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`, 0);
  assert.ok(book.size < 5000, String(book.size));
  assert.equal(enter(book, '10.9.9.9', 1), 0);
});

suite('one form for each address', () => {
  assert.deepEqual(['::ffff:10.0.0.1', '::FFFF:10.0.0.1', 'fe80::1%eth0', 'FE80::1', undefined].map(plainAddress), [
    '10.0.0.1',
    '10.0.0.1',
    'fe80::1',
    'fe80::1',
    '',
  ]);
  assert.deepEqual(['127.0.0.1', '127.9.9.9', '::1', '10.0.0.1', '1270.0.0.1', ''].map(isLoopbackAddress), [
    ...[true, true, true, false, false, false],
  ]);
  assert.deepEqual(
    ['10.0.0.1', '::1', 'fe80::1', '2001:db8::1', '2001:0db8:0:0:1:2:3:4', '2001:db8:1:2:3::', '::1:2'].map(
      addressNetwork,
    ),
    [undefined, undefined, undefined, '2001:db8:0:0::/64', '2001:db8:0:0::/64', '2001:db8:1:2::/64', '0:0:0:0::/64'],
  );
});

suite('a permission holds for the roles it names, and for nobody unknown', () => {
  const roles = ['admin', 'operator', 'viewer', 'integration', 'node', undefined] as const;
  const table: Record<Permission, string> = {
    public: '111111',
    member: '111110',
    artifacts: '111010',
    upload: '110010',
    viewer: '111000',
    operator: '110000',
    admin: '100000',
  };
  for (const [permission, expected] of Object.entries(table)) {
    const said = roles.map(role => Number(isAllowed(permission as Permission, role))).join('');
    assert.equal(said, expected, permission);
  }
});

suite("a cookie of another port, or plain where TLS is, is not this one's", () => {
  const cookie = (secure: boolean, port: number) => sessionCookie('abc', secure, port, 60).split(';', 1)[0] ?? '';
  assert.equal(readSessionCookie(`x=y; ${cookie(true, 1)}`, true, 1), 'abc');
  assert.equal(readSessionCookie(cookie(true, 2), true, 1), undefined);
  assert.equal(readSessionCookie(cookie(false, 1), true, 1), undefined);
  assert.equal(readSessionCookie(cookie(true, 1), false, 1), undefined);
  assert.equal(readSessionCookie('__proto__=x; =; ;;', true, 1), undefined);
  assert.equal(readSessionCookie(undefined, true, 1), undefined);
});

suite.run();
