/** The small parts of the agent: clock, log gate, disk, lock, identity, and what is refused of an order. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createFilesDisk, openAgentFolder } from '../../node-agent/files-disk.ts';
import { lockFolder } from '../../node-agent/folder-lock.ts';
import { decideIdentity } from '../../node-agent/session/identity.ts';
import { LogGate, logLimits } from '../../node-agent/session/log-gate.ts';
import { judgeWant } from '../../node-agent/session/orders.ts';
import { seal } from '../../shared/authority.ts';
import { ed25519Verifier } from '../../shared/ed25519.ts';
import { limits } from '../../shared/limits.ts';
import { systemClock } from '../../shared/system-clock.ts';
import { fixedRandom, newSigner } from '../fixture/agent-rig.ts';
import { folder, start } from '../fixture/processes.ts';

const parts = suite('agent parts');

parts('the clock counts a suspend, and not a wall clock that was set', () => {
  const time = { monotonic: 1000, wall: 5000, uptime: 2000 };
  const clock = systemClock({
    sleeps: true,
    monotonic: () => time.monotonic,
    wall: () => time.wall,
    uptime: () => time.uptime,
  });
  const pass = (awake: number, asleep: number, set = 0) => {
    time.monotonic += awake;
    time.uptime += awake + asleep;
    time.wall += awake + asleep + set;
  };
  const first = clock.now();
  pass(100, 0);
  assert.is(clock.now() - first, 100);
  pass(100, 3_600_000);
  assert.is(clock.now() - first, 3_600_200);
  pass(100, 0, 86_400_000);
  assert.is(clock.now() - first, 3_600_300);
  pass(100, 0, -90_000_000);
  assert.is(clock.now() - first, 3_600_400);
  pass(0, 60_000);
  assert.is(clock.now() - first, 3_660_400);
});

parts('a loud service: at most 64 kB a second, the newest lines, and the dropped ones are counted', () => {
  const gate = new LogGate();
  let bytes = 0;
  let dropped = 0;
  let lines = 0;
  let last = '';
  for (let ms = 0; ms < 10_000; ms += 50) {
    gate.offer(
      'loud',
      Array.from({ length: 200 }, (_, index) => `${ms + index} ${'x'.repeat(90)}`),
    );
    for (const { text } of gate.take(ms)) {
      bytes += Buffer.byteLength(text);
      for (const line of text.split('\n')) {
        const gone = /^… (\d+) lines dropped/.exec(line);
        if (gone) dropped += Number(gone[1]);
        else {
          lines++;
          last = line;
        }
      }
    }
  }
  assert.ok(bytes <= logLimits.bytesPerS * 11.1, `${bytes}`);
  assert.ok(bytes >= logLimits.bytesPerS * 8, `${bytes}`);
  assert.ok(lines + dropped > 39_000 && lines + dropped <= 40_000, `${lines} + ${dropped}`);
  assert.ok(Number(last.split(' ')[0]) > 8000, last);
});

parts('a quiet service is heard beside a loud one, and a line without end is cut', () => {
  const gate = new LogGate();
  gate.take(0);
  for (let ms = 50; ms < 3000; ms += 50) {
    gate.offer('loud', Array(500).fill('y'.repeat(100)));
    gate.take(ms);
  }
  gate.offer('quiet', ['hello']);
  const heard: string[] = [];
  for (let ms = 3000; ms < 4000; ms += 50) heard.push(...gate.take(ms).map(message => message.service));
  assert.ok(heard.includes('quiet'));
  const other = new LogGate();
  other.offer('long', ['z'.repeat(1_000_000)]);
  assert.ok(Buffer.byteLength(other.take(0)[0]?.text ?? '') <= logLimits.lineBytes);
});

parts('the disk gives back what was saved, and a half-written file never counts', () => {
  const place = join(folder(), 'a/b');
  openAgentFolder(place);
  const disk = createFilesDisk(place);
  assert.is(disk.load(), undefined);
  assert.is(disk.loadWant(), undefined);
  const memory = { node: 'n1', inst: 'abcdef01', epochCeiling: 64, cluster: { fingerprint: 'a'.repeat(32), key: 'k' } };
  disk.save(memory);
  assert.equal(createFilesDisk(place).load(), memory);
  writeFileSync(join(place, 'identity.json.new'), '{"form');
  assert.equal(createFilesDisk(place).load(), memory);
  disk.saveWant('{"rev":1}');
  assert.is(disk.loadWant(), '{"rev":1}');
  disk.saveWant('');
  assert.is(disk.loadWant(), undefined);
  for (const text of ['', '{}', 'null', '[]', JSON.stringify({ format: 1, ...memory, node: '../etc' })]) {
    writeFileSync(join(place, 'identity.json'), text);
    assert.throws(() => disk.load(), /cannot read this node's identity.*put the file back.*or remove it/);
  }
  writeFileSync(join(place, 'identity.json'), JSON.stringify({ format: 2, ...memory }));
  assert.throws(() => disk.load(), /written by a newer Hearth/);
  writeFileSync(join(place, 'want.json'), 'x'.repeat(limits.message + 1));
  assert.throws(() => disk.loadWant(), /larger than/);
});

parts('a folder that cannot be made ends in a sentence', () => {
  assert.throws(() => openAgentFolder('/proc/nope/deeper'), /cannot use the data folder.*--data/);
  const file = join(folder(), 'file');
  writeFileSync(file, '');
  assert.throws(() => openAgentFolder(join(file, 'x')), /ENOTDIR/);
});

parts('the lock: held by who lives, void after a reboot, after an end, and for a pid given on', async () => {
  const place = folder();
  const path = join(place, 'agent.lock');
  const sleeper = start('sleep', ['600'], { stdio: 'ignore' });
  const boot = existsSync('/proc/sys/kernel/random/boot_id')
    ? readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    : '';
  const stat = readFileSync(`/proc/${sleeper.pid}/stat`, 'utf8');
  const started = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  const holder = { pid: sleeper.pid, start: started, boot };
  // A child that lives keeps a failed test from ending.
  sleeper.child.unref();
  writeFileSync(path, JSON.stringify(holder));
  assert.throws(() => lockFolder(place), new RegExp(`process ${sleeper.pid}`));
  assert.equal(JSON.parse(readFileSync(path, 'utf8')), holder, 'left as it was');
  for (const stale of [
    { ...holder, boot: 'another' },
    { ...holder, start: started - 1 },
    'half a lo',
    { ...holder, pid: -1 },
  ]) {
    writeFileSync(path, typeof stale === 'string' ? stale : JSON.stringify(stale));
    const unlock = lockFolder(place);
    assert.is(JSON.parse(readFileSync(path, 'utf8')).pid, process.pid);
    unlock();
    assert.not(existsSync(path));
  }
  writeFileSync(path, JSON.stringify(holder));
  await sleeper.stop('SIGKILL');
  lockFolder(place)();
  mkdirSync(path);
  assert.throws(() => lockFolder(place), /cannot lock the data folder/);
});

parts('an identity is kept: another --node or --cluster for the same folder is refused', () => {
  const kept = { node: 'n1', inst: 'abcdef01', epochCeiling: 5, cluster: { fingerprint: 'a'.repeat(32), key: 'k' } };
  const about = (more: object) => decideIdentity(kept, { hostname: 'box', trustFirst: false, ...more }, fixedRandom());
  assert.equal(about({}), { memory: kept });
  assert.equal(about({ node: 'n1', cluster: 'a'.repeat(32) }), { memory: kept });
  assert.match(JSON.stringify(about({ node: 'n2' })), /belongs to node/);
  assert.match(JSON.stringify(about({ cluster: 'b'.repeat(32) })), /belongs to cluster/);
});

parts('a want is obeyed only whole, signed, for this node, and newer', () => {
  const signer = newSigner();
  const other = newSigner();
  const pin = { fingerprint: signer.cluster, key: signer.key };
  const allegiance = { node: 'n1', verifier: ed25519Verifier(), pin, expected: undefined, trustFirst: true };
  const body = { cluster: signer.cluster, key: signer.key, gen: 1, rev: 5, node: 'n1', services: {} };
  const judge = (text: string, obeyed = { gen: 1, rev: 4 }) => judgeWant(allegiance, obeyed, Buffer.from(text));
  const good = seal(signer, 'want', 'n1', body);
  assert.is(judge(good).kind, 'obey');
  assert.is(judge(good, { gen: 1, rev: 5 }).kind, 'same');
  assert.is(judge(good, { gen: 1, rev: 6 }).kind, 'older');
  assert.is(judge(good, { gen: 2, rev: 0 }).kind, 'older');
  assert.is(judge(good, { gen: 0, rev: 99 }).kind, 'obey', 'a restore raises the generation');
  const bad: readonly (readonly [string, string])[] = [
    ['changed after signing', good.replace('"rev":5', '"rev":6')],
    ['unsigned', JSON.stringify(body)],
    ['for another node', seal(signer, 'want', 'n2', { ...body, node: 'n2' })],
    ['another kind', seal(signer, 'cmd', 'n1', body)],
    ['another cluster', seal(other, 'want', 'n1', { ...body, cluster: other.cluster, key: other.key })],
    ['our name, their key', seal(other, 'want', 'n1', { ...body, key: other.key })],
    ['their signature under our names', seal(other, 'want', 'n1', body)],
    ['node of another inside', seal(signer, 'want', 'n1', { ...body, node: 'n2' })],
    ['no services', seal(signer, 'want', 'n1', { ...body, services: [] })],
    ['too large', seal(signer, 'want', 'n1', { ...body, pad: 'x'.repeat(limits.want + 8192) })],
    ['too deep', seal(signer, 'want', 'n1', { ...body, pad: JSON.parse('['.repeat(50) + ']'.repeat(50)) })],
    ['not JSON', 'want!'],
    ['empty', ''],
  ];
  for (const [name, text] of bad) assert.is(judge(text).kind, 'refused', name);
  assert.is(judgeWant(allegiance, undefined, Buffer.from([0xff, 0xfe])).kind, 'refused');
  // Nobody joined yet, and a fingerprint given: its name alone, under another key, is not enough.
  const fresh = { ...allegiance, pin: undefined, expected: signer.cluster, trustFirst: false };
  const borrowed = seal(other, 'want', 'n1', { ...body, key: other.key });
  assert.is(judgeWant(fresh, undefined, Buffer.from(borrowed)).kind, 'refused');
  assert.is(judgeWant(fresh, undefined, Buffer.from(good)).kind, 'obey');
  assert.is(judgeWant({ ...fresh, expected: undefined }, undefined, Buffer.from(good)).kind, 'refused');
  assert.is(judge(seal(signer, 'want', 'n1', { ...body, later: { x: 1 } })).kind, 'obey', 'keys of a newer version');
});

parts.run();
