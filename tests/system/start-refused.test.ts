/** `hearth up` that cannot start says so in one sentence with the way out, and leaves the others alone. */
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Cluster, hearthCommand, up } from '../fixture/cluster.ts';
import { folder, freePort, start, until } from '../fixture/processes.ts';
import { isRoot } from '../fixture/programs.ts';
import { startProxy } from './bus/proxy.ts';

const starting = suite('start refused');

/** Runs `hearth up` to its end, which must come by itself, and returns what it said on stderr. */
async function refused(flags: readonly string[], options: { uid?: number } = {}): Promise<string> {
  const env = { ...process.env, HOME: '/nonexistent' };
  const ports = ['--mqtt-port', '0', '--http-port', '0'];
  const process_ = start(process.execPath, [hearthCommand, 'up', '--no-agent', ...ports, ...flags], {
    env,
    cwd: '/',
    ...options,
  });
  const how = await process_.ended;
  const said = process_.output().trim();
  assert.ok(typeof how === 'number' && how > 0, `exit code ${how}: ${said}`);
  assert.is(said.split('\n').length, 1, `one line: ${said}`);
  assert.match(said, /^hearth: .*\.$/);
  assert.not.match(said, /\bat .*:\d+:\d+|Error:/, 'no stack');
  return said;
}

function listen(): Promise<{ server: Server; port: number }> {
  return new Promise(resolve => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve({ server, port: typeof address === 'object' && address ? address.port : 0 });
    });
  });
}

starting('a taken MQTT port', async () => {
  const { server, port } = await listen();
  const said = await refused(['--data', folder(), '--mqtt-port', String(port)]);
  server.close();
  assert.match(said, `Port ${port} of 127.0.0.1 is taken by another program: choose another with --mqtt-port PORT`);
  assert.match(said, `--broker mqtt://127.0.0.1:${port}`);
});

starting('a taken dashboard port, and nothing stays behind', async () => {
  const { server, port } = await listen();
  const data = folder();
  const said = await refused(['--data', data, '--http-port', String(port)]);
  server.close();
  assert.match(said, `Port ${port} of 127.0.0.1 is taken by another program: choose another with --http-port PORT`);
  assert.not(existsSync(join(data, 'run.json')));
  const cluster = await up({ data, flags: ['--no-agent'] });
  assert.is(await cluster.process.stop(), 0);
});

starting('a folder that cannot be', async () => {
  const file = join(folder(), 'file');
  writeFileSync(file, '');
  assert.match(
    await refused(['--data', join(file, 'x')]),
    /cannot be used: a part of the path is a file .*--data FOLDER/,
  );
  assert.match(await refused(['--data', '/proc/hearth']), /cannot be used: .*--data FOLDER/);
});

starting('a folder that this user may not write', async () => {
  const closed = folder();
  chmodSync(closed, 0o555);
  const said = await refused(['--data', join(closed, 'data')], isRoot ? { uid: 65534 } : {});
  assert.match(said, /cannot be used: this user may not write there \(EACCES\)\. Give a folder .*--data FOLDER/);
});

starting('a newer format, untouched', async () => {
  const data = folder();
  writeFileSync(join(data, 'format'), '4\n');
  assert.match(await refused(['--data', data]), /has format 4, but this Hearth knows formats up to 3/);
  assert.not(existsSync(join(data, 'journal')));
});

starting('a folder with other things in it', async () => {
  const data = folder();
  writeFileSync(join(data, 'photo.jpg'), '');
  assert.match(await refused(['--data', data]), /not empty and no data folder of Hearth/);
});

starting('a wrong setting: flag, environment, and file with its line', async () => {
  const data = folder();
  writeFileSync(join(data, 'hearth.yaml'), 'version: 1\nmqttport: 1884\n');
  const said = await refused(['--data', data]);
  assert.match(said, /hearth\.yaml, line 2: there is no setting "mqttport": did you mean "mqtt-port"\.$/);
  assert.match(await refused(['--data', folder(), '--base', 'A']), /--base: "A" does not do/);
});

const running: { cluster?: Cluster } = {};

