/** The `hearth` command against a running supervisor: what it prints, and its exit codes. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Cluster, hearthCommand, up } from '../fixture/cluster.ts';
import { folder, type Started, start, until } from '../fixture/processes.ts';

const cli = suite<{ cluster: Cluster; url: string; node: string }>('cli');

cli.before(async context => {
  context.cluster = await up({ flags: ['--node', 'cellar', '--stop-services'] });
  context.url = context.cluster.url;
  context.node = context.cluster.ready.node;
});
cli.after(async ({ cluster }) => {
  assert.is(await cluster.process.stop(), 0);
});

const hearth = (args: readonly string[], url = '', input?: string): Started => {
  const env = { ...process.env, HOME: '/nonexistent', HEARTH_BROKER: url };
  const started = start(process.execPath, [hearthCommand, ...args], {
    env,
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  });
  if (input !== undefined) started.child.stdin?.end(input);
  return started;
};

/** Runs it to its end. */
async function run(
  args: readonly string[],
  url?: string,
  input?: string,
): Promise<{ code: number | string; out: string }> {
  const started = hearth(args, url, input);
  const code = await started.ended;
  assert.not.match(started.output(), /^\s+at /m, 'no stack');
  return { code, out: started.output() };
}

cli('nodes: a table, and JSON', async ({ url, node }) => {
  // Up means that its node is online; what the node says of itself comes a moment later.
  const told = new RegExp(`^${node} +(init|ready) +\\d+ +[\\d.]+ GB +0/0`, 'm');
  const { code, out } = await until('the node has told all', async () => {
    const answer = await run(['nodes'], url);
    return told.test(answer.out) && answer;
  });
  assert.is(code, 0);
  assert.match(out, /^NODE +STATE +CORES +MEMORY/);
  const [found] = JSON.parse((await run(['nodes', '--json', '--broker', url])).out);
  assert.is(found.id, node);
  assert.is(found.online, true);
  assert.is(found.is.node, node);
});

cli('no broker named: that of the supervisor on the data folder', async ({ cluster, node }) => {
  const named = await run(['nodes', '--json', '--data', cluster.data]);
  assert.is(JSON.parse(named.out)[0]?.id, node, named.out);
  const nobody = await run(['set', node, 'services.x', 'true', '--data', folder()]);
  assert.is(nobody.code, 1);
  assert.match(nobody.out, /^hearth: No supervisor runs on the data folder/);
});

cli('set starts a service, waits for it, and --clear ends it', async ({ url, node }) => {
  const set = await run(['set', node, 'services.hello', 'exec sleep 1000', '--wait'], url);
  assert.is(set.code, 0, set.out);
  assert.match(set.out, /^accepted as revision \d+: cellar: services\.hello = exec sleep 1000$/m);
  assert.match(set.out, /^cellar: services\/hello is running \(pid \d+\)$/m);
  const again = await run(['set', node, 'services/hello', 'exec sleep 1000', '--wait'], url);
  assert.is(again.code, 0, 'a set that changes nothing is done at once');
  const cleared = await run(['set', node, 'services.hello', '--clear', '--wait'], url);
  assert.is(cleared.code, 0, cleared.out);
  assert.match(cleared.out, /services\/hello is gone/);
});

cli('set takes a file, standard input, a text that begins with @, and the whole document', async ({ url, node }) => {
  const file = join(folder(), 'service.json');
  writeFileSync(file, '{"run":["sleep","1000"]}\n');
  assert.is((await run(['set', node, 'services.a', `@${file}`], url)).code, 0);
  assert.is((await run(['set', node, 'services.b', '-'], url, 'exec sleep 1000\n')).code, 0);
  assert.is((await run(['set', node, 'services.b.env.GREETING', '@@home'], url)).code, 0);
  const patch = '{"services":{"a":null,"b":null}}';
  const whole = await run(['set', node, '.', patch, '--wait'], url);
  assert.is(whole.code, 0, whole.out);
});

