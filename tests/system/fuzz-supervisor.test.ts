/**
 * A million packets that were right once, against a running supervisor over real sockets: it lives on, its memory stays
 * bounded, its neighbours are served, and nothing that it accepted is against the contract. Shares cores: it keeps them
 * busy for a long time.
 */
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import mqtt from 'mqtt-packet';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { open } from '../../shared/authority.ts';
import { ed25519Verifier } from '../../shared/ed25519.ts';
import { jobDocument } from '../../shared/schemas/job.ts';
import { ownPayload } from '../../shared/schemas/node-document.ts';
import { roomOwnPayload } from '../../shared/schemas/room.ts';
import { wantPayload } from '../../shared/schemas/want.ts';
import { parseTopic } from '../../shared/topics.ts';
import { up } from '../fixture/cluster.ts';
import { joined, robbed, strangers } from '../fixture/fuzz-strangers.ts';
import { malformedPackets } from '../fixture/malformed.ts';
import { connectClient } from '../fixture/mqtt-client.ts';
import { freePort } from '../fixture/processes.ts';

const test = suite('fuzz: supervisor');
const seed = Number(process.env.HEARTH_FUZZ_SEED ?? 1);
const total = Number(process.env.HEARTH_FUZZ_PACKETS ?? 1_000_000);
/** Of these, packets that may be wrong in every part: most end their connection. */
const anyPart = Math.floor(total / 16);
/** Of these, by the certificate of a node, and by nobody in particular: over TLS, in its handshake, over WebSocket. */
const byNode = Math.floor(total / 12);
const byStrangers = Math.floor(total / 48);
const workers = 24;
const perBatch = 200;

const residentMb = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;

const pingresp = Buffer.from([0xd0, 0x00]);

const greeting = (version: 4 | 5, clientId: string): Buffer =>
  mqtt.generate({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: version, clean: true, keepalive: 60, clientId });

/** Writes to a connection of its own, and waits for its end. */
function ended(port: number, bytes: Buffer): Promise<void> {
  return new Promise(resolve => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.on('error', () => {});
    socket.once('close', () => resolve());
    socket.resume();
    socket.end(bytes);
  });
}

/** A connection that has its CONNACK. */
function greeted(port: number, version: 4 | 5, clientId: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    socket.on('error', () => {});
    socket.once('close', () => reject(new Error(`${clientId} was not let in`)));
    socket.once('data', () => resolve(socket));
    socket.write(greeting(version, clientId));
  });
}

/** Writes and asks for a sign of life behind it. @returns whether the answer came; false: it was closed. */
function said(socket: Socket, bytes: Buffer): Promise<boolean> {
  return new Promise(resolve => {
    let tail = Buffer.alloc(0);
    const over = (lives: boolean) => {
      socket.off('data', hear);
      socket.off('close', closed);
      resolve(lives);
    };
    const hear = (chunk: Buffer) => {
      tail = Buffer.concat([tail, chunk]).subarray(-2);
      if (tail.equals(pingresp)) over(true);
    };
    const closed = () => over(false);
    socket.on('data', hear);
    socket.once('close', closed);
    if (socket.destroyed) over(false);
    else socket.write(Buffer.concat([bytes, mqtt.generate({ cmd: 'pingreq' })]));
  });
}

