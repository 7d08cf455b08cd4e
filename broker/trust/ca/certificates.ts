/**
 * The four kinds of X.509 certificate (RFC 5280) that a cluster has, all ECDSA on P-256 with SHA-256. Every end certificate
 * is issued by a CA directly, says what it is for and nothing else, and carries a random serial.
 */
import 'reflect-metadata';
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  webcrypto,
} from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { serverName } from '../../../shared/schemas/trust.ts';
import type { IssuedCertificate } from '../types.ts';
import { backdateMs } from './client-check.ts';
import type { ServerNames } from './server-names.ts';

const day = 86_400_000;
export const caLifeMs = 3650 * day;
export const serverLifeMs = 90 * day;
export const nodeLifeMs = 7 * day;
/**
 * CA certificates are valid from before there was a Hearth: the clock of the machine that made one may have been ahead, and
 * the one that checks it may be behind.
 */
const caNotBefore = Date.UTC(2026, 0, 1);

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const { cRLSign, digitalSignature, keyCertSign } = x509.KeyUsageFlags;

/** A CA that signs: its certificate and its key. */
export interface Issuer {
  readonly pem: string;
  readonly certificate: x509.X509Certificate;
  readonly key: webcrypto.CryptoKey;
  readonly keyObject: KeyObject;
}

export const newKey = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

export const keyToPem = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString();

/** @throws where the PEM texts are no certificate or no P-256 key. */
export async function readIssuer(pem: string, keyPem: string): Promise<Issuer> {
  const keyObject = createPrivateKey(keyPem);
  return { pem, certificate: new x509.X509Certificate(pem), key: await importPrivate(keyObject), keyObject };
}

const caName = (cluster: string, number: number): x509.JsonName => [
  { O: [cluster] },
  { CN: [`Hearth CA ${number} of ${cluster.slice(0, 8)}`] },
];

/** A root. One CA certificate may stand below it: that of its successor. */
export async function selfSigned(cluster: string, number: number, key: KeyObject, now: number): Promise<string> {
  const name = caName(cluster, number);
  const until = now + caLifeMs;
  return await makeCa({ subject: name, issuer: name, key, signer: await importPrivate(key), until, below: 1 });
}

/** The successor's name and key, signed by the CA that it replaces, so that who knows only that one still verifies. */
export function crossSigned(cluster: string, number: number, key: KeyObject, old: Issuer): Promise<string> {
  const [issuer, until] = [old.certificate.subjectName, old.certificate.notAfter.getTime()];
  return makeCa({ subject: caName(cluster, number), issuer, key, signer: old.key, until, below: 0, old });
}

async function makeCa(of: {
  readonly subject: x509.JsonName;
  readonly issuer: x509.JsonName | x509.Name;
  readonly key: KeyObject;
  readonly signer: webcrypto.CryptoKey;
  readonly until: number;
  /** How many CA certificates may follow in a chain. */
  readonly below: number;
  readonly old?: Issuer;
}): Promise<string> {
  const publicKey = publicOf(of.key);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: randomSerial(),
    subject: of.subject,
    issuer: of.issuer,
    notBefore: new Date(caNotBefore),
    notAfter: wholeSecond(of.until),
    signingAlgorithm: algorithm,
    publicKey,
    signingKey: of.signer,
    extensions: [
      new x509.BasicConstraintsExtension(true, of.below, true),
      new x509.KeyUsagesExtension(keyCertSign | cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(of.old?.certificate.publicKey ?? publicKey),
    ],
  });
  return `${certificate.toString('pem')}\n`;
}

interface EndCertificate {
  readonly publicKey: x509.PublicKeyType;
  readonly subject: x509.JsonName;
  readonly alternative: x509.JsonGeneralNames;
  readonly usage: x509.ExtendedKeyUsage;
  readonly lifeMs: number;
}

async function issue(issuer: Issuer, now: number, of: EndCertificate): Promise<IssuedCertificate> {
  const serial = randomSerial();
  const notAfter = wholeSecond(Math.min(now + of.lifeMs, issuer.certificate.notAfter.getTime()));
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial,
    subject: of.subject,
    issuer: issuer.certificate.subjectName,
    notBefore: wholeSecond(now - backdateMs),
    notAfter,
    signingAlgorithm: algorithm,
    publicKey: of.publicKey,
    signingKey: issuer.key,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([of.usage]),
      new x509.SubjectAlternativeNameExtension(of.alternative),
      await x509.SubjectKeyIdentifierExtension.create(of.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.certificate.publicKey),
    ],
  });
  return { pem: `${certificate.toString('pem')}\n`, serial, notAfterMs: notAfter.getTime() };
}

/** What a client certificate says it is for; nothing else in it is believed. */
export const clientUri = (cluster: string, kind: 'node' | 'user', name: string): string =>
  `urn:hearth:${cluster}:${kind}:${name}`;

/** @param publicKey SubjectPublicKeyInfo, DER. */
export function issueClient(
  issuer: Issuer,
  of: {
    readonly cluster: string;
    readonly kind: 'node' | 'user';
    readonly name: string;
    readonly publicKey: Uint8Array;
    readonly lifeMs: number;
  },
  now: number,
): Promise<IssuedCertificate> {
  return issue(issuer, now, {
    publicKey: new x509.PublicKey(of.publicKey as Uint8Array<ArrayBuffer>),
    subject: [{ O: [of.cluster] }, { CN: [of.name] }],
    alternative: [{ type: 'url', value: clientUri(of.cluster, of.kind, of.name) }],
    usage: x509.ExtendedKeyUsage.clientAuth,
    lifeMs: of.lifeMs,
  });
}

export async function issueServer(
  issuer: Issuer,
  cluster: string,
  names: ServerNames,
  key: KeyObject,
  now: number,
): Promise<IssuedCertificate> {
  return issue(issuer, now, {
    publicKey: publicOf(key),
    subject: [{ O: [cluster] }, { CN: [serverName(cluster)] }],
    alternative: [
      ...names.dns.map(value => ({ type: 'dns', value }) as const),
      ...names.ip.map(value => ({ type: 'ip', value }) as const),
    ],
    usage: x509.ExtendedKeyUsage.serverAuth,
    lifeMs: serverLifeMs,
  });
}

/** 127 bits of chance in 16 bytes, positive and without a leading zero: every program prints it alike. */
function randomSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}

/** Certificates count in seconds. */
const wholeSecond = (ms: number): Date => new Date(Math.floor(ms / 1000) * 1000);

const importPrivate = (key: KeyObject): Promise<webcrypto.CryptoKey> =>
  webcrypto.subtle.importKey('pkcs8', key.export({ type: 'pkcs8', format: 'der' }), algorithm, false, ['sign']);

const publicOf = (key: KeyObject): x509.PublicKey =>
  new x509.PublicKey(createPublicKey(key).export({ type: 'spki', format: 'der' }) as Buffer<ArrayBuffer>);
