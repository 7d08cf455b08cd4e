/** What is kept of a question, and what rubbish costs. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Answers, remembered } from '../../broker/orders/answers.ts';
import type { NounTopic } from '../../shared/topics.ts';
import { manualClock } from '../fixture/manual-clock.ts';
import { memoryBroker } from '../fixture/memory-bus.ts';
import { node, rig } from '../fixture/supervisor-rig.ts';

const test = suite('answers');

const topic: NounTopic = { kind: 'noun', noun: 'node', target: { kind: 'one', id: 'n1' }, part: 'set', rest: [] };

test('of a long question only what its answer shows is remembered, and the answer is the same', () => {
  const broker = memoryBroker('embedded');
  const answers = new Answers('hearth', broker.bus(), manualClock());
  const chunk = Buffer.from('ä'.repeat(50_000));
  for (const length of [0, 63, 64, 255, 256, 257, 70_000]) {
    const question = {
      topic,
      message: { topic: 't', payload: chunk.subarray(0, length), qos: 0 as const, retain: false },
    };
    const kept = remembered(question, 'mark');
    assert.ok(length <= 256 || kept.message.payload.buffer.byteLength <= 256, `${length} bytes`);
    answers.reply({ ...question, tx: 'mark' }, true);
    const whole = broker.published.at(-1)?.text;
    answers.reply(kept, true);
    assert.is(broker.published.at(-1)?.text, whole);
  }
});

test('births that are none are told of, of a stranger as of a node, and do not fill the events', () => {
  const it = rig();
  node(it.broker, 'n1').birth();
  it.sync();
  const events = (name: string) =>
    it.broker.published.filter(
      one => one.topic === 'hearth/event' && one.text.includes(`"node":"${name}"`) && one.text.includes('bad-report'),
    );
  for (let i = 0; i < 100; i++) {
    it.broker.connect('hearth-n1').publish('hearth/node/n1/lwt', '{"epoch":"new"}');
    it.broker.connect('hearth-n2').publish('hearth/node/n2/lwt', 'rubbish');
  }
  assert.is(events('n1').length, 1);
  assert.match(events('n1')[0]?.text ?? '', /its lwt was not understood: epoch/);
  assert.is(events('n2').length, 10);
  assert.match(events('n2')[0]?.text ?? '', /its birth was not understood: not valid JSON/);
});

test.run();
