/** A cluster's authority with a server certificate, and certificates of its nodes and of one user: for both brokers the same. */
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, createSecureContext, type SecureContext } from 'node:tls';
import { makeCsr } from '../../../node-agent/join/csr.ts';
import { silentLog } from '../../../shared/log.ts';
import { serverName } from '../../../shared/schemas/trust.ts';
import { clientIdOf } from '../../../shared/topics.ts';
import { folder } from '../../fixture/processes.ts';
import type { Open } from '../broker/contenders.ts';
import { openAuthority, type TrustSettings } from './trust.ts';

/** As many as the cases have nodes: `n0`, `n1`, … */
export const certifiedNodes = 200;
const user = 'bench';
const cluster = '0123456789abcdef0123456789abcdef';
export const version = 'TLSv1.3';

export interface Credentials {
  readonly trust: Omit<TrustSettings, 'tls'>;
  /** Nodes show their own certificate, everybody else the user's. */
  readonly open: Open;
  /** Mosquitto with the same certificates, which it asks for, too. */
  readonly mosquitto: readonly string[];
}

export async function makeCredentials(): Promise<Credentials> {
  const path = folder('hearth-bench-');
  const authority = await openAuthority(path, cluster, silentLog);
  // One key for all: what differs is checked in the certificates, and costs the same.
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' });
  const csr = makeCsr(privateKey);
  const ca = [...authority.certificates()];
  // As the agent does: without CAs, or OpenSSL would build and send a chain, which the other end would have to read.
  const contextOf = (cert: string) => createSecureContext({ key, cert, ca: [], minVersion: version });
  const contexts = new Map<string, SecureContext>();
  for (let index = 0; index < certifiedNodes; index++) {
    const node = `n${index}`;
    contexts.set(clientIdOf('hearth', node), contextOf((await authority.issueNode(csr, node)).pem));
  }
  const person = await authority.issueUser(csr, user);
  const personal = contextOf(person.pem);
  const server = authority.serverCredentials();
  authority.close();
  const expected = new X509Certificate(server.cert).fingerprint256;
  const servername = serverName(cluster);
  const file = (name: string, text: string) => {
    writeFileSync(join(path, name), text, { mode: 0o600 });
    return join(path, name);
  };
  return {
    trust: { folder: path, cluster, user, serial: person.serial },
    open: (port, clientId) => {
      const secureContext = contexts.get(clientId) ?? personal;
      const socket = connect({ host: '127.0.0.1', port, secureContext, rejectUnauthorized: false, servername });
      socket.once('secureConnect', () => {
        if (socket.getPeerCertificate().fingerprint256 !== expected) socket.destroy(new Error('another server'));
      });
      return socket.setNoDelay(true);
    },
    mosquitto: [
      `cafile ${file('bench-ca.pem', ca.join(''))}`,
      `certfile ${file('bench-server.pem', server.cert)}`,
      `keyfile ${file('bench-server-key.pem', server.key)}`,
      `tls_version ${version.replace('TLSv', 'tlsv')}`,
      'require_certificate true',
      'use_identity_as_username true',
      // Started as root it would become somebody who may not read these files.
      'user root',
    ],
  };
}
