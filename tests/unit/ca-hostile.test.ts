import 'reflect-metadata';
import { createPrivateKey, generateKeyPairSync, webcrypto } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { clientUri, issueClient, newKey, readIssuer, selfSigned } from '../../broker/trust/ca/certificates.ts';
import { keyOfCsr } from '../../broker/trust/ca/csr.ts';
import { UserError } from '../../shared/user-error.ts';
import { type CaRig, caRig, day, parsed, requester, testCluster } from '../fixture/certificates.ts';
import { startOfTest } from '../fixture/manual-clock.ts';

const hostile = suite('certificate authority, attacked');

const p256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const now = startOfTest + 1000;

async function refused(csr: string): Promise<string> {
  try {
    await keyOfCsr(csr);
  } catch (error) {
    assert.instance(error, UserError);
    return (error as Error).message;
  }
  throw new Error('it was taken');
}

hostile('requests with other keys, forged, broken or oversize are refused in a sentence', async () => {
  assert.match(await refused((await requester({ name: 'ECDSA', namedCurve: 'P-384' })).csr), /key of another kind/);
  const { csr } = await requester();
  const der = Buffer.from(x509.PemConverter.decodeFirst(csr));
  const flipped = Buffer.from(der);
  flipped[flipped.length - 3] = (flipped[flipped.length - 3] ?? 0) ^ 1;
  const pem = (bytes: Buffer) => x509.PemConverter.encode(bytes as Buffer<ArrayBuffer>, 'CERTIFICATE REQUEST');
  assert.match(await refused(pem(flipped)), /not signed by its own key/);
  assert.match(await refused(`${csr}\n${csr}`), /cannot be read/);
  assert.match(await refused(''), /cannot be read/);
  assert.match(await refused('x'.repeat(9000)), /longer than 8192/);
  assert.match(await refused(pem(der.subarray(0, der.length - 20))), /cannot be read/);
  assert.match(await refused(pem(Buffer.alloc(4000, 0x30))), /cannot be read/);
  const deep = Buffer.concat([...Array.from({ length: 1500 }, () => Buffer.from([0x30, 0x80])), Buffer.from([5, 0])]);
  assert.match(await refused(pem(deep)), /cannot be read/);
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  assert.match(await refused(publicKey.export({ type: 'spki', format: 'pem' }).toString()), /cannot be read/);
});

hostile('a point that is not on the curve is refused', async () => {
  const { csr } = await requester();
  const der = Buffer.from(x509.PemConverter.decodeFirst(csr));
  const key = Buffer.from(new x509.Pkcs10CertificateRequest(csr).publicKey.rawData).subarray(-64);
  const at = der.indexOf(key);
  assert.ok(at > 0);
  der[at + 63] = (der[at + 63] ?? 0) ^ 1;
  assert.match(
    await refused(x509.PemConverter.encode(der as Buffer<ArrayBuffer>, 'CERTIFICATE REQUEST')),
    /cannot be read/,
  );
});

hostile('any bit of a request may be wrong, and nothing but a refusal comes of it', async () => {
  const { csr } = await requester();
  const der = Buffer.from(x509.PemConverter.decodeFirst(csr));
  const original = Buffer.from(await keyOfCsr(csr)).toString('hex');
  for (let at = 0; at < der.length; at++) {
    const bytes = Buffer.from(der);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << (at % 8));
    const text = x509.PemConverter.encode(bytes as Buffer<ArrayBuffer>, 'CERTIFICATE REQUEST');
    // Other names for the same signature exist; another key without its signature must not.
    const taken = await keyOfCsr(text).then(
      spki => Buffer.from(spki).toString('hex'),
      (error: unknown) => void assert.instance(error, UserError),
    );
    assert.ok(taken === undefined || taken === original, `byte ${at}`);
  }
});

hostile('what a request asks for beside its key is not given', async () => {
  const keys = (await webcrypto.subtle.generateKey(p256, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
  const csr = await x509.Pkcs10CertificateRequestGenerator.create({
    name: 'CN=admin',
    keys,
    signingAlgorithm: p256,
    extensions: [
      new x509.BasicConstraintsExtension(true, 3, true),
      new x509.SubjectAlternativeNameExtension([{ type: 'url', value: clientUri(testCluster, 'user', 'admin') }]),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
    ],
  });
  const { authority } = await caRig();
  const certificate = parsed((await authority.issueNode(csr.toString('pem'), 'n1')).pem);
  assert.not.ok(certificate.ca);
  assert.is(certificate.subject, `O=${testCluster}\nCN=n1`);
  assert.equal(authority.verifyClient(certificate)?.name, 'n1');
});

/** A certificate as somebody would make it who has a key, and perhaps more. */
async function forge(
  signer: { readonly name: string; readonly key: webcrypto.CryptoKey },
  extensions: x509.Extension[],
  at = startOfTest,
): Promise<string> {
  const keys = (await webcrypto.subtle.generateKey(p256, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: '01',
    subject: 'CN=n1',
    issuer: signer.name,
    notBefore: new Date(at - day),
    notAfter: new Date(at + day),
    signingAlgorithm: p256,
    publicKey: keys.publicKey,
    signingKey: signer.key,
    extensions,
  });
  return certificate.toString('pem');
}

const client = new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]);
const named = (...uris: string[]) =>
  new x509.SubjectAlternativeNameExtension(uris.map(value => ({ type: 'url', value }) as const));
