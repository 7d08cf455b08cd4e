import * as fs from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { raiseBundleSerial } from '../../broker/trust/ca/ca-files.ts';
import { serverName } from '../../shared/schemas/trust.ts';
import { UserError } from '../../shared/user-error.ts';
import { caRig, day, opensslVerify, parsed, requester, testCluster } from '../fixture/certificates.ts';
import { startOfTest } from '../fixture/manual-clock.ts';
import { folder } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';

const ca = suite('certificate authority, replaced');

async function refusal(run: () => Promise<unknown>): Promise<string> {
  try {
    await run();
  } catch (error) {
    assert.instance(error, UserError);
    return (error as Error).message;
  }
  throw new Error('nothing was refused');
}

ca('rotation: a new CA issues, certificates of the old one stay good, and the bundle has a higher serial', async () => {
  const rig = await caRig();
  const { authority } = rig;
  const [oldRoot, serial] = [authority.certificates()[0] ?? '', authority.serial];
  const node = parsed((await authority.issueNode((await requester()).csr, 'n1')).pem);
  const told: string[] = [];
  authority.onServerCertificate(() => told.push('server'));
  authority.onCertificates(() => told.push('bundle'));
  rig.setTime(startOfTest + 2 * day);
  await authority.rotate();
  assert.equal(told, ['server', 'bundle']);
  assert.ok(authority.serial > serial);
  assert.is(authority.certificates().length, 2);
  assert.is(authority.certificates()[1], oldRoot);
  assert.is(authority.verifyClient(node)?.name, 'n1');
  const fresh = parsed((await authority.issueNode((await requester()).csr, 'n2')).pem);
  assert.ok(fresh.checkIssued(parsed(authority.certificates()[0] ?? '')));
  assert.is(authority.verifyClient(fresh)?.name, 'n2');
  assert.not.ok(fs.existsSync(join(rig.path, 'ca-1-key.pem')), 'the old key is destroyed');
  assert.match(await refusal(() => authority.rotate()), /retire it first/);
  const again = await rig.reopen();
  assert.equal(again.certificates(), authority.certificates());
  assert.is(again.serverCredentials().cert, authority.serverCredentials().cert);
});

ca('retiring waits until every node has renewed; then old certificates do for renewal alone', async () => {
  const rig = await caRig();
  const { authority } = rig;
  const node = parsed((await authority.issueNode((await requester()).csr, 'n1')).pem);
  assert.match(await refusal(() => authority.retire(false)), /no replaced certificate authority to retire/);
  await authority.rotate();
  const { serial } = authority;
  const told: string[] = [];
  authority.onServerCertificate(() => told.push('server'));
  authority.onCertificates(() => told.push('bundle'));
  assert.match(await refusal(() => authority.retire(false)), /until 2026-01-08T.*--compromised/);
  rig.setTime(startOfTest + 8 * day);
  await authority.retire(false);
  assert.equal(told, ['server', 'bundle']);
  assert.is(authority.certificates().length, 1);
  assert.ok(authority.serial > serial);
  assert.is(authority.verifyClient(node), undefined);
  assert.is(authority.verifyExpired(node)?.name, 'n1');
  assert.is((await rig.reopen()).verifyExpired(node)?.name, 'n1');
});

ca('a CA whose key was stolen goes at once, for renewal too', async () => {
  const rig = await caRig();
  const { authority } = rig;
  const node = parsed((await authority.issueNode((await requester()).csr, 'n1')).pem);
  await authority.rotate();
  await authority.retire(true);
  assert.is(authority.verifyClient(node), undefined);
  assert.is(authority.verifyExpired(node), undefined);
  assert.is((await rig.reopen()).verifyExpired(node), undefined);
  assert.not.ok(fs.readdirSync(rig.path).some(name => name.startsWith('ca-1')));
});

ca('a rotation cut off before it counted changes nothing and leaves no key behind', async () => {
  const rig = await caRig();
  const before = rig.authority.certificates();
  const kept = ['ca.json', 'ca-1-key.pem'].map(name => [name, fs.readFileSync(join(rig.path, name))] as const);
  await rig.authority.rotate();
  for (const [name, bytes] of kept) fs.writeFileSync(join(rig.path, name), bytes);
  fs.writeFileSync(join(rig.path, 'ca-3-key.pem.new'), 'half a key');
  const again = await rig.reopen();
  assert.equal(again.certificates(), before);
  assert.equal(
    fs.readdirSync(rig.path).filter(name => name.includes('-key')),
    ['ca-1-key.pem'],
  );
  await again.rotate();
  assert.is(again.certificates()[1], before[0]);
});

