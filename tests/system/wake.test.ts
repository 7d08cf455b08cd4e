/**
 * Wake-on-LAN between real network namespaces: a sleeper on the supervisor's own cable, and one on a cable that only another
 * node is at. Whoever is at the cable's other end sees the packets.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { suite } from 'uvu';
import { magicPacket } from '../../shared/wake/magic-packet.ts';
import { startAgent, up } from '../fixture/cluster.ts';
import { connectClient, type Heard, type TestClient } from '../fixture/mqtt-client.ts';
import { type Started, start } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';
import { makeTestHost, relay, type TestHost } from '../fixture/test-host.ts';

const test = suite('wake');
const ip = (...args: string[]) => execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
/** Of Intel's, as a card has it: what a namespace is given is made up. */
const card = () => `00:1b:21:${randomBytes(3).toString('hex').match(/../g)?.join(':')}`;
const hex = (mac: string) => Buffer.from(magicPacket(mac)).toString('hex');

/** Prints every datagram to port 9 that gets to the namespace. */
async function listen(under: readonly string[]): Promise<Started> {
  const script = `const socket = require('node:dgram').createSocket('udp4');
    socket.on('message', (bytes, from) => console.log(from.address, bytes.toString('hex')));
    socket.bind(9, () => console.log('listens'));`;
  const [command = '', ...args] = [...under, process.execPath, '-e', script];
  const listener = start(command, args);
  await listener.line(/^listens$/m);
  return listener;
}

/** A third machine, at a cable of its own to `host`: nobody else hears what is broadcast there. */
function behind(host: TestHost): { readonly under: readonly string[]; readonly net: string; remove(): void } {
  const name = `${host.name}-b`;
  const near = `hb${host.port.slice(2)}`;
  const prefix = `198.19.${randomBytes(1)[0]}`;
  ip('netns', 'add', name);
  ip('-n', host.name, 'link', 'add', near, 'type', 'veth', 'peer', 'name', 'lan0', 'netns', name);
  for (const [space, link, end] of [
    [host.name, near, 1],
    [name, 'lan0', 2],
  ] as const) {
    ip('-n', space, 'addr', 'add', `${prefix}.${end}/24`, 'dev', link);
    ip('-n', space, 'link', 'set', link, 'up');
  }
  let there = true;
  const remove = () => {
    if (there) ip('netns', 'del', name);
    there = false;
  };
  process.on('exit', remove);
  return { under: ['ip', 'netns', 'exec', name], net: `${prefix}.0/24`, remove };
}

const says = (node: string, part: string, text: RegExp) => (message: Heard) =>
  message.topic === `hearth/node/${node}/${part}` && text.test(message.text);

const undo: (() => void)[] = [];
test.after(() => {
  for (const step of undo.reverse()) step();
});

/** Waits for the end of an order that is asked with this mark. */
const over = (client: TestClient, node: string, tx: string) =>
  client.wait(`the end of ${tx}`, says(node, 'result', new RegExp(`"finished".*"tx":"${tx}"`)));

