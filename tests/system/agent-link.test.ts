/**
 * The agent's link over MQTT.js, on a real Mosquitto and on servers that misbehave. Runs alone: that a lost link is
 * noticed within 5 s is promised.
 */
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { suite, type Test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseBroker } from '../../node-agent/connection/broker-address.ts';
import { createMqttLink } from '../../node-agent/connection/mqtt-link.ts';
import { wayTo } from '../../node-agent/connection/way.ts';
import type { Link } from '../../shared/link.ts';
import { startMosquitto } from '../fixture/mosquitto.ts';
import { connectClient } from '../fixture/mqtt-client.ts';
import { freePort, until } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';
import { within } from '../fixture/promised-time.ts';

const links: Test = suite('link');

interface Events {
  ups: number;
  downs: string[];
  heard: [string, string][];
}

/** @param keepaliveS so long that nobody is cut off who is only slow, where nothing is said of it. */
function connect(link: Link, id: string, will = 'gone', keepaliveS = 60): Events {
  const events: Events = { ups: 0, downs: [], heard: [] };
  link.connect(
    {
      clientId: `hearth-${id}`,
      keepaliveS,
      will: { topic: `hearth/node/${id}/lwt`, payload: will },
      subscriptions: [`hearth/node/${id}/cmd`, 'hearth/hello'],
    },
    {
      up: () => events.ups++,
      down: reason => events.downs.push(reason),
      message: (topic, payload) => events.heard.push([topic, Buffer.from(payload).toString()]),
    },
  );
  return events;
}

const linkTo = (url: string) => createMqttLink(wayTo(parseBroker(url)));

testWith(links, ['mosquitto'], 'up means subscribed: the first message after it is heard', async () => {
  const mosquitto = await startMosquitto();
  const sender = await connectClient(mosquitto.url);
  const link = linkTo(mosquitto.url);
  const events = connect(link, 'a');
  assert.not(link.publish('hearth/x', 'early', { qos: 1 }), 'nothing is queued before');
  await until('up', () => events.ups === 1);
  await sender.publish('hearth/node/a/cmd', 'now');
  await until('heard', () => events.heard.length === 1);
  assert.equal(events.heard[0], ['hearth/node/a/cmd', 'now']);
  link.close(true);
  await until('down', () => events.downs.length === 1);
  await sender.close();
  await mosquitto.process.stop();
});

testWith(
  links,
  ['mosquitto'],
  'a graceful close delivers what is in flight and leaves no will; a crash leaves one',
  async () => {
    const mosquitto = await startMosquitto();
    const watcher = await connectClient(mosquitto.url, ['hearth/#']);
    const link = linkTo(mosquitto.url);
    const first = connect(link, 'a', 'will-1');
    await until('up', () => first.ups === 1);
    for (let count = 0; count < 50; count++) link.publish(`hearth/node/a/x${count}`, 'y', { qos: 1 });
    link.close(true);
    assert.not(link.publish('hearth/node/a/late', 'z', { qos: 1 }));
    await until('down', () => first.downs.length === 1);
    await watcher.wait('the last one', message => message.topic.endsWith('/x49'));
    const second = connect(link, 'a', 'will-2');
    await until('up', () => second.ups === 1);
    link.close(false);
    await watcher.wait('the will', message => message.text === 'will-2');
    await until('down', () => second.downs.length > 0);
    assert.is(watcher.heard.filter(message => message.text === 'will-1').length, 0);
    assert.equal([first.downs.length, second.downs.length], [1, 1]);
    await watcher.close();
    await mosquitto.process.stop();
  },
);

testWith(
  links,
  ['mosquitto'],
  'a frozen broker is noticed within 5 s, and nothing said meanwhile comes later',
  async () => {
    const mosquitto = await startMosquitto();
    await within('noticed', 5000, async () => {
      const link = linkTo(mosquitto.url);
      const events = connect(link, 'a', 'gone', 3);
      await until('up', () => events.ups === 1);
      const at = performance.now();
      mosquitto.process.child.kill('SIGSTOP');
      await until('down', () => events.downs.length === 1);
      const took = performance.now() - at;
      assert.not(link.publish('hearth/node/a/load', 'stale', { qos: 0 }));
      assert.not(link.publish('hearth/node/a/is', 'stale', { qos: 1 }));
      mosquitto.process.child.kill('SIGCONT');
      const watcher = await connectClient(mosquitto.url, ['hearth/#']);
      const again = connect(link, 'a');
      await until('up again', () => again.ups === 1);
      link.publish('hearth/node/a/is', 'fresh', { qos: 1 });
      await watcher.wait('the fresh one', message => message.text === 'fresh');
      assert.is(watcher.heard.filter(message => message.text === 'stale').length, 0);
      assert.is(events.downs.length, 1);
      await watcher.close();
      link.close(false);
      await until('down', () => again.downs.length === 1);
      return took;
    });
    await mosquitto.process.stop();
  },
);

