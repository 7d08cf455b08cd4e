/** What a connection that says nothing keeps resident. */
import type { BenchCase } from '../broker/case.ts';
import { pause } from '../broker/case.ts';
import { connectMany } from '../broker/wire-client.ts';

const connections = 1000;
/** Code, caches and the heap's first growth are there before it is counted. */
const before = 100;
/** What the handshakes left behind is given back where it ever is. */
const restMs = 3000;

export const memoryCase: BenchCase = {
  name: 'memory',
  title: `${connections.toLocaleString('en-US')} connections at rest`,
  figures: [
    { key: 'kb', label: 'resident kB per connection' },
    { key: 'cpuUs', label: 'CPU µs to connect one' },
  ],
  async run(broker) {
    const topic = 'hearth/room/bench/in/temp_c';
    const open = (count: number, name: string) =>
      connectMany(
        broker,
        count,
        index => `bench-${name}-${index}`,
        client => client.subscribe(topic, 0),
      );
    const first = await open(before, 'first');
    await pause(restMs);
    const [rssFrom, cpuFrom] = [broker.rssKb(), broker.cpuMicros()];
    const rest = await open(connections, 'rest');
    const cpuUs = (broker.cpuMicros() - cpuFrom) / connections;
    await pause(restMs);
    const kb = (broker.rssKb() - rssFrom) / connections;
    for (const client of [...first, ...rest]) client.end();
    return { kb, cpuUs };
  },
};
