import * as fs from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { serverDue } from '../../broker/trust/ca/server-due.ts';
import { serverNames } from '../../broker/trust/ca/server-names.ts';
import { trustedNow } from '../../broker/trust/ca/trusted-now.ts';
import { serverName } from '../../shared/schemas/trust.ts';
import { UserError } from '../../shared/user-error.ts';
import { caRig, day, parsed, requester, testCluster } from '../fixture/certificates.ts';
import { startOfTest } from '../fixture/manual-clock.ts';

const ca = suite('certificate authority');

const mode = (path: string) => fs.statSync(path).mode & 0o777;
const leafOf = (cert: string) => parsed(cert);

async function refusal(run: () => Promise<unknown>): Promise<string> {
  try {
    await run();
  } catch (error) {
    assert.instance(error, UserError);
    return (error as Error).message;
  }
  throw new Error('nothing was refused');
}

ca('is made once, its keys for their owner alone, and is the same after a restart', async () => {
  const rig = await caRig();
  const { cert, key } = rig.authority.serverCredentials();
  for (const name of fs.readdirSync(rig.path)) assert.is(mode(join(rig.path, name)), 0o600, name);
  fs.chmodSync(join(rig.path, 'ca-1-key.pem'), 0o644);
  const again = await rig.reopen();
  assert.equal(again.certificates(), rig.authority.certificates());
  assert.is(again.serial, rig.authority.serial);
  assert.equal([again.serverCredentials().cert, again.serverCredentials().key], [cert, key]);
  assert.is(mode(join(rig.path, 'ca-1-key.pem')), 0o600);
});

ca('a node gets a certificate of a week that names it, for clients alone', async () => {
  const { authority } = await caRig();
  const issued = await authority.issueNode((await requester()).csr, 'n1');
  const certificate = parsed(issued.pem);
  assert.is(certificate.subject, `O=${testCluster}\nCN=n1`);
  assert.is(certificate.subjectAltName, `URI:urn:hearth:${testCluster}:node:n1`);
  assert.equal(certificate.keyUsage, ['1.3.6.1.5.5.7.3.2']);
  assert.not.ok(certificate.ca);
  assert.is(Date.parse(certificate.validTo), issued.notAfterMs);
  assert.is(issued.notAfterMs, Math.floor((startOfTest + 1000 + 7 * day) / 1000) * 1000);
  assert.is(certificate.serialNumber.toLowerCase(), issued.serial);
  const issuedMs = Math.floor((startOfTest + 1000) / 1000) * 1000;
  assert.equal(authority.verifyClient(certificate), { kind: 'node', name: 'n1', serial: issued.serial, issuedMs });
});

