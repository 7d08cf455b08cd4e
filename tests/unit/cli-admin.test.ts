/** The command line asks the supervisor about trust: over loopback as its user, from elsewhere with a CA and a token. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { z } from 'zod';
import { adminCall, supervisorUrl } from '../../cli/admin.ts';
import { formatTokens } from '../../cli/commands/api.ts';
import { formatUsers } from '../../cli/commands/user.ts';
import { check } from '../../shared/codec.ts';
import { UserError } from '../../shared/user-error.ts';
import { type AccountsRig, accountsRig, owner } from '../fixture/accounts.ts';
import { folder, freePort } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';

const cli = suite('cli: admin');
const servers: Server[] = [];

async function listen(server: Server): Promise<number> {
  servers.push(server);
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

const bodyOf = async (request: IncomingMessage): Promise<string> => {
  let text = '';
  for await (const chunk of request) text += chunk;
  return text;
};

/** Verbs of accounts behind HTTP, as the supervisor's port serves them to its owner. */
const served =
  (rig: AccountsRig): RequestListener =>
  async (request, answer) => {
    const verb = rig.accounts.verbs.find(each => `/api/trust/${each.name}` === request.url);
    const args = check(verb?.args ?? z.object({}), JSON.parse(await bodyOf(request)));
    const say = (status: number, body: object) =>
      answer.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    if (!verb) return say(404, { error: 'no such verb' });
    if (!args.ok) return say(400, { error: args.error.message });
    try {
      say(200, await verb.run(args.value, owner));
    } catch (error) {
      say(error instanceof UserError ? 400 : 500, { error: (error as Error).message });
    }
  };

const refusal = async (doing: () => Promise<unknown>): Promise<string> => {
  try {
    await doing();
    return 'nothing';
  } catch (error) {
    assert.instance(error, UserError);
    return (error as Error).message;
  }
};

/** Runs with these variables and no others of Hearth's. */
async function within<T>(env: Record<string, string>, run: () => Promise<T>): Promise<T> {
  const before = { ...process.env };
  for (const name of Object.keys(process.env)) if (name.startsWith('HEARTH_')) delete process.env[name];
  Object.assign(process.env, env);
  try {
    return await run();
  } finally {
    for (const name of Object.keys(env)) delete process.env[name];
    Object.assign(process.env, before);
  }
}

cli.after(() => {
  for (const server of servers) server.close();
});

cli('the supervisor is found by its data folder, by address, or at the usual port', () => {
  const data = folder();
  writeFileSync(join(data, 'run.json'), '{"pid":1,"mqtt":2,"http":12345}');
  assert.is(supervisorUrl({ data }, {}).href, 'http://127.0.0.1:12345/');
  assert.is(supervisorUrl({}, { HEARTH_DATA: data }).href, 'http://127.0.0.1:12345/');
  assert.is(supervisorUrl({ url: 'https://box:1' }, { HEARTH_DATA: data, HEARTH_URL: 'x' }).href, 'https://box:1/');
  assert.is(supervisorUrl({}, { HEARTH_URL: 'https://[fd00::1]:22581' }).host, '[fd00::1]:22581');
  assert.throws(() => supervisorUrl({ data: `${data}/none` }, {}), /No supervisor runs on the data folder/);
  assert.throws(() => supervisorUrl({ url: 'box' }, {}), /--url: "box" is no address/);
  for (const plain of ['http://box:22581', 'http://127.0.0.1.example.org', 'ftp://127.0.0.1', 'http://10.0.0.1']) {
    assert.throws(() => supervisorUrl({ url: plain }, {}), /has to be encrypted/, plain);
  }
  assert.throws(() => supervisorUrl({}, { HEARTH_URL: 'https://a:b@box' }), /no user name or password goes there/);
});

cli('a token goes along as a bearer, and nothing else ever does', async () => {
  const seen: (string | undefined)[] = [];
  const port = await listen(
    createServer((request, answer) => {
      seen.push(request.headers.authorization);
      answer.end('{}');
    }),
  );
  const url = `http://127.0.0.1:${port}`;
  await within({}, () => adminCall({ url }, 'x'));
  await within({ HEARTH_TOKEN: ' hearth_00_11 ' }, () => adminCall({ url }, 'x'));
  assert.equal(seen, [undefined, 'Bearer hearth_00_11']);
  const join = `hearth1.${'0'.repeat(32)}.${'a'.repeat(8)}.${'a'.repeat(32)}@box:1`;
  const said = await within({ HEARTH_TOKEN: join }, () => refusal(() => adminCall({ url }, 'x')));
  assert.match(said, /join token/);
  assert.not.match(said, /aaaa/);
  assert.match(
    await within({ HEARTH_TOKEN: 'a\r\nHost: b' }, () => refusal(() => adminCall({ url }, 'x'))),
    /is no API token/,
  );
});

cli('what is answered becomes one sentence', async () => {
  let next: readonly [number, string] = [200, '{}'];
  const port = await listen(createServer((_request, answer) => answer.writeHead(next[0]).end(next[1])));
  const url = `http://127.0.0.1:${port}`;
  const ask = (status: number, text: string, env: Record<string, string> = {}) => {
    next = [status, text];
    return within(env, () => refusal(() => adminCall({ url }, 'x')));
  };
  assert.is(await ask(400, '{"error":"There is no user ben."}'), 'There is no user ben.');
  assert.match(
    await ask(401, '{"error":"A login is needed."}'),
    /^A login is needed here: run this as the user who runs/,
  );
  assert.match(await ask(401, '{}', { HEARTH_TOKEN: 'hearth_0' }), /HEARTH_TOKEN is wrong/);
  assert.match(await ask(404, 'nothing'), /is no Hearth supervisor/);
  assert.match(await ask(500, '<html>'), /answered 500/);
  assert.match(await ask(200, '"text"'), /answered 200/);
  assert.match(await ask(400, '{"error":"a\\u001b[31m"}'), /a\\u001b/, 'nothing that a terminal obeys');
  assert.match(await ask(200, 'x'.repeat(9 * 1024 * 1024)), /longer than/);
  const nobody = `http://127.0.0.1:${await freePort()}`;
  assert.match(await refusal(() => adminCall({ url: nobody }, 'x')), /Nobody listens at/);
});

