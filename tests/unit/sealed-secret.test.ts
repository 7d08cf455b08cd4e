import { createDecipheriv, createHmac, createPrivateKey, createPublicKey, diffieHellman } from 'node:crypto';
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openSealKey, replaceSealKey } from '../../node-agent/seal-key.ts';
import { openSecret, sealSecret } from '../../shared/sealed-secret.ts';
import { longestSecret, looksSealed, placeText, sealedParts } from '../../shared/sealed-value.ts';
import { folder } from '../fixture/processes.ts';

const secrets = suite('sealed secrets');
const place = { node: 'n1', service: 'solver', name: 'TOKEN' };

const message = async (run: () => unknown): Promise<string> => {
  try {
    await run();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('nothing was thrown');
};

/**
 * RFC 9180, base mode, in its own words (sections 4.1 and 5.1): another way to open what was sealed, so that a fault in
 * how the library is used does not cancel out.
 */
function openByTheBook(pem: string, info: Buffer, enc: Buffer, ciphertext: Buffer): string {
  const uint16 = (n: number) => Buffer.of(n >> 8, n & 255);
  const kem = Buffer.concat([Buffer.from('KEM'), uint16(0x10)]);
  const hpke = Buffer.concat([Buffer.from('HPKE'), uint16(0x10), uint16(0x01), uint16(0x02)]);
  const hmac = (key: Buffer, ...data: Buffer[]) => createHmac('sha256', key).update(Buffer.concat(data)).digest();
  const none = Buffer.alloc(0);
  const extract = (id: Buffer, salt: Buffer, label: string, ikm: Buffer) =>
    hmac(salt.length === 0 ? Buffer.alloc(32) : salt, Buffer.from('HPKE-v1'), id, Buffer.from(label), ikm);
  const expand = (id: Buffer, prk: Buffer, label: string, data: Buffer, length: number) =>
    hmac(prk, uint16(length), Buffer.from('HPKE-v1'), id, Buffer.from(label), data, Buffer.of(1)).subarray(0, length);

  const privateKey = createPrivateKey(pem);
  const coordinate = (from: number) => enc.subarray(from, from + 32).toString('base64url');
  const jwk = { kty: 'EC', crv: 'P-256', x: coordinate(1), y: coordinate(33) };
  const dh = diffieHellman({ privateKey, publicKey: createPublicKey({ key: jwk, format: 'jwk' }) });
  const { x = '', y = '' } = createPublicKey(privateKey).export({ format: 'jwk' });
  const own = Buffer.concat([Buffer.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
  const shared = expand(kem, extract(kem, none, 'eae_prk', dh), 'shared_secret', Buffer.concat([enc, own]), 32);
  const pskHash = extract(hpke, none, 'psk_id_hash', none);
  const context = Buffer.concat([Buffer.of(0), pskHash, extract(hpke, none, 'info_hash', info)]);
  const secret = extract(hpke, shared, 'secret', none);
  const key = expand(hpke, secret, 'key', context, 32);
  const nonce = expand(hpke, secret, 'base_nonce', context, 12);
  const cipher = createDecipheriv('aes-256-gcm', key, nonce).setAAD(info).setAuthTag(ciphertext.subarray(-16));
  return Buffer.concat([cipher.update(ciphertext.subarray(0, -16)), cipher.final()]).toString();
}

secrets('what is sealed opens with the key, at its place, and by the book of RFC 9180', async () => {
  const home = folder();
  const { publicKey, pair } = openSealKey(home);
  for (const text of ['', 'p', 'pass\nwörd "☃"', 'x'.repeat(longestSecret)]) {
    const value = await sealSecret(publicKey, place, text);
    assert.ok(looksSealed(value) && value.length <= 16 * 1024);
    assert.not.match(value.slice(10), /pass|xxxx/);
    assert.is(await openSecret(pair, place, value), text);
    const parts = sealedParts(value);
    assert.ok(parts);
    const pem = readFileSync(join(home, 'seal-key.pem'), 'utf8');
    const info = Buffer.from(placeText(place));
    assert.is(openByTheBook(pem, info, Buffer.from(parts.enc), Buffer.from(parts.ciphertext)), text);
  }
  assert.is.not(await sealSecret(publicKey, place, 'a'), await sealSecret(publicKey, place, 'a'));
});

secrets('at another place, with another key, or changed by one bit it does not open', async () => {
  const { publicKey, pair } = openSealKey(folder());
  const value = await sealSecret(publicKey, place, 'hunter2');
  const elsewhere = [
    { ...place, node: 'n2' },
    { ...place, service: 'other' },
    { ...place, name: 'OTHER' },
    { ...place, service: 'solver/env/X', name: 'Y' },
  ];
  for (const other of elsewhere) {
    assert.match(await message(() => openSecret(pair, other, value)), /another node, service or variable/);
  }
  const stranger = openSealKey(folder()).pair;
  assert.match(await message(() => openSecret(stranger, place, value)), /sealed to another key/);
  const bytes = Buffer.from(value.slice(10), 'base64url');
  for (const at of [0, 1, 40, 64, 65, bytes.length - 1]) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 1;
    const said = await message(() => openSecret(pair, place, `sealed:v1:${changed.toString('base64url')}`));
    assert.match(said, /sealed to another key/);
    assert.not.match(said, /hunter2/);
  }
  for (const odd of ['sealed:v1:', 'sealed:v2:AAAA', 'sealed:', `${value}=`, `${value}\n`, value.slice(0, 60)]) {
    assert.ok(looksSealed(odd));
    assert.match(await message(() => openSecret(pair, place, odd)), /no sealed value that this agent knows/);
  }
});

secrets('what no environment can carry is not sealed, and neither is anything to what is no key', async () => {
  const { publicKey } = openSealKey(folder());
  assert.match(await message(() => sealSecret(publicKey, place, 'a\0b')), /NUL/);
  assert.match(await message(() => sealSecret(publicKey, place, 'ä'.repeat(6001))), /12002 bytes, and at most 12000/);
  const offCurve = Buffer.concat([Buffer.of(4), Buffer.alloc(64, 1)]).toString('base64url');
  for (const key of ['', 'AAAA', offCurve, `${publicKey}AAAA`, Buffer.alloc(65).toString('base64url')]) {
    const said = await message(() => sealSecret(key, place, 'hunter2'));
    assert.match(said, /seal key of n1 is no public key/);
    assert.not.match(said, /hunter2/);
  }
});

secrets("a node's key is made once, readable for nobody else, and never made anew over one that is damaged", () => {
  const home = folder();
  const first = openSealKey(home);
  const file = join(home, 'seal-key.pem');
  assert.is(first.publicKey.length, 87);
  assert.is(statSync(file).mode & 0o777, 0o600);
  assert.equal(readdirSync(home), ['seal-key.pem']);
  chmodSync(file, 0o644);
  assert.equal(openSealKey(home), first);
  assert.is(statSync(file).mode & 0o777, 0o600);
  const other = replaceSealKey(home);
  assert.is.not(other.publicKey, first.publicKey);
  assert.equal(openSealKey(home), other);
  for (const damaged of ['', 'no key', readFileSync(file, 'utf8').replace('PRIVATE KEY', 'X'), 'x'.repeat(5000)]) {
    writeFileSync(file, damaged);
    assert.throws(() => openSealKey(home), /seal-key.pem is no private key on P-256/);
    assert.is(readFileSync(file, 'utf8'), damaged);
  }
  rmSync(file);
  rmSync(home, { recursive: true });
  assert.throws(() => openSealKey(home), /cannot use this node's key for secrets .*ENOENT/);
  assert.not.ok(existsSync(home));
});

secrets.run();
