/**
 * One client publishes, 200 listen. Closed loop: every full set of deliveries releases the next message, so at most
 * `window` messages are under way: many let a broker write several to a listener at once, one shows it without that.
 * Counted are deliveries. In the frozen cases one of the 200 never reads; each is measured against the same without it.
 */
import type { BenchCase, Figure, Sample, Spans } from './case.ts';
import { drain, meter } from './case.ts';
import type { RunningBroker } from './contenders.ts';
import { PublishRing } from './packets.ts';
import { connectMany, WireClient } from './wire-client.ts';

const listeners = 200;
const atFullRate = 50;
/** A topic that everybody may publish on and read. */
const topic = 'hearth/room/bench/in/temp_c';

interface Shape {
  readonly qos: 0 | 1;
  readonly bytes: number;
  readonly frozen: boolean;
  readonly window: number;
}

async function fanOut(broker: RunningBroker, spans: Spans, shape: Shape): Promise<Sample> {
  let [sent, received, over] = [0, 0, false];
  const publisher = new WireClient(broker);
  await publisher.connect('bench-publisher');
  const ring = new PublishRing(topic, Buffer.alloc(shape.bytes, 'x'), shape.qos, 1000);
  const clients = await connectMany(
    broker,
    listeners,
    index => `bench-listener-${index}`,
    client => client.subscribe(topic, shape.qos),
  );
  if (shape.frozen) clients.pop()?.socket.pause();
  const healthy = clients.filter(client => !client.socket.isPaused());
  const lastAt = new Float64Array(healthy.length);
  let longestGap = 0;
  healthy.forEach((client, index) => {
    client.events.published = count => {
      received += count;
      const now = performance.now();
      if (lastAt[index]) longestGap = Math.max(longestGap, now - (lastAt[index] as number));
      lastAt[index] = now;
      if (!over) pump();
    };
  });
  const pump = () => {
    while (sent - received / healthy.length < shape.window) {
      sent++;
      publisher.socket.write(ring.next());
    }
  };
  pump();
  const rssBefore = broker.rssKb();
  const sample = await meter(broker, spans, () => received);
  over = true;
  const rssMb = Math.max(0, broker.rssKb() - rssBefore) / 1024;
  // A listener that got nothing more while the others went on was stalled until now.
  const end = performance.now();
  for (const at of lastAt) longestGap = Math.max(longestGap, end - (at || end));
  const lost = await drain(() => sent * healthy.length - received);
  for (const client of [publisher, ...clients]) client.end();
  return { ...sample, lost, longestGap, rssMb };
}

const loss: Figure = { key: 'lost', label: 'lost', atMost: 0 };
const rate: Figure = { key: 'perSecond', label: 'deliveries/s' };

function plain(qos: 0 | 1, ratioAtMost: number, single: boolean): BenchCase {
  const figures = [{ key: 'cpuUs', label: 'CPU µs per delivery', ratioAtMost }, rate, loss];
  return {
    name: `fan-out${single ? '-single' : ''}-qos${qos}`,
    title: `fan-out 1 → ${listeners}, QoS ${qos}, 200 B${single ? ', one message at a time' : ''}`,
    figures,
    run: (broker, spans) => fanOut(broker, spans, { qos, bytes: 200, frozen: false, window: single ? 1 : atFullRate }),
  };
}

/** Longer messages than in the plain cases, so that the frozen listener's socket buffers fill up early in the run. */
function frozen(qos: 0 | 1): BenchCase {
  const figures: Figure[] = [
    { key: 'lost', label: 'lost by the other 199', atMost: 0 },
    { key: 'longestGap', label: 'longest pause of one of the others, ms' },
    { key: 'gapWithout', label: 'the same where nobody is frozen, ms' },
    // Longest pauses are the scheduler's as much as the broker's: double is what they differ by between equal runs.
    { key: 'stall', label: 'the one against the other, ×', atMost: 2 },
    rate,
    { key: 'rssMb', label: 'memory growth, MB' },
  ];
  return {
    name: `frozen-qos${qos}`,
    title: `1 of ${listeners} listeners frozen, QoS ${qos}, 16 kB`,
    figures,
    async run(broker, spans) {
      const shape = { qos, bytes: 16_384, window: atFullRate };
      const without = await fanOut(broker, spans, { ...shape, frozen: false });
      const sample = await fanOut(broker, spans, { ...shape, frozen: true });
      const [gap = 0, gapWithout = 0] = [sample.longestGap, without.longestGap];
      return { ...sample, gapWithout, stall: gap / gapWithout };
    },
  };
}

export const fanOutCases = [
  plain(0, 1, false),
  plain(1, 2, false),
  plain(0, 1, true),
  plain(1, 2, true),
  frozen(0),
  frozen(1),
];
