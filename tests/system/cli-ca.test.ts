/** `hearth ca`, `hearth ssh` and `hearth user cert` as people type them, against the verbs of a real authority. */
import { X509Certificate } from 'node:crypto';
import * as fs from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SshAuthority } from '../../broker/trust/ca/ssh-authority.ts';
import { caVerbs } from '../../broker/trust/ca/verbs.ts';
import type { AdminVerb, Principal } from '../../broker/trust/types.ts';
import { check } from '../../shared/codec.ts';
import { UserError } from '../../shared/user-error.ts';
import { type CaRig, caRig, requester } from '../fixture/certificates.ts';
import { hearthCommand } from '../fixture/cluster.ts';
import { folder, start } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';

const cli = suite('cli: ca and ssh');

const owner: Principal = { role: 'admin', name: 'owner', how: 'owner' };
const users = new Set(['ann']);

interface Scene {
  readonly rig: CaRig;
  readonly verbs: readonly AdminVerb[];
  /** Serials that accounts were told of. */
  readonly issued: string[];
}

async function scene(): Promise<Scene> {
  const rig = await caRig({ now: () => Date.now() });
  const issued: string[] = [];
  const verbs = caVerbs({
    authority: rig.authority,
    ssh: new SshAuthority(rig.path, () => Date.now()),
    isUser: name => users.has(name),
    issued: async (_, serial) => void issued.push(serial),
  });
  return { rig, verbs, issued };
}

async function run({ verbs }: Scene, name: string, args: object, by = owner): Promise<Record<string, unknown>> {
  const verb = verbs.find(each => each.name === name);
  if (!verb) throw new Error(`no verb ${name}`);
  const read = check(verb.args, args);
  if (!read.ok) throw new UserError(read.error.message);
  return (await verb.run(read.value, by)) as Record<string, unknown>;
}

const servers = new Set<Server>();
cli.after.each(() => {
  for (const server of servers) server.close();
  servers.clear();
});

/** The verbs behind HTTP. @returns a way to type a command, which gives what it printed and its exit code. */
async function typing(of: Scene) {
  const server = createServer(async (request, answer) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    const say = (status: number, body: object) =>
      answer.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    await run(of, request.url?.replace('/api/trust/', '') ?? '', JSON.parse(text)).then(
      body => say(200, body),
      (error: Error) => say(error instanceof UserError ? 400 : 500, { error: error.message }),
    );
  });
  servers.add(server);
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('HEARTH_')));
  return async (...args: string[]): Promise<{ readonly text: string; readonly code: number | string }> => {
    const child = start(process.execPath, [hearthCommand, ...args, '--url', url], { env });
    const code = await child.ended;
    return { text: child.output(), code };
  };
}

cli('shows, rotates, renews and retires', async () => {
  const at = await scene();
  const type = await typing(at);
  const shown = await type('ca', 'show');
  assert.is(shown.code, 0, shown.text);
  assert.match(shown.text, /issues\s+O=0123456789abcdef0123456789abcdef, CN=Hearth CA 1 of 01234567, until 20/);
  assert.match(shown.text, /server\s+until .*0123456789abcdef0123456789abcdef\.hearth\.internal, localhost/);
  assert.is((await type('ca', 'show', '--pem')).text, at.rig.authority.certificates().join(''));
  assert.match(
    (await type('ca', 'rotate')).text,
    /issues .*Hearth CA 2[\s\S]*trusted .*Hearth CA 1[\s\S]*Nodes renew by themselves/,
  );
  const again = await type('ca', 'rotate');
  assert.equal([again.code, /retire it first/.test(again.text)], [1, true], again.text);
  const before = at.rig.authority.serverCredentials().key;
  assert.match((await type('ca', 'renew-server')).text, /new key and certificate: until/);
  assert.is.not(at.rig.authority.serverCredentials().key, before);
  assert.match((await type('ca', 'retire')).text, /wait until then, or say --compromised/);
  const retired = await type('ca', 'retire', '--compromised');
  assert.is(retired.code, 0, retired.text);
  assert.not.match(retired.text, /Hearth CA 1/);
});

