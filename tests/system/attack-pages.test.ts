/** A page of another site in the browser of somebody who is logged in: forged requests, and names that are pointed here. */
import { hostname } from 'node:os';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ask, asStranger, wireWeb } from '../fixture/attacker.ts';
import { type LanCluster, lanCluster } from '../fixture/lan-cluster.ts';
import { until } from '../fixture/processes.ts';
import { networkAddress } from '../fixture/web-rig.ts';

const attack = suite('attack: pages of other sites');
const password = 'correct horse battery staple';
const hash = 'ab'.repeat(32);
let cluster: LanCluster;
let session: { readonly cookie: string; readonly csrf: string };

/** Everything that changes something, or tells a secret to who asks. */
const verbs = [
  ...['ca.rotate', 'ca.retire', 'server.renew', 'user.cert', 'ssh.sign', 'ssh.ca', 'ca.show', 'backup.take'],
  ...['join.approve', 'join.deny', 'node.revoke', 'token.create', 'token.revoke', 'rule.add', 'rule.remove'],
  ...['api.create', 'api.revoke', 'user.add', 'user.password', 'user.role', 'user.revoke', 'user.remove'],
  ...['token.list', 'audit.tail', 'secret.key'],
];
const changes = [
  ...verbs.map(verb => ['POST', `/api/trust/${verb}`] as const),
  ['POST', '/api/logout'] as const,
  ['PUT', `/artifacts/${hash}`] as const,
];

attack.before(async () => {
  cluster = await lanCluster();
  await ask(cluster, '/api/trust/user.add', { body: { name: 'anna', role: 'admin', password } });
  const answer = await ask(cluster, '/api/login', { body: { name: 'anna', password }, headers: asStranger });
  const cookie = String(answer.headers['set-cookie']?.[0]).split(';', 1)[0] ?? '';
  const me = await ask(cluster, '/api/me', { headers: { ...asStranger, cookie } });
  session = { cookie, csrf: (JSON.parse(me.body) as { csrf: string }).csrf };
});
attack.after(() => cluster?.stop());

const audit = () => cluster.hearth('audit', '--json', '--data', cluster.data);

attack('no change is made by a session’s cookie alone, on any route, whatever form the request has', async () => {
  const { cookie, csrf } = session;
  // Written a moment after it was answered.
  const before = await until('the login is written', async () => {
    const text = await audit();
    return text.includes('"what":"login"') && text;
  });
  for (const [method, path] of changes) {
    const forms: Record<string, Record<string, string>> = {
      'the cookie alone': {},
      'an empty token': { 'x-hearth-csrf': '' },
      'a token that is wrong': { 'x-hearth-csrf': `${csrf.slice(0, -1)}x` },
      'as a form': { 'content-type': 'application/x-www-form-urlencoded' },
      'as text': { 'content-type': 'text/plain' },
      'as a file': { 'content-type': 'multipart/form-data; boundary=x' },
      'another method in a header': { 'x-http-method-override': 'GET', 'x-method-override': 'GET' },
    };
    for (const [what, headers] of Object.entries(forms)) {
      const { status } = await ask(cluster, path, {
        method,
        body: '{}',
        headers: { ...asStranger, cookie, ...headers },
      });
      assert.is(status, 403, `${method} ${path}, ${what}`);
    }
    // With the right token, but by another page: its origin gives it away.
    const right = { ...asStranger, cookie, 'x-hearth-csrf': csrf };
    const pages: Record<string, string>[] = [
      { origin: 'https://evil.example' },
      { origin: `https://evil.example:${cluster.ready.http}` },
      { origin: 'null' },
      { origin: `http://127.0.0.1:${cluster.ready.http}` },
      { origin: `https://127.0.0.1:${cluster.ready.http + 1}` },
      { origin: `https://127.0.0.1:${cluster.ready.http}.evil.example` },
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors' },
      { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'no-cors' },
    ];
    for (const headers of pages) {
      const { status } = await ask(cluster, path, { method, body: '{}', headers: { ...right, ...headers } });
      assert.is(status, 403, `${method} ${path} from ${JSON.stringify(headers)}`);
    }
  }
  // GET changes nothing, and what changes does not answer to it.
  for (const [, path] of changes.filter(([method]) => method === 'POST')) {
    for (const method of ['GET', 'HEAD', 'OPTIONS']) {
      assert.is(
        (await ask(cluster, path, { method, headers: { ...asStranger, cookie } })).status,
        404,
        `${method} ${path}`,
      );
    }
  }
  assert.is(await audit(), before, 'nothing was done, or tried as far as an audit');
  const fine = { ...asStranger, cookie, 'x-hearth-csrf': csrf, origin: `https://127.0.0.1:${cluster.ready.http}` };
  assert.is((await ask(cluster, '/api/trust/ca.show', { body: {}, headers: fine })).status, 200);
});

