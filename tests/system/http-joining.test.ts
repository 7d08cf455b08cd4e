/** What machines ask for that join, over the real port: script, archives, bundle, time, and the desk's answers as HTTP says them. */
import * as assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { suite as describe } from 'uvu';
import { ed25519Verifier } from '../../shared/ed25519.ts';
import { parseJoinToken } from '../../shared/join-token.ts';
import type { JoinAnswer, TrustBundle } from '../../shared/schemas/trust.ts';
import { openBundle, openTime } from '../../shared/trust-statements.ts';
import { requester } from '../fixture/certificates.ts';
import { folder, until } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';
import { networkAddress, type WebRig, webRig } from '../fixture/web-rig.ts';

const suite = describe('HTTP: joining and artifacts');
const run = promisify(execFile);
const lan = networkAddress('IPv4') ?? '127.0.0.1';
const bare = { to: lan, scheme: 'http' } as const;
const verifier = ed25519Verifier();
let rig: WebRig;

suite.before(async () => {
  rig = await webRig();
});
suite.after(() => rig?.close());

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

async function joinRequest(more: object = {}) {
  const { csr } = await requester();
  const facts = { hostname: 'barn', macs: 'aa:bb:cc:dd:ee:ff', os: 'Debian 12', arch: 'x64', ver: '0.1.0' };
  return { proto: 1, csr, seal_key: randomBytes(65).toString('base64url'), inst: '0123456789abcdef', facts, ...more };
}

async function keep(bytes: Buffer, open: boolean): Promise<string> {
  const hash = sha256(bytes);
  await rig.store.put(Readable.from([bytes]), { sha256: hash, size: bytes.length, open });
  return hash;
}

suite('bundle and time prove themselves, whatever the wire', async () => {
  const bundle = openBundle(verifier, (await rig.ask('/trust/bundle', bare)).json<TrustBundle>(), rig.cluster);
  assert.ok(bundle.ok);
  assert.equal((await rig.ask('/ca.pem', bare)).body.trim(), bundle.value.ca.join('').trim());
  const nonce = randomBytes(16).toString('base64url');
  const time = openTime(verifier, bundle.value.key, (await rig.ask(`/trust/time?nonce=${nonce}`, bare)).json(), nonce);
  assert.ok(time.ok && Math.abs(time.value - Date.now()) < 60_000);
  for (const query of [
    '',
    '?nonce=',
    '?nonce=short',
    `?nonce=${'x'.repeat(65)}`,
    '?nonce=0123456789abcdef&nonce=1',
    '?nonce=<script>0123456789',
  ]) {
    assert.equal((await rig.ask(`/trust/time${query}`, bare)).status, 400, query);
  }
});

suite('a token lets a machine in: 200', async () => {
  const made = await rig.verb<{ token: string }>('token.create', {});
  const { id, secret } = parseJoinToken(made.token);
  const answer = await rig.ask('/join', { to: lan, body: await joinRequest({ token: `${id}.${secret}` }) });
  assert.equal(answer.status, 200, answer.body);
  const joined = answer.json<JoinAnswer>();
  assert.ok(joined.state === 'joined' && joined.node === 'barn' && joined.cert.includes('BEGIN CERTIFICATE'));
  const again = await rig.ask('/join', { to: lan, body: await joinRequest({ token: `${id}.${secret}` }) });
  assert.equal(again.status, 403, 'used');
  assert.match(again.json<{ error: string }>().error, /\.$/);
});

suite('without one it waits: 202, again 202, then 200 or 403; an unknown ticket is 404', async () => {
  const asked = await rig.ask('/join', { to: lan, body: await joinRequest() });
  assert.equal(asked.status, 202, asked.body);
  const pending = asked.json<{ ticket: string; code: string }>();
  const again = () => rig.ask(`/join/${pending.ticket}`, { to: lan });
  assert.equal((await again()).status, 202);
  assert.equal((await rig.ask('/join/nothing', { to: lan })).status, 404);
  await rig.verb('join.approve', { code: pending.code });
  const joined = await until('joined', async () => {
    const answer = await again();
    return answer.status === 200 && answer;
  });
  assert.equal(joined.json<JoinAnswer>().state, 'joined');
  const other = (await rig.ask('/join', { to: lan, body: await joinRequest() })).json<{
    ticket: string;
    code: string;
  }>();
  await rig.verb('join.deny', { code: other.code });
  assert.ok([403, 404].includes((await rig.ask(`/join/${other.ticket}`, { to: lan })).status));
});

