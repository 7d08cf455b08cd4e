/**
 * The cluster's certificate authority: signs for nodes and users, keeps its own server certificate fresh, and can be
 * replaced while everybody stays connected. It knows no sockets; revocation is asked of those who keep the nodes.
 */
import type { X509Certificate } from 'node:crypto';
import type { Clock, Timer } from '../../../shared/clock.ts';
import type { Log } from '../../../shared/log.ts';
import { checkId, isItemName, printable } from '../../../shared/names.ts';
import { UserError } from '../../../shared/user-error.ts';
import type { CertificateAuthority, CertifiedClient, IssuedCertificate } from '../types.ts';
import { CaFiles } from './ca-files.ts';
import { issueClient, nodeLifeMs } from './certificates.ts';
import { certifiedClient, isValidAt } from './client-check.ts';
import { keyOfCsr } from './csr.ts';
import { ServerIdentity } from './server-identity.ts';
import { serverNames } from './server-names.ts';
import { openStanding, retire, rotate, type Standing } from './standing.ts';

export interface CertificateAuthorityOptions {
  /** `<data>/trust`. */
  readonly folder: string;
  /** Fingerprint of the cluster's key. */
  readonly cluster: string;
  readonly hostname: string;
  /** Of this machine, at the moment of the call. */
  readonly addresses: () => readonly string[];
  /** Trusted epoch milliseconds: see {@link trustedNow}. */
  readonly now: () => number;
  readonly clock: Pick<Clock, 'after'>;
  readonly log: Log;
}

/** What `hearth ca` shows and `hearth doctor` judges by. */
export interface CaStanding {
  readonly cluster: string;
  readonly serial: number;
  /** The issuing one first. */
  readonly ca: readonly {
    readonly subject: string;
    readonly sha256: string;
    readonly not_after_ms: number;
    readonly pem: string;
  }[];
  readonly rotated_ms?: number;
  readonly server: { readonly not_after_ms: number; readonly dns: readonly string[]; readonly ip: readonly string[] };
}

const day = 86_400_000;
/** Addresses come and go, and a certificate ages, without anybody saying so. */
const checkEveryMs = 60_000;
const warnBeforeMs = 365 * day;
export const userDays = { fallback: 90, most: 397 };
/** How long a CA that was replaced stays trusted at least: every node has renewed by then, or has no valid certificate. */
export const graceMs = nodeLifeMs;

export async function openCertificateAuthority(options: CertificateAuthorityOptions): Promise<ClusterAuthority> {
  const files = new CaFiles(options.folder);
  const standing = await openStanding(files, options.cluster, options.now());
  const server = new ServerIdentity(files, options.cluster);
  const authority = new ClusterAuthority(options, files, standing, server);
  await authority.check();
  return authority;
}

export class ClusterAuthority implements CertificateAuthority {
  readonly #options: CertificateAuthorityOptions;
  readonly #files: CaFiles;
  readonly #server: ServerIdentity;
  readonly #serverListeners = new Set<() => void>();
  readonly #changeListeners = new Set<() => void>();
  #standing: Standing;
  /** Changes of the CA and of the server certificate go one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  #timer: Timer | undefined;
  #closed = false;
  #warned = false;

  constructor(options: CertificateAuthorityOptions, files: CaFiles, standing: Standing, server: ServerIdentity) {
    this.#options = options;
    this.#files = files;
    this.#standing = standing;
    this.#server = server;
  }

  get serial(): number {
    return this.#standing.state.serial;
  }

  certificates(): readonly string[] {
    return this.#standing.pems;
  }

  async issueNode(csr: string, node: string): Promise<IssuedCertificate> {
    const id = checkId(node, 'node');
    if (!id.ok) throw new UserError(`${id.error.message}.`);
    return this.#issue(csr, 'node', node, nodeLifeMs);
  }

  async issueUser(csr: string, user: string, days = userDays.fallback): Promise<IssuedCertificate> {
    if (!isItemName(user)) throw new UserError(`"${printable(user)}" is no user's name.`);
    return this.#issue(csr, 'user', user, days * day);
  }

  async #issue(csr: string, kind: 'node' | 'user', name: string, lifeMs: number): Promise<IssuedCertificate> {
    const { cluster, now } = this.#options;
    const publicKey = await keyOfCsr(csr);
    return issueClient(this.#standing.issuer, { cluster, kind, name, publicKey, lifeMs }, now());
  }

  serverCredentials(): { readonly key: string; readonly cert: string; readonly ca: readonly string[] } {
    const { key, cert } = this.#server.held();
    return { key, cert: cert + this.#standing.cross, ca: this.#standing.pems };
  }

  onServerCertificate(listener: () => void): void {
    this.#serverListeners.add(listener);
  }

  /** Which CAs are trusted has changed: the bundle has a new serial, and the fleet is to be told. */
  onCertificates(listener: () => void): void {
    this.#changeListeners.add(listener);
  }

