/** Certificates that are not what they say: forged, of another cluster, for another use, revoked; and TLS that is none any more. */
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { serverName } from '../../shared/schemas/trust.ts';
import {
  ask,
  asStranger,
  forgedAuthority,
  greet,
  type Identity,
  serialOf,
  steal,
  tlsPortOf,
  uriOf,
  wireTls,
  wireWeb,
} from '../fixture/attacker.ts';
import { type JoiningAgent, joiningAgent, type LanCluster, lanCluster } from '../fixture/lan-cluster.ts';
import { until } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';
import { endAll } from './mqtt/wire.ts';

const attack = suite('attack: certificates and TLS');
let cluster: LanCluster;
let other: LanCluster;
let caPem: string;
/** Reason code of CONNACK (MQTT 5, section 3.2.2.2). */
const banned = 0x8a;

const online = (where: LanCluster, node: string) =>
  where.watcher.wait(`${node} is online`, m => m.topic === `hearth/node/${node}/status` && m.text === 'online');
async function member(where: LanCluster, node: string): Promise<JoiningAgent> {
  const agent = joiningAgent({ flags: ['--token', await where.token(), '--node', node] });
  await online(where, node);
  return agent;
}
/** What MQTT over TLS, WebSocket and HTTPS make of it. */
async function welcome(
  identity: Identity,
  clientId: string,
): Promise<{ mqtt: number | 'closed'; me: number; ws: number | 'closed' }> {
  const wire = await wireTls(tlsPortOf(cluster), identity);
  const said = await greet(wire, { clientId });
  wire.end();
  const web = await wireWeb(cluster, { identity });
  const ws = typeof web === 'number' ? web : await greet(web, { clientId });
  if (typeof web !== 'number') web.end();
  const me = (await ask(cluster, '/api/me', { identity, headers: asStranger })).status;
  return { mqtt: said, me, ws };
}

attack.before(async () => {
  [cluster, other] = await Promise.all([lanCluster(), lanCluster()]);
  caPem = (await ask(cluster, '/ca.pem')).body;
});
attack.after(async () => {
  endAll();
  await other?.stop();
  await cluster?.stop();
});

attack('only what this very CA signed for a client of this cluster opens anything', async () => {
  const agent = await member(cluster, 'n1');
  const stranger = await member(other, 'n1');
  const theirs = steal(stranger);
  await stranger.stop();
  await agent.stop();
  const forged = await forgedAuthority(caPem);
  const serialNumber = serialOf(steal(agent).cert);
  const uri = uriOf(cluster.fingerprint, 'node', 'n1');
  const owner = uriOf(cluster.fingerprint, 'user', 'owner');
  const server: Identity = {
    key: readFileSync(join(cluster.data, 'trust/server.pem'), 'utf8'),
    cert: readFileSync(join(cluster.data, 'trust/server.pem'), 'utf8'),
  };
  const bad: Record<string, Identity> = {
    'another cluster’s n1': theirs,
    'its name and serial, by another CA of the same name': await forged.leaf({ usage: ['client'], uri, serialNumber }),
    'its name, signed by itself': await forged.leaf({ usage: ['client'], uri, serialNumber, selfSigned: true }),
    'a user, by another CA': await forged.leaf({ usage: ['client'], uri: owner }),
    "the supervisor's own": server,
  };
  for (const [what, identity] of Object.entries(bad)) {
    const got = await welcome(identity, 'hearth-n1');
    assert.ok(got.mqtt !== 0 && got.me === 401 && got.ws !== 0, `${what}: ${JSON.stringify(got)}`);
  }
  // The same question, for who may.
  assert.equal(await welcome(steal(agent), 'hearth-n1'), { mqtt: 0, me: 200, ws: 0 });
  // Somebody else's certificate without its key comes to nothing.
  const { cert } = steal(agent);
  const { key } = theirs;
  assert.throws(() => createTlsServer({ key, cert }));
});

attack('who answers in the supervisor’s place hears nothing from an agent', async () => {
  const agent = await member(cluster, 'n2');
  await agent.stop();
  const forged = await forgedAuthority(caPem);
  const dns = serverName(cluster.fingerprint);
  const faces: Record<string, Identity> = {
    'another CA of the same name': await forged.leaf({ usage: ['server'], dns }),
    'signed by itself': await forged.leaf({ usage: ['server'], dns, selfSigned: true }),
    "a node's certificate of the cluster": steal(agent),
    "another cluster's supervisor": {
      key: readFileSync(join(other.data, 'trust/server.pem'), 'utf8'),
      cert: readFileSync(join(other.data, 'trust/server.pem'), 'utf8'),
    },
  };
  for (const [what, face] of Object.entries(faces)) {
    let [heard, met] = [0, 0];
    const server = createTlsServer({ ...face, requestCert: true, rejectUnauthorized: false }, socket => {
      socket.on('error', () => {});
      socket.on('data', data => {
        heard += data.length;
      });
    });
    server.on('connection', () => met++);
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const file = join(agent.data, 'membership.json');
    const kept = JSON.parse(readFileSync(file, 'utf8'));
    writeFileSync(
      file,
      JSON.stringify({ ...kept, brokers: [`mqtts://127.0.0.1:${port}`], supervisor: `127.0.0.1:${port}` }),
    );
    const again = joiningAgent({ data: agent.data });
    await again.line(
      /is not this cluster's: its certificate is not (signed by this cluster's CA|one for servers|for )/,
    );
    assert.ok(met > 0, what);
    assert.is(heard, 0, what);
    await again.stop();
    server.close();
  }
});

