import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import type { IClientOptions } from 'mqtt';
import { suite } from 'uvu';
import { type BrokerLimits, createEmbeddedBroker, type EmbeddedBroker } from '../../broker/mqtt/embedded.ts';
import { silentLog } from '../../shared/log.ts';
import { serverName } from '../../shared/schemas/trust.ts';
import { type CaRig, caRig, day, requester, testCluster } from '../fixture/certificates.ts';
import { type HandAuthenticator, handAuthenticator } from '../fixture/hand-authenticator.ts';
import { connectClient } from '../fixture/mqtt-client.ts';
import { folder, patienceMs, until } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';

const test = suite('MQTT over TLS');

interface Rig {
  readonly broker: EmbeddedBroker;
  readonly ca: CaRig;
  readonly hand: HandAuthenticator;
  readonly port: number;
  readonly url: string;
  /** What a client that knows the cluster checks. */
  readonly trust: { readonly ca: string[]; readonly servername: string };
  node(id: string): Promise<Identity>;
  /** Moves the supervisor's clock, not the machine's. */
  shift(ms: number): void;
}
interface Identity {
  readonly cert: string;
  readonly key: string;
}

async function withTls(run: (rig: Rig) => Promise<void>, limits: Partial<BrokerLimits> = {}): Promise<void> {
  let ahead = 0;
  const ca = await caRig({ now: () => Date.now() + ahead });
  const hand = handAuthenticator();
  const broker = await createEmbeddedBroker({ base: 'hearth', log: silentLog, authenticator: hand, limits });
  const port = await broker.listenTls({ host: '127.0.0.1', port: 0, authority: ca.authority });
  try {
    await run({
      ...{ broker, ca, hand, port, url: `mqtts://127.0.0.1:${port}` },
      trust: { ca: [...ca.authority.certificates()], servername: serverName(testCluster) },
      async node(id) {
        const { csr, key } = await requester();
        return { key, cert: (await ca.authority.issueNode(csr, id)).pem };
      },
      shift(ms) {
        ahead = ms;
      },
    });
  } finally {
    await broker.close();
  }
}

const refusal = async (url: string, options: IClientOptions): Promise<number | string | undefined> => {
  try {
    const client = await connectClient(url, [], options);
    await client.close();
    return undefined;
  } catch (error) {
    const { code, message } = error as { code?: number | string; message: string };
    return code ?? message;
  }
};

const secure = async (rig: Rig, options: ConnectionOptions = {}): Promise<TLSSocket> => {
  const socket = connectTls({ host: '127.0.0.1', port: rig.port, ...rig.trust, ...options });
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  return socket;
};

test('a node shows its certificate and is that node, and no other', () =>
  withTls(async rig => {
    const { url, trust } = rig;
    const n1 = await rig.node('n1');
    const node = await connectClient(url, ['hearth/#'], { ...trust, ...n1, clientId: 'hearth-n1', protocolVersion: 5 });
    const admin = await connectClient(url, ['hearth/#'], { ...trust, username: 'admin', password: 'right' });
    await node.publish('hearth/node/n1/info', '{}');
    await assert.rejects(() => node.client.publishAsync('hearth/node/n2/info', '{}', { qos: 1 }), /Not authorized/);
    await admin.publish('hearth/node/n1/set', '{}');
    rig.broker.bus.publish('hearth/node/n1/cmd', 'x', { qos: 1 });
    rig.broker.bus.publish('hearth/status', 'online', { qos: 1 });
    await node.wait('its order', ({ topic }) => topic === 'hearth/node/n1/cmd');
    await admin.wait('info', ({ topic }) => topic === 'hearth/node/n1/info');
    // The order would have come before it.
    await admin.wait('status', ({ topic }) => topic === 'hearth/status');
    assert.ok(!admin.heard.some(({ topic }) => topic.endsWith('/cmd')));
    assert.ok(!node.heard.some(({ topic }) => topic.endsWith('/set')));
    assert.equal(await refusal(url, { ...trust, ...n1, clientId: 'hearth-n2', protocolVersion: 5 }), 0x85);
    assert.equal(await refusal(url, { ...trust, ...n1, clientId: 'n1', protocolVersion: 5 }), 0x85);
    assert.equal(await refusal(url, { ...trust, clientId: 'hearth-n1', protocolVersion: 5 }), 0x86, 'no certificate');
    rig.hand.revoke('node', 'n1');
    await until('it is cut off', () => !node.client.connected);
    assert.ok(admin.client.connected);
    await admin.close();
  }));

test("a certificate counts by the supervisor's clock, and only if its authority signed it for that", () =>
  withTls(async rig => {
    const { url, trust } = rig;
    const node = { ...trust, ...(await rig.node('n1')), clientId: 'hearth-n1', protocolVersion: 5 as const };
    rig.shift(8 * day);
    assert.equal(await refusal(url, node), 0x86, 'it has expired');
    rig.shift(0);
    assert.equal(await refusal(url, node), undefined);
    // For OpenSSL, by the machine's clock, this one has expired long ago, and the next is not valid yet.
    const other = await caRig({ now: () => Date.now() - 60 * day });
    const broker = await createEmbeddedBroker({ base: 'hearth', log: silentLog, authenticator: handAuthenticator() });
    const port = await broker.listenTls({ host: '127.0.0.1', port: 0, authority: other.authority });
    const { csr, key } = await requester();
    const old = { key, cert: (await other.authority.issueNode(csr, 'n1')).pem };
    const loose = { clientId: 'hearth-n1', protocolVersion: 5 as const, rejectUnauthorized: false };
    assert.equal(await refusal(`mqtts://127.0.0.1:${port}`, { ...loose, ...old }), undefined);
    assert.equal(await refusal(url, { ...loose, ...old }), 0x86, 'another authority, the same names');
    const { key: notMine } = await requester();
    assert.ok(await refusal(url, { ...node, key: notMine }), 'a certificate without its key');
    await broker.close();
  }));

