/** A real sshd and ssh that know the SSH CA and nothing else. */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SshAuthority } from '../../broker/trust/ca/ssh-authority.ts';
import { folder, freePort, start } from '../fixture/processes.ts';
import { findProgram, isRoot, testWith } from '../fixture/programs.ts';

const ssh = suite('ssh and its certificates');

const user = userInfo().username;
const separation = '/run/sshd';

function keyPair(path: string, name: string): { readonly file: string; readonly line: string } {
  const file = join(path, name);
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file]);
  return { file, line: fs.readFileSync(`${file}.pub`, 'utf8') };
}

testWith(
  ssh,
  ['ssh-keygen', 'ssh', 'sshd'],
  'both sides believe certificates of the cluster, and no others',
  async () => {
    const path = folder();
    const trust = join(path, 'trust');
    fs.mkdirSync(trust, { mode: 0o700 });
    let now = Date.now();
    const authority = new SshAuthority(trust, () => now);
    const publicKey = await authority.publicKey();
    const sign = async (key: { file: string; line: string }, kind: 'user' | 'host', principal: string) => {
      const request = { publicKey: key.line, kind, principals: [principal], keyId: `hearth ${kind}` } as const;
      fs.writeFileSync(`${key.file}-cert.pub`, `${(await authority.sign(request)).certificate}\n`, { mode: 0o600 });
    };
    const host = keyPair(path, 'host');
    await sign(host, 'host', '127.0.0.1');
    fs.writeFileSync(join(path, 'ca.pub'), `${publicKey}\n`);
    const port = await freePort();
    const config = join(path, 'sshd_config');
    const lines = [
      `HostKey ${host.file}`,
      `HostCertificate ${host.file}-cert.pub`,
      `TrustedUserCAKeys ${join(path, 'ca.pub')}`,
      'AuthorizedKeysFile none',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'PermitRootLogin prohibit-password',
      'StrictModes no',
      'PidFile none',
    ];
    fs.writeFileSync(config, `${lines.join('\n')}\n`);
    const made = isRoot && !fs.existsSync(separation);
    if (made) fs.mkdirSync(separation, { mode: 0o755 });
    const daemon = start(findProgram('sshd') ?? '', [
      ...['-D', '-e', '-f', config, '-p', String(port)],
      ...['-o', 'ListenAddress=127.0.0.1'],
    ]);
    try {
      await daemon.line(/Server listening on/);
      const known = join(path, 'known_hosts');
      const login = async (identity: string) => {
        const client = start('ssh', [
          ...['-F', '/dev/null', '-p', String(port), '-i', identity, '-o', 'IdentitiesOnly=yes', '-o', 'BatchMode=yes'],
          ...['-o', `UserKnownHostsFile=${known}`, '-o', 'GlobalKnownHostsFile=/dev/null', '-o', 'IdentityAgent=none'],
          ...[
            '-o',
            'StrictHostKeyChecking=yes',
            '-o',
            'ConnectTimeout=20',
            `${user}@127.0.0.1`,
            'echo in as $(id -un)',
          ],
        ]);
        await client.ended;
        return client.output();
      };
      fs.writeFileSync(known, `@cert-authority * ${publicKey}\n`);
      const mine = keyPair(path, 'mine');
      assert.match(await login(mine.file), /Permission denied/, 'without a certificate');
      await sign(mine, 'user', user);
      assert.match(await login(mine.file), new RegExp(`in as ${user}`));
      await sign(mine, 'user', `not-${user}`.slice(0, 30));
      assert.match(await login(mine.file), /Permission denied/, 'with one for somebody else');
      await sign(mine, 'host', user);
      assert.match(await login(mine.file), /Permission denied/, "with a host's");
      now -= 8 * 86_400_000;
      await sign(mine, 'user', user);
      assert.match(await login(mine.file), /Permission denied/, 'with an old one');
      now += 8 * 86_400_000;
      await sign(mine, 'user', user);
      const other = keyPair(path, 'other-ca');
      fs.writeFileSync(known, `@cert-authority * ${other.line}`);
      assert.match(await login(mine.file), /Host key verification failed/, 'a host of another cluster');
    } finally {
      await daemon.stop();
      if (made) fs.rmSync(separation, { recursive: true, force: true });
    }
  },
);

ssh.run();
