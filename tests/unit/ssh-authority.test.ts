import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SshAuthority } from '../../broker/trust/ca/ssh-authority.ts';
import { readSshKey } from '../../broker/trust/ca/ssh-key.ts';
import { UserError } from '../../shared/user-error.ts';
import { startOfTest } from '../fixture/manual-clock.ts';
import { folder } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';

const ssh = suite('ssh certificates');

const keygen = (args: readonly string[]) =>
  execFileSync('ssh-keygen', args, { encoding: 'utf8', env: { ...process.env, TZ: 'UTC' } });

/** A new key. @returns its public line. */
function keyPair(kind = 'ed25519', bits?: string): string {
  const file = join(folder(), 'id');
  keygen(['-q', '-t', kind, ...(bits ? ['-b', bits] : []), '-N', '', '-C', 'ann@box', '-f', file]);
  return fs.readFileSync(`${file}.pub`, 'utf8');
}

function show(certificate: string): string {
  const file = join(folder(), 'x-cert.pub');
  fs.writeFileSync(file, `${certificate}\n`);
  return keygen(['-L', '-f', file]);
}

async function refusal(run: () => unknown): Promise<string> {
  try {
    await run();
  } catch (error) {
    assert.instance(error, UserError);
    return (error as Error).message;
  }
  throw new Error('nothing was refused');
}

testWith(ssh, ['ssh-keygen'], 'a user certificate is for the names it says, a week, and without an agent', async () => {
  const path = folder();
  const authority = new SshAuthority(path, () => startOfTest);
  const publicKey = keyPair();
  const signed = await authority.sign({
    publicKey,
    kind: 'user',
    principals: ['ann', 'root'],
    keyId: 'hearth user ann',
  });
  const text = show(signed.certificate);
  assert.match(text, /ssh-ed25519-cert-v01@openssh\.com user certificate/);
  assert.match(text, /Valid: from 2025-12-31T23:00:00 to 2026-01-08T00:00:00/);
  assert.match(text, /Key ID: "hearth user ann"/);
  assert.match(text, new RegExp(`Serial: ${signed.serial}\\n`));
  assert.match(text, /Principals: \n\s+ann\n\s+root\n\s+Critical Options: \(none\)/);
  assert.match(text, /Extensions: \n\s+permit-port-forwarding\n\s+permit-pty\s*$/);
  assert.is(signed.notAfterMs, startOfTest + 7 * 86_400_000);
  const fingerprint = keygen(['-l', '-f', write(await authority.publicKey())]).split(' ')[1] ?? '?';
  assert.ok(text.includes(`Signing CA: ED25519 ${fingerprint}`), text);
  assert.not.match(signed.certificate, /ann@box/);
});

const write = (text: string): string => {
  const file = join(folder(), 'key.pub');
  fs.writeFileSync(file, `${text}\n`);
  return file;
};

testWith(
  ssh,
  ['ssh-keygen'],
  'a host certificate says so; the key is one, its owner alone reads it, nothing else stays',
  async () => {
    const path = folder();
    const authority = new SshAuthority(path, () => startOfTest);
    const keys = await Promise.all([authority.publicKey(), authority.publicKey()]);
    assert.is(keys[0], keys[1]);
    const principals = ['n1.local', '192.168.1.7', 'fe80::1'];
    const publicKey = keyPair('ecdsa');
    const signed = await authority.sign({ publicKey, kind: 'host', principals, keyId: 'hearth host n1' });
    const text = show(signed.certificate);
    assert.match(text, /host certificate/);
    assert.match(text, /n1\.local\n\s+192\.168\.1\.7\n\s+fe80::1/);
    assert.match(text, /Extensions: \(none\)/);
    assert.equal(fs.readdirSync(path), ['ssh-ca']);
    assert.is(fs.statSync(join(path, 'ssh-ca')).mode & 0o777, 0o600);
    fs.chmodSync(join(path, 'ssh-ca'), 0o644);
    fs.mkdirSync(join(path, 'ssh-work-killed'));
    assert.is(await new SshAuthority(path, () => startOfTest).publicKey(), keys[0]);
    assert.is(fs.statSync(join(path, 'ssh-ca')).mode & 0o777, 0o600);
    assert.equal(fs.readdirSync(path), ['ssh-ca']);
  },
);

testWith(ssh, ['ssh-keygen'], 'what ssh-keygen does not take is told, and leaves nothing', async () => {
  const path = folder();
  const authority = new SshAuthority(path, () => startOfTest);
  await authority.publicKey();
  const [kind = '', key = ''] = keyPair().split(' ');
  const bytes = Buffer.from(key, 'base64');
  const short = Buffer.concat([bytes.subarray(0, 15), Buffer.from([0, 0, 0, 3, 1, 2, 3])]).toString('base64');
  const request = { publicKey: `${kind} ${short}`, kind: 'user', principals: ['ann'], keyId: 'x' } as const;
  assert.match(
    await refusal(() => authority.sign(request)),
    /^The key could not be signed, perhaps because its line is not whole \(ssh-keygen: /,
  );
  assert.equal(fs.readdirSync(path), ['ssh-ca']);
  fs.writeFileSync(join(path, 'ssh-ca'), 'garbage');
  assert.match(
    await refusal(() => new SshAuthority(path, () => startOfTest).publicKey()),
    /ssh-ca cannot be read: restore it from a backup/,
  );
});

ssh('without ssh-keygen there is a sentence, and it is asked again next time', async () => {
  const path = folder();
  const authority = new SshAuthority(path, () => startOfTest, join(path, 'no-such-program'));
  for (let time = 0; time < 2; time++) {
    assert.match(await refusal(() => authority.publicKey()), /need ssh-keygen .*apt install openssh-client/);
  }
  assert.equal(fs.readdirSync(path), []);
});

testWith(ssh, ['ssh-keygen'], 'keys: what is taken, and what is refused without being repeated', async () => {
  for (const [kind, bits] of [['ed25519'], ['ecdsa', '384'], ['rsa', '2048']] as const) {
    const line = keyPair(kind, bits);
    assert.is(readSshKey(`  ${line}\n`), line.split(' ').slice(0, 2).join(' '));
  }
  assert.match(await refusal(() => readSshKey(keyPair('rsa', '1024'))), /shorter than 2048 bits/);
  const file = join(folder(), 'id');
  keygen(['-q', '-t', 'ed25519', '-N', '', '-f', file]);
  const privateKey = fs.readFileSync(file, 'utf8');
  const said = await refusal(() => readSshKey(privateKey));
  assert.match(said, /private key/);
  assert.not.ok(said.includes(privateKey.split('\n')[1] ?? '?'));
  const [kind = '', key = ''] = keyPair().split(' ');
  for (const text of [
    '',
    'ssh-ed25519',
    `ssh-rsa ${key}`,
    `ssh-dss ${key}`,
    `${kind} ${key}!`,
    `${kind} ${key.slice(8)}`,
  ]) {
    assert.match(await refusal(() => readSshKey(text)), /no SSH public key/, text);
  }
  assert.match(await refusal(() => readSshKey(`${kind} ${key}\nssh-ed25519 ${key}`)), /one line/);
  assert.match(await refusal(() => readSshKey(`${kind} ${'A'.repeat(9000)}`)), /one line/);
  assert.match(await refusal(() => readSshKey(`ssh-ed25519-cert-v01@openssh.com ${key}`)), /certificate already/);
});

ssh.run();