testWith(
  test,
  ['root', 'ip'],
  'packets get to a sleeper on the supervisor’s cable, and by a node to one behind that node',
  async () => {
    const [desk, hall] = [makeTestHost(), makeTestHost()];
    undo.push(desk.remove, hall.remove);
    const cellar = behind(hall);
    undo.push(cellar.remove);
    const [deskCard, cellarCard] = [card(), card()];
    ip('-n', desk.name, 'link', 'set', desk.port, 'address', deskCard);

    // Without a node of its own: what is sent from here is sent by the supervisor itself.
    const cluster = await up({ flags: ['--no-agent'] });
    const filters = [
      'hearth/node/+/status',
      'hearth/node/+/info',
      'hearth/node/+/result',
      'homeassistant/device/+/config',
    ];
    const client = await connectClient(cluster.url, filters);

    // A machine that was there once, and has told which card it has and where.
    const cold = await connectClient(cluster.url, ['hearth/node/cold/want'], { clientId: 'hearth-cold' });
    const birth = { epoch: 1, inst: 'aaaaaaaa', online: true, period_ms: 5000, proto: 1 };
    await cold.publish('hearth/node/cold/lwt', JSON.stringify(birth));
    const info = { node: 'cold', cores: 4, macs: cellarCard, nets: cellar.net };
    await cold.publish('hearth/node/cold/info', JSON.stringify(info), { retain: true });
    const want = await cold.wait('its document', ({ text }) => text !== '');
    const flags = ['--cluster', (JSON.parse(want.text) as { cluster: string }).cluster];
    await client.wait('the info of the cold machine', says('cold', 'info', /macs/));
    await cold.close();
    await client.wait('cold is offline', says('cold', 'status', /^offline$/));

    // A real one tells by itself.
    const deskLine = await relay(desk.near, cluster.ready.mqtt);
    const hallLine = await relay(hall.near, cluster.ready.mqtt);
    undo.push(deskLine.close, hallLine.close);
    const agentOf = (host: TestHost, node: string, port: number, data?: string) =>
      startAgent({
        ...{ broker: `mqtt://${host.near}:${port}`, node, flags, under: host.under },
        ...(data ? { data } : {}),
      });
    let sleeper = agentOf(desk, 'desk', deskLine.port);
    const told = JSON.parse((await client.wait('info of desk', says('desk', 'info', /macs/))).text) as {
      macs: string;
      nets: string;
    };
    assert.equal(told.macs, deskCard);
    assert.match(told.nets, /^198\.18\.\d+\.\d+\/30$/);
    await sleeper.stop('SIGKILL');
    await client.wait('desk is offline', says('desk', 'status', /^offline$/));

    const atDesk = await listen(desk.under);
    const atCellar = await listen(cellar.under);
    await client.publish('hearth/node/desk/do/wake', '{"tx":"desk"}');
    await atDesk.line(new RegExp(`^${desk.near.replaceAll('.', '\\.')} ${hex(deskCard)}$`, 'm'));

    // Nobody is awake yet at the cellar's cable: a whole round goes by without it.
    await client.publish('hearth/node/cold/do/wake', '{"tx":"cold"}');
    await atDesk.line(new RegExp(hex(cellarCard)));
    assert.equal(atCellar.output(), 'listens\n');
    const helper = agentOf(hall, 'hall', hallLine.port);
    await client.wait('hall can send', says('hall', 'info', /\bwol\b.*198\.19\./));
    await atCellar.line(new RegExp(`^198\\.19\\.\\d+\\.1 ${hex(cellarCard)}$`, 'm'));

    // The one wakes up.
    sleeper = agentOf(desk, 'desk', deskLine.port, sleeper.data);
    const end = await over(client, 'desk', 'desk');
    assert.match(end.text, /"ok":true/);
    await client.publish('hearth/node/desk/do/wake', '{"tx":"again"}');
    assert.match(
      (await over(client, 'desk', 'again')).text,
      /"ok":true.*"desk is online already"|"desk is online already".*"ok":true/,
    );

    // Home Assistant has a button for who is asleep.
    const device = await client.wait(
      'the device of cold',
      // Announced first when it is born, which may be before its card is known.
      ({ topic, text }) => topic.endsWith('node_cold/config') && /"wake":\{/.test(text),
    );
    const { cmps } = JSON.parse(device.text) as { cmps: Record<string, { cmd_t?: string; avty?: { t: string }[] }> };
    assert.equal(cmps.wake?.cmd_t, 'hearth/node/cold/do/wake');
    assert.deepEqual(cmps.wake?.avty, [{ t: 'hearth/status' }]);

    for (const one of [sleeper, helper]) await one.stop();
    for (const one of [atDesk, atCellar]) await one.stop('SIGKILL');
    await client.close();
    await cluster.process.stop();
    deskLine.close();
    hallLine.close();
  },
);

test.run();
