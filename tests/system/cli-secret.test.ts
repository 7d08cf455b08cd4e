/** `hearth secret set`: from what is typed to the service, and nowhere else on the way. */
import { execFileSync } from 'node:child_process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Cluster, hearthCommand, up } from '../fixture/cluster.ts';
import { connectClient, type TestClient } from '../fixture/mqtt-client.ts';
import { start, until } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';

const secrets = suite<{ cluster: Cluster; client: TestClient }>('cli secret');
const secret = 'correct horse';

secrets.before(async context => {
  context.cluster = await up({ flags: ['--node', 'n1', '--stop-services'] });
  context.client = await connectClient(context.cluster.url, ['#']);
});
secrets.after(async ({ cluster, client }) => {
  await client.close();
  assert.is(await cluster.process.stop(), 0);
});

async function hearth(cluster: Cluster, args: readonly string[], input?: string) {
  const admin = args[0] === 'secret' ? ['--data', cluster.data] : [];
  const flags = ['--broker', cluster.url, ...admin];
  const stdio = [input === undefined ? ('ignore' as const) : ('pipe' as const), 'pipe' as const, 'pipe' as const];
  const started = start(process.execPath, [hearthCommand, ...args, ...flags], { stdio });
  started.child.stdin?.end(input);
  return { code: await started.ended, out: started.output() };
}

/** Files of the data folder that have a text in them. */
const filesWith = (cluster: Cluster, text: string): string =>
  execFileSync('sh', ['-c', 'grep -rlF -- "$1" "$2" || true', 'sh', text, cluster.data]).toString();

secrets('the service has it; bus, journal, logs and files of the agent have not', async ({ cluster, client }) => {
  const early = await hearth(cluster, ['secret', 'set', 'n1', 'solver.env.TOKEN'], secret);
  assert.is(early.code, 1);
  assert.match(early.out, /there is no service "solver" yet: set services.solver to a command first/);
  const run = 'printf %s "$TOKEN" | sha256sum; exec sleep 1000';
  assert.is((await hearth(cluster, ['set', 'n1', 'services.solver', run, '--wait'])).code, 0);
  await client.publish('hearth/node/n1/do/follow', '{"service":"solver"}');
  const set = await hearth(cluster, ['secret', 'set', 'n1', 'solver.env.TOKEN', '--wait'], `${secret}\n`);
  assert.is(set.code, 0, set.out);
  assert.match(set.out, /services.solver.env.TOKEN = \(sealed\)/);
  const hash = execFileSync('sha256sum', { input: secret }).toString().trim();
  await until('the service has it', () => filesWith(cluster, hash) !== '');
  const own = await client.wait('own', ({ topic, text }) => topic.endsWith('/own') && text.includes('sealed:v1:'));
  assert.not.ok(own.text.includes('correct'));
  const result = await client.wait(
    'its result',
    ({ topic, text }) =>
      topic.endsWith('/result') && text.includes('services.solver.env.TOKEN') && text.includes('"rev"'),
  );
  assert.not.match(result.text, /"value"/);
  for (const { topic, text } of client.heard) assert.not.ok(text.includes('correct'), topic);
  assert.is(filesWith(cluster, secret), '');
});

secrets('another place does not open it, and says so on `is`', async ({ cluster, client }) => {
  const print = await hearth(cluster, ['secret', 'set', 'n1', 'other.env.TOKEN', '--print'], secret);
  const value = /^sealed:v1:\S+$/m.exec(print.out)?.[0] ?? '';
  const document = JSON.stringify({ run: 'exec sleep 1000', env: { WRONG: value } });
  const set = await hearth(cluster, ['set', 'n1', 'services.other', document, '--wait']);
  assert.is(set.code, 1);
  assert.match(
    set.out,
    /secret env\.WRONG cannot be opened: it was sealed to another key, or for another node, service/,
  );
  const right = JSON.stringify({ run: 'exec sleep 1000', env: { TOKEN: value } });
  assert.is((await hearth(cluster, ['set', 'n1', 'services.other', right, '--wait'])).code, 0);
  for (const { topic, text } of client.heard) assert.not.ok(text.includes('correct'), topic);
});

secrets('what cannot be done is refused before anything is asked or said', async ({ cluster }) => {
  const argument = await hearth(cluster, ['secret', 'set', 'n1', 'solver.env.TOKEN', 'hunter2']);
  assert.is(argument.code, 2);
  assert.match(argument.out, /does not go on the command line/);
  assert.not.match(argument.out, /hunter2/);
  for (const [node, key, pattern] of [
    ['n2', 'solver.env.TOKEN', /There is no node "n2": did you mean "n1"/],
    ['n1', 'solver.TOKEN', /names no variable of a service/],
    ['n1', 'solver.env.TO-KEN', /names no variable of a service/],
  ] as const) {
    const { code, out } = await hearth(cluster, ['secret', 'set', node, key], 'hunter2');
    assert.is.not(code, 0);
    assert.match(out, pattern);
    assert.not.match(out, /hunter2/);
  }
  const empty = await hearth(cluster, ['secret', 'set', 'n1', 'solver.env.TOKEN'], '\n');
  assert.match(empty.out, /The secret is empty/);
});

testWith(secrets, ['script'], 'typed on a terminal it is not shown', async ({ cluster, client }) => {
  client.forget();
  const command = [
    process.execPath,
    hearthCommand,
    'secret',
    'set',
    'n1',
    'solver.env.TYPED',
    '--broker',
    cluster.url,
    '--data',
    cluster.data,
  ];
  const terminal = start('script', ['-qec', command.join(' '), '/dev/null'], { stdio: ['pipe', 'pipe', 'pipe'] });
  await terminal.line(/TYPED of solver on n1 \(not shown\): /);
  terminal.child.stdin?.write('typed unseen\r');
  assert.is(await terminal.ended, 0, terminal.output());
  assert.match(terminal.output(), /TYPED = \(sealed\)/);
  assert.not.match(terminal.output(), /unseen/);
  await client.wait('own', ({ topic, text }) => topic.endsWith('/own') && text.includes('TYPED'));
});

secrets.run();