attack('the owner on loopback needs no cookie, so a page is told from a program by what browsers say', async () => {
  for (const plain of [true, false]) {
    for (const headers of [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' },
      { host: `evil.example:${cluster.ready.http}` },
    ] as Record<string, string>[]) {
      for (const [method, path] of [...changes, ['GET', '/api/fleet'], ['GET', '/'], ['POST', '/api/login']] as const) {
        const { status } = await ask(cluster, path, {
          plain,
          method,
          headers,
          ...(method !== 'GET' && { body: '{}' }),
        });
        assert.is(status, 403, `${method} ${path} ${JSON.stringify(headers)}`);
      }
      assert.is(await wireWeb(cluster, { plain, headers }), 403);
    }
    // A form of another page can send no JSON; what it can send is no command.
    for (const type of ['application/x-www-form-urlencoded', 'text/plain', 'multipart/form-data; boundary=x', '']) {
      const body = '{"name":"mallory","role":"admin","password":"a long password"}';
      const answer = await ask(cluster, '/api/trust/user.add', { plain, body, headers: { 'content-type': type } });
      assert.ok(answer.status === 415 || answer.status === 400, `${type}: ${answer.status}`);
    }
  }
  assert.not.match(await cluster.hearth('user', 'list', '--data', cluster.data), /mallory/);
});

attack('a name that is pointed here is refused on loopback and from the network (DNS rebinding)', async () => {
  const { http } = cluster.ready;
  const machine = hostname().toLowerCase();
  const lan = networkAddress('IPv4');
  const foreign = [
    ...[
      'evil.example',
      `localhost.evil.example`,
      `127.0.0.1.evil.example`,
      `${machine}.evil.example`,
      `evil-${machine}`,
    ],
    ...[`${machine}.local.evil.example`, 'localhost.', '0x7f.1', '2130706433', '127.1', 'user@localhost', 'localhost#'],
  ];
  for (const to of ['127.0.0.1', ...(lan ? [lan] : [])]) {
    for (const name of foreign) {
      for (const [path, more] of [
        ['/api/fleet', {}],
        ['/login', {}],
        ['/api/login', { body: { name: 'anna', password } }],
      ] as const) {
        const headers = { host: `${name}:${http}`, origin: `https://${name}:${http}` };
        const { status, body } = await ask(cluster, path, { to, ...more, headers });
        assert.is(status, 403, `${name} ${path}: ${body}`);
        // Plain from the network there is nothing but a page that says so.
        const bare = await ask(cluster, path, { to, plain: true, ...more, headers: { host: headers.host } });
        assert.is(bare.status, 403, `${name} ${path} over plain HTTP`);
        assert.not(bare.headers['set-cookie']);
      }
      assert.is(await wireWeb(cluster, { headers: { host: `${name}:${http}` } }), 403, name);
    }
  }
  // Under its own names it is served: to who logs in.
  for (const name of [machine, `${machine}.local`, `${cluster.fingerprint}.hearth.internal`]) {
    const headers = { host: `${name}:${http}`, ...asStranger };
    assert.is((await ask(cluster, '/api/fleet', { headers })).status, 401, name);
    assert.is((await ask(cluster, '/api/fleet', { headers: { ...headers, cookie: session.cookie } })).status, 200);
  }
});

attack('every answer forbids what a page could make of it', async () => {
  for (const [path, more] of [
    ['/', {}],
    ['/login', {}],
    ['/nothing', {}],
    ['/api/fleet', {}],
    ['/api/fleet', { headers: { host: 'evil.example' } }],
    ['/install.sh', {}],
    ['/ca.pem', {}],
    [`/artifacts/${hash}`, {}],
    ['/join', { body: '{' }],
    ['/%', {}],
  ] as const) {
    const { headers } = await ask(cluster, path, { plain: true, ...more });
    assert.match(String(headers['content-security-policy']), /default-src 'none'.*frame-ancestors 'none'/, path);
    assert.is(headers['x-content-type-options'], 'nosniff', path);
    assert.is(headers['x-frame-options'], 'DENY', path);
    assert.not(headers['access-control-allow-origin'], path);
  }
});

attack.run();
