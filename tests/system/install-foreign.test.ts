/**
 * From the pasted line to a node that is ready on arm64 and armv7, with the runtimes that the registry has for them;
 * their programs run by QEMU. Shares debian: the machine and its runtimes are fetched once.
 */
import { suite as describe } from 'uvu';
import * as assert from 'uvu/assert';
import { bareMachine, bareMachineNeeds } from '../fixture/bare-machine.ts';
import { type Cluster, hearthCommand, up } from '../fixture/cluster.ts';
import { canEmulate, emulationNeeds } from '../fixture/emulation.ts';
import { folder, start, until } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';
import { realRuntimes } from '../fixture/runtimes.ts';

const suite = describe('install on another architecture');
const data = folder('hearth-data-');
let cluster: Cluster;

suite.before(async () => {
  await realRuntimes(data);
  cluster = await up({ data, flags: ['--lan', '--tls-port', '0', '--no-agent'] });
});
suite.after(async () => {
  await cluster.process.stop();
});

async function here(...args: string[]): Promise<string> {
  const run = start(process.execPath, [hearthCommand, ...args]);
  assert.is(await run.ended, 0, run.output());
  return run.output();
}

for (const [debian, arch] of [
  ['arm64', 'arm64'],
  ['armhf', 'arm'],
] as const) {
  const what = `one line makes a ${debian} machine a node, which runs a service; uninstall leaves no trace`;
  testWith(suite, [...bareMachineNeeds, ...emulationNeeds(debian), 'curl'], what, async () => {
    const machine = await bareMachine(debian);
    const there = async (line: string): Promise<string> => {
      const run = machine.run(line);
      assert.is(await run.ended, 0, `${line}: ${run.output()}`);
      return run.output();
    };
    try {
      const before = machine.list();
      const [, paste = ''] =
        /^ {2}(curl .*)$/m.exec(await here('token', '--data', data, '--host', machine.host.near)) ?? [];
      const since = performance.now();
      // Emulated on a busy machine, it may be longer on its way than the script waits by itself.
      const node = /hearth: node (\S+) is ready/.exec(await there(`${paste} --wait 300`))?.[1] ?? '';
      console.log(`${debian}, emulated, to ready: ${((performance.now() - since) / 1000).toFixed(1)} s`);
      const isReady = new RegExp(`^${node} +ready .* ${arch}$`, 'm');
      await until('it is ready', async () => isReady.test(await here('nodes', '--broker', cluster.url)));
      await here('set', node, 'services.oven', 'exec sleep 86400', '--broker', cluster.url, '--wait');
      assert.match(await there('hearth-agent status'), new RegExp(`runs, as node ${node}`));
      await there('hearth-agent uninstall');
      assert.equal(machine.list(), before);
      await until(
        'its services are gone',
        async () => !(await there('cat /proc/[0-9]*/cmdline')).includes('\x0086400'),
      );
    } finally {
      await machine.remove();
    }
  });
}

if (canEmulate()) suite.run();
else
  console.log(
    'skipped: install on another architecture (needs root, and a Linux whose user namespaces have formats of their own, 6.7)',
  );
