/** Signs SSH host and user certificates with ssh-keygen and a key of its own, so that no machine keeps lists of keys. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { printable } from '../../../shared/names.ts';
import { UserError } from '../../../shared/user-error.ts';
import { readSshKey } from './ssh-key.ts';

export interface SshRequest {
  readonly publicKey: string;
  readonly kind: 'user' | 'host';
  /** Login names, or names and addresses of the host. Never none: that would be a certificate for everybody. */
  readonly principals: readonly string[];
  /** What sshd writes into its log. */
  readonly keyId: string;
}

export interface SshCertificate {
  readonly certificate: string;
  readonly serial: string;
  readonly notAfterMs: number;
}

const keyFile = 'ssh-ca';
const workPrefix = 'ssh-work-';
const lifeMs = 7 * 86_400_000;
/** Clocks of the machines that check may be behind by this much. */
const backdateMs = 3_600_000;
const limitMs = 10_000;
/** A terminal and forwarding of ports; no agent and no X11, which the machine logged in to could turn on its user. */
const userRights = ['-O', 'clear', '-O', 'permit-pty', '-O', 'permit-port-forwarding'];

export class SshAuthority {
  readonly #folder: string;
  readonly #now: () => number;
  readonly #program: string;
  #publicKey: Promise<string> | undefined;

  /** @param folder `<data>/trust`. */
  constructor(folder: string, now: () => number, program = 'ssh-keygen') {
    this.#folder = folder;
    this.#now = now;
    this.#program = program;
  }

  /** As `TrustedUserCAKeys` and `@cert-authority` take it. The key is made when it is first asked for. */
  publicKey(): Promise<string> {
    this.#publicKey ??= this.#open().catch(error => {
      this.#publicKey = undefined;
      throw error;
    });
    return this.#publicKey;
  }

  async sign(request: SshRequest): Promise<SshCertificate> {
    const key = readSshKey(request.publicKey);
    await this.publicKey();
    const now = this.#now();
    const serial = BigInt(`0x${randomBytes(6).toString('hex')}`).toString();
    return this.#inPrivateFolder(async folder => {
      const file = join(folder, 'key.pub');
      fs.writeFileSync(file, `${key}\n`, { mode: 0o600 });
      await this.#run('The key could not be signed, perhaps because its line is not whole', [
        ...['-q', '-s', join(this.#folder, keyFile), '-I', request.keyId, '-z', serial],
        ...['-n', request.principals.join(','), '-V', `${stamp(now - backdateMs)}:${stamp(now + lifeMs)}`],
        ...(request.kind === 'host' ? ['-h'] : userRights),
        file,
      ]);
      const certificate = fs.readFileSync(join(folder, 'key-cert.pub'), 'utf8').trim();
      return { certificate, serial, notAfterMs: Math.floor((now + lifeMs) / 1000) * 1000 };
    });
  }

  async #open(): Promise<string> {
    const path = join(this.#folder, keyFile);
    // What a process that was killed left: perhaps a key that never counted.
    for (const name of fs.readdirSync(this.#folder)) if (name.startsWith(workPrefix)) this.#remove(name);
    if (!fs.existsSync(path)) {
      await this.#inPrivateFolder(async folder => {
        const made = join(folder, 'key');
        const key = ['-q', '-t', 'ed25519', '-N', '', '-C', 'hearth ssh ca', '-f', made];
        await this.#run('A key to sign with could not be made', key);
        sync(made);
        fs.renameSync(made, path);
        sync(this.#folder);
      });
    }
    if ((fs.statSync(path).mode & 0o077) !== 0) fs.chmodSync(path, 0o600);
    const [kind, key] = (
      await this.#run(`${path} cannot be read: restore it from a backup`, ['-y', '-P', '', '-f', path])
    )
      .trim()
      .split(' ');
    return `${kind} ${key} hearth-ssh-ca`;
  }

  /** Beside the key, where nobody else can write: no name in it can be guessed or laid in wait. */
  async #inPrivateFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
    const folder = fs.mkdtempSync(join(this.#folder, workPrefix));
    try {
      return await work(folder);
    } finally {
      fs.rmSync(folder, { recursive: true, force: true });
    }
  }

  #remove(name: string): void {
    fs.rmSync(join(this.#folder, name), { recursive: true, force: true });
  }

  /** @param what did not come about, for the sentence. */
  #run(what: string, args: readonly string[]): Promise<string> {
    // Times are given to ssh-keygen in its local zone: UTC.
    const env = { PATH: process.env.PATH ?? '/usr/bin:/bin', TZ: 'UTC', LC_ALL: 'C' };
    return new Promise((resolve, reject) => {
      const options = { env, cwd: this.#folder, timeout: limitMs, maxBuffer: 64 * 1024 };
      const child = execFile(this.#program, args, options, (error, stdout, stderr) => {
        if (!error) return resolve(stdout);
        if (error.code === 'ENOENT') {
          return reject(
            new UserError(
              "SSH certificates need ssh-keygen on the supervisor's machine, and it is not there: install it (Debian: apt install openssh-client).",
            ),
          );
        }
        const why =
          stderr.trim().split('\n')[0] || (error.killed ? `it took longer than ${limitMs} ms` : error.message);
        reject(new UserError(`${what} (ssh-keygen: ${printable(why, 200)}).`));
      });
      child.stdin?.end();
    });
  }
}

/** `YYYYMMDDHHMMSS`. */
const stamp = (ms: number): string => new Date(ms).toISOString().slice(0, 19).replace(/\D/g, '');

function sync(path: string): void {
  const handle = fs.openSync(path, 'r');
  fs.fsyncSync(handle);
  fs.closeSync(handle);
}