testWith(links, ['mosquitto'], 'taken over by another connection of the same id: one down', async () => {
  const mosquitto = await startMosquitto();
  const one = linkTo(mosquitto.url);
  const two = linkTo(mosquitto.url);
  const first = connect(one, 'a');
  await until('up', () => first.ups === 1);
  const second = connect(two, 'a');
  await until('taken over', () => first.downs.length === 1 && second.ups === 1);
  assert.is(second.downs.length, 0);
  two.close(true);
  await until('down', () => second.downs.length === 1);
  await mosquitto.process.stop();
});

/** A server that does `act` with each connection, and what became of the sockets. */
async function badServer(act: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  const server = createServer(socket => {
    sockets.add(socket);
    // Read on, or its end is never seen.
    socket
      .on('error', () => {})
      .on('close', () => sockets.delete(socket))
      .resume();
    act(socket);
  });
  await new Promise<void>(resolve => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const close = () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { url: `mqtt://127.0.0.1:${port}`, sockets, close };
}

const connack = Buffer.from([0x20, 2, 0, 0]);
const bad: readonly [string, (socket: Socket) => void, RegExp][] = [
  ['closes at once', socket => socket.destroy(), /lost|ECONN|closed/],
  ['never answers', () => {}, /connack|timeout/i],
  [
    'refuses the CONNECT',
    socket => void socket.once('data', () => socket.write(Buffer.from([0x20, 2, 0, 3]))),
    /refused/i,
  ],
  ['talks HTTP', socket => void socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'), /./],
  [
    'refuses the subscriptions',
    socket => {
      socket.once('data', () => {
        socket.write(connack);
        socket.once('data', data => void socket.write(Buffer.from([0x90, 4, data[2] ?? 0, data[3] ?? 0, 0x80, 0x80])));
      });
    },
    /subscri/i,
  ],
  [
    'sends a packet of 200 MB',
    socket => {
      socket.once('data', () => socket.write(Buffer.concat([connack, Buffer.from([0x30, 0x80, 0x84, 0xaf, 0x5f])])));
    },
    /size limit/,
  ],
];
for (const [name, act, why] of bad) {
  links(`a broker that ${name}: exactly one down, and the socket is let go`, async () => {
    const server = await badServer(act);
    try {
      const events = connect(linkTo(server.url), 'a');
      await until('down', () => events.downs.length > 0);
      await until('the socket is gone', () => server.sockets.size === 0);
      assert.is(events.ups, 0);
      assert.is(events.downs.length, 1);
      assert.match(events.downs[0] ?? '', why);
    } finally {
      server.close();
    }
  });
}

links('nobody listens: one down', async () => {
  const events = connect(linkTo(`mqtt://127.0.0.1:${await freePort()}`), 'a');
  await until('down', () => events.downs.length === 1);
  assert.match(events.downs[0] ?? '', /ECONNREFUSED/);
});

links('addresses of brokers are read, and nonsense is named', () => {
  assert.equal(parseBroker('mqtt://10.0.0.1'), { tls: false, host: '10.0.0.1', port: 1883, loopback: false });
  assert.equal(parseBroker('mqtts://u:p%40@box:9999'), {
    ...{ tls: true, host: 'box', port: 9999, loopback: false, username: 'u', password: 'p@' },
  });
  for (const url of ['mqtt://127.0.0.1:1', 'mqtt://localhost', 'mqtt://[::1]:5', '127.9.9.9:1883']) {
    assert.ok(parseBroker(url).loopback, url);
  }
  for (const url of ['mqtt://127.0.0.1.evil.org', 'mqtt://localhost.evil.org'])
    assert.not(parseBroker(url).loopback, url);
  assert.throws(() => parseBroker('http://box'), /http:.*mqtt:\/\/HOST/);
  assert.throws(() => parseBroker('mqtt://'), /mqtt:\/\/HOST/);
});

links.run();
