/** Artifacts on their way from the supervisor's store to a node: by its certificate over TLS, and on the supervisor's own machine. */
import * as assert from 'node:assert/strict';
import { createHash, createPrivateKey, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { suite as describe } from 'uvu';
import { createFetcher } from '../../node-agent/artifacts/fetcher.ts';
import type { Fetched } from '../../node-agent/artifacts/fetching.ts';
import type { SupervisorAt } from '../../node-agent/artifacts/supervisor-at.ts';
import { parseBroker } from '../../node-agent/connection/broker-address.ts';
import { TrustedTime } from '../../node-agent/connection/trusted-time.ts';
import { wayTo } from '../../node-agent/connection/way.ts';
import { Member } from '../../node-agent/join/member.ts';
import { readOptions } from '../../node-agent/options.ts';
import { ed25519Verifier } from '../../shared/ed25519.ts';
import { parseJoinToken } from '../../shared/join-token.ts';
import { silentLog } from '../../shared/log.ts';
import type { JoinAnswer } from '../../shared/schemas/trust.ts';
import { systemClock, systemRandom } from '../../shared/system-clock.ts';
import { caRig, requester } from '../fixture/certificates.ts';
import { up } from '../fixture/cluster.ts';
import { sealKey } from '../fixture/join-rig.ts';
import { member as made } from '../fixture/member.ts';
import { folder } from '../fixture/processes.ts';
import { type WebRig, webRig } from '../fixture/web-rig.ts';

const suite = describe('artifacts and the supervisor');
const clock = systemClock();
const random = systemRandom();
const bytes = randomBytes(2_000_000);
const sha256 = createHash('sha256').update(bytes).digest('hex');

let rig: WebRig;
let identity: { cert: string; key: string };
suite.before(async () => {
  rig = await webRig();
  await rig.store.put(Readable.from([bytes]), { sha256, size: bytes.length });
  const { id, secret } = parseJoinToken((await rig.verb<{ token: string }>('token.create', {})).token);
  const { key, csr } = await requester();
  const facts = { hostname: 'barn', macs: '', os: 'linux', arch: 'x64', ver: '0' };
  const body = { proto: 1, csr, seal_key: sealKey(), inst: '0123456789abcdef', facts, token: `${id}.${secret}` };
  const joined = (await rig.ask('/join', { body })).json<JoinAnswer>();
  assert.ok(joined.state === 'joined');
  identity = { cert: joined.cert, key };
});
suite.after(() => rig.close());

/** A node of this cluster, as its agent would ask. */
function memberAt(port: number, changes: object = {}): Member {
  const cluster = { fingerprint: rig.cluster, key: 'k' };
  const where = { supervisor: `127.0.0.1:${port}`, brokers: ['mqtts://127.0.0.1:8883'] };
  return new Member({
    member: { ...made, ...where, cluster, cert: identity.cert, ca: [rig.ca], ...changes },
    ...{ files: { saveMember() {} }, key: createPrivateKey(identity.key), clock, random, log: silentLog },
    ...{ verifier: ed25519Verifier(), time: new TrustedTime(clock, 0), clockOff() {}, stayAway() {}, refused() {} },
  });
}

function get(supervisor: () => SupervisorAt | undefined, path = folder()): Promise<Fetched> {
  const fetcher = createFetcher({ folder: join(path, 'cache'), clock, random, log: silentLog, supervisor });
  return new Promise((resolve, reject) => {
    fetcher.fetch(
      { url: `artifact:${sha256}` },
      {
        done(error, copy) {
          fetcher.close();
          if (copy) resolve(copy);
          else reject(Object.assign(new Error(error?.sentence), error));
        },
      },
    );
  });
}
const refused = async (supervisor: () => SupervisorAt | undefined, text: RegExp): Promise<void> =>
  assert.rejects(get(supervisor), (error: Error & { later: boolean }) => {
    assert.match(error.message, text);
    assert.equal(error.later, true);
    return true;
  });

suite('a node has what is not open, by its certificate, and goes on after a cut', async () => {
  const { port } = rig.http;
  const copy = await get(() => memberAt(port).supervisor());
  assert.deepEqual(readFileSync(copy.file), bytes);
  // Half of it came before the agent was killed.
  const path = folder();
  mkdirSync(join(path, 'cache'));
  writeFileSync(join(path, 'cache', `${sha256}.part`), bytes.subarray(0, 1_000_000));
  const read = rig.store.read.bind(rig.store);
  const ranges: (number | undefined)[] = [];
  rig.store.read = (artifact, range) => {
    ranges.push(range?.first);
    return read(artifact, range);
  };
  const again = await get(() => memberAt(port).supervisor(), path);
  rig.store.read = read;
  assert.deepEqual(readFileSync(again.file), bytes);
  assert.deepEqual(ranges, [1_000_000]);
});

suite('who is not this cluster’s supervisor is told nothing; who is no node of it, is given nothing', async () => {
  const { port } = rig.http;
  const stranger = await caRig();
  const other = { ca: [...stranger.authority.certificates()] };
  await refused(() => memberAt(port, other).supervisor(), /who answers is not this cluster's supervisor/);
  const elsewhere = { cluster: { fingerprint: 'f'.repeat(32), key: 'k' } };
  await refused(() => memberAt(port, elsewhere).supervisor(), /is not for f+\.hearth\.internal/);
  await refused(() => {
    const { urls, tls } = memberAt(port).supervisor();
    assert.ok(tls);
    return { urls, tls: { ...tls, trust: { ...tls.trust, at: 0 } } };
  }, /is valid from/);
  await refused(() => memberAt(1).supervisor(), /ECONNREFUSED/);
  const { csr, key } = await requester();
  const foreign = { cert: (await stranger.authority.issueNode(csr, 'barn')).pem, key };
  await refused(() => {
    const { urls, tls } = memberAt(port).supervisor();
    assert.ok(tls);
    return { urls, tls: { ...tls, identity: foreign } };
  }, /the supervisor has no such artifact/);
});

suite('on the supervisor’s own machine its owner’s agent needs no certificate, and nobody else has any', async () => {
  const way = wayTo(parseBroker('mqtt://127.0.0.1:1883'), rig.http.port);
  rig.owner = true;
  assert.deepEqual(readFileSync((await get(() => way.supervisor?.())).file), bytes);
  rig.owner = false;
  await refused(
    () => way.supervisor?.(),
    /the supervisor has no such artifact: put it there with "hearth artifact put FILE"/,
  );
  const usual = wayTo(parseBroker('mqtt://localhost'));
  assert.deepEqual(usual.supervisor?.(), { urls: ['http://127.0.0.1:22581'] });
  const far = wayTo(parseBroker('mqtt://192.168.1.5'));
  await refused(() => far.supervisor?.(), /knows none that it could ask/);
});

suite('the supervisor tells its own node where its HTTP is', async () => {
  assert.deepEqual(readOptions(['--broker', 'mqtt://10.0.0.9'], { HEARTH_HTTP_PORT: '4321' }), {
    ...readOptions(['--broker', 'mqtt://10.0.0.9'], {}),
    httpPort: 4321,
  });
  if (process.platform !== 'linux') return console.log('skipped: the local node: /proc is needed');
  const cluster = await up();
  try {
    const { pid, http } = cluster.ready;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
    const said = children.flatMap(child => readFileSync(`/proc/${child}/environ`, 'utf8').split('\0'));
    assert.ok(said.includes(`HEARTH_HTTP_PORT=${http}`), said.filter(one => one.startsWith('HEARTH_')).join());
  } finally {
    await cluster.process.stop();
  }
});

suite('what the supervisor hands out is compared like everything else', async () => {
  const other = randomBytes(bytes.length);
  const liar = createServer(socket => {
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${other.length}\r\nconnection: close\r\n\r\n`);
      socket.end(other);
    });
  });
  await new Promise<void>(resolve => liar.listen(0, '127.0.0.1', resolve));
  const { port } = liar.address() as { port: number };
  await assert.rejects(
    get(() => ({ urls: [`http://127.0.0.1:${port}`] })).finally(() => liar.close()),
    /has the SHA-256/,
  );
});

suite.run();
