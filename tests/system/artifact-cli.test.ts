/** `hearth artifact` and the supervisor's store, as people use them: brought, cut off, gone on with, fetched, removed. */
import * as assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { suite as describe } from 'uvu';
import { type Cluster, hearthCommand, up } from '../fixture/cluster.ts';
import { folder, freePort, type Started, start, until } from '../fixture/processes.ts';
import { type WebRig, webRig } from '../fixture/web-rig.ts';

const suite = describe('hearth artifact');
const hash = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('HEARTH_')));

let cluster: Cluster | undefined;
suite.after.each(async () => {
  await cluster?.process.stop();
  cluster = undefined;
});

function run(...args: string[]): Started {
  const where = ['--data', cluster?.data ?? ''];
  return start(process.execPath, [hearthCommand, 'artifact', ...args, ...where], { env });
}
async function hearth(...args: string[]): Promise<string> {
  const one = run(...args);
  assert.equal(await one.ended, 0, one.output());
  return one.output();
}
async function fails(text: RegExp, ...args: string[]): Promise<void> {
  const one = run(...args);
  assert.notEqual(await one.ended, 0, one.output());
  assert.match(one.output(), text);
}

suite('a file is brought, listed, fetched and removed', async () => {
  cluster = await up({ flags: ['--no-agent'] });
  const path = folder();
  const [file, empty] = [join(path, 'solver ü.tgz'), join(path, 'empty')];
  const bytes = randomBytes(300_000);
  writeFileSync(file, bytes);
  writeFileSync(empty, '');
  const said = await hearth('put', file, empty);
  assert.match(
    said,
    new RegExp(`^${hash(bytes)}  .*solver ü\\.tgz \\(300 kB\\)\n  use it as {2}artifact:${hash(bytes)}\n`),
  );
  assert.match(said, new RegExp(`artifact:${hash(Buffer.alloc(0))}\n$`));
  assert.match(await hearth('put', file), /was there already/);
  assert.equal(await hearth('put', '-q', file), `artifact:${hash(bytes)}\n`);
  assert.match(
    await hearth('list'),
    new RegExp(`${hash(bytes).slice(0, 12)} +300 kB +(now|\\d+ s) +solver ü\\.tgz +-\n`),
  );
  const listed = JSON.parse(await hearth('list', '--json')) as { artifacts: { sha256: string }[]; bytes: number };
  assert.equal(listed.bytes, 300_000);
  const output = join(path, 'fetched');
  await hearth('get', hash(bytes).slice(0, 8), '-o', output);
  assert.deepEqual(readFileSync(output), bytes);
  await fails(/is there already/, 'get', hash(bytes), '-o', output);
  await hearth('get', `artifact:${hash(bytes)}`, '-o', output, '--force');
  assert.equal(await hearth('get', hash(Buffer.alloc(0)), '-o', '-'), '');
  await fails(/There is no such artifact/, 'get', 'ab'.repeat(32), '-o', join(path, 'none'));
  assert.ok(!readdirSync(path).some(name => name.includes('none') || name.endsWith('.part')));
  await fails(/no artifact of that hash or name/, 'rm', 'nonsense');
  await fails(/is no file/, 'put', path);
  await fails(/cannot be read/, 'put', join(path, 'missing'));
  assert.match(await hearth('rm', 'solver ü.tgz'), /is gone/);
  await fails(/There is no artifact/, 'rm', hash(bytes));
});

/**
 * A line to the supervisor through this process: however long the test is held up, no more comes through meanwhile. Who asks
 * while it is cut is turned away once, and then waits: how long a supervisor takes to start is another matter.
 */
async function lineTo(port: number) {
  const waiting: (() => void)[] = [];
  let [cut, asked] = [false, 0];
  const server = createServer(socket => {
    socket.on('error', () => {});
    const onward = () => {
      const way = connect(port, '127.0.0.1').on('error', () => {});
      way.on('close', () => socket.destroy());
      socket.on('close', () => way.destroy());
      socket.pipe(way).pipe(socket);
    };
    if (!cut) onward();
    else if (asked++ === 0) socket.destroy();
    else waiting.push(onward);
  });
  await new Promise<void>(resolve => void server.listen(port, '127.0.0.2', resolve));
  return {
    url: `http://127.0.0.2:${port}`,
    cut() {
      cut = true;
    },
    waits: () => waiting.length > 0,
    mend() {
      cut = false;
      for (const onward of waiting.splice(0)) onward();
    },
    close: () => server.close(),
  };
}

