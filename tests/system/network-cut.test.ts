/**
 * A pulled cable between real network namespaces: how long until the status says so. Runs alone: how long it takes
 * until a cut is seen is promised.
 */
import { suite } from 'uvu';
import { startAgent, up } from '../fixture/cluster.ts';
import { startMosquitto } from '../fixture/mosquitto.ts';
import { connectClient, type Heard } from '../fixture/mqtt-client.ts';
import { testWith } from '../fixture/programs.ts';
import { within } from '../fixture/promised-time.ts';
import { makeTestHost, relay } from '../fixture/test-host.ts';

const cut = suite('network cut');

const statusOf = (node: string, text: string) => (message: Heard) =>
  message.topic === `hearth/node/${node}/status` && message.text === text;

/** The cluster's fingerprint, as anybody reads it off a node's signed document. */
async function fingerprint(url: string, node: string): Promise<string> {
  const reader = await connectClient(url, [`hearth/node/${node}/want`]);
  const want = await reader.wait('the want of the local node', () => true);
  await reader.close();
  return (JSON.parse(want.text) as { cluster: string }).cluster;
}

async function pullAndPlug(brokerUrl: string, agentUrl: string, node: string, cluster: string, limitMs: number) {
  const host = cutHost;
  if (!host) throw new Error('no test host');
  const agent = startAgent({ broker: agentUrl, node, flags: ['--cluster', cluster], under: host.under });
  const watcher = await connectClient(brokerUrl, ['hearth/node/+/status']);
  await watcher.wait(`${node} online`, statusOf(node, 'online')).catch((error: Error) => {
    throw new Error(`${error.message}\nthe agent says ${agent.output()}`);
  });
  await within('offline without a cable', limitMs, async () => {
    watcher.forget();
    const at = performance.now();
    host.cable(false);
    const offline = await watcher.wait('offline', statusOf(node, 'offline'));
    watcher.forget();
    host.cable(true);
    await watcher.wait('online again', statusOf(node, 'online'));
    return offline.at - at;
  });
  await watcher.close();
  await agent.stop('SIGKILL');
}

let cutHost: ReturnType<typeof makeTestHost> | undefined;
cut.after(() => cutHost?.remove());

testWith(cut, ['root', 'ip'], 'embedded broker: offline within 5 s, online again with the cable', async () => {
  cutHost ??= makeTestHost();
  const cluster = await up();
  const tunnel = await relay(cutHost.near, cluster.ready.mqtt);
  const print = await fingerprint(cluster.url, cluster.ready.node);
  await pullAndPlug(cluster.url, `mqtt://${cutHost.near}:${tunnel.port}`, 'far', print, 5000);
  tunnel.close();
  await cluster.process.stop();
});

testWith(cut, ['root', 'ip', 'mosquitto'], 'outside Mosquitto: offline within 11 s', async () => {
  cutHost ??= makeTestHost();
  const mosquitto = await startMosquitto();
  const tunnel = await relay(cutHost.near, mosquitto.port);
  const cluster = await up({ flags: ['--broker', mosquitto.url] });
  const print = await fingerprint(mosquitto.url, cluster.ready.node);
  await pullAndPlug(mosquitto.url, `mqtt://${cutHost.near}:${tunnel.port}`, 'far', print, 11_000);
  tunnel.close();
  await cluster.process.stop();
  await mosquitto.process.stop();
});

cut.run();