  verifyClient(certificate: X509Certificate): CertifiedClient | undefined {
    const now = this.#options.now();
    const issuers = this.#standing.trusted.filter(issuer => isValidAt(issuer, now));
    return certifiedClient(certificate, this.#options.cluster, issuers, now);
  }

  /** Also where a retired CA signed it: the asker has to compare its key with the one on record before it renews it. */
  verifyExpired(certificate: X509Certificate): CertifiedClient | undefined {
    const { trusted, retired } = this.#standing;
    return certifiedClient(certificate, this.#options.cluster, [...trusted, ...retired], undefined);
  }

  standing(): CaStanding {
    const { state, trusted, pems } = this.#standing;
    const { names, notAfterMs } = this.#server.held();
    return {
      cluster: this.#options.cluster,
      serial: state.serial,
      ca: trusted.map((ca, index) => ({
        subject: ca.subject.replaceAll('\n', ', '),
        sha256: ca.fingerprint256,
        not_after_ms: Date.parse(ca.validTo),
        pem: pems[index] ?? '',
      })),
      ...(state.rotated_ms === undefined ? {} : { rotated_ms: state.rotated_ms }),
      server: { not_after_ms: notAfterMs, ...names },
    };
  }

  /** A new CA issues from now on; the one before stays trusted until {@link retire}. */
  rotate(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#standing.state.previous !== undefined) {
        throw new UserError(
          'The certificate authority that was replaced last is still trusted: retire it first, with "hearth ca retire".',
        );
      }
      const { cluster, now, log } = this.#options;
      this.#standing = await rotate(this.#files, this.#standing, cluster, now());
      this.#warned = false;
      log.info({ serial: this.serial }, 'a new certificate authority issues');
      await this.#renewServer('rotation');
      for (const listener of this.#changeListeners) listener();
    });
  }

  /**
   * The CA that was replaced is trusted no more.
   * @param compromised others may know its key: at once, and its certificates do not even count for renewal.
   */
  retire(compromised: boolean): Promise<void> {
    return this.#inTurn(async () => {
      const { state } = this.#standing;
      const { cluster, now, log } = this.#options;
      if (state.previous === undefined) {
        throw new UserError(
          'There is no replaced certificate authority to retire: "hearth ca rotate" makes a new one first.',
        );
      }
      const until = (state.rotated_ms ?? 0) + graceMs;
      if (!compromised && now() < until) {
        throw new UserError(
          `Nodes may hold certificates of the old certificate authority until ${new Date(until).toISOString()}: wait until then, or say --compromised where its key is in wrong hands (nodes that are offline now then need a new token).`,
        );
      }
      this.#standing = await retire(this.#files, this.#standing, cluster, !compromised, now());
      log.info({ serial: this.serial, compromised }, 'the old certificate authority is trusted no more');
      for (const listener of [...this.#serverListeners, ...this.#changeListeners]) listener();
    });
  }

  renewServer(): Promise<void> {
    return this.#inTurn(() => this.#renewServer('asked for'));
  }

  /** Renews the server certificate where that is due; asks itself again in a minute. */
  check(): Promise<void> {
    this.#timer?.cancel();
    return this.#inTurn(async () => {
      const { cluster, hostname, addresses, now, log } = this.#options;
      try {
        const due = this.#server.due(this.#standing.issuer, serverNames(cluster, hostname, addresses()), now());
        if (due !== undefined) await this.#renewServer(due);
        this.#warnOfEnd();
      } catch (error) {
        // With a certificate in hand the next minute may do better; without one nobody could connect.
        if (!this.#server.ready) throw error;
        log.error({ err: error }, 'the server certificate could not be renewed');
      }
      if (!this.#closed) this.#timer = this.#options.clock.after(checkEveryMs, () => void this.check());
    });
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  async #renewServer(why: string): Promise<void> {
    const { cluster, hostname, addresses, now, log } = this.#options;
    const names = serverNames(cluster, hostname, addresses());
    const issued = await this.#server.renew(this.#standing.issuer, names, now());
    log.info({ why, ...names, serial: issued.serial, not_after_ms: issued.notAfterMs }, 'new server certificate');
    for (const listener of this.#serverListeners) listener();
  }

  #warnOfEnd(): void {
    const end = this.#standing.issuer.certificate.notAfter.getTime();
    if (this.#warned || this.#options.now() < end - warnBeforeMs) return;
    this.#warned = true;
    this.#options.log.warn(
      {},
      `the certificate authority ends on ${new Date(end).toISOString().slice(0, 10)}: replace it with "hearth ca rotate"`,
    );
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }
}
