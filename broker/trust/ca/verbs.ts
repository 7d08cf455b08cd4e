/** What people do to the certificate authority, as the table of verbs of trust holds it. */
import { z } from 'zod';
import { isItemName, printable } from '../../../shared/names.ts';
import { UserError } from '../../../shared/user-error.ts';
import { type AdminVerb, adminVerb, type Principal } from '../types.ts';
import { type ClusterAuthority, userDays } from './certificate-authority.ts';
import type { SshAuthority } from './ssh-authority.ts';

const none = z.strictObject({});
const pemText = z.string().max(8192);

export interface CaVerbsOptions {
  readonly authority: ClusterAuthority;
  readonly ssh: SshAuthority;
  /** Whether there is a user of this name: a certificate for nobody would come to life with the next one of that name. */
  readonly isUser: (name: string) => boolean | Promise<boolean>;
  /** Told before the certificate is handed out: accounts let only those in whose serial they know. */
  readonly issued: (user: string, serial: string, notAfterMs: number) => Promise<void>;
}

export function caVerbs({ authority, ssh, isUser, issued }: CaVerbsOptions): AdminVerb[] {
  const cluster = () => authority.standing().cluster;
  return [
    adminVerb({ name: 'ca.show', role: 'viewer', args: none, run: () => authority.standing() }),
    adminVerb({
      name: 'ca.rotate',
      role: 'admin',
      args: none,
      audit: cluster,
      async run() {
        await authority.rotate();
        return authority.standing();
      },
    }),
    adminVerb({
      name: 'ca.retire',
      role: 'admin',
      args: z.strictObject({ compromised: z.boolean().default(false) }),
      audit: ({ compromised }) => `${cluster()}${compromised ? ' (compromised)' : ''}`,
      async run({ compromised }) {
        await authority.retire(compromised);
        return authority.standing();
      },
    }),
    adminVerb({
      name: 'server.renew',
      role: 'admin',
      args: none,
      audit: cluster,
      async run() {
        await authority.renewServer();
        return authority.standing().server;
      },
    }),
    adminVerb({
      name: 'user.cert',
      role: 'viewer',
      args: z.strictObject({
        user: z.string().max(64),
        csr: pemText,
        days: z.number().int().min(1).max(userDays.most).default(userDays.fallback),
      }),
      audit: ({ user }) => printable(user),
      async run({ user, csr, days }, by) {
        refuseOthers(user, by);
        if (!isItemName(user) || !(await isUser(user))) {
          throw new UserError(`There is no user "${printable(user)}": add it first, with "hearth user add".`);
        }
        const { pem, serial, notAfterMs } = await authority.issueUser(csr, user, days);
        await issued(user, serial, notAfterMs);
        return { cert: pem, ca: authority.certificates(), serial, not_after_ms: notAfterMs };
      },
    }),
    adminVerb({
      name: 'ssh.ca',
      role: 'viewer',
      args: none,
      async run() {
        return { public_key: await ssh.publicKey() };
      },
    }),
    adminVerb({
      name: 'ssh.sign',
      role: 'admin',
      args: sshArgs,
      audit: ({ kind, principals }) => `${kind} ${principals.join(',')}`,
      async run({ kind, principals, public_key }, by) {
        const keyId = `hearth ${kind} ${principals[0]} by ${by.name}`;
        const signed = await ssh.sign({ publicKey: public_key, kind, principals, keyId });
        return { certificate: signed.certificate, serial: signed.serial, not_after_ms: signed.notAfterMs };
      },
    }),
  ];
}

/** Login names, host names and addresses: nothing that ssh-keygen, sshd or a log could read as something else. */
const principal = z
  .string()
  .regex(/^[A-Za-z0-9_:][A-Za-z0-9._:-]{0,62}$/, 'a login name, or the name or address of a host');
const sshArgs = z.strictObject({
  public_key: z.string().max(16_384),
  kind: z.enum(['user', 'host']),
  principals: z.array(principal).min(1).max(16),
});

/** For oneself with a password only: who has stolen a token or a certificate could else make one after the other. */
function refuseOthers(user: string, by: Principal): void {
  if (by.role === 'admin' || (by.how === 'password' && by.name === user)) return;
  throw new UserError(
    by.name === user
      ? 'A certificate for oneself needs a login with name and password: log in so, or ask an admin.'
      : `Only an admin makes certificates for others, and you are "${printable(by.name)}": ask one.`,
  );
}
