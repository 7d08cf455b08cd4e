/** Who may have what of the HTTP port: the real CA, accounts and joining desk behind it, over real sockets. */
import * as assert from 'node:assert/strict';
import { suite as describe } from 'uvu';
import { z } from 'zod';
import { adminVerb } from '../../broker/trust/types.ts';
import { UserError } from '../../shared/user-error.ts';
import { requester } from '../fixture/certificates.ts';
import { until } from '../fixture/processes.ts';
import { login, networkAddress, passwordOf, type WebRig, webRig } from '../fixture/web-rig.ts';

const suite = describe('HTTP: who may what');
const lan = networkAddress('IPv4');
let rig: WebRig;
const ran: string[] = [];
const verb = (name: string, role: 'admin' | 'operator' | 'viewer') =>
  adminVerb({
    name,
    role,
    args: z.strictObject({ word: z.string().max(10) }),
    audit: ({ word }) => word,
    run({ word }, by) {
      ran.push(`${name} ${word} ${by.name}`);
      if (word === 'wrong') throw new UserError('That word is wrong: take another.');
      if (word === 'defect') throw new Error('secret inside');
      return { word };
    },
  });

suite.before(async () => {
  rig = await webRig({
    verbs: [verb('test.admin', 'admin'), verb('test.operator', 'operator'), verb('test.viewer', 'viewer')],
  });
  for (const role of ['admin', 'operator', 'viewer', 'integration'] as const) await rig.user(role, role);
});
suite.before.each(() => {
  rig.owner = false;
  ran.length = 0;
});
suite.after(() => rig?.close());

suite('the owner needs no login on loopback; another local user, and whoever a proxy speaks for, does', async () => {
  for (const scheme of ['http', 'https'] as const) {
    // Each its own connection: the answer is kept with it.
    rig.owner = true;
    assert.equal((await rig.ask('/api/fleet', { scheme })).status, 200);
    assert.deepEqual((await rig.ask('/api/me', { scheme })).json(), { role: 'admin', name: 'owner', how: 'owner' });
    for (const header of ['x-forwarded-for', 'forwarded', 'via', 'x-real-ip']) {
      assert.equal((await rig.ask('/api/fleet', { scheme, headers: { [header]: '10.0.0.1' } })).status, 401, header);
    }
    rig.owner = false;
    assert.equal((await rig.ask('/api/fleet', { scheme })).status, 401);
  }
});

