/** Passwords at rest, and what guessing costs. */
import { execFileSync } from 'node:child_process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { network } from '../../broker/access/network.ts';
import { Attempts } from '../../broker/trust/accounts/attempts.ts';
import { hashPassword, isHash, isOutdated, verifyPassword } from '../../broker/trust/accounts/password.ts';
import { testWith } from '../fixture/programs.ts';

const password = suite('accounts: passwords');
const cheap = { ln: 4, r: 1, p: 1 };

password('a hash carries its parameters and a salt, and only the password fits it', async () => {
  const hash = await hashPassword('correct horse', cheap);
  assert.match(hash, /^\$scrypt\$ln=4,r=1,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  assert.not.match(hash, /horse/);
  assert.is.not(await hashPassword('correct horse', cheap), hash);
  assert.ok(await verifyPassword('correct horse', hash));
  assert.not.ok(await verifyPassword('correct horse ', hash));
  assert.not.ok(await verifyPassword('', hash));
});

testWith(password, ['python3'], "another program's scrypt (Python's) makes the same hash", async () => {
  const hash = await hashPassword('correct horse', { ln: 10, r: 8, p: 2 });
  const [, , , salt = '', key] = hash.split('$');
  const script =
    'import base64,hashlib,sys; s=base64.b64decode(sys.argv[1]+"=="); print(base64.b64encode(hashlib.scrypt(b"correct horse", salt=s, n=1024, r=8, p=2, dklen=32)).decode().rstrip("="))';
  assert.is(execFileSync('python3', ['-c', script, salt], { encoding: 'utf8' }).trim(), key);
});

password('é is é, composed or not', async () => {
  assert.ok(await verifyPassword('caf\u0065\u0301-au-lait', await hashPassword('caf\u00e9-au-lait', cheap)));
});

password('weaker parameters are seen, and hostile ones never tried', async () => {
  assert.ok(isOutdated(await hashPassword('a', cheap)));
  const now = await hashPassword('a long password');
  assert.not.ok(isOutdated(now));
  for (const bad of ['', 'plain', now.replace('ln=15', 'ln=30'), now.replace('ln=15', 'ln=0'), `${now}x`]) {
    assert.not.ok(isHash(bad), bad);
    assert.not.ok(await verifyPassword('a long password', bad), bad);
  }
});
password.run();

const attempts = suite('accounts: attempts');

/** Tries wrongly until a wait is asked for. @returns how many tries went through. */
function guess(core: Attempts, address: string, name: string, now: number, most = 1000): number {
  let tries = 0;
  for (; tries < most && core.wait(address, name, now) === 0; tries++) core.begin(address, name, now).end('wrong', now);
  return tries;
}

attempts('a few tries are free, then each failure doubles the wait up to a limit', () => {
  const core = new Attempts();
  assert.is(guess(core, '10.0.0.1', 'anna', 0), 10);
  const waits: number[] = [];
  for (let now = 0, round = 0; round < 10; round++) {
    const wait = core.wait('10.0.0.1', 'anna', now);
    waits.push(wait);
    assert.is.not(core.wait('10.0.0.1', 'anna', now + wait - 1), 0);
    now += wait;
    assert.is(guess(core, '10.0.0.1', 'anna', now), 1);
  }
  assert.equal(waits.slice(0, 5), [1000, 2000, 4000, 8000, 16_000]);
  assert.is(waits.at(-1), 60_000);
});

attempts('another address does not help against a name, another name not for an address', () => {
  const core = new Attempts();
  for (let host = 1; host <= 10; host++) assert.is(guess(core, `10.0.0.${host}`, 'anna', 0, 1), 1);
  assert.ok(core.wait('10.0.0.99', 'anna', 0) > 0);
  assert.is(core.wait('10.0.0.99', 'ben', 0), 0);
  for (let each = 0; each < 20; each++) guess(core, '10.1.1.1', `name${each}`, 0, 1);
  assert.ok(core.wait('10.1.1.1', 'carl', 0) > 0);
});

attempts('a stranger cannot lock anybody out of where they log in', () => {
  const core = new Attempts();
  core.begin('10.0.0.7', 'anna', 0).end('good', 0);
  for (let host = 1; host < 6; host++) guess(core, `10.9.0.${host}`, 'anna', 0);
  assert.ok(core.wait('10.0.0.8', 'anna', 0) > 0);
  assert.is(core.wait('10.0.0.7', 'anna', 0), 0);
  // Nor is that place a way round: it has a count of its own.
  assert.is(guess(core, '10.0.0.7', 'anna', 0), 10);
  assert.ok(core.wait('10.0.0.7', 'anna', 0) > 0);
});

attempts('a thousand at once are no more than one after the other', () => {
  const core = new Attempts();
  const running = [];
  while (core.wait('10.0.0.1', 'anna', 0) === 0) running.push(core.begin('10.0.0.1', 'anna', 0));
  assert.is(running.length, 10);
  for (const each of running) each.end('wrong', 5);
  const one = core.wait('10.0.0.1', 'anna', 5);
  assert.is(one, 1000);
  core.begin('10.0.0.1', 'anna', 5 + one);
  assert.ok(core.wait('10.0.0.1', 'anna', 5 + one) > 0, 'beyond the free ones, one at a time');
});

attempts('what nobody looked at counts as nothing, and quiet makes forgotten', () => {
  const core = new Attempts();
  for (let each = 0; each < 100; each++) core.begin('10.0.0.1', 'anna', 0).end('busy', 0);
  assert.is(core.wait('10.0.0.1', 'anna', 0), 0);
  guess(core, '10.0.0.1', 'anna', 0);
  assert.is(guess(core, '10.0.0.1', 'anna', 31 * 60_000), 10);
});

attempts('whole IPv6 networks count as one place, and mapped addresses as what they are', () => {
  assert.is(network('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2::/64');
  assert.is(network('2001:0db8:1:2::9'), '2001:db8:1:2::/64');
  assert.is(network('2001:db8::1'), '2001:db8:0:0::/64');
  assert.is(network('::1'), '0:0:0:0::/64');
  assert.is(network('::2:3:4:5:6'), '0:0:0:2::/64');
  assert.is(network('fe80::1%eth0'), 'fe80:0:0:0::/64');
  assert.is(network('::ffff:10.1.2.3'), '10.1.2.3');
  assert.is(network('10.1.2.3'), '10.1.2.3');
});

attempts('what is remembered is bounded', () => {
  const core = new Attempts(100);
  for (let each = 0; each < 30_000; each++) {
    const address = `10.${each >> 16}.${(each >> 8) & 255}.${each & 255}`;
    core.begin(address, `u${each}`, 0).end(each % 2 ? 'wrong' : 'good', 0);
  }
  assert.ok(core.remembered <= 10_000 * 2 + 100, String(core.remembered));
});
attempts.run();
