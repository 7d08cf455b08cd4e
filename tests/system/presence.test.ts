/**
 * Presence with real processes on the embedded broker: every race that last wills are known for. Runs alone: it
 * measures times that are promised.
 */
import { rmSync } from 'node:fs';
import mqtt from 'mqtt';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Cluster, startAgent, up } from '../fixture/cluster.ts';
import { connectClient, type Heard, type TestClient } from '../fixture/mqtt-client.ts';
import { folder, freePort } from '../fixture/processes.ts';
import { within } from '../fixture/promised-time.ts';

interface Context {
  cluster: Cluster;
  watcher: TestClient;
}

const presence = suite<Context>('presence');

presence.before(async context => {
  context.cluster = await up({ flags: ['--no-agent'] });
  context.watcher = await connectClient(context.cluster.url, ['hearth/node/+/status', 'hearth/event']);
});
presence.after(async context => {
  await context.watcher.close();
  await context.cluster.process.stop();
});
presence.before.each(context => context.watcher.forget());

const isStatus = (node: string, text: string) => (message: Heard) =>
  message.topic === `hearth/node/${node}/status` && message.text === text && !message.retain;
const offlineOf = (watcher: TestClient, node: string) => watcher.heard.filter(isStatus(node, 'offline')).length;

presence('a killed agent is offline in under half a second', async ({ cluster, watcher }) => {
  const data = folder('hearth-agent-');
  await within('offline after the kill', 499, async () => {
    watcher.forget();
    const agent = startAgent({ broker: cluster.url, node: 'killed', data });
    await watcher.wait('online', isStatus('killed', 'online'));
    const at = performance.now();
    agent.child.kill('SIGKILL');
    return (await watcher.wait('offline', isStatus('killed', 'offline'))).at - at;
  });
});

presence('an agent that ends in order does so within 5 s, and says farewell', async ({ cluster, watcher }) => {
  const data = folder('hearth-agent-');
  await within('its end', 5000, async () => {
    watcher.forget();
    const agent = startAgent({ broker: cluster.url, node: 'leaver', data });
    await watcher.wait('online', isStatus('leaver', 'online'));
    const at = performance.now();
    assert.is(await agent.stop('SIGTERM'), 0);
    const took = performance.now() - at;
    await watcher.wait('offline', isStatus('leaver', 'offline'));
    return took;
  });
});

presence(
  'half-open: a frozen agent keeps its socket and is offline within 5 s, online when it thaws',
  async context => {
    const { cluster, watcher } = context;
    const agent = startAgent({ broker: cluster.url, node: 'frozen' });
    await watcher.wait('online', isStatus('frozen', 'online'));
    await within('offline while frozen', 5000, async () => {
      const at = performance.now();
      agent.child.kill('SIGSTOP');
      const offline = await watcher.wait('offline', isStatus('frozen', 'offline'));
      watcher.forget();
      agent.child.kill('SIGCONT');
      await watcher.wait('online again', isStatus('frozen', 'online'));
      watcher.forget();
      return offline.at - at;
    });
    await agent.stop();
  },
);

/** A client that speaks as an agent would, so that the order of its packets is the test's. */
async function impostor(url: string, node: string, inst: string, epoch: number) {
  const lwt = (online: boolean) => JSON.stringify({ epoch, inst, online, period_ms: 5000, proto: 1 });
  const client = mqtt.connect(url, {
    clientId: `hearth-${node}`,
    keepalive: 3,
    reconnectPeriod: 0,
    protocolVersion: 4,
    will: { topic: `hearth/node/${node}/lwt`, payload: Buffer.from(lwt(false)), qos: 1, retain: false },
  });
  client.on('error', () => {});
  await new Promise<void>(resolve => client.once('connect', () => resolve()));
  const birth = () => client.publishAsync(`hearth/node/${node}/lwt`, lwt(true), { qos: 1 });
  return {
    client,
    birth,
    say: (text: string) => client.publishAsync(`hearth/node/${node}/lwt`, text, { qos: 1 }),
    lwt,
  };
}

presence('a same-id takeover over a half-open link ends online, every time', async ({ cluster, watcher }) => {
  const inst = 'aaaaaaaa00000001';
  let before = await impostor(cluster.url, 'taken', inst, 1);
  await before.birth();
  await watcher.wait('online', isStatus('taken', 'online'));
  watcher.forget();
  for (let epoch = 2; epoch <= 20; epoch++) {
    const next = await impostor(cluster.url, 'taken', inst, epoch);
    await next.birth();
    before = next;
  }
  before.client.stream.destroy();
  await watcher.wait('offline at the very end', isStatus('taken', 'offline'));
  assert.is(offlineOf(watcher, 'taken'), 1);
});

presence('a will of an older epoch that comes after the next birth changes nothing', async ({ cluster, watcher }) => {
  const node = await impostor(cluster.url, 'late', 'bbbbbbbb00000001', 7);
  await node.birth();
  await watcher.wait('online', isStatus('late', 'online'));
  await node.say(JSON.stringify({ epoch: 6, inst: 'bbbbbbbb00000001', online: false, period_ms: 5000, proto: 1 }));
  await node.say(JSON.stringify({ epoch: 9, inst: 'cccccccc00000001', online: false, period_ms: 5000, proto: 1 }));
  await node.birth();
  assert.is(offlineOf(watcher, 'late'), 0);
  await node.say(node.lwt(false));
  await watcher.wait('its own farewell', isStatus('late', 'offline'));
  await node.client.endAsync(true);
});