if (!lan) console.log('skipped: tests from the network (no address but loopback)');
else {
  suite('from the network nobody is the owner, and without TLS there is only what installs a node', async () => {
    rig.owner = true;
    assert.equal((await rig.ask('/api/fleet', { to: lan })).status, 401);
    for (const path of ['/install.sh', '/trust/bundle', '/trust/time?nonce=0123456789abcdef', '/ca.pem', '/healthz']) {
      assert.equal((await rig.ask(path, { to: lan, scheme: 'http' })).status, 200, path);
    }
    const token = await rig.token('plain-wire', 'admin');
    const closed = [
      '/',
      '/login',
      '/app.js',
      '/api/me',
      '/api/fleet',
      '/api/fleet/stream',
      '/mqtt',
      '/nothing',
      '/join/x',
    ];
    for (const path of closed) {
      const answer = await rig.ask(path, { to: lan, scheme: 'http', token });
      assert.equal(answer.status, 403, path);
      assert.match(answer.body, /https:\/\//, path);
      assert.doesNotMatch(answer.body, /attic-pi/);
    }
    for (const path of ['/api/login', '/api/trust/test.viewer', '/join', '/renew']) {
      const answer = await rig.ask(path, {
        to: lan,
        scheme: 'http',
        token,
        body: { name: 'admin', password: passwordOf('admin') },
      });
      assert.equal(answer.status, 403, path);
      assert.equal(answer.headers['set-cookie'], undefined);
    }
    const page = await rig.ask('/', { to: lan, scheme: 'http', headers: { accept: 'text/html' } });
    assert.match(page.body, new RegExp(`<a href="https://${lan}:${rig.http.port}/">`));
    const odd = await rig.ask('/', { to: lan, scheme: 'http', headers: { accept: 'text/html', host: 'a"><script>' } });
    assert.deepEqual([odd.status, odd.headers['content-type']], [403, 'text/plain; charset=utf-8']);
    // Under whatever name a router gave this machine; but no page of another site.
    const named = { host: `pi.fritz.box:${rig.http.port}` };
    assert.equal((await rig.ask('/install.sh', { to: lan, scheme: 'http', headers: named })).status, 200);
    assert.equal(
      (await rig.ask('/install.sh', { to: lan, scheme: 'http', headers: { origin: 'http://evil.example' } })).status,
      403,
    );
    assert.equal((await rig.ask('/join', { to: lan, headers: named, body: {} })).status, 403);
    assert.match(
      (await rig.ask('/join', { to: lan, headers: named, body: {} })).body,
      /request to join cannot be read/,
      'the desk answered',
    );
    assert.match((await rig.ask('/login', { to: lan, headers: named })).body, /is not this server: open https:/);
  });
}

suite('every role has its routes and no more', async () => {
  const may: Record<string, readonly string[]> = {
    '/': ['admin', 'operator', 'viewer'],
    '/api/fleet': ['admin', 'operator', 'viewer'],
    '/api/me': ['admin', 'operator', 'viewer', 'integration'],
    'test.viewer': ['admin', 'operator', 'viewer'],
    'test.operator': ['admin', 'operator'],
    'test.admin': ['admin'],
  };
  const { key, csr } = await requester();
  const node = await rig.authority.issueNode(csr, 'n1');
  for (const role of ['admin', 'operator', 'viewer', 'integration', 'node', undefined] as const) {
    const who =
      role === undefined
        ? {}
        : role === 'node'
          ? { cert: { key, cert: node.pem } }
          : { token: await rig.token(`t-${role}`, role) };
    for (const [what, roles] of Object.entries(may)) {
      const path = what.startsWith('/') ? what : `/api/trust/${what}`;
      const answer = await rig.ask(path, { ...who, ...(path === what ? {} : { body: { word: 'x' } }) });
      // A node that never joined is revoked.
      const expected = role === undefined || role === 'node' ? 401 : roles.includes(role) ? 200 : 403;
      assert.equal(answer.status, expected, `${role} ${what}: ${answer.body}`);
      if (expected !== 200)
        assert.match(answer.json<{ error: string }>().error, /^[A-Z][^\n]+\.$|^[a-z-]+ has the role [^\n]+\.$/);
    }
  }
  assert.deepEqual(
    ran.filter(line => line.startsWith('test.operator')),
    ['test.operator x t-admin', 'test.operator x t-operator'],
  );
  assert.equal(
    (await rig.ask('/api/trust/test.admin', { token: 'hearth_00000000_nonsense', body: { word: 'x' } })).status,
    401,
  );
  assert.equal((await rig.ask('/api/fleet', { headers: { authorization: 'Basic YWRtaW46eA==' } })).status, 401);
  // What is said counts, not who the connection belongs to.
  rig.owner = true;
  assert.equal((await rig.ask('/api/fleet', { token: 'hearth_00000000_nonsense' })).status, 401);
});

suite('a verb: its arguments are checked, its errors are sentences, and what changes is audited', async () => {
  const token = await rig.token('auditor', 'operator');
  const call = (name: string, body: object | string) => rig.ask(`/api/trust/${name}`, { token, body });
  assert.deepEqual((await call('test.operator', { word: 'fine' })).json(), { word: 'fine' });
  assert.equal((await call('test.operator', { word: 'fine', more: 1 })).status, 400);
  assert.equal((await call('test.operator', '{"word":')).status, 400);
  assert.equal((await call('test.operator', '{"__proto__":{"word":"x"}}')).status, 400);
  const wrong = await call('test.operator', { word: 'wrong' });
  assert.deepEqual([wrong.status, wrong.json()], [422, { error: 'That word is wrong: take another.' }]);
  const defect = await call('test.operator', { word: 'defect' });
  assert.equal(defect.status, 500);
  assert.doesNotMatch(defect.body, /secret/);
  assert.equal((await call('test.admin', { word: 'no' })).status, 403);
  assert.equal((await call('no.such', {})).status, 404);
  assert.equal((await call('test.operator', { word: 'x'.repeat(300_000) })).status, 413);
  const audited = () => rig.audited().filter(({ who }) => who === 'auditor');
  const mine = await until('four lines', () => audited().length >= 4 && audited());
  assert.deepEqual(
    mine.map(({ what, target, ok }) => [what, target, ok]),
    [
      ['test.operator', 'fine', true],
      ['test.operator', 'wrong', false],
      ['test.operator', 'defect', false],
      ['test.admin', '', false],
    ],
  );
});

suite("a user's certificate stands for the user; one of another CA, or of a removed user, for nobody", async () => {
  await rig.user('certified', 'operator');
  const { key, csr } = await requester();
  const issued = await rig.authority.issueUser(csr, 'certified');
  await rig.accounts.certificateIssued('certified', issued.serial, issued.notAfterMs);
  const cert = { key, cert: issued.pem };
  assert.deepEqual((await rig.ask('/api/me', { cert })).json(), {
    role: 'operator',
    name: 'certified',
    how: 'certificate',
  });
  assert.equal((await rig.ask('/api/trust/test.operator', { cert, body: { word: 'x' } })).status, 200);
  // What is said with the request counts more than the certificate.
  const { cookie } = await login(rig, 'viewer');
  assert.equal((await rig.ask('/api/me', { cert, cookie })).json<{ name: string }>().name, 'viewer');
  const other = await webRig();
  const foreign = await other.authority.issueUser(csr, 'certified');
  await other.close();
  // Its serial and its issuer are not ours; TLS itself goes on, it stands for nobody.
  assert.equal((await rig.ask('/api/me', { cert: { key, cert: foreign.pem } })).status, 401);
  await rig.verb('user.remove', { name: 'certified' });
  assert.equal((await rig.ask('/api/me', { cert })).status, 401);
});

suite('who is not logged in is led to the login, pages alone', async () => {
  const page = await rig.ask('/', { headers: { accept: 'text/html,*/*' } });
  assert.deepEqual([page.status, page.headers.location, page.body], [303, '/login', '']);
  const answer = await rig.ask('/login');
  assert.equal(answer.status, 200);
  assert.match(String(answer.headers['content-security-policy']), /default-src 'none'.*form-action 'none'/);
  for (const [, path = ''] of answer.body.matchAll(/(?:src|href)="(\/[a-z-]+\.[a-z]+)"/g)) {
    assert.equal((await rig.ask(path)).status, 200, path);
  }
  assert.equal((await rig.ask('/index.html', { headers: { accept: 'text/html' } })).status, 303);
  assert.equal((await rig.ask('/api/fleet/stream', { headers: { accept: 'text/event-stream' } })).status, 401);
});

suite('a foreign Host or Origin is refused over TLS, too', async () => {
  const { port } = rig.http;
  rig.owner = true;
  assert.equal(
    (await rig.ask('/api/fleet', { headers: { host: `${rig.cluster}.hearth.internal:${port}` } })).status,
    200,
  );
  for (const headers of [
    { host: `evil.example:${port}` },
    { host: `localhost:${port + 1}` },
    { origin: 'https://evil.example' },
    { origin: `http://127.0.0.1:${port}` },
    { 'sec-fetch-site': 'cross-site' },
  ]) {
    assert.equal(
      (await rig.ask('/api/fleet', { headers: headers as unknown as Record<string, string> })).status,
      403,
      JSON.stringify(headers),
    );
  }
  // On plain loopback the machine's names in the network are anybody's who answers for them there.
  const named = { host: `${rig.cluster}.hearth.internal:${port}` };
  assert.equal((await rig.ask('/api/fleet', { scheme: 'http', headers: named })).status, 403);
});

suite.run();
