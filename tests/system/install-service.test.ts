/**
 * The agent as a service: of systemd and of OpenRC on a whole machine, and of a user's own systemd. Shares debian: the
 * machine and its runtimes are fetched once.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite as describe } from 'uvu';
import * as assert from 'uvu/assert';
import { bareMachineNeeds, canBootSystemd } from '../fixture/bare-machine.ts';
import { type JoiningMachine, joiningMachine, joiningMachineNeeds } from '../fixture/joining-machine.ts';
import { until } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';

const suite = describe('install as a service');
const needs = [...bareMachineNeeds, ...joiningMachineNeeds];

const hasBooted = {
  systemd: 'until systemctl is-system-running --wait 2>&1 | grep -E "running|degraded"; do sleep 0.2; done',
  openrc: 'rc-status',
} as const;
const isEnabled = {
  systemd: 'systemctl is-enabled hearth-agent',
  openrc: 'rc-update show default | grep hearth-agent',
};

/** Kills the agent whose folder is `data`, on the machine, and waits for the next one. */
async function comesBack({ machine, there }: JoiningMachine, data: string): Promise<void> {
  const lock = join(machine.root, data, 'agent.lock');
  // Its number on that machine.
  const agent = () => (existsSync(lock) ? (JSON.parse(readFileSync(lock, 'utf8')) as { pid: number }).pid : 0);
  const first = agent();
  await there(`kill -KILL ${first}`);
  await until('another agent runs', async () => {
    const now = agent();
    return now !== 0 && now !== first && (await there(`kill -0 ${now} && echo yes || true`)).includes('yes');
  });
}

/** Its processes by their numbers; the brackets keep the one who asks out. */
const oven = ({ there }: JoiningMachine) => there('grep -asl "sleep.8640[0]" /proc/[0-9]*/cmdline');

const nothingRuns = (rig: JoiningMachine) =>
  until('none of its processes is left', async () =>
    (await rig.processes()).every(line => !/hearth-agent|sleep 86400/.test(line)),
  );

for (const manager of ['systemd', 'openrc'] as const) {
  if (manager === 'systemd' && !canBootSystemd()) {
    console.log('skipped: under systemd it is a service (needs cgroup2)');
    continue;
  }
  const what = `under ${manager} it is a service: it comes back when killed, and its services stay`;
  testWith(suite, needs, what, async () => {
    const rig = await joiningMachine(manager);
    const { machine, there } = rig;
    try {
      await there(hasBooted[manager]);
      const before = machine.list();
      const node = /hearth: node (\S+) is ready/.exec(await there((await rig.joinLines())[0]))?.[1] ?? '';
      await there(isEnabled[manager]);
      await rig.serviceRuns(node, 'oven');
      const is = await oven(rig);
      await comesBack(rig, 'var/lib/hearth-agent/data');
      await there('hearth-agent wait-ready 60');
      await there('hearth-agent restart && hearth-agent wait-ready 60 && hearth-agent status');
      assert.match(await there('hearth-agent logs 20'), /\S/);
      assert.is(await oven(rig), is);
      await there('hearth-agent uninstall');
      assert.equal(machine.list(), before);
      await nothingRuns(rig);
    } finally {
      await rig.remove();
    }
  });
}

const ofUser = "a user's own systemd starts it, once root lets it linger; before, the runner does, and hands over";
if (!canBootSystemd()) console.log(`skipped: ${ofUser} (needs cgroup2)`);
else
  testWith(suite, needs, ofUser, async () => {
    const rig = await joiningMachine('systemd');
    const { machine, there } = rig;
    const user = (line: string, code = 0) =>
      there(
        `cd /home/kim && setpriv --reuid kim --regid kim --init-groups /bin/sh -c '${line.replaceAll("'", "'\\''")}'`,
        code,
        { HOME: '/home/kim' },
      );
    const command = '.local/bin/hearth-agent';
    try {
      await there(hasBooted.systemd);
      await there('useradd --create-home kim');
      // systemd's own record of who was there is none of ours.
      const files = () => machine.list().filter(line => !line.startsWith('./var/log/journal/'));
      const before = files();
      const [paste] = await rig.joinLines();
      // As "su kim" leaves it: nobody has logged in, so that no systemd of kim's runs.
      assert.match(
        await user(`${paste} --user --init systemd`, 1),
        /"loginctl enable-linger kim", as root, starts one/,
      );
      assert.equal(files(), before);
      const first = await user(`${paste} --user`);
      assert.match(first, /no systemd runs for this user: "loginctl enable-linger kim", as root, starts one/);
      const node = /hearth: node (\S+) is ready/.exec(first)?.[1] ?? '';
      await rig.serviceRuns(node, 'oven');
      const is = await oven(rig);

      await there('loginctl enable-linger kim && until [ -S /run/user/1000/systemd/private ]; do sleep 0.1; done');
      const again = await user(`${paste} --user`);
      assert.match(again, /stop the agent and take it out of none/);
      assert.match(again, new RegExp(`hearth: node ${node} is ready`));
      assert.not.match(again, /fetch/);
      assert.not.ok((await rig.processes()).some(line => /hearth-agent supervise/.test(line)));
      assert.match(await there('cat /proc/[0-9]*/cgroup'), /user@1000\.service\/app\.slice\/hearth-agent\.service/);
      assert.is(await oven(rig), is);
      await comesBack(rig, 'home/kim/.local/share/hearth-agent/var/data');
      await user(`${command} wait-ready 60`);
      await user(`${command} restart && ${command} wait-ready 60 && ${command} status`);
      assert.match(await user(`${command} logs 20`), /\S/);
      assert.is(await oven(rig), is);
      await user(`${command} uninstall`);
      await there('loginctl disable-linger kim');
      assert.equal(files(), before);
      await nothingRuns(rig);
    } finally {
      await rig.remove();
    }
  });

suite.run();
