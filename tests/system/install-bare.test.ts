/**
 * From the line that `hearth token` prints to a node that is ready, on a Debian with nothing but sh and curl, and back to where
 * it was. The runtime is the one that the registry has.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite as describe } from 'uvu';
import * as assert from 'uvu/assert';
import { type BareMachine, bareMachine, bareMachineNeeds, canBootSystemd } from '../fixture/bare-machine.ts';
import { type Cluster, hearthCommand, up } from '../fixture/cluster.ts';
import { connectClient } from '../fixture/mqtt-client.ts';
import { folder, patienceMs, start, until } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';
import { realRuntimes } from '../fixture/runtimes.ts';

const suite = describe('install on a bare machine');
let machine: BareMachine;
let cluster: Cluster;
const data = folder('hearth-data-');

async function here(...args: string[]): Promise<string> {
  const run = start(process.execPath, [hearthCommand, ...args]);
  assert.is(await run.ended, 0, run.output());
  return run.output();
}

/** The lines of `hearth token`, as a person copies them: to paste, and to check the script before. */
async function joinLines(): Promise<readonly [paste: string, checked: string]> {
  const said = await here('token', '--data', data, '--host', machine.host.near);
  const [paste, checked] = said.split('\n').filter(line => line.startsWith('  curl '));
  if (paste === undefined || checked === undefined) throw new Error(said);
  return [paste.trim(), checked.trim()];
}

async function there(line: string, code: number | string = 0, environment = {}): Promise<string> {
  const run = machine.run(line, environment);
  assert.is(await run.ended, code, `${line}: ${run.output()}`);
  return run.output();
}

/** What runs on the machine besides its init and the one who asks. */
const processes = async (): Promise<string[]> =>
  (await there(`for p in /proc/[0-9]*; do [ "$p" = /proc/$$ ] || tr '\\0' ' ' <$p/cmdline; echo; done 2>/dev/null`))
    .split('\n')
    .filter(line => line !== '' && !/^(sleep 1000|\/bin\/sh -c while|tr )/.test(line));

async function serviceRuns(node: string, name: string): Promise<void> {
  const client = await connectClient(cluster.url, [`hearth/node/${node}/is`]);
  await here('set', node, `services.${name}`, 'exec sleep 86400', '--broker', cluster.url, '--wait');
  await client.close();
}

const needs = [...bareMachineNeeds, 'curl'];

testWith(
  suite,
  needs,
  'one line makes it a node within 60 s, another changes nothing, uninstall leaves no trace',
  async () => {
    await realRuntimes(data);
    machine = await bareMachine();
    cluster = await up({ data, flags: ['--lan', '--tls-port', '0', '--no-agent'] });
    try {
      const before = machine.list();
      const [paste] = await joinLines();
      const shown = await there(`${paste} --dry-run`);
      assert.match(shown, /would fetch Node \d+/);
      assert.equal(machine.list(), before);

      const since = performance.now();
      const said = await there(paste);
      const node = /node (\S+) is ready/.exec(said)?.[1] ?? '';
      const isReady = new RegExp(`^${node} +ready`, 'm');
      await until('it is ready', async () => isReady.test(await here('nodes', '--broker', cluster.url)));
      const took = performance.now() - since;
      assert.ok(took < 60_000, `${took} ms`);
      console.log(`from the pasted line to ready: ${(took / 1000).toFixed(1)} s`);
      assert.match(await there('hearth-agent status'), new RegExp(`runs, as node ${node}`));
      // The token has served, and is nowhere any more.
      const secret = /hearth1\.[0-9a-f]+\.[a-z2-7]+\.([a-z2-7]+)@/.exec(paste)?.[1] ?? 'none';
      await there(`! grep -rlF ${secret} /etc /usr/local /var/lib /root /tmp /run`);

      const pid = (await there('cat /var/lib/hearth-agent/run/pid')).trim();
      const files = machine.list();
      const again = await there((await joinLines())[0]);
      assert.match(again, /this version runs here already/);
      assert.not.match(again, /fetch/);
      assert.is((await there('cat /var/lib/hearth-agent/run/pid')).trim(), pid);
      assert.equal(machine.list().map(name), files.map(name));

      await there('hearth-agent restart && hearth-agent wait-ready 60');
      await serviceRuns(node, 'oven');
      assert.ok((await processes()).some(line => line.startsWith('sleep 86400')));
      await there('hearth-agent uninstall');
      assert.equal(machine.list(), before);
      await until('nothing runs there any more', async () => (await processes()).length === 0, patienceMs);
    } finally {
      await cluster.process.stop();
      await machine.remove();
    }
  },
);
const name = (line: string): string => line.split(' ')[0] ?? '';

