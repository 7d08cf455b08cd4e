/** Users and tokens on a running supervisor: from the command line to who may connect, and what the audit says of it. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Cluster, hearthCommand, up } from '../fixture/cluster.ts';
import { connectClient, type Heard } from '../fixture/mqtt-client.ts';
import { folder, start, until } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';

const accounts = suite<{ cluster: Cluster }>('accounts');

accounts.before.each(async context => {
  context.cluster = await up({ flags: ['--no-agent'] });
});
accounts.after.each(async ({ cluster }) => {
  await cluster.process.stop();
});

interface Said {
  readonly code: number | string;
  readonly out: string;
}

async function hearth(
  cluster: Cluster,
  args: readonly string[],
  input = '',
  env: NodeJS.ProcessEnv = {},
): Promise<Said> {
  const options = { env: { PATH: process.env.PATH, HOME: folder(), ...env }, stdio: 'pipe' } as const;
  const data = args.includes('--url') ? [] : ['--data', cluster.data];
  const started = start(process.execPath, [hearthCommand, ...args, ...data], options);
  started.child.stdin?.end(input);
  return { code: await started.ended, out: started.output() };
}

const mqtt = (cluster: Cluster, user: string, password: string): readonly string[] => [
  ...['-p', String(cluster.ready.mqtt), '-V', '5'],
  ...(user === '' ? [] : ['-u', user, '-P', password]),
];
const publish = async (cluster: Cluster, user: string, password: string): Promise<number | string> =>
  start('mosquitto_pub', [...mqtt(cluster, user, password), '-q', '1', '-t', 'elsewhere/x', '-m', '1']).ended;

const good = 'a good password';
/** Reason code of CONNACK (MQTT 5), which mosquitto_pub ends with. */
const slowDown = 0x9f;
const tokenIn = (said: Said): string => /^hearth_[0-9a-f]{8}_[0-9a-f]{64}$/m.exec(said.out)?.[0] ?? said.out;

testWith(
  accounts,
  ['mosquitto_pub'],
  'a user comes in by the password until it is another, restarts included',
  async context => {
    const { cluster } = context;
    assert.is(
      (await hearth(cluster, ['user', 'add', 'anna', '--role', 'admin'], good)).out,
      'anna may log in as admin.\n',
    );
    assert.is(await publish(cluster, 'anna', good), 0);
    assert.is.not(await publish(cluster, 'anna', 'a wrong password'), 0);
    assert.is.not(await publish(cluster, 'ben', good), 0);
    await hearth(cluster, ['user', 'password', 'anna'], 'another password');
    assert.is.not(await publish(cluster, 'anna', good), 0);
    await cluster.process.stop();
    context.cluster = await up({ data: cluster.data, flags: ['--no-agent'] });
    assert.is(await publish(context.cluster, 'anna', 'another password'), 0);
    assert.match((await hearth(context.cluster, ['user', 'list'])).out, /anna +admin +yes/);
  },
);

testWith(
  accounts,
  ['mosquitto_sub', 'mosquitto_pub'],
  'revoking a token cuts what is connected by it',
  async ({ cluster }) => {
    const token = tokenIn(await hearth(cluster, ['api', 'create', 'ha', '--role', 'admin']));
    const listening = start('mosquitto_sub', [
      ...mqtt(cluster, 'any', token),
      '-t',
      'elsewhere/#',
      '-t',
      'hearth/status',
      '-v',
    ]);
    await listening.line(/hearth\/status online/);
    assert.is(await publish(cluster, '', ''), 0);
    await listening.line(/elsewhere\/x 1/);
    await hearth(cluster, ['api', 'revoke', 'ha']);
    let cut = false;
    void listening.ended.then(() => {
      cut = true;
    });
    await until('mosquitto_sub is told to go, and ends', () => cut);
    assert.is.not(await publish(cluster, 'any', token), 0);
  },
);