ca('a user gets one, too, and neither is taken for the other', async () => {
  const { authority } = await caRig();
  const user = await authority.issueUser((await requester()).csr, 'n1');
  const { kind, name, serial } = authority.verifyClient(parsed(user.pem)) ?? {};
  assert.equal({ kind, name, serial }, { kind: 'user', name: 'n1', serial: user.serial });
  assert.match(await refusal(() => authority.issueUser('x', 'a/b')), /"a\/b" is no user's name/);
  assert.match(await refusal(() => authority.issueNode('x', 'all')), /"all" is not a node id/);
});

ca('validity goes by the time it is given: not yet, now, no more; an expired one still tells who it was', async () => {
  const rig = await caRig();
  const { authority } = rig;
  const certificate = parsed((await authority.issueNode((await requester()).csr, 'n1')).pem);
  rig.setTime(startOfTest - 2 * day);
  assert.is(authority.verifyClient(certificate), undefined);
  rig.setTime(startOfTest + 6.9 * day);
  assert.is(authority.verifyClient(certificate)?.name, 'n1');
  rig.setTime(startOfTest + 7.1 * day);
  assert.is(authority.verifyClient(certificate), undefined);
  assert.is(authority.verifyExpired(certificate)?.name, 'n1');
});

ca("the server's certificate says every name and address, and makes no client of the server", async () => {
  const { authority } = await caRig();
  const certificate = leafOf(authority.serverCredentials().cert);
  for (const name of [serverName(testCluster), 'localhost', 'head.example.org', 'head.local']) {
    assert.is(certificate.checkHost(name), name);
  }
  for (const address of ['127.0.0.1', '::1', '192.168.7.9', 'fe80::1'])
    assert.ok(certificate.checkIP(address), address);
  assert.equal(certificate.keyUsage, ['1.3.6.1.5.5.7.3.1']);
  assert.is(authority.verifyClient(certificate), undefined);
});

ca('renews its server certificate by itself at two thirds of its life, with a new key', async () => {
  const rig = await caRig();
  let told = 0;
  rig.authority.onServerCertificate(() => told++);
  const before = rig.authority.serverCredentials();
  await rig.advance(59 * day);
  assert.equal([told, rig.authority.serverCredentials().cert], [0, before.cert]);
  await rig.advance(2 * day);
  const after = rig.authority.serverCredentials();
  assert.is(told, 1);
  assert.is.not(after.key, before.key);
  assert.ok(Date.parse(leafOf(after.cert).validTo) > startOfTest + 150 * day);
});

ca('a new address is in the certificate a minute later; one that went is no reason for another', async () => {
  const rig = await caRig();
  const { authority } = rig;
  rig.setAddresses(['10.1.2.3', '192.168.7.9']);
  await rig.advance(60_000);
  const { cert } = authority.serverCredentials();
  assert.ok(leafOf(cert).checkIP('10.1.2.3'));
  rig.setAddresses(['10.1.2.3']);
  await rig.advance(60_000);
  assert.is(authority.serverCredentials().cert, cert);
});

ca('a clock that was years ahead and is right again leaves no certificate of the future', async () => {
  const rig = await caRig();
  rig.setTime(Date.UTC(2040, 0, 1));
  await rig.authority.renewServer();
  rig.setTime(startOfTest + day);
  await rig.authority.check();
  assert.ok(Date.parse(leafOf(rig.authority.serverCredentials().cert).validFrom) <= startOfTest + day);
  const late = await caRig({ now: () => Date.UTC(2035, 0, 1) });
  assert.ok(Date.parse(parsed(late.authority.certificates()[0] ?? '').validFrom) <= startOfTest);
});

ca('no certificate outlives its CA, and the end of the CA is said a year before', async () => {
  const warnings: string[] = [];
  const log = { debug() {}, info() {}, error() {}, warn: (_: object, text: string) => void warnings.push(text) };
  const rig = await caRig({ log });
  await rig.advance(8 * 365 * day);
  assert.equal(warnings, []);
  await rig.advance(2 * 365 * day - 10 * day);
  assert.is(warnings.length, 1);
  assert.match(warnings[0] ?? '', /ends on 2035-12-30: replace it with "hearth ca rotate"/);
  const end = Date.parse(parsed(rig.authority.certificates()[0] ?? '').validTo);
  assert.is((await rig.authority.issueUser((await requester()).csr, 'ann')).notAfterMs, end);
  rig.setTime(end + 1000);
  assert.is(
    rig.authority.verifyClient(parsed((await rig.authority.issueNode((await requester()).csr, 'n1')).pem)),
    undefined,
  );
});

ca('many join at once', async () => {
  const { authority } = await caRig();
  const requests = await Promise.all(Array.from({ length: 20 }, () => requester()));
  const issued = await Promise.all(requests.map(({ csr }, index) => authority.issueNode(csr, `n${index}`)));
  assert.is(new Set(issued.map(({ serial }) => serial)).size, 20);
});

ca('names: what is no host name stays out, addresses are few and in one form', () => {
  const names = serverNames(testCluster, 'My Box!', [
    'fe80::1%3',
    '0:0:0:0:0:0:0:1',
    'nonsense',
    '127.0.0.1',
    '::FFFF:1.2.3.4',
  ]);
  assert.equal(names.dns, [serverName(testCluster), 'localhost']);
  assert.equal(names.ip, ['127.0.0.1', '::1', '::ffff:102:304', 'fe80::1']);
  const many = Array.from({ length: 300 }, (_, index) => `10.0.${index >> 8}.${index & 255}`);
  assert.is(serverNames(testCluster, 'h', many).ip.length, 66);
});

ca('when the server certificate is due', () => {
  const names = { dns: ['a'], ip: ['1.1.1.1', '2.2.2.2'] };
  const has = { notBeforeMs: 0, notAfterMs: 90, names, current: true };
  assert.is(serverDue(undefined, names, 1), 'missing');
  assert.is(serverDue({ ...has, current: false }, names, 1), 'rotation');
  assert.is(serverDue(has, names, -1), 'not valid yet');
  assert.is(serverDue(has, names, 59), undefined);
  assert.is(serverDue(has, names, 60), 'age');
  assert.is(serverDue(has, { dns: ['a', 'b'], ip: [] }, 1), 'names');
  assert.is(serverDue(has, { dns: [], ip: ['3.3.3.3'] }, 1), 'names');
});

ca('time is never before what has happened', () => {
  let wall = 5;
  const now = trustedNow(
    () => wall,
    () => 100,
    () => 90,
  );
  assert.is(now(), 100);
  wall = 200;
  assert.is(now(), 200);
});

ca.run();