starting('a second supervisor on the same data folder names the first, which goes on', async () => {
  const cluster = await up();
  running.cluster = cluster;
  const said = await refused(['--data', cluster.data]);
  assert.match(said, `Another supervisor (pid ${cluster.process.pid}) runs on the data folder ${cluster.data}`);
  assert.match(said, '--data FOLDER');
  assert.is((await fetch(`http://127.0.0.1:${cluster.ready.http}/`)).status, 200);
  assert.equal(JSON.parse(readFileSync(join(cluster.data, 'run.json'), 'utf8')), cluster.ready);
});

starting('another id for the local node', async () => {
  const { cluster } = running;
  assert.ok(cluster);
  assert.is(await cluster.process.stop(), 0);
  const flags = ['--data', cluster.data, '--node', 'somebody-else'];
  const other = start(process.execPath, [hearthCommand, 'up', '--mqtt-port', '0', '--http-port', '0', ...flags]);
  assert.is(await other.ended, 1);
  assert.match(other.output(), `is called "${cluster.ready.node}" for ever, not "somebody-else"`);
});

starting('kill -9 at any moment of the first start never leaves half a key', async () => {
  for (let round = 0; round < 12; round++) {
    const data = folder();
    rmSync(data, { recursive: true });
    const flags = ['--data', data, '--no-agent', '--mqtt-port', '0', '--http-port', '0'];
    const killed = start(process.execPath, [hearthCommand, 'up', ...flags]);
    const key = join(data, 'trust/cluster-key.pem');
    // Around the moment in which the key is made, and not at fixed times: those depend on the machine.
    await until('its folder is there', () => existsSync(join(data, round % 3 === 0 ? 'trust' : 'journal')));
    for (let spin = 0; spin < round * 20_000; spin++) if (round % 3 === 2 && existsSync(key)) break;
    killed.child.kill('SIGKILL');
    await killed.ended;
    const before = existsSync(key) ? readFileSync(key, 'utf8') : undefined;
    if (before !== undefined) assert.match(before, /^-----BEGIN PRIVATE KEY-----\n.+\n-----END PRIVATE KEY-----\n$/);
    if (round % 3 !== 0) continue;
    const cluster = await up({ data, flags: ['--no-agent'] });
    if (before !== undefined) assert.is(readFileSync(key, 'utf8'), before);
    assert.is(await cluster.process.stop(), 0);
  }
});

starting("an uplink to Hearth's own broker: by its name at once, by another name at the first connection", async () => {
  const [port, data] = [await freePort(), folder()];
  const own = ['--data', data, '--mqtt-port', String(port)];
  const said = await refused([...own, '--uplink', `mqtt://anna:s3cret@localhost:${port}`]);
  assert.match(said, `hearth: --uplink mqtt://localhost:${port} is Hearth's own broker (--mqtt-port ${port} of`);
  assert.not(existsSync(join(data, 'journal')));
  const broker = ['--broker', 'mqtt://127.0.0.1', '--uplink', 'ws://localhost:1883'];
  assert.match(await refused(['--data', data, ...broker]), /ws:\/\/localhost:1883 is the broker that --broker names/);
  const elsewhere = await startProxy(port);
  const flags = ['--no-agent', '--http-port', '0', ...own, '--uplink', `mqtt://127.0.0.1:${elsewhere.port}`];
  const looped = start(process.execPath, [hearthCommand, 'up', ...flags]);
  assert.is(await looped.ended, 1);
  await elsewhere.close();
  const sentences = looped.output().match(/^.*is the one that Hearth itself runs on.*$/gm) ?? [];
  assert.is(sentences.length, 1, looped.output());
  assert.match(
    sentences[0] ?? '',
    /The uplink's broker mqtt:\/\/127\.0\.0\.1:\d+ is .*: leave --uplink out, name another/,
  );
  assert.not(existsSync(join(data, 'run.json')));
});

starting('a data folder several levels deep is made, closed to others', async () => {
  const place = join(folder(), 'deep/er');
  mkdirSync(join(place, '..'));
  const cluster = await up({ data: place, flags: ['--no-agent'] });
  assert.is(statSync(place).mode & 0o777, 0o700);
  assert.is(await cluster.process.stop(), 0);
});

starting.run();
