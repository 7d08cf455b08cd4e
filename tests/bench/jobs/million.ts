/** A million tasks in the queue, half of them done, when the supervisor is killed: how soon work goes on, and in how much memory. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startAgent, up } from '../../fixture/cluster.ts';
import { connectClient } from '../../fixture/mqtt-client.ts';
import { folder, freePort, until } from '../../fixture/processes.ts';

export interface Million {
  /** From the start of the process until it listens and has taken everything up, s. */
  readonly readyS: number;
  /** From the start of the process until a task that it sent has its result on `out`, s. */
  readonly workS: number;
  /** Resident memory then, and the most until then, MB. */
  readonly mb: number;
  readonly mostMb: number;
}

const statusMb = (pid: number, key: string): number =>
  Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;

export async function million(tasks: number): Promise<Million> {
  const [mqttPort, httpPort] = [await freePort(), await freePort()];
  const options = { mqttPort, httpPort, flags: ['--no-agent'] };
  const first = await up(options);
  const agents = ['n1', 'n2', 'n3', 'n4'].map(node => {
    const data = folder('hearth-agent-');
    mkdirSync(join(data, 'plugins'));
    writeFileSync(join(data, 'plugins/noop.mjs'), 'export default async () => null;\n');
    return startAgent({ broker: first.url, node, data });
  });
  try {
    const client = await connectClient(first.url, ['hearth/job/million/is', 'hearth/node/+/status']);
    for (let n = 1; n <= agents.length; n++) {
      const status = `hearth/node/n${n}/status`;
      await client.wait(`n${n} is online`, ({ topic, text }) => topic === status && text === 'online');
    }
    await client.publish('hearth/job/million/set', JSON.stringify({ plugin: 'noop', array: `1-${tasks}` }));
    const half = ({ text }: { readonly text: string }) =>
      (/"succeeded":(\d+)/.exec(text)?.[1] ?? '') !== '' && Number(/"succeeded":(\d+)/.exec(text)?.[1]) >= tasks / 2;
    await client.wait('half of them are done', half, 600_000);
    await client.close();
    await first.process.stop('SIGKILL');
    const at = performance.now();
    const second = await up({ ...options, data: first.data });
    const readyS = (performance.now() - at) / 1000;
    const again = await connectClient(second.url, ['hearth/job/million/out']);
    await again.wait('work goes on', ({ topic }) => topic.endsWith('/out'), 60_000);
    const workS = (performance.now() - at) / 1000;
    const { pid } = second.ready;
    const [mb, mostMb] = [statusMb(pid, 'VmRSS'), statusMb(pid, 'VmHWM')];
    await again.publish('hearth/job/million/do/cancel', '');
    await until('it is canceled', () => again.heard.length > 0);
    await again.close();
    await second.process.stop();
    return { readyS, workS, mb, mostMb };
  } finally {
    await Promise.all(agents.map(agent => agent.stop()));
  }
}
