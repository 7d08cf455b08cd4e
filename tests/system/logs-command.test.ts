/** `hearth logs`: the last lines of services, and live ones across what comes in between. */
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Cluster, hearthCommand, startAgent, up } from '../fixture/cluster.ts';
import { connectClient, type TestClient } from '../fixture/mqtt-client.ts';
import { folder, freePort, type Started, start, until } from '../fixture/processes.ts';

const logs = suite<{ cluster: Cluster; client: TestClient; gates: string }>('logs');

logs.before(async context => {
  context.cluster = await up({ flags: ['--node', 'n1', '--stop-services'] });
  context.client = await connectClient(context.cluster.url, ['#']);
  context.gates = folder('hearth-gates-');
});
logs.after(async ({ cluster, client }) => {
  await client.close();
  assert.is(await cluster.process.stop(), 0);
});

const hearth = (url: string, args: readonly string[]): Started =>
  start(process.execPath, [hearthCommand, ...args, '--broker', url]);

async function ended(started: Started): Promise<{ code: number | string; out: string }> {
  return { code: await started.ended, out: started.output() };
}

/** Runs when it is there: what the last line is before is known. */
async function service(url: string, name: string, run: string): Promise<void> {
  const set = await ended(hearth(url, ['set', 'n1', `services.${name}`, run, '--wait']));
  assert.is(set.code, 0, set.out);
}

/** Prints a line for every file of that name, as soon as it is there; nothing of it is a process that would be in the way. */
const teller = (gates: string, name: string, first: string): string =>
  `${first}; while :; do for f in ${gates}/${name}.*; do [ -e "$f" ] && cat "$f" && rm "$f"; done; sleep 0.02; done`;

let told = 0;
async function tell(gates: string, name: string, text: string): Promise<void> {
  const file = join(gates, `${name}.${String(told++).padStart(6, '0')}`);
  writeFileSync(`${gates}/new`, text);
  renameSync(`${gates}/new`, file);
  await until('it is printed', () => !existsSync(file));
}

logs('the last lines, and no more; nothing that a terminal obeys', async ({ cluster: { url } }) => {
  const run = `for i in $(seq 1 150); do echo line $i; done; printf 'a\\tb \\033[31mred\\033[0m \\007\\n'; printf ready; exec sleep 4321`;
  await service(url, 'talker', run);
  await until(
    'it has said all',
    async () => (await ended(hearth(url, ['logs', 'n1/talker', '-n', '1']))).out === 'ready\n',
  );
  const few = await ended(hearth(url, ['logs', 'n1/talker', '-n', '3']));
  assert.equal(few, { code: 0, out: 'line 150\na\tb \\u001b[31mred\\u001b[0m \\u0007\nready\n' });
  const usual = await ended(hearth(url, ['logs', 'n1', 'talker']));
  assert.is(usual.out.split('\n').length, 21);
  const many = await ended(hearth(url, ['logs', 'n1/talker', '--lines', '2000']));
  assert.is(many.out.split('\n')[0], 'line 1');
  assert.is(many.out.split('\n').length, 153);
});

logs('what cannot be shown is one sentence and no exit code 0', async ({ cluster: { url }, client }) => {
  for (const [args, code, pattern] of [
    [['n1/talkre'], 1, /n1\/talkre: there is no service "talkre" on n1: did you mean "talker"\?/],
    [['n9/talker'], 1, /n9\/talker: .*"n9".*n1/],
    [['n1'], 2, /Which service of n1\?/],
    [['n1/talker', 'n1'], 2, /Name every service as NODE\/SERVICE/],
    [['n1/ta lker'], 2, /not the name of a service/],
    [['N1/talker'], 2, /not a node id/],
    [['n1/talker', '-n', 'all'], 2, /not a number from 0 to 2000/],
  ] as const) {
    const { code: was, out } = await ended(hearth(url, ['logs', ...args]));
    assert.is(was, code, out);
    assert.match(out, pattern);
  }
  const other = startAgent({ broker: url, node: 'n2' });
  await client.wait('n2 is online', ({ topic, text }) => topic === 'hearth/node/n2/status' && text === 'online');
  await client.publish('hearth/node/n2/set/services/x', 'exec sleep 4321');
  await client.wait('n2 has it', ({ topic, text }) => topic === 'hearth/node/n2/is' && text.includes('services/x'));
  await client.publish('hearth/node/n2/set/services/x', '');
  await client.wait(
    'n2 has it not',
    ({ topic, text }) => topic === 'hearth/node/n2/is' && !text.includes('services/x') && /"rev":[1-9]/.test(text),
  );
  await other.stop();
  await client.wait('n2 is offline', ({ topic, text }) => topic === 'hearth/node/n2/status' && text === 'offline');
  const offline = await ended(hearth(url, ['logs', 'n2/x']));
  assert.is(offline.code, 1);
  assert.match(offline.out, /n2\/x: .*offline/);
});

