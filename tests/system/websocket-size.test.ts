/** MQTT over WebSocket refuses no more than MQTT over TCP does. */
import { join } from 'node:path';
import mqtt, { type Packet } from 'mqtt-packet';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { WebSocket } from 'ws';
import { FleetView } from '../../broker/fleet/view.ts';
import { startHttp } from '../../broker/http/server.ts';
import { limits } from '../../shared/limits.ts';
import { silentLog } from '../../shared/log.ts';
import { manualClock } from '../fixture/manual-clock.ts';
import { until } from '../fixture/processes.ts';
import { withBroker } from './mqtt/rig.ts';

const test = suite('websocket: size');

withBroker(test, 'a megabyte in one frame is answered, and the connection stands', async rig => {
  const http = await startHttp({
    host: '127.0.0.1',
    port: 0,
    fleet: new FleetView('hearth', '0', manualClock()),
    attach: stream => rig.broker.attach(stream),
    log: silentLog,
    dashboardFolder: join(import.meta.dirname, '../../dashboard'),
  });
  const socket = new WebSocket(`ws://127.0.0.1:${http.port}/mqtt`, 'mqtt');
  try {
    await new Promise(resolve => socket.once('open', resolve));
    const heard: Packet[] = [];
    const parser = mqtt.parser();
    parser.on('packet', packet => heard.push(packet));
    socket.on('message', data => parser.parse(data as Buffer));
    const say = (packet: Packet) => socket.send(mqtt.generate(packet));
    say({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clean: true, clientId: 'web', keepalive: 0 });
    await until('CONNACK', () => heard.length > 0);
    const payload = Buffer.alloc(limits.work, 'x');
    const publish = {
      cmd: 'publish',
      topic: 'hearth/node/n1/set',
      payload,
      qos: 1,
      messageId: 1,
      dup: false,
      retain: false,
    } as const;
    // With another packet behind it, as the clients do that write what they have.
    socket.send(Buffer.concat([mqtt.generate(publish), mqtt.generate({ cmd: 'pingreq' })]));
    await until(
      'PUBACK and PINGRESP',
      () => heard.some(({ cmd }) => cmd === 'puback') && heard.some(({ cmd }) => cmd === 'pingresp'),
    );
    assert.ok(rig.told.some(line => /^refused hearth\/node\/n1\/set: .*256 kB/.test(line)));
  } finally {
    socket.terminate();
    await http.close();
  }
});

test.run();
