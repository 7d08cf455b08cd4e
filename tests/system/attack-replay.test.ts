/** What was good once is shown again: join tokens, requests to join and renew, signed time, API tokens, sessions. */
import { createPrivateKey, randomBytes, sign } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ed25519Verifier } from '../../shared/ed25519.ts';
import { openTime } from '../../shared/trust-statements.ts';
import { ask, asStranger, greet, type Identity, serialOf, steal, tlsPortOf, wireTls } from '../fixture/attacker.ts';
import { requester } from '../fixture/certificates.ts';
import { joiningAgent, type LanCluster, lanCluster } from '../fixture/lan-cluster.ts';
import { endAll } from './mqtt/wire.ts';

const attack = suite('attack: what was good once');
let cluster: LanCluster;

attack.before(async () => {
  cluster = await lanCluster();
});
attack.after(async () => {
  endAll();
  await cluster?.stop();
});

let cards = 0;
/** Another machine each time. */
async function joinRequest(token: string | undefined, more: object = {}, facts: object = {}) {
  const { csr, key } = await requester();
  const mac = `02:00:00:00:00:${(++cards).toString(16).padStart(2, '0')}`;
  const body = {
    ...{
      proto: 1,
      csr,
      seal_key: randomBytes(65).toString('base64url').slice(0, 87),
      inst: randomBytes(8).toString('hex'),
    },
    ...(token === undefined ? {} : { token }),
    facts: { hostname: `barn${cards}`, macs: mac, os: 'Debian 12', arch: 'arm64', ver: '0.1.0', ...facts },
    ...more,
  };
  return { body, key };
}
interface Reply {
  readonly status: number;
  readonly node: string;
  readonly cert: string;
  readonly error: string;
}
async function post(path: string, body: object): Promise<Reply> {
  const { status, body: text } = await ask(cluster, path, { body, headers: asStranger });
  return { status, ...JSON.parse(text) };
}
/** `ID.SECRET` of a whole token. */
const spoken = (token: string): string => /^hearth1\.[0-9a-f]{32}\.([a-z2-7]{8}\.[a-z2-7]{32})@/.exec(token)?.[1] ?? '';
const proofBy = (key: string, kind: string, csr: string): string =>
  sign('sha256', Buffer.from(`hearth/${kind}\n${csr}`), {
    key: createPrivateKey(key),
    dsaEncoding: 'ieee-p1363',
  }).toString('base64url');
const greeted = async (identity: Identity, node: string) => {
  const wire = await wireTls(tlsPortOf(cluster), identity);
  const code = await greet(wire, { clientId: `hearth-${node}` });
  wire.end();
  return code;
};

attack('a join token lets in as many as it says, whoever shows it, and no part of it tells the rest', async () => {
  const token = spoken(await cluster.token());
  const first = await joinRequest(token);
  const let1 = await post('/join', first.body);
  assert.is(let1.status, 200);
  const [id = '', secret = ''] = token.split('.');
  const other = spoken(await cluster.token()).split('.');
  const sentences = new Set<string>();
  for (const shown of [
    token,
    `${id}.${'a'.repeat(32)}`,
    `${'a'.repeat(8)}.${secret}`,
    `${other[0]}.${secret}`,
    `${id}.${other[1]}`,
    `${id}.${secret}.`,
    `${id}.${secret.toUpperCase()}`,
    `${id}.${secret.slice(0, -1)}`,
    '__proto__.x',
    '.',
    '',
  ]) {
    const reply = await post('/join', (await joinRequest(shown)).body);
    assert.is(reply.status, 403, shown);
    if (shown !== token) sentences.add(reply.error);
  }
  assert.is(sentences.size, 1, 'one sentence for whatever is wrong');
  const bound = spoken(await cluster.token('--node', 'kitchen'));
  assert.is((await post('/join', (await joinRequest(bound, { node: 'cellar' })).body)).status, 403);
  const revoked = await cluster.token();
  await cluster.hearth('token', 'revoke', revoked.split('.')[2] ?? '', '--data', cluster.data);
  assert.is((await post('/join', (await joinRequest(spoken(revoked))).body)).status, 403);
  // Twenty at once for one place.
  const one = spoken(await cluster.token());
  const asks = await Promise.all(Array.from({ length: 20 }, () => joinRequest(one)));
  const got = await Promise.all(asks.map(({ body }) => post('/join', body)));
  assert.is(got.filter(({ status }) => status === 200).length, 1);
});

