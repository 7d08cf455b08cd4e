/** `hearth doctor` on clusters that are well, and on ones that something was done to. */
import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Finding } from '../../broker/trust/doctor/finding.ts';
import { lookAtCertificates, lookAtFolder, lookAtKeys } from '../../broker/trust/doctor/look-files.ts';
import { lookAtTls } from '../../broker/trust/doctor/look-ports.ts';
import { caRig, day, testCluster } from '../fixture/certificates.ts';
import { hearthCommand, up } from '../fixture/cluster.ts';
import { folder, freePort, start } from '../fixture/processes.ts';

const doctor = suite('doctor');

const worst = (findings: readonly Finding[]): Finding | undefined =>
  findings.find(({ level }) => level === 'bad') ?? findings.find(({ level }) => level === 'warn');

async function examine(...args: string[]): Promise<{ code: number | string; findings: Finding[] }> {
  const started = start(process.execPath, [hearthCommand, 'doctor', '--json', ...args]);
  const code = await started.ended;
  return { code, findings: JSON.parse(started.output()) as Finding[] };
}

/** A data folder as the supervisor leaves it. */
function dataFolder(): string {
  const path = folder('hearth-doctor-');
  mkdirSync(join(path, 'trust'), { mode: 0o700 });
  mkdirSync(join(path, 'agent'), { mode: 0o700 });
  writeFileSync(join(path, 'format'), '1\n');
  const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' });
  writeFileSync(join(path, 'trust/cluster-key.pem'), pem, { mode: 0o600 });
  return path;
}

doctor('nothing is wrong with a cluster that runs, nor with none at all; what it looks at stays as it is', async () => {
  const none = await examine('--data', join(folder(), 'none'), '--mqtt-port', '0', '--http-port', '0');
  assert.is(none.code, 0);
  const cluster = await up({ flags: ['--node', 'n1'] });
  const well = await examine('--data', cluster.data);
  assert.is(well.code, 0, JSON.stringify(well.findings));
  assert.is(worst(well.findings), undefined);
  const checks = new Set(well.findings.map(({ check }) => check));
  for (const check of ['node', 'clock', 'folder', 'keys', 'disk', 'certificates', 'supervisor', 'ports', 'versions']) {
    assert.ok(checks.has(check), check);
  }
  const key = join(cluster.data, 'trust/cluster-key.pem');
  chmodSync(key, 0o640);
  const ill = await examine('--data', cluster.data);
  assert.is(ill.code, 1);
  assert.match(worst(ill.findings)?.fix ?? '', `chmod 600 '${key}'`);
  assert.is((await examine('--data', cluster.data)).code, 1, 'it was not mended in passing');
  const text = start(process.execPath, [hearthCommand, 'doctor', '--data', cluster.data]);
  await text.ended;
  assert.match(text.output(), /^BAD {3}keys .*\n +fix: chmod 600/m);
  assert.match(text.output(), /\d+ fine, 0 to watch, 1 wrong\n$/);
  await cluster.process.stop('SIGKILL');
  const gone = await examine('--data', cluster.data, '--mqtt-port', '0', '--http-port', '0');
  assert.ok(gone.findings.some(({ check, level }) => check === 'supervisor' && level === 'warn'));
});

doctor('a port that another program has is named, with the flag', async () => {
  const port = await freePort();
  const other = createServer();
  await new Promise<void>(resolve => other.listen(port, '127.0.0.1', resolve));
  const flags = ['--data', join(folder(), 'none'), '--mqtt-port', String(port), '--http-port', '0'];
  const { code, findings } = await examine(...flags);
  other.close();
  assert.is(code, 1);
  assert.match(worst(findings)?.text ?? '', `${port}, for MQTT`);
  assert.match(worst(findings)?.fix ?? '', '--mqtt-port');
});