attack('revoked: cut at once on every line, and never again let in by any', async () => {
  const [identity, second] = await Promise.all(
    ['n3', 'n4'].map(async node => {
      const agent = await member(cluster, node);
      await agent.stop('SIGKILL');
      return steal(agent);
    }),
  );
  if (!identity || !second) throw new Error('two nodes');
  const lines = {
    tls: await wireTls(tlsPortOf(cluster), identity),
  };
  assert.is(await greet(lines.tls, { clientId: 'hearth-n3', properties: { sessionExpiryInterval: 3600 } }), 0);
  await lines.tls.subscribe('hearth/node/n3/want', 1);
  await cluster.hearth('revoke', 'n3', '--data', cluster.data);
  await lines.tls.ended();
  assert.equal(await welcome(identity, 'hearth-n3'), { mqtt: banned, me: 401, ws: 401 });
  const web = await wireWeb(cluster, { identity: second });
  if (typeof web === 'number') throw new Error(`refused with ${web}`);
  assert.is(await greet(web, { clientId: 'hearth-n4' }), 0);
  await cluster.hearth('revoke', 'n4', '--data', cluster.data);
  await web.ended();
  // A restart of the supervisor forgives nothing.
  cluster = await cluster.again();
  assert.equal(await welcome(identity, 'hearth-n3'), { mqtt: banned, me: 401, ws: 401 });
});

const downgrades: Record<string, readonly string[]> = {
  'SSL 3': ['-no_tls1', '-no_tls1_1', '-no_tls1_2', '-no_tls1_3'],
  'TLS 1.0': ['-tls1', '-cipher', 'ALL:@SECLEVEL=0'],
  'TLS 1.1': ['-tls1_1', '-cipher', 'ALL:@SECLEVEL=0'],
  'no encryption': ['-tls1_2', '-cipher', 'eNULL:@SECLEVEL=0'],
  'no server key': ['-tls1_2', '-cipher', 'aNULL:@SECLEVEL=0'],
  'export, RC4, DES, CBC': ['-tls1_2', '-cipher', 'EXPORT:LOW:RC4:DES:3DES:AES128-SHA:@SECLEVEL=0'],
  'RSA key exchange': ['-tls1_2', '-cipher', 'kRSA:@SECLEVEL=0'],
};

/** @returns what the handshake came to, as openssl sees it. */
const handshake = (port: number, flags: readonly string[]): Promise<string> =>
  new Promise(resolve => {
    const args = ['s_client', '-connect', `127.0.0.1:${port}`, ...flags];
    const child = execFile('openssl', args, { timeout: 20_000 }, (_error, out, err) => resolve(`${out}\n${err}`));
    child.stdin?.end();
  });

testWith(attack, ['openssl'], 'TLS is not talked down, on either port', async () => {
  for (const port of [tlsPortOf(cluster), cluster.ready.http]) {
    assert.match(await handshake(port, ['-tls1_2']), /Cipher is ECDHE-ECDSA-/);
    assert.match(await handshake(port, ['-tls1_3']), /Cipher is TLS_/);
    for (const [what, flags] of Object.entries(downgrades)) {
      const said = await handshake(port, flags);
      assert.not.match(said, /Cipher is (?!\(NONE\))/, `${what} on ${port}: ${said}`);
    }
    // No compression (CRIME), and secure renegotiation only, if any (RFC 5746).
    const said = await handshake(port, ['-tls1_2', '-comp']);
    assert.match(said, /Compression: NONE/);
    assert.match(said, /Secure Renegotiation IS supported/);
  }
});

testWith(attack, ['openssl'], 'nobody makes the supervisor shake hands again and again on one connection', async () => {
  for (const port of [tlsPortOf(cluster), cluster.ready.http]) {
    const child = execFile('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-tls1_2', '-no_ign_eof']);
    // It may end just when it is told to ask again.
    child.stdin?.on('error', () => {});
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', data => (said += data));
    let over = false;
    child.once('exit', () => (over = true));
    await until('the handshake', () => said.includes('Verify return code'));
    const asked = () => said.match(/RENEGOTIATING/g)?.length ?? 0;
    for (let round = 1; round <= 8 && !over; round++) {
      child.stdin?.write('R\n');
      await until('it asks', () => over || asked() >= round);
    }
    await until('it is cut off', () => over, 15_000);
    child.kill('SIGKILL');
  }
});

attack('plain MQTT is for loopback alone, and what is no TLS on the TLS port ends', async () => {
  const wire = await import('./mqtt/wire.ts').then(({ Wire }) => Wire.open(tlsPortOf(cluster)));
  wire.sendConnect({ clientId: 'plain' });
  await wire.ended(20_000);
  assert.equal(wire.packets, []);
  // Whoever is in the way of the plain port finds nobody there but this machine.
  const taken = createServer();
  await new Promise<void>((resolve, reject) => {
    taken.once('error', reject);
    taken.listen(cluster.ready.mqtt, '127.0.0.2', resolve);
  });
  taken.close();
});

attack.run();
