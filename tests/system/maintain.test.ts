/**
 * `hearth maintain` on a real node: drained, upgraded by its own apt, rebooted, looked at, resumed. The machine is
 * namespaces, which cannot be rebooted: its `reboot` is a script that ends the agent and gives the machine another boot
 * id. Shares debian: the machine and its runtimes are fetched once.
 */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite as describe } from 'uvu';
import * as assert from 'uvu/assert';
import type { Is } from '../../shared/schemas/observed.ts';
import { bareMachineNeeds } from '../fixture/bare-machine.ts';
import { hearthCommand } from '../fixture/cluster.ts';
import { joiningMachine, joiningMachineNeeds } from '../fixture/joining-machine.ts';
import { connectClient } from '../fixture/mqtt-client.ts';
import { start, until } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';

const suite = describe('maintain');

testWith(
  suite,
  [...bareMachineNeeds, ...joiningMachineNeeds],
  'a node is drained, upgraded, rebooted and resumed; one that does not reboot ends it and stays drained',
  async () => {
    const rig = await joiningMachine();
    const { there, here, cluster, machine } = rig;
    const url = cluster.url;
    const watcher = await connectClient(url, ['hearth/node/+/is']);
    const states = () =>
      watcher.heard
        .filter(({ topic, text }) => topic === 'hearth/node/site/is' && text !== '')
        .map(({ text }) => (JSON.parse(text) as Is).state);
    const maintain = async (...args: string[]) => {
      const run = start(process.execPath, [hearthCommand, 'maintain', ...args, '--broker', url]);
      return { code: await run.ended, output: run.output() };
    };
    const reboot = (script: string) => {
      const file = join(machine.root, 'usr/local/sbin/reboot');
      mkdirSync(join(file, '..'), { recursive: true });
      writeFileSync(file, `#!/bin/sh\n${script}\n`);
      chmodSync(file, 0o755);
    };
    try {
      // No network beyond the supervisor: nothing is newer than what is installed.
      writeFileSync(join(machine.root, 'etc/apt/sources.list'), '');
      const [paste] = await rig.joinLines();
      await there(`${paste} --node site`);
      await rig.serviceRuns('site', 'oven');
      await here('set', 'site', 'roles', 'web', '--broker', url, '--wait');

      assert.match((await maintain('@web')).output, /Say what is to be done: --upgrade, --reboot, or both/);
      assert.match((await maintain('@wbe', '--reboot')).output, /No node has the role "wbe"/);
      const shown = await maintain('@web', '--upgrade', '--reboot', '--dry-run');
      assert.equal(
        [shown.code, shown.output.trim()],
        [0, 'site: would drain, upgrade, reboot, look whether it is well, resume'],
      );

      reboot(
        [
          'cat /proc/sys/kernel/random/uuid >/run/boot-id',
          'mount --bind /run/boot-id /proc/sys/kernel/random/boot_id',
          "setsid sh -c 'sleep 1; hearth-agent restart' >/dev/null 2>&1 </dev/null &",
        ].join('\n'),
      );
      watcher.forget();
      const done = await maintain('@web', '--upgrade', '--reboot');
      assert.is(done.code, 0, done.output);
      assert.match(
        done.output,
        /draining(.|\n)*upgrading its packages(.|\n)*rebooting(.|\n)*at work again\n1 node is done/,
      );
      // The command heard it by a connection of its own.
      await until('it is ready', () => states().at(-1) === 'ready');
      assert.ok(states().includes('draining'), states().join());
      assert.match(await there('cat /var/lib/hearth-agent/data/items/upgrade/* 2>/dev/null; echo end'), /end/);

      reboot('exit 0');
      const stays = await maintain('site', '--reboot', '--reboot-time', '3');
      assert.is(stays.code, 1);
      assert.match(
        stays.output,
        /site: it is online after 3 s, but has not rebooted\. It stays as it is: look at it, then send do\/resume/,
      );
      await until('it is drained still', () => states().at(-1) === 'draining');
      reboot('echo "somebody inhibits it" >&2; exit 1');
      assert.match((await maintain('all', '--reboot')).output, /could not be rebooted: .*somebody inhibits it/);

      // Safe mode, as asked for on the machine: what runs, runs on, and nothing is applied until "resume" there.
      assert.match(await there('hearth-agent --safe && hearth-agent wait-ready 60'), /safe mode: what runs, runs on/);
      await until('it is in safe mode', () => states().at(-1) === 'failed');
      await here('set', 'site', 'files.late', '{"path":"/etc/late","content":"x"}', '--broker', url);
      const oven = await there('grep -asl "sleep.8640[0]" /proc/[0-9]*/cmdline');
      await there('! [ -e /etc/late ]');
      await there('hearth-agent resume && hearth-agent wait-ready 60');
      await until('it goes on where it was', () => states().at(-1) === 'draining');
      await until('what was said meanwhile is applied', async () => (await there('cat /etc/late || true')) === 'x');
      assert.is(await there('grep -asl "sleep.8640[0]" /proc/[0-9]*/cmdline'), oven);
      await there('hearth-agent uninstall');
    } finally {
      await watcher.close();
      await rig.remove();
    }
  },
);

suite.run();
