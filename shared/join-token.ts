/**
 * The join token as people paste it: `hearth1.<cluster fingerprint>.<id>.<secret>@<host>:<port>`. The fingerprint is what a
 * machine checks the supervisor by before it says anything; host and port are where it asks first.
 */
import { printable } from './names.ts';
import { UserError } from './user-error.ts';

export interface JoinToken {
  /** Fingerprint of the cluster's key, 32 hex digits. */
  readonly cluster: string;
  /** Public part, 8 of a-z2-7: by it the supervisor lists and revokes. */
  readonly id: string;
  /** 160 bits, 32 of a-z2-7. */
  readonly secret: string;
  /** Host (an IPv6 address in brackets) and HTTP port of the supervisor. */
  readonly host: string;
  readonly port: number;
}

const shape =
  /^hearth1\.([0-9a-f]{32})\.([a-z2-7]{8})\.([a-z2-7]{32})@(\[[0-9a-f:.]+\]|[A-Za-z0-9.-]{1,253}):(\d{1,5})$/;

export const formatJoinToken = ({ cluster, id, secret, host, port }: JoinToken): string =>
  `hearth1.${cluster}.${id}.${secret}@${host}:${port}`;

/** @throws UserError: what a whole token looks like; the token itself is a secret and is not repeated. */
export function parseJoinToken(text: string): JoinToken {
  const [, cluster, id, secret, host, port] = shape.exec(text.trim()) ?? [];
  if (cluster && id && secret && host && Number(port) >= 1 && Number(port) <= 65535) {
    return { cluster, id, secret, host, port: Number(port) };
  }
  const start = printable(text.trim().split('.')[0] ?? '', 16);
  throw new UserError(
    `This is no whole join token (it begins with "${start}"): copy the line that "hearth token" prints, up to its end.`,
    2,
  );
}
