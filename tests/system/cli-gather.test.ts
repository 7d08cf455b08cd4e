/** What the command line gathers from retained topics is whole, however slowly it comes, on every kind of broker. */
import { EventEmitter } from 'node:events';
import { stat } from 'node:fs';
import type { MqttClient } from 'mqtt';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createEmbeddedBroker } from '../../broker/mqtt/embedded.ts';
import { gather } from '../../cli/fleet.ts';
import { silentLog } from '../../shared/log.ts';
import { startMosquitto } from '../fixture/mosquitto.ts';
import { connectClient } from '../fixture/mqtt-client.ts';
import { testWith } from '../fixture/programs.ts';

const gathering = suite('cli gather');
const many = 300;
const ids = Array.from({ length: many }, (_, index) => `n${index}`);

gathering('a pause of the broker is not the end, the supervisor’s own status is', async () => {
  const client = new EventEmitter() as EventEmitter & Record<string, unknown>;
  const say = (topic: string, text: string, retain = true) =>
    client.emit('message', topic, Buffer.from(text), { retain });
  client.subscribeAsync = async (filters: string[]) => {
    assert.is(filters.at(-1), 'hearth/status', 'asked for last');
    say('hearth/node/a/status', 'online');
    setTimeout(() => {
      say('hearth/status', 'online', false);
      say('hearth/node/b/status', 'offline');
      say('hearth/status', 'online');
    }, 400);
  };
  client.unsubscribeAsync = async () => {};
  const known = await gather(client as unknown as MqttClient, 'hearth');
  assert.equal([...known.nodes.keys()], ['a', 'b']);
  assert.is(known.supervisor, 'online');
  assert.is(client.listenerCount('message'), 0);
});

gathering('a broker that is slow to take the question has something all the same', async () => {
  const client = new EventEmitter() as EventEmitter & Record<string, unknown>;
  const say = (topic: string, text: string) => client.emit('message', topic, Buffer.from(text), { retain: true });
  client.subscribeAsync = async () => {
    await new Promise(resolve => setTimeout(resolve, 1200));
    setImmediate(() => {
      say('hearth/node/a/status', 'online');
      say('hearth/status', 'online');
    });
  };
  client.unsubscribeAsync = async () => {};
  const known = await gather(client as unknown as MqttClient, 'hearth');
  assert.equal([...known.nodes.keys()], ['a']);
  assert.is(known.supervisor, 'online');
});

gathering('a command that is held up reads what came meanwhile before it takes that for all', async () => {
  const client = new EventEmitter() as EventEmitter & Record<string, unknown>;
  const say = (topic: string, text: string) => client.emit('message', topic, Buffer.from(text), { retain: true });
  client.subscribeAsync = async () => {
    setImmediate(() => {
      // Told where sockets are read, too: after the timers that are due by then.
      stat('/', () => {
        say('hearth/node/a/status', 'online');
        say('hearth/status', 'online');
      });
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1500);
    });
  };
  client.unsubscribeAsync = async () => {};
  const known = await gather(client as unknown as MqttClient, 'hearth');
  assert.equal([...known.nodes.keys()], ['a']);
});

testWith(gathering, ['mosquitto'], 'Mosquitto: every node, and the end after them', async () => {
  const mosquitto = await startMosquitto();
  const people = await connectClient(mosquitto.url);
  await people.publish('hearth/status', 'online', { retain: true });
  for (const id of ids) await people.publish(`hearth/node/${id}/status`, 'online', { retain: true });
  assert.is((await gather(people.client, 'hearth')).nodes.size, many);
  await people.close();
  await mosquitto.process.stop();
});

gathering('the embedded broker: every node, and the end after them', async () => {
  const broker = await createEmbeddedBroker({ base: 'hearth', log: silentLog, authenticator: 'open' });
  const port = await broker.listen({ host: '127.0.0.1', port: 0 });
  broker.bus.publish('hearth/status', 'online', { qos: 1, retain: true });
  for (const id of ids) broker.bus.publish(`hearth/node/${id}/status`, 'online', { qos: 1, retain: true });
  const people = await connectClient(`mqtt://127.0.0.1:${port}`);
  assert.is((await gather(people.client, 'hearth')).nodes.size, many);
  await people.close();
  await broker.close();
});

gathering.run();