suite('what is no request is refused in one sentence', async () => {
  for (const body of [
    {},
    [],
    'null',
    '"x"',
    '{',
    { proto: 1 },
    await joinRequest({ csr: 'x' }),
    await joinRequest({ token: 'a.b' }),
  ]) {
    for (const path of ['/join', '/renew']) {
      const answer = await rig.ask(path, { to: lan, body });
      assert.ok(answer.status === 403 || answer.status === 400, `${path} ${answer.status}`);
      assert.match(answer.json<{ error: string }>().error, /^[^\n]{5,300}$/);
    }
  }
  assert.equal((await rig.ask('/join', { to: lan, body: 'x'.repeat(70_000) })).status, 413);
  assert.equal(
    (await rig.ask('/join', { to: lan, body: 'a=b', headers: { 'content-type': 'application/x-www-form-urlencoded' } }))
      .status,
    415,
  );
});

testWith(
  suite,
  ['curl'],
  'curl takes the script as the pasted line does, and goes on with an archive that was cut off',
  async () => {
    const place = folder();
    const base = `http://${lan}:${rig.http.port}`;
    assert.equal((await run('curl', ['-fsSL', `${base}/install.sh`])).stdout, rig.script);
    const bytes = randomBytes(3_000_000);
    const hash = await keep(bytes, true);
    const file = join(place, 'archive');
    writeFileSync(file, bytes.subarray(0, 1_000_000));
    await run('curl', ['-fsSL', '-C', '-', '-o', file, `${base}/artifacts/${hash}`]);
    assert.equal(sha256(readFileSync(file)), hash);
  },
);

suite('Range, HEAD and conditions over HTTP', async () => {
  const bytes = randomBytes(1000);
  const hash = await keep(bytes, true);
  const get = (headers: Record<string, string>, method = 'GET') =>
    rig.ask(`/artifacts/${hash}`, { ...bare, headers, method });
  const head = await get({}, 'HEAD');
  assert.deepEqual([head.status, head.headers['content-length'], head.body], [200, '1000', '']);
  assert.equal(head.headers.etag, `"${hash}"`);
  const part = await get({ range: 'bytes=10-19' });
  assert.deepEqual(
    [part.status, part.headers['content-range'], part.headers['content-length']],
    [206, 'bytes 10-19/1000', '10'],
  );
  assert.equal((await get({ range: 'bytes=1000-' })).status, 416);
  assert.equal((await get({ range: 'bytes=10-19', 'if-range': '"other"' })).status, 200);
  assert.equal((await get({ 'if-none-match': `"${hash}"` })).status, 304);
  for (const path of ['..%2f..%2fetc%2fpasswd', '../../etc/passwd', 'x', hash.toUpperCase(), '%00', `${hash}/../x`]) {
    assert.ok([400, 403, 404].includes((await rig.ask(`/artifacts/${path}`, bare)).status), path);
  }
});

