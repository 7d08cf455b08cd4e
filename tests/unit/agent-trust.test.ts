/** Whom an agent believes: servers, times and answers, against the real CA and OpenSSL. */
import { execFileSync } from 'node:child_process';
import 'reflect-metadata';
import { createPublicKey, generateKeyPairSync, verify, webcrypto, X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BrokerList } from '../../node-agent/connection/broker-list.ts';
import { TrustedTime } from '../../node-agent/connection/trusted-time.ts';
import { verifyServer } from '../../node-agent/connection/verify-server.ts';
import { admitted } from '../../node-agent/join/admitted.ts';
import { makeCsr, proofBy } from '../../node-agent/join/csr.ts';
import { ed25519Verifier } from '../../shared/ed25519.ts';
import { type BundleBody, serverName } from '../../shared/schemas/trust.ts';
import { sealBundle } from '../../shared/trust-statements.ts';
import { newSigner } from '../fixture/agent-rig.ts';
import { caRig, day, requester, testCluster } from '../fixture/certificates.ts';
import { manualClock, startOfTest } from '../fixture/manual-clock.ts';
import { folder } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';

const trust = suite('agent trust');
const name = serverName(testCluster);
const hour = 3_600_000;
const p256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

const pems = (text: string): Uint8Array[] =>
  (text.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? []).map(
    pem => new X509Certificate(pem).raw,
  );
const newKey = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

trust('a server is believed by chain, name, use and the time that is trusted', async () => {
  const { authority } = await caRig();
  const ca = authority.certificates();
  const chain = pems(authority.serverCredentials().cert);
  const at = startOfTest + hour;
  assert.equal(verifyServer(chain, { ca, name, at }), { ok: true, direct: true });
  const why = (sent: readonly Uint8Array[], more: object) => {
    const verdict = verifyServer(sent, { ca, name, at, ...more });
    return verdict.ok ? 'believed' : verdict.why;
  };
  assert.is(why(chain, { at: 0 }), 'time', '1970');
  assert.is(why(chain, { at: at + 50 * 365 * day }), 'time');
  assert.is(why(chain, { at: Number.NaN }), 'time');
  assert.is(why(chain, { name: serverName('f'.repeat(32)) }), 'name');
  const other = await caRig();
  assert.is(why(chain, { ca: other.authority.certificates() }), 'chain', 'same name, another key');
  assert.is(why(pems(other.authority.serverCredentials().cert), {}), 'chain');
  assert.is(why([], {}), 'chain');
  assert.is(why([Buffer.from('no certificate')], {}), 'chain');
  assert.is(why(pems(ca[0] ?? ''), {}), 'use', 'the CA itself');
  // Whoever has a node's key is no server.
  const node = await authority.issueNode((await requester()).csr, 'n1');
  assert.is(why(pems(node.pem), {}), 'use');
  // A leaf is no CA, whatever it signs.
  assert.is(why([...pems(other.authority.serverCredentials().cert), ...pems(node.pem)], {}), 'chain');
});

trust(
  'a certificate that only looks like one of the CA, and one that a node signed itself, are not believed',
  async () => {
    const { authority } = await caRig();
    const ca = authority.certificates();
    const at = startOfTest + hour;
    const mine = (await webcrypto.subtle.generateKey(p256, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
    /** A server's certificate with this issuer's name and key id, signed by a key of the attacker's. */
    const forged = async (issuer: x509.X509Certificate, signingKey: webcrypto.CryptoKey) => {
      const certificate = await x509.X509CertificateGenerator.create({
        ...{
          subject: 'CN=server',
          issuer: issuer.subject,
          publicKey: mine.publicKey,
          signingKey,
          signingAlgorithm: p256,
        },
        ...{ notBefore: new Date(at - hour), notAfter: new Date(at + hour) },
        extensions: [
          new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
          new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: name }]),
          await x509.AuthorityKeyIdentifierExtension.create(issuer),
        ],
      });
      return new X509Certificate(certificate.toString('pem')).raw;
    };
    const root = new x509.X509Certificate(ca[0] ?? '');
    assert.equal(verifyServer([await forged(root, mine.privateKey)], { ca, name, at }).ok, false);
    const { csr, key } = await requester();
    const node = (await authority.issueNode(csr, 'n1')).pem;
    const der = x509.PemConverter.decodeFirst(key);
    const nodeKey = await webcrypto.subtle.importKey('pkcs8', der, p256, false, ['sign']);
    const chain = [await forged(new x509.X509Certificate(node), nodeKey), ...pems(node)];
    assert.ok(new X509Certificate(chain[0] ?? '').verify(new X509Certificate(node).publicKey), 'signed as it says');
    assert.equal(verifyServer(chain, { ca, name, at }).ok, false);
  },
);

trust('over a rotation: who knows only the old CA believes the new one, and is told to fetch the bundle', async () => {
  const rig = await caRig();
  const { authority } = rig;
  const old = [...authority.certificates()];
  await authority.rotate();
  const chain = pems(authority.serverCredentials().cert);
  const at = startOfTest + hour;
  assert.equal(verifyServer(chain, { ca: old, name, at }), { ok: true, direct: false });
  assert.equal(verifyServer(chain, { ca: authority.certificates(), name, at }), { ok: true, direct: true });
  assert.is(
    verifyServer(chain.slice(0, 1), { ca: old, name, at }).ok,
    false,
    'without what the old CA says of the new',
  );
  const stranger = await caRig();
  assert.is(verifyServer(chain, { ca: stranger.authority.certificates(), name, at }).ok, false);
});