attack('a request to join that was seen gives its sender nothing, and takes nothing from its owner', async () => {
  const { body, key } = await joinRequest(spoken(await cluster.token()));
  const { node, cert } = await post('/join', body);
  // As it was, it is answered again, with a certificate for the owner's key alone.
  for (let round = 0; round < 20; round++) {
    const again = await post('/join', body);
    assert.is(again.node, node);
  }
  const { key: thief } = await requester();
  const newest = (await post('/join', body)).cert;
  assert.throws(() => signWith(thief, newest), 'the key does not fit');
  // With a seal key of the thief's own, as another node, with other facts: refused, or just the same.
  const otherSeal = randomBytes(65).toString('base64url').slice(0, 87);
  assert.is((await post('/join', { ...body, seal_key: otherSeal })).status, 403);
  assert.is((await post('/join', { ...body, node: 'other-name' })).node, node);
  // The owner renews by the key whatever was asked for in between.
  const renewal = { csr: body.csr, cert, proof: proofBy(key, 'renew', body.csr) };
  const renewed = await post('/renew', renewal);
  assert.is(renewed.status, 200, renewed.error);
  assert.is(await greeted({ key, cert: renewed.cert }, node), 0);
});

/** A TLS client needs both to fit. */
function signWith(key: string, cert: string): void {
  const { createSecureContext } = process.getBuiltinModule('node:tls');
  createSecureContext({ key, cert });
}

attack(
  'a request to renew counts for its key, its certificate and its purpose; replayed it serves its owner alone',
  async () => {
    const agent = joiningAgent({ flags: ['--token', await cluster.token(), '--node', 'n1'] });
    await cluster.watcher.wait('n1 is online', m => m.topic === 'hearth/node/n1/status' && m.text === 'online');
    await agent.stop();
    const { key, cert } = steal(agent);
    const { csr, key: fresh } = await requester();
    const renewal = { csr, cert, proof: proofBy(key, 'renew', csr) };
    for (const [what, wrong] of Object.entries({
      'the proof of a copied folder': { ...renewal, proof: proofBy(key, 'clone', csr) },
      'the new key instead of the old': { ...renewal, proof: proofBy(fresh, 'renew', csr) },
      'for another request': { ...renewal, csr: (await requester()).csr },
      'no proof': { ...renewal, proof: '' },
      'a certificate of the supervisor': { ...renewal, cert: (await ask(cluster, '/ca.pem')).body },
    })) {
      assert.is((await post('/renew', wrong)).status, 403, what);
    }
    const first = await post('/renew', renewal);
    assert.is(first.status, 200);
    for (let round = 0; round < 12; round++) await post('/renew', renewal);
    const { csr: another, key: anotherKey } = await requester();
    const next = await post('/renew', { csr: another, cert: first.cert, proof: proofBy(fresh, 'renew', another) });
    assert.is(next.status, 200, next.error);
    assert.is(await greeted({ key: anotherKey, cert: next.cert }, 'n1'), 0);
    assert.not.equal(serialOf(next.cert), serialOf(first.cert));
    await cluster.hearth('revoke', 'n1', '--data', cluster.data);
    for (const body of [renewal, { csr: another, cert: next.cert, proof: proofBy(anotherKey, 'renew', another) }]) {
      assert.is((await post('/renew', body)).status, 403, 'revoked is revoked');
    }
    const clone = await joinRequest(undefined, {});
    const copy = { cert: next.cert, proof: proofBy(anotherKey, 'clone', clone.body.csr) };
    assert.is(
      (await post('/join', { ...clone.body, clone_of: copy })).status,
      403,
      'its folder lets nobody in any more',
    );
  },
);

