/** How the command line logs in to a broker: by the cluster's CA where the connection is encrypted, and by the API token. */
import type { IClientOptions } from 'mqtt';
import { bearer, isLoopback, readCa } from './admin.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** @param ca a file. @throws UserError where it cannot be read, or HEARTH_TOKEN holds no API token. */
export function brokerLogin(url: URL, ca: string | undefined, env: Environment): IClientOptions {
  const encrypted = ['mqtts:', 'wss:', 'tls:', 'ssl:'].includes(url.protocol);
  const file = ca ?? (env.HEARTH_CA || undefined);
  const login: IClientOptions = {};
  if (encrypted && file !== undefined) login.ca = readCa(file);
  // In the clear it does not leave this machine; who is named in the address logs in as that.
  if (url.username !== '' || !(encrypted || isLoopback(url))) return login;
  const token = bearer(env);
  return token === undefined ? login : { ...login, username: 'token', password: token };
}
