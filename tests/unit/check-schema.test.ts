/** What may be said about a check, and how sets become checks. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { z } from 'zod';
import { kindAt } from '../../broker/desired/keys.ts';
import { checkSets, expandChecks } from '../../shared/check-sets/index.ts';
import { limits } from '../../shared/limits.ts';
import { isItemName } from '../../shared/names.ts';
import { type Check, checkInput, checkKinds, checkSchema, checkSetNames, kindOf } from '../../shared/schemas/check.ts';

const schema = suite('checks: schema and sets');

const accepted: readonly (readonly [unknown, Check])[] = [
  ['test -e /x', { command: { run: 'test -e /x' } }],
  [['/bin/true'], { command: { run: ['/bin/true'] } }],
  [
    { port: { port: 22, host: '::1' }, severity: 'critical', every_s: 5, timeout_s: 1, runbook: 'http://wiki/ssh' },
    { port: { port: 22, host: '::1' }, severity: 'critical', every_s: 5, timeout_s: 1, runbook: 'http://wiki/ssh' },
  ],
  [{ port: { port: 23, answers: false } }, { port: { port: 23, answers: false } }],
  [{ http: { url: 'http://[::1]:80/x?y=1' } }, { http: { url: 'http://[::1]:80/x?y=1' } }],
  [
    { set: 'base', skip: ['updates'] },
    { set: 'base', skip: ['updates'] },
  ],
  [{ under_voltage: {} }, { under_voltage: {} }],
  [{ dns: { name: 'a', server: 'fe80::1' } }, { dns: { name: 'a', server: 'fe80::1' } }],
  [{ dns: { name: 'a', server: '127.0.0.1:5353' } }, { dns: { name: 'a', server: '127.0.0.1:5353' } }],
  [{ link: { dev: 'eth0.10' } }, { link: { dev: 'eth0.10' } }],
  [{ units_failed: {} }, { units_failed: {} }],
  [{ dns: { name: 'a.example', server: '[::1]:53' } }, { dns: { name: 'a.example', server: '[::1]:53' } }],
];
for (const [said, read] of accepted) {
  schema(`accepted: ${JSON.stringify(said)}`, () => {
    assert.equal(checkInput.parse(said), read);
    assert.equal(checkSchema.parse(read), read, 'what was accepted is accepted again');
  });
}

const refused: readonly (readonly [unknown, RegExp])[] = [
  [{}, /says nothing: give it one of command, port/],
  [{ severity: 'info' }, /says nothing/],
  [{ disk: { path: '/', max_pct: 1 }, user: { name: 'x' } }, /one check is one kind of assertion/],
  [{ set: 'base', user: { name: 'x' } }, /a set brings its own/],
  [{ set: 'base', every_s: 60 }, /a set brings its own/],
  [{ set: 'best' }, /Invalid option/],
  [{ skip: ['x'], user: { name: 'x' } }, /is of a set/],
  [{ user: { name: 'x' }, every_s: 4 }, /at least 5 seconds/],
  [{ user: { name: 'x' }, every_s: 90_000 }, /at most a day/],
  [{ user: { name: 'x' }, timeout_s: 601 }, /at most 600/],
  [{ user: { name: 'x' }, severity: 'fatal' }, /Invalid option/],
  [{ user: { name: 'x' }, runbook: 'r'.repeat(201) }, /200/],
  [{ user: { name: 'x', typo: 1 } }, /Unrecognized key/],
  [{ user: { name: '-x' } }, /not the name of a user/],
  [{ port: { port: 0 } }, />=1/],
  [{ port: { port: 1, answers: false, contains: 'x' } }, /must not answer says nothing/],
  [{ port: { port: 1, host: '-oProxy' } }, /not a host/],
  [{ http: { url: 'http://me:secret@host/' } }, /without a password/],
  [{ http: { url: 'file:///etc/passwd' } }, /not an address/],
  [{ http: { url: 'http://[::1/' } }, /not an address/],
  [{ file: { path: 'etc/passwd' } }, /absolute/],
  [{ file: { path: '/x', exists: false, contains: 'y' } }, /must not exist has no content/],
  [{ file: { path: '/x', contains: '' } }, /an empty text is in everything/],
  [{ file: { path: '/x', mode: '999' } }, /not permissions/],
  [{ disk: { path: '/' } }, /say max_pct/],
  [{ processes: {} }, /say max/],
  [{ processes: { running: ['/usr/bin/x'] } }, /not the name of a process/],
  [{ clock: {} }, /say synchronised/],
  [{ sysctl: { key: '../../etc/passwd', value: '' } }, /not a kernel setting/],
  [{ sysctl: { key: 'net/../../x', value: '' } }, /not a kernel setting/],
  [{ link: { dev: '../x' } }, /not a network interface/],
  [{ link: { dev: '..' } }, /not a network interface/],
  [{ dns: { name: 'x', server: 'ns.example' } }, /not the address of a DNS server/],
  [{ dns: { name: 'x', server: '1.2.3.4:99999' } }, /not the address of a DNS server/],
  [{ dns: { name: 'x', server: '1.2.3:53' } }, /not the address of a DNS server/],
  [{ dns: { name: 'x', server: '[1.2.3.4]:53' } }, /not the address of a DNS server/],
  [{ command: { run: 'x', contains: 'a\0b' } }, /NUL/],
  ['', /an empty command/],
];
for (const [said, why] of refused) {
  schema(`refused: ${JSON.stringify(said)}`, () => {
    const result = (typeof said === 'string' ? checkInput : checkSchema).safeParse(said);
    assert.not.ok(result.success);
    assert.match(JSON.stringify(result.error?.issues), why);
  });
}

schema('a key path reads what its key takes', () => {
  const document = z.strictObject({ checks: z.record(z.string(), checkInput).optional() });
  const kind = (path: string) => {
    const found = kindAt(document, path.split('.'));
    return found.ok ? found.value : found.error.message;
  };
  assert.is(kind('checks.a'), 'string-or-object');
  assert.is(kind('checks.a.set'), 'string');
  assert.is(kind('checks.a.disk'), 'object');
  assert.is(kind('checks.a.disk.max_pct'), 'number');
  assert.is(kind('checks.a.port.answers'), 'boolean');
  assert.match(kind('checks.a.dsik'), /did you mean "disk"/);
});

schema('the JSON Schema can be made', () => {
  const text = JSON.stringify(z.toJSONSchema(checkInput, { io: 'input' }));
  for (const kind of checkKinds) assert.match(text, `"${kind}"`);
});

schema('every shipped check is one that a person could write, and has a runbook', () => {
  assert.equal(Object.keys(checkSets).sort(), [...checkSetNames].sort());
  for (const [set, checks] of Object.entries(checkSets)) {
    for (const [name, check] of Object.entries(checks)) {
      assert.equal(checkSchema.parse(check), check, `${set}:${name}`);
      assert.ok(check.runbook, `${set}:${name} has a runbook`);
      assert.ok(isItemName(`${'x'.repeat(20)}:${name}`));
      assert.ok(kindOf(check));
    }
  }
});

schema('a set becomes its checks, less what is skipped; an own one takes the place of the set’s', () => {
  const own: Check = { temperature: { max_c: 80 } };
  const { checks, odd } = expandChecks({ hw: { set: 'pi', skip: ['root-ext4'] }, 'hw:temperature': own });
  assert.equal([...checks.keys()].sort(), ['hw:temperature', 'hw:under-voltage']);
  assert.is(checks.get('hw:temperature'), own);
  assert.is(odd.size, 0);
});

schema('what cannot become a check is told: a set of a newer version, a name to skip that is not there', () => {
  const { checks, odd } = expandChecks({
    a: { set: 'newest' as 'pi' },
    b: { set: 'constructor' as 'pi' },
    c: { set: 'pi', skip: ['temprature'] },
  });
  assert.equal([...checks.keys()].sort(), ['c:root-ext4', 'c:temperature', 'c:under-voltage']);
  assert.equal(Object.fromEntries(odd), {
    a: 'not looked at: this version knows no set "newest"',
    b: 'not looked at: this version knows no set "constructor"',
    c: 'the set "pi" has no check "temprature" to skip',
  });
});

schema('no more than the bound come of it, own ones first', () => {
  const sets = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`s${i}`, { set: 'base' as const }]));
  const own = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`z${i}`, { user: { name: 'x' } }]));
  const { checks, odd } = expandChecks({ ...sets, ...own });
  assert.is(checks.size, limits.checks);
  assert.is([...checks.keys()].filter(name => name.startsWith('z')).length, 100);
  assert.ok(odd.size >= 90);
  assert.match([...odd.values()][0] ?? '', /a node has at most 200 checks/);
});

schema.run();
