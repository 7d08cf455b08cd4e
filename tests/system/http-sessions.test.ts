/** Sessions of the web, over real sockets: their cookie, their token against forged changes, their ends, and wrong logins. */
import * as assert from 'node:assert/strict';
import { suite as describe } from 'uvu';
import { z } from 'zod';
import { adminVerb } from '../../broker/trust/types.ts';
import { login, passwordOf, type WebRig, webRig } from '../fixture/web-rig.ts';

const suite = describe('HTTP: sessions');
let rig: WebRig;
const ran: string[] = [];
const verb = adminVerb({
  name: 'test.operator',
  role: 'operator',
  args: z.strictObject({ word: z.string().max(10) }),
  run({ word }) {
    ran.push(word);
    return { word };
  },
});

suite.before(async () => {
  rig = await webRig({ verbs: [verb] });
  for (const role of ['admin', 'operator', 'viewer'] as const) await rig.user(role, role);
});
suite.after(() => rig?.close());

suite('a session: the cookie is one no script and no other site gets, and a change needs its token', async () => {
  const body = { name: 'operator', password: passwordOf('operator') };
  const over = async (scheme: 'http' | 'https') =>
    String((await rig.ask('/api/login', { scheme, body })).headers['set-cookie']?.[0]);
  const { port } = rig.http;
  assert.match(
    await over('https'),
    new RegExp(`^__Host-hearth-${port}=[\\w-]{43}; Max-Age=\\d+; Path=/; HttpOnly; Secure; SameSite=Strict$`),
  );
  assert.match(
    await over('http'),
    new RegExp(`^hearth-${port}=[\\w-]{43}; Max-Age=\\d+; Path=/; HttpOnly; SameSite=Strict$`),
  );
  const { cookie, csrf } = await login(rig, 'operator');
  assert.equal((await rig.ask('/api/fleet', { cookie })).status, 200);
  const change = (more: object) => rig.ask('/api/trust/test.operator', { cookie, body: { word: 'x' }, ...more });
  assert.equal((await change({})).status, 403);
  assert.equal((await change({ csrf: 'x' })).status, 403);
  assert.equal((await change({ csrf: `${csrf}x` })).status, 403);
  const other = await login(rig, 'viewer');
  assert.equal((await change({ csrf: other.csrf })).status, 403, "another session's");
  assert.equal((await change({ csrf, headers: { origin: 'https://evil.example' } })).status, 403);
  assert.deepEqual(ran, []);
  assert.equal((await change({ csrf })).status, 200);
  assert.equal((await rig.ask('/api/logout', { cookie, body: {} })).status, 403, 'nobody else logs one out');
  const out = await rig.ask('/api/logout', { cookie, csrf, body: {} });
  assert.match(String(out.headers['set-cookie']), /Max-Age=0/);
  assert.equal((await rig.ask('/api/fleet', { cookie })).status, 401);
  assert.equal((await change({ csrf })).status, 401);
});

suite('logging in anew ends the session that was there; a changed role or password ends every one', async () => {
  await rig.user('changing', 'operator');
  const first = await login(rig, 'changing');
  const body = { name: 'changing', password: passwordOf('changing') };
  assert.equal((await rig.ask('/api/login', { cookie: first.cookie, body })).status, 200);
  assert.equal((await rig.ask('/api/fleet', { cookie: first.cookie })).status, 401);
  const second = await login(rig, 'changing');
  await rig.verb('user.role', { name: 'changing', role: 'viewer' });
  assert.equal((await rig.ask('/api/fleet', { cookie: second.cookie })).status, 401);
  const third = await login(rig, 'changing');
  await rig.verb('user.remove', { name: 'changing' });
  assert.equal((await rig.ask('/api/fleet', { cookie: third.cookie })).status, 401);
});

suite('a wrong login is one sentence, and many are slowed', async () => {
  const attempt = (name: string, password: string) => rig.ask('/api/login', { body: { name, password } });
  const wrong = await attempt('admin', 'nope');
  const unknown = await attempt('nobody', 'nope');
  assert.deepEqual([wrong.status, wrong.body], [401, unknown.body], 'does not tell which names there are');
  assert.equal(wrong.headers['set-cookie'], undefined);
  for (const body of [
    {},
    { name: 'admin' },
    { name: 1, password: 'x' },
    { name: 'admin', password: 'x', more: 1 },
    [],
  ]) {
    assert.equal((await rig.ask('/api/login', { body })).status, 400, JSON.stringify(body));
  }
  const token = await rig.token('no-login', 'admin');
  assert.equal((await attempt('no-login', token)).status, 403, 'a token is no password');
  await rig.user('victim', 'viewer');
  let slow: Awaited<ReturnType<typeof attempt>> | undefined;
  for (let round = 0; round < 50 && !slow; round += 1) {
    const answer = await attempt('victim', `guess ${round}`);
    if (answer.status === 429) slow = answer;
  }
  assert.match(String(slow?.headers['retry-after']), /^[1-9]\d*$/);
});

suite.run();