doctor('a folder that is open, newer or damaged', () => {
  const path = dataFolder();
  assert.is(worst(lookAtFolder(path).findings), undefined);
  chmodSync(path, 0o755);
  assert.match(worst(lookAtFolder(path).findings)?.fix ?? '', 'chmod 700');
  chmodSync(path, 0o700);
  for (const [text, pattern] of [
    ['999\n', /of format 999/],
    ['x\n', /damaged/],
  ] as const) {
    writeFileSync(join(path, 'format'), text);
    assert.match(worst(lookAtFolder(path).findings)?.text ?? '', pattern);
  }
});

doctor('keys that others can read, that lie elsewhere, or that are none', () => {
  const path = dataFolder();
  const key = join(path, 'trust/cluster-key.pem');
  assert.is(worst(lookAtKeys(path)), undefined);
  const sealKey = join(path, 'agent/seal-key.pem');
  writeFileSync(sealKey, 'x', { mode: 0o600 });
  chmodSync(sealKey, 0o604);
  assert.match(worst(lookAtKeys(path))?.text ?? '', /seal-key.pem can be read or written by others \(604\)/);
  chmodSync(sealKey, 0o600);
  chmodSync(join(path, 'trust'), 0o750);
  assert.match(worst(lookAtKeys(path))?.fix ?? '', /chmod 700 '.*trust'/);
  chmodSync(join(path, 'trust'), 0o700);
  renameSync(key, `${path}/elsewhere.pem`);
  symlinkSync(`${path}/elsewhere.pem`, key);
  assert.match(worst(lookAtKeys(path))?.text ?? '', /is no plain file/);
  renameSync(`${path}/elsewhere.pem`, key);
  writeFileSync(key, 'no key');
  assert.match(worst(lookAtKeys(path))?.text ?? '', /is no Ed25519 key/);
});

doctor('certificates in the folder: fresh, old, from a wrong clock, and gone', async () => {
  const path = dataFolder();
  assert.equal(
    lookAtCertificates(path, 0).map(({ level }) => level),
    ['skipped'],
  );
  const rig = await caRig({ folder: join(path, 'trust') });
  const now = Date.parse(new Date(rig.authority.standing().server.not_after_ms - 80 * day).toISOString());
  assert.is(worst(lookAtCertificates(path, now)), undefined);
  assert.match(worst(lookAtCertificates(path, now + 70 * day))?.text ?? '', /server.pem ends in 10 days/);
  assert.match(worst(lookAtCertificates(path, now + 81 * day))?.text ?? '', /server.pem ended/);
  assert.match(worst(lookAtCertificates(path, 0))?.text ?? '', /clock went back/);
  await rig.authority.rotate();
  assert.is(worst(lookAtCertificates(path, now)), undefined);
  assert.match(lookAtCertificates(path, now + 40 * day)[0]?.text ?? '', /the old one is still trusted/);
  writeFileSync(join(path, 'trust/server.pem'), 'x');
  assert.match(worst(lookAtCertificates(path, now))?.text ?? '', /server.pem holds no certificate/);
  writeFileSync(join(path, 'trust/ca.json'), '[]');
  assert.match(worst(lookAtCertificates(path, now))?.text ?? '', /ca.json is damaged/);
});

doctor('TLS as a node sees it: the right certificate, another cluster, and no TLS at all', async () => {
  const rig = await caRig({ now: () => Date.now() });
  const { key, cert, ca } = rig.authority.serverCredentials();
  const server = createTlsServer({ key, cert });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  assert.is((await lookAtTls(port, testCluster, ca)).level, 'ok');
  assert.match((await lookAtTls(port, 'f'.repeat(32), ca)).text, /refuse/);
  const stranger = await caRig({ now: () => Date.now() });
  assert.match((await lookAtTls(port, testCluster, stranger.authority.certificates())).text, /refuse/);
  server.close();
  const plain = createServer(socket => socket.on('error', () => {}).end('220 hello\r\n')).listen(0, '127.0.0.1');
  await new Promise(resolve => plain.once('listening', resolve));
  assert.is((await lookAtTls((plain.address() as AddressInfo).port, testCluster, ca)).level, 'bad');
  plain.close();
});

doctor.run();