testWith(
  cli,
  ['openssl'],
  "elsewhere's certificate has to be from the CA that was given, and for that name",
  async () => {
    const place = folder();
    const make = (args: string) => execFileSync('openssl', args.split(' '), { cwd: place, stdio: 'pipe' });
    make(
      'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -subj /CN=ca -days 2',
    );
    for (const [name, san] of [
      ['good', 'IP:127.0.0.1'],
      ['other', 'DNS:other.example'],
    ]) {
      writeFileSync(join(place, `${name}.ext`), `subjectAltName=${san}\n`);
      make(`req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ${name}.key -out ${name}.csr -subj /CN=s`);
      make(`x509 -req -in ${name}.csr -CA ca.pem -CAkey ca.key -days 2 -extfile ${name}.ext -out ${name}.pem`);
    }
    const serve = (name: string) => {
      const read = (kind: string) => readFileSync(join(place, `${name}.${kind}`));
      return listen(
        createTlsServer({ key: read('key'), cert: read('pem') }, (_, answer) => void answer.end('{"n":1}')),
      );
    };
    const [good, other] = [await serve('good'), await serve('other')];
    const ca = join(place, 'ca.pem');
    const url = `https://127.0.0.1:${good}`;
    assert.equal(await within({}, () => adminCall({ url, ca }, 'x')), { n: 1 });
    assert.equal(await within({ HEARTH_CA: ca, HEARTH_URL: url }, () => adminCall({}, 'x')), { n: 1 });
    assert.match(await within({}, () => refusal(() => adminCall({ url }, 'x'))), /not from a CA that is known here/);
    assert.match(
      await within({}, () => refusal(() => adminCall({ url: `https://127.0.0.1:${other}`, ca }, 'x'))),
      /use a name or address of the supervisor/,
    );
    assert.match(
      await within({}, () => refusal(() => adminCall({ url, ca: '/no/file' }, 'x'))),
      /--ca \/no\/file: .*ENOENT/,
    );
  },
);

cli('hearth user and hearth api, from a password on standard input to a list', async () => {
  const rig = await accountsRig();
  const data = folder();
  mkdirSync(data, { recursive: true });
  const http = await listen(createServer(served(rig)));
  writeFileSync(join(data, 'run.json'), JSON.stringify({ pid: 1, mqtt: 1, http }));
  const hearth = (args: readonly string[], input = '') => run([...args, '--data', data], input);

  assert.equal(await hearth(['user', 'add', 'anna', '--role', 'operator'], 'a good password\n'), {
    code: 0,
    out: 'anna may log in as operator.\n',
  });
  assert.is(await rig.who({}, { username: 'anna', password: 'a good password' }), 'operator anna password');
  const short = await hearth(['user', 'password', 'anna'], 'short');
  assert.match(short.out, /^hearth: .*at least 8/);
  assert.is(short.code, 1);
  const made = await hearth(['api', 'create', 'grafana', '--role', 'viewer', '--days', '0']);
  const token = /^hearth_\S+$/m.exec(made.out)?.[0];
  assert.is(await rig.who({}, { password: token ?? '' }), 'viewer grafana token');
  assert.match((await hearth(['user', 'list'])).out, /^USER +ROLE .*\nanna +operator +yes +0 +0 +2026-01-01\n$/);
  assert.match((await hearth(['api', 'list'])).out, /\ngrafana +[0-9a-f]{8} +viewer +owner +2026-01-01 +never/);
  assert.match((await hearth(['api', 'revoke', 'grafana'])).out, /counts no more/);
  assert.match((await hearth(['user', 'remove', 'ben'])).out, /^hearth: There is no user ben/);
  assert.match(
    (await hearth(['user', 'add', 'x', '--role', 'king'], 'a good password')).out,
    /admin, operator, viewer/,
  );
  rig.accounts.close();
});

async function run(args: readonly string[], input: string): Promise<{ code: number | null; out: string }> {
  const { spawn } = await import('node:child_process');
  const main = join(import.meta.dirname, '../../cli/main.ts');
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('HEARTH_')));
  const child = spawn(process.execPath, ['--import', 'tsx', main, ...args], { env });
  let out = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => (out += chunk));
  child.stdin.end(input);
  const code = await new Promise<number | null>(resolve => child.once('close', resolve));
  return { code, out };
}

cli('lists show hostile names harmlessly', () => {
  const at = Date.UTC(2026, 0, 1);
  const user = {
    name: 'a\u001b[2J',
    role: 'viewer',
    password: true,
    created_ms: at,
    changed_ms: at,
    sessions: 0,
    certificates: [],
  };
  assert.not.ok(formatUsers([user]).includes('\u001b'));
  const token = { id: '1', name: 'x', role: 'viewer', by: 'a\nb', created_ms: at, expires_ms: at };
  assert.match(formatTokens([token], at + 1), /2026-01-01 \(over\)$/);
});
cli.run();