testWith(
  accounts,
  ['mosquitto_sub'],
  'who administers sees on the audit who did what, and others do not',
  async ({ cluster }) => {
    for (const [name, role] of [
      ['chief', 'admin'],
      ['looker', 'operator'],
    ] as const) {
      await hearth(cluster, ['user', 'add', name, '--role', role], good);
    }
    const sub = (user: string) => start('mosquitto_sub', [...mqtt(cluster, user, good), '-t', 'hearth/+', '-v', '-d']);
    const [chief, looker] = [sub('chief'), sub('looker')];
    for (const each of [chief, looker]) await each.line(/received SUBACK/);
    await hearth(cluster, ['user', 'add', 'new', '--role', 'viewer'], 'sesame street');
    await chief.line(/hearth\/audit \{.*"who":"owner".*"what":"user\.add","target":"new \(viewer\)","ok":true/);
    // One that comes after the audit's line came to the other.
    const infos = () => looker.output().match(/hearth\/info \{/g)?.length ?? 0;
    const before = infos();
    await until('the other hears on', () => infos() > before);
    assert.not.match(looker.output(), /hearth\/audit/);
    const { out } = await hearth(cluster, ['audit', '--json']);
    const lines = out
      .trim()
      .split('\n')
      .map(line => JSON.parse(line));
    assert.ok(lines.some(({ what, who, how }) => what === 'login' && who === 'looker' && how === 'password'));
    assert.not.match(out, /sesame|a good password/);
    for (const each of [chief, looker]) await each.stop();
  },
);

testWith(
  accounts,
  ['su', 'mosquitto_pub', 'root'],
  'another user of this machine needs a login, and a token is one',
  async ({ cluster }) => {
    const viewer = tokenIn(await hearth(cluster, ['api', 'create', 'view', '--role', 'viewer']));
    const chief = tokenIn(await hearth(cluster, ['api', 'create', 'chief', '--role', 'admin']));
    const url = `http://127.0.0.1:${cluster.ready.http}`;
    // By bash alone: nobody may not read the built program here.
    const ask = async (token: string): Promise<string> => {
      const header = token === '' ? '' : `Authorization: Bearer ${token}\\r\\n`;
      const request = `POST /api/trust/user.list HTTP/1.1\\r\\nHost: 127.0.0.1:${cluster.ready.http}\\r\\nContent-Type: application/json\\r\\n${header}Content-Length: 2\\r\\nConnection: close\\r\\n\\r\\n{}`;
      const script = `exec 3<>/dev/tcp/127.0.0.1/${cluster.ready.http}; printf '${request}' >&3; cat <&3`;
      const asking = start('su', ['nobody', '-s', '/bin/bash', '-c', script]);
      await asking.ended;
      return asking.output().split('\r\n', 1)[0] ?? '';
    };
    assert.match(await ask(''), / 401 /);
    assert.match(await ask(viewer), / 403 /);
    assert.match(await ask(chief), / 200 /);
    const publishing = `mosquitto_pub ${mqtt(cluster, '', '').join(' ')} -q 1 -t elsewhere/x -m 1`;
    assert.is.not(await start('su', ['nobody', '-s', '/bin/sh', '-c', publishing]).ended, 0);
    const asChief = `mosquitto_pub ${mqtt(cluster, 'x', chief).join(' ')} -q 1 -t elsewhere/x -m 1`;
    assert.is(await start('su', ['nobody', '-s', '/bin/sh', '-c', asChief]).ended, 0);
    const said = await hearth(cluster, ['user', 'list', '--url', url], '', { HEARTH_TOKEN: `${viewer.slice(0, -1)}x` });
    assert.match(said.out, /token is wrong, has expired or was revoked/);
  },
);

testWith(
  accounts,
  ['mosquitto_pub'],
  'guessing is slowed on MQTT, and the command line says what is wrong',
  async ({ cluster }) => {
    await hearth(cluster, ['user', 'add', 'anna', '--role', 'viewer'], good);
    // Ten are free; the tenth begins a wait of 1 s, and each later one doubles it: 8 s are not over before the next try.
    let looked = 0;
    await until('thirteen guesses are looked at', async () => {
      const code = await publish(cluster, 'anna', `guess number ${looked}`);
      assert.is.not(code, 0);
      if (code !== slowDown) looked++;
      return looked === 13;
    });
    assert.is(await publish(cluster, 'anna', good), slowDown, 'for a moment');
    await until('the wait is over', async () => (await publish(cluster, 'anna', good)) === 0);
    assert.match((await hearth(cluster, ['user', 'role', 'ben', 'admin'])).out, /^hearth: There is no user ben/);
    assert.match(
      (await hearth(cluster, ['user', 'role', 'anna', 'king'])).out,
      /admin, operator, viewer or integration/,
    );
  },
);
accounts(
  'a login for Home Assistant has a node’s switch and buttons, and gets nothing run there',
  async ({ cluster }) => {
    const token = tokenIn(await hearth(cluster, ['api', 'create', 'ha', '--role', 'integration']));
    const watcher = await connectClient(cluster.url, ['hearth/node/+/result', 'hearth/result', 'hearth/node/+/want']);
    const n1 = await connectClient(cluster.url, [], { clientId: 'hearth-n1' });
    const birth = { epoch: 1, inst: 'aaaaaaaa', online: true, period_ms: 60_000, proto: 1 };
    await n1.publish('hearth/node/n1/lwt', JSON.stringify(birth));
    await watcher.wait('it has a document', ({ topic }) => topic === 'hearth/node/n1/want');
    const ha = await connectClient(cluster.url, [], { username: 'ha', password: token });
    // A node is told what to do, and that is answered twice: the second time when it has done it, or 10 s have passed.
    const isAbout = (asked: string) => (one: Heard) => {
      if (!one.topic.endsWith('/result')) return false;
      const { topic, part, key = '', state } = JSON.parse(one.text);
      const named = topic ?? one.topic.replace(/result$/, [part, ...key.split('.')].join('/'));
      return named === asked && state !== 'finished';
    };
    const asked = async (topic: string, text: string, answer: string) => {
      watcher.forget();
      ha.client.publish(topic, text, { qos: 0 });
      const said = await watcher.wait(`the answer to ${topic} ${text}`, isAbout(topic));
      assert.is(said.topic, answer, said.text);
      return JSON.parse(said.text) as { ok: boolean; error?: string };
    };
    const own = 'hearth/node/n1/result';
    for (const [path, text] of [
      ['set/drain', 'on'],
      ['set/agent', 'follow'],
      ['do/resume', 'PRESS'],
      ['do/wake', 'PRESS'],
      ['do/identify', 'PRESS'],
      ['do/reboot', 'PRESS'],
    ] as const)
      assert.ok((await asked(`hearth/node/n1/${path}`, text, own)).ok, path);
    const program = JSON.stringify({ ver: '9.9.9', sha256: 'a'.repeat(64) });
    for (const [path, text] of [
      ['node/n1/set/agent', program],
      ['node/n1/set/services/x', 'id'],
      ['node/n1/set', '{"services":{"x":"id"}}'],
      ['node/n1/do/shutdown', ''],
      ['node/n1/do/forget', ''],
      ['node/all/do/reboot', 'PRESS'],
      ['node/@all/do/wake', 'PRESS'],
      ['role/all/set/agent', 'follow'],
      ['room/r1/set/filler', 'id'],
    ] as const)
      assert.not.ok((await asked(`hearth/${path}`, text, 'hearth/result')).ok, path);
    for (const client of [ha, n1, watcher]) await client.close();
  },
);

accounts.run();