ca('what is lost or mixed up is one sentence that names the file', async () => {
  const lost = async (spoil: (path: string) => void, cluster = testCluster) => {
    const rig = await caRig();
    await rig.authority.rotate();
    spoil(rig.path);
    return refusal(() => caRig({ folder: rig.path, cluster }));
  };
  const remove = (name: string) => (path: string) => fs.rmSync(join(path, name));
  assert.match(await lost(remove('ca.json')), /ca\.json, .* is gone: restore .* from a backup/);
  assert.match(await lost(remove('ca-2-key.pem')), /ca-2-key\.pem, .* is gone/);
  assert.match(await lost(remove('ca-1.pem')), /ca-1\.pem, .* is gone/);
  const write = (name: string, text: string) => (path: string) => fs.writeFileSync(join(path, name), text);
  assert.match(await lost(write('ca.json', '{')), /ca\.json, .* cannot be read/);
  assert.match(await lost(write('ca-2-key.pem', 'x')), /ca-2-key\.pem, .* cannot be read/);
  assert.match(await lost(write('ca-2.pem', 'x')), /ca-2\.pem, .* cannot be read/);
  const foreignKey = fs.readFileSync(join((await caRig()).path, 'ca-1-key.pem'), 'utf8');
  assert.match(await lost(write('ca-2-key.pem', foreignKey)), /ca-2-key\.pem, .* cannot be read/);
  assert.match(await lost(() => {}, 'f'.repeat(32)), /is the certificate authority of another cluster/);
});

ca('a first start that was cut off goes on; a broken server certificate is made anew', async () => {
  const rig = await caRig();
  fs.rmSync(join(rig.path, 'ca.json'));
  fs.writeFileSync(join(rig.path, 'server.pem'), 'half');
  const again = await rig.reopen();
  assert.equal(again.certificates(), rig.authority.certificates());
  assert.is.not(again.serverCredentials().cert, rig.authority.serverCredentials().cert);
  const [foreign, { cert }] = [rig.authority.serverCredentials().key, again.serverCredentials()];
  fs.writeFileSync(join(rig.path, 'server.pem'), foreign + cert);
  assert.is.not((await rig.reopen()).serverCredentials().cert, cert);
});

testWith(
  ca,
  ['openssl'],
  'openssl agrees: before, during and after a rotation, each root alone, strictly',
  async () => {
    const rig = await caRig();
    const { authority } = rig;
    const oldRoot = authority.certificates()[0] ?? '';
    const check = (root: string, at = startOfTest + day) => {
      const [leaf = '', ...chain] = authority.serverCredentials().cert.split(/(?<=-----END CERTIFICATE-----\n)/);
      const host = serverName(testCluster);
      return opensslVerify({ roots: [root], leaf, chain: chain.join(''), at, purpose: 'sslserver', host });
    };
    assert.match(check(oldRoot), /OK$/);
    const before = await authority.issueNode((await requester()).csr, 'n1');
    await authority.rotate();
    const newRoot = authority.certificates()[0] ?? '';
    assert.match(check(oldRoot), /OK$/, 'who knows only the old CA');
    assert.match(check(newRoot), /OK$/, 'who knows only the new CA');
    assert.match(check(oldRoot, startOfTest + 200 * day), /certificate has expired/);
    const client = (leaf: string, roots: readonly string[]) => opensslVerify({ roots, leaf, purpose: 'sslclient' });
    assert.match(client(before.pem, authority.certificates()), /OK$/);
    assert.match(client(before.pem, [newRoot]), /unable to get local issuer/);
    assert.match(
      opensslVerify({ roots: [oldRoot], leaf: before.pem, purpose: 'sslserver' }),
      /unsupported certificate purpose|unsuitable certificate purpose/,
    );
    await authority.retire(true);
    assert.match(check(newRoot), /OK$/);
    assert.match(check(oldRoot), /unable to get local issuer/);
  },
);

ca('a restored folder has a bundle above every one that nodes may know', async () => {
  const rig = await caRig();
  const backup = ['ca.json', 'ca-1.pem', 'ca-1-key.pem'].map(
    name => [name, fs.readFileSync(join(rig.path, name))] as const,
  );
  rig.setTime(startOfTest + 3 * day);
  await rig.authority.rotate();
  rig.setTime(startOfTest + 4 * day);
  await rig.authority.retire(true);
  const restored = folder();
  raiseBundleSerial(restored, startOfTest + 4 * day + 5000);
  assert.equal(fs.readdirSync(restored), []);
  for (const [name, bytes] of backup) fs.writeFileSync(join(restored, name), bytes);
  raiseBundleSerial(restored, startOfTest + 4 * day + 5000);
  assert.ok((await caRig({ folder: restored })).authority.serial > rig.authority.serial);
});

ca.run();