cli("a user's key is made here, for its owner alone, and never overwrites another", async () => {
  const at = await scene();
  const type = await typing(at);
  const out = join(folder(), 'keys');
  const made = await type('user', 'cert', 'ann', '--out', out, '--days', '10');
  assert.is(made.code, 0, made.text);
  assert.equal(fs.readdirSync(out).sort(), ['ann-ca.pem', 'ann-key.pem', 'ann.pem']);
  assert.is(fs.statSync(join(out, 'ann-key.pem')).mode & 0o777, 0o600);
  const certificate = new X509Certificate(fs.readFileSync(join(out, 'ann.pem')));
  assert.is(at.rig.authority.verifyClient(certificate)?.name, 'ann');
  assert.equal(at.issued, [certificate.serialNumber.toLowerCase()]);
  assert.ok(Date.parse(certificate.validTo) < Date.now() + 10.1 * 86_400_000);
  assert.match((await type('user', 'cert', 'ann', '--out', out)).text, /exists already/);
  const nobody = await type('user', 'cert', 'bob', '--out', out);
  assert.match(nobody.text, /There is no user "bob": add it first/);
  assert.match((await type('user', 'cert', '../x')).text, /is no user's name/);
  assert.match((await type('user', 'cert', 'ann', '--days', '4000', '--out', folder())).text, /1 to 397/);
});

testWith(cli, ['ssh-keygen'], 'signs SSH keys, and lets no private key out of the machine', async () => {
  const at = await scene();
  const type = await typing(at);
  const key = join(folder(), 'id');
  assert.is(await start('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]).ended, 0);
  const signed = await type('ssh', 'sign', `${key}.pub`, '--user', 'ann, root');
  assert.is(signed.code, 0, signed.text);
  assert.match(signed.text, /id-cert\.pub: user certificate for ann, root, until .* UTC/);
  const shown = start('ssh-keygen', ['-L', '-f', `${key}-cert.pub`]);
  await shown.ended;
  assert.match(shown.output(), /Key ID: "hearth user ann by owner"[\s\S]*Principals: \n\s+ann\n\s+root\n/);
  const ca = (await type('ssh', 'ca')).text;
  assert.match(ca, /^ssh-ed25519 \S+ hearth-ssh-ca\n$/);
  assert.is((await type('ssh', 'ca', '--known-hosts')).text, `@cert-authority * ${ca}`);
  const secret = await type('ssh', 'sign', key, '--user', 'ann');
  assert.equal([secret.code, /is a private key/.test(secret.text)], [2, true], secret.text);
  assert.match((await type('ssh', 'sign', `${key}.pub`)).text, /Say whom the key is for/);
});

async function refusal(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    assert.instance(error, UserError);
    return (error as Error).message;
  }
  throw new Error('nothing was refused');
}

cli('who may have which certificate', async () => {
  const at = await scene();
  const { csr } = await requester();
  const as = (how: Principal['how'], name: string, role: Principal['role'] = 'viewer') =>
    run(at, 'user.cert', { user: 'ann', csr }, { how, name, role });
  assert.ok((await as('password', 'ann')).cert);
  assert.ok((await as('password', 'root', 'admin')).cert);
  assert.match(await refusal(as('password', 'bob')), /Only an admin makes certificates for others/);
  assert.match(await refusal(as('certificate', 'ann')), /needs a login with name and password/);
  assert.match(await refusal(as('token', 'ann')), /needs a login with name and password/);
  assert.is(at.issued.length, 2);
  const roles = Object.fromEntries(at.verbs.map(({ name, role }) => [name, role]));
  assert.equal(roles, {
    'ca.show': 'viewer',
    'ca.rotate': 'admin',
    'ca.retire': 'admin',
    'server.renew': 'admin',
    'user.cert': 'viewer',
    'ssh.ca': 'viewer',
    'ssh.sign': 'admin',
  });
  for (const verb of at.verbs) assert.is(verb.audit !== undefined, !/show|ssh\.ca/.test(verb.name), verb.name);
});

cli(
  'principals are names, and at least one: nothing that ssh-keygen or sshd would read as something else',
  async () => {
    const at = await scene();
    const sign = (...principals: string[]) =>
      refusal(run(at, 'ssh.sign', { public_key: 'ssh-ed25519 x', kind: 'user', principals }));
    for (const bad of [[], ['-O'], ['a,b'], ['a b'], ['a\nb'], ['*'], ['!ann'], [''], Array(17).fill('ann')]) {
      assert.not.match(await sign(...bad), /SSH public key/, JSON.stringify(bad));
    }
    assert.match(await sign('ann'), /no SSH public key/);
  },
);

cli.run();