testWith(
  suite,
  needs,
  'a user of the machine joins by the checked line; a token that has served lets nobody in',
  async () => {
    const home = folder('hearth-data-');
    await realRuntimes(home);
    machine = await bareMachine();
    cluster = await up({ data: home, flags: ['--lan', '--tls-port', '0', '--no-agent'] });
    const said = await here('token', '--data', home, '--host', machine.host.near);
    const [paste = '', checked = ''] = said.split('\n').filter(line => line.startsWith('  curl '));
    const asUser = 'setpriv --reuid 1000 --regid 1000 --clear-groups --no-new-privs';
    try {
      await there('mkdir /home/kim && chown 1000:1000 /home/kim');
      const before = machine.list();
      const user = (line: string, code = 0) =>
        there(`cd /home/kim && ${asUser} /bin/sh -c '${line.replaceAll("'", "'\\''")}'`, code, { HOME: '/home/kim' });
      assert.match(await user(paste, 1), /only root may install for the whole machine/);
      assert.equal(machine.list(), before);
      assert.match(await user(`${checked} --user`), /install\.sh: OK\n(.*\n)*hearth: node \S+ is ready/);
      await user('.local/bin/hearth-agent uninstall && rm install.sh');
      assert.equal(machine.list(), before);
      // Used up: it says so, and goes on trying as long as nobody ends it.
      const late = await user(`${paste} --user --wait 3`);
      assert.match(late, /This join token is used up/);
      assert.not.match(late, /hearth: node \S+ is ready/);
      await user('.local/bin/hearth-agent uninstall');
      assert.equal(machine.list(), before);
      // What it was given and what it said of that is in nobody's log.
      const secret = /hearth1\.[0-9a-f]+\.[a-z2-7]+\.([a-z2-7]+)@/.exec(paste)?.[1] ?? 'none';
      assert.not.ok(readFileSync(`${home}/logs/supervisor.log`, 'utf8').includes(secret));
    } finally {
      await cluster.process.stop();
      await machine.remove();
    }
  },
);

const isUp = { systemd: 'systemctl is-system-running --wait', openrc: 'rc-status >/dev/null' } as const;
const isEnabled = {
  systemd: 'systemctl is-enabled hearth-agent',
  openrc: 'rc-update show default | grep hearth-agent',
};

for (const manager of ['systemd', 'openrc'] as const) {
  if (manager === 'systemd' && !canBootSystemd()) {
    console.log('skipped: under systemd it is a service (needs cgroup2)');
    continue;
  }
  testWith(
    suite,
    needs,
    `under ${manager} it is a service: it comes back when killed, and its services stay`,
    async () => {
      const home = folder('hearth-data-');
      await realRuntimes(home);
      machine = await bareMachine(manager);
      cluster = await up({ data: home, flags: ['--lan', '--tls-port', '0', '--no-agent'] });
      try {
        await there(`${isUp[manager]} || true`);
        const before = machine.list();
        const [, paste = ''] =
          /^ {2}(curl .*)$/m.exec(await here('token', '--data', home, '--host', machine.host.near)) ?? [];
        const node = /hearth: node (\S+) is ready/.exec(await there(paste))?.[1] ?? '';
        await there(isEnabled[manager]);
        await serviceRuns(node, 'oven');
        // Its number on that machine.
        const lock = join(machine.root, 'var/lib/hearth-agent/data/agent.lock');
        const agent = () => (existsSync(lock) ? (JSON.parse(readFileSync(lock, 'utf8')) as { pid: number }).pid : 0);
        const first = agent();
        // Its processes by their numbers; the brackets keep the one who asks out.
        const ovenIs = () => there('grep -asl "sleep.8640[0]" /proc/[0-9]*/cmdline');
        const oven = await ovenIs();
        await there(`kill -KILL ${first}`);
        await until('another agent runs', async () => {
          const now = agent();
          return now !== 0 && now !== first && (await there(`kill -0 ${now} && echo yes || true`)).includes('yes');
        });
        await there('hearth-agent wait-ready 60');
        await there('hearth-agent restart && hearth-agent wait-ready 60 && hearth-agent status');
        assert.match(await there('hearth-agent logs 20'), /\S/);
        assert.is(await ovenIs(), oven);
        await there('hearth-agent uninstall');
        assert.equal(machine.list(), before);
        await until('none of its processes is left', async () =>
          (await processes()).every(line => !/hearth-agent|sleep 86400/.test(line)),
        );
      } finally {
        await cluster.process.stop();
        await machine.remove();
      }
    },
  );
}

suite.run();
