/**
 * Agents on a broker that is against them: two hundred thousand packets and documents that were right once. They
 * neither crash nor grow, and obey nothing but what their cluster has signed for them. Every run is one seed. Shares
 * cores: it keeps them busy for a long time.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import mqtt, { type Packet } from 'mqtt-packet';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { agentNodeFlags } from '../../shared/agent-process.ts';
import { agentBundle, agentNode } from '../fixture/cluster.ts';
import { type HostileBroker, hostileBroker, type Line } from '../fixture/hostile-broker.ts';
import { hostileOrders } from '../fixture/hostile-orders.ts';
import { seededRandom } from '../fixture/manual-clock.ts';
import { folder, type Started, start, until } from '../fixture/processes.ts';

const test = suite('fuzz: agent');
const total = Number(process.env.HEARTH_FUZZ_AGENT_PACKETS ?? 200_000);
const seed = Number(process.env.HEARTH_FUZZ_SEED ?? 1);
const marker = join(folder(), 'obeyed');
const orders = hostileOrders(seededRandom(seed), marker);
const { below, pick, topic, spoil, allowed } = orders;

const granted: Packet = { cmd: 'suback', messageId: 1, granted: [1, 1, 1] };
const letIn: Packet = { cmd: 'connack', returnCode: 0, sessionPresent: false };
const bytesOf = (packet: Packet): Buffer => mqtt.generate(packet, { protocolVersion: 4 });
const kinds: readonly Packet[] = [
  ...[letIn, granted, { cmd: 'pingresp' } as const, { cmd: 'disconnect' } as const, { cmd: 'pingreq' } as const],
  ...(['puback', 'pubrec', 'pubrel', 'pubcomp', 'unsuback'] as const).map(
    cmd => ({ cmd, messageId: 1, granted: [] }) as Packet,
  ),
  ...([0, 1, 2] as const).map(
    qos =>
      ({
        cmd: 'publish',
        topic: 'hearth/hello',
        payload: 'x'.repeat(30),
        qos,
        retain: true,
        dup: true,
        messageId: 7,
      }) as Packet,
  ),
];

/** Resident, whatever is said; and where hundreds of megabytes come at once, since V8 lets 64 MB of buffers lie before it collects them. */
const [mostMb, floodedMb] = [120, 160];

interface Watched {
  readonly node: string;
  readonly data: string;
  readonly agent: Started;
  most: number;
}
const residentMb = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;

