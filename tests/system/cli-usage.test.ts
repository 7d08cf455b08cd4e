/** What the command line says to mistakes and questions without a supervisor: one sentence, and the right exit code. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { agentBundle, agentNode, hearthCommand } from '../fixture/cluster.ts';
import { folder, start } from '../fixture/processes.ts';

const usage = suite('cli usage');

async function run(program: string, args: readonly string[]): Promise<{ code: number | string; out: string }> {
  const node = program === agentBundle ? agentNode : process.execPath;
  const home = folder();
  const env = { PATH: process.env.PATH, HOME: home, HEARTH_DATA: `${home}/data` };
  const started = start(node, [program, ...args], { env, timeout: 20_000 });
  const closed = new Promise(resolve => started.child.once('close', resolve));
  const code = await started.ended;
  await closed;
  return { code, out: started.output() };
}

for (const [name, program, args] of [
  ['hearth agent --help', hearthCommand, ['agent', '--help']],
  ['the bundle itself', agentBundle, ['-h']],
] as const) {
  usage(`an agent tells its options, and that is no failure: ${name}`, async () => {
    const { code, out } = await run(program, args);
    assert.match(out, /^Usage: hearth agent \[options\]\n.*--token TOKEN/s);
    assert.match(out, /HEARTH_BROKER[\s\S]*removed once it has been used\.\n$/);
    assert.is(code, 0);
  });
}

const credentials = ['--broker', 'mqtt://me:50%@127.0.0.1:9'];
const readable = /^hearth: --broker: .* user name or password cannot be read: in a URL a "%" is written as %25\.?\n$/;
const mistakes: readonly (readonly [string, readonly string[], RegExp])[] = [
  [hearthCommand, ['nodes', ...credentials], readable],
  [hearthCommand, ['simulate', '--nodes', '1', ...credentials], readable],
  [hearthCommand, ['up', ...credentials], readable],
  [hearthCommand, ['agent', ...credentials], readable],
  [agentBundle, credentials, readable],
  [agentBundle, ['--broker', 'ws://127.0.0.1:9'], /^hearth: --broker "ws:\/\/" is not served: use mqtt:/],
  [hearthCommand, ['up', '--broker', 'ws://127.0.0.1:9'], /^hearth: --broker: nodes speak mqtt:.* --no-agent\.\n$/],
  [hearthCommand, ['set', 'n1', 'a..b', 'x'], /^hearth: "a\.\.b" is no key: write it as/],
  [hearthCommand, ['simulate', '--nodes', '3', '--prefix', 'X_'], /^hearth: --prefix: "X_3" is not a node id/],
];
for (const [program, args, said] of mistakes) {
  const name = program === agentBundle ? 'agent.js' : 'hearth';
  usage(`how to say it right, and exit code 2: ${name} ${args.join(' ')}`, async () => {
    const { code, out } = await run(program, args);
    assert.match(out, said);
    assert.is(code, 2);
  });
}

usage.run();
