/** Other people's TLS against the cluster's certificates, on a real listener, while the CA is replaced below it. */
import { X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import * as tls from 'node:tls';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { serverName } from '../../shared/schemas/trust.ts';
import { type CaRig, caRig, requester, testCluster } from '../fixture/certificates.ts';
import { folder, start } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';

const peers = suite('certificates and their peers');

const open = new Set<tls.Server>();
peers.after.each(() => {
  for (const server of open) server.close();
  open.clear();
});

interface Listener {
  readonly port: number;
  /** What each connection was taken for. */
  readonly seen: string[];
}

/** As the supervisor listens: it asks for a certificate, believes its own check alone, and swaps credentials live. */
async function listen({ authority }: CaRig): Promise<Listener> {
  const context = () => {
    const { key, cert, ca } = authority.serverCredentials();
    return { key, cert, ca: [...ca] };
  };
  const seen: string[] = [];
  const options = { ...context(), requestCert: true, rejectUnauthorized: false, minVersion: 'TLSv1.2' } as const;
  const server = tls.createServer(options, socket => {
    const der = socket.getPeerCertificate().raw as Buffer | undefined;
    const client = der && authority.verifyClient(new X509Certificate(der));
    seen.push(client ? `${client.kind} ${client.name}` : 'nobody');
    socket.on('error', () => {});
    socket.end('HTTP/1.0 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nyes');
  });
  server.on('tlsClientError', () => {});
  authority.onServerCertificate(() => server.setSecureContext(context()));
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  open.add(server);
  return { port: (server.address() as AddressInfo).port, seen };
}

const file = (name: string, text: string): string => {
  const path = join(folder(), name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
};

interface Ask {
  readonly port: number;
  readonly root: string;
  readonly host?: string;
}
type Peer = (ask: Ask) => Promise<boolean>;

/** Nobody gets the word who does not verify the listener first. */
async function run(command: string, args: readonly string[]): Promise<boolean> {
  const started = start(command, args);
  await started.ended;
  return /yes/.test(started.output());
}

const clients: Readonly<Record<string, Peer>> = {
  curl: ({ port, root, host = serverName(testCluster) }) =>
    run('curl', [
      ...['-sS', '--max-time', '20', '--noproxy', '*', '--cacert', file('ca.pem', root)],
      ...['--resolve', `${host}:${port}:127.0.0.1`, `https://${host}:${port}/`],
    ]),
  python3: ({ port, root, host = serverName(testCluster) }) =>
    run('python3', [
      '-c',
      `import ssl, socket, sys
context = ssl.create_default_context(cafile=sys.argv[1])
context.verify_flags |= ssl.VERIFY_X509_STRICT
with context.wrap_socket(socket.create_connection(('127.0.0.1', int(sys.argv[2])), 20), server_hostname=sys.argv[3]) as s:
    s.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n'); print(s.recv(1000).decode())`,
      file('ca.pem', root),
      String(port),
      host,
    ]),
  openssl: ({ port, root, host = serverName(testCluster) }) =>
    run('openssl', [
      ...['s_client', '-connect', `127.0.0.1:${port}`, '-servername', host, '-verify_hostname', host],
      ...['-CAfile', file('ca.pem', root), '-no-CApath', '-verify_return_error', '-x509_strict', '-ign_eof', '-quiet'],
    ]),
};

for (const [program, ask] of Object.entries(clients)) {
  testWith(
    peers,
    [program],
    `${program} is at home with either CA during a rotation, and with the new one after it`,
    async () => {
      const rig = await caRig({ now: () => Date.now() });
      const { port } = await listen(rig);
      const root = () => rig.authority.certificates()[0] ?? '';
      const old = root();
      assert.ok(await ask({ port, root: old }), 'at first');
      assert.ok(await ask({ port, root: old, host: 'localhost' }), 'as localhost');
      assert.not.ok(await ask({ port, root: old, host: 'bank.example' }), 'under a foreign name');
      const stranger = await caRig({ now: () => Date.now() });
      assert.not.ok(await ask({ port, root: stranger.authority.certificates()[0] ?? '' }), 'with a foreign CA');
      await rig.authority.rotate();
      assert.ok(await ask({ port, root: old }), 'with the old CA alone');
      assert.ok(await ask({ port, root: root() }), 'with the new CA alone');
      await rig.authority.retire(true);
      assert.ok(await ask({ port, root: root() }), 'with the new CA, the old one retired');
      assert.not.ok(await ask({ port, root: old }), 'with the retired CA');
    },
  );
}

testWith(
  peers,
  ['openssl'],
  'clients with certificates are who they are, also by one of the old CA; others are nobody',
  async () => {
    const rig = await caRig({ now: () => Date.now() });
    const { port, seen } = await listen(rig);
    const { key, csr } = await requester();
    const connect = async (cert: string, own = key) => {
      const args = [
        's_client',
        '-connect',
        `127.0.0.1:${port}`,
        '-cert',
        file('c.pem', cert),
        '-key',
        file('k.pem', own),
      ];
      await start('openssl', [...args, '-ign_eof', '-quiet']).ended;
    };
    const node = await rig.authority.issueNode(csr, 'n1');
    await connect(node.pem);
    await connect((await rig.authority.issueUser(csr, 'ann')).pem);
    await rig.authority.rotate();
    await connect(node.pem);
    await connect((await rig.authority.issueNode(csr, 'n1')).pem);
    const foreign = await caRig({ now: () => Date.now() });
    await connect((await foreign.authority.issueNode(csr, 'n1')).pem);
    const server = rig.authority.serverCredentials();
    await connect(server.cert, server.key);
    assert.equal(seen, ['node n1', 'user ann', 'node n1', 'node n1', 'nobody', 'nobody']);
  },
);

testWith(peers, ['openssl'], 'a request that openssl makes is taken, with named curve and P-256 alone', async () => {
  const { authority } = await caRig();
  const path = folder();
  const request = async (...key: string[]) => {
    const out = join(path, 'csr.pem');
    const args = [
      'req',
      '-new',
      '-nodes',
      '-newkey',
      ...key,
      '-keyout',
      join(path, 'k'),
      '-subj',
      '/CN=x',
      '-out',
      out,
    ];
    assert.is(await start('openssl', args).ended, 0);
    return readFileSync(out, 'utf8');
  };
  const good = await request('ec', '-pkeyopt', 'ec_paramgen_curve:P-256');
  assert.is(new X509Certificate((await authority.issueNode(good, 'n1')).pem).subject.split('\n')[1], 'CN=n1');
  for (const key of [['rsa:2048'], ['ec', '-pkeyopt', 'ec_paramgen_curve:secp384r1'], ['ed25519']]) {
    const refused = await authority.issueNode(await request(...key), 'n1').then(
      () => '',
      (error: Error) => error.message,
    );
    assert.match(refused, /P-256/, key.join());
  }
});

peers.run();