testWith(trust, ['openssl'], 'OpenSSL reads and verifies the request, and the proof is by its key', () => {
  const key = newKey();
  const csr = makeCsr(key);
  const file = join(folder(), 'csr.pem');
  writeFileSync(file, csr);
  const said = execFileSync('openssl', ['req', '-in', file, '-verify', '-noout', '-text'], {
    encoding: 'utf8',
    stdio: 'pipe',
  });
  assert.match(said, /NIST CURVE: P-256/);
  assert.match(said, /ecdsa-with-SHA256/);
  const proof = Buffer.from(proofBy(key, 'renew', csr), 'base64url');
  const by = { key: createPublicKey(key), dsaEncoding: 'ieee-p1363' } as const;
  assert.ok(verify('sha256', Buffer.from(`hearth/renew\n${csr}`), by, proof));
  assert.not(verify('sha256', Buffer.from(`hearth/clone\n${csr}`), by, proof));
});

trust('an admission is kept only if it is for this key, by this cluster, now', async () => {
  const signer = newSigner();
  const rig = await caRig({ cluster: signer.cluster });
  const key = newKey();
  const ca = [...rig.authority.certificates()];
  const seal = (serial: number, list = ca, by = signer) => sealBundle(by, { serial, ca: list, base: 'hearth' });
  const known: BundleBody = { cluster: signer.cluster, key: signer.key, serial: 3, ca, base: 'hearth' };
  const { pem: cert } = await rig.authority.issueNode(makeCsr(key), 'n1');
  const at = startOfTest + hour;
  const answer = {
    ...{ state: 'joined' as const, node: 'n1', cert, bundle: seal(3), at_ms: at },
    brokers: ['mqtt://10.0.0.1:1883', 'mqtts://10.0.0.1:8883', 'nonsense'],
  };
  const judge = (more: object, own: object = {}) =>
    admitted({ ...answer, ...more }, { key, known, verifier: ed25519Verifier(), at, ...own });
  const good = judge({ roles: 'web', room: '' });
  assert.ok(good.ok);
  assert.equal(good.ok && [good.value.node, good.value.brokers, good.value.roles, good.value.room], [
    ...['n1', ['mqtts://10.0.0.1:8883'], 'web', undefined],
  ]);
  const stranger = await caRig({ cluster: signer.cluster });
  const theirs = await stranger.authority.issueNode(makeCsr(key), 'n1');
  const refused: readonly (readonly [string, object, object?])[] = [
    ['another key', {}, { key: newKey() }],
    ['another name', { node: 'n2' }],
    ['another CA', { cert: theirs.pem }],
    ['another cluster', { bundle: seal(3, ca, newSigner()) }],
    ['a bundle that was put back', { bundle: seal(2) }],
    ['a bundle that was changed', { bundle: { ...seal(3), text: seal(4).text } }],
    ['no broker with TLS', { brokers: ['mqtt://10.0.0.1'] }],
    ['a certificate of last year', {}, { at: at + 365 * day }],
    ["a user's certificate", { cert: (await rig.authority.issueUser(makeCsr(key), 'n1')).pem }],
    ['no certificate', { cert: '-----BEGIN CERTIFICATE-----\n' }],
  ];
  for (const [what, more, own] of refused) {
    assert.is(judge(more, own).ok, false, what);
  }
});

trust('time: never below the build, from memory until the supervisor says it, then by the monotonic clock', () => {
  const clock = manualClock();
  let wall = 0;
  const built = startOfTest;
  const time = new TrustedTime({ ...clock, wall: () => wall, now: () => clock.now() }, built);
  assert.is(time.now(), built, 'a clock in 1970');
  time.remember(built + day);
  assert.is(time.now(), built + day);
  wall = built + 9 * day;
  assert.is(time.now(), built + 9 * day, 'a clock that can be right is believed');
  assert.is(time.said(built + 2 * day), 7 * day);
  wall = 0;
  clock.advance(5000);
  assert.is(time.now(), built + 2 * day + 5000, 'set back or not');
  time.remember(built + 900 * day);
  assert.is(time.now(), built + 2 * day + 5000, 'a supervisor whose clock was wrong can mend that');
  time.said(5);
  assert.is(time.now(), built);
});

trust(
  'brokers in turns: what works stays first, what is told anew takes the place, what was found is tried next',
  () => {
    const list = new BrokerList(['mqtts://a:1', 'mqtts://b:1', 'mqtts://a:1']);
    assert.equal(list.urls, ['mqtts://a:1', 'mqtts://b:1']);
    list.failed();
    assert.is(list.url, 'mqtts://b:1');
    list.replace(['mqtts://c:1', 'mqtts://b:1']);
    assert.is(list.url, 'mqtts://b:1');
    list.replace([]);
    assert.is(list.urls.length, 2);
    list.failed();
    assert.is(list.url, 'mqtts://c:1');
    list.add(['mqtts://c:1']);
    assert.is(list.urls.length, 2);
    list.add(['mqtts://d:1']);
    assert.is(list.url, 'mqtts://d:1');
    for (let index = 0; index < 100; index++) list.add([`mqtts://x${index}:1`]);
    assert.ok(list.urls.length <= 16);
    assert.is(list.current().tls, true);
  },
);

trust.run();