test(`${total} malformed packets and payloads`, async () => {
  const cluster = await up({
    flags: ['--node', 'n1', '--lan', '--tls-port', String(await freePort())],
    // What lives stays below this, or it ends; without a bound V8 leaves garbage lie on a large machine.
    env: { NODE_OPTIONS: '--max-old-space-size=256' },
  });
  const { pid, mqtt: port } = cluster.ready;
  const target = { ready: cluster.ready, fingerprint: '0'.repeat(32) };
  const identity = await joined(target, 'n2');
  const made = malformedPackets(seed, 'n1');
  // The first thousands warm up what a supervisor keeps anyway: routes, counters, the compiler's output.
  let most = 0;
  let sent = 0;
  let after = 0;
  const sampled = setInterval(() => {
    if (!cluster.process.child.exitCode) most = Math.max(most, residentMb(pid));
  }, 250);
  // A failure is not to wait for it.
  sampled.unref();
  const step = async (name: string, version: 4 | 5, todo: () => boolean, batch: () => Buffer[]) => {
    let socket: Socket | undefined;
    for (let serial = 0; todo(); serial++) {
      socket ??= await greeted(port, version, `${name}-${serial % 50}`);
      const packets = batch();
      sent += packets.length;
      if (!(await said(socket, Buffer.concat(packets)))) {
        socket.destroy();
        socket = undefined;
      }
    }
    socket?.destroy();
  };
  const times = Array.from({ length: workers }, (_, index) => index);
  const version = (index: number) => (index % 2 === 0 ? 4 : 5);

  const nodeSent = robbed(target, 'n2', identity, made, byNode);
  const strangersSent = strangers(target, made, byStrangers, workers * 2);

  // One packet to a connection, and the end of the stream behind it: where a length lies, nobody waits for the rest.
  let left = anyPart;
  await Promise.all(
    times.map(async index => {
      const hello = greeting(version(index), `odd${index}`);
      while (left-- > 0) {
        const first = made.below(5) === 0;
        sent++;
        await ended(port, first ? made.connect(version(index)) : Buffer.concat([hello, made.packet(version(index))]));
      }
    }),
  );
  // Payloads: nobody is closed for them, so whole batches are read.
  after = residentMb(pid);
  let ids = 0;
  await Promise.all(
    times.map(index =>
      step(
        `said${index}`,
        version(index),
        () => sent < total - byNode - byStrangers,
        () => Array.from({ length: perBatch }, () => made.payload(version(index), (ids++ % 60_000) + 1)),
      ),
    ),
  );
  const fromNetwork = (await nodeSent) + (await strangersSent);
  sent += fromNetwork;
  assert.ok(fromNetwork >= total / 10, `only ${fromNetwork} from the network`);
  assert.ok(sent >= total, `only ${sent} packets`);

  // The supervisor answers, and what is right is still taken.
  const watcher = await connectClient(cluster.url, ['hearth/node/n1/result']);
  const fine = JSON.stringify({ services: { fine: { run: 'sleep 1000' } }, tx: 'after-it' });
  await watcher.publish('hearth/node/n1/set', fine);
  const answer = await watcher.wait('what is right is answered', message => message.text.includes('"after-it"'));
  assert.ok(answer.text.includes('"ok":true'), answer.text);
  await watcher.close();
  clearInterval(sampled);
  const end = residentMb(pid);
  console.log(
    `sent ${sent}, ${fromNetwork} of them from the network; resident ${after.toFixed(0)} MB before the payloads, at most ${most.toFixed(0)}, ${end.toFixed(0)} at the end`,
  );
  assert.ok(most < 600, `${most} MB resident`);

  const retained = await everythingRetained(cluster.url);
  const verifier = ed25519Verifier();
  for (const [topic, payload] of retained) {
    if (!topic.startsWith('hearth/')) continue;
    const parsed = parseTopic(topic, 'hearth');
    assert.ok(parsed.ok, `retained under a topic that is none: ${topic}`);
    const { part } = parsed.value;
    const noun = parsed.value.kind === 'noun' ? parsed.value.noun : undefined;
    assert.ok(['own', 'want', 'is', 'info', 'status'].includes(part), `retained, and never to be: ${topic}`);
    const json = () => JSON.parse(payload) as never;
    if (part === 'status') assert.ok(payload === 'online' || payload === 'offline', `${topic}: ${payload}`);
    if (part === 'own' && noun === 'job') {
      const { by, ...document } = json() as { by: unknown };
      const isRight = typeof by === 'string' && jobDocument.safeParse(document).success;
      assert.ok(isRight, `${topic} is against its schema: ${payload}`);
    } else if (part === 'own' && noun === 'room')
      assert.ok(roomOwnPayload.safeParse(json()).success, `${topic} is against its schema: ${payload}`);
    else if (part === 'own')
      assert.ok(ownPayload.safeParse(json()).success, `${topic} is against its schema: ${payload}`);
    if (part === 'want') {
      const want = wantPayload.parse(json());
      const node = topic.split('/')[2] ?? '';
      assert.ok(open(verifier, want.key, 'want', node, payload).ok, `${topic} is not signed by the cluster`);
    }
  }
  assert.is(await cluster.process.stop(), 0, cluster.process.output().slice(-2000));
});

async function everythingRetained(url: string): Promise<Map<string, string>> {
  const client = await connectClient(url);
  await client.client.subscribeAsync('#', { qos: 0 });
  // Behind all of them: an own message comes back after what was on its way before it, once the replay is over.
  const kept = () => client.heard.filter(({ retain }) => retain);
  for (let round = 0, size = -1; size !== kept().length; round++) {
    size = kept().length;
    await client.publish('fuzz/end', String(round));
    await client.wait('its own message', message => message.topic === 'fuzz/end' && message.text === String(round));
  }
  const found = new Map(kept().map(({ topic, text }) => [topic, text]));
  await client.close();
  return found;
}

test.run();