suite('what is not open is for who is known, and nobody else is told that it is there', async () => {
  const hash = await keep(randomBytes(100), false);
  const absent = sha256(Buffer.from('absent'));
  for (const where of [bare, { to: lan }] as const) {
    const there = await rig.ask(`/artifacts/${hash}`, where);
    const not = await rig.ask(`/artifacts/${absent}`, where);
    assert.deepEqual([there.status, there.body], [404, not.body]);
  }
  const status = async (role: 'viewer' | 'integration') =>
    (await rig.ask(`/artifacts/${hash}`, { token: await rig.token(`reads-${role}`, role) })).status;
  assert.deepEqual([await status('viewer'), await status('integration')], [200, 404]);
  // A node with its certificate, as later issues need it.
  const { id, secret } = parseJoinToken((await rig.verb<{ token: string }>('token.create', {})).token);
  const { key, csr } = await requester();
  const joined = (
    await rig.ask('/join', { body: { ...(await joinRequest({ token: `${id}.${secret}` })), csr } })
  ).json<JoinAnswer>();
  assert.ok(joined.state === 'joined');
  const cert = { key, cert: joined.cert };
  assert.equal((await rig.ask(`/artifacts/${hash}`, { cert })).status, 200);
  assert.equal((await rig.ask('/api/fleet', { cert })).status, 403);
  // What its tasks leave, it brings.
  const left = randomBytes(1000);
  const put = () => rig.ask(`/artifacts/${sha256(left)}`, { method: 'PUT', body: left, cert });
  assert.deepEqual([(await put()).status, (await put()).status], [201, 200]);
  assert.ok(rig.store.find(sha256(left)));
  const wrong = await rig.ask(`/artifacts/${absent}`, { method: 'PUT', body: left, cert });
  assert.equal(wrong.status, 400);
  assert.equal((await rig.ask(`/artifacts/${hash}`, { method: 'DELETE', cert })).status, 404);
  assert.deepEqual(
    rig.audited().filter(({ what, target }) => what === 'artifact.put' && target === sha256(left)),
    [],
    'there may be thousands',
  );
  await rig.verb('node.revoke', { node: joined.node });
  assert.equal((await put()).status, 401);
  assert.equal((await rig.ask(`/artifacts/${hash}`, { cert })).status, 401);
});

suite('bringing one: an operator, whole, with the hash it has', async () => {
  const operator = await rig.token('brings', 'operator');
  const viewer = await rig.token('reads-only', 'viewer');
  const bytes = randomBytes(300_000);
  const hash = sha256(bytes);
  const put = (token: string | undefined, body: Buffer, name = hash) =>
    rig.ask(`/artifacts/${name}`, {
      method: 'PUT',
      body,
      ...(token && { token }),
      headers: { 'content-type': 'application/gzip' },
    });
  assert.equal((await put(undefined, bytes)).status, 401);
  assert.equal((await put(viewer, bytes)).status, 403);
  assert.equal((await put(operator, bytes.subarray(1))).status, 400);
  assert.equal((await put(operator, bytes, 'x')).status, 400);
  assert.equal(rig.store.find(hash), undefined);
  assert.equal((await put(operator, bytes)).status, 201);
  assert.equal((await put(operator, bytes)).status, 200);
  assert.equal((await rig.ask(`/artifacts/${hash}`, { ...bare })).status, 404, 'what a person brings is not open');
  // Without a word on its type, in chunks, and cut off in the middle.
  const other = randomBytes(1000);
  const line = connect(rig.http.port, '127.0.0.1');
  line.on('error', () => {});
  line.write(
    `PUT /artifacts/${sha256(other)} HTTP/1.1\r\nhost: 127.0.0.1:${rig.http.port}\r\nauthorization: Bearer ${operator}\r\n` +
      'transfer-encoding: chunked\r\n\r\n3e8\r\n',
  );
  line.write(other);
  line.write('\r\n0\r\n\r\n');
  let said = '';
  line.on('data', chunk => {
    said += chunk;
  });
  await until('201', () => said.startsWith('HTTP/1.1 201 '));
  line.destroy();
  const third = randomBytes(1000);
  const cut = connect(rig.http.port, '127.0.0.1');
  cut.write(
    `PUT /artifacts/${sha256(third)} HTTP/1.1\r\nhost: 127.0.0.1:${rig.http.port}\r\nauthorization: Bearer ${operator}\r\n` +
      'content-length: 1000\r\n\r\n',
  );
  cut.write(third.subarray(0, 500), () => cut.destroy());
  await new Promise(resolve => cut.once('close', resolve));
  assert.equal((await rig.ask('/healthz')).status, 200);
  assert.equal(rig.store.find(sha256(third)), undefined);
});

suite.run();
