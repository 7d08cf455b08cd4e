import { generateKeyPairSync } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { open, seal } from '../../shared/authority.ts';
import { ed25519Verifier, signerFromPem } from '../../shared/ed25519.ts';

const sealing = suite('seal');
const newSigner = () => {
  const { privateKey } = generateKeyPairSync('ed25519');
  return signerFromPem(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
};
const signer = newSigner();
const verifier = ed25519Verifier();
const body = { rev: 7, text: 'quote " and ,"sig":"x"} inside' };

sealing('what was sealed opens to the same text, and is JSON as a whole', () => {
  const sealed = seal(signer, 'want', 'n1', body);
  const opened = open(verifier, signer.key, 'want', 'n1', sealed);
  assert.ok(opened.ok);
  assert.equal(JSON.parse(opened.ok ? opened.value.text : ''), body);
  assert.is((JSON.parse(sealed) as { rev: number }).rev, 7);
});

sealing('the fingerprint belongs to the key', () => {
  assert.is(verifier.fingerprint(signer.key), signer.cluster);
  assert.is(verifier.fingerprint('short'), undefined);
  assert.is.not(newSigner().cluster, signer.cluster);
});

sealing('another node, another kind, another key, a changed byte: refused', () => {
  const sealed = seal(signer, 'want', 'n1', body);
  const refused = (key: string, kind: 'want' | 'cmd', node: string, text: string) =>
    assert.not(open(verifier, key, kind, node, text).ok);
  refused(signer.key, 'want', 'n2', sealed);
  refused(signer.key, 'cmd', 'n1', sealed);
  refused(newSigner().key, 'want', 'n1', sealed);
  refused('AAAA', 'want', 'n1', sealed);
  for (let index = 0; index < sealed.length - 2; index += 3) {
    const changed = `${sealed.slice(0, index)}${sealed[index] === '8' ? '9' : '8'}${sealed.slice(index + 1)}`;
    refused(signer.key, 'want', 'n1', changed);
  }
  refused(signer.key, 'want', 'n1', JSON.stringify(body));
  refused(signer.key, 'want', 'n1', '');
});

sealing.run();
