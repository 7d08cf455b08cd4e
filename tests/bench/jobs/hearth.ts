/** Hearth's side of the jobs bench: real processes, real MQTT, a synced journal. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Cluster, hearthCommand, startAgent, up } from '../../fixture/cluster.ts';
import { connectClient, type TestClient } from '../../fixture/mqtt-client.ts';
import { folder, type Started, start } from '../../fixture/processes.ts';

const plugins = {
  noop: 'export default async () => null;\n',
  // CLOCK_MONOTONIC is one clock for all processes of the machine.
  stamp: 'export default async () => Number(process.hrtime.bigint()) / 1e6;\n',
};
const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;

/** A supervisor and agents with a slot each, on loopback. */
export class Fabric {
  readonly #cluster: Cluster;
  readonly #agents: Started[];
  readonly client: TestClient;
  #jobs = 0;

  private constructor(cluster: Cluster, agents: Started[], client: TestClient) {
    this.#cluster = cluster;
    this.#agents = agents;
    this.client = client;
  }

  /** @param agents real agents; 0: one local agent, as `hearth up` has it. */
  static async start(agents: number): Promise<Fabric> {
    const cluster = await up({ flags: agents > 0 ? ['--no-agent'] : [] });
    const client = await connectClient(cluster.url, ['hearth/job/+/is', 'hearth/job/+/result', 'hearth/+/+/status']);
    const names = Array.from({ length: agents }, (_, i) => `n${i + 1}`);
    const running = names.map(node => {
      const data = folder('hearth-agent-');
      mkdirSync(join(data, 'plugins'));
      for (const [name, text] of Object.entries(plugins)) writeFileSync(join(data, 'plugins', `${name}.mjs`), text);
      return startAgent({ broker: cluster.url, node, data });
    });
    for (const node of names) {
      await client.wait(
        `${node} is online`,
        ({ topic, text }) => topic.endsWith(`${node}/status`) && text === 'online',
      );
      await client.publish(`hearth/node/${node}/set`, '{"jobs":{"slots":1}}');
    }
    return new Fabric(cluster, running, client);
  }

  get url(): string {
    return this.#cluster.url;
  }

  /** Supervisor's process. */
  get pid(): number {
    return this.#cluster.ready.pid;
  }

  /** Seconds from submission until all is committed and said. */
  async through(document: object, limitMs = 300_000): Promise<number> {
    const id = `bench-${++this.#jobs}`;
    this.client.forget();
    const at = performance.now();
    await this.client.publish(`hearth/job/${id}/set`, JSON.stringify(document));
    const ended = /"state":"(succeeded|failed|rejected|timed-out|canceled)"/;
    const last = await this.client.wait(
      `${id} ends`,
      ({ topic, text }) =>
        (topic === `hearth/job/${id}/is` && ended.test(text)) ||
        (topic === `hearth/job/${id}/result` && text.includes('"ok":false')),
      limitMs,
    );
    if (!last.text.includes('"state":"succeeded"')) throw new Error(`${id}: ${last.text}`);
    return (last.at - at) / 1000;
  }

  /** Submission to the start of its only task, ms, one job at a time. */
  async startedMs(times: number): Promise<number[]> {
    const values: number[] = [];
    const { client } = this.client;
    await client.subscribeAsync('hearth/job/+/out', { qos: 1 });
    for (let i = 0; i < times; i++) {
      const id = `start-${++this.#jobs}`;
      this.client.forget();
      const at = nowMs();
      void this.client.publish(`hearth/job/${id}/set`, '{"plugin":"stamp"}');
      const out = await this.client.wait('its result', ({ topic }) => topic === `hearth/job/${id}/out`);
      const [result] = (JSON.parse(out.text) as { results: { end: { value: number } }[] }).results;
      values.push((result?.end.value ?? Number.NaN) - at);
      await new Promise(resolve => setTimeout(resolve, 20));
    }
    await client.unsubscribeAsync('hearth/job/+/out');
    return values;
  }

  /** Seconds of the `hearth run` command, from its start to its end. */
  async run(args: readonly string[]): Promise<number> {
    const at = performance.now();
    const command = start(process.execPath, [hearthCommand, 'run', '--broker', this.url, ...args]);
    const code = await command.ended;
    if (code !== 0) throw new Error(`hearth run ended with ${code}: ${command.output().slice(-500)}`);
    return (performance.now() - at) / 1000;
  }

  /** CPU seconds of the supervisor and of the agents with what they started, so far. */
  cpu(): { readonly supervisor: number; readonly agents: number } {
    return {
      supervisor: cpuSeconds(this.pid),
      agents: this.#agents.reduce((sum, agent) => sum + cpuSeconds(agent.pid), 0),
    };
  }

  async stop(): Promise<void> {
    await this.client.close();
    await Promise.all(this.#agents.map(agent => agent.stop()));
    await this.#cluster.process.stop();
  }
}

/** User and system time of a process, without its children: fields 14 and 15 of /proc/PID/stat (proc(5)), in 1/100 s. */
function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Simulated nodes of one slot with real connections, and how well tasks of 10 ms fill them. */
export async function perfectUse(
  nodes: number,
  tasks: number,
): Promise<{ readonly use: number; readonly seconds: number }> {
  const fabric = await Fabric.start(0);
  const flags = ['simulate', '--nodes', String(nodes), '--broker', fabric.url];
  const simulation = start(process.execPath, [hearthCommand, ...flags]);
  try {
    for (let i = 1; i <= nodes; i++) {
      const is = `hearth/node/sim-${i}/status`;
      await fabric.client.wait(`sim-${i} is online`, ({ topic, text }) => topic === is && text === 'online');
      await fabric.client.publish(`hearth/node/sim-${i}/set`, '{"jobs":{"slots":1},"labels":{"kind":"simulated"}}');
    }
    const job = { plugin: 'noop', common: { ms: 10 }, where: 'kind=="simulated"' };
    await fabric.through({ ...job, array: `1-${Math.ceil(tasks / 10)}` });
    const { client } = fabric.client;
    let busyMs = 0;
    client.on('message', (topic, payload) => {
      if (!topic.endsWith('/out')) return;
      const { results } = JSON.parse(payload.toString()) as { results: { ms: number }[] };
      for (const { ms } of results) busyMs += ms;
    });
    await client.subscribeAsync('hearth/job/+/out', { qos: 1 });
    const seconds = await fabric.through({ ...job, array: `1-${tasks}` });
    return { use: busyMs / 1000 / (nodes * seconds), seconds };
  } finally {
    await simulation.stop();
    await fabric.stop();
  }
}
