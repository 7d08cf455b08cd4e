/** Many simulated nodes, one changed file each: how long until each of them has it. */
import { hearthCommand, up } from '../../fixture/cluster.ts';
import { connectClient } from '../../fixture/mqtt-client.ts';
import { start } from '../../fixture/processes.ts';
import { allOnline } from '../fleet/watch.ts';

/** @returns seconds from the first `set` to each node's `is`, and how many `set`s were sent. */
export async function manyNodes(nodes: number): Promise<readonly number[]> {
  const cluster = await up({ flags: ['--no-agent'] });
  const agents = start(process.execPath, [
    hearthCommand,
    'simulate',
    '--nodes',
    String(nodes),
    '--broker',
    cluster.url,
  ]);
  const watcher = await connectClient(cluster.url, ['hearth/node/+/is', 'hearth/node/+/result']);
  try {
    await allOnline(cluster, nodes, performance.now(), 60_000);
    const file = { path: '/etc/app.conf', content: 'one\n' };
    const ids = Array.from({ length: nodes }, (_, index) => `sim-${index + 1}`);
    await converged('one');
    // Past the second in which `is` is held back.
    await new Promise(done => setTimeout(done, 1500));
    return await converged('two');

    async function converged(content: string): Promise<readonly number[]> {
      watcher.forget();
      const since = performance.now();
      const payload = JSON.stringify({ files: { conf: { ...file, content } } });
      await Promise.all(ids.map(id => watcher.publish(`hearth/node/${id}/set`, payload)));
      const revs = new Map<string, number>();
      const done = new Map<string, number>();
      let seen = 0;
      await watcher.wait(`all have "${content}"`, () => {
        // Each message is read once, whatever is asked how often.
        for (; seen < watcher.heard.length; seen++) {
          const { topic = '', text = '{}', at = 0 } = watcher.heard[seen] ?? {};
          const [, , id = '', part] = topic.split('/');
          const { rev = 0 } = JSON.parse(text) as { rev?: number };
          if (part === 'result') revs.set(id, rev);
          else if (rev >= (revs.get(id) ?? Number.POSITIVE_INFINITY) && !done.has(id))
            done.set(id, (at - since) / 1000);
        }
        return done.size === nodes;
      });
      return [...done.values()];
    }
  } finally {
    await watcher.close();
    await agents.stop();
    await cluster.process.stop();
  }
}