attack('the time is signed for who asked, and for no other moment', async () => {
  const { key } = JSON.parse(JSON.parse((await ask(cluster, '/trust/bundle')).body).text) as { key: string };
  const at = async (nonce: string) => JSON.parse((await ask(cluster, `/trust/time?nonce=${nonce}`)).body);
  const [mine, theirs] = [randomBytes(16).toString('hex'), randomBytes(16).toString('hex')];
  const answer = await at(mine);
  const verifier = ed25519Verifier();
  assert.ok(openTime(verifier, key, answer, mine).ok);
  assert.not(openTime(verifier, key, answer, theirs).ok);
  const moved = answer.text.replace(/"at_ms":\d+/, '"at_ms":1');
  assert.not(openTime(verifier, key, { ...answer, text: moved }, mine).ok);
  // Nobody has the cluster's key sign what he likes.
  for (const nonce of [
    '',
    'x',
    '"}',
    'hearth%2Fbundle%0A1234567890',
    `${'a'.repeat(65)}`,
    'a&nonce=b',
    '%00'.repeat(16),
  ]) {
    assert.is((await ask(cluster, `/trust/time?nonce=${nonce}`)).status, 400, nonce);
  }
  assert.is((await ask(cluster, `/trust/time?nonce=${mine}&nonce=${mine}`)).status, 400);
});

attack('API tokens and sessions end when they are ended, and none stands for another', async () => {
  const call = (name: string, body: object) => ask(cluster, `/api/trust/${name}`, { body });
  const made = JSON.parse((await call('api.create', { name: 'ha', role: 'operator' })).body) as { token: string };
  const bearer = (token: string) => ({ ...asStranger, authorization: `Bearer ${token}` });
  const may = async (headers: Record<string, string>) => (await ask(cluster, '/api/fleet', { headers })).status;
  assert.is(await may(bearer(made.token)), 200);
  const [head = '', id = '', secret = ''] = made.token.split('_');
  for (const wrong of [
    `${head}_${id}_${'0'.repeat(64)}`,
    `${head}_00000000_${secret}`,
    made.token.slice(0, -1),
    `${made.token}0`,
  ]) {
    assert.is(await may(bearer(wrong)), 401, wrong);
  }
  await call('api.revoke', { name: 'ha' });
  assert.is(await may(bearer(made.token)), 401);
  const password = 'correct horse battery';
  await call('user.add', { name: 'anna', role: 'admin', password });
  const login = async () => {
    const answer = await ask(cluster, '/api/login', { body: { name: 'anna', password }, headers: asStranger });
    const cookie = String(answer.headers['set-cookie']?.[0]).split(';', 1)[0] ?? '';
    const me = await ask(cluster, '/api/me', { headers: { ...asStranger, cookie } });
    return { cookie, csrf: (JSON.parse(me.body) as { csrf: string }).csrf };
  };
  const one = await login();
  const two = await login();
  assert.not.equal(one.cookie, two.cookie);
  const withCookie = (cookie: string) => may({ ...asStranger, cookie });
  assert.is(await withCookie(one.cookie), 200);
  const [name = '', value = ''] = one.cookie.split('=');
  // A session of TLS is none on the plain port, under another port's name, or cut short.
  const plainName = name.replace('__Host-', '');
  assert.is(
    (await ask(cluster, '/api/fleet', { plain: true, headers: { ...asStranger, cookie: one.cookie } })).status,
    401,
  );
  for (const cookie of [
    `${plainName}=${value}`,
    `${name}x=${value}`,
    `${name}=${value.slice(0, -1)}`,
    `${name}=`,
    `${name}=__proto__`,
  ]) {
    assert.is(await withCookie(cookie), 401, cookie);
  }
  const out = { headers: { ...asStranger, cookie: one.cookie, 'x-hearth-csrf': one.csrf }, body: {} };
  assert.is((await ask(cluster, '/api/logout', out)).status, 200);
  assert.is(await withCookie(one.cookie), 401, 'logged out');
  assert.is(await withCookie(two.cookie), 200, 'the other goes on');
  cluster = await cluster.again();
  assert.is(await withCookie(one.cookie), 401, 'over a restart, too');
  assert.is(await withCookie(two.cookie), 200);
  await call('user.password', { name: 'anna', password: `${password} staple` });
  assert.is(await withCookie(two.cookie), 401, 'a new password ends what the old one opened');
});

attack.run();