presence(
  'two hosts with one id: the first stays online, the second is told and named',
  async ({ cluster, watcher }) => {
    const first = startAgent({ broker: cluster.url, node: 'twin' });
    await watcher.wait('online', isStatus('twin', 'online'));
    watcher.forget();
    const second = startAgent({ broker: cluster.url, node: 'twin' });
    const event = await watcher.wait(
      'event',
      message => message.topic === 'hearth/event' && /"twin"/.test(message.text),
    );
    assert.match(event.text, /twin/);
    const back = await connectClient(cluster.url, ['hearth/node/twin/load']);
    // Two loads of the first: it is the one that the broker holds.
    await back.wait('load of the first', message => message.topic.endsWith('/load'));
    assert.is(offlineOf(watcher, 'twin'), 0);
    watcher.forget();
    await second.stop('SIGKILL');
    await first.stop('SIGKILL');
    await watcher.wait('offline once the first is gone', isStatus('twin', 'offline'));
    await back.close();
  },
);

presence('a reinstalled node, whose epochs start over, is taken back at once', async ({ cluster, watcher }) => {
  const data = folder('hearth-agent-');
  for (let round = 0; round < 3; round++) {
    const agent = startAgent({ broker: cluster.url, node: 'reborn', data });
    await watcher.wait('online', isStatus('reborn', 'online'));
    watcher.forget();
    await agent.stop('SIGKILL');
    await watcher.wait('offline', isStatus('reborn', 'offline'));
    watcher.forget();
  }
  rmSync(data, { recursive: true });
  const agent = startAgent({ broker: cluster.url, node: 'reborn', data });
  await watcher.wait('online after the reinstallation', isStatus('reborn', 'online'));
  await agent.stop();
});

presence('broker kill -9: every status is offline before it listens, and online again after', async () => {
  const [mqttPort, httpPort] = [await freePort(), await freePort()];
  const first = await up({ flags: ['--no-agent'], mqttPort, httpPort });
  const agent = startAgent({ broker: first.url, node: 'survivor' });
  const before = await connectClient(first.url, ['hearth/node/+/status']);
  await before.wait('online', message => message.text === 'online');
  await before.close();
  first.process.child.kill('SIGKILL');
  await first.process.ended;
  // The agent cannot answer: what the new supervisor says about it is its own word.
  agent.child.kill('SIGSTOP');
  const second = await up({
    flags: ['--no-agent'],
    data: first.data,
    ...{ mqttPort, httpPort },
  });
  const after = await connectClient(second.url, ['hearth/node/+/status']);
  const retained = await after.wait('the retained status', message => message.retain);
  assert.is(retained.text, 'offline');
  agent.child.kill('SIGCONT');
  await after.wait('online again', message => message.text === 'online');
  await after.close();
  await agent.stop();
  await second.process.stop();
});

presence('a supervisor stalled for 10 s: who lives does not flap, who died is offline', async () => {
  const cluster = await up({ flags: ['--no-agent'] });
  const live = startAgent({ broker: cluster.url, node: 'live' });
  const dead = startAgent({ broker: cluster.url, node: 'dead' });
  // The watcher must outlive the stall itself, hence its long keepalive.
  const watcher = await connectClient(cluster.url, ['hearth/node/+/status'], { keepalive: 120 });
  await watcher.wait('both online', isStatus('live', 'online'));
  await watcher.wait('both online', isStatus('dead', 'online'));
  watcher.forget();
  cluster.process.child.kill('SIGSTOP');
  const thaw = new Promise(resolve => setTimeout(resolve, 10_000));
  await dead.stop('SIGKILL');
  await thaw;
  cluster.process.child.kill('SIGCONT');
  await watcher.wait('the dead one is offline', isStatus('dead', 'offline'));
  assert.is(offlineOf(watcher, 'live'), 0);
  const load = await connectClient(cluster.url, ['hearth/node/live/load']);
  await load.wait('the live one is heard', () => true);
  assert.is(offlineOf(watcher, 'live'), 0);
  await load.close();
  await watcher.close();
  await live.stop();
  await cluster.process.stop();
});

presence('all cores burning for two minutes: no flap', async ({ cluster, watcher }) => {
  const agent = startAgent({ broker: cluster.url, node: 'furnace' });
  await watcher.wait('online', isStatus('furnace', 'online'));
  watcher.forget();
  const results = await connectClient(cluster.url, ['hearth/node/furnace/result', 'hearth/node/furnace/is']);
  for (let index = 0; index < 8; index++) {
    await results.publish(`hearth/node/furnace/set/services/burn${index}`, 'while :; do :; done');
  }
  await results.wait('all burning', message => (message.text.match(/"state":"running"/g) ?? []).length === 8);
  await new Promise(resolve => setTimeout(resolve, 120_000));
  assert.is(offlineOf(watcher, 'furnace'), 0);
  results.forget();
  for (let index = 0; index < 8; index++) await results.publish(`hearth/node/furnace/set/services/burn${index}`, '');
  await results.wait('none left', message => message.topic.endsWith('/is') && /"items":\{\}/.test(message.text));
  await results.close();
  await agent.stop();
});

presence.run();
