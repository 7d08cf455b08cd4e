/** Whose word a node takes: a fresh, foreign or forgetful supervisor empties nothing. Real processes throughout. */
import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Cluster, hearthCommand, startAgent, up } from '../fixture/cluster.ts';
import { startMosquitto } from '../fixture/mosquitto.ts';
import { connectClient, type Heard } from '../fixture/mqtt-client.ts';
import { folder, freePort, start, until } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';

const authority = suite('authority');

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

const isOf = (node: string) => (message: Heard) => message.topic === `hearth/node/${node}/is`;
const resultOf = (node: string, key: string) => (message: Heard) =>
  message.topic === `hearth/node/${node}/result` && message.text.includes(`"key":"${key}"`);

/** Sets a service that writes its pid, and returns that pid once it runs. */
async function runKeeper(cluster: Cluster, node: string, name: string, file: string): Promise<number> {
  const client = await connectClient(cluster.url, [`hearth/node/${node}/+`]);
  await client.wait('a want', message => message.topic.endsWith('/want'));
  await client.publish(`hearth/node/${node}/set/services/${name}`, `echo $$ > ${file}; exec sleep 1000`);
  const result = await client.wait('result', resultOf(node, `services.${name}`));
  assert.ok((JSON.parse(result.text) as { ok: boolean }).ok, result.text);
  const pid = await until('the service wrote its pid', () => existsSync(file) && Number(readFileSync(file, 'utf8')));
  await client.close();
  return pid;
}

/** Tries to take the node over from `usurper` and checks that nothing on it changed. */
async function tryToTakeOver(usurper: Cluster, node: string, pid: number, marker: string) {
  const client = await connectClient(usurper.url, [`hearth/node/${node}/+`, 'hearth/event']);
  await client.wait('the node says whom it obeys', message => isOf(node)(message) && !/"err":""/.test(message.text));
  await client.publish(`hearth/node/${node}/set/services/usurped`, `touch ${marker}; exec sleep 1000`);
  await client.wait('result', resultOf(node, 'services.usurped'));
  await client.wait('its want', message => message.topic.endsWith('/want') && message.text.includes('usurped'));
  await client.publish(`hearth/node/${node}/do/restart`, 'keep');
  // A round trip through the agent after all of it: its next load comes after the want was read.
  const load = await connectClient(usurper.url, [`hearth/node/${node}/load`]);
  const first = await load.wait('load', () => true);
  await load.wait('next load', message => message.at > first.at);
  assert.ok(alive(pid), 'the service of the real cluster still runs');
  assert.not(existsSync(marker), 'nothing of the usurper was run');
  await load.close();
  await client.close();
}

authority(
  'an empty supervisor and one that lost its journal change nothing; the real one is obeyed again',
  async () => {
    const [mqttPort, httpPort] = [await freePort(), await freePort()];
    const files = folder();
    const flags = ['--no-agent'];
    const real = await up({ flags, mqttPort, httpPort });
    const agent = startAgent({ broker: real.url, node: 'n1', flags: ['--period', '1000'] });
    const pid = await runKeeper(real, 'n1', 'keep', join(files, 'keep.pid'));
    await real.process.stop();

    const empty = await up({ flags, mqttPort, httpPort });
    await tryToTakeOver(empty, 'n1', pid, join(files, 'empty-ran'));
    await empty.process.stop();

    // The same key, but a journal that starts over: its revisions are below the node's. (With `format`, too, it is
    // refused: up-lost.test.ts.)
    const forgetful = folder('hearth-data-');
    mkdirSync(join(forgetful, 'trust'), { recursive: true, mode: 0o700 });
    cpSync(join(real.data, 'trust'), join(forgetful, 'trust'), { recursive: true });
    const amnesiac = await up({ flags, mqttPort, httpPort, data: forgetful });
    const reader = await connectClient(amnesiac.url, ['hearth/node/n1/+']);
    await reader.wait('a want of the same cluster', message => message.topic.endsWith('/want'));
    const load = await reader.wait('load', message => message.topic.endsWith('/load'));
    await reader.wait('next load', message => message.topic.endsWith('/load') && message.at > load.at);
    assert.ok(alive(pid), 'a lower revision of the same cluster removes nothing');
    await reader.close();
    await amnesiac.process.stop();

    const again = await up({ flags, mqttPort, httpPort, data: real.data });
    const secondPid = await runKeeper(again, 'n1', 'second', join(files, 'second.pid'));
    assert.ok(alive(pid) && alive(secondPid));
    const client = await connectClient(again.url, ['hearth/node/n1/+']);
    await client.publish('hearth/node/n1/set/services/keep', '');
    await until('the cleared service is gone', () => !alive(pid));
    await client.publish('hearth/node/n1/set/services/second', '');
    await until('the cleared service is gone', () => !alive(secondPid));
    await client.close();
    await agent.stop();
    await again.process.stop();
  },
);

testWith(authority, ['mosquitto'], 'a second supervisor on one base says so and exits; the first goes on', async () => {
  const mosquitto = await startMosquitto();
  const flags = ['--broker', mosquitto.url];
  const first = await up({ flags });
  const watcher = await connectClient(mosquitto.url, ['hearth/status', 'hearth/node/+/status', 'hearth/node/+/want']);
  await watcher.wait('online', message => message.topic === 'hearth/status' && message.text === 'online');
  await watcher.wait('want', message => message.topic.endsWith('/want'));
  watcher.forget();
  const second = await up({ flags: [...flags, '--no-agent'] }).then(
    () => assert.unreachable('the second supervisor came up'),
    (error: Error) => error.message,
  );
  assert.match(String(second), /another supervisor|second supervisor/i);
  assert.not.match(String(second), /ended with 0/);
  assert.equal(
    watcher.heard.filter(message => !message.topic.endsWith('/want') && message.text === 'offline'),
    [],
    'the newcomer wrote no status',
  );
  assert.equal(
    watcher.heard.filter(message => message.topic.endsWith('/want')),
    [],
    'the newcomer wrote no want',
  );
  await watcher.publish(`hearth/node/${first.ready.node}/do/rebirth`, '');
  await watcher.close();
  assert.is(await first.process.stop(), 0);
  await mosquitto.process.stop();
});

testWith(
  authority,
  ['mosquitto'],
  'one that is held up while it listens for another one hears it all the same',
  async () => {
    const mosquitto = await startMosquitto();
    const flags = ['--broker', mosquitto.url, '--no-agent'];
    const first = await up({ flags });
    const watcher = await connectClient(mosquitto.url, ['hearth/hello', 'hearth/status', 'elsewhere/end']);
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('HEARTH_')));
    const second = start(process.execPath, [hearthCommand, 'up', '--data', folder(), '--http-port', '0', ...flags], {
      env,
    });
    await watcher.wait('it asks', ({ topic, text }) => topic === 'hearth/hello' && text.includes('"probing"'));
    second.child.kill('SIGSTOP');
    const from = performance.now();
    await until('longer than it listens', () => performance.now() - from > 2000);
    second.child.kill('SIGCONT');
    assert.is.not(await second.ended, 0);
    assert.match(second.output(), /another supervisor is already running/i);
    await watcher.publish('elsewhere/end', '');
    await watcher.wait('all that it wrote', ({ topic }) => topic === 'elsewhere/end');
    assert.equal(
      watcher.heard.filter(({ topic, retain }) => topic === 'hearth/status' && !retain),
      [],
      'it wrote no status',
    );
    await watcher.close();
    await first.process.stop();
    await mosquitto.process.stop();
  },
);

authority.run();
