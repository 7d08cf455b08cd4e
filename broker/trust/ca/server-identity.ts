/** The server's own key and certificate, in one file, so that a restart shows the same one and the two always match. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { IssuedCertificate } from '../types.ts';
import type { CaFiles } from './ca-files.ts';
import { type Issuer, issueServer, keyToPem, newKey } from './certificates.ts';
import { type Due, type ServerCertificate, serverDue } from './server-due.ts';
import { plainAddress, type ServerNames } from './server-names.ts';

interface Held {
  readonly key: string;
  readonly cert: string;
  readonly certificate: X509Certificate;
  readonly names: ServerNames;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

const file = 'server.pem';

export class ServerIdentity {
  readonly #files: CaFiles;
  readonly #cluster: string;
  #held: Held | undefined;

  constructor(files: CaFiles, cluster: string) {
    this.#files = files;
    this.#cluster = cluster;
    this.#held = parse(files.read(file) ?? '');
  }

  get ready(): boolean {
    return this.#held !== undefined;
  }

  held(): Held {
    if (!this.#held) throw new Error('there is no server certificate yet');
    return this.#held;
  }

  due(issuer: Issuer, wanted: ServerNames, now: number): Due | undefined {
    return serverDue(this.#held && this.#seen(this.#held, issuer), wanted, now);
  }

  #seen({ certificate, ...held }: Held, issuer: Issuer): ServerCertificate {
    const ca = new X509Certificate(issuer.pem);
    return { ...held, current: certificate.checkIssued(ca) && certificate.verify(ca.publicKey) };
  }

  /** With a new key each time. */
  async renew(issuer: Issuer, names: ServerNames, now: number): Promise<IssuedCertificate> {
    const key = newKey();
    const issued = await issueServer(issuer, this.#cluster, names, key, now);
    const text = keyToPem(key) + issued.pem;
    this.#files.write(file, text);
    this.#held = parse(text);
    return issued;
  }
}

/** @returns undefined where the text is not a key and its certificate: then both are made anew. */
function parse(text: string): Held | undefined {
  const [key, cert] = text.match(/-----BEGIN [^-]+-----[^-]+-----END [^-]+-----\n/g) ?? [];
  try {
    const certificate = new X509Certificate(cert ?? '');
    if (key === undefined || cert === undefined || !certificate.checkPrivateKey(createPrivateKey(key)))
      return undefined;
    return {
      key,
      cert,
      certificate,
      names: namesOf(certificate.subjectAltName ?? ''),
      notBeforeMs: Date.parse(certificate.validFrom),
      notAfterMs: Date.parse(certificate.validTo),
    };
  } catch {
    return undefined;
  }
}

/** Of a certificate that we made: none of its names holds a comma. */
function namesOf(text: string): ServerNames {
  const entries = text.split(', ');
  const of = (prefix: string) =>
    entries.filter(entry => entry.startsWith(prefix)).map(entry => entry.slice(prefix.length));
  const addresses = of('IP Address:').map(plainAddress);
  return { dns: of('DNS:'), ip: addresses.filter(address => address !== undefined) };
}