const refusals: readonly (readonly [string, readonly string[], RegExp, string?])[] = [
  ['an unknown key', ['services.hello.rnu', 'x'], /Refused: .*"rnu": did you mean "run"\?\nWhat you sent: x$/],
  [
    'broken JSON typed on standard input',
    ['services.hello', '-'],
    /not valid JSON.*\nWhat you sent: \{"run":$/s,
    '{"run":',
  ],
  ['a name that is no level', ['g++', 'sleep 1'], /"g\+\+" cannot be a key.*\nWhat you sent: sleep 1$/],
  ['words without quotes', ['services.hello', 'sleep', '1000'], /goes in quotes: 'sleep 1000'$/],
  ['an empty value', ['services.hello', ''], /would clear the key: say --clear/],
  ['no value', ['services.hello'], /What to set\?/],
  ['a file that is not there', ['services.hello', '@/no/such'], /@\/no\/such: there is no such file/],
  ['a value together with --clear', ['services.hello', 'x', '--clear'], /--clear takes no value\. You typed: x$/],
];
for (const [what, args, said, input] of refusals) {
  cli(`set refuses ${what}, and gives back what was typed`, async ({ url, node }) => {
    const { code, out } = await run(['set', node, ...args], url, input);
    assert.ok(typeof code === 'number' && code > 0, `exit code ${code}`);
    assert.match(out.trim(), said);
  });
}

cli('set to a node that nobody knows names the nearest', async ({ url }) => {
  const { code, out } = await run(['set', 'celar', 'services.hello', 'sleep 1'], url);
  assert.is(code, 1);
  assert.match(out, /unknown node "celar": did you mean "cellar"\?\nWhat you sent: sleep 1/);
});

cli('set --wait says that a service cannot run, and fails', async ({ url, node }) => {
  const args = ['set', node, 'services.bad', '{"run":["/no/such/program"]}', '--wait', '--timeout', '60'];
  const { code, out } = await run(args, url);
  await run(['set', node, 'services.bad', '--clear'], url);
  assert.is(code, 1, out);
  assert.match(out, /cellar: services\/bad is (backoff|crash-loop).*exit code 12[67]/);
});

cli('watch tells what happens until Ctrl-C', async ({ url, node }) => {
  const watching = hearth(['watch', node], url);
  await watching.line(/^\d\d:\d\d:\d\d {2}cellar {2}online$/m);
  assert.is((await run(['set', node, 'services.seen', 'exec sleep 1000', '--wait'], url)).code, 0);
  await watching.line(/cellar {2}set services\.seen ← exec sleep 1000/);
  await watching.line(/cellar {2}set services\.seen accepted \(revision \d+\)/);
  await watching.line(/cellar {2}services\/seen running, pid \d+/);
  await run(['set', node, 'services.seen', '--clear'], url);
  await watching.line(/services\/seen gone/);
  assert.is(await watching.stop('SIGINT'), 0);
});

cli('watch of a node that nobody knows says so and waits', async ({ url }) => {
  const watching = hearth(['watch', 'celar'], url);
  await watching.line(/no node "celar" is known here \(did you mean cellar\?\); waiting for it/);
  assert.is(await watching.stop('SIGTERM'), 0);
});

cli('watch ends when nobody reads it any more', async ({ url }) => {
  const watching = hearth(['watch'], url);
  await watching.line(/online/);
  watching.child.stdout?.destroy();
  assert.is(await watching.ended, 0);
});

cli('simulate: many nodes, and their farewells', async ({ url }) => {
  const simulating = hearth(['simulate', '--nodes', '20', '--period', '1000'], url);
  await simulating.line(/^20 of 20 nodes online$/m);
  const online = async () => {
    const all = JSON.parse((await run(['nodes', '--json'], url)).out) as { id: string; online: boolean }[];
    return all.filter(one => one.id.startsWith('sim-') && one.online).length;
  };
  await until('the supervisor sees them', async () => (await online()) === 20);
  assert.is(await simulating.stop('SIGINT'), 0);
  await until('they are gone', async () => (await online()) === 0);
});

cli('an agent of its own joins and is seen', async ({ url }) => {
  const agent = hearth(['agent', '--broker', url, '--node', 'attic', '--data', folder()]);
  await until('it is there', async () => /^attic +(init|ready)/m.test((await run(['nodes'], url)).out));
  assert.is(await agent.stop('SIGTERM'), 0);
  await until('it is gone', async () => /^attic +offline/m.test((await run(['nodes'], url)).out));
});

const typos: readonly (readonly [readonly string[], RegExp])[] = [
  [['nods'], /^hearth: unknown command 'nods'\n\(Did you mean nodes\?\)$/],
  [['nodes', '--jsn'], /^hearth: unknown option '--jsn'\n\(Did you mean --json\?\)$/],
  [['set'], /^hearth: missing required argument 'node'$/],
  [['up', '--mqtt-port', 'x'], /^hearth: --mqtt-port: "x" does not do: a whole number is needed\.$/],
  [['simulate', '--nodes', '0'], /^hearth: --nodes: "0" is no number of at least 1\.$/],
  [['agent', '--borker', 'x'], /^hearth: Unknown option '--borker'/],
  [['nodes', '--broker', 'x'], /^hearth: --broker: "x" does not do: not the address of an MQTT broker/],
  [
    ['nodes', '--broker', 'mqtt://127.0.0.1:9'],
    /^hearth: Nobody listens at mqtt:\/\/127\.0\.0\.1:9: start a supervisor/,
  ],
];
for (const [args, said] of typos) {
  cli(`a mistake is answered in a sentence: hearth ${args.join(' ')}`, async () => {
    const { code, out } = await run(args);
    assert.ok(typeof code === 'number' && code > 0);
    assert.match(out.trim(), said);
  });
}

cli('--version and --help', async () => {
  assert.equal(await run(['--version']), { code: 0, out: '0.1.0\n' });
  const { code, out } = await run(['--help']);
  assert.is(code, 0);
  for (const command of ['up', 'agent', 'nodes', 'watch', 'set', 'simulate']) assert.match(out, ` ${command} `);
});

cli.run();