suite('an upload goes on where it stopped: after its command was killed, and while the supervisor was', async () => {
  const data = folder('hearth-data-');
  const ports = { mqttPort: await freePort(), httpPort: await freePort() };
  const options = { data, ...ports, flags: ['--no-agent'] };
  cluster = await up(options);
  const line = await lineTo(ports.httpPort);
  const file = join(folder(), 'large');
  writeFileSync(file, randomBytes(1000));
  truncateSync(file, 600_000_000);
  const partial = join(data, 'cache/artifacts/partial');
  const size = () => {
    const [name] = existsSync(partial) ? readdirSync(partial) : [];
    return name === undefined ? 0 : statSync(join(partial, name)).size;
  };
  const first = run('put', file, '--url', line.url);
  await until('some of it is there', () => size() > 5_000_000);
  await first.stop('SIGKILL');
  const before = size();
  assert.ok(before > 5_000_000 && before < 600_000_000, `${before}`);
  const second = run('put', file, '--url', line.url);
  // More than what the first one's line still held when it was cut (tcp(7): a few megabytes).
  await until('more of it is there', () => size() > before + 50_000_000);
  line.cut();
  // The power fails: what is on the disk is all that is known.
  await cluster.process.stop('SIGKILL');
  assert.ok(size() > before && size() < 600_000_000);
  await until('it was turned away, and asks again', line.waits);
  cluster = await up(options);
  line.mend();
  assert.equal(await second.ended, 0, second.output());
  line.close();
  const [, sha256] = /^([0-9a-f]{64}) {2}.*\(600 MB\)\n/.exec(second.output()) ?? [];
  assert.ok(sha256, second.output());
  assert.equal(statSync(join(data, 'cache/artifacts', sha256)).size, 600_000_000);
  assert.match(await hearth('list'), /600 MB/);
});

suite('bringing and removing takes an operator; a node may only have', async () => {
  const rig: WebRig = await webRig();
  try {
    const bytes = Buffer.from('hello');
    const path = `/artifacts/${hash(bytes)}/upload`;
    const headers = { 'upload-offset': '0', 'upload-length': '5', 'content-type': 'application/partial-upload' };
    const send = (token: string | undefined, more: object = {}) =>
      rig.ask(path, { method: 'PATCH', body: bytes, headers: { ...headers, ...more }, ...(token && { token }) });
    const operator = await rig.token('brings', 'operator');
    for (const token of [undefined, await rig.token('looks', 'viewer'), await rig.token('senses', 'integration')]) {
      assert.equal((await send(token)).status, token === undefined ? 401 : 403);
      const asked = await rig.ask(path, { method: 'HEAD', ...(token && { token }) });
      assert.equal(asked.status, token === undefined ? 401 : 403);
    }
    assert.equal((await rig.ask(path, { method: 'HEAD', token: operator })).headers['upload-offset'], '0');
    for (const more of [{ 'upload-offset': 'x' }, { 'upload-length': '-1' }, { 'upload-length': '9e9' }]) {
      assert.equal((await send(operator, more)).status, 400);
    }
    const wrong = await send(operator, { 'upload-offset': '3' });
    assert.deepEqual([wrong.status, wrong.headers['upload-offset']], [409, '0']);
    const half = await rig.ask(path, { method: 'PATCH', token: operator, headers, body: bytes.subarray(0, 2) });
    assert.deepEqual([half.status, half.headers['upload-offset'], half.headers['upload-complete']], [204, '2', '?0']);
    const rest = { ...headers, 'upload-offset': '2', 'x-hearth-name': encodeURIComponent('wörld\u202e\n') };
    const done = await rig.ask(path, { method: 'PATCH', token: operator, headers: rest, body: bytes.subarray(2) });
    assert.deepEqual([done.status, done.headers['upload-complete']], [201, '?1']);
    assert.equal(rig.store.list()[0]?.name, 'wörld\\u202e\\u000a');
    assert.equal((await rig.ask(`/artifacts/${hash(bytes)}`, { token: operator })).body, 'hello');
    // The command from another machine: an API token, and the cluster's CA.
    const [ca, file] = [join(folder(), 'ca.pem'), join(folder(), 'far')];
    writeFileSync(ca, rig.ca);
    writeFileSync(file, randomBytes(200_000));
    const far = (token: string) =>
      start(process.execPath, [hearthCommand, 'artifact', 'put', file, '--url', `https://127.0.0.1:${rig.http.port}`], {
        env: { ...env, HEARTH_TOKEN: token, HEARTH_CA: ca },
      });
    const put = far(operator);
    assert.equal(await put.ended, 0, put.output());
    assert.ok(rig.store.find(hash(readFileSync(file))));
    const viewer = far(await rig.token('only-looks', 'viewer'));
    assert.equal(await viewer.ended, 1);
    assert.match(viewer.output(), /takes an operator/);
    const audited = rig.audited().filter(({ what }) => what === 'artifact.put');
    assert.deepEqual(
      audited.map(({ who, target }) => [who, target]),
      [
        ['brings', hash(bytes)],
        ['brings', hash(readFileSync(file))],
      ],
    );
  } finally {
    await rig.close();
  }
});

suite.run();