const n1 = clientUri(testCluster, 'node', 'n1');

async function ownCa(rig: CaRig) {
  const issuer = await readIssuer(
    rig.authority.certificates()[0] ?? '',
    fs.readFileSync(join(rig.path, 'ca-1-key.pem'), 'utf8'),
  );
  return { name: issuer.certificate.subject, key: issuer.key };
}

hostile('a CA of the same name with another key signs for nobody', async () => {
  const { authority } = await caRig();
  const key = newKey();
  const fake = await readIssuer(
    await selfSigned(testCluster, 1, key, now),
    key.export({ type: 'pkcs8', format: 'pem' }).toString(),
  );
  const publicKey = await keyOfCsr((await requester()).csr);
  const of = { cluster: testCluster, kind: 'node', name: 'n1', publicKey, lifeMs: day } as const;
  const forged = parsed((await issueClient(fake, of, now)).pem);
  assert.is(authority.verifyClient(forged), undefined);
  assert.is(authority.verifyExpired(forged), undefined);
  // Without a key identifier only the signature tells the two apart.
  const bare = parsed(await forge({ name: fake.certificate.subject, key: fake.key }, [client, named(n1)]));
  assert.ok(bare.checkIssued(parsed(authority.certificates()[0] ?? '')));
  assert.is(authority.verifyClient(bare), undefined);
  assert.is(authority.verifyExpired(bare), undefined);
});

hostile('a node is no CA, and a certificate that signs itself names nobody', async () => {
  const { authority } = await caRig();
  const node = await requester();
  const issued = await authority.issueNode(node.csr, 'n2');
  const der = createPrivateKey(node.key).export({ type: 'pkcs8', format: 'der' });
  const key = await webcrypto.subtle.importKey('pkcs8', der, p256, false, ['sign']);
  const name = new x509.X509Certificate(issued.pem).subject;
  const below = parsed(await forge({ name, key }, [client, named(n1)]));
  assert.ok(below.verify(parsed(issued.pem).publicKey));
  assert.is(authority.verifyClient(below), undefined);
  assert.is(authority.verifyClient(parsed(await forge({ name: 'CN=n1', key }, [client, named(n1)]))), undefined);
});

hostile('even from the CA itself only the one profile of clients counts', async () => {
  const rig = await caRig();
  const signer = await ownCa(rig);
  const verified = async (...extensions: x509.Extension[]) =>
    rig.authority.verifyClient(parsed(await forge(signer, extensions)));
  assert.is((await verified(client, named(n1)))?.name, 'n1');
  const both = new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth, x509.ExtendedKeyUsage.serverAuth]);
  assert.is(await verified(both, named(n1)), undefined);
  assert.is(await verified(named(n1)), undefined);
  assert.is(await verified(client), undefined);
  assert.is(await verified(client, new x509.BasicConstraintsExtension(true, 0, true), named(n1)), undefined);
  assert.is(await verified(client, named(clientUri('f'.repeat(32), 'node', 'n1'))), undefined);
  assert.is(await verified(client, named(n1, clientUri(testCluster, 'user', 'admin'))), undefined);
  for (const uri of [
    `${n1},`,
    `${n1}/x`,
    clientUri(testCluster, 'node', 'all'),
    clientUri(testCluster, 'node', 'N1'),
  ]) {
    assert.is(await verified(client, named(uri)), undefined, uri);
  }
  assert.is(await verified(client, named(clientUri(testCluster, 'user', 'a'.repeat(65)))), undefined);
  const end = Date.parse(parsed(rig.authority.certificates()[0] ?? '').validTo) + day;
  rig.setTime(end);
  assert.is(rig.authority.verifyClient(parsed(await forge(signer, [client, named(n1)], end))), undefined, 'dead CA');
  rig.setTime(startOfTest);
  const dns = new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: `URI:${n1}` }]);
  assert.is(await verified(client, dns), undefined);
  const split = new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: `x, URI:${n1}` }]);
  assert.is(await verified(client, split), undefined);
});

hostile.run();