test('TLS 1.2 and 1.3; nothing older, nothing plain, no session is taken up again', () =>
  withTls(async rig => {
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const n1 = await rig.node('n1');
      const sessions: Buffer[] = [];
      const first = connectTls({
        ...{ host: '127.0.0.1', port: rig.port, ...rig.trust, ...n1 },
        ...{ minVersion: version, maxVersion: version },
      });
      first.on('session', session => sessions.push(session));
      await once(first, 'secureConnect');
      assert.equal(first.getProtocol(), version);
      assert.ok(first.authorized);
      first.write(Buffer.from('101000044d5154540402000000046e6f6e65', 'hex'));
      await once(first.resume(), 'close');
      const session = sessions[0] ?? first.getSession();
      if (!session) continue;
      const again = await secure(rig, { session, minVersion: version, maxVersion: version });
      assert.equal(again.isSessionReused(), false, version);
      again.destroy();
    }
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    await assert.rejects(secure(rig, old), /alert|protocol|version/i);
    const plain = connectTcp(rig.port, '127.0.0.1');
    plain.on('error', () => {});
    plain.write(Buffer.from('101000044d5154540402000000046e6f6e65', 'hex'));
    await once(plain.resume(), 'close');
  }));

test('a new server certificate is served at once, and who is connected stays', () =>
  withTls(async rig => {
    const node = { ...rig.trust, ...(await rig.node('n1')), clientId: 'hearth-n1' };
    const client = await connectClient(rig.url, [], node);
    const before = await secure(rig);
    const serial = before.getPeerX509Certificate()?.serialNumber;
    before.destroy();
    rig.ca.setAddresses(['127.0.0.1', '192.168.7.10']);
    await rig.ca.authority.check();
    const after = await secure(rig);
    // Asked once: Node 20 has nothing to say the second time.
    const shown = after.getPeerX509Certificate();
    assert.notEqual(shown?.serialNumber, serial);
    assert.match(shown?.subjectAltName ?? '', /192\.168\.7\.10/);
    assert.ok(after.authorized);
    after.destroy();
    await client.publish('hearth/node/n1/info', '{}');
    await client.close();
  }));

test('who does not finish the handshake is closed, and takes the places of its address only', () =>
  withTls(
    async rig => {
      const mute = [1, 2, 3].map(() =>
        connectTcp(rig.port, '127.0.0.1')
          .on('error', () => {})
          .resume(),
      );
      const ends = mute.map(socket => once(socket, 'close'));
      // One too many ends at once, the others when their time is up.
      await Promise.race(ends);
      await until('a place is counted', () => rig.broker.gauges().turnedAway === 1);
      await Promise.all(ends);
      await until('there is room again', async () => {
        const admin = { ...rig.trust, username: 'admin', password: 'right' };
        return (await refusal(rig.url, admin)) === undefined;
      });
    },
    { connectMs: 500, waitingPerAddress: 2 },
  ));

test('a connection that ends in its handshake leaves nothing behind', () =>
  withTls(
    async rig => {
      for (let i = 0; i < 30; i++) {
        const socket = connectTcp(rig.port, '127.0.0.1').on('error', () => {});
        await once(socket, 'connect');
        // A record that begins like a ClientHello, and the end.
        socket.write(Buffer.from('160301004001', 'hex'));
        socket.destroy();
      }
      await until('all places are free', async () => {
        const admin = { ...rig.trust, username: 'admin', password: 'right' };
        return (await refusal(rig.url, admin)) === undefined;
      });
    },
    { waitingPerAddress: 30 },
  ));

testWith(test, ['mosquitto_pub'], 'mosquitto_pub, with a certificate and with a password', () =>
  withTls(async rig => {
    const path = folder();
    const file = (name: string, text: string) => {
      writeFileSync(join(path, name), text);
      return join(path, name);
    };
    const heard: string[] = [];
    rig.broker.bus.start(['#'], {
      up() {},
      down() {},
      message: ({ topic, from }) => void heard.push(`${topic} ${from?.user} ${from?.how}`),
    });
    const { cert, key } = await rig.node('n1');
    const common = [
      '-h',
      '127.0.0.1',
      '-p',
      String(rig.port),
      '--cafile',
      file('ca', rig.trust.ca.join('')),
      '-q',
      '1',
    ];
    const run = (...args: string[]) =>
      promisify(execFile)('mosquitto_pub', [...common, ...args], { timeout: patienceMs });
    const identity = ['--cert', file('cert', cert), '--key', file('key', key)];
    await run(...identity, '-i', 'hearth-n1', '-t', 'hearth/node/n1/info', '-m', '{}');
    await run('-u', 'operator:otto', '-P', 'right', '-t', 'hearth/node/n1/set', '-m', '{}');
    assert.deepEqual(heard, ['hearth/node/n1/info n1 certificate', 'hearth/node/n1/set otto password']);
    await assert.rejects(
      () => run('-u', 'operator:otto', '-P', 'wrong', '-t', 'a', '-m', 'x'),
      /not authorised|refused/i,
    );
  }),
);

test.run();
