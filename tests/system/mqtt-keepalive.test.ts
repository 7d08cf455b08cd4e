/**
 * Silence: who is closed for it and when, and who is not because it was the broker that was away. Runs alone: when
 * silence ends is promised.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { suite } from 'uvu';
import { start, until } from '../fixture/processes.ts';
import { within } from '../fixture/promised-time.ts';
import { withBroker } from './mqtt/rig.ts';
import { Wire } from './mqtt/wire.ts';

const test = suite('embedded broker, keepalive');

const lwt = { topic: 'hearth/node/n1/lwt', payload: Buffer.from('offline'), qos: 1 as const, retain: false };

withBroker(
  test,
  'a silent client is closed after 1.5 × its keepalive, will first; one that speaks or asked for none is not',
  async rig => {
    const speaking = await Wire.connect(rig.port, { clientId: 'speaking', keepalive: 1 });
    // Any packet counts, not only pings.
    const timer = setInterval(() => speaking.send(speaking.publishPacket('a/b')), 300);
    const none = await Wire.connect(rig.port, { clientId: 'none' });
    let closed = 0;
    await within('closed', 2300, async () => {
      // From before its CONNECT, so that it may only seem longer.
      rig.told.length = 0;
      const from = performance.now();
      const silent = await Wire.connect(rig.port, { clientId: 'hearth-n1', keepalive: 1, will: lwt });
      await silent.ended();
      const took = performance.now() - from;
      assert.ok(took > 1450, `${took} ms`);
      await until('it is told', () => rig.told.includes('- hearth-n1'));
      assert.deepEqual(
        rig.told.filter(line => line.includes('n1')),
        ['+ hearth-n1', 'hearth/node/n1/lwt offline', '- hearth-n1'],
      );
      closed++;
      return took;
    });
    const end = performance.now() + 1000;
    await until('later', () => performance.now() > end || undefined);
    assert.deepEqual([speaking.closed, none.closed], [false, false]);
    assert.equal(rig.broker.gauges().timedOut, closed);
    clearInterval(timer);
  },
);

withBroker(test, 'a half-open packet counts as life, a client that only receives does not', async rig => {
  const receiver = await Wire.connect(rig.port, { keepalive: 1 });
  await receiver.subscribe('a/b');
  const timer = setInterval(() => void rig.publish('a/b', 'x', { qos: 0 }), 100);
  await receiver.ended();
  clearInterval(timer);
});

test('a stopped process reads what waits and grants everybody a fresh period: nobody is closed, no will is sent', async () => {
  const broker = start(process.execPath, ['--import', 'tsx', join(import.meta.dirname, 'mqtt/broker-process.ts')]);
  const port = Number((await broker.line(/^port (\d+)$/m))[1]);
  const node = await Wire.connect(port, { clientId: 'hearth-n1', keepalive: 2, will: lwt });
  const silent = await Wire.connect(port, { clientId: 'hearth-n2', keepalive: 1 });
  const pinging = setInterval(() => node.send({ cmd: 'pingreq' } as never), 300);
  broker.child.kill('SIGSTOP');
  const stop = performance.now() + 5000;
  await until('the stop is over', () => performance.now() > stop || undefined);
  const answered = node.packets.length;
  // Before it goes on, so that what it grants may only seem longer.
  const back = performance.now();
  broker.child.kill('SIGCONT');
  await until('the pings are answered', () => node.packets.length >= answered + 9 || undefined);
  // Even who said nothing meanwhile has its whole period again.
  await silent.ended();
  const took = performance.now() - back;
  assert.ok(took > 1200, `closed ${took} ms after`);
  assert.equal(node.closed, false);
  assert.ok(!broker.output().includes('offline') && !broker.output().includes('- hearth-n1'));
  clearInterval(pinging);
  node.end();
  await broker.stop('SIGKILL');
});

withBroker(test, 'a loop that is late by less reads first, too: what waits in the socket is life', async rig => {
  const node = await Wire.connect(rig.port, { clientId: 'hearth-n1', keepalive: 1, will: lwt });
  // Rounds of: silent for most of the period, then a ping, then the loop is blocked beyond the period.
  const block = new Int32Array(new SharedArrayBuffer(4));
  for (let round = 0; round < 5; round++) {
    // Together more than its 1.5 s; alone far less, for on a busy machine a turn may come late.
    const quiet = performance.now() + 680;
    await until('quiet', () => performance.now() > quiet || undefined);
    node.send({ cmd: 'pingreq' } as never);
    // The ping leaves in this turn; the broker cannot read it before the block.
    Atomics.wait(block, 0, 0, 900);
    await node.heard();
  }
  assert.equal(node.closed, false);
  assert.equal(rig.broker.gauges().timedOut, 0);
});

test.run();