logs(
  '-f goes on, with several services under their names, over a restart, until Ctrl-C',
  async ({ cluster: { url }, gates }) => {
    await service(url, 'one', teller(gates, 'one', 'echo one begins'));
    await service(url, 'two', teller(gates, 'two', 'echo two begins'));
    const following = hearth(url, ['logs', '-f', 'n1/one', 'n1/two']);
    await following.line(/n1\/one \| one begins/);
    await following.line(/n1\/two \| two begins/);
    await tell(gates, 'one', 'first\n');
    await following.line(/n1\/one \| first\n/);
    await tell(gates, 'two', 'second\n');
    await following.line(/n1\/two \| second\n/);
    const restarted = start(process.execPath, [
      hearthCommand,
      'set',
      'n1',
      'services.one',
      teller(gates, 'one', 'echo one again'),
      '--wait',
      '--broker',
      url,
    ]);
    assert.is(await restarted.ended, 0, restarted.output());
    await following.line(/n1\/one \| one again\n/);
    await tell(gates, 'one', 'third\n');
    await following.line(/n1\/one \| third\n/);
    assert.is(await following.stop('SIGINT'), 130);
    for (const line of ['one begins', 'first', 'one again', 'third']) {
      assert.is(following.output().split(`| ${line}\n`).length, 2, `${line} once: ${following.output()}`);
    }
  },
);

logs('who asks for last lines disturbs nobody who follows', async ({ cluster: { url }, client, gates }) => {
  await service(url, 'quiet', teller(gates, 'quiet', 'echo before'));
  const following = hearth(url, ['logs', '-f', 'n1/quiet']);
  await following.line(/^before\n/m);
  // Another connection may have it later than the one that follows, and what is yet to come cannot be forgotten.
  const has = (text: string) => (message: { topic: string; text: string }) =>
    message.topic.includes('/log/quiet') && message.text.includes(text);
  await client.wait('what was said before', has('before'));
  client.forget();
  const other = await ended(hearth(url, ['logs', 'n1/quiet']));
  assert.is(other.out, 'before\n');
  await tell(gates, 'quiet', 'after\n');
  await following.line(/^after\n/m);
  assert.is(following.output(), 'before\nafter\n');
  await client.wait('the new line', has('after'));
  const topics = client.heard
    .filter(({ topic }) => topic.includes('/log/'))
    .map(({ topic }) => topic.split('/').length);
  assert.equal(topics.sort(), [5, 6], 'one on the topic of who asked, one new one');
  await following.stop('SIGINT');
});

logs('-f survives the supervisor: what was printed meanwhile comes, once', async () => {
  const ports = { mqttPort: await freePort(), httpPort: await freePort() };
  const gates = folder('hearth-gates-');
  const first = await up({ ...ports, flags: ['--node', 'n1'] });
  await service(first.url, 'live', teller(gates, 'live', 'echo begins'));
  const following = hearth(first.url, ['logs', '-f', 'n1/live']);
  await following.line(/^begins\n/m);
  await tell(gates, 'live', 'before\n');
  await following.line(/^before\n/m);
  await first.process.stop();
  await following.line(/the connection is lost/);
  await tell(gates, 'live', 'meanwhile\n');
  const second = await up({ ...ports, data: first.data, flags: ['--node', 'n1', '--stop-services'] });
  await following.line(/^meanwhile\n/m);
  await tell(gates, 'live', 'after\n');
  await following.line(/^after\n/m);
  for (const line of ['begins', 'before', 'meanwhile', 'after']) {
    assert.is(following.output().split(`${line}\n`).length, 2, `${line} once: ${following.output()}`);
  }
  assert.is(await following.stop('SIGINT'), 130);
  assert.is(await second.process.stop(), 0);
  rmSync(gates, { recursive: true });
});

logs.run();
