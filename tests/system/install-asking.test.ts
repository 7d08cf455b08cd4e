/**
 * A bare machine without a token: the script ends with the code to compare, and the agent's command tells how it went
 * on. Shares debian: the machine and its runtimes are fetched once.
 */
import { suite as describe } from 'uvu';
import * as assert from 'uvu/assert';
import { bareMachine, bareMachineNeeds } from '../fixture/bare-machine.ts';
import { hearthCommand, up } from '../fixture/cluster.ts';
import { folder, start, until } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';
import { realRuntimes } from '../fixture/runtimes.ts';

const suite = describe('install without a token');

testWith(
  suite,
  [...bareMachineNeeds, 'curl'],
  'shows its code at once, joins when approved, and tells a refusal',
  async () => {
    const data = folder('hearth-data-');
    await realRuntimes(data);
    const machine = await bareMachine();
    const cluster = await up({ data, flags: ['--lan', '--tls-port', '0', '--no-agent'] });
    const here = async (...args: string[]) => {
      const run = start(process.execPath, [hearthCommand, ...args, '--data', data]);
      assert.is(await run.ended, 0, run.output());
      return run.output();
    };
    const there = async (line: string) => {
      const run = machine.run(line);
      assert.is(await run.ended, 0, run.output());
      return run.output();
    };
    try {
      const address = `${machine.host.near}:${cluster.ready.http}`;
      const since = performance.now();
      const said = await there(
        `curl -fsSL http://${address}/install.sh | sh -s -- --supervisor ${address} --node asks --wait 300`,
      );
      // Without the code it would have waited for its whole patience.
      assert.ok(performance.now() - since < 250_000, said);
      const code = /waiting to be approved as (\S+):/.exec(said)?.[1] ?? '';
      assert.match(await here('nodes', '--pending'), new RegExp(`^${code} +asks`, 'm'), said);
      assert.match(await there('hearth-agent status'), /has not reached its cluster yet/);
      await here('approve', code);
      assert.match(await there('hearth-agent wait-ready 60 && hearth-agent status'), /runs, as node asks/);
      await here('revoke', 'asks');
      await until('it knows', async () =>
        /its cluster refuses it(.|\n)*was revoked/.test(await there('hearth-agent status')),
      );
      await there('hearth-agent uninstall');
    } finally {
      await cluster.process.stop();
      await machine.remove();
    }
  },
);

suite.run();
