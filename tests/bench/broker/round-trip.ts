/** Question and answer at QoS 1 between two clients through the broker, one at a time. */

import { percentile } from '../statistics.ts';
import type { BenchCase } from './case.ts';
import { pause } from './case.ts';
import { PublishRing } from './packets.ts';
import { WireClient } from './wire-client.ts';

const payload = Buffer.alloc(200, 'x');
const [askTopic, answerTopic] = ['hearth/room/bench/in/ask', 'hearth/room/bench/in/answer'];

export const roundTripCase: BenchCase = {
  name: 'round-trip-qos1',
  title: 'round trip, QoS 1 both ways, 200 B',
  figures: [
    { key: 'p50', label: 'p50 µs', ratioAtMost: 3 },
    { key: 'p99', label: 'p99 µs', ratioAtMost: 3 },
    { key: 'cpuUs', label: 'CPU µs per round trip' },
  ],
  async run(broker, spans) {
    const [asker, answerer] = [new WireClient(broker), new WireClient(broker)];
    await asker.connect('bench-asker');
    await answerer.connect('bench-answerer');
    await asker.subscribe(answerTopic, 1);
    await answerer.subscribe(askTopic, 1);
    const asks = new PublishRing(askTopic, payload, 1, 1000);
    const answers = new PublishRing(answerTopic, payload, 1, 1000);
    let [times, from, over] = [[] as number[], 0, false];
    const ask = () => {
      from = performance.now();
      asker.write(asks.next());
    };
    answerer.events.payload = () => answerer.write(answers.next());
    asker.events.payload = () => {
      times.push((performance.now() - from) * 1000);
      // In a turn of its own: the PUBACK of this answer must not ride with the next question.
      if (!over) setImmediate(ask);
    };
    ask();
    await pause(spans.warmMs);
    times = [];
    const cpuFrom = broker.cpuMicros();
    await pause(spans.measureMs);
    const cpuUs = (broker.cpuMicros() - cpuFrom) / times.length;
    over = true;
    const sorted = Float64Array.from(times).sort();
    for (const client of [asker, answerer]) client.end();
    return { p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99), cpuUs, count: sorted.length };
  },
};