test(`${total} packets and documents from a broker that is against them`, async () => {
  const steady = ['n1', 'n2'];
  const shaken = ['o1', 'o2', 'o3', 'o4', 'o5', 'o6'];
  let [sent, hostile] = [0, false];
  const courteous = new WeakSet<Line>();
  const broker = await hostileBroker(
    line => (hostile && shaken.includes(line.node) ? shake(line) : line.send(letIn)),
    line => !hostile || steady.includes(line.node) || courteous.has(line),
  );
  /** Right up to some point, and then not: until the connection ends. */
  const shake = (line: Line): void => {
    const step = below(4);
    const wrong = () => (step === 0 ? letIn : step === 1 ? granted : pick(kinds));
    if (step > 0) line.send(letIn);
    if (step > 1) courteous.add(line);
    const more = setInterval(() => {
      if (!hostile) line.socket.destroy();
      for (let many = 0; many < 10 && !line.closed; many++, sent++) line.write(spoil(bytesOf(wrong()), 0));
      if (line.closed) clearInterval(more);
    }, 5);
  };
  const watched = [...steady, ...shaken].map((node): Watched => {
    // As it is started where it is installed.
    const data = folder('hearth-agent-');
    const flags = [
      '--broker',
      broker.url,
      '--node',
      node,
      '--data',
      data,
      '--cluster',
      orders.cluster,
      '--period',
      '1000',
    ];
    const env = { PATH: process.env.PATH ?? '', HOME: data };
    return { node, data, agent: start(agentNode, [...agentNodeFlags, agentBundle, ...flags], { env }), most: 0 };
  });
  const lives = ({ agent }: Watched) => agent.child.exitCode === null && agent.child.signalCode === null;
  const sampled = setInterval(() => {
    for (const one of watched) if (lives(one)) one.most = Math.max(one.most, residentMb(one.agent.pid));
  }, 200);
  const service = (line: Line) =>
    (line.said.get('is')?.items as Record<string, { state: string; pid?: number }>)?.['services/keep'];
  /** It obeys a new document of its cluster, and runs what that says. */
  const obeys = async (node: string): Promise<Line> => {
    let line = await broker.line(node);
    const text = orders.present(node);
    const told = new Set<Line>();
    const is = () => line.said.get('is');
    await until(
      () => `${node} obeys ${orders.newest.get(node)}: ${JSON.stringify(is())}`,
      async () => {
        line = await broker.line(node);
        // A connection that was ended by what came before is followed by another.
        if (!told.has(line) && !line.closed && line.said.has('is')) line.publish(topic(node, 'want'), text);
        if (line.said.has('is')) told.add(line);
        return is()?.rev === orders.newest.get(node) && service(line)?.state === 'running';
      },
    );
    return line;
  };
  const lines = await Promise.all(watched.map(({ node }) => obeys(node)));
  const before = lines.map(line => service(line)?.pid);

  hostile = true;
  for (const line of lines.slice(steady.length)) line.socket.destroy();
  await Promise.all(
    steady.map(async node => {
      for (let line = await broker.line(node); sent < total; ) {
        if (line.closed) line = await broker.line(node, line);
        for (let many = 0; many < 200; many++, sent++) line.publish(...orders.message(line));
        // Whatever was allowed in between: this is what it shall be.
        line.publish(topic(node, 'want'), orders.present(node));
        if (!(await line.read('hearth/hello'))) continue;
        // On a connection that is new it says so once it has subscribed, and reads what comes before that.
        if (!line.said.has('is')) continue;
        const { rev } = line.said.get('is') ?? {};
        assert.ok(allowed.has(Number(rev)), `${node} obeys revision ${rev}`);
      }
    }),
  );
  for (const { node, most } of watched) assert.ok(most < mostMb, `${node}: ${most} MB`);
  await flood(broker, steady[0] ?? '');
  hostile = false;
  for (const [index, one] of watched.entries()) {
    assert.ok(lives(one), `${one.node} ended:\n${one.agent.output().slice(-2000)}`);
    const line = await obeys(one.node);
    if (shaken.includes(one.node)) assert.is(service(line)?.pid, before[index], 'its service was left alone');
    const kept = JSON.parse(readFileSync(join(one.data, 'want.json'), 'utf8'));
    assert.is(kept.rev, orders.newest.get(one.node));
    assert.equal(Object.keys(kept.services), ['keep']);
  }
  assert.not(existsSync(marker), 'it ran what its cluster never signed');
  clearInterval(sampled);
  console.log(`sent ${sent}; at most ${watched.map(({ node, most }) => `${node} ${most.toFixed(0)} MB`).join(', ')}`);
  for (const { node, most } of watched) assert.ok(most < floodedMb, `${node}: ${most} MB`);
  for (const { agent } of watched) await agent.stop();
  broker.close();
});

/** What a client might keep: exchanges that never end, and packets that come faster than they are read. */
async function flood(broker: HostileBroker, node: string): Promise<void> {
  const payload = Buffer.alloc(256 * 1024, 'x');
  const small = kinds.filter(({ cmd }) => !/^(connack|disconnect|pingreq)$/.test(cmd)).map(bytesOf);
  for (const qos of [2, 1, 0] as const) {
    let line = await broker.line(node);
    if (line.closed) line = await broker.line(node, line);
    for (let messageId = 1; messageId <= 1000 && !line.closed; messageId++) {
      line.send({ cmd: 'publish', topic: 'hearth/hello', payload, qos, retain: false, dup: false, messageId });
      await line.drained();
    }
    for (let count = 0; count < 200 && !line.closed; count++) {
      line.write(Buffer.concat(Array.from({ length: 200 }, () => pick(small))));
      await line.drained();
    }
  }
}

test.run();
